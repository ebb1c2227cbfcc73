// Bounds-checked reading from a piece of the payload.
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

// More bytes are needed than the piece has.
struct Incomplete {};

class Cursor {
public:
    // `offset` is where in the payload the piece begins.
    Cursor(const std::uint8_t* data, std::size_t size, std::size_t offset)
        : data_(data), size_(size), offset_(offset) {}

    // Steps over `count` bytes and returns where they begin; throws Incomplete if they are not there.
    const std::uint8_t* take(std::size_t count) {
        if (count > left()) {
            throw Incomplete();
        }
        const std::uint8_t* begin = data_ + used_;
        used_ += count;
        return begin;
    }

    // Steps over a length of one or four bytes.
    std::size_t take_length(std::size_t bytes, std::size_t largest, const char* what) {
        const std::size_t begin = at();
        const std::uint8_t* in = take(bytes);
        const std::size_t length = bytes == kShortLengthBytes ? *in : load_u32(in);
        if (length > largest) {
            throw CodecError(std::string(what) + " has the length " + std::to_string(length) +
                                 ", at most " + std::to_string(largest) + " is allowed",
                             begin);
        }
        return length;
    }

    std::size_t at() const { return offset_ + used_; }
    std::size_t used() const { return used_; }
    std::size_t left() const { return size_ - used_; }

private:
    const std::uint8_t* data_;
    std::size_t size_;
    std::size_t offset_;
    std::size_t used_ = 0;
};

}  // namespace blox
