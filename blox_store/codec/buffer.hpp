// Memory that grows as a column is decoded and is then given away.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace blox {

struct Free {
    void operator()(void* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<std::uint8_t, Free>;

// Grows by realloc, which moves large blocks by remapping their pages: what was never written to
// takes no memory.
class Buffer {
public:
    // Makes room for `bytes` more and returns where they begin.
    std::uint8_t* grow(std::size_t bytes) {
        if (bytes > capacity_ - size_) {
            resize(std::max(size_ + bytes, 2 * capacity_));
        }
        std::uint8_t* begin = memory_.get() + size_;
        size_ += bytes;
        return begin;
    }

    const std::uint8_t* data() const { return memory_.get(); }
    std::size_t size() const { return size_; }

    // Gives the memory away, cut to its size; the buffer is empty then.
    Memory release() {
        resize(std::max(size_, std::size_t{1}));
        size_ = capacity_ = 0;
        return std::move(memory_);
    }

private:
    void resize(std::size_t capacity) {
        void* moved = std::realloc(memory_.get(), capacity);
        if (moved == nullptr) {
            throw std::bad_alloc();
        }
        static_cast<void>(memory_.release());
        memory_.reset(static_cast<std::uint8_t*>(moved));
        capacity_ = capacity;
    }

    Memory memory_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace blox
