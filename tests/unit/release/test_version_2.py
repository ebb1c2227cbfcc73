"""What the published writer could not take: version 1 where that holds it, version 2 for the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blox_store.release.columns import (
    Column,
    CountColumn,
    FloatColumn,
    HashColumn,
    IntColumn,
    MillionthsColumn,
    RaggedColumn,
    StringColumn,
)
from blox_store.release.header import new_header
from blox_store.release.names import ALL_FORMATS
from blox_store.release.names import Kind as FileKind
from blox_store.release.reader import read_header, read_table
from blox_store.release.table import Table
from blox_store.release.writer import write_table

FACTS = {"seed": 0, "epochs": 2, "dataset": "cifar100", "device": "gpu"}
NAN, INF = float("nan"), float("inf")

examples = pytest.mark.parametrize("examples", [4, pytest.param(40, marks=pytest.mark.slow)])


def u16(*values: Any) -> Any:
    return np.array(values, np.uint16)


def f8(*values: Any) -> Any:
    return np.array(values, np.float64)


def table_of(kind: FileKind, name: str, column: Column) -> Table:
    header = new_header(kind, **FACTS) | {"columns": ["model_hash", name]}
    digests = np.arange(16 * len(column), dtype=np.uint8).reshape(len(column), 16)
    return Table(header=header, columns={"model_hash": HashColumn(digests), name: column})


def written(table: Table, folder: Path) -> tuple[int, str, list[Any]]:
    """Write a table in all formats: their version, the type in `.blox`, the column's values."""
    name = table.header["columns"][1]
    versions, values = set(), set()
    for format in ALL_FORMATS:
        path = folder / f"file.{format}"
        write_table(table, path, format)
        versions.add(read_header(path)["version"])
        read = read_table(path, allow_pickle=True)
        assert read.header == dict(table.header) | {"version": read_header(path)["version"]}
        values.add(repr(read.columns[name].values()))
        # what was read is written to the same bytes again
        again = folder / f"again.{format}"
        write_table(read, again, format)
        assert again.read_bytes() == path.read_bytes()
    assert len(versions) == 1
    assert len(values) == 1
    types = read_header(folder / "file.blox")["column_types"]
    return versions.pop(), types[name], read.columns[name].values()


FAULTS: list[tuple[str, FileKind, str, Column, int, str]] = [
    ("counts one apart", "ext", "train_top1", CountColumn(u16([10, 11]), 45_000), 1, "b_10_11_1"),
    ("power-of-two range", "ext", "train_top1", CountColumn(u16([10, 18]), 45_000), 1, "b_10_18_4"),
    ("constant column", "ext", "val_top5", CountColumn(u16([7, 7], [7, 7]), 5_000), 1, "b_7_7_1"),
    ("single row", "ext", "test_top5", CountColumn(u16(7), 10_000), 1, "b_7_7_8"),
    ("zero rows", "ext", "test_top5", CountColumn(u16(), 10_000), 1, "b_0_0_8"),
    ("zero epochs", "ext", "val_top5", CountColumn(u16([], []), 5_000), 1, "b_0_0_1"),
    (
        "rounded train_top1",
        "ext",
        "train_top1",
        FloatColumn(f8([10.469, 33.333])),
        1,
        "b_4711_15000_14",
    ),
    (
        "smallest count above 32767",
        "ext",
        "train_top1",
        CountColumn(u16([40_000, 45_000]), 45_000),
        1,
        "b_32767_45000_14",
    ),
    ("loss 20", "ext", "train_loss", FloatColumn(f8([20.0, 1.5])), 2, "f8"),
    ("millionths", "bench", "latency", MillionthsColumn(np.array([2**24], np.uint32)), 2, "f8"),
    ("negative loss", "ext", "test_loss", FloatColumn(f8(-1e-6, 1.0)), 2, "f8"),
    ("NaN", "ext", "val_loss", FloatColumn(f8([1.0, NAN])), 2, "f8"),
    ("infinite losses", "ext", "val_loss", FloatColumn(f8([INF, -INF])), 2, "f8"),
    ("accuracy NaN", "base", "val_top1", FloatColumn(f8([20.02, NAN])), 2, "f8"),
    ("300 epochs", "base", "val_top1", CountColumn(u16([1] * 300), 5_000), 2, "b_1_1_1"),
    ("300 losses", "ext", "val_loss", FloatColumn(f8([1.0] * 300)), 2, "float"),
    ("300 NaN", "ext", "val_loss", FloatColumn(f8([NAN] * 300)), 2, "f8"),
    (
        "unequal lists",
        "ext",
        "val_loss",
        RaggedColumn(np.array([0, 300, 301]), FloatColumn(f8(*[1.0] * 301))),
        2,
        "float",
    ),
    ("long string", "env", "gpu", StringColumn.of(["a", "b" * 256]), 2, "text"),
    ("beyond ASCII", "env", "gpu", StringColumn.of(["a", 'é\n,"']), 2, "text"),
    ("large integer", "info", "flops", IntColumn(np.array([1, 2**64 - 1], np.uint64)), 2, "u8"),
    ("wide array", "info", "flops", IntColumn(np.array([1, 2**32 - 1], np.uint64)), 1, "int"),
    ("other n", "base", "val_top1", CountColumn(u16([1, 6_000]), 7_000), 2, "n_1_6000_13_7000"),
    ("its own n", "base", "val_top1", CountColumn(u16([1, 250]), 250), 1, "b_20_5000_13"),
    (
        "other n outside of a list",
        "base",
        "test_top1",
        CountColumn(u16(1, 2), 20_000),
        2,
        "n_1_2_8_20000",
    ),
    (
        "more images than two bytes",
        "base",
        "val_top1",
        CountColumn(np.array([[1, 70_000, 1_281_167]], np.uint32), 1_281_167),
        2,
        "n_1_1281167_21_1281167",
    ),
    ("no count", "base", "val_top1", FloatColumn(f8([1.0, 33.333])), 2, "f8"),
    ("float32", "bench", "latency", FloatColumn(np.array([1.25], np.float32)), 1, "float"),
]


