// Arbitrary fields and an arbitrary payload: decoding must give columns or a CodecError, the same
// however the payload is cut into pieces, and columns must be encoded to what decodes to them again.
//
// The input is a number of fields, seven bytes for each, the size of the pieces, and the payload.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "decoder.hpp"
#include "encode.hpp"

namespace {

using blox::Column;
using blox::Decoder;
using blox::Field;
using blox::Input;

constexpr std::size_t kMaxFields = 8;
constexpr std::size_t kFieldBytes = 7;
constexpr std::size_t kKinds = 9;
constexpr std::size_t kLengths[] = {0, blox::kShortLengthBytes, blox::kLongLengthBytes};
constexpr blox::Limits kLimits{91'125, 1 << 26};

struct Bytes {
    const std::uint8_t* data;
    std::size_t size;

    std::uint8_t next() {
        if (size == 0) {
            return 0;
        }
        --size;
        return *data++;
    }
};

Field next_field(Bytes& bytes) {
    std::uint8_t raw[kFieldBytes];
    for (std::uint8_t& byte : raw) {
        byte = bytes.next();
    }
    const std::uint32_t minimum = raw[2] | std::uint32_t{raw[3]} << 8;
    const std::uint32_t images = raw[5] << (raw[6] % 24);
    return {static_cast<blox::Kind>(raw[0] % kKinds), kLengths[raw[1] % 3], minimum,
            raw[4] % blox::kMaxBits + 1, images};
}

struct Outcome {
    std::optional<Decoder> decoder;
    std::size_t error_at = 0;
};

Outcome decode(const std::vector<Field>& fields, const std::uint8_t* data, std::size_t size,
               std::size_t piece) {
    Outcome outcome;
    try {
        outcome.decoder.emplace(fields, kLimits);
        for (std::size_t at = 0; at < size; at += piece) {
            outcome.decoder->feed(data + at, std::min(piece, size - at));
        }
        outcome.decoder->finish();
    } catch (const blox::CodecError& error) {
        outcome = {std::nullopt, error.offset()};
    }
    return outcome;
}

void require(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "%s\n", what);
        std::abort();
    }
}

void require_equal(Decoder& left, Decoder& right) {
    require(left.rows() == right.rows(), "other rows");
    for (std::size_t i = 0; i < left.columns().size(); ++i) {
        Column &a = left.columns()[i], &b = right.columns()[i];
        require(a.offsets == b.offsets, "other offsets");
        require(a.pool.texts() == b.pool.texts(), "other strings");
        require(a.items.size() == b.items.size(), "other sizes");
        require(a.items.size() == 0 || !std::memcmp(a.items.data(), b.items.data(), a.items.size()),
                "other items");
    }
}

Input input_of(const Field& field, const Column& column) {
    const std::size_t items = column.items.size() / blox::item_bytes(field);
    Input input{column.items.data(), items, field.is_list() ? column.offsets.data() : nullptr, {}};
    input.texts.assign(column.pool.texts().begin(), column.pool.texts().end());
    return input;
}

std::vector<std::uint8_t> encode(const std::vector<Field>& fields, Decoder& decoder) {
    std::vector<Input> inputs;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        inputs.push_back(input_of(fields[i], decoder.columns()[i]));
    }
    const std::size_t size = blox::rows_bytes(decoder.rows(), fields, inputs);
    std::vector<std::uint8_t> payload(blox::kPreambleBytes + size);
    for (std::size_t i = 0; i < 4; ++i) {
        payload[blox::kRowsOffset + i] = static_cast<std::uint8_t>(decoder.rows() >> 8 * i);
    }
    blox::encode_rows(decoder.rows(), fields, inputs, payload.data() + blox::kPreambleBytes);
    return payload;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytes bytes{data, size};
    std::vector<Field> fields(bytes.next() % kMaxFields + 1);
    for (Field& field : fields) {
        field = next_field(bytes);
    }
    const std::size_t piece = bytes.next() + 1;
    Outcome whole = decode(fields, bytes.data, bytes.size, bytes.size + 1);
    Outcome pieces = decode(fields, bytes.data, bytes.size, piece);
    require(whole.decoder.has_value() == pieces.decoder.has_value(), "pieces change the outcome");
    if (!whole.decoder) {
        require(whole.error_at == pieces.error_at, "pieces change the error");
        return 0;
    }
    require_equal(*whole.decoder, *pieces.decoder);
    const std::vector<std::uint8_t> payload = encode(fields, *whole.decoder);
    Outcome again = decode(fields, payload.data(), payload.size(), payload.size());
    require(again.decoder.has_value(), "what was encoded is refused");
    require_equal(*whole.decoder, *again.decoder);
    return 0;
}
