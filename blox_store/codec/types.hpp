// The types of a payload's fields, and the one error of the codec.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace blox {

enum class Kind : std::uint8_t { hash, integer, real, text, arch, quantised };

// One column of the payload. `minimum`, `bits` and `images` belong to the quantised kind: a value q
// of `bits` bits stands for q + minimum correct images, at most `images`.
struct Field {
    Kind kind;
    bool is_list;
    std::uint32_t minimum;
    std::uint32_t bits;
    std::uint32_t images;
};

constexpr std::size_t kRowsOffset = 8;  // after the u64 count of bits, which readers ignore
constexpr std::size_t kPreambleBytes = 12;
constexpr std::size_t kLengthBytes = 1;
constexpr std::size_t kHashBytes = 16;
constexpr std::size_t kIntegerBytes = 4;
constexpr std::size_t kRealBytes = 3;
constexpr std::size_t kArchBytes = 3;
constexpr std::size_t kMaxLength = 255;         // of a list or a string: its length is one byte
constexpr std::uint32_t kMaxReal = 0xFFFFFF;    // millionths in three bytes
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

// Bytes of `count` items of a kind that is not text.
constexpr std::size_t packed_bytes(const Field& field, std::size_t count) {
    switch (field.kind) {
        case Kind::hash: return count * kHashBytes;
        case Kind::integer: return count * kIntegerBytes;
        case Kind::real: return count * kRealBytes;
        case Kind::arch: return count * kArchBytes;
        case Kind::quantised: return (count * field.bits + 7) / 8;
        case Kind::text: break;
    }
    return 0;
}

}  // namespace blox
