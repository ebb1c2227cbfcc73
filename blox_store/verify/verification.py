"""Checking a release folder: what its manifest says, and whether all formats hold equal values."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from blox_core.errors import ExtraMissing
from blox_core.result.trainer_revision import TORCH
from blox_core.space import SPACE_SIZE
from blox_core.space.index_spans import indices_of
from blox_store.errors import ReleaseCorrupt, ReleaseError, ReleaseMissing
from blox_store.release.columns import Column, NumberColumn
from blox_store.release.known_columns import is_curve
from blox_store.release.names import (
    SEEDED_KINDS,
    SIMULATED_FILE,
    ReleaseFile,
    is_pending,
    scan_folder,
)
from blox_store.release.reader import read_header, read_table
from blox_store.release.table import Table
from blox_store.release_folder.contents import name_fault
from blox_store.release_folder.contradictions import contradictions
from blox_store.release_folder.manifest import (
    MANIFEST_FILE,
    DeviceEntry,
    FileEntry,
    Manifest,
    SeedEntry,
    header_facts,
    read_manifest,
    sha256_of,
)
from blox_store.verify.comparison import first_difference

_STATIC: Final = "blox-info"


@dataclass(frozen=True, kw_only=True)
class VerifiedFile:
    """A file that could be read, and how long that took."""

    name: str
    rows: int
    bytes: int
    load_s: float


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What was found: the readable files, and one line per fault."""

    files: tuple[VerifiedFile, ...]
    faults: tuple[str, ...]
    has_manifest: bool


def verify(folder: Path) -> Verified:
    """Check all files of a release folder, pickles too, which only plain values may be in.

    Raises ReleaseMissing if there is no such folder, or no file of a release in it.
    """
    check = _Check(folder)
    check.run()
    return Verified(
        files=tuple(check.files),
        faults=tuple(check.faults),
        has_manifest=check.manifest is not None,
    )


