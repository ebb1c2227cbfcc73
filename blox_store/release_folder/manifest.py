"""`manifest.json`: what is in a release folder, how it was trained, and the digests of its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from math import inf
from pathlib import Path
from types import NoneType
from typing import Any, Final

import numpy as np

from blox_core.space import SPACE_SIZE
from blox_core.space.index_spans import indices_of, spans
from blox_store.errors import ReleaseCorrupt
from blox_store.release.reader import read_header

MANIFEST_FILE: Final = "manifest.json"
SCHEMA_VERSION: Final = 1
UNITS: Final[Mapping[str, str]] = {
    "flops": "multiply-accumulates",
    "latency": "ms",
    "params": "parameters",
    "test_top1": "percent",
    "train_time_s": "s",
    "val_top1": "percent",
}
_MAX_BYTES: Final = 64 * 1024 * 1024
_BIG_HEADER_KEYS: Final = ("search_space", "column_types")
_SPANS: Final = ("indices", "diverged", "failed", "missing")


@dataclass(frozen=True, kw_only=True)
class Trainings:
    """How all trainings of a release were made: what no two seeds of it may differ in."""

    dataset: str
    trainer: str
    trainer_revision: int
    recipe_fingerprint: str
    recipe: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class SeedEntry:
    """What the release has of one seed; sets of arch indices are text such as `0-9,77`.

    `indices` have rows in the files. Each of the 91,125 architectures is in exactly one of those
    that succeeded, `diverged`, `failed` and `missing`; `counts` are the sizes of the four.
    Diverged ones have rows, padded with NaN, if `includes_diverged`.
    """

    seed: int
    code_version: str
    environments: int
    includes_diverged: bool
    counts: Mapping[str, int]
    indices: str
    diverged: str
    failed: str
    missing: str


@dataclass(frozen=True, kw_only=True)
class DeviceEntry:
    """How the latencies on a device were measured, and by which hardware and libraries.

    `unstable` are arch indices, as text, of measurements that were not stable; `predicted` those of
    latencies that were predicted, and `prediction_error_percent` is the predictor's error, None
    without them; in older manifests neither is there. An empty protocol, and fingerprint, stand for
    one that nobody knows.
    """

    device: str
    protocol_fingerprint: str
    protocol: Mapping[str, Any]
    identities: Sequence[Mapping[str, Any]]
    unstable: str
    predicted: str = ""
    prediction_error_percent: float | None = None

    @property
    def has_protocol(self) -> bool:
        """Whether it is known how the latencies were measured."""
        return bool(self.protocol or self.protocol_fingerprint)


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """One data file; `header` is its header without what is large and the same in all files."""

    name: str
    bytes: int
    sha256: str
    rows: int
    header: Mapping[str, Any]

    @property
    def device(self) -> str | None:
        """The device of whose latencies the file is, if of any."""
        name = self.header.get("device")
        return name if isinstance(name, str) else None


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """All of a release folder; seeds, devices and files stand in order.

    A device of which nobody knows how it was measured has files, and no entry unless some of its
    latencies are predicted.
    """

    trainings: Trainings
    seeds: tuple[SeedEntry, ...]
    devices: tuple[DeviceEntry, ...]
    files: tuple[FileEntry, ...]

    def with_export(
        self, seed: SeedEntry, files: Sequence[FileEntry], devices: Sequence[DeviceEntry] = ()
    ) -> Manifest:
        """Return the manifest after an export: what it wrote takes the old ones' places.

        Of the devices those that have files count.
        """
        seeds = {entry.seed: entry for entry in self.seeds} | {seed.seed: seed}
        named = {entry.name: entry for entry in (*self.files, *files)}
        kept = devices_of(named.values()) - devices_of(files)
        known = {entry.device: entry for entry in self.devices if entry.device in kept}
        known |= {entry.device: entry for entry in devices if entry.device in devices_of(files)}
        return replace(
            self,
            seeds=tuple(seeds[number] for number in sorted(seeds)),
            devices=tuple(known[device] for device in sorted(known)),
            files=tuple(named[name] for name in sorted(named)),
        )

    def to_json(self) -> bytes:
        """Return the bytes of the file: the same for the same release."""
        document = {
            "schema": SCHEMA_VERSION,
            "search_space": SPACE_SIZE,
            "units": dict(UNITS),
            **asdict(self.trainings),
            "seeds": [asdict(seed) for seed in self.seeds],
            "devices": [asdict(device) for device in self.devices],
            "files": [asdict(file) for file in self.files],
        }
        return (json.dumps(document, indent=1) + "\n").encode("ascii")


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of a release folder, None if it has none.

    Raises ReleaseCorrupt if the file cannot be read or is no manifest of this version.
    """
    path = folder / MANIFEST_FILE
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ReleaseCorrupt(f"it cannot be read: {error.strerror}", path=str(path)) from error
    try:
        return _manifest(data)
    except (ValueError, RecursionError) as error:
        raise ReleaseCorrupt(f"it is no manifest: {error}", path=str(path)) from error


