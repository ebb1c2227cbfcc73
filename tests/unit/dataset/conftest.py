"""Releases to query: the golden one, and one with two seeds and two devices made from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas  # noqa: F401 - it takes a second, which is not to be of a test
import pyarrow.parquet  # noqa: F401 - so does it
import pytest

from blox_store.dataset import Dataset, from_folder
from blox_store.release.columns import CountColumn
from blox_store.release.reader import read_table
from blox_store.release.table import Table
from blox_store.release.writer import write_table

PARTIAL_ROWS = 20  # of the 24 architectures; what the second device was measured on


def varied(table: Table, *, shift: int = 0, rows: int | None = None, **facts: Any) -> Table:
    """A table with other facts in its header and its rows in the opposite order.

    With `shift` each architecture gets the values of another one; `rows` keeps the first ones.
    """
    count = len(table)
    order = np.arange(count)[::-1]
    columns = {
        name: column.take(order if name == "model_hash" else np.roll(order, shift))
        for name, column in table.columns.items()
    }
    kept = {name: column.take(slice(rows)) for name, column in columns.items()}
    return Table(header={**table.header, **facts}, columns=kept)


@pytest.fixture(scope="session")
def release_e12(golden: Path) -> Path:
    """The golden release of 24 architectures, one seed and one device, in all formats."""
    return golden / "release-e12"


@pytest.fixture(scope="session")
def two_seeds(release_e12: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release with the seeds 0 and 1 and the devices pixel-4 and jetson, the latter partial.

    The rows of seed 1 and of jetson stand in the opposite order and hold other values.
    """
    folder = tmp_path_factory.mktemp("two-seeds")
    for kind in ("base", "ext", "env"):
        table = read_table(release_e12 / f"blox-{kind}-0.blox")
        write_table(table, folder / f"blox-{kind}-0.blox", "blox")
        write_table(varied(table, shift=5, seed=1), folder / f"blox-{kind}-1.csv", "csv")
    info = read_table(release_e12 / "blox-info.blox")
    write_table(varied(info), folder / "blox-info.blox", "blox")
    bench = read_table(release_e12 / "blox-bench-pixel-4.blox")
    write_table(bench, folder / "blox-bench-pixel-4.blox", "blox")
    jetson = varied(bench, shift=3, rows=PARTIAL_ROWS, device="jetson")
    write_table(jetson, folder / "blox-bench-jetson.blox", "blox")
    return folder


@pytest.fixture(scope="session")
def full(two_seeds: Path) -> Dataset:
    """Everything of the release with two seeds."""
    return from_folder(two_seeds, extended=True, include_static_info=True, include_env_info=True)


@pytest.fixture(scope="session")
def small(release_e12: Path) -> Dataset:
    """Everything of the golden release, one seed."""
    return from_folder(release_e12, extended=True, include_static_info=True, include_env_info=True)


@pytest.fixture
def no_epochs(release_e12: Path, tmp_path: Path) -> Dataset:
    """The golden release without its curves."""
    table = read_table(release_e12 / "blox-base-0.blox")
    none = {**table.columns, "val_top1": CountColumn(np.zeros((len(table), 0), np.uint16), 5000)}
    header = {**table.header, "epochs": 0}
    write_table(Table(header=header, columns=none), tmp_path / "blox-base-0.csv", "csv")
    return from_folder(tmp_path)
