from __future__ import annotations

import numpy as np
import pytest

from blox_store.release.columns import (
    ArchColumn,
    CountColumn,
    FloatColumn,
    HashColumn,
    IntColumn,
    MillionthsColumn,
    RaggedColumn,
    StringColumn,
    accuracy_table,
    images_of,
    pack_cell,
    unpack_cell,
)
from blox_store.release.columns.exact_numbers import accuracies, losses
from blox_store.release.table import Table


@pytest.mark.parametrize("images", [45_000, 5_000, 10_000])
def test_every_accuracy_is_the_published_double_and_is_found_again(images: int) -> None:
    percentages = [round(count / images * 100, 3) for count in range(images + 1)]
    table = accuracy_table(images)
    assert table.tolist() == percentages
    column = accuracies(np.array(percentages), images)
    assert isinstance(column, CountColumn)
    np.testing.assert_array_equal(column.counts, np.arange(images + 1))


def test_millionths_are_the_doubles_of_a_division() -> None:
    millionths = np.concatenate(
        [np.arange(100_000), np.random.default_rng(0).integers(0, 2**24, 100_000), [2**24 - 1]]
    )
    doubles = MillionthsColumn(millionths.astype(np.uint32)).floats()
    assert doubles.tolist() == [value / 1e6 for value in millionths.tolist()]
    # what a CSV holds is the double of round(x, 6), which must be the same
    assert doubles.tolist() == [round(value / 1e6, 6) for value in millionths.tolist()]
    column = losses(doubles)
    assert isinstance(column, MillionthsColumn)
    np.testing.assert_array_equal(column.millionths, millionths)


@pytest.mark.parametrize("value", [33.3333, 0.011, -0.0, 100.5, -1.0, 1e300])
def test_a_double_that_is_no_count_stays_as_it_is(value: float) -> None:
    column = accuracies(np.array([12.5, value]), 5_000)
    assert isinstance(column, FloatColumn)
    assert repr(column.values()) == repr([12.5, value])


@pytest.mark.parametrize("value", [0.1234567, -0.0, -1.0, 4295.0, 1e300])
def test_a_double_that_is_no_millionth_stays_as_it_is(value: float) -> None:
    column = losses(np.array([12.5, value]))
    assert isinstance(column, FloatColumn)
    assert repr(column.values()) == repr([12.5, value])


def test_names_say_how_many_images() -> None:
    assert [images_of(name) for name in ("train_top1", "val_top5", "test_top1", "top1")] == [
        45_000,
        5_000,
        10_000,
        10_000,
    ]


def test_cells_are_packed_both_ways() -> None:
    assert [pack_cell(unpack_cell(byte)) for byte in range(72)] == list(range(72))
    assert unpack_cell(0b1000_101) == [[2], [2, 1, 0, 1]]


def test_columns_take_rows_and_give_values() -> None:
    rows = np.array([1, 0])
    hashes = HashColumn(np.arange(32, dtype=np.uint8).reshape(2, 16))
    assert hashes.take(rows).values()[1] == bytes(range(16)).hex()
    assert IntColumn(np.array([4, 5], np.uint32)).take(rows).values() == [5, 4]
    assert CountColumn(np.array([1, 2], np.uint16), 100).take(rows).values() == [2.0, 1.0]
    assert MillionthsColumn(np.array([1, 2], np.uint32)).take(rows).values() == [2e-06, 1e-06]
    assert FloatColumn(np.array([0.1, 0.2])).take(rows).values() == [0.2, 0.1]
    assert StringColumn.of(["a", "b"]).take(rows).values() == ["b", "a"]
    archs = ArchColumn(np.array([[0, 1, 2], [3, 4, 5]], np.uint8))
    assert archs.take(rows).value(1) == [unpack_cell(byte) for byte in (0, 1, 2)]
    ragged = RaggedColumn(np.array([0, 2, 3]), IntColumn(np.array([1, 2, 3], np.uint32)))
    assert ragged.take(rows).values() == [[3], [1, 2]]
    assert ragged.take(slice(0, 0)).values() == []
    np.testing.assert_array_equal(ragged.array(), [1, 2, 3])


def test_a_table_gives_its_rows() -> None:
    columns = {
        "model_hash": HashColumn(np.zeros((2, 16), np.uint8)),
        "params": IntColumn(np.array([1, 2], np.uint32)),
    }
    table = Table(header={"columns": list(columns)}, columns=columns)
    assert len(table) == 2
    assert table.rows() == [["0" * 32, 1], ["0" * 32, 2]]
    assert table.take(slice(1, 2)).rows() == [["0" * 32, 2]]
