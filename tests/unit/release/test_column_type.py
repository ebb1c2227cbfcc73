from __future__ import annotations

import pytest

from blox_store.errors import ReleaseCorrupt
from blox_store.release.columns.column_type import ColumnType, parse_type


@pytest.mark.parametrize(
    "text",
    [
        *("hash", "int", "float", "str", "arch", "b_20_1822_11", "list[float]", "list[b_0_0_1]"),
        *("u8", "f8", "text", "n_0_40000_16_50000", "longlist[f8]", "longlist[n_1_2_1_3]"),
    ],
)
def test_types_are_printed_as_they_were_read(text: str) -> None:
    assert str(parse_type(text)) == text


def test_a_quantised_type_has_three_numbers() -> None:
    assert parse_type("list[b_20_1822_11]") == ColumnType(
        kind="b", length_bytes=1, minimum=20, maximum=1822, bits=11
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
        "n_0_1_1",
        "n_0_3_2_2",  # MAX above N
        "n_0_0_1_0",
        "longlist[list[int]]",
        "longlist[]",
        "b_0_٣_2",  # a digit, but not of ASCII
    ],
)
def test_other_types_are_refused(text: str) -> None:
    with pytest.raises(ReleaseCorrupt, match=r"no column has the type .*allowed are hash"):
        parse_type(text)


@pytest.mark.parametrize(
    ("text", "version"),
    [("int", 1), ("list[b_0_1_1]", 1), ("u8", 2), ("longlist[float]", 2), ("n_0_1_1_3", 2)],
)
def test_a_type_knows_the_version_that_has_it(text: str, version: int) -> None:
    assert parse_type(text).version == version


@pytest.mark.parametrize(
    ("text", "items", "size"),
    [
        ("hash", 1, 16),
        ("str", 1, 1),
        ("text", 1, 4),
        ("list[float]", 255, 766),
        ("list[b_0_1_11]", 255, 352),
        ("longlist[n_0_1_11_5]", 300, 417),
        ("f8", 1, 8),
    ],
)
def test_the_size_of_a_row_is_known(text: str, items: int, size: int) -> None:
    assert parse_type(text).row_bytes(items) == size
