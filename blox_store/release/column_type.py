"""The types of columns in a `.blox` file: `list[b_20_1822_11]` and the like."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from blox_store import _codec
from blox_store.errors import NotEncodable, ReleaseCorrupt
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

Kind: TypeAlias = Literal["hash", "int", "float", "str", "arch", "b"]

MAX_LENGTH = 255  # of a list or a string: its length is one byte
MAX_MINIMUM = 32_767  # the published reader keeps MIN in 15 bits
MAX_BITS = 32
BYTE_BITS = 8

_PLAIN: tuple[Kind, ...] = ("hash", "int", "float", "str", "arch")
_KINDS: dict[str, Kind] = {str(kind): kind for kind in _PLAIN}
_LIST = re.compile(r"list\[(?P<item>.*)\]")
_QUANTISED = re.compile(r"b_(?P<min>[0-9]{1,9})_(?P<max>[0-9]{1,9})_(?P<bits>[0-9]{1,2})")
_KIND_OF: dict[type[Column], Kind] = {
    HashColumn: "hash",
    IntColumn: "int",
    MillionthsColumn: "float",
    StringColumn: "str",
    ArchColumn: "arch",
}


@dataclass(frozen=True, kw_only=True)
class ColumnType:
    """The type of one column; `minimum`, `maximum` and `bits` belong to the kind `b`."""

    kind: Kind
    is_list: bool = False
    minimum: int = 0
    maximum: int = 0
    bits: int = 0

    def __str__(self) -> str:
        item: str = self.kind
        if self.kind == "b":
            item = f"b_{self.minimum}_{self.maximum}_{self.bits}"
        return f"list[{item}]" if self.is_list else item

    def field(self, column: str) -> _codec.Field:
        """Return the codec's description of a column of this type and name."""
        images = images_of(column) if self.kind == "b" else 0
        return _codec.Field(
            kind="counts" if self.kind == "b" else self.kind,
            length_bytes=1 if self.is_list else 0,
            minimum=self.minimum,
            bits=self.bits,
            images=images,
        )


def parse_type(text: str) -> ColumnType:
    """Return the type that a header's text names; `ReleaseCorrupt` if there is no such type."""
    listed = _LIST.fullmatch(text)
    item = listed["item"] if listed else text
    quantised = _QUANTISED.fullmatch(item)
    if quantised:
        minimum, maximum, bits = (int(quantised[name]) for name in ("min", "max", "bits"))
        if minimum <= min(maximum, MAX_MINIMUM) and 1 <= bits <= MAX_BITS:
            kind = ColumnType(kind="b", minimum=minimum, maximum=maximum, bits=bits)
            return replace(kind, is_list=bool(listed))
    if item not in _KINDS:
        raise ReleaseCorrupt(
            f"no column has the type {text!r}: allowed are {', '.join(_KINDS)}, b_MIN_MAX_BITS "
            f"(MIN <= MAX, MIN <= {MAX_MINIMUM}, BITS 1 to {MAX_BITS}) and list[...] of one of them"
        )
    return ColumnType(kind=_KINDS[item], is_list=bool(listed))


def choose_type(name: str, column: Column) -> ColumnType:
    """Return the type that holds a column's values; `NotEncodable` if version 1 has none."""
    if isinstance(column, RaggedColumn):
        return replace(choose_type(name, column.items), is_list=True)
    if isinstance(column, CountColumn):
        return _quantised(name, column)
    kind = _KIND_OF.get(type(column))
    if kind is None:
        raise NotEncodable(
            f"column {name}: version 1 has no type for a {type(column).__name__}; make the table "
            "encodable first (blox_store.release.encodable)"
        )
    is_list = kind in ("int", "float") and column.array().ndim > 1
    return ColumnType(kind=kind, is_list=is_list)


def _quantised(name: str, column: CountColumn) -> ColumnType:
    """Choose MIN, MAX and BITS: enough bits for MAX - MIN, and whole bytes outside of lists.

    The published reader takes a `test_*` column only where BITS is a multiple of 8.
    """
    counts, is_list = column.counts, column.counts.ndim == 2
    maximum = int(np.max(counts, initial=0))
    minimum = min(int(np.min(counts, initial=maximum)), MAX_MINIMUM)
    bits = max(1, (maximum - minimum).bit_length())
    if not is_list or name.startswith("test_"):
        bits = -(-bits // BYTE_BITS) * BYTE_BITS
    return ColumnType(kind="b", is_list=is_list, minimum=minimum, maximum=maximum, bits=bits)
