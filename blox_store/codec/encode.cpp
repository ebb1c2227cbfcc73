#include "encode.hpp"

#include <algorithm>
#include <cstring>

#include "utf8.hpp"

namespace blox {

namespace {

constexpr std::size_t kMaxShort = 255;  // a length in one byte
constexpr const char* kOutOfRange = "a value is out of its type's range";

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

template <typename Item>
const Item* items_of(const Input& input, Span span) {
    return static_cast<const Item*>(input.items) + span.first;
}

void require(bool holds, const char* what, std::size_t offset) {
    if (!holds) {
        throw CodecError(what, offset);
    }
}

std::size_t largest_length(std::size_t bytes, std::size_t bound) {
    return bytes == kShortLengthBytes ? kMaxShort : bound;
}

void check_text(const Field& field, std::string_view text, std::size_t at) {
    require(text.size() <= largest_length(text_length_bytes(field), kMaxText), "a string is too long",
            at);
    const std::size_t good = field.kind == Kind::text ? ascii_prefix(text) : utf8_prefix(text);
    require(good == text.size(), "a string holds a byte that its type does not have", at);
}

std::size_t text_bytes(const Field& field, const Input& input, Span span, std::size_t at) {
    std::size_t bytes = 0;
    const auto* places = items_of<std::uint32_t>(input, span);
    for (std::size_t i = 0; i < span.count; ++i) {
        require(places[i] < input.texts.size(), "there is no such string", at + bytes);
        const std::string_view text = input.texts[places[i]];
        check_text(field, text, at + bytes);
        bytes += text_length_bytes(field) + text.size();
    }
    return bytes;
}

std::size_t field_bytes(const Field& field, const Input& input, Span span, std::size_t at) {
    return field.is_text() ? text_bytes(field, input, span, at) : packed_bytes(field, span.count);
}

void check_span(const Field& field, const Input& input, std::size_t row, std::size_t at) {
    if (field.is_list()) {
        const std::int64_t first = input.offsets[row], last = input.offsets[row + 1];
        require(first >= 0 && first <= last && static_cast<std::size_t>(last) <= input.count,
                "a list lies outside of its items", at);
        require(static_cast<std::size_t>(last - first) <= largest_length(field.length_bytes, kMaxList),
                "a list is too long", at);
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

// Items that stand in the payload as they stand in memory, on a little-endian machine.
std::uint8_t* store_plain(const Field& field, const Input& input, Span span, std::uint8_t* out) {
    const std::size_t width = item_bytes(field);
    const auto* in = static_cast<const std::uint8_t*>(input.items) + span.first * width;
    return std::copy(in, in + span.count * width, out);
}

std::uint8_t* store_texts(const Field& field, const Input& input, Span span, std::uint8_t* out) {
    const auto* places = items_of<std::uint32_t>(input, span);
    for (std::size_t i = 0; i < span.count; ++i) {
        const std::string_view text = input.texts[places[i]];
        out = store_le(text.size(), text_length_bytes(field), out);
        out = std::copy(text.begin(), text.end(), out);
    }
    return out;
}

std::uint8_t* store_archs(const Input& input, Span span, std::uint8_t* out, std::size_t at) {
    const auto* in = items_of<std::uint8_t>(input, {span.first * kArchBytes, 0});
    const bool fits = std::all_of(in, in + span.count * kArchBytes,
                                  [](std::uint8_t cell) { return cell <= kMaxCell; });
    require(fits, kOutOfRange, at);
    return std::copy(in, in + span.count * kArchBytes, out);
}

// `seen` tells after the loop, which has no branch, whether a value was too large.
std::uint8_t* store_millionths(const Input& input, Span span, std::uint8_t* out, std::size_t at) {
    const auto* items = items_of<std::uint32_t>(input, span);
    std::uint32_t seen = 0;
    for (std::size_t i = 0; i < span.count; ++i, out += 3) {
        seen |= items[i];
        out[0] = static_cast<std::uint8_t>(items[i]);
        out[1] = static_cast<std::uint8_t>(items[i] >> 8);
        out[2] = static_cast<std::uint8_t>(items[i] >> 16);
    }
    require(seen <= kMaxMillionths, kOutOfRange, at);
    return out;
}

// `pending` holds fewer than 32 bits between items, so that one of 32 bits always fits. An item below
// the minimum sets the high bits of `seen`.
template <typename Count>
std::uint8_t* store_counts(const Field& field, const Input& input, Span span, std::uint8_t* out,
                           std::size_t at) {
    const auto* items = items_of<Count>(input, span);
    std::uint64_t pending = 0, seen = 0;
    std::uint32_t held = 0;
    Count largest = 0;
    for (std::size_t i = 0; i < span.count; ++i) {
        const std::uint64_t q = std::uint64_t{items[i]} - field.minimum;
        largest = std::max(largest, items[i]);
        seen |= q;
        pending |= q << held;
        held += field.bits;
        if (held >= 32) {
            const auto word = static_cast<std::uint32_t>(pending);
            std::memcpy(out, &word, sizeof word);
            out += sizeof word;
            pending >>= 32;
            held -= 32;
        }
    }
    require(seen >> field.bits == 0 && largest <= field.images, kOutOfRange, at);
    return store_le(pending, (held + 7) / 8, out);
}

std::uint8_t* store_items(const Field& field, const Input& input, Span span, std::uint8_t* out,
                          std::size_t at) {
    switch (field.kind) {
        case Kind::hash: return store_hashes(input, span, out);
        case Kind::arch: return store_archs(input, span, out, at);
        case Kind::text:
        case Kind::long_text: return store_texts(field, input, span, out);
        case Kind::millionths: return store_millionths(input, span, out, at);
        case Kind::quantised: break;
        default: return store_plain(field, input, span, out);
    }
    if (item_bytes(field) == sizeof(std::uint16_t)) {
        return store_counts<std::uint16_t>(field, input, span, out, at);
    }
    return store_counts<std::uint32_t>(field, input, span, out, at);
}

}  // namespace

std::size_t rows_bytes(std::size_t rows, const std::vector<Field>& fields,
                       const std::vector<Input>& inputs) {
    std::size_t at = 0;
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t i = 0; i < fields.size(); ++i) {
            check_span(fields[i], inputs[i], row, at);
            at += fields[i].length_bytes;
            at += field_bytes(fields[i], inputs[i], span_of(inputs[i], row), at);
        }
    }
    return at;
}

void encode_rows(std::size_t rows, const std::vector<Field>& fields,
                 const std::vector<Input>& inputs, std::uint8_t* out) {
    const std::uint8_t* const begin = out;
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t i = 0; i < fields.size(); ++i) {
            const Span span = span_of(inputs[i], row);
            out = store_le(span.count, fields[i].length_bytes, out);
            out = store_items(fields[i], inputs[i], span, out, static_cast<std::size_t>(out - begin));
        }
    }
}

}  // namespace blox
