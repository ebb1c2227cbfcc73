"""The tables of a release, made from the rows of a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from blox_core import hash_table
from blox_core.space import Architecture
from blox_store.errors import ExportRefused, NotEncodable
from blox_store.release.columns import (
    ArchColumn,
    Column,
    CountColumn,
    FloatColumn,
    HashColumn,
    IntColumn,
    StringColumn,
    images_of,
    pack_cell,
)
from blox_store.release.header import new_header
from blox_store.release.known_columns import COLUMNS
from blox_store.release.names import Kind
from blox_store.release.table import Table
from blox_store.store import ResultRow, Run, Store

_LARGEST_INT = 2**32 - 1
_SHAPE_FIELDS = ("stem_channels", "classes", "resolution")


@dataclass(frozen=True, kw_only=True)
class ReleaseTable:
    """One file of a release, but for its format."""

    kind: Kind
    seed: int | None = None
    device: str | None = None
    table: Table


def release_tables(store: Store, connection: Connection, run: Run) -> list[ReleaseTable]:
    """Return the tables of a run's succeeded results, by arch index, and of all latencies.

    Raises ExportRefused if params and FLOPs of the run's models are not in the store.
    """
    rows = [row for row in store.results.stream(connection, run.id) if row.status == "succeeded"]
    indices = [row.arch_index for row in rows]
    environments = store.results.environments(connection)
    shape = {field: run.recipe[field] for field in _SHAPE_FIELDS}
    costs = store.static.architectures(connection, shape)
    if missing := [index for index in indices if index not in costs]:
        raise ExportRefused(
            f"params and FLOPs of {len(missing)} architectures are not in the store; "
            "run 'blox init' with the run's recipe and seed, which computes them"
        )
    tables = [
        _training_table("base", run, rows),
        _training_table("ext", run, rows),
        _environment_table(run, indices, [environments[row.environment_id] for row in rows]),
        _static_table(indices, [costs[index] for index in indices]),
    ]
    latencies = store.static.latencies(connection)
    return tables + [_latency_table(device, found) for device, found in latencies.items()]


def _training_table(kind: Kind, run: Run, rows: Sequence[ResultRow]) -> ReleaseTable:
    facts = {"seed": run.seed, "epochs": run.recipe["epochs"], "dataset": run.dataset}
    columns: dict[str, Column] = {"model_hash": _hashes([row.arch_index for row in rows])}
    for name in COLUMNS[kind][1:]:
        columns[name] = _training_column(name, run, [getattr(row, name) for row in rows])
    header = new_header(kind, **facts)
    return ReleaseTable(kind=kind, seed=run.seed, table=Table(header=header, columns=columns))


def _training_column(name: str, run: Run, values: list[Any]) -> Column:
    if name == "train_time_s":
        return IntColumn(np.rint(values).astype(np.uint32))  # half to even, as documented
    if name.endswith("_loss"):
        return FloatColumn(np.array(values, np.float64))
    split = name.partition("_")[0]
    return _accuracies(name, np.array(values), run.recipe[f"{split}_images"])


def _accuracies(name: str, counts: NDArray[np.int64], images: int) -> Column:
    """Return counts of correct images in the numbers that the format counts in, if they divide."""
    held = images_of(name)
    if held % images == 0:
        return CountColumn((counts * (held // images)).astype(np.uint32), held)
    percent = np.array([round(count / images * 100, 3) for count in counts.ravel().tolist()])
    return FloatColumn(percent.reshape(counts.shape))


def _environment_table(
    run: Run, indices: list[int], environments: list[dict[str, str]]
) -> ReleaseTable:
    columns: dict[str, Column] = {"model_hash": _hashes(indices)}
    for name in COLUMNS["env"][1:]:
        columns[name] = StringColumn.of([strings[name] for strings in environments])
    table = Table(header=new_header("env", seed=run.seed), columns=columns)
    return ReleaseTable(kind="env", seed=run.seed, table=table)


def _static_table(indices: list[int], costs: list[tuple[int, int]]) -> ReleaseTable:
    params, flops = np.array(costs, np.uint64).T
    if (largest := max(params.max(), flops.max())) > _LARGEST_INT:
        raise NotEncodable(
            f"params or FLOPs of {largest}: 0 to {_LARGEST_INT} is allowed in format version 1"
        )
    cells = [[pack_cell(cell) for cell in Architecture(index).arch_vec] for index in indices]
    columns = {
        "model_hash": _hashes(indices),
        "params": IntColumn(params.astype(np.uint32)),
        "flops": IntColumn(flops.astype(np.uint32)),
        "arch_vec": ArchColumn(np.array(cells, np.uint8)),
    }
    return ReleaseTable(kind="info", table=Table(header=new_header("info"), columns=columns))


def _latency_table(device: str, latencies_ms: dict[int, float]) -> ReleaseTable:
    columns = {
        "model_hash": _hashes(list(latencies_ms)),
        "latency": FloatColumn(np.array(list(latencies_ms.values()), np.float64)),
    }
    table = Table(header=new_header("bench", device=device), columns=columns)
    return ReleaseTable(kind="bench", device=device, table=table)


def _hashes(indices: list[int]) -> HashColumn:
    digests = b"".join(hash_table.digest(index) for index in indices)
    return HashColumn(np.frombuffer(digests, np.uint8).reshape(-1, hash_table.DIGEST_BYTES))
