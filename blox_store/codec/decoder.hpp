// Payload bytes, piece by piece -> column arrays.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "buffer.hpp"
#include "cursor.hpp"

namespace blox {

// The distinct strings of a column, in the order in which they came.
class TextPool {
public:
    // The place of a string, and whether it is a new one.
    std::pair<std::uint32_t, bool> place_of(std::string_view text);
    const std::deque<std::string>& texts() const { return texts_; }

private:
    std::unordered_map<std::string_view, std::uint32_t> places_;
    std::deque<std::string> texts_;  // a deque never moves what the views refer to
};

// The items of one field, see `item_bytes`. `offsets[r]` is the number of items before row r; of a
// field that is no list there are none.
struct Column {
    Buffer items;
    std::vector<std::int64_t> offsets;
    TextPool pool;
};

struct Limits {
    std::size_t rows;
    std::size_t bytes;  // of all columns in memory
};

// Takes a payload in pieces of any size. It holds the columns and at most one piece and one row of
// the payload. Throws CodecError for bytes that break the format; the decoder is useless then.
class Decoder {
public:
    Decoder(std::vector<Field> fields, Limits limits);

    void feed(const std::uint8_t* data, std::size_t size);
    // Throws unless the last row was complete.
    void finish() const;

    std::size_t rows() const { return rows_; }
    const std::vector<Field>& fields() const { return fields_; }
    std::vector<Column>& columns() { return columns_; }

private:
    void read_preamble(Cursor& cursor);
    void read_rows(Cursor& cursor);
    bool has_row(Cursor cursor) const;
    void read_field(Cursor& cursor, const Field& field, Column& column);
    void read_items(Cursor& cursor, const Field& field, Column& column, std::size_t count);
    void read_texts(Cursor& cursor, const Field& field, Column& column, std::size_t count);
    void take_memory(std::size_t bytes, std::size_t at);

    std::vector<Field> fields_;
    Limits limits_;
    std::vector<Column> columns_;
    std::vector<std::uint8_t> pending_;  // bytes of a row that is not complete
    std::size_t offset_ = 0;             // of the first pending byte in the payload
    std::size_t rows_ = 0;
    std::size_t done_ = 0;
    std::size_t held_bytes_ = 0;
    bool has_preamble_ = false;
};

}  // namespace blox
