"""The payload of a `.blox` file: compressed bytes to columns, and columns to bytes."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blox_core.space import SPACE_SIZE
from blox_store import _codec
from blox_store.errors import NotEncodable, ReleaseCorrupt
from blox_store.release.column_type import ColumnType
from blox_store.release.columns import (
    ArchColumn,
    Column,
    CountColumn,
    HashColumn,
    IntColumn,
    MillionthsColumn,
    RaggedColumn,
    StringColumn,
    images_of,
)

MAX_ROWS = SPACE_SIZE  # a file has one row per architecture
PREAMBLE_BYTES = 12  # u64 bits, u32 rows
ROWS_OFFSET = 8
_START_BYTES = 64 * 1024  # compressed bytes that surely give the first 12

_DTYPES: Mapping[type[Column], type[np.unsignedinteger[Any]]] = {  # what the codec takes
    HashColumn: np.uint8,
    ArchColumn: np.uint8,
    IntColumn: np.uint32,
    MillionthsColumn: np.uint32,
    StringColumn: np.uint32,
    CountColumn: np.uint16,
}

_Raw = tuple[NDArray[Any], NDArray[Any] | None, tuple[str, ...] | None]


def inflate(packed: bytes | memoryview, types: Mapping[str, ColumnType]) -> bytes:
    """Return the inflated payload, of at most the bytes that its number of rows can take.

    Raises `ReleaseCorrupt` for a broken, cut or overlong stream, and for over 91,125 rows.
    """
    try:
        rows = _rows(zlib.decompressobj().decompress(packed[:_START_BYTES], PREAMBLE_BYTES))
        bound = PREAMBLE_BYTES + rows * sum(kind.largest_bytes() for kind in types.values())
        stream = zlib.decompressobj()
        payload = stream.decompress(packed, bound + 1)
    except zlib.error as error:
        raise ReleaseCorrupt(f"the payload is no zlib stream: {error}") from error
    if len(payload) > bound:
        raise ReleaseCorrupt(f"more bytes follow than {rows} rows can take", offset=bound)
    if not stream.eof:
        raise ReleaseCorrupt("the payload is cut off", offset=len(payload))
    if stream.unused_data:
        raise ReleaseCorrupt(f"{len(stream.unused_data)} bytes follow the end of the zlib stream")
    return payload


def deflate(payload: bytes) -> bytes:
    """Return the payload as it stands in a file: zlib at its default level, as published."""
    return zlib.compress(payload)


def decode(payload: bytes, types: Mapping[str, ColumnType]) -> dict[str, Column]:
    """Return the columns of an inflated payload; `ReleaseCorrupt` gives the offset of a fault."""
    fields = [kind.field(name) for name, kind in types.items()]
    try:
        rows, raw = _codec.decode(payload, fields)
    except _codec.CodecError as error:
        message, offset = error.args
        raise ReleaseCorrupt(message, offset=offset) from error
    named = zip(types.items(), raw, strict=True)
    return {name: _column(name, kind, rows, column) for (name, kind), column in named}


def encode(rows: int, types: Mapping[str, ColumnType], columns: Mapping[str, Column]) -> bytes:
    """Return the inflated payload of columns; `NotEncodable` if a value is out of its type's range."""
    fields = [kind.field(name) for name, kind in types.items()]
    raw = [_raw(columns[name], kind.is_list) for name, kind in types.items()]
    try:
        return _codec.encode(rows, fields, raw)
    except _codec.CodecError as error:
        message, offset = error.args
        raise NotEncodable(f"{message} (byte {offset} of the payload)") from error


def _rows(start: bytes) -> int:
    if len(start) < PREAMBLE_BYTES:
        raise ReleaseCorrupt("the payload is cut off", offset=len(start))
    rows = int.from_bytes(start[ROWS_OFFSET:], "little")
    if rows > MAX_ROWS:
        raise ReleaseCorrupt(
            f"{rows} rows; a file has at most {MAX_ROWS}, one per architecture", offset=ROWS_OFFSET
        )
    return rows


def _column(name: str, kind: ColumnType, rows: int, raw: _Raw) -> Column:
    items, offsets, strings = raw
    if offsets is None:
        return _plain(name, kind, items, strings)
    width = _common_width(offsets)
    if width is None or items.ndim > 1 or strings is not None:
        return RaggedColumn(offsets, _plain(name, kind, items, strings))
    return _plain(name, kind, items.reshape(rows, width), strings)


def _common_width(offsets: NDArray[Any]) -> int | None:
    """Return the length that all lists have, None if they differ; 0 if there are none."""
    lengths = np.diff(offsets)
    if lengths.size == 0:
        return 0
    return int(lengths[0]) if (lengths == lengths[0]).all() else None


def _plain(
    name: str, kind: ColumnType, items: NDArray[Any], strings: tuple[str, ...] | None
) -> Column:
    match kind.kind:
        case "hash":
            return HashColumn(items)
        case "int":
            return IntColumn(items)
        case "float":
            return MillionthsColumn(items)
        case "arch":
            return ArchColumn(items)
        case "str":
            return StringColumn(items, strings or ())
        case "b":
            return CountColumn(items, images_of(name))


def _raw(column: Column, is_list: bool) -> _Raw:
    if isinstance(column, RaggedColumn):
        items, _, strings = _raw(column.items, False)
        return items, np.ascontiguousarray(column.offsets, np.int64), strings
    dtype = _DTYPES.get(type(column))
    if dtype is None:
        raise NotEncodable(f"version 1 has no type for a {type(column).__name__}")
    items = np.ascontiguousarray(column.array(), dtype)
    strings = column.strings if isinstance(column, StringColumn) else None
    if not is_list:
        return items, None, strings
    rows, width = items.shape
    return items.reshape(-1), np.arange(rows + 1, dtype=np.int64) * width, strings
