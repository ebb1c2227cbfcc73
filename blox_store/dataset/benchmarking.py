"""Inference latencies by device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeAlias

from blox_store.dataset.arch_argument import Arch, resolve
from blox_store.dataset.file_group import FileGroup, Paths, listed, path_list
from blox_store.dataset.lazy_file import LazyFile
from blox_store.errors import QueryError

LATENCY = "latency"
# None: all; False: none; a name; or several.
Devices: TypeAlias = bool | str | Sequence[str] | None


class BenchmarkingDataset(FileGroup[LazyFile]):
    """The latencies of one or more files, each of one device, in milliseconds a batch.

    A device's protocol, in the manifest of the release, says how many images are in a batch.
    """

    dataset_type = "benchmarking"
    named_by: ClassVar[str | None] = "device"

    def __init__(self, dataset_files: Paths, validate_data: bool = True) -> None:
        super().__init__(map(LazyFile, path_list(dataset_files)), validate_data)

    @property
    def devices(self) -> list[str]:
        """The names of the devices, in the order of the files given."""
        return list(self.files)

    @property
    def predicted(self) -> dict[str, int]:
        """The number of latencies that were predicted, not measured, by device; those that have any.

        `manifest.json` says which ones they are.
        """
        counts = {
            device: int(file.header.get("predicted", 0)) for device, file in self.files.items()
        }
        return {device: count for device, count in counts.items() if count}

    def latency(
        self, arch: Arch, devices: Devices = None, return_dict: bool = False
    ) -> list[Any] | dict[str, Any] | None:
        """Return `[[latency], …]` in the order of the devices, or device → `{'latency': …}`.

        Latencies are in milliseconds for a batch of the device's protocol.
        None where no device has the architecture, in place of a device's entry where only that one
        has not. For many architectures: an array (n,) for each device, NotInRelease if one is
        absent.
        """
        index, chosen = resolve(arch), self.chosen(devices)
        if isinstance(index, int):
            found = {device: self.files[device].record(index) for device in chosen}
            if chosen and not any(found.values()):
                return None
            return found if return_dict else [listed(record) for record in found.values()]
        arrays = {device: self.files[device].number(LATENCY, index) for device in chosen}
        if return_dict:
            return {device: {LATENCY: array} for device, array in arrays.items()}
        return list(arrays.values())

    def chosen(self, devices: Devices) -> list[str]:
        """Return the names that a `devices` argument means; raise QueryError for any other."""
        if devices is None:
            return self.devices
        if devices is False:
            return []
        names = [devices] if isinstance(devices, str) else devices
        known = self.devices
        if not isinstance(names, Sequence) or not all(name in known for name in names):
            raise QueryError(f"devices {devices!r}: the loaded devices are {self.devices}")
        return list(names)
