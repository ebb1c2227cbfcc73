"""Rows of Python values, as `.csv` and `.pickle` files hold them, to columns."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blox_store.errors import NotEncodable
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
from blox_store.release.exact_numbers import accuracies, losses
from blox_store.release.known_columns import ColumnShape, shape_of
from blox_store.release.table import Table

CELLS = 3  # of an architecture
_HASH_BYTES = 16
_HASH_TEXT = re.compile(r"[0-9a-f]{32}")
_LARGEST_INT = int(np.iinfo(np.uint32).max)
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
    """Return the table of rows of Python values (numpy's numbers are taken too).

    Accuracies become counts and losses millionths where they are those to the last bit.
    Raises `NotEncodable` naming the row, column and value that its column cannot hold.
    """
    names = header["columns"]
    for row, values in enumerate(rows):
        if not isinstance(values, list | tuple) or len(values) != len(names):
            raise NotEncodable(
                f"row {row}: a list of {len(names)} values is needed: {_short(values)}"
            )
    columns = {}
    for at, name in enumerate(names):
        shape = shape_of(header["dataset_type"], name)
        if shape is None:
            raise NotEncodable(f"a file of type {header['dataset_type']} has no column {name}")
        columns[name] = _column(name, shape, [values[at] for values in rows])
    kept = {key: value for key, value in header.items() if key not in ("format", "column_types")}
    return Table(header=kept, columns=columns)


def refusal(row: int, name: str, value: Any, allowed: str) -> NotEncodable:
    """Return the error for a value that its column cannot hold."""
    return NotEncodable(f"row {row}, column {name}: got {_short(value)}, allowed is {allowed}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def _column(name: str, shape: ColumnShape, values: list[Any]) -> Column:
    match shape.kind:
        case "hash":
            return _hashes(name, values)
        case "str":
            _require_all(name, values, lambda value: type(value) is str, "a string")
            return StringColumn.of(values)
        case "arch":
            return _archs(name, values)
        case "int":
            _require_all(name, values, _is_u32, f"an integer from 0 to {_LARGEST_INT}")
            return IntColumn(np.array(values, np.uint32))
        case "b" | "float":
            return _curves(name, values) if shape.is_list else _numbers(name, values)


def _require_all(name: str, values: list[Any], fits: Callable[[Any], bool], allowed: str) -> None:
    for row, value in enumerate(values):
        if not fits(value):
            raise refusal(row, name, value, allowed)


def _is_u32(value: Any) -> bool:
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return is_integer and 0 <= value <= _LARGEST_INT


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


def _numbers(name: str, values: list[Any]) -> NumberColumn:
    return _exact(name, _doubles(name, values, values, [1] * len(values)))


def _curves(name: str, values: list[Any]) -> Column:
    _require_all(name, values, lambda value: isinstance(value, list | tuple), "a list of numbers")
    lengths = [len(value) for value in values]
    doubles = _doubles(name, list(chain.from_iterable(values)), values, lengths)
    if len(set(lengths)) > 1:
        offsets = np.cumsum([0, *lengths], dtype=np.int64)
        return RaggedColumn(offsets, _exact(name, doubles))
    return _exact(name, doubles.reshape(len(values), lengths[0] if lengths else 0))


def _exact(name: str, doubles: NDArray[np.float64]) -> NumberColumn:
    if name.endswith(("_top1", "_top5")):
        return accuracies(doubles, images_of(name))
    return losses(doubles)


def _doubles(
    name: str, flat: list[Any], values: list[Any], lengths: list[int]
) -> NDArray[np.float64]:
    """Return finite doubles of all numbers, each row having `lengths[row]` of them."""
    if set(map(type, flat)) <= {float} or all(map(_is_finite, flat)):  # the former takes 1/20
        doubles = np.array(flat, np.float64)
        if np.isfinite(doubles).all():
            return doubles
    owners = chain.from_iterable([row] * length for row, length in enumerate(lengths))
    bad = (row for row, item in zip(owners, flat, strict=True) if not _is_finite(item))
    row = next(bad)
    raise refusal(row, name, values[row], "finite numbers")


def _is_finite(item: Any) -> bool:
    if isinstance(item, float | np.floating):
        return math.isfinite(item)
    is_integer = isinstance(item, int | np.integer) and not isinstance(item, bool)
    return is_integer and abs(int(item)) <= _LARGEST_DOUBLE
