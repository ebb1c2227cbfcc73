"""A table in blocks: the first pass knows the file before it is written, the second streams it."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blox_store.errors import NotEncodable, ReleaseError, StoreUnavailable
from blox_store.release.columns import CountColumn, FloatColumn, StringColumn
from blox_store.release.formats.blox_payload import inflate
from blox_store.release.header import new_header, split_header
from blox_store.release.names import ALL_FORMATS
from blox_store.release.reader import read_header, read_table
from blox_store.release.rows import table_of_rows
from blox_store.release.summary import TableSummary
from blox_store.release.table import Table
from blox_store.release.writer import write_blocks, write_table

HASHES = [f"{number:032x}" for number in range(6)]
HEADER = new_header("base", seed=0, epochs=2, dataset="cifar100")
ROWS = [[digest, [0.02 * at, 100.0], 0.01 * at, at] for at, digest in enumerate(HASHES)]

examples = pytest.mark.parametrize("examples", [15, pytest.param(60, marks=pytest.mark.slow)])
every_format = pytest.mark.parametrize("format", ALL_FORMATS)


def blocks_of(table: Table, *sizes: int) -> list[Table]:
    bounds = np.cumsum([0, *sizes])
    return [table.take(slice(a, b)) for a, b in pairwise(bounds)]


def summed_up(blocks: list[Table]) -> TableSummary:
    summary = TableSummary(blocks[0].header)
    for block in blocks:
        summary.add(block)
    return summary


@every_format
def test_blocks_make_the_file_that_the_whole_table_makes(format: str, tmp_path: Path) -> None:
    table = table_of_rows(HEADER, ROWS)
    blocks = blocks_of(table, 1, 0, 3, 2)
    summary = summed_up(blocks)
    assert (summary.rows, summary.version) == (6, 1)
    write_blocks(tmp_path / "blocks", format, summary, iter(blocks))
    read = read_table(tmp_path / "blocks", allow_pickle=True)
    assert repr(read.rows()) == repr(ROWS)
    write_table(table, tmp_path / "whole", format)
    if format in ("blox", "csv"):
        assert (tmp_path / "blocks").read_bytes() == (tmp_path / "whole").read_bytes()


def test_the_type_comes_from_all_blocks(tmp_path: Path) -> None:
    header = new_header("bench", device="gpu")
    hashes = table_of_rows(header, [[HASHES[0], 1.0]]).columns["model_hash"]
    blocks = [
        Table(header=header, columns={"model_hash": hashes, "latency": FloatColumn(np.array([x]))})
        for x in (1.0, 20.0, 0.5)
    ]
    summary = summed_up(blocks)
    assert {n: str(kind) for n, kind in summary.types().items()} == {
        "model_hash": "hash",
        "latency": "f8",
    }
    assert summary.version == 2
    write_blocks(tmp_path / "file.blox", "blox", summary, blocks)
    assert read_table(tmp_path / "file.blox").columns["latency"].values() == [1.0, 20.0, 0.5]


def test_blocks_of_counts_out_of_different_numbers_become_doubles(tmp_path: Path) -> None:
    header = HEADER | {"columns": ["model_hash", "test_top1"]}
    hashes = table_of_rows(header, [[HASHES[0], 1.0]]).columns["model_hash"]
    columns = [CountColumn(np.array([1], np.uint16), images) for images in (7, 11)]
    blocks = [
        Table(header=header, columns={"model_hash": hashes, "test_top1": column})
        for column in columns
    ]
    write_blocks(tmp_path / "file.blox", "blox", summed_up(blocks), blocks)
    assert read_header(tmp_path / "file.blox")["column_types"]["test_top1"] == "f8"
    values = read_table(tmp_path / "file.blox").columns["test_top1"].values()
    assert values == [round(100 / 7, 3), round(100 / 11, 3)]


LISTS = st.lists(st.integers(0, 5_000).map(lambda count: round(count / 50, 3)), max_size=300)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@examples
def test_the_size_of_the_payload_is_known_after_the_first_pass(
    tmp_path: Path, examples: int
) -> None:
    header = HEADER | {"version": 2, "columns": ["model_hash", "val_top1", "train_time_s"]}

    @settings(max_examples=examples, deadline=None)
    @given(st.lists(st.tuples(LISTS, st.integers(0, 2**40)), max_size=5))
    def check(values: list[tuple[list[float], int]]) -> None:
        table = table_of_rows(header, [[HASHES[0], *row] for row in values])
        assert_size_is_known(table, tmp_path)

    check()


@examples
def test_the_size_of_texts_is_known_too(tmp_path: Path, examples: int) -> None:
    header = new_header("env", seed=0) | {"version": 2, "columns": ["model_hash", "gpu"]}

    @settings(max_examples=examples, deadline=None)
    @given(st.lists(TEXTS, max_size=4))
    def check(texts: list[str]) -> None:
        table = table_of_rows(header, [[HASHES[0], text] for text in texts])
        assert_size_is_known(table, tmp_path)

    check()


def assert_size_is_known(table: Table, folder: Path) -> None:
    write_table(table, folder / "file.blox", "blox")
    data = (folder / "file.blox").read_bytes()
    payload = b"".join(inflate(io.BytesIO(data[split_header(data)[1] :])))
    summary = TableSummary(table.header)
    summary.add(table)
    assert summary.payload_bytes() == len(payload)
    assert int.from_bytes(payload[:8], "little") == 8 * (len(payload) - 8)


@every_format
def test_other_blocks_than_those_summed_up_are_refused(format: str, tmp_path: Path) -> None:
    table = table_of_rows(HEADER, ROWS)
    first, second = blocks_of(table, 3, 3)
    with pytest.raises(NotEncodable, match="3 rows came to be written, 6 were summed up"):
        write_blocks(tmp_path / "file", format, summed_up([first, second]), [first])
    with pytest.raises(NotEncodable, match="6 rows came to be written, 3 were summed up"):
        write_blocks(tmp_path / "file", format, summed_up([first]), [first, first])
    assert list(tmp_path.iterdir()) == []


def test_values_beyond_those_summed_up_are_refused(tmp_path: Path) -> None:
    small, large = (table_of_rows(HEADER, [ROWS[at]]) for at in (0, 5))
    with pytest.raises(NotEncodable, match="column test_top1 holds other values than when"):
        write_blocks(tmp_path / "file.blox", "blox", summed_up([small]), [large])
    header = new_header("bench", device="gpu")
    fits, overflows = (
        Table(
            header=header,
            columns={
                "model_hash": table_of_rows(header, [[HASHES[0], 1.0]]).columns["model_hash"],
                "latency": FloatColumn(np.array([loss])),
            },
        )
        for loss in (1.0, 20.0)
    )
    with pytest.raises(NotEncodable, match="latency holds other values than when it was summed up"):
        write_blocks(tmp_path / "file.csv", "csv", summed_up([fits]), [overflows])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("column", "first", "second"),
    [("train_time_s", 1, 2**32), ("val_top1", [0.02], [0.02] * 9), ("test_top1", 50.0, 50.01)],
)
def test_a_block_that_changed_is_refused(
    column: str, first: object, second: object, tmp_path: Path
) -> None:
    header = HEADER | {"version": 2, "columns": ["model_hash", column]}
    before, after = (table_of_rows(header, [[HASHES[0], value]]) for value in (first, second))
    with pytest.raises(NotEncodable, match=r"than when it was summed up|bytes came to be written"):
        write_blocks(tmp_path / "file.blox", "blox", summed_up([before]), [after])
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_counts_rows_over_all_blocks() -> None:
    header = new_header("env", seed=0) | {"columns": ["model_hash", "gpu"]}
    hashes = table_of_rows(header, [[HASHES[0], ""]] * 2).columns["model_hash"]
    good, bad = (
        Table(header=header, columns={"model_hash": hashes, "gpu": StringColumn.of(["a", text])})
        for text in ("b", "\udc00")
    )
    with pytest.raises(NotEncodable, match="row 3, column gpu"):
        summed_up([good, bad])


@every_format
def test_an_error_of_the_rows_source_is_its_own_and_leaves_nothing(
    format: str, tmp_path: Path
) -> None:
    table = table_of_rows(HEADER, ROWS)

    def failing() -> Iterator[Table]:
        yield table.take(slice(0, 3))
        raise StoreUnavailable("the server has gone")  # which is an OSError too

    with pytest.raises(StoreUnavailable, match="the server has gone"):
        write_blocks(tmp_path / "file", format, summed_up([table]), failing())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line() -> None:
    table = table_of_rows(HEADER, ROWS)
    with pytest.raises(ReleaseError, match="cannot write /proc/file: "):
        write_table(table, Path("/proc/file"), "blox")


def test_a_pickle_of_many_blocks_is_read_by_plain_pickle(tmp_path: Path) -> None:
    table = table_of_rows(HEADER, ROWS)
    blocks = [*blocks_of(table, 1, 2, 3)] * 350  # some with over 1,000 items in all
    write_blocks(tmp_path / "file.pickle", "pickle", summed_up(blocks), blocks)
    data = (tmp_path / "file.pickle").read_bytes()
    assert pickle.loads(data[split_header(data)[1] :]) == ROWS * 350
