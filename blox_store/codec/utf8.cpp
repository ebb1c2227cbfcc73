#include "utf8.hpp"

#include <algorithm>
#include <cstdint>

namespace blox {

namespace {

std::uint8_t byte_at(std::string_view text, std::size_t at) {
    return static_cast<std::uint8_t>(text[at]);
}

// The bytes of a character by its first one, 0 if none begins so.
std::size_t character_bytes(std::uint8_t first) {
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first < 0xE0) return 2;
    if (first >= 0xE0 && first < 0xF0) return 3;
    return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

// No overlong forms, no surrogates, nothing above U+10FFFF: the second byte tells.
bool second_fits(std::uint8_t first, std::uint8_t second) {
    switch (first) {
        case 0xE0: return second >= 0xA0;
        case 0xED: return second < 0xA0;
        case 0xF0: return second >= 0x90;
        case 0xF4: return second < 0x90;
        default: return true;
    }
}

bool is_character(std::string_view text) {
    for (std::size_t i = 1; i < text.size(); ++i) {
        if ((byte_at(text, i) & 0xC0) != 0x80) {
            return false;
        }
    }
    return text.size() < 2 || second_fits(byte_at(text, 0), byte_at(text, 1));
}

}  // namespace

std::size_t ascii_prefix(std::string_view text) {
    const auto odd = std::find_if(text.begin(), text.end(),
                                  [](char c) { return static_cast<std::uint8_t>(c) > 0x7F; });
    return static_cast<std::size_t>(odd - text.begin());
}

std::size_t utf8_prefix(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t bytes = character_bytes(byte_at(text, at));
        if (bytes == 0 || bytes > text.size() - at || !is_character(text.substr(at, bytes))) {
            break;
        }
        at += bytes;
    }
    return at;
}

}  // namespace blox
