#include "encode.hpp"

#include <algorithm>
#include <cstring>

namespace blox {

namespace {

struct Span {
    std::size_t first;
    std::size_t count;
};

Span span_of(const Input& input, std::size_t row) {
    if (input.offsets == nullptr) {
        return {row, 1};
    }
    const std::int64_t first = input.offsets[row];
    return {static_cast<std::size_t>(first), static_cast<std::size_t>(input.offsets[row + 1] - first)};
}

std::uint64_t item_at(const Input& input, std::size_t index) {
    if (input.narrow) {
        return static_cast<const std::uint16_t*>(input.items)[index];
    }
    return static_cast<const std::uint32_t*>(input.items)[index];
}

void require(bool holds, const char* what, std::size_t offset) {
    if (!holds) {
        throw CodecError(what, offset);
    }
}

std::size_t text_bytes(const Input& input, Span span, std::size_t at) {
    std::size_t bytes = 0;
    for (std::size_t i = span.first; i < span.first + span.count; ++i) {
        const std::uint64_t code = item_at(input, i);
        require(code < input.texts.size(), "a code has no string", at + bytes);
        require(input.texts[code].size() <= kMaxLength, "a string has over 255 bytes", at + bytes);
        bytes += kLengthBytes + input.texts[code].size();
    }
    return bytes;
}

void check_range(const Field& field, const Input& input, Span span, std::size_t at) {
    const std::uint64_t lowest = field.kind == Kind::quantised ? field.minimum : 0;
    const std::uint64_t highest =
        field.kind == Kind::real
            ? kMaxReal
            : std::min<std::uint64_t>(field.images, lowest + (std::uint64_t{1} << field.bits) - 1);
    for (std::size_t i = span.first; i < span.first + span.count; ++i) {
        const std::uint64_t item = item_at(input, i);
        require(item >= lowest && item <= highest, "a value is out of its type's range", at);
    }
}

std::size_t field_bytes(const Field& field, const Input& input, Span span, std::size_t at) {
    if (field.kind == Kind::text) {
        return text_bytes(input, span, at);
    }
    if (field.kind == Kind::real || field.kind == Kind::quantised) {
        check_range(field, input, span, at);
    }
    return packed_bytes(field, span.count);
}

void check_span(const Field& field, const Input& input, std::size_t row, std::size_t at) {
    if (field.is_list) {
        const std::int64_t first = input.offsets[row], last = input.offsets[row + 1];
        require(first >= 0 && first <= last && static_cast<std::size_t>(last) <= input.count,
                "a list lies outside of its items", at);
        require(static_cast<std::size_t>(last - first) <= kMaxLength, "a list has over 255 items", at);
    }
}

std::uint8_t* store_le(std::uint64_t value, std::size_t bytes, std::uint8_t* out) {
    for (std::size_t i = 0; i < bytes; ++i) {
        *out++ = static_cast<std::uint8_t>(value >> 8 * i);
    }
    return out;
}

std::uint8_t* store_hashes(const Input& input, Span span, std::uint8_t* out) {
    const auto* in = static_cast<const std::uint8_t*>(input.items) + span.first * kHashBytes;
    for (std::size_t i = 0; i < span.count; ++i, in += kHashBytes) {
        out = std::reverse_copy(in, in + kHashBytes, out);
    }
    return out;
}

std::uint8_t* store_archs(const Input& input, Span span, std::uint8_t* out) {
    const auto* in = static_cast<const std::uint8_t*>(input.items) + span.first * kArchBytes;
    return std::copy(in, in + span.count * kArchBytes, out);
}

std::uint8_t* store_texts(const Input& input, Span span, std::uint8_t* out) {
    for (std::size_t i = span.first; i < span.first + span.count; ++i) {
        const std::string_view text = input.texts[item_at(input, i)];
        *out++ = static_cast<std::uint8_t>(text.size());
        out = std::copy(text.begin(), text.end(), out);
    }
    return out;
}

// `pending` holds fewer than 8 bits between items, so that one of 32 bits always fits.
std::uint8_t* store_counts(const Field& field, const Input& input, Span span, std::uint8_t* out) {
    std::uint64_t pending = 0;
    std::uint32_t held = 0;
    for (std::size_t i = span.first; i < span.first + span.count; ++i) {
        pending |= (item_at(input, i) - field.minimum) << held;
        for (held += field.bits; held >= 8; held -= 8, pending >>= 8) {
            *out++ = static_cast<std::uint8_t>(pending);
        }
    }
    if (held != 0) {
        *out++ = static_cast<std::uint8_t>(pending);
    }
    return out;
}

std::uint8_t* store_items(const Field& field, const Input& input, Span span, std::uint8_t* out) {
    switch (field.kind) {
        case Kind::hash: return store_hashes(input, span, out);
        case Kind::arch: return store_archs(input, span, out);
        case Kind::text: return store_texts(input, span, out);
        case Kind::quantised: return store_counts(field, input, span, out);
        case Kind::integer:
        case Kind::real: break;
    }
    const std::size_t bytes = packed_bytes(field, 1);
    for (std::size_t i = span.first; i < span.first + span.count; ++i) {
        out = store_le(item_at(input, i), bytes, out);
    }
    return out;
}

}  // namespace

std::size_t payload_bytes(std::size_t rows, const std::vector<Field>& fields,
                          const std::vector<Input>& inputs) {
    require(rows <= UINT32_MAX, "the number of rows takes over 32 bits", kRowsOffset);
    std::size_t at = kPreambleBytes;
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t i = 0; i < fields.size(); ++i) {
            check_span(fields[i], inputs[i], row, at);
            at += fields[i].is_list ? kLengthBytes : 0;
            at += field_bytes(fields[i], inputs[i], span_of(inputs[i], row), at);
        }
    }
    return at;
}

void encode_payload(std::size_t rows, const std::vector<Field>& fields,
                    const std::vector<Input>& inputs, std::uint8_t* out) {
    std::uint8_t* const begin = out;
    out = store_le(rows, kPreambleBytes - kRowsOffset, out + kRowsOffset);
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t i = 0; i < fields.size(); ++i) {
            const Span span = span_of(inputs[i], row);
            if (fields[i].is_list) {
                *out++ = static_cast<std::uint8_t>(span.count);
            }
            out = store_items(fields[i], inputs[i], span, out);
        }
    }
    const auto after_bits = static_cast<std::uint64_t>(out - begin) - kRowsOffset;
    store_le(after_bits * 8, kRowsOffset, begin);
}

}  // namespace blox
