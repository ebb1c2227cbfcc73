"""A made-up release of full size: noisy curves, so that packed bits hardly compress."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from blox_core.space import SPACE_SIZE, Architecture, hash_table
from blox_store.release.columns import (
    ArchColumn,
    Column,
    CountColumn,
    HashColumn,
    IntColumn,
    MillionthsColumn,
    StringColumn,
    images_of,
    pack_cell,
)
from blox_store.release.header import new_header
from blox_store.release.known_columns import COLUMNS
from blox_store.release.names import Kind, file_name
from blox_store.release.table import Table
from blox_store.release.writer import write_table

EPOCHS: Final = 200
TRAINING: Final[tuple[Kind, ...]] = ("base", "ext")
_NOISE: Final = 0.02  # of all images, and ten times that of losses: far above what trainings show
_FACTS: Final = {"seed": 0, "epochs": EPOCHS, "dataset": "cifar100"}


def write_release(folder: Path, rows: int = SPACE_SIZE) -> None:
    """Write base, ext, info and env as `.blox`, and base and ext as `.parquet` too."""
    for kind, table in _tables(rows):
        seed = None if kind == "info" else 0
        write_table(table, folder / file_name(kind, seed=seed, format="blox"), "blox")
        if kind in TRAINING:
            write_table(table, folder / file_name(kind, seed=seed, format="parquet"), "parquet")


def _tables(rows: int) -> Iterator[tuple[Kind, Table]]:
    random = np.random.default_rng(0)
    digests = b"".join(hash_table.digest(index) for index in range(rows))
    hashes = HashColumn(np.frombuffer(digests, np.uint8).reshape(rows, hash_table.DIGEST_BYTES))
    for kind in TRAINING:
        columns = {name: _training_column(random, name, rows) for name in COLUMNS[kind][1:]}
        yield kind, _table(kind, hashes, columns, **_FACTS)
    text = StringColumn(np.zeros(rows, np.uint32), ("Linux-6.1.0-x86_64-with-glibc2.36",))
    yield "env", _table("env", hashes, dict.fromkeys(COLUMNS["env"][1:], text), seed=0)
    cells = [[pack_cell(cell) for cell in Architecture(at).arch_vec] for at in range(rows)]
    costs = random.integers(10**6, 10**9, (2, rows)).astype(np.uint32)
    columns = {
        "params": IntColumn(costs[0]),
        "flops": IntColumn(costs[1]),
        "arch_vec": ArchColumn(np.array(cells, np.uint8)),
    }
    yield "info", _table("info", hashes, columns)


def _table(kind: Kind, hashes: HashColumn, columns: dict[str, Column], **facts: Any) -> Table:
    return Table(header=new_header(kind, **facts), columns={"model_hash": hashes, **columns})


def _training_column(random: np.random.Generator, name: str, rows: int) -> Column:
    if name == "train_time_s":
        return IntColumn(random.integers(3_000, 9_000, rows).astype(np.uint32))
    rise = 1 - np.exp(-5 * np.linspace(0, 1, EPOCHS, dtype=np.float32))
    shape = rise if not name.startswith("test_") else rise[-1:]
    noise = random.standard_normal((rows, len(shape)), np.float32) * np.float32(_NOISE)
    values = shape * random.uniform(0.5, 0.7, (rows, 1)).astype(np.float32) + noise
    if shape.size == 1:
        values = values.ravel()
    if name.endswith("_loss"):
        return MillionthsColumn(_whole((1 - values) * 4.6 * 1e6, 0xFF_FFFF, np.uint32))
    images = images_of(name)
    return CountColumn(_whole(values * images, images, np.uint16), images)


def _whole(values: NDArray[Any], largest: int, dtype: Any) -> Any:
    return np.clip(np.rint(values), 0, largest).astype(dtype)