class _Check:
    """One look at a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found = scan_folder(folder)
        self.files: list[VerifiedFile] = []
        self.faults: list[str] = []
        self.manifest: Manifest | None = None
        self._indices: dict[str, NDArray[np.int32]] = {}  # of each stem, in order

    def run(self) -> None:
        """Fill in files and faults."""
        if is_pending(self.folder):
            self.faults.append(
                "an export was interrupted while it replaced the files: the folder holds a mixture "
                "of two releases until the next export into it, which completes this one"
            )
        elif not self.found and not (self.folder / MANIFEST_FILE).exists():
            raise ReleaseMissing(f"folder {self.folder} holds no file of a release")
        self._read_manifest()
        by_stem: dict[str, list[ReleaseFile]] = defaultdict(list)
        for file in self.found:
            by_stem[file.path.stem].append(file)
        for stem, files in by_stem.items():
            self._check_stem(stem, files)
        self._check_trainings(by_stem)
        if self.manifest is not None:
            self._check_against(self.manifest)

    def _read_manifest(self) -> None:
        try:
            self.manifest = read_manifest(self.folder)
        except ReleaseCorrupt as error:
            self.faults.append(str(error))

    def _check_stem(self, stem: str, files: list[ReleaseFile]) -> None:
        """Check that the formats of one table are readable and equal."""
        first: tuple[str, Table] | None = None
        for file in files:
            table = self._read(file)
            if table is None:
                continue
            if first is None:
                self._indices[stem] = indices = np.sort(table.arch_indices())
                self._check_rows(file, indices)
                first = file.path.name, table
            elif (difference := first_difference(first[1], table)) is not None:
                self.faults.append(f"{file.path.name} and {first[0]} differ: {difference}")

    def _read(self, file: ReleaseFile) -> Table | None:
        begun = time.perf_counter()
        try:
            table = read_table(file.path, allow_pickle=True)
        except (ReleaseError, ExtraMissing) as error:
            self.faults.append(str(error))
            return None
        load_s = time.perf_counter() - begun
        self.files.append(
            VerifiedFile(
                name=file.path.name,
                rows=len(table),
                bytes=file.path.stat().st_size,
                load_s=load_s,
            )
        )
        header = table.header
        if fault := name_fault(file, header):
            self.faults.append(f"{file.path.name} {fault}")
        elif file.kind in ("base", "ext"):
            self._check_curves(file, table)
        return table

    def _check_curves(self, file: ReleaseFile, table: Table) -> None:
        """Check that every list has an item for each epoch."""
        epochs = table.header["epochs"]
        for name, column in table.columns.items():
            if is_curve(name) and not _has_items(column, epochs):
                self.faults.append(
                    f"{file.path.name}: column {name} is not a list of {epochs} numbers a row"
                )

    def _check_rows(self, file: ReleaseFile, indices: NDArray[np.int32]) -> None:
        if (unknown := int((indices < 0).sum())) > 0:
            self.faults.append(f"{file.path.name}: {unknown} model hashes of no architecture")
        if (doubled := len(indices) - len(np.unique(indices))) > 0:
            self.faults.append(f"{file.path.name}: {doubled} rows for architectures that have one")

    def _check_trainings(self, by_stem: dict[str, list[ReleaseFile]]) -> None:
        """Check that all seeds, and base and ext, have the same architectures."""
        stems = [s for s, files in by_stem.items() if files[0].kind in ("base", "ext")]
        known = [stem for stem in stems if stem in self._indices]
        for stem in known[1:]:
            if not np.array_equal(self._indices[stem], self._indices[known[0]]):
                self.faults.append(f"{stem} and {known[0]} have rows for different architectures")

    def _check_against(self, manifest: Manifest) -> None:
        self.faults += [f"{MANIFEST_FILE}: {fault}" for fault in contradictions(manifest)]
        names = {file.path.name for file in self.found}
        listed = {entry.name for entry in manifest.files}
        for name in sorted(names - listed):
            self.faults.append(f"{name} is not in {MANIFEST_FILE}")
        seeds = sorted({file.seed for file in self.found if file.seed is not None})
        if (of_manifest := [seed.seed for seed in manifest.seeds]) != seeds:
            self.faults.append(
                f"there are files of seeds {seeds}, by {MANIFEST_FILE} {of_manifest}"
            )
        for entry in manifest.files:
            self.faults += self._file_faults(entry)
        for seed in manifest.seeds:
            self.faults += self._seed_faults(seed)
        self.faults += self._static_faults(manifest)
        for device in manifest.devices:
            self.faults += self._device_faults(device)
        is_marked = (self.folder / SIMULATED_FILE).exists()
        if is_marked != (manifest.trainings.trainer != TORCH):
            there = "there is a" if is_marked else "there is no"
            self.faults.append(
                f"{there} file {SIMULATED_FILE}, and {MANIFEST_FILE} says trainer "
                f"{manifest.trainings.trainer}"
            )

    def _file_faults(self, entry: FileEntry) -> Iterator[str]:
        path = self.folder / entry.name
        if all(file.path != path for file in self.found):
            yield f"{entry.name} is in {MANIFEST_FILE}, and no file in the folder"
            return
        if (size := path.stat().st_size) != entry.bytes:
            yield f"{entry.name} has {size} bytes, by {MANIFEST_FILE} {entry.bytes}"
        elif (digest := sha256_of(path)) != entry.sha256:
            yield f"{entry.name} has SHA-256 {digest}, by {MANIFEST_FILE} {entry.sha256}"
        read = next((file for file in self.files if file.name == entry.name), None)
        if read is None:
            return
        if read.rows != entry.rows:
            yield f"{entry.name} has {read.rows} rows, by {MANIFEST_FILE} {entry.rows}"
        if header_facts(read_header(path)) != entry.header:
            yield f"{entry.name} has another header than {MANIFEST_FILE} says"

    def _seed_faults(self, seed: SeedEntry) -> Iterator[str]:
        rows = indices_of(seed.indices)
        sets = {name: indices_of(getattr(seed, name)) for name in ("diverged", "failed", "missing")}
        diverged = sets["diverged"] if seed.includes_diverged else np.zeros(0, np.int64)
        sets["succeeded"] = np.setdiff1d(rows, diverged)
        for name, indices in sets.items():
            if seed.counts.get(name) != len(indices):
                yield (
                    f"{MANIFEST_FILE} counts {seed.counts.get(name)} {name} of seed {seed.seed} and "
                    f"lists {len(indices)}"
                )
        together = np.sort(np.concatenate(list(sets.values())))
        if not np.array_equal(together, np.arange(SPACE_SIZE)):
            yield f"{MANIFEST_FILE} does not have each architecture once for seed {seed.seed}"
        for kind in SEEDED_KINDS:
            stem = f"blox-{kind}-{seed.seed}"
            if stem in self._indices and not np.array_equal(self._indices[stem], rows):
                yield f"{stem} has rows for other architectures than {MANIFEST_FILE} says"

    def _static_faults(self, manifest: Manifest) -> Iterator[str]:
        """Params and FLOPs are of the architectures that have rows, or of all there are."""
        found = self._indices.get(_STATIC)
        if found is None or np.array_equal(found, np.arange(SPACE_SIZE)):
            return
        if any(not np.array_equal(found, indices_of(seed.indices)) for seed in manifest.seeds):
            yield (
                f"{_STATIC} has rows for {len(found)} architectures: those that {MANIFEST_FILE} "
                f"says, or all {SPACE_SIZE}, are allowed"
            )

    def _device_faults(self, entry: DeviceEntry) -> Iterator[str]:
        stem = f"blox-bench-{entry.device}"
        rows = self._indices.get(stem)
        for what in ("unstable", "predicted"):
            if rows is not None and not np.isin(indices_of(getattr(entry, what)), rows).all():
                yield f"{stem} has no rows for architectures that {MANIFEST_FILE} says are {what}"


def _has_items(column: Column, items: int) -> bool:
    """Return whether each row is a list of so many numbers."""
    shape = column.array().shape if isinstance(column, NumberColumn) else ()
    return shape == (len(column), items)
