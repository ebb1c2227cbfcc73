"""The types of columns in a `.blox` file: `list[b_20_1822_11]` and the like."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from blox_store import _codec
from blox_store.errors import ReleaseCorrupt
from blox_store.release.columns.columns import images_of

Kind: TypeAlias = Literal["hash", "int", "u8", "float", "f8", "str", "text", "arch", "b", "n"]

MAX_SHORT: Final = 255  # items of a list, bytes of a string: the length is one byte
MAX_LIST: Final = _codec.MAX_LIST  # items of a longlist
MAX_TEXT_BYTES: Final = _codec.MAX_TEXT_BYTES
MAX_MINIMUM: Final = 32_767  # the published reader keeps MIN in 15 bits
MAX_BITS: Final = 32
SHORT_BYTES, LONG_BYTES = 1, 4  # of a length
BYTE_BITS: Final = 8

_BITS: dict[Kind, int] = {  # of an item, the bytes of a string left out
    "hash": 128,
    "int": 32,
    "float": 24,
    "str": SHORT_BYTES * BYTE_BITS,
    "arch": 24,
    "u8": 64,
    "f8": 64,
    "text": LONG_BYTES * BYTE_BITS,
}
_PLAIN: dict[str, Kind] = {str(kind): kind for kind in _BITS}
_VERSION_2: tuple[Kind, ...] = ("u8", "f8", "text", "n")
_LISTS = {"list": SHORT_BYTES, "longlist": LONG_BYTES}
_LIST_NAMES = {length_bytes: name for name, length_bytes in _LISTS.items()}
_LIST = re.compile(r"(?P<list>list|longlist)\[(?P<item>.*)\]")
_NUMBERS = r"(?P<min>[0-9]{1,9})_(?P<max>[0-9]{1,9})_(?P<bits>[0-9]{1,2})"
_QUANTISED = re.compile(rf"(?:b_{_NUMBERS})")
_OWN_IMAGES = re.compile(rf"(?:n_{_NUMBERS}_(?P<images>[0-9]{{1,9}}))")


@dataclass(frozen=True, kw_only=True)
class ColumnType:
    """The type of one column.

    `length_bytes` is 0 for a single item, else the size of a list's length. `minimum`, `maximum`
    and `bits` belong to the kinds `b` and `n`, `images` to `n`.
    """

    kind: Kind
    length_bytes: int = 0
    minimum: int = 0
    maximum: int = 0
    bits: int = 0
    images: int = 0

    def __str__(self) -> str:
        item: str = self.kind
        if self.kind in ("b", "n"):
            item = f"{self.kind}_{self.minimum}_{self.maximum}_{self.bits}"
        if self.kind == "n":
            item += f"_{self.images}"
        return f"{_LIST_NAMES[self.length_bytes]}[{item}]" if self.is_list else item

    @property
    def is_list(self) -> bool:
        """Whether a row holds a list of items."""
        return self.length_bytes > 0

    @property
    def version(self) -> int:
        """The first version of the format that has this type."""
        return 2 if self.kind in _VERSION_2 or self.length_bytes == LONG_BYTES else 1

    def images_in(self, column: str) -> int:
        """Return the number of images behind an accuracy of this type, in a column of this name."""
        return self.images if self.kind == "n" else images_of(column)

    def field(self, column: str) -> _codec.Field:
        """Return the codec's description of a column of this type and name."""
        if self.kind not in ("b", "n"):
            return _codec.Field(kind=self.kind, length_bytes=self.length_bytes)
        return _codec.Field(
            kind="counts",
            length_bytes=self.length_bytes,
            minimum=self.minimum,
            bits=self.bits,
            images=self.images_in(column),
        )

    def row_bytes(self, items: int) -> int:
        """Return the bytes of a row with so many items, the bytes of strings left out."""
        bits = items * _BITS.get(self.kind, self.bits)
        return self.length_bytes + -(-bits // BYTE_BITS)


def parse_type(text: str) -> ColumnType:
    """Return the type that a header's text names; `ReleaseCorrupt` if there is no such type."""
    listed = _LIST.fullmatch(text)
    item = _parse_item(listed["item"] if listed else text)
    if item is None:
        raise ReleaseCorrupt(
            f"no column has the type {text!r}: allowed are {', '.join(_PLAIN)}, b_MIN_MAX_BITS "
            f"(MIN <= MAX, MIN <= {MAX_MINIMUM}, BITS 1 to {MAX_BITS}), n_MIN_MAX_BITS_N (MIN <= MAX "
            "<= N, N from 1) and list[...] and longlist[...] of one of them"
        )
    return replace(item, length_bytes=_LISTS[listed["list"]]) if listed else item


def _parse_item(text: str) -> ColumnType | None:
    if text in _PLAIN:
        return ColumnType(kind=_PLAIN[text])
    match = _QUANTISED.fullmatch(text) or _OWN_IMAGES.fullmatch(text)
    if match is None:
        return None
    numbers = {name: int(digits) for name, digits in match.groupdict().items()}
    item = ColumnType(
        kind="n" if "images" in numbers else "b",
        minimum=numbers["min"],
        maximum=numbers["max"],
        bits=numbers["bits"],
        images=numbers.get("images", 0),
    )
    return item if _is_sound(item) else None


def _is_sound(item: ColumnType) -> bool:
    if item.kind == "n":
        in_range = item.minimum <= item.maximum <= item.images and item.images > 0
    else:
        in_range = item.minimum <= min(item.maximum, MAX_MINIMUM)
    return in_range and 1 <= item.bits <= MAX_BITS


def quantised_type(
    kind: Literal["b", "n"], low: int, high: int, *, whole_bytes: bool, images: int = 0
) -> ColumnType:
    """Return the type of counts from `low` to `high`, with enough bits for their difference.

    A MIN that the published reader cannot keep becomes a smaller one and more bits.
    """
    minimum = min(low, MAX_MINIMUM) if kind == "b" else low
    bits = max(1, (high - minimum).bit_length())
    if whole_bytes:
        bits = -(-bits // BYTE_BITS) * BYTE_BITS
    return ColumnType(kind=kind, minimum=minimum, maximum=high, bits=bits, images=images)