@pytest.mark.parametrize(
    ("kind", "name", "column", "version", "item"),
    [fault[1:] for fault in FAULTS],
    ids=[fault[0] for fault in FAULTS],
)
def test_inputs_that_the_published_writer_cannot_take(
    kind: FileKind, name: str, column: Column, version: int, item: str, tmp_path: Path
) -> None:
    got_version, got_type, values = written(table_of(kind, name, column), tmp_path)
    assert got_version == version
    assert got_type.removeprefix("long").removeprefix("list[").removesuffix("]") == item
    assert repr(values) == repr(column.values())


@pytest.mark.parametrize(
    ("latency_ms", "expected"),
    [
        (16.777215, (1, "float", 16.777215)),
        (16.7772154, (1, "float", 16.777215)),
        (16.7772156, (2, "f8", 16.777216)),
    ],
)
def test_the_version_is_that_of_the_rounded_latency(
    latency_ms: float, expected: tuple[int, str, float], tmp_path: Path
) -> None:
    table = table_of("bench", "latency", FloatColumn(f8(latency_ms, 1.25)))
    version, item, value = expected
    assert written(table, tmp_path) == (version, item, [value, 1.25])


def test_only_the_column_that_needs_it_moves(tmp_path: Path) -> None:
    header = new_header("ext", **FACTS) | {"columns": ["model_hash", "train_loss", "val_loss"]}
    columns = {
        "model_hash": HashColumn(np.zeros((1, 16), np.uint8)),
        "train_loss": FloatColumn(f8([20.0])),
        "val_loss": FloatColumn(f8([2.0])),
    }
    write_table(Table(header=header, columns=columns), tmp_path / "file.blox", "blox")
    types = read_header(tmp_path / "file.blox")["column_types"]
    assert types == {
        "model_hash": "hash",
        "train_loss": "list[f8]",
        "val_loss": "list[float]",
    }


def test_doubles_are_rounded_as_documented_in_version_2_too(tmp_path: Path) -> None:
    losses = FloatColumn(f8([NAN, 2.5e-6, 3.5e-6, 1e17 / 3, -1e-9]))
    _, _, values = written(table_of("ext", "val_loss", losses), tmp_path)
    assert repr(values) == repr([[NAN, 3e-6, 3e-6, 1e17 / 3, 0.0]])
    accuracies = FloatColumn(f8([NAN, 100 / 3, 47.11]))  # 47.11 of 45,000 would be 21,199.5
    _, _, values = written(table_of("ext", "train_top1", accuracies), tmp_path)
    assert repr(values) == repr([[NAN, 33.333, 47.11]])


@examples
def test_any_doubles_come_back_rounded(tmp_path: Path, examples: int) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(st.lists(st.lists(st.floats(), min_size=3, max_size=3), max_size=4))
    def check(rows: list[list[float]]) -> None:
        column = FloatColumn(f8(*rows).reshape(len(rows), 3))
        _, _, values = written(table_of("ext", "val_loss", column), tmp_path)
        assert repr(values) == repr([[round(value, 6) + 0.0 for value in row] for row in rows])

    check()


@examples
def test_counts_of_any_number_of_images_come_back(tmp_path: Path, examples: int) -> None:
    path = tmp_path / "file.blox"

    @settings(max_examples=examples, deadline=None)
    @given(st.integers(1, 2**31), st.data())
    def check(images: int, data: st.DataObject) -> None:
        images = min(images, 999_999_999)
        counts = data.draw(st.lists(st.integers(0, images), min_size=1, max_size=9))
        column = CountColumn(np.array([counts], np.uint32), images)
        write_table(table_of("base", "val_top1", column), path, "blox")
        values = read_table(path).columns["val_top1"].values()
        assert values == [[round(count / images * 100, 3) for count in counts]]

    check()


@pytest.mark.parametrize(
    ("kind", "name", "column"),
    [
        ("env", "gpu", StringColumn.of(["x" * 2**20])),  # as long as a text may be
        ("base", "val_top1", FloatColumn(np.full((1, 10_000), 100 / 3))),  # as many epochs
    ],
)
def test_the_longest_values_survive_every_format(
    kind: FileKind, name: str, column: Column, tmp_path: Path
) -> None:
    _, _, values = written(table_of(kind, name, column), tmp_path)
    assert values == column.values()
