// The types of a payload's fields, and the one error of the codec.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace blox {

#if defined(__BYTE_ORDER__)
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied as they stand");
#endif

enum class Kind : std::uint8_t {
    hash,
    integer,
    wide_integer,
    millionths,
    real,
    text,
    long_text,
    arch,
    quantised,
};

// One column of the payload. `length_bytes` is the size of a list's length, 0 for a field with one
// item a row. `minimum`, `bits` and `images` belong to the quantised kind: a value q of `bits` bits
// stands for q + minimum correct images, at most `images`.
struct Field {
    Kind kind;
    std::size_t length_bytes;
    std::uint32_t minimum;
    std::uint32_t bits;
    std::uint32_t images;

    bool is_list() const { return length_bytes != 0; }
    bool is_text() const { return kind == Kind::text || kind == Kind::long_text; }
};

constexpr std::size_t kRowsOffset = 8;  // after the u64 count of bits, which readers ignore
constexpr std::size_t kPreambleBytes = 12;
constexpr std::size_t kHashBytes = 16;
constexpr std::size_t kArchBytes = 3;
constexpr std::size_t kShortLengthBytes = 1;
constexpr std::size_t kLongLengthBytes = 4;
constexpr std::size_t kMaxList = 10'000;          // items of a list whose length has four bytes
constexpr std::size_t kMaxText = 1024 * 1024;     // bytes of a string whose length has four bytes
constexpr std::size_t kPooledBytes = 128;          // that a distinct string takes besides its text
constexpr std::uint32_t kMaxMillionths = 0xFFFFFF;
constexpr std::uint32_t kMaxNarrow = 0xFFFF;
constexpr std::uint32_t kMaxCell = 0b1000'111;  // op1 = op2 = 2, all three connections
constexpr std::uint32_t kMaxBits = 32;

// `offset` counts bytes from the start of the inflated payload.
class CodecError : public std::runtime_error {
public:
    CodecError(const std::string& what, std::size_t offset)
        : std::runtime_error(what), offset_(offset) {}
    std::size_t offset() const noexcept { return offset_; }

private:
    std::size_t offset_;
};

inline std::size_t text_length_bytes(const Field& field) {
    return field.kind == Kind::text ? kShortLengthBytes : kLongLengthBytes;
}

// Bytes of `count` items of a kind that is not text, in the payload.
constexpr std::size_t packed_bytes(const Field& field, std::size_t count) {
    switch (field.kind) {
        case Kind::hash: return count * kHashBytes;
        case Kind::integer: return count * 4;
        case Kind::wide_integer:
        case Kind::real: return count * 8;
        case Kind::millionths: return count * 3;
        case Kind::arch: return count * kArchBytes;
        case Kind::quantised: return (count * field.bits + 7) / 8;
        case Kind::text:
        case Kind::long_text: break;
    }
    return 0;
}

// Bytes of one item in memory, where the items of a column stand back to back:
//   hash          u8[16], in the order in which the digits are shown
//   arch          u8[3]
//   integer       u32
//   wide_integer  u64
//   millionths    u32
//   real          double
//   text          u32, the place of the string among the column's distinct strings
//   quantised     numbers of correct images, u16 where `images` allows, else u32
inline std::size_t item_bytes(const Field& field) {
    switch (field.kind) {
        case Kind::hash: return kHashBytes;
        case Kind::arch: return kArchBytes;
        case Kind::wide_integer:
        case Kind::real: return 8;
        case Kind::quantised: return field.images <= kMaxNarrow ? 2 : 4;
        default: return 4;
    }
}

}  // namespace blox
