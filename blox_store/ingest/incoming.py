"""A release that is to enter a store: its tables, and what its manifest says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from blox_core.recipe import Recipe
from blox_core.result.trainer_revision import TORCH, UNKNOWN_REVISION
from blox_core.space.index_spans import indices_of
from blox_store.errors import IngestRefused, PickleNotAllowed
from blox_store.release.names import (
    QUICKEST_FIRST,
    SIMULATED_FILE,
    Kind,
    ReleaseFile,
    is_pending,
    scan_folder,
)
from blox_store.release.reader import read_header, read_table
from blox_store.release.table import Table
from blox_store.release_folder.contents import Content, content_of, name_fault, stem
from blox_store.release_folder.contradictions import contradictions
from blox_store.release_folder.manifest import (
    MANIFEST_FILE,
    Manifest,
    Trainings,
    read_manifest,
    sha256_of,
)
from blox_store.store import JobState, MeasuredDevice


class IncomingRelease:
    """A release that is to enter a store: each table in the quickest format that is there.

    `recipe` and `trainer_revision` are for a release without a manifest; with `allow_pickle`,
    pickles are read where there is no other format. Raises ReleaseMissing if there is no such
    folder, and IngestRefused for one that does not say how it was trained.
    """

    def __init__(
        self,
        folder: Path,
        *,
        recipe: Recipe | None = None,
        trainer_revision: int | None = None,
        allow_pickle: bool = False,
    ) -> None:
        self._folder = folder
        self._allow_pickle = allow_pickle
        if is_pending(folder):
            raise IngestRefused(
                f"folder {folder} holds a mixture of two releases, for an export was interrupted "
                "while it replaced the files; export into it again"
            )
        self._paths: dict[Content, Path] = {}
        for file in sorted(scan_folder(folder), key=lambda file: QUICKEST_FIRST.index(file.format)):
            if content_of(file) not in self._paths:
                _check_name(file)
                self._paths[content_of(file)] = file.path
        self.seeds = sorted(
            int(key) for kind, key in self._paths if kind == "base" and key is not None
        )
        if not self.seeds:
            raise IngestRefused(
                f"folder {folder} has no blox-base-SEED: there is nothing to ingest"
            )
        self._manifest = self._read_manifest(recipe, trainer_revision)
        self.trainings = self._manifest.trainings

    def table(self, kind: Kind, key: int | str | None = None) -> Table:
        """Return a table, its rows by arch index."""
        name, path = stem((kind, key)), self._paths.get((kind, key))
        if path is None:
            raise IngestRefused(f"folder {self._folder} has no {name}, which the store needs")
        try:
            table = read_table(path, allow_pickle=self._allow_pickle)
        except PickleNotAllowed as error:
            raise IngestRefused(
                f"folder {self._folder} has {name} as a pickle only; allow it by --allow-pickle"
            ) from error
        return _by_index(path, table)

    def _read_manifest(self, recipe: Recipe | None, trainer_revision: int | None) -> Manifest:
        """Return the manifest, or one that says no more than the caller where there is none."""
        manifest = read_manifest(self._folder)
        if manifest is None:
            trainings = self._trainings(recipe, trainer_revision)
            return Manifest(trainings=trainings, seeds=(), devices=(), files=())
        if recipe is not None or trainer_revision is not None:
            raise IngestRefused(
                f"folder {self._folder} has a {MANIFEST_FILE} that says how its models were "
                "trained; leave out --recipe and --trainer-revision"
            )
        self._check(manifest)
        return manifest

    def _trainings(self, recipe: Recipe | None, trainer_revision: int | None) -> Trainings:
        """Return how the release was trained, by what the caller says."""
        if (self._folder / SIMULATED_FILE).exists():
            raise IngestRefused(
                f"folder {self._folder} is of a simulated release and has no {MANIFEST_FILE}"
            )
        if recipe is None:
            raise IngestRefused(
                f"folder {self._folder} has no {MANIFEST_FILE} that says how its models were "
                "trained; name the recipe by --recipe, such as cifar100"
            )
        for seed in self.seeds:
            header = read_header(self._paths["base", seed])
            if header["dataset"] != recipe.dataset:
                raise IngestRefused(
                    f"folder {self._folder} is of the data set {header['dataset']!r}, the recipe of "
                    f"{recipe.dataset!r}"
                )
            recipe = replace(recipe, epochs=header["epochs"])
        return Trainings(
            dataset=recipe.dataset,
            trainer=TORCH,
            trainer_revision=UNKNOWN_REVISION if trainer_revision is None else trainer_revision,
            recipe_fingerprint=recipe.fingerprint,
            recipe=recipe.to_dict(),
        )

    def _check_digests(self, manifest: Manifest) -> None:
        """Refuse a file that is to be read and is not the one that the manifest describes."""
        listed = {entry.name: entry.sha256 for entry in manifest.files}
        for path in self._paths.values():
            if listed.get(path.name) != sha256_of(path):
                raise IngestRefused(
                    f"{path} is not the file that {MANIFEST_FILE} describes; see what else is not "
                    f"by 'python -m blox_store.verify {self._folder}'"
                )

    def _check(self, manifest: Manifest) -> None:
        """Refuse a release that is not as its manifest says."""
        trainer = manifest.trainings.trainer
        for fault in contradictions(manifest):
            raise IngestRefused(f"{self._folder / MANIFEST_FILE}: {fault}")
        is_marked = (self._folder / SIMULATED_FILE).exists()
        if is_marked != (trainer != TORCH):
            raise IngestRefused(
                f"folder {self._folder} has {'a' if is_marked else 'no'} file {SIMULATED_FILE}, and "
                f"its {MANIFEST_FILE} says trainer {trainer}"
            )
        if (listed := [seed.seed for seed in manifest.seeds]) != self.seeds:
            raise IngestRefused(
                f"folder {self._folder} has seeds {self.seeds}, its {MANIFEST_FILE} {listed}"
            )
        self._check_digests(manifest)

    def costs(self) -> dict[int, tuple[int, int]]:
        """Return params and FLOPs by arch index."""
        table = self.table("info")
        params, flops = (self._values(table, "info", name) for name in ("params", "flops"))
        indices = table.arch_indices().tolist()
        return dict(zip(indices, zip(params, flops, strict=True), strict=True))

    def _values(self, table: Table, name: str, column: str) -> list[Any]:
        """Return the values of a column that the store needs, and the format may leave out."""
        if column not in table.columns:
            raise IngestRefused(f"folder {self._folder} has a blox-{name} without {column}")
        return table.columns[column].values()

    def latencies(self) -> dict[str, dict[int, float]]:
        """Return measured latencies in milliseconds by device and arch index."""
        found = {}
        left_out = self.predicted()
        for kind, device in self._paths:
            if kind == "bench" and device not in left_out:
                table = self.table(kind, device)
                values = self._values(table, f"bench-{device}", "latency")
                of_device = dict(zip(table.arch_indices().tolist(), values, strict=True))
                for index in self._predicted_indices(str(device)):
                    of_device.pop(index, None)
                found[str(device)] = of_device
        return found

    def _predicted_indices(self, device: str) -> list[int]:
        entries = self._manifest.devices
        listed = (entry.predicted for entry in entries if entry.device == device)
        return [int(index) for index in indices_of(next(listed, ""))]

    def devices(self) -> dict[str, MeasuredDevice]:
        """Return how the latencies were measured, by device, where the manifest says it."""
        return {
            entry.device: MeasuredDevice(
                name=entry.device,
                protocol=entry.protocol,
                protocol_fingerprint=entry.protocol_fingerprint,
                identities=tuple(entry.identities),
                unstable=tuple(indices_of(entry.unstable).tolist()),
            )
            for entry in self._manifest.devices
            if entry.has_protocol
        }

    def predicted(self) -> list[str]:
        """Return the devices of which some latencies are predicted, nobody can tell which."""
        benches = [str(device) for kind, device in self._paths if kind == "bench"]
        return [
            device
            for device in benches
            if "predicted" in read_header(self._paths["bench", device])
            and not self._predicted_indices(device)
        ]

    def diverged(self, seed: int) -> frozenset[int]:
        """Return the architectures of a seed that diverged, as the manifest has them."""
        return frozenset(self._listed(seed, "diverged"))

    def without_rows(self, seed: int) -> Mapping[JobState, list[int]]:
        """Return the jobs of a seed that ended and have no rows."""
        rows = set(self._listed(seed, "indices"))
        return {
            state: [index for index in self._listed(seed, state.value) if index not in rows]
            for state in (JobState.DIVERGED, JobState.FAILED)
        }

    def _listed(self, seed: int, name: str) -> list[int]:
        for entry in self._manifest.seeds:
            if entry.seed == seed:
                return [int(index) for index in indices_of(getattr(entry, name))]
        return []


def _check_name(file: ReleaseFile) -> None:
    if fault := name_fault(file, read_header(file.path)):
        raise IngestRefused(
            f"{file.path} {fault}; see what else is wrong by 'python -m blox_store.verify "
            f"{file.path.parent}'"
        )


def _by_index(path: Path, table: Table) -> Table:
    indices = table.arch_indices()
    if (indices < 0).any():
        raise IngestRefused(f"{path} has a model hash that no architecture has")
    if len(np.unique(indices)) < len(indices):
        raise IngestRefused(f"{path} has two rows of one architecture")
    return table.take(np.argsort(indices))
