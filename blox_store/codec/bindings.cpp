// The Python module: checks the shapes of arrays, holds no knowledge of the format.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>

#include "decode.hpp"
#include "encode.hpp"

namespace py = pybind11;

namespace {

using blox::Field;
using blox::Input;
using blox::Kind;
using blox::Output;

const std::unordered_map<std::string, Kind> kKinds = {
    {"hash", Kind::hash}, {"int", Kind::integer}, {"float", Kind::real},
    {"str", Kind::text},  {"arch", Kind::arch},   {"b", Kind::quantised},
};

Field make_field(const std::string& kind, bool is_list, std::uint32_t minimum, std::uint32_t bits,
                 std::uint32_t images) {
    const auto found = kKinds.find(kind);
    if (found == kKinds.end()) {
        throw py::value_error("no kind of field is called " + kind);
    }
    if (found->second == Kind::quantised && (bits < 1 || bits > blox::kMaxBits)) {
        throw py::value_error("a quantised field takes 1 to 32 bits, got " + std::to_string(bits));
    }
    return {found->second, is_list, minimum, bits, images};
}

// Bytes of an item that is itself an array; 0 for a number.
py::ssize_t item_width(const Field& field) {
    switch (field.kind) {
        case Kind::hash: return blox::kHashBytes;
        case Kind::arch: return blox::kArchBytes;
        default: return 0;
    }
}

py::dtype item_dtype(const Field& field) {
    if (item_width(field) != 0) {
        return py::dtype::of<std::uint8_t>();
    }
    return blox::is_narrow(field) ? py::dtype::of<std::uint16_t>() : py::dtype::of<std::uint32_t>();
}

py::array new_items(const Field& field, std::size_t count) {
    std::vector<py::ssize_t> shape{static_cast<py::ssize_t>(count)};
    if (item_width(field) != 0) {
        shape.push_back(item_width(field));
    }
    return py::array(item_dtype(field), shape);
}

py::object strings_of(const Field& field, const blox::TextPool& pool) {
    if (field.kind != Kind::text) {
        return py::none();
    }
    py::tuple strings(pool.texts().size());
    for (std::size_t i = 0; i < pool.texts().size(); ++i) {
        strings[i] = py::str(pool.texts()[i].data(), pool.texts()[i].size());
    }
    return std::move(strings);
}

py::object offsets_of(const std::vector<std::int64_t>& offsets) {
    if (offsets.empty()) {
        return py::none();
    }
    return py::array_t<std::int64_t>(static_cast<py::ssize_t>(offsets.size()), offsets.data());
}

py::tuple decode(const py::bytes& payload, const std::vector<Field>& fields) {
    const std::string_view view = payload;
    const auto* data = reinterpret_cast<const std::uint8_t*>(view.data());
    blox::Plan plan;
    {
        py::gil_scoped_release unlocked;
        plan = blox::plan_payload(data, view.size(), fields);
    }
    std::vector<py::array> arrays;
    std::vector<Output> outputs;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        arrays.push_back(new_items(fields[i], plan.items(i)));
        outputs.push_back({arrays[i].mutable_data(), blox::is_narrow(fields[i]), {}});
    }
    {
        py::gil_scoped_release unlocked;
        blox::decode_payload(data, view.size(), fields, plan, outputs);
    }
    py::list columns;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        columns.append(py::make_tuple(arrays[i], offsets_of(plan.offsets[i]),
                                      strings_of(fields[i], outputs[i].pool)));
    }
    return py::make_tuple(plan.rows, columns);
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
    if (!field.is_list) {
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
    Input input{items.data(), static_cast<std::size_t>(items.shape(0)), blox::is_narrow(field),
                check_offsets(field, column[1], rows, items), {}};
    if (field.kind == Kind::text) {
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
        size = blox::payload_bytes(rows, fields, inputs);
    }
    auto* raw = PyBytes_FromStringAndSize(nullptr, static_cast<py::ssize_t>(size));
    if (raw == nullptr) {
        throw py::error_already_set();
    }
    const auto payload = py::reinterpret_steal<py::bytes>(raw);
    auto* out = reinterpret_cast<std::uint8_t*>(PyBytes_AS_STRING(raw));
    {
        py::gil_scoped_release unlocked;
        blox::encode_payload(rows, fields, inputs, out);
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
        .def(py::init(&make_field), py::kw_only(), py::arg("kind"), py::arg("is_list") = false,
             py::arg("minimum") = 0, py::arg("bits") = 0, py::arg("images") = 0);
    module.def("decode", &decode, py::arg("payload"), py::arg("fields"));
    module.def("encode", &encode, py::arg("rows"), py::arg("fields"), py::arg("columns"));
}
