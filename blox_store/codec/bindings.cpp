// The Python module: checks the shapes of arrays, holds no knowledge of the format.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>

#include "decoder.hpp"
#include "encode.hpp"

namespace py = pybind11;

namespace {

using blox::Decoder;
using blox::Field;
using blox::Input;
using blox::Kind;

const std::unordered_map<std::string, Kind> kKinds = {
    {"hash", Kind::hash},      {"int", Kind::integer},    {"u8", Kind::wide_integer},
    {"float", Kind::millionths}, {"f8", Kind::real},      {"str", Kind::text},
    {"text", Kind::long_text}, {"arch", Kind::arch},      {"counts", Kind::quantised},
};

Field make_field(const std::string& kind, std::size_t length_bytes, std::uint32_t minimum,
                 std::uint32_t bits, std::uint32_t images) {
    const auto found = kKinds.find(kind);
    if (found == kKinds.end()) {
        throw py::value_error("no kind of field is called " + kind);
    }
    if (length_bytes != 0 && length_bytes != blox::kShortLengthBytes &&
        length_bytes != blox::kLongLengthBytes) {
        throw py::value_error("a list's length takes 1 or 4 bytes");
    }
    if (found->second == Kind::quantised && (bits < 1 || bits > blox::kMaxBits)) {
        throw py::value_error("a quantised field takes 1 to 32 bits, got " + std::to_string(bits));
    }
    return {found->second, length_bytes, minimum, bits, images};
}

// Bytes of an item that is itself an array; 0 for a number.
py::ssize_t item_width(const Field& field) {
    const bool is_wide = field.kind == Kind::hash || field.kind == Kind::arch;
    return is_wide ? static_cast<py::ssize_t>(blox::item_bytes(field)) : 0;
}

py::dtype item_dtype(const Field& field) {
    if (item_width(field) != 0) {
        return py::dtype::of<std::uint8_t>();
    }
    if (field.kind == Kind::real) {
        return py::dtype::of<double>();
    }
    switch (blox::item_bytes(field)) {
        case 2: return py::dtype::of<std::uint16_t>();
        case 4: return py::dtype::of<std::uint32_t>();
        default: return py::dtype::of<std::uint64_t>();
    }
}

// An array that owns what the decoder has allocated.
py::array items_of(const Field& field, blox::Buffer& buffer) {
    std::vector<py::ssize_t> shape{static_cast<py::ssize_t>(buffer.size() / blox::item_bytes(field))};
    if (item_width(field) != 0) {
        shape.push_back(item_width(field));
    }
    blox::Memory memory = buffer.release();
    const py::capsule owner(memory.get(), [](void* held) { blox::Free()(held); });
    return py::array(item_dtype(field), shape, memory.release(), owner);
}

py::object strings_of(const Field& field, const blox::TextPool& pool) {
    if (!field.is_text()) {
        return py::none();
    }
    py::tuple strings(pool.texts().size());
    for (std::size_t i = 0; i < pool.texts().size(); ++i) {
        strings[i] = py::str(pool.texts()[i]);
    }
    return std::move(strings);
}

py::object offsets_of(const std::vector<std::int64_t>& offsets) {
    if (offsets.empty()) {
        return py::none();
    }
    return py::array_t<std::int64_t>(static_cast<py::ssize_t>(offsets.size()), offsets.data());
}

void feed(Decoder& decoder, const py::bytes& piece) {
    const std::string_view view = piece;
    const py::gil_scoped_release unlocked;
    decoder.feed(reinterpret_cast<const std::uint8_t*>(view.data()), view.size());
}

// Leaves an empty decoder behind.
py::tuple finish(Decoder& decoder) {
    decoder.finish();
    py::list columns;
    for (std::size_t i = 0; i < decoder.fields().size(); ++i) {
        const Field& field = decoder.fields()[i];
        blox::Column& column = decoder.columns()[i];
        columns.append(py::make_tuple(items_of(field, column.items), offsets_of(column.offsets),
                                      strings_of(field, column.pool)));
    }
    return py::make_tuple(decoder.rows(), columns);
}

void check_items(const Field& field, const py::array& items) {
    const bool is_wide = item_width(field) != 0;
    if (!items.dtype().equal(item_dtype(field)) || !(items.flags() & py::array::c_style) ||
        items.ndim() != (is_wide ? 2 : 1) || (is_wide && items.shape(1) != item_width(field))) {
        throw py::value_error("the items of a field must be a contiguous array of its dtype and shape");
    }
}

const std::int64_t* check_offsets(const Field& field, const py::object& offsets, std::size_t rows,
                                  const py::array& items) {
    if (!field.is_list()) {
        if (!offsets.is_none() || static_cast<std::size_t>(items.shape(0)) != rows) {
            throw py::value_error("a field that is no list takes one item a row and no offsets");
        }
        return nullptr;
    }
    if (!py::isinstance<py::array_t<std::int64_t, py::array::c_style>>(offsets)) {
        throw py::value_error("the offsets of a list must be a contiguous int64 array");
    }
    const auto held = py::reinterpret_borrow<py::array>(offsets);
    if (held.ndim() != 1 || static_cast<std::size_t>(held.shape(0)) != rows + 1) {
        throw py::value_error("the offsets of a list must be one more than the rows");
    }
    return static_cast<const std::int64_t*>(held.data());
}

Input make_input(const Field& field, const py::tuple& column, std::size_t rows) {
    if (column.size() != 3 || !py::isinstance<py::array>(column[0])) {
        throw py::value_error("a column must be a tuple of items, offsets and strings");
    }
    const auto items = py::reinterpret_borrow<py::array>(column[0]);
    check_items(field, items);
    Input input{items.data(), static_cast<std::size_t>(items.shape(0)),
                check_offsets(field, column[1], rows, items), {}};
    if (field.is_text()) {
        for (const py::handle text : column[2]) {
            input.texts.push_back(text.cast<std::string_view>());
        }
    }
    return input;
}

py::bytes encode(std::size_t rows, const std::vector<Field>& fields,
                 const std::vector<py::tuple>& columns) {
    if (fields.size() != columns.size()) {
        throw py::value_error("there must be one column a field");
    }
    std::vector<Input> inputs;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        inputs.push_back(make_input(fields[i], columns[i], rows));
    }
    std::size_t size = 0;
    {
        py::gil_scoped_release unlocked;
        size = blox::rows_bytes(rows, fields, inputs);
    }
    auto* raw = PyBytes_FromStringAndSize(nullptr, static_cast<py::ssize_t>(size));
    if (raw == nullptr) {
        throw py::error_already_set();
    }
    const auto payload = py::reinterpret_steal<py::bytes>(raw);
    auto* out = reinterpret_cast<std::uint8_t*>(PyBytes_AS_STRING(raw));
    {
        py::gil_scoped_release unlocked;
        blox::encode_rows(rows, fields, inputs, out);
    }
    return payload;
}

