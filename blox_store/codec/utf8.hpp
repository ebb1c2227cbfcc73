// Which bytes are text.
#pragma once

#include <cstddef>
#include <string_view>

namespace blox {

// The number of bytes before the first that is not ASCII.
std::size_t ascii_prefix(std::string_view text);

// The number of bytes before the first that begins no character of UTF-8 (RFC 3629).
std::size_t utf8_prefix(std::string_view text);

}  // namespace blox