def devices_of(files: Iterable[FileEntry]) -> set[str]:
    """Return the devices of whose latencies these files are."""
    return {file.device for file in files if file.device is not None}


def describe_file(path: Path, rows: int) -> FileEntry:
    """Return the entry of a data file that is complete."""
    return FileEntry(
        name=path.name,
        bytes=path.stat().st_size,
        sha256=sha256_of(path),
        rows=rows,
        header=header_facts(read_header(path)),
    )


def header_facts(header: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a manifest keeps of the header of a file."""
    return {key: value for key, value in header.items() if key not in _BIG_HEADER_KEYS}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(data: bytes) -> Manifest:
    if len(data) > _MAX_BYTES:
        raise ValueError(f"over {_MAX_BYTES} bytes")
    document = json.loads(data)
    _require(isinstance(document, dict), "the document is no object")
    found = document.get("schema")
    _require(found == SCHEMA_VERSION, f"schema is {found!r}, this Blox knows {SCHEMA_VERSION}")
    for key, value in (("search_space", SPACE_SIZE), ("units", dict(UNITS))):
        _require(document.get(key) == value, f"{key} is {document.get(key)!r:.80}, no {value}")
    document.setdefault("devices", [])  # which older ones do not have
    trainings = {field.name: document.get(field.name) for field in fields(Trainings)}
    manifest = Manifest(
        trainings=_checked(Trainings, trainings),
        seeds=tuple(_checked(SeedEntry, each) for each in _list(document, "seeds")),
        devices=tuple(_checked(DeviceEntry, each) for each in _list(document, "devices")),
        files=tuple(_checked(FileEntry, each) for each in _list(document, "files")),
    )
    for seed in manifest.seeds:
        for name in _SPANS:
            indices_of(getattr(seed, name))
    for device in manifest.devices:
        _check_device(device)
    for file in manifest.files:
        _check_predicted(file)
    return manifest


def _check_device(device: DeviceEntry) -> None:
    both = np.intersect1d(indices_of(device.unstable), indices_of(device.predicted))
    _require(not both.size, f"{spans(both)[:40]} of {device.device} are unstable and predicted")
    error = device.prediction_error_percent
    _require(
        error is None or 0 <= error < inf,
        f"prediction_error_percent is {error}, a number of 0 or more is allowed",
    )


def _check_predicted(file: FileEntry) -> None:
    predicted = file.header.get("predicted", 0)
    _require(
        type(predicted) is int and 0 <= predicted <= file.rows,
        f"predicted is {predicted!r:.40}, a number of the {file.rows} rows of {file.name} is allowed",
    )


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    found = document.get(key)
    _require(isinstance(found, list), f"{key} is no list")
    return found or []


_PLAIN_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "float | None": (float, NoneType),
    "Mapping[str, Any]": (dict,),
    "Mapping[str, int]": (dict,),
    "Sequence[Mapping[str, Any]]": (list,),
}


def _checked(kind: type[Any], values: Any) -> Any:
    """Return the dataclass of these values, each of the type that it declares or by default."""
    _require(isinstance(values, dict), f"{values!r:.40} is no object")
    found = {}
    for field in fields(kind):
        value = values.get(field.name, None if field.default is MISSING else field.default)
        wanted = _PLAIN_TYPES[str(field.type)]
        _require(type(value) in wanted, f"{field.name} is {value!r:.40}, no {wanted[0].__name__}")
        found[field.name] = value
    return kind(**found)


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)
