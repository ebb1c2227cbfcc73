"""How the latencies of a release were measured, in few words for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from blox_core.latency import DeviceIdentity, LatencyProtocol
from blox_core.space.index_spans import indices_of
from blox_store.release_folder.manifest import DeviceEntry, Manifest

_UNKNOWN: Final = "unknown"
_NOTHING: Final = "-"


@dataclass(frozen=True, kw_only=True)
class DeviceSummary:
    """One device: its hardware and protocol, and how many rows it has, unstable and predicted.

    `error` is that of the predictions, as the manifest has it.
    """

    name: str
    hardware: str
    protocol: str
    rows: int
    unstable: int
    predicted: int
    error: str


def device_summaries(manifest: Manifest) -> Iterator[DeviceSummary]:
    """Yield the devices that have files, by name; LatencyError for an entry that cannot be."""
    entries = {entry.device: entry for entry in manifest.devices}
    described = {name: entry for name, entry in entries.items() if entry.has_protocol}
    files = {file.device: file for file in manifest.files if file.device is not None}
    for name in sorted(files):
        entry = described.get(name)
        yield DeviceSummary(
            name=name,
            hardware=_UNKNOWN if entry is None else _hardware(entry),
            protocol=_UNKNOWN if entry is None else str(LatencyProtocol.from_dict(entry.protocol)),
            rows=files[name].rows,
            unstable=0 if entry is None else len(indices_of(entry.unstable)),
            predicted=files[name].header.get("predicted", 0),
            error=_error(entries.get(name)),
        )


def _error(entry: DeviceEntry | None) -> str:
    percent = None if entry is None else entry.prediction_error_percent
    return _NOTHING if percent is None else f"{percent:.1f} %"


def _hardware(entry: DeviceEntry) -> str:
    return ", ".join(sorted({DeviceIdentity.from_dict(values).name for values in entry.identities}))
