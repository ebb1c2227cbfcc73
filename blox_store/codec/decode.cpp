#include "decode.hpp"

#include <algorithm>

#include "cursor.hpp"

namespace blox {

std::uint32_t TextPool::code_of(std::string_view text) {
    const auto next = static_cast<std::uint32_t>(texts_.size());
    const auto [entry, is_new] = codes_.emplace(text, next);
    if (is_new) {
        texts_.push_back(text);
    }
    return entry->second;
}

namespace {

void read_hashes(Cursor& cursor, std::size_t count, std::uint8_t* out) {
    const std::uint8_t* in = cursor.take(count * kHashBytes);
    for (std::size_t i = 0; i < count; ++i) {
        std::reverse_copy(in + i * kHashBytes, in + (i + 1) * kHashBytes, out + i * kHashBytes);
    }
}

void read_integers(Cursor& cursor, std::size_t count, std::uint32_t* out) {
    const std::uint8_t* in = cursor.take(count * kIntegerBytes);
    for (std::size_t i = 0; i < count; ++i) {
        out[i] = load_u32(in + i * kIntegerBytes);
    }
}

void read_reals(Cursor& cursor, std::size_t count, std::uint32_t* out) {
    const std::uint8_t* in = cursor.take(count * kRealBytes);
    for (std::size_t i = 0; i < count; ++i) {
        out[i] = load_u24(in + i * kRealBytes);
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

void read_texts(Cursor& cursor, std::size_t count, TextPool& pool, std::uint32_t* out) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t length = cursor.take_length();
        const std::size_t at = cursor.at();
        const std::uint8_t* in = cursor.take(length);
        const auto* odd = std::find_if(in, in + length, [](std::uint8_t c) { return c > 0x7F; });
        if (odd != in + length) {
            throw CodecError("a string holds the byte " + std::to_string(*odd) + ", not ASCII",
                             at + static_cast<std::size_t>(odd - in));
        }
        out[i] = pool.code_of({reinterpret_cast<const char*>(in), length});
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

void read_items(Cursor& cursor, const Field& field, std::size_t done, std::size_t count,
                Output& output) {
    auto* bytes = static_cast<std::uint8_t*>(output.items);
    auto* words = static_cast<std::uint32_t*>(output.items);
    switch (field.kind) {
        case Kind::hash: return read_hashes(cursor, count, bytes + done * kHashBytes);
        case Kind::integer: return read_integers(cursor, count, words + done);
        case Kind::real: return read_reals(cursor, count, words + done);
        case Kind::arch: return read_archs(cursor, count, bytes + done * kArchBytes);
        case Kind::text: return read_texts(cursor, count, output.pool, words + done);
        case Kind::quantised: break;
    }
    if (output.narrow) {
        return read_counts(cursor, field, count, static_cast<std::uint16_t*>(output.items) + done);
    }
    return read_counts(cursor, field, count, words + done);
}

}  // namespace

void decode_payload(const std::uint8_t* data, std::size_t size, const std::vector<Field>& fields,
                    const Plan& plan, std::vector<Output>& outputs) {
    Cursor cursor(data, size);
    cursor.take(kPreambleBytes);
    for (std::size_t row = 0; row < plan.rows; ++row) {
        for (std::size_t i = 0; i < fields.size(); ++i) {
            std::size_t done = row, count = 1;
            if (fields[i].is_list) {
                done = static_cast<std::size_t>(plan.offsets[i][row]);
                count = cursor.take_length();
            }
            read_items(cursor, fields[i], done, count, outputs[i]);
        }
    }
}

}  // namespace blox
