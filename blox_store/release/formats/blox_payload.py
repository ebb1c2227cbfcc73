"""The payload of a `.blox` file: a compressed stream to columns, and columns to a stream."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, BinaryIO, Final

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from blox_store import _codec
from blox_store.errors import NotEncodable, ReleaseCorrupt
from blox_store.release.columns import (
    ArchColumn,
    Column,
    CountColumn,
    FloatColumn,
    HashColumn,
    IntColumn,
    MillionthsColumn,
    RaggedColumn,
    StringColumn,
)
from blox_store.release.columns.column_type import ColumnType
from blox_store.release.table import MAX_ROWS

MAX_COLUMNS_BYTES: Final = 4 * 2**30  # of all columns in memory
_PREAMBLE: Final = struct.Struct("<QI")  # bits, rows
PREAMBLE_BYTES: Final = _PREAMBLE.size
_ROWS_BYTES: Final = 4
_READ_BYTES: Final = 64 * 1024
_PIECE_BYTES: Final = 256 * 1024  # inflated and decoded while it is in the processor's cache
_MOST_NARROW: Final = 2**16 - 1  # images whose counts the codec holds in two bytes
_LEVEL: Final = 1  # of ISA-L, see docs/explanation/decisions/0011-compression.md

_Raw = tuple[NDArray[Any], NDArray[Any] | None, tuple[str, ...] | None]


def inflate(file: BinaryIO) -> Iterator[bytes]:
    """Yield the payload that a file holds from its position on, inflated, in pieces.

    Raises `ReleaseCorrupt` for a broken or cut stream, and for bytes after its end.
    """
    stream, inflated = isal_zlib.decompressobj(), 0
    try:
        while not stream.eof:
            packed = stream.unconsumed_tail or file.read(_READ_BYTES)
            piece = stream.decompress(packed, _PIECE_BYTES)
            if not packed and not piece:
                raise ReleaseCorrupt("the payload is cut off", offset=inflated)
            inflated += len(piece)
            yield piece
    except isal_zlib.error as error:  # type: ignore[misc]  # its stub gives an instance
        raise ReleaseCorrupt(f"the payload is no zlib stream: {error}", offset=inflated) from error
    if stream.unused_data or file.read(1):
        raise ReleaseCorrupt("bytes follow the end of the zlib stream", offset=inflated)


def deflate(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the zlib stream of a payload given in pieces."""
    stream = isal_zlib.compressobj(_LEVEL)
    for piece in pieces:
        yield stream.compress(piece)
    yield stream.flush()


def decode(pieces: Iterable[bytes], types: Mapping[str, ColumnType]) -> dict[str, Column]:
    """Return the columns of an inflated payload; `ReleaseCorrupt` gives the offset of a fault."""
    fields = [kind.field(name) for name, kind in types.items()]
    decoder = _codec.Decoder(fields, max_rows=MAX_ROWS, max_bytes=MAX_COLUMNS_BYTES)
    try:
        for piece in pieces:
            decoder.feed(piece)
        rows, raw = decoder.finish()
    except _codec.CodecError as error:
        message, offset = error.args
        raise ReleaseCorrupt(message, offset=offset) from error
    named = zip(types.items(), raw, strict=True)
    return {name: _column(name, kind, rows, column) for (name, kind), column in named}


def preamble(rows: int, size: int) -> bytes:
    """Return what stands before the rows of a payload of `size` bytes in all."""
    return _PREAMBLE.pack(8 * (size - PREAMBLE_BYTES + _ROWS_BYTES), rows)


def encode_rows(rows: int, types: Mapping[str, ColumnType], columns: Mapping[str, Column]) -> bytes:
    """Return the payload's bytes of rows; `NotEncodable` if a value is out of its type's range."""
    fields = [kind.field(name) for name, kind in types.items()]
    raw = [_raw(columns[name], kind) for name, kind in types.items()]
    try:
        return _codec.encode(rows, fields, raw)
    except _codec.CodecError as error:
        message, offset = error.args
        raise NotEncodable(f"{message} (byte {offset} of the rows)") from error


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
        case "int" | "u8":
            return IntColumn(items)
        case "float":
            return MillionthsColumn(items)
        case "f8":
            return FloatColumn(items)
        case "arch":
            return ArchColumn(items)
        case "str" | "text":
            return StringColumn(items, strings or ())
        case "b" | "n":
            return CountColumn(items, kind.images_in(name))


def _raw(column: Column, kind: ColumnType) -> _Raw:
    """Return a column as the codec takes it: contiguous, counts no wider than they must be."""
    if isinstance(column, RaggedColumn):
        items, _, strings = _raw(column.items, replace(kind, length_bytes=0))
        return items, np.ascontiguousarray(column.offsets, np.int64), strings
    dtype = column.array().dtype
    if isinstance(column, CountColumn):
        dtype = np.dtype(np.uint16 if column.images <= _MOST_NARROW else np.uint32)
    items = np.ascontiguousarray(column.array(), dtype)
    strings = column.strings if isinstance(column, StringColumn) else None
    if not kind.is_list:
        return items, None, strings
    rows, width = items.shape
    return items.reshape(-1), np.arange(rows + 1, dtype=np.int64) * width, strings
