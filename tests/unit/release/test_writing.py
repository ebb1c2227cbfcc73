"""What a type holds is written whole, in all formats alike; the rest is named and refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blox_core.atomic_file import replace_file
from blox_store.errors import NotEncodable, ReleaseError
from blox_store.release.columns import (
    ArchColumn,
    Column,
    CountColumn,
    FloatColumn,
    HashColumn,
    IntColumn,
    RaggedColumn,
    StringColumn,
)
from blox_store.release.header import new_header
from blox_store.release.names import ALL_FORMATS
from blox_store.release.names import Kind as FileKind
from blox_store.release.reader import read_header, read_table
from blox_store.release.rows import table_of_rows
from blox_store.release.table import Table
from blox_store.release.writer import write_table

HASH = "53e2fa8075c3ea1479d7116b5e8629dc"
FACTS = {"seed": 0, "epochs": 2, "dataset": "cifar100", "device": "gpu"}


def header_of(kind: FileKind, *columns: str) -> dict[str, Any]:
    return new_header(kind, **FACTS) | {"columns": ["model_hash", *columns]}


def table_of(kind: FileKind, **columns: Column) -> Table:
    rows = max(map(len, columns.values()))
    hashes: dict[str, Column] = {"model_hash": HashColumn(np.zeros((rows, 16), np.uint8))}
    return Table(header=header_of(kind, *columns), columns=hashes | columns)


def written(table: Table, folder: Path) -> list[list[Any]]:
    """Write a table in all formats and return the rows, the same in all of them."""
    rows = []
    for format in ALL_FORMATS:
        path = folder / f"file.{format}"
        write_table(table, path, format)
        rows.append(read_table(path, allow_pickle=True).rows())
    assert len(set(map(repr, rows))) == 1
    return rows[0]


def train_curves(*curves: list[Any]) -> Table:
    rows = [[HASH, curve] for curve in curves]
    return table_of_rows(header_of("ext", "train_top1"), rows)


@pytest.mark.parametrize(
    "values",
    [
        [50.0, 50.002],  # counts one apart
        [10.0, round((4500 + 8) / 450, 3)],  # a power of two apart
        [50.0, 50.0],
        [50.0],
        [],
        [0.0, 100.0],
        [99.998, 100.0],  # MIN would take over 15 bits
        [33.333, 66.667],  # already rounded to 3 decimals
        [50.0] * 255,
    ],
)
def test_inputs_that_the_published_writer_cannot_take(values: list[float], tmp_path: Path) -> None:
    assert written(train_curves(values), tmp_path) == [[HASH, values]]


def test_no_rows_at_all(tmp_path: Path) -> None:
    for kind in ("base", "ext", "env", "info", "bench"):
        assert written(table_of_rows(new_header(kind, **FACTS), []), tmp_path) == []


def test_every_count_survives_rounding_to_three_decimals(tmp_path: Path) -> None:
    percentages = [round(count / 45_000 * 100, 3) for count in range(45_001)]
    curves = [percentages[at : at + 255] for at in range(0, 45_001, 255)]
    assert [row[1] for row in written(train_curves(*curves), tmp_path)] == curves


def test_unrounded_accuracies_become_the_nearest_count(tmp_path: Path) -> None:
    table = train_curves([4_711 / 45_000 * 100, 100 / 3])
    assert isinstance(table.columns["train_top1"], FloatColumn)
    assert written(table, tmp_path) == [[HASH, [10.469, 33.333]]]


def test_numpy_scalars_and_whole_numbers_become_floats(tmp_path: Path) -> None:
    header = header_of("ext", "train_top1", "test_loss", "test_top5")
    values = [[np.float32(50.0), 50, np.int64(49)], np.float64(1.25), np.uint8(3)]
    rows = written(table_of_rows(header, [[HASH, *values]]), tmp_path)
    assert repr(rows) == repr([[HASH, [50.0, 50.0, 49.0], 1.25, 3.0]])


def test_numpy_integers_are_ints(tmp_path: Path) -> None:
    table = table_of_rows(header_of("info", "params", "flops"), [[HASH, np.int64(5), 2**32 - 1]])
    assert written(table, tmp_path) == [[HASH, 5, 2**32 - 1]]


def test_unequal_lists(tmp_path: Path) -> None:
    assert [row[1] for row in written(train_curves([1.0, 2.0], [], [3.0]), tmp_path)] == [
        [1.0, 2.0],
        [],
        [3.0],
    ]


def test_losses_are_rounded_to_millionths(tmp_path: Path) -> None:
    losses = [0.1234567, 2.5e-6, 3.5e-6, 1.0000004, -1e-9]  # numpy would round 2.5e-6 down
    rows = written(table_of("bench", latency=FloatColumn(np.array(losses))), tmp_path)
    assert [row[1] for row in rows] == [round(loss, 6) for loss in losses]


def test_a_number_of_images_that_divides_the_columns_own_is_scaled(tmp_path: Path) -> None:
    digits = CountColumn(np.array([[1, 250]], np.uint16), 250)
    rows = written(table_of("base", val_top1=digits), tmp_path)
    assert rows[0][1] == digits.values()[0] == [0.4, 100.0]
    assert read_header(tmp_path / "file.blox")["column_types"]["val_top1"] == "list[b_20_5000_13]"


def test_a_number_of_images_that_does_not_divide_is_version_1_if_its_values_exist(
    tmp_path: Path,
) -> None:
    column = CountColumn(np.array([5_000, 20_000], np.uint16), 20_000)
    assert [r[1] for r in written(table_of("base", test_top1=column), tmp_path)] == [25.0, 100.0]


def u32(*values: int) -> Any:
    return np.array(values, np.uint32)


REFUSED: list[tuple[FileKind, str, Column, str]] = [
    (
        "base",
        "val_top1",
        RaggedColumn(np.array([0, 1, 10_002]), CountColumn(np.zeros(10_002, np.uint16), 5_000)),
        r"row 1, column val_top1: got \[0.0, .*…, allowed is a list of at most 10000 items",
    ),
    (
        "base",
        "val_top1",
        CountColumn(np.zeros((1, 10_001), np.uint16), 5_000),
        "row 0, column val_top1: .* at most 10000 items",
    ),
    (
        "base",
        "test_top1",
        CountColumn(np.array([1, 10_001], np.uint16), 10_000),
        "row 1, column test_top1: got 10001, allowed is at most 10000 correct images",
    ),
    (
        "base",
        "val_top1",
        RaggedColumn(np.array([0, 0, 1, 1, 3]), CountColumn(np.array([1, 2, 8], np.uint16), 7)),
        "row 3, column val_top1: got 8, allowed is at most 7 correct images",
    ),
    ("env", "gpu", StringColumn.of(["a", "\ud800"]), r"row 1, column gpu: got '\\ud800', .* UTF-8"),
    (
        "env",
        "gpu",
        StringColumn.of(["a", "é" * (2**19 + 1)]),
        "row 1, column gpu: got 'ééé.*…, allowed is a string of at most 1048576 bytes of UTF-8",
    ),
    ("info", "arch_vec", ArchColumn(np.array([[0, 72, 0]], np.uint8)), "row 0, .* got 72"),
    ("info", "params", IntColumn(np.array([1, -1])), "row 1, column params: got -1, .* 0 or more"),
    ("info", "params", FloatColumn(np.ones(1)), "params must be int, got a FloatColumn"),
    ("base", "val_top1", CountColumn(np.ones(1, np.uint16), 5_000), "val_top1 must be list"),
    ("base", "test_top1", CountColumn(np.ones((1, 1), np.uint16), 5_000), "test_top1 must be b_"),
    ("bench", "params", IntColumn(u32(1)), "a file of type benchmarking has no column params"),
]


@pytest.mark.parametrize(("kind", "name", "column", "message"), REFUSED)
@pytest.mark.parametrize("format", ALL_FORMATS)
def test_what_no_type_holds_is_named_and_leaves_no_file(
    kind: FileKind, name: str, column: Column, message: str, format: str, tmp_path: Path
) -> None:
    with pytest.raises(NotEncodable, match=message):
        write_table(table_of(kind, **{name: column}), tmp_path / f"file.{format}", format)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "column", "value", "message"),
    [
        ("info", "params", -1, "row 1, column params: got -1, allowed is an integer from 0 to 4"),
        ("info", "params", 2**32, "row 1, column params: got 4294967296"),
        ("info", "params", 1.0, "row 1, column params: got 1.0"),
        ("info", "params", True, "row 1, column params: got True"),
        ("info", "arch_vec", [[[0], [0, 1, 0, 0]]] * 2, "row 1, .* allowed is three cells"),
        ("info", "arch_vec", [[[3], [0, 1, 0, 0]]] * 3, "row 1, .* allowed is three cells"),
        ("info", "arch_vec", None, "row 1, column arch_vec: got None"),
        ("env", "gpu", None, "row 1, column gpu: got None, allowed is a string"),
        ("bench", "latency", "1.5", "row 1, column latency: got '1.5', allowed is finite numbers"),
        ("bench", "latency", float("nan"), "row 1, column latency: got nan"),
        ("base", "model_hash", HASH.upper(), "row 1, column model_hash: got '53E2"),
    ],
)
def test_rows_that_no_column_holds_are_named(
    kind: FileKind, column: str, value: Any, message: str
) -> None:
    good = {"params": 1, "arch_vec": [[[0], [0, 1, 0, 0]]] * 3, "gpu": "", "latency": 1}
    if column == "model_hash":
        header, rows = header_of(kind), [[HASH], [value]]
    else:
        header, rows = header_of(kind, column), [[HASH, good[column]], [HASH, value]]
    with pytest.raises(NotEncodable, match=message):
        table_of_rows(header, rows)


def test_rows_of_unknown_columns_are_refused() -> None:
    with pytest.raises(NotEncodable, match="a file of type static has no column speed"):
        table_of_rows(header_of("info", "speed"), [[HASH, 1]])


def test_a_table_must_have_the_columns_of_its_header(tmp_path: Path) -> None:
    table = Table(
        header=new_header("info"), columns=table_of("info", params=IntColumn(u32(1))).columns
    )
    with pytest.raises(NotEncodable, match=r"the header has columns .*, the table"):
        write_table(table, tmp_path / "file.blox", "blox")


def test_a_table_must_have_columns_of_one_length(tmp_path: Path) -> None:
    table = table_of("info", params=IntColumn(u32(1, 2)), flops=IntColumn(u32(1)))
    with pytest.raises(NotEncodable, match=r"unequal numbers of rows: \{'model_hash': 2"):
        write_table(table, tmp_path / "file.blox", "blox")


def test_unknown_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        NotEncodable, match="no format 'custom'; allowed are blox, csv, pickle, parquet"
    ):
        write_table(train_curves([1.0]), tmp_path / "file", "custom")


def test_files_are_readable_by_whom_the_umask_allows(tmp_path: Path) -> None:
    write_table(train_curves([1.0]), tmp_path / "file.blox", "blox")
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "file.blox").stat().st_mode & 0o777 == 0o666 & ~umask


def test_an_error_keeps_the_old_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"new"
        raise KeyboardInterrupt

    path = tmp_path / "file.blox"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        replace_file(path, pieces())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "file.blox"
    with pytest.raises(ReleaseError, match=r"cannot write .*nowhere/file.blox: No such file"):
        write_table(table_of("info", params=IntColumn(np.zeros(1, np.uint32))), path, "blox")
