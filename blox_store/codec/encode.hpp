// Column arrays -> payload bytes.
#pragma once

#include <string_view>
#include <vector>

#include "types.hpp"

namespace blox {

// The items of one field, laid out as in `Output` of decode.hpp.
// `offsets` has rows + 1 entries for a list, and is null for a field with one item a row.
struct Input {
    const void* items;
    std::size_t count;
    bool narrow;
    const std::int64_t* offsets;
    std::vector<std::string_view> texts;
};

// Checks every value against its field's type; the error's offset is where the value would stand.
std::size_t payload_bytes(std::size_t rows, const std::vector<Field>& fields,
                          const std::vector<Input>& inputs);

// `out` must have payload_bytes() bytes.
void encode_payload(std::size_t rows, const std::vector<Field>& fields,
                    const std::vector<Input>& inputs, std::uint8_t* out);

}  // namespace blox
