#include "plan.hpp"

#include "cursor.hpp"

namespace blox {

namespace {

std::size_t smallest_row_bytes(const std::vector<Field>& fields) {
    std::size_t bytes = 0;
    for (const Field& field : fields) {
        const bool has_length = field.is_list || field.kind == Kind::text;
        bytes += has_length ? kLengthBytes : packed_bytes(field, 1);
    }
    return bytes;
}

std::size_t read_rows(Cursor& cursor, const std::vector<Field>& fields) {
    const std::size_t rows = load_u32(cursor.take(kPreambleBytes) + kRowsOffset);
    const std::size_t row_bytes = smallest_row_bytes(fields);
    if (rows != 0 && (row_bytes == 0 || rows > cursor.left() / row_bytes)) {
        throw CodecError(std::to_string(rows) + " rows of at least " + std::to_string(row_bytes) +
                             " bytes do not fit into the " + std::to_string(cursor.left()) +
                             " bytes that follow",
                         kRowsOffset);
    }
    return rows;
}

void skip_items(Cursor& cursor, const Field& field, std::size_t count) {
    if (field.kind != Kind::text) {
        cursor.take(packed_bytes(field, count));
        return;
    }
    for (std::size_t i = 0; i < count; ++i) {
        cursor.take(cursor.take_length());
    }
}

}  // namespace

Plan plan_payload(const std::uint8_t* data, std::size_t size, const std::vector<Field>& fields) {
    Cursor cursor(data, size);
    Plan plan{read_rows(cursor, fields), std::vector<std::vector<std::int64_t>>(fields.size())};
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (fields[i].is_list) {
            plan.offsets[i].reserve(plan.rows + 1);
            plan.offsets[i].push_back(0);
        }
    }
    for (std::size_t row = 0; row < plan.rows; ++row) {
        for (std::size_t i = 0; i < fields.size(); ++i) {
            const std::size_t count = fields[i].is_list ? cursor.take_length() : 1;
            skip_items(cursor, fields[i], count);
            if (fields[i].is_list) {
                plan.offsets[i].push_back(plan.offsets[i].back() + static_cast<std::int64_t>(count));
            }
        }
    }
    if (cursor.left() != 0) {
        throw CodecError(std::to_string(cursor.left()) + " bytes follow the last row", cursor.at());
    }
    return plan;
}

}  // namespace blox
