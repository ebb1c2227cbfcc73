"""The C++ codec against the readable reference, in both directions and on damaged bytes."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blox_store import _codec
from blox_store.errors import NotEncodable, ReleaseCorrupt
from blox_store.release.columns import (
    Column,
    CountColumn,
    HashColumn,
    IntColumn,
    MillionthsColumn,
    RaggedColumn,
    StringColumn,
    images_of,
)
from blox_store.release.columns.column_type import ColumnType, parse_type
from blox_store.release.formats import blox_payload

Sample = tuple[dict[str, str], list[list[Any]]]

examples = pytest.mark.parametrize("examples", [8, pytest.param(60, marks=pytest.mark.slow)])

PREFIXES = ("train", "val", "test")
HASHES = st.integers(0, 2**128 - 1).map(lambda number: f"{number:032x}")
CELLS = st.tuples(*(st.integers(0, top) for top in (2, 2, 1, 1, 1))).map(
    lambda cell: [[cell[0]], list(cell[1:])]
)
ITEMS = {
    "hash": HASHES,
    "int": st.integers(0, 2**32 - 1),
    "float": st.integers(0, 2**24 - 1).map(lambda millionths: millionths / 1_000_000),
    "str": st.text(st.characters(max_codepoint=127), max_size=20) | st.just("x" * 255),
    "arch": st.lists(CELLS, min_size=3, max_size=3),
    "u8": st.integers(0, 2**64 - 1),
    "f8": st.floats(),
    "text": st.text(max_size=20) | st.just("é" * 200),
}


@st.composite
def quantised(draw: st.DrawFn, column: str) -> tuple[str, st.SearchStrategy[Any]]:
    n = images_of(column)
    minimum = draw(st.integers(0, min(n, 32_767)))
    maximum = draw(st.integers(minimum, n))
    bits = draw(st.integers(max(1, (maximum - minimum).bit_length()), 32))
    counts = st.integers(minimum, maximum)
    return f"b_{minimum}_{maximum}_{bits}", counts.map(lambda c: round(c / n * 100, 3))


@st.composite
def own_images(draw: st.DrawFn) -> tuple[str, st.SearchStrategy[Any]]:
    # The reference finds the count that a percentage stands for as long as their values differ.
    n = draw(st.integers(1, 90_000))
    low = draw(st.integers(0, n))
    high = draw(st.integers(low, n))
    bits = draw(st.integers(max(1, (high - low).bit_length()), 32))
    return f"n_{low}_{high}_{bits}_{n}", st.integers(low, high).map(lambda c: round(c / n * 100, 3))


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Types of some columns, and rows that they hold."""
    types, values = {"model_hash": "hash"}, [HASHES]
    for at in range(draw(st.integers(0, 4))):
        column = f"{draw(st.sampled_from(PREFIXES))}_{at}"
        kind = draw(st.sampled_from([*ITEMS, "b", "n"]))
        if kind in ITEMS:
            item, items = kind, ITEMS[kind]
        else:
            item, items = draw(quantised(column) if kind == "b" else own_images())
        if draw(st.booleans()):
            low = draw(st.integers(0, 40))
            high = low if draw(st.booleans()) else low + 3  # rectangular, or ragged
            form = draw(st.sampled_from(["list", "longlist"]))
            item, items = f"{form}[{item}]", st.lists(items, min_size=low, max_size=high)
        types[column] = item
        values.append(items)
    rows = draw(st.lists(st.tuples(*values), max_size=4))
    return types, [list(row) for row in rows]


def parsed(types: dict[str, str]) -> dict[str, ColumnType]:
    return {name: parse_type(text) for name, text in types.items()}


def encoded(rows: int, types: dict[str, ColumnType], columns: Mapping[str, Column]) -> bytes:
    body = blox_payload.encode_rows(rows, types, columns)
    return blox_payload.preamble(rows, blox_payload.PREAMBLE_BYTES + len(body)) + body


def decoded(data: bytes, types: dict[str, ColumnType], size: int = 2**20) -> dict[str, Column]:
    """Return the columns, the payload given in pieces of `size` bytes."""
    return blox_payload.decode((data[at : at + size] for at in range(0, len(data), size)), types)


def rows_of(data: bytes, types: dict[str, str], size: int = 2**20) -> list[list[Any]]:
    columns = decoded(data, parsed(types), size).values()
    return [list(row) for row in zip(*(column.values() for column in columns), strict=True)]


