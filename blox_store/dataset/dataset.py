"""A benchmark release, to be queried by architecture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from blox_core.space import Architecture
from blox_store.dataset.arch_argument import Arch, resolve, resolve_one
from blox_store.dataset.benchmarking import BenchmarkingDataset, Devices
from blox_store.dataset.env_info import EnvInfoDataset
from blox_store.dataset.file_group import FileGroup, Paths, listed, path_list
from blox_store.dataset.full_info import FullInfo
from blox_store.dataset.graph_argument import index_of_graph
from blox_store.dataset.metrics import TrainingMetrics
from blox_store.dataset.static_info import StaticInfoDataset
from blox_store.dataset.training import TrainingResults
from blox_store.errors import QueryError

Int: TypeAlias = int | NDArray[np.int64] | None
G = TypeVar("G", bound=FileGroup[Any])


class Dataset(TrainingMetrics):
    """A release: training results and, where given, latencies, static and environment information.

    `dataset_files` are base files and, for the extended columns, ext files of one or more seeds.
    Headers are read and compared at once; the rows of a file are decoded by the first query that
    needs them, or all of them by `load`. With `validate_data` that also checks that all training
    files hold the same architectures. `rng` (a generator or its seed) draws the seed of queries
    with `seed=None` where several seeds are loaded.

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
    def search_space(self) -> list[Any]:
        """The number of choices at each position of an arch vector."""
        return self._base.search_space

    @property
    def ops(self) -> list[str]:
        """The names of the ops, by the numbers in arch vectors."""
        return list(self._base.header["search_space"]["ops"])

    @property
    def nodes(self) -> int:
        """The number of nodes in a cell."""
        return int(self._base.header["search_space"]["nodes"])

    @property
    def stages(self) -> int:
        """The number of stages."""
        return int(self._base.header["search_space"]["stages"])

    @property
    def devices(self) -> list[str]:
        """The names of the devices whose latencies are loaded."""
        return [] if self.bench_info is None else self.bench_info.devices

    @property
    def indices(self) -> NDArray[np.int64]:
        """The arch indices of all architectures of the release, in the file's order."""
        return self._base.indices

    def load(self) -> None:
        """Decode every file now, so that whatever is wrong with one is raised here."""
        parts = (self._base, self._training.ext, self.bench_info, self.static_info, self.env_info)
        for part in parts:
            if part is not None:
                part.load()

    def params(self, arch: Arch) -> Int:
        """Return the number of parameters, None where absent; of many an array (n,)."""
        return self._static().params(arch)

    def flops(self, arch: Arch) -> Int:
        """Return the FLOPs of one image, None where absent; of many an array (n,)."""
        return self._static().flops(arch)

    def arch_vec(self, arch: Arch) -> list[Any] | None:
        """Return the canonical arch vector, None where absent; of many a list."""
        return self._static().arch_vec(arch)

    def latency(
        self, arch: Arch, devices: Devices = None, return_dict: bool = False
    ) -> list[Any] | dict[str, Any] | None:
        """Return the latencies by device, see `BenchmarkingDataset.latency`."""
        return self._benchmarks().latency(arch, devices, return_dict)

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
        info = self._info(index, *options[:-1])
        if info is None:
            return None
        return info.as_dict() if return_dict else info.as_list()

    def full_info_by_graph(self, graph: Any, *args: Any, **kwargs: Any) -> Any:
        """Return `full_info` of the architecture that has a graph, None if there is none.

        `graph` is what `get_model_graph` returns, or its first element; the other arguments are
        those of `full_info`. Raises ArchitectureError for what is no graph.
        """
        index = index_of_graph(graph)
        return None if index is None else self.full_info(index, *args, **kwargs)

    def _info(
        self,
        index: int,
        seed: int | None,
        devices: Devices,
        static: bool | None,
        env: bool | None,
    ) -> FullInfo | None:
        chosen_seed = self._seed(seed)
        latencies = self._latencies(index, devices)
        attached = {}
        if static or (static is None and self.static_info is not None):
            attached["info"] = self._static().first.record(index)
        if env or (env is None and self.env_info is not None):
            attached["env"] = self._environments().env(index, chosen_seed)
        training = self._training.record(index, chosen_seed)
        if training is None:
            return None
        return FullInfo(
            model_hash=Architecture(index).model_hash,
            seed=chosen_seed,
            training=training,
            latencies=latencies,
            attached=attached,
        )

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

    def __contains__(self, arch: Arch) -> bool:
        """Whether the release has one architecture; what denotes none is in no release."""
        return arch in self._base

    def __len__(self) -> int:
        return len(self._base)

    def __iter__(self) -> Iterator[list[Any]]:
        return (self[index] for index in self._base.first.indices)

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
