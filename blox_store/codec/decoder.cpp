#include "decoder.hpp"

#include <algorithm>
#include <cstring>

#include "utf8.hpp"

namespace blox {

namespace {

void read_hashes(Cursor& cursor, std::size_t count, std::uint8_t* out) {
    const std::uint8_t* in = cursor.take(count * kHashBytes);
    for (std::size_t i = 0; i < count; ++i) {
        std::reverse_copy(in + i * kHashBytes, in + (i + 1) * kHashBytes, out + i * kHashBytes);
    }
}

// Items of 4 or 8 bytes stand in memory as they stand in the payload, on a little-endian machine.
void read_plain(Cursor& cursor, std::size_t bytes, std::uint8_t* out) {
    std::copy_n(cursor.take(bytes), bytes, out);  // memcpy must not be given the null of no items
}

void read_millionths(Cursor& cursor, std::size_t count, std::uint32_t* out) {
    const std::uint8_t* in = cursor.take(count * 3);
    for (std::size_t i = 0; i < count; ++i) {
        out[i] = load_u24(in + i * 3);
    }
}

void read_archs(Cursor& cursor, std::size_t count, std::uint8_t* out) {
    const std::size_t at = cursor.at();
    const std::uint8_t* in = cursor.take(count * kArchBytes);
    for (std::size_t i = 0; i < count * kArchBytes; ++i) {
        if (in[i] > kMaxCell) {
            throw CodecError("no cell has the byte " + std::to_string(in[i]) + ", the largest is " +
                                 std::to_string(kMaxCell),
                             at + i);
        }
        out[i] = in[i];
    }
}

// Reads the bits one byte after the other, so that it never looks past the list's last byte.
std::uint64_t load_bits(const std::uint8_t* in, std::size_t first_bit, std::uint32_t bits) {
    std::uint64_t value = 0;
    const std::size_t last_byte = (first_bit + bits - 1) / 8;
    for (std::size_t byte = last_byte + 1; byte-- > first_bit / 8;) {
        value = value << 8 | in[byte];
    }
    return value >> first_bit % 8;
}

// Values that begin at least eight bytes before the end of the list are read by one 64-bit load each,
// which holds the value's 32 bits or fewer and the up to 7 bits before them.
template <typename Count>
void read_counts(Cursor& cursor, const Field& field, std::size_t count, Count* out) {
    const std::size_t at = cursor.at();
    const std::size_t bytes = packed_bytes(field, count);
    const std::uint8_t* in = cursor.take(bytes);
    const std::uint64_t mask = (std::uint64_t{1} << field.bits) - 1;
    const std::size_t fast_bits = bytes < 8 ? 0 : (bytes - 8 + 1) * 8;
    const std::size_t fast = std::min(count, (fast_bits + field.bits - 1) / field.bits);
    std::uint64_t largest = 0;
    const auto keep = [&](std::size_t i, std::uint64_t word) {
        const std::uint64_t correct = (word & mask) + field.minimum;
        largest = std::max(largest, correct);
        out[i] = static_cast<Count>(correct);
    };
    for (std::size_t i = 0, bit = 0; i < fast; ++i, bit += field.bits) {
        keep(i, load_u64(in + bit / 8) >> bit % 8);
    }
    for (std::size_t i = fast; i < count; ++i) {
        keep(i, load_bits(in, i * field.bits, field.bits));
    }
    if (largest > field.images) {
        throw CodecError("an accuracy stands for " + std::to_string(largest) +
                             " correct images of " + std::to_string(field.images),
                         at);
    }
}

std::string_view take_text(Cursor& cursor, const Field& field) {
    const std::size_t length =
        cursor.take_length(text_length_bytes(field), kMaxText, "a string");
    const std::size_t at = cursor.at();
    const std::string_view text{reinterpret_cast<const char*>(cursor.take(length)), length};
    const std::size_t good = field.kind == Kind::text ? ascii_prefix(text) : utf8_prefix(text);
    if (good != length) {
        throw CodecError("a string holds the byte " +
                             std::to_string(static_cast<std::uint8_t>(text[good])) +
                             (field.kind == Kind::text ? ", not ASCII" : ", not UTF-8"),
                         at + good);
    }
    return text;
}

std::size_t take_count(Cursor& cursor, const Field& field) {
    return field.is_list() ? cursor.take_length(field.length_bytes, kMaxList, "a list") : 1;
}

void skip_texts(Cursor& cursor, const Field& field, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        cursor.take(cursor.take_length(text_length_bytes(field), kMaxText, "a string"));
    }
}

void skip_field(Cursor& cursor, const Field& field) {
    const std::size_t count = take_count(cursor, field);
    if (field.is_text()) {
        return skip_texts(cursor, field, count);
    }
    cursor.take(packed_bytes(field, count));
}

}  // namespace