@pytest.fixture(scope="module", autouse=True)
def _known_characters() -> None:
    """Let hypothesis build its table of characters, which takes a second, before it is timed."""
    for item in (ITEMS["str"], ITEMS["text"]):
        item.validate()


@examples
def test_decodes_what_the_reference_encodes_in_pieces_of_any_size(
    reference: ModuleType, examples: int
) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(samples(), st.integers(1, 300))
    def check(sample: Sample, size: int) -> None:
        types, rows = sample
        data = reference.encode(rows, types)
        assert repr(rows_of(data, types, size)) == repr(rows)
        assert repr(reference.decode(data, types)) == repr(rows)

    check()


@examples
def test_encodes_the_bytes_of_the_reference(reference: ModuleType, examples: int) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(samples())
    def check(sample: Sample) -> None:
        types, rows = sample
        data = reference.encode(rows, types)
        columns = decoded(data, parsed(types))
        assert encoded(len(rows), parsed(types), columns) == data

    check()


@examples
def test_refuses_damaged_bytes_where_the_reference_does(
    reference: ModuleType, examples: int
) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(samples(), st.data())
    def check(sample: Sample, data: st.DataObject) -> None:
        types, rows = sample
        damaged = bytearray(reference.encode(rows, types))
        for _ in range(data.draw(st.integers(1, 3))):
            # the first 8 bytes are ignored, and a huge number of rows only makes the reference slow
            places = st.integers(0, len(damaged) - 1).filter(lambda at: at not in (9, 10, 11))
            damaged[data.draw(places)] = data.draw(st.integers(0, 255))
        try:
            known = reference.decode(bytes(damaged), types)
        except reference.Malformed:
            with pytest.raises(ReleaseCorrupt):
                rows_of(bytes(damaged), types)
        else:
            assert repr(rows_of(bytes(damaged), types)) == repr(known)

    check()


@pytest.mark.parametrize("bits", range(1, 33))
@settings(max_examples=5, deadline=None)
@given(count=st.integers(0, 255), seed=st.integers(0, 2**32 - 1))
def test_packs_counts_of_every_width(
    reference: ModuleType, bits: int, count: int, seed: int
) -> None:
    top = min(45_000, 2**bits - 1)
    counts = np.random.default_rng(seed).integers(0, top + 1, (2, count)).astype(np.uint16)
    types = {"train_top1": f"list[b_0_{top}_{bits}]"}
    column = CountColumn(counts, 45_000)
    data = encoded(2, parsed(types), {"train_top1": column})
    assert data == reference.encode([[row] for row in column.values()], types)
    (again,) = decoded(data, parsed(types)).values()
    np.testing.assert_array_equal(again.array(), counts)


def test_fields_of_over_65535_images_are_held_in_four_bytes() -> None:
    field = _codec.Field(kind="counts", minimum=1, bits=17, images=100_000)
    counts = np.array([1, 70_000, 100_000], np.uint32)
    data = _codec.encode(3, [field], [(counts, None, None)])
    decoder = _codec.Decoder([field], max_rows=3, max_bytes=100)
    decoder.feed(blox_payload.preamble(3, blox_payload.PREAMBLE_BYTES + len(data)) + data)
    rows, [(items, offsets, strings)] = decoder.finish()
    assert (rows, offsets, strings) == (3, None, None)
    assert items.dtype == np.uint32
    np.testing.assert_array_equal(items, counts)


def test_equal_lists_make_a_matrix_and_unequal_ones_a_ragged_column() -> None:
    types = parsed({"train_loss": "list[float]"})
    equal = MillionthsColumn(np.array([[1, 2], [3, 4]], np.uint32))
    again = decoded(encoded(2, types, {"train_loss": equal}), types)["train_loss"]
    assert isinstance(again, MillionthsColumn)
    assert again.millionths.shape == (2, 2)
    ragged = RaggedColumn(
        np.array([0, 0, 3]), MillionthsColumn(np.arange(1, 4, dtype=np.uint32) * 1_000_000)
    )
    again = decoded(encoded(2, types, {"train_loss": ragged}), types)["train_loss"]
    assert isinstance(again, RaggedColumn)
    assert again.values() == [[], [1.0, 2.0, 3.0]]


def test_equal_strings_are_held_once() -> None:
    types = parsed({"gpu": "str"})
    data = encoded(3, types, {"gpu": StringColumn.of(["a", "b", "a"])})
    column = decoded(data, types)["gpu"]
    assert isinstance(column, StringColumn)
    assert column.strings == ("a", "b")


def u32(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, np.uint32)


