"""The tables of a release, made block by block from the rows of a store."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from blox_core.complexity import params_and_flops
from blox_core.errors import LatencyError
from blox_core.space import DISTINCT_CELLS, SPACE_SIZE, STAGES, Architecture, hash_table
from blox_store.errors import ExportRefused
from blox_store.export.latencies import Prediction, completed, unpredicted
from blox_store.release.columns import (
    ArchColumn,
    Column,
    CountColumn,
    FloatColumn,
    HashColumn,
    IntColumn,
    MillionthsColumn,
    StringColumn,
    pack_cell,
)
from blox_store.release.header import new_header
from blox_store.release.known_columns import COLUMNS
from blox_store.release.names import Kind
from blox_store.release.summary import TableSummary
from blox_store.release.table import Table
from blox_store.store import CostBlock, LatencyBlock, ResultBlock, Run, Selection, Snapshot

_LARGEST_INT: Final = 2**32 - 1
_SHAPE_FIELDS: Final = ("stem_channels", "classes", "resolution")

# One that is not exhausted has to be closed before the snapshot ends: it holds a cursor.
Rows: TypeAlias = Generator[Table, None, None]
# Of which architectures there are params and FLOPs: those with rows, or all 91,125.
Static: TypeAlias = Literal["finished", "all"]


@dataclass(frozen=True, kw_only=True)
class ReleaseTable:
    """One file of a release, but for its format: what it is, and how its rows are streamed.

    Of latencies also what of them is predicted, or in words why predictions that were asked for
    could not be made.
    """

    kind: Kind
    seed: int | None = None
    device: str | None = None
    header: Mapping[str, Any]
    blocks: Callable[[], Rows]
    summary: TableSummary
    prediction: Prediction | None = None
    unpredicted: str | None = None


@dataclass(frozen=True, kw_only=True)
class RunSource:
    """Results of a run in a snapshot of the store, from which tables are made."""

    snapshot: Snapshot
    selection: Selection
    static: Static = "finished"
    predicted: bool = False

    @property
    def run(self) -> Run:
        """The run."""
        return self.selection.run

    @property
    def shape(self) -> dict[str, int]:
        """What params and FLOPs depend on, besides the architecture."""
        return {name: self.run.recipe[name] for name in _SHAPE_FIELDS}

    def results(self) -> Generator[ResultBlock, None, None]:
        """Yield the results with curves of all epochs of the recipe."""
        return self.snapshot.results(self.selection)

    def costs(self) -> Iterator[CostBlock]:
        """Yield arch indices, params and FLOPs in blocks."""
        if self.static == "all":
            yield self._costs_of_all
        else:
            yield from self.snapshot.costs(self.selection, self.shape)

    @cached_property
    def _costs_of_all(self) -> CostBlock:
        """Those in the store, and computed ones of what an ingested release has left out there."""
        shape = self.shape
        params, flops = params_and_flops(
            shape["classes"], shape["stem_channels"], shape["resolution"]
        )
        for index, known in self.snapshot.all_costs(shape).items():
            params[index], flops[index] = known
        return CostBlock(
            arch_indices=np.arange(SPACE_SIZE),
            params=params.astype(np.uint64),
            flops=flops.astype(np.uint64),
        )


def release_tables(source: RunSource) -> list[ReleaseTable]:
    """Return the tables of results of a run, and of latencies, not summarised yet.

    Raises ExportRefused if params and FLOPs of finished models are asked for, and some are not in
    the store, and if predicted latencies are asked for, and none of any device can be.
    """
    run = source.run
    if source.static == "finished":
        _check_costs(source)
    facts = {"seed": run.seed, "epochs": run.recipe["epochs"], "dataset": run.dataset}
    tables = [
        _table("base", lambda header: _trainings(source, header), **facts),
        _table("ext", lambda header: _trainings(source, header), **facts),
        _table("env", lambda header: _environments(source, header), seed=run.seed),
        _table("info", lambda header: _costs(source, header)),
    ]
    return tables + _latency_tables(source)


def _check_costs(source: RunSource) -> None:
    if missing := source.snapshot.without_costs(source.selection, source.shape):
        raise ExportRefused(
            f"params and FLOPs of {missing} architectures are not in the store; "
            "run 'blox init' with the run's recipe and seed, which computes them, or export those "
            "of all architectures by --static all"
        )


def training_block(header: Mapping[str, Any], run: Run, block: ResultBlock) -> Table:
    """Return the rows of a base or an ext file, whichever the header is of."""
    columns: dict[str, Column] = {"model_hash": _hashes(block.arch_indices)}
    for name in header["columns"][1:]:
        columns[name] = _training_column(name, run, block)
    return Table(header=header, columns=columns)


def _table(kind: Kind, rows: Callable[[Mapping[str, Any]], Rows], **facts: Any) -> ReleaseTable:
    header = new_header(kind, **facts)
    return ReleaseTable(
        kind=kind,
        seed=facts.get("seed"),
        device=facts.get("device"),
        header=header,
        blocks=lambda: rows(header),
        summary=TableSummary(header),
    )


def _trainings(source: RunSource, header: Mapping[str, Any]) -> Rows:
    for block in source.results():
        yield training_block(header, source.run, block)


def _training_column(name: str, run: Run, block: ResultBlock) -> Column:
    if name == "train_time_s":
        return _ints(np.rint(block.train_time_s))  # half to even, as documented
    split, _, metric = name.partition("_")
    if split == "test":
        values: NDArray[Any] = getattr(block, name)
        absent = ~block.has_test
    else:
        values = block.curves[name]
        absent = np.arange(values.shape[1]) >= block.epochs[:, None]
    if metric == "loss":
        return _losses(values, absent)
    return _accuracies(values, absent, run.recipe[f"{split}_images"])


def _losses(values: NDArray[Any], absent: NDArray[np.bool_]) -> Column:
    if values.dtype.kind == "f":
        return FloatColumn(np.where(absent, np.nan, values))
    column = MillionthsColumn(values)
    return FloatColumn(np.where(absent, np.nan, column.floats())) if absent.any() else column


def _accuracies(counts: NDArray[Any], absent: NDArray[np.bool_], images: int) -> Column:
    column = CountColumn(counts, images)
    if not absent.any() or counts.max() > images:  # which whoever takes the column refuses
        return column
    return FloatColumn(np.where(absent, np.nan, column.floats()))


def _environments(source: RunSource, header: Mapping[str, Any]) -> Rows:
    environments = source.snapshot.environments()
    for indices, ids in source.snapshot.environment_ids(source.selection):
        columns: dict[str, Column] = {"model_hash": _hashes(indices)}
        for name in COLUMNS["env"][1:]:
            columns[name] = StringColumn.of([environments[id][name] for id in ids])
        yield Table(header=header, columns=columns)


def _costs(source: RunSource, header: Mapping[str, Any]) -> Rows:
    for indices, params, flops in source.costs():
        columns = {
            "model_hash": _hashes(indices),
            "params": _ints(params),
            "flops": _ints(flops),
            "arch_vec": ArchColumn(_cells(indices)),
        }
        yield Table(header=header, columns=columns)


def _latency_tables(source: RunSource) -> list[ReleaseTable]:
    devices = source.snapshot.devices()
    if not source.predicted:
        return [_measured_table(source, device) for device in devices]
    if not devices:
        raise ExportRefused(
            "the store has no latency from which others could be predicted; measure some, as "
            "'blox init-latency --help' says, or leave --predicted out"
        )
    here = {run.dataset for run in source.snapshot.runs() if run.measures}
    tables = [_completed_table(source, device, device in here) for device in devices]
    refusals = [table.unpredicted for table in tables if table.unpredicted is not None]
    if len(refusals) == len(tables):
        raise ExportRefused(f"{'; '.join(refusals)}; or leave --predicted out")
    return tables


def _measured(source: RunSource, device: str, indices: range) -> Iterator[LatencyBlock]:
    return source.snapshot.latencies(device, indices)


def _measured_table(source: RunSource, device: str) -> ReleaseTable:
    def rows(header: Mapping[str, Any]) -> Rows:
        return _latencies(header, _measured(source, device, source.selection.indices))

    return _table("bench", rows, device=device)


def _completed_table(source: RunSource, device: str, measured_here: bool) -> ReleaseTable:
    """Return the table with all others predicted; with measured ones alone where that cannot be."""
    measured = _measured(source, device, range(SPACE_SIZE))
    try:
        rows, prediction = completed(measured, source.selection.indices)
    except LatencyError as error:
        told = unpredicted(device, str(error), measured_here=measured_here)
        return replace(_measured_table(source, device), unpredicted=told)
    if prediction is None:
        return _measured_table(source, device)
    facts = {"device": device, "predicted": len(prediction.indices)}
    table = _table("bench", lambda header: _latencies(header, iter([rows])), **facts)
    return replace(table, prediction=prediction)


def _latencies(header: Mapping[str, Any], blocks: Iterator[LatencyBlock]) -> Rows:
    for indices, latencies_ms in blocks:
        columns = {"model_hash": _hashes(indices), "latency": FloatColumn(latencies_ms)}
        yield Table(header=header, columns=columns)


def _ints(values: NDArray[Any]) -> IntColumn:
    is_large = values.size and values.max() > _LARGEST_INT
    return IntColumn(values.astype(np.uint64 if is_large else np.uint32))


def _hashes(indices: NDArray[np.int64]) -> HashColumn:
    digests = np.frombuffer(hash_table.load(), np.uint8).reshape(-1, hash_table.DIGEST_BYTES)
    return HashColumn(digests[indices])


def _cells(indices: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the bytes of three cells for each architecture: uint8 (rows, 3)."""
    places = [indices // DISTINCT_CELLS**stage % DISTINCT_CELLS for stage in range(STAGES)]
    cells: NDArray[np.uint8] = _packed_cells()[np.stack(places, axis=1)]
    return cells


@cache
def _packed_cells() -> NDArray[np.uint8]:
    cells = [Architecture(number).arch_vec[0] for number in range(DISTINCT_CELLS)]
    return np.array([pack_cell(cell) for cell in cells], np.uint8)
