"""How the latencies of a release were measured, in few words for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from blox_core.latency import DeviceIdentity, LatencyProtocol
from blox_store.index_spans import indices_of
from blox_store.manifest import DeviceEntry, Manifest

_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, kw_only=True)
class DeviceSummary:
    """One device: its hardware and protocol, and how many rows it has, unstable and predicted."""

    name: str
    hardware: str
    protocol: str
    rows: int
    unstable: int
    predicted: int


def device_summaries(manifest: Manifest) -> Iterator[DeviceSummary]:
    """Yield the devices that have files, by name; LatencyError for an entry that cannot be."""
    entries = {entry.device: entry for entry in manifest.devices}
    files = {file.device: file for file in manifest.files if file.device is not None}
    for name in sorted(files):
        entry = entries.get(name)
        yield DeviceSummary(
            name=name,
            hardware=_UNKNOWN if entry is None else _hardware(entry),
            protocol=_UNKNOWN if entry is None else str(LatencyProtocol.from_dict(entry.protocol)),
            rows=files[name].rows,
            unstable=0 if entry is None else len(indices_of(entry.unstable)),
            predicted=files[name].header.get("predicted", 0),
        )


def _hardware(entry: DeviceEntry) -> str:
    return ", ".join(sorted({DeviceIdentity.from_dict(values).name for values in entry.identities}))