def i64(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, np.int64)


REAL, INT, TEXT = (_codec.Field(kind=kind) for kind in ("float", "int", "str"))
LONG_TEXT, ARCH = _codec.Field(kind="text"), _codec.Field(kind="arch")
LONG_REALS = _codec.Field(kind="float", length_bytes=4)
REALS = _codec.Field(kind="float", length_bytes=1)
COUNT = _codec.Field(kind="counts", minimum=10, bits=4, images=20)


@pytest.mark.parametrize(
    ("field", "column", "message"),
    [
        (REAL, (u32(1 << 24), None, None), "out of its type's range"),
        (COUNT, (np.array([9], np.uint16), None, None), "out of its type's range"),
        (COUNT, (np.array([21], np.uint16), None, None), "out of its type's range"),
        (TEXT, (u32(1), None, ("a",)), "no such string"),
        (TEXT, (u32(0), None, ("a" * 256,)), "string is too long"),
        (TEXT, (u32(0), None, ("é",)), "a byte that its type does not have"),
        (LONG_TEXT, (u32(0), None, ("é" * 2**20,)), "string is too long"),
        (ARCH, (np.array([[0, 72, 0]], np.uint8), None, None), "out of its type's range"),
        (LONG_REALS, (u32(*[0] * 10_001), i64(0, 10_001), None), "list is too long"),
        (REALS, (u32(*range(256)), i64(0, 256), None), "list is too long"),
        (REALS, (u32(1), i64(0, 2), None), "outside of its items"),
        (REALS, (u32(1), i64(-1, 1), None), "outside of its items"),
        (REALS, (u32(1), i64(1, 0), None), "outside of its items"),
    ],
)
def test_encoding_refuses_values_that_their_type_cannot_hold(
    field: _codec.Field, column: Any, message: str
) -> None:
    with pytest.raises(_codec.CodecError, match=message) as caught:
        _codec.encode(1, [field], [column])
    assert caught.value.args[1] >= 0


@pytest.mark.parametrize(
    ("field", "column", "message"),
    [
        (REAL, (i64(1), None, None), "contiguous array"),
        (REAL, (u32(1, 2, 3, 4)[::2], None, None), "contiguous array"),
        (REAL, (u32(1).reshape(1, 1), None, None), "contiguous array"),
        (REAL, ("no array", None, None), "items, offsets and strings"),
        (REAL, (u32(1),), "items, offsets and strings"),
        (REAL, (u32(1, 2), None, None), "one item a row"),
        (REAL, (u32(1), i64(0, 1), None), "one item a row"),
        (REALS, (u32(1), None, None), "contiguous int64 array"),
        (REALS, (u32(1), i64(0), None), "one more than the rows"),
        (_codec.Field(kind="hash"), (np.zeros((1, 15), np.uint8), None, None), "contiguous array"),
    ],
)
def test_the_module_refuses_arrays_of_another_shape(
    field: _codec.Field, column: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        _codec.encode(1, [field], [column])


def test_the_module_refuses_a_column_too_few() -> None:
    with pytest.raises(ValueError, match="one column a field"):
        _codec.encode(1, [REAL, REAL], [(u32(1), None, None)])


def test_the_module_refuses_unknown_kinds_and_widths() -> None:
    with pytest.raises(ValueError, match="called double"):
        _codec.Field(kind="double")
    for bits in (0, 33):
        with pytest.raises(ValueError, match=f"1 to 32 bits, got {bits}"):
            _codec.Field(kind="counts", bits=bits)
    with pytest.raises(ValueError, match="1 or 4 bytes"):
        _codec.Field(kind="int", length_bytes=2)


def test_a_value_out_of_range_is_not_encodable() -> None:
    with pytest.raises(NotEncodable, match=r"out of its type's range \(byte 0"):
        encoded(1, parsed({"latency": "float"}), {"latency": MillionthsColumn(u32(1 << 24))})


def test_hashes_are_shown_in_the_order_of_their_digits() -> None:
    digests = np.arange(16, dtype=np.uint8).reshape(1, 16)
    data = encoded(1, parsed({"model_hash": "hash"}), {"model_hash": HashColumn(digests)})
    assert data[blox_payload.PREAMBLE_BYTES :] == bytes(range(15, -1, -1))


def test_the_count_of_bits_covers_what_follows_it() -> None:
    data = encoded(2, parsed({"params": "int"}), {"params": IntColumn(u32(1, 2))})
    assert int.from_bytes(data[:8], "little") == 8 * (len(data) - 8)
