"""Rows of Python values, as `.csv` and `.pickle` files hold them, to columns."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blox_store.errors import NotEncodable, ValueRefused
from blox_store.release.columns import (
    ArchColumn,
    Column,
    HashColumn,
    IntColumn,
    NumberColumn,
    RaggedColumn,
    StringColumn,
    images_of,
    unpack_cell,
)
from blox_store.release.columns.exact_numbers import accuracies, losses
from blox_store.release.known_columns import ColumnShape, known_shape
from blox_store.release.table import ROWS_AT_ONCE, Table, TableBuilder

CELLS = 3  # of an architecture
_HASH_BYTES = 16
_HASH_TEXT = re.compile(r"[0-9a-f]{32}")
_LARGEST_INT = {1: int(np.iinfo(np.uint32).max), 2: int(np.iinfo(np.uint64).max)}  # by version
_VERSION_OF_NAN = 2  # the first that has numbers which are not finite
_LARGEST_DOUBLE = float(np.finfo(np.float64).max)
RAW_CELLS = 72  # 3 ops, 3 ops, 3 yes-or-no connections
_SHOWN_CHARACTERS = 80

_Packed = tuple[int, int, int, int, int]
CELL_BYTES: dict[_Packed, int] = {
    (op1, op2, prev, from_input, skip): byte
    for byte in range(RAW_CELLS)
    for (op1,), (op2, prev, from_input, skip) in [unpack_cell(byte)]
}


def table_of_rows(header: Mapping[str, Any], rows: Sequence[Sequence[Any]]) -> Table:
    """Return the table of rows that are all in memory; see `table_of_blocks`."""
    starts = range(0, len(rows), ROWS_AT_ONCE)
    return table_of_blocks(header, (rows[start : start + ROWS_AT_ONCE] for start in starts))


def table_of_blocks(header: Mapping[str, Any], blocks: Iterable[Sequence[Sequence[Any]]]) -> Table:
    """Return the table of rows of Python values (numpy's numbers are taken too), given in blocks.

    The header's version says what the values may be, as in a file of that version. Accuracies
    become counts and losses millionths where they are those to the last bit.
    Raises `NotEncodable` naming the row, column and value that its column cannot hold.
    """
    builder, names = TableBuilder(header), header["columns"]
    for rows in blocks:
        _check_widths(rows, len(names), builder.rows)
        builder.add(len(rows), _columns(header, rows))
    if not builder.rows:
        builder.add(0, _columns(header, []))
    return builder.table()


def _columns(header: Mapping[str, Any], rows: Sequence[Sequence[Any]]) -> Iterator[Column]:
    for at, name in enumerate(header["columns"]):
        yield column_of_values(header, name, [row[at] for row in rows])


def _check_widths(rows: Sequence[Sequence[Any]], width: int, first_row: int) -> None:
    for row, values in enumerate(rows, first_row):
        if not isinstance(values, list | tuple) or len(values) != width:
            raise NotEncodable(f"row {row}: a list of {width} values is needed: {_short(values)}")


def column_of_values(header: Mapping[str, Any], name: str, values: list[Any]) -> Column:
    """Return the column of one plain value a row; `NotEncodable` as `table_of_rows` raises it."""
    shape = known_shape(header["dataset_type"], name)
    return _column(name, shape, values, header["version"])


def column_of_numbers(
    header: Mapping[str, Any], name: str, doubles: NDArray[np.float64], lengths: NDArray[Any] | None
) -> Column:
    """Return the column of doubles, one a row or, with `lengths`, a list of so many a row."""
    if header["version"] < _VERSION_OF_NAN and not np.isfinite(doubles).all():
        split = doubles if lengths is None else np.split(doubles, np.cumsum(lengths)[:-1])
        return column_of_values(header, name, [values.tolist() for values in split])
    return _exact(name, doubles) if lengths is None else _lists(name, doubles, lengths)


def refusal(row: int, name: str, value: Any, allowed: str) -> ValueRefused:
    """Return the error for a value that its column cannot hold."""
    return ValueRefused(row, f"column {name}: got {_short(value)}, allowed is {allowed}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def _column(name: str, shape: ColumnShape, values: list[Any], version: int) -> Column:
    match shape.kind:
        case "hash":
            return _hashes(name, values)
        case "str":
            _require_all(name, values, lambda value: type(value) is str, "a string")
            return StringColumn.of(values)
        case "arch":
            return _archs(name, values)
        case "int":
            return _integers(name, values, _LARGEST_INT[version])
    if shape.is_list:
        _require_all(
            name, values, lambda value: isinstance(value, list | tuple), "a list of numbers"
        )
        lengths = np.array([len(value) for value in values], np.int64)
        flat = list(chain.from_iterable(values))
        return _lists(name, _doubles(name, flat, values, lengths, version), lengths)
    return _exact(name, _doubles(name, values, values, np.ones(len(values), np.int64), version))


def _require_all(name: str, values: list[Any], fits: Callable[[Any], bool], allowed: str) -> None:
    for row, value in enumerate(values):
        if not fits(value):
            raise refusal(row, name, value, allowed)


def _integers(name: str, values: list[Any], largest: int) -> IntColumn:
    def fits(value: Any) -> bool:
        is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
        return is_integer and 0 <= value <= largest

    _require_all(name, values, fits, f"an integer from 0 to {largest}")
    is_narrow = max(values, default=0) <= _LARGEST_INT[1]
    return IntColumn(np.array(values, np.uint32 if is_narrow else np.uint64))


def _hashes(name: str, values: list[Any]) -> HashColumn:
    def is_hash(value: Any) -> bool:
        return isinstance(value, str) and _HASH_TEXT.fullmatch(value) is not None

    _require_all(name, values, is_hash, "32 lower-case hexadecimal digits")
    data = np.frombuffer(bytes.fromhex("".join(values)), np.uint8)
    return HashColumn(data.reshape(len(values), _HASH_BYTES))


def _archs(name: str, values: list[Any]) -> ArchColumn:
    packed = [_arch_bytes(value) for value in values]
    for row, (value, cells) in enumerate(zip(values, packed, strict=True)):
        if cells is None:
            raise refusal(row, name, value, "three cells [[op1], [op2, prev, input, skip]]")
    return ArchColumn(np.array(packed, np.uint8).reshape(len(values), CELLS))


def _arch_bytes(value: Any) -> list[int] | None:
    """Return the bytes of an arch vector's cells, or None if it is none."""
    try:
        cells = [CELL_BYTES[op1, *rest] for (op1,), rest in value]
    except (TypeError, ValueError, KeyError):  # not nested so; no such op or connection
        return None
    return cells if len(cells) == CELLS else None


def _lists(name: str, doubles: NDArray[np.float64], lengths: NDArray[Any]) -> Column:
    if len(np.unique(lengths)) > 1:
        offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        return RaggedColumn(offsets, _exact(name, doubles))
    return _exact(name, doubles.reshape(len(lengths), lengths[0] if len(lengths) else 0))


def _exact(name: str, doubles: NDArray[np.float64]) -> NumberColumn:
    if name.endswith(("_top1", "_top5")):
        return accuracies(doubles, images_of(name))
    return losses(doubles)


def _doubles(
    name: str, flat: list[Any], values: list[Any], lengths: NDArray[Any], version: int
) -> NDArray[np.float64]:
    """Return doubles of all numbers, finite in version 1; row r has `lengths[r]` of them."""
    is_good = _is_finite if version < _VERSION_OF_NAN else _is_number
    if set(map(type, flat)) <= {float} or all(map(is_good, flat)):  # the former takes 1/20
        doubles = np.array(flat, np.float64)
        if version >= _VERSION_OF_NAN or np.isfinite(doubles).all():
            return doubles
    bad = next(at for at, item in enumerate(flat) if not is_good(item))
    row = int(np.searchsorted(np.cumsum(lengths), bad, side="right"))
    raise refusal(row, name, values[row], "finite numbers" if is_good is _is_finite else "numbers")


def _is_number(item: Any) -> bool:
    if isinstance(item, float | np.floating):
        return True
    is_integer = isinstance(item, int | np.integer) and not isinstance(item, bool)
    return is_integer and abs(int(item)) <= _LARGEST_DOUBLE


def _is_finite(item: Any) -> bool:
    return _is_number(item) and math.isfinite(item)
