// Column arrays -> payload bytes.
#pragma once

#include <string_view>
#include <vector>

#include "types.hpp"

namespace blox {

// The items of one field, laid out as `item_bytes` says. `offsets` has rows + 1 entries for a list,
// and is null for a field with one item a row.
struct Input {
    const void* items;
    std::size_t count;
    const std::int64_t* offsets;
    std::vector<std::string_view> texts;
};

// The bytes that rows take, without a preamble. Checks lists and strings; the error's offset is where
// one would stand, counted from the first row.
std::size_t rows_bytes(std::size_t rows, const std::vector<Field>& fields,
                       const std::vector<Input>& inputs);

// Checks numbers against their field's type. `out` must have rows_bytes() bytes.
void encode_rows(std::size_t rows, const std::vector<Field>& fields,
                 const std::vector<Input>& inputs, std::uint8_t* out);

}  // namespace blox
