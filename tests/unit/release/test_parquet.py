"""Parquet files: the published values, the header in the schema, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from blox_core.errors import ExtraMissing
from blox_store.errors import ReleaseCorrupt
from blox_store.release.header import join_header, new_header
from blox_store.release.reader import read_header, read_table
from blox_store.release.rows import table_of_rows
from blox_store.release.writer import write_table

HASH = "53e2fa8075c3ea1479d7116b5e8629dc"
BASE = new_header("base", seed=0, epochs=2, dataset="cifar100") | {"format": "parquet"}
GOOD = {
    "model_hash": [HASH],
    "val_top1": [[10.0, 20.0]],
    "test_top1": [60.5],
    "train_time_s": [77],
}


def parquet_file(folder: Path, header: Any = BASE, **columns: Any) -> Path:
    path = folder / "blox-base-0.parquet"
    table = pa.table(GOOD | columns)
    pq.write_table(table.replace_schema_metadata({b"blox": join_header(header)}), path)
    return path


@pytest.mark.parametrize("release", ["release-e12", "release-e200"])
@pytest.mark.parametrize(
    "stem", ["blox-base-0", "blox-ext-0", "blox-env-0", "blox-info", "blox-bench-pixel-4"]
)
def test_a_published_table_survives_parquet(
    golden: Path, release: str, stem: str, tmp_path: Path
) -> None:
    table = read_table(golden / release / f"{stem}.blox")
    path = tmp_path / f"{stem}.parquet"
    write_table(table, path, "parquet")
    again = read_table(path)
    assert again.header == table.header
    assert repr(again.rows()) == repr(table.rows())
    assert {n: type(c) for n, c in again.columns.items()} == {
        name: type(column) for name, column in table.columns.items()
    }
    plain = pq.read_table(path)
    assert repr([list(row.values()) for row in plain.to_pylist()]) == repr(table.rows())


def test_a_file_of_another_writer_is_read(tmp_path: Path) -> None:
    path = parquet_file(tmp_path, test_top1=pa.array([60.5], pa.float32()))
    assert read_table(path).rows() == [[HASH, [10.0, 20.0], 60.5, 77]]
    assert read_header(path) == BASE


def test_lists_of_unequal_length_are_read(tmp_path: Path) -> None:
    rows = [[HASH, curve, 0.0, 1] for curve in ([1.0], [], [2.0, 3.0])]
    write_table(table_of_rows(BASE, rows), tmp_path / "file.parquet", "parquet")
    assert read_table(tmp_path / "file.parquet").rows() == rows


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"val_top1": [[float("nan")]]}, r"row 0, column val_top1: got \[nan\]"),
        ({"test_top1": [float("inf")]}, "row 0, column test_top1: got inf"),
        ({"val_top1": [None]}, "row 0, column val_top1: got None"),
        ({"val_top1": [[None, 1.0]]}, r"row 0, column val_top1: got \[None, 1.0\]"),
        ({"val_top1": [1.0]}, "row 0, column val_top1: got 1.0, allowed is a list"),
        ({"test_top1": [[1.0]]}, r"row 0, column test_top1: got \[1.0\]"),
        ({"train_time_s": [2**32]}, "column train_time_s: got 4294967296"),
        ({"train_time_s": ["1"]}, "column train_time_s: got '1'"),
        ({"model_hash": ["hash"]}, "column model_hash: got 'hash'"),
        ({"other": [1]}, r"the columns are .*'other'.*, not those of the header"),
    ],
)
def test_values_that_their_column_does_not_have_are_found(
    columns: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = parquet_file(tmp_path, **columns)
    with pytest.raises(ReleaseCorrupt, match=message) as caught:
        read_table(path)
    assert caught.value.path == str(path)


def test_over_one_row_per_architecture_is_refused(tmp_path: Path) -> None:
    path = parquet_file(tmp_path, **{name: values * 91_126 for name, values in GOOD.items()})
    with pytest.raises(ReleaseCorrupt, match="91126 rows; a file has at most 91125"):
        read_table(path)


def test_a_header_of_another_format_is_refused(tmp_path: Path) -> None:
    path = parquet_file(tmp_path, BASE | {"format": "pickle"})
    with pytest.raises(ReleaseCorrupt, match="of the parquet file has format 'pickle'"):
        read_table(path)


def test_a_parquet_file_without_our_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "blox-base-0.parquet"
    pq.write_table(pa.table(GOOD), path)
    for read in (read_header, read_table):
        with pytest.raises(ReleaseCorrupt, match="has no metadata 'blox'"):
            read(path)


def test_every_truncation_is_found(tmp_path: Path) -> None:
    data = parquet_file(tmp_path).read_bytes()
    path = tmp_path / "cut.parquet"
    for size in range(0, len(data), 7):
        path.write_bytes(data[:size])
        for read in (read_header, read_table):
            with pytest.raises(ReleaseCorrupt):
                read(path)


def test_a_text_that_says_it_is_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "blox-base-0.parquet"
    path.write_bytes(join_header(BASE) + b"PAR1")
    with pytest.raises(ReleaseCorrupt, match="no parquet file that can be read"):
        read_table(path)


def test_without_pyarrow_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = parquet_file(tmp_path)
    table = read_table(path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for act in (
        lambda: read_header(path),
        lambda: read_table(path),
        lambda: write_table(table, tmp_path / "new.parquet", "parquet"),
    ):
        with pytest.raises(ExtraMissing, match=r"need pyarrow .*: pip install 'blox\[parquet\]'"):
            act()
    assert list(tmp_path.iterdir()) == [path]
