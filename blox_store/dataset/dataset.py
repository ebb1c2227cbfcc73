"""A benchmark release, to be queried by architecture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from blox_core.space import Architecture
from blox_store.dataset.arch_argument import (
    Arch,
    Archs,
    OneArch,
    index_of_graph,
    resolve,
    resolve_one,
)
from blox_store.dataset.benchmarking import LATENCY, BenchmarkingDataset, Devices
from blox_store.dataset.budget import Budget, Simulated, checked_budget
from blox_store.dataset.env_info import EnvInfoDataset
from blox_store.dataset.file_group import FileGroup, Paths, Record, listed, path_list
from blox_store.dataset.lazy_file import ABSENT, HASH, LazyFile
from blox_store.dataset.queries.arrow_table import arrow_table, chosen_sources, joined, pandas_frame
from blox_store.dataset.queries.metrics import TrainingMetrics
from blox_store.dataset.ranking import Ranked, checked_count, checked_query, ranked
from blox_store.dataset.static_info import StaticInfoDataset
from blox_store.dataset.training import TrainingResults
from blox_store.errors import NotInRelease, QueryError

if TYPE_CHECKING:
    import pyarrow

Integers: TypeAlias = NDArray[np.integer[Any]]
Int: TypeAlias = int | Integers | None
G = TypeVar("G", bound=FileGroup[Any])


class Dataset(TrainingMetrics):
    """A release: training results and, where given, latencies, static and environment information.

    `dataset_files` are base files and, for the extended columns, ext files of one or more seeds.
    Headers are read and compared at once; the rows of a file are decoded by the first query that
    needs them, or all of them by `load`. With `validate_data` that also checks that all training
    files hold the same architectures. `rng` (a generator or its seed) draws the seed of queries
    with `seed=None` where several seeds are loaded, else Python's `random`.

    A pickle of it holds the paths of its files and what they have to hold: whoever reads it, on
    another node too, opens the files there again.

    Raises ReleaseMissing, ReleaseCorrupt and ReleaseMismatch about the files; queries raise
    QueryError for what the loaded files cannot answer.
    """

    def __init__(
        self,
        dataset_files: Paths,
        devices_files: Paths | BenchmarkingDataset | None = None,
        static_info: Paths | StaticInfoDataset | None = None,
        env_info: Paths | EnvInfoDataset | None = None,
        validate_data: bool = True,
        *,
        rng: np.random.Generator | int | None = None,
    ) -> None:
        super().__init__(TrainingResults(path_list(dataset_files), validate_data), rng)
        self.bench_info = _opened(BenchmarkingDataset, devices_files, validate_data)
        self.static_info = _opened(StaticInfoDataset, static_info)
        self.env_info = _opened(EnvInfoDataset, env_info, validate_data)
        self.budget = Budget()
        if self.env_info is not None:
            self.env_info.check_seeds(self.seeds)

    @property
    def header(self) -> dict[str, Any]:
        """The header of the first base file, a copy."""
        return self._base.header

    @property
    def version(self) -> int:
        """The version of the release format."""
        return self._base.version

    @property
    def dataset(self) -> str:
        """The name of the data set that the architectures were trained on."""
        return str(self._base.header["dataset"])

    @property
    def epochs(self) -> int:
        """The number of epochs of every training."""
        return self._base.first.epochs

    @property
    def columns(self) -> list[str]:
        """The names of the loaded training columns, `model_hash` first."""
        return self._training.columns

    @property
    def is_extended(self) -> bool:
        """Whether the ext files are loaded."""
        return self._training.ext is not None

    @property
    def is_simulated(self) -> bool:
        """Whether the figures are made up: a file `SIMULATED` lies beside the training files."""
        return self._training.is_simulated

    @property
    def search_space(self) -> list[Any]:
        """The number of choices at each position of an arch vector."""
        return self._base.search_space

    @property
    def ops(self) -> list[str]:
        """The names of the ops, by the numbers in arch vectors."""
        return self._base.ops

    @property
    def nodes(self) -> int:
        """The number of nodes in a cell."""
        return self._base.nodes

    @property
    def stages(self) -> int:
        """The number of stages."""
        return self._base.stages

    @property
    def devices(self) -> list[str]:
        """The names of the devices whose latencies are loaded."""
        return [] if self.bench_info is None else self.bench_info.devices

    @property
    def predicted(self) -> dict[str, int]:
        """The number of latencies that were predicted, not measured, by device."""
        return {} if self.bench_info is None else self.bench_info.predicted

    @property
    def indices(self) -> NDArray[np.int64]:
        """The arch indices of all architectures of the release.

        They are in the order of the rows of the first base file, as iteration and tables have them;
        where seeds hold different architectures, those of further files follow.
        """
        return self._base.indices

    def load(self) -> None:
        """Decode every file now, so that whatever is wrong with one is raised here."""
        parts = (self._base, self._training.ext, self.bench_info, self.static_info, self.env_info)
        for part in parts:
            if part is not None:
                part.load()

    @overload
    def params(self, arch: OneArch) -> int | None: ...
    @overload
    def params(self, arch: Archs) -> Integers: ...
    def params(self, arch: Arch) -> Int:
        """Return the number of parameters, None where absent; of many an array (n,)."""
        return self._static().params(arch)

    @overload
    def flops(self, arch: OneArch) -> int | None: ...
    @overload
    def flops(self, arch: Archs) -> Integers: ...
    def flops(self, arch: Arch) -> Int:
        """Return the FLOPs of one image, None where absent; of many an array (n,).

        They are multiply-accumulate operations, as ptflops counts them.
        """
        return self._static().flops(arch)

    def arch_vec(self, arch: Arch) -> list[Any] | None:
        """Return the canonical arch vector, None where absent; of many a list."""
        return self._static().arch_vec(arch)

    def latency(
        self, arch: Arch, devices: Devices = None, return_dict: bool = False
    ) -> list[Any] | dict[str, Any] | None:
        """Return the latencies by device in milliseconds a batch, see `BenchmarkingDataset.latency`."""
        return self._benchmarks().latency(arch, devices, return_dict)

    @overload
    def full_info(
        self,
        arch: OneArch,
        seed: int | None = ...,
        devices: Devices = ...,
        include_static_info: bool | None = ...,
        include_env_info: bool | None = ...,
        return_dict: Literal[True] = ...,
    ) -> dict[str, Any] | None: ...
    @overload
    def full_info(
        self,
        arch: Arch,
        seed: int | None = ...,
        devices: Devices = ...,
        include_static_info: bool | None = ...,
        include_env_info: bool | None = ...,
        return_dict: bool = ...,
    ) -> Any: ...
    def full_info(
        self,
        arch: Arch,
        seed: int | None = None,
        devices: Devices = None,
        include_static_info: bool | None = None,
        include_env_info: bool | None = None,
        return_dict: bool = True,
    ) -> dict[str, Any] | list[Any] | None:
        """Return all that is known of an architecture, None if the release leaves it out.

        The dict has the training columns, `model_hash`, `seed`, each device's name, `info` and
        `env`; the list their values in this order. None for `devices` or an `include` argument
        means whatever is loaded. Of many architectures a list, None in it for absent ones.
        """
        index = resolve(arch)
        options = (seed, devices, include_static_info, include_env_info, return_dict)
        if not isinstance(index, int):
            return [self.full_info(one, *options) for one in index.tolist()]
        return self._info(index, *options)

    def full_info_by_graph(
        self,
        graph: Any,
        seed: int | None = None,
        devices: Devices = None,
        include_static_info: bool | None = None,
        include_env_info: bool | None = None,
        return_dict: bool = True,
    ) -> Any:
        """Return `full_info` of the architecture that has a graph, None if there is none.

        `graph` is what `get_model_graph` returns, or its first element; the other arguments are
        those of `full_info`. Raises ArchitectureError for what is no graph.
        """
        index = index_of_graph(graph)
        options = (seed, devices, include_static_info, include_env_info, return_dict)
        return None if index is None else self.full_info(index, *options)

    def best(self, k: int, by: str = "val_acc", **options: Any) -> Ranked:
        """Return the arch indices and values of the k best architectures, the best one first.

        `by` is a query of numbers (`val_acc`, `test_loss`, `params`, …) and `options` are its
        arguments: `epoch`, `best`, `seed`, `devices`. Losses, times, params, FLOPs and latencies
        are better where they are smaller. Of equal values the smaller arch index comes first; NaN
        comes last. There are fewer than k where the release has fewer. Raises QueryError where
        several seeds or devices are loaded and none is given.
        """
        count, query = checked_count(k), checked_query(by)
        if "return_dict" in options:
            raise QueryError("best by a query with return_dict: leave it out")
        indices = np.sort(self._indices_with(query, options))
        values = getattr(self, query)(indices, **options)
        return ranked(indices, values[0] if query == "latency" else values, query, count)

    def simulate(
        self,
        arch: Arch,
        epochs: int | None = None,
        seed: int | None = None,
        budget: Budget | None = None,
    ) -> Simulated:
        """Return what a training of `epochs` epochs (None: all) gives, and charge its time.

        Every call is a training from scratch. The accuracy is that after the last epoch, not the
        best one. `budget` is charged, or that of the data set, which has no limit. Raises
        BudgetSpent where less is left of it, NotInRelease for an absent architecture; neither is
        charged.
        """
        charged = self.budget if budget is None else checked_budget(budget)
        index = resolve_one(arch)
        chosen = self._seed(seed, index)
        val_acc: Any = self.val_acc(index, epochs, best=False, seed=chosen)
        if val_acc is None:
            raise NotInRelease(f"arch index {index} cannot be trained: the release leaves it out")
        seconds: Any = self.train_time(index, epochs, chosen)
        return Simulated(val_acc, seconds, charged.charge(seconds), chosen)

    def to_arrow(
        self, columns: Sequence[str] | None = None, seed: int | None = None
    ) -> pyarrow.Table:
        """Return the data set as a table of Apache Arrow, a row for each architecture and seed.

        `arch_index`, `model_hash` and `seed` are followed by the columns of all loaded files, those
        of latencies as `latency_DEVICE`, or by those that `columns` names; rows are in order of the
        seeds (all, or the one given), and for each in that of `indices`. Curves are lists of fixed size; a value
        is null where its file leaves the architecture out. Raises ExtraMissing without pyarrow,
        QueryError for unknown columns and seeds.
        """
        seeds = self.seeds if seed is None else [self._training.checked_seed(seed)]
        return joined(
            arrow_table(self._indices_of(one), one, chosen_sources(self._sources(one), columns))
            for one in seeds
        )

    def to_pandas(self, columns: Sequence[str] | None = None, seed: int | None = None) -> Any:
        """Return the table of `to_arrow` as a pandas DataFrame; curves are NumPy arrays in it.

        Raises ExtraMissing without pandas or pyarrow.
        """
        return pandas_frame(self.to_arrow(columns, seed))

    def _indices_of(self, seed: int) -> NDArray[np.int64]:
        """Return the architectures of a seed in the order of `indices`."""
        indices = self.indices
        there: NDArray[np.int64] = indices[self._base.files[seed].row_of[indices] != ABSENT]
        return there

    def _indices_with(self, query: str, options: Mapping[str, Any]) -> NDArray[np.int64]:
        """Return the architectures that a query gives numbers of, with these options."""
        if query in ("params", "flops"):
            return np.intersect1d(self.indices, self._static().indices)
        if query == "latency":
            bench = self._benchmarks()
            devices = bench.chosen(options.get("devices"))
            if len(devices) != 1:
                raise QueryError(f"best by latency on {devices}: give one of them, devices=…")
            return np.intersect1d(self.indices, bench.files[devices[0]].indices)
        if options.get("seed") is None and len(self.seeds) > 1:
            raise QueryError(f"best by {query} of the seeds {self.seeds}: give one of them, seed=…")
        return self._base.files[self._seed(options.get("seed"), 0)].indices.astype(np.int64)

    def _sources(self, seed: int) -> dict[str, tuple[LazyFile, str]]:
        """Return where the columns of a table of one seed come from."""
        found: dict[str, tuple[LazyFile, str]] = {}
        parts = (self._base, self._training.ext, self.static_info, self.env_info)
        for part in parts:
            if part is not None:
                file = part.files[None if part.named_by is None else seed]
                found |= {name: (file, name) for name in part.columns if name != HASH}
        for device in self.devices:
            found[f"{LATENCY}_{device}"] = self._benchmarks().files[device], LATENCY
        return found

    def _info(
        self,
        index: int,
        seed: int | None,
        devices: Devices,
        static: bool | None,
        env: bool | None,
        return_dict: bool,
    ) -> dict[str, Any] | list[Any] | None:
        chosen_seed = self._seed(seed, index)
        latencies = self._latencies(index, devices)
        attached: dict[str, Record | None] = {}
        if static or (static is None and self.static_info is not None):
            attached["info"] = self._static().first.record(index)
        if env or (env is None and self.env_info is not None):
            attached["env"] = self._environments().env(index, chosen_seed)
        training = self._training.record(index, chosen_seed)
        if training is None:
            return None
        model_hash = Architecture(index).model_hash
        if return_dict:
            own = {"model_hash": model_hash, "seed": chosen_seed}
            return {**training, **own, **latencies, **attached}
        others = map(listed, (*latencies.values(), *attached.values()))
        return [model_hash, *training.values(), chosen_seed, *others]

    def _latencies(self, index: int, devices: Devices) -> Mapping[str, Any]:
        if self.bench_info is None and (devices is None or devices is False):
            return {}
        bench = self._benchmarks()
        return {name: bench.files[name].record(index) for name in bench.chosen(devices)}

    def _benchmarks(self) -> BenchmarkingDataset:
        return _loaded(self.bench_info, "latency", "from_folder(folder, devices=None)")

    def _static(self) -> StaticInfoDataset:
        return _loaded(
            self.static_info, "static info", "from_folder(folder, include_static_info=True)"
        )

    def _environments(self) -> EnvInfoDataset:
        return _loaded(self.env_info, "environment", "from_folder(folder, include_env_info=True)")

    def __repr__(self) -> str:
        """Say what is loaded; the architectures are counted once a query has decoded a file."""
        facts = {
            self.dataset: True,
            f"{self._base.first.decoded_rows} architectures": self._base.first.decoded_rows,
            f"{self.epochs} epochs": True,
            f"seeds {self.seeds}": True,
            "ext": self.is_extended,
            "static info": self.static_info is not None,
            "environments": self.env_info is not None,
            f"latencies on {self.devices}": self.devices,
            f"predicted latencies {self.predicted}": self.predicted,
            "SIMULATED figures": self.is_simulated,
        }
        return f"<Dataset: {', '.join(fact for fact, holds in facts.items() if holds)}>"

    def __contains__(self, arch: Arch) -> bool:
        """Whether the release has one architecture; what denotes none is in no release."""
        return arch in self._base

    def __len__(self) -> int:
        return len(self._base)

    def __iter__(self) -> Iterator[list[Any]]:
        return (self[index] for index in self.indices)

    def __getitem__(self, arch: Arch) -> list[Any]:
        """Return `[model_hash, training rows by seed, static rows, latency rows, env rows]`.

        None in place of a part that is not loaded. Raises NotInRelease for an absent architecture.
        """
        index = resolve_one(arch)
        model_hash, _ = self._base[index]
        training = [listed(self._training.record(index, seed)) for seed in self.seeds]
        others = (self.static_info, self.bench_info, self.env_info)
        rows = [None if part is None else part.rows(index) for part in others]
        return [model_hash, training, *rows]


def _opened(kind: type[G], files: Any, *options: Any) -> G | None:
    """Return the group of files of a kind; of None or no files, None."""
    if files is None or isinstance(files, kind):
        return files
    return kind(files, *options) if files else None


def _loaded(part: G | None, what: str, how: str) -> G:
    if part is None:
        raise QueryError(f"no {what} files are loaded: load them, {how}")
    return part
