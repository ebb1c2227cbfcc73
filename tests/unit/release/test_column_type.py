from __future__ import annotations

import numpy as np
import pytest

from blox_store.errors import NotEncodable, ReleaseCorrupt
from blox_store.release.column_type import ColumnType, choose_type, parse_type
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


@pytest.mark.parametrize(
    "text", ["hash", "int", "float", "str", "arch", "b_20_1822_11", "list[float]", "list[b_0_0_1]"]
)
def test_types_are_printed_as_they_were_read(text: str) -> None:
    assert str(parse_type(text)) == text


def test_a_quantised_type_has_three_numbers() -> None:
    assert parse_type("list[b_20_1822_11]") == ColumnType(
        kind="b", is_list=True, minimum=20, maximum=1822, bits=11
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b",
        "double",
        "list[]",
        "list[list[int]]",
        "list[int",
        "b_5_4_1",  # MIN above MAX
        "b_32768_40000_16",  # MIN in over 15 bits
        "b_0_1_0",
        "b_0_1_33",
        "b_-1_1_2",
        "b_1_2",
        "n_0_1_1_100",
        "b_0_٣_2",  # a digit, but not of ASCII
    ],
)
def test_other_types_are_refused(text: str) -> None:
    with pytest.raises(ReleaseCorrupt, match=r"no column has the type .*allowed are hash"):
        parse_type(text)


def counts(name: str, *values: int, is_list: bool = False) -> str:
    array = np.array(values, np.uint16)
    column = CountColumn(array.reshape(1, -1) if is_list else array, 45_000)
    return str(choose_type(name, column))


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        ([10, 11], "b_10_11_1"),  # a difference of 1
        ([10, 18], "b_10_18_4"),  # a power of two
        ([10, 17], "b_10_17_3"),
        ([10, 10], "b_10_10_1"),  # a constant
        ([], "b_0_0_1"),
        ([40_000, 45_000], "b_32767_45000_14"),  # MIN has 15 bits, so BITS makes up for it
    ],
)
def test_enough_bits_are_chosen(values: list[int], chosen: str) -> None:
    assert counts("train_top1", *values, is_list=True) == f"list[{chosen}]"


def test_single_values_and_test_columns_take_whole_bytes() -> None:
    assert counts("test_top1", 6372, 7470) == "b_6372_7470_16"
    assert counts("test_top1", 5) == "b_5_5_8"
    assert counts("val_top1", 5, 300) == "b_5_300_16"
    assert counts("test_top1", 1, 2, is_list=True) == "list[b_1_2_8]"


@pytest.mark.parametrize(
    ("column", "chosen"),
    [
        (HashColumn(np.zeros((1, 16), np.uint8)), "hash"),
        (ArchColumn(np.zeros((1, 3), np.uint8)), "arch"),
        (StringColumn.of(["a"]), "str"),
        (IntColumn(np.zeros(1, np.uint32)), "int"),
        (IntColumn(np.zeros((1, 2), np.uint32)), "list[int]"),
        (MillionthsColumn(np.zeros(1, np.uint32)), "float"),
        (MillionthsColumn(np.zeros((1, 2), np.uint32)), "list[float]"),
        (RaggedColumn(np.array([0, 1]), StringColumn.of(["a"])), "list[str]"),
        (RaggedColumn(np.array([0, 0]), CountColumn(np.zeros(0, np.uint16), 5)), "list[b_0_0_8]"),
    ],
)
def test_a_column_tells_its_type(column: Column, chosen: str) -> None:
    assert str(choose_type("test_x", column)) == chosen


def test_plain_doubles_have_no_type() -> None:
    with pytest.raises(NotEncodable, match="latency: version 1 has no type for a FloatColumn"):
        choose_type("latency", FloatColumn(np.ones(1)))