std::pair<std::uint32_t, bool> TextPool::place_of(std::string_view text) {
    const auto found = places_.find(text);
    if (found != places_.end()) {
        return {found->second, false};
    }
    const auto next = static_cast<std::uint32_t>(texts_.size());
    texts_.emplace_back(text);
    places_.emplace(texts_.back(), next);
    return {next, true};
}

Decoder::Decoder(std::vector<Field> fields, Limits limits)
    : fields_(std::move(fields)), limits_(limits), columns_(fields_.size()) {}

void Decoder::feed(const std::uint8_t* data, std::size_t size) {
    pending_.insert(pending_.end(), data, data + size);
    Cursor cursor(pending_.data(), pending_.size(), offset_);
    if (!has_preamble_ && cursor.left() >= kPreambleBytes) {
        read_preamble(cursor);
    }
    if (has_preamble_) {
        read_rows(cursor);
    }
    offset_ = cursor.at();
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(cursor.used()));
}

void Decoder::finish() const {
    const std::size_t end = offset_ + pending_.size();
    if (!has_preamble_) {
        throw CodecError("the payload is cut off before its number of rows", end);
    }
    if (done_ != rows_) {
        throw CodecError("the payload is cut off in row " + std::to_string(done_) + " of " +
                             std::to_string(rows_),
                         end);
    }
}

void Decoder::read_preamble(Cursor& cursor) {
    rows_ = load_u32(cursor.take(kPreambleBytes) + kRowsOffset);
    if (rows_ > limits_.rows) {
        throw CodecError(std::to_string(rows_) + " rows; a file has at most " +
                             std::to_string(limits_.rows) + ", one per architecture",
                         kRowsOffset);
    }
    has_preamble_ = true;
    for (std::size_t i = 0; i < fields_.size(); ++i) {
        if (fields_[i].is_list()) {
            columns_[i].offsets.assign(1, 0);
        }
    }
}

void Decoder::read_rows(Cursor& cursor) {
    while (done_ < rows_ && has_row(cursor)) {
        for (std::size_t i = 0; i < fields_.size(); ++i) {
            read_field(cursor, fields_[i], columns_[i]);
        }
        ++done_;
    }
    if (done_ == rows_ && cursor.left() != 0) {
        throw CodecError("bytes follow the last row", cursor.at());
    }
}

// By value: looks ahead without a step.
bool Decoder::has_row(Cursor cursor) const {
    try {
        for (const Field& field : fields_) {
            skip_field(cursor, field);
        }
    } catch (const Incomplete&) {
        return false;
    }
    return true;
}

void Decoder::read_field(Cursor& cursor, const Field& field, Column& column) {
    const std::size_t count = take_count(cursor, field);
    take_memory(count * item_bytes(field), cursor.at());
    if (field.is_list()) {
        column.offsets.push_back(column.offsets.back() + static_cast<std::int64_t>(count));
    }
    if (field.is_text()) {
        return read_texts(cursor, field, column, count);
    }
    read_items(cursor, field, column, count);
}

void Decoder::read_items(Cursor& cursor, const Field& field, Column& column, std::size_t count) {
    std::uint8_t* out = column.items.grow(count * item_bytes(field));
    auto* words = reinterpret_cast<std::uint32_t*>(out);
    switch (field.kind) {
        case Kind::hash: return read_hashes(cursor, count, out);
        case Kind::arch: return read_archs(cursor, count, out);
        case Kind::millionths: return read_millionths(cursor, count, words);
        case Kind::quantised: break;
        default: return read_plain(cursor, count * item_bytes(field), out);
    }
    if (field.images <= kMaxNarrow) {
        return read_counts(cursor, field, count, reinterpret_cast<std::uint16_t*>(out));
    }
    return read_counts(cursor, field, count, words);
}

void Decoder::read_texts(Cursor& cursor, const Field& field, Column& column, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = cursor.at();
        const std::string_view text = take_text(cursor, field);
        const auto [place, is_new] = column.pool.place_of(text);
        if (is_new) {
            take_memory(text.size() + kPooledBytes, at);
        }
        std::memcpy(column.items.grow(sizeof place), &place, sizeof place);
    }
}

void Decoder::take_memory(std::size_t bytes, std::size_t at) {
    if (bytes > limits_.bytes - held_bytes_) {
        throw CodecError("the columns take over " + std::to_string(limits_.bytes) + " bytes", at);
    }
    held_bytes_ += bytes;
}

}  // namespace blox
