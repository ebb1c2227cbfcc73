// Payload bytes -> column arrays.
#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "plan.hpp"

namespace blox {

// The distinct strings of a column, as views into the payload.
class TextPool {
public:
    std::uint32_t code_of(std::string_view text);
    const std::vector<std::string_view>& texts() const { return texts_; }

private:
    std::unordered_map<std::string_view, std::uint32_t> codes_;
    std::vector<std::string_view> texts_;
};

// Where the items of one field go: plan.items() of them, back to back.
//   hash       16 bytes each, in the order in which their digits are shown
//   arch       3 bytes each
//   integer, real (millionths), text (codes into `pool`)   u32
//   quantised  numbers of correct images, u16 where `narrow`, else u32
struct Output {
    void* items;
    bool narrow;
    TextPool pool;
};

constexpr std::uint32_t kMaxNarrow = 0xFFFF;

inline bool is_narrow(const Field& field) {
    return field.kind == Kind::quantised && field.images <= kMaxNarrow;
}

// `plan` must be that of the same payload, and each output as large as it says.
void decode_payload(const std::uint8_t* data, std::size_t size, const std::vector<Field>& fields,
                    const Plan& plan, std::vector<Output>& outputs);

}  // namespace blox
