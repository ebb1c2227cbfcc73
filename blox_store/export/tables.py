"""The tables of a release, made block by block from what a snapshot of the store holds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from blox_core.complexity import params_and_flops
from blox_core.space import DISTINCT_CELLS, SPACE_SIZE, STAGES, Architecture, hash_table
from blox_store.errors import ExportRefused, NotEncodable
from blox_store.export.chosen_jobs import ChosenJobs
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
from blox_store.release.names import Kind, file_name
from blox_store.release.summary import TableSummary
from blox_store.release.table import Table
from blox_store.store import CostBlock, EnvironmentBlock, ResultBlock, Run, Snapshot

Block = TypeVar("Block")


@dataclass(frozen=True, kw_only=True, eq=False)
class Source(ABC, Generic[Block]):
    """Blocks of what a snapshot holds of chosen jobs, of which the rows of tables are made."""

    snapshot: Snapshot
    jobs: ChosenJobs

    @abstractmethod
    def blocks(self) -> Generator[Block, None, None]:
        """Yield the blocks; what is not exhausted has to be closed before the snapshot ends."""

    @abstractmethod
    def columns(self, names: Sequence[str], block: Block) -> Mapping[str, Column]:
        """Return the columns of these names of a block's rows."""


class ReleaseTable:
    """One file of a release, but for its format: where its rows come from, and their summary.

    Tables of one source are made of the same blocks, which need to be read only once for all.
    """

    def __init__(self, source: Source[Any], kind: Kind, **facts: Any) -> None:
        self.source = source
        self.kind = kind
        self.header = new_header(kind, **facts)
        self.summary = TableSummary(self.header)

    def file_name(self, format: str) -> str:
        """Return the name of the file in a format."""
        seed, device = self.header.get("seed"), self.header.get("device")
        return file_name(self.kind, seed=seed, device=device, format=format)

    def rows(self, block: Any) -> Table:
        """Return the rows that are made of a block of the source."""
        columns = self.source.columns(self.header["columns"], block)
        return Table(header=self.header, columns=columns)

    def add(self, block: Any) -> None:
        """Take note of the rows that are made of a block of the source, in the first pass."""
        rows = self.rows(block)
        with self.named_in_errors():
            self.summary.add(rows)

    @contextmanager
    def named_in_errors(self) -> Iterator[None]:
        """Name the file in an error about one of its rows."""
        try:
            yield
        except NotEncodable as error:
            stem = self.file_name("blox").removesuffix(".blox")
            raise NotEncodable(
                f"{stem}: {error} (rows are counted from 0 by arch index); nothing written"
            ) from error


def result_tables(snapshot: Snapshot, jobs: ChosenJobs) -> list[ReleaseTable]:
    """Return all tables but those of latencies, not summarised yet.

    Raises ExportRefused if params and FLOPs of finished models are asked for, and some are not in
    the store.
    """
    run = jobs.run
    trainings = _Trainings(snapshot=snapshot, jobs=jobs)
    environments = _Environments(snapshot=snapshot, jobs=jobs)
    costs = _Costs(snapshot=snapshot, jobs=jobs)
    if missing := costs.missing():
        raise ExportRefused(
            f"params and FLOPs of {missing} architectures are not in the store; "
            "run 'blox init' with the run's recipe and seed, which computes them, or export those "
            "of all architectures by --static all"
        )
    facts = {"seed": run.seed, "epochs": run.epochs, "dataset": run.dataset}
    return [
        ReleaseTable(trainings, "base", **facts),
        ReleaseTable(trainings, "ext", **facts),
        ReleaseTable(environments, "env", seed=run.seed),
        ReleaseTable(costs, "info"),
    ]


class _Trainings(Source[ResultBlock]):
    def blocks(self) -> Generator[ResultBlock, None, None]:
        return self.snapshot.results(self.jobs.selection)

    def columns(self, names: Sequence[str], block: ResultBlock) -> Mapping[str, Column]:
        columns = {name: _training_column(name, self.jobs.run, block) for name in names[1:]}
        return {"model_hash": hash_column(block.arch_indices), **columns}


class _Environments(Source[EnvironmentBlock]):
    def blocks(self) -> Generator[EnvironmentBlock, None, None]:
        return self.snapshot.environments(self.jobs.selection)

    def columns(self, names: Sequence[str], block: EnvironmentBlock) -> Mapping[str, Column]:
        indices, environments = block
        columns = {name: StringColumn.of([one[name] for one in environments]) for name in names[1:]}
        return {"model_hash": hash_column(indices), **columns}


class _Costs(Source[CostBlock]):
    def missing(self) -> int:
        """Return of how many architectures params and FLOPs are asked for and not stored."""
        if self.jobs.choice.static == "all":
            return 0
        return self.snapshot.without_costs(self.jobs.selection)

    def blocks(self) -> Generator[CostBlock, None, None]:
        if self.jobs.choice.static == "all":
            yield self._of_all
        else:
            yield from self.snapshot.costs(self.jobs.selection)

    def columns(self, names: Sequence[str], block: CostBlock) -> Mapping[str, Column]:
        return {
            "model_hash": hash_column(block.arch_indices),
            "params": IntColumn(block.params),
            "flops": IntColumn(block.flops),
            "arch_vec": ArchColumn(_cells(block.arch_indices)),
        }

    @cached_property
    def _of_all(self) -> CostBlock:
        """Those in the store, and computed ones of what an ingested release has left out there."""
        shape = self.jobs.run.shape
        params, flops = params_and_flops(shape)
        for index, known in self.snapshot.all_costs(shape).items():
            params[index], flops[index] = known
        return CostBlock(
            arch_indices=np.arange(SPACE_SIZE),
            params=params.astype(np.uint64),
            flops=flops.astype(np.uint64),
        )


def _training_column(name: str, run: Run, block: ResultBlock) -> Column:
    if name == "train_time_s":
        seconds = np.rint(block.train_time_s)  # half to even, as documented
        return IntColumn(seconds.astype(np.uint64))
    split, _, metric = name.partition("_")
    if split == "test":
        values: NDArray[Any] = getattr(block, name)
        absent = ~block.has_test
    else:
        values = block.curves[name]
        absent = np.arange(values.shape[1]) >= block.epochs[:, None]
    if metric == "loss":
        return _losses(values, absent)
    return _accuracies(values, absent, run.images(split))


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


def hash_column(indices: NDArray[np.int64]) -> HashColumn:
    """Return the model hashes of architectures."""
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
