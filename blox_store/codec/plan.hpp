// The sizes of everything in a payload, found before any output is allocated.
#pragma once

#include <vector>

#include "types.hpp"

namespace blox {

// `offsets[i][r]` is the number of items that field i holds before row r; rows + 1 entries for a
// list, none for a field with one item a row.
struct Plan {
    std::size_t rows;
    std::vector<std::vector<std::int64_t>> offsets;

    std::size_t items(std::size_t field) const {
        return offsets[field].empty() ? rows : static_cast<std::size_t>(offsets[field].back());
    }
};

// Walks the length bytes of the whole payload. Memory stays within 8 bytes for each byte of it.
Plan plan_payload(const std::uint8_t* data, std::size_t size, const std::vector<Field>& fields);

}  // namespace blox
