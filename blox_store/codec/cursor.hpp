// Bounds-checked reading from a buffer.
#pragma once

#include "types.hpp"

namespace blox {

inline std::uint32_t load_u24(const std::uint8_t* at) {
    return at[0] | std::uint32_t{at[1]} << 8 | std::uint32_t{at[2]} << 16;
}

inline std::uint32_t load_u32(const std::uint8_t* at) {
    return load_u24(at) | std::uint32_t{at[3]} << 24;
}

inline std::uint64_t load_u64(const std::uint8_t* at) {
    return load_u32(at) | std::uint64_t{load_u32(at + 4)} << 32;
}

class Cursor {
public:
    Cursor(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

    // Steps over `count` bytes and returns where they begin.
    const std::uint8_t* take(std::size_t count) {
        if (count > size_ - at_) {
            throw CodecError("a field needs " + std::to_string(count) + " bytes, " +
                                 std::to_string(size_ - at_) + " are left",
                             at_);
        }
        const std::uint8_t* begin = data_ + at_;
        at_ += count;
        return begin;
    }

    std::size_t take_length() { return *take(kLengthBytes); }

    std::size_t at() const { return at_; }
    std::size_t left() const { return size_ - at_; }

private:
    const std::uint8_t* data_;
    std::size_t size_;
    std::size_t at_ = 0;
};

}  // namespace blox