// `CodecError(message, offset)` in Python, where the class has no state of its own.
void register_error(py::module_& module) {
    static py::handle type = py::exception<blox::CodecError>(module, "CodecError", PyExc_ValueError).release();
    py::register_exception_translator([](std::exception_ptr thrown) {
        try {
            if (thrown) {
                std::rethrow_exception(thrown);
            }
        } catch (const blox::CodecError& error) {
            const py::tuple args = py::make_tuple(error.what(), error.offset());
            PyErr_SetObject(type.ptr(), args.ptr());
        }
    });
}

}  // namespace

PYBIND11_MODULE(_codec, module) {
    register_error(module);
    py::class_<Field>(module, "Field")
        .def(py::init(&make_field), py::kw_only(), py::arg("kind"), py::arg("length_bytes") = 0,
             py::arg("minimum") = 0, py::arg("bits") = 0, py::arg("images") = 0);
    py::class_<Decoder>(module, "Decoder")
        .def(py::init([](std::vector<Field> fields, std::size_t max_rows, std::size_t max_bytes) {
                 return Decoder(std::move(fields), {max_rows, max_bytes});
             }),
             py::arg("fields"), py::kw_only(), py::arg("max_rows"), py::arg("max_bytes"))
        .def("feed", &feed, py::arg("piece"))
        .def("finish", &finish);
    module.def("encode", &encode, py::arg("rows"), py::arg("fields"), py::arg("columns"));
    module.attr("MAX_LIST") = blox::kMaxList;
    module.attr("MAX_TEXT_BYTES") = blox::kMaxText;
}
