"""Who may use a device now: trainings together, or one measurement alone.

Locks are the operating system's, on a file per GPU or for the CPU, and go with the process that
holds them. A process in a container sees those of others only if they share the folder.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from blox_core.file_lock import try_lock
from blox_store.errors import SettingsError
from blox_worker.device.gpus import CPU, VISIBLE, installed, visible, whole_gpu
from blox_worker.errors import DeviceBusy

logger = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 0.2
_TELL_AFTER_S: Final = 5.0  # two jobs that follow each other wait for less
# Who is waited for.
_ALONE: Final = "trainings or another measurement use it"
_TOGETHER: Final = "a measurement has it alone, or waits to have it"
_UUID: Final = re.compile("GPU-[0-9a-f-]{36}")
_SHARE: Final = "MIG-"
_FOR_ALL_USERS: Final = 0o644  # a lock needs no more than to read


class DeviceLock:
    """The lock on the device of this process: torch's `cpu`, or the GPU that it sees.

    It is in the system's folder of temporary files if no other is given.
    """

    def __init__(self, folder: Path | None, device: str) -> None:
        folder = folder or Path(tempfile.gettempdir())
        self.name = CPU if device == CPU else _gpu(device)
        self._path = folder / f"blox-device-{self.name}.lock"
        # Whoever wants the device alone takes this one first, so that no training begins meanwhile.
        self._turn = folder / f"blox-device-{self.name}.turn"

    @contextmanager
    def held(self, *, alone: bool, stop: threading.Event) -> Iterator[None]:
        """Hold the lock, alone or with others; waits until that is possible.

        A wait that lasts is one warning of the log. Raises DeviceBusy if a stop is requested
        meanwhile, and SettingsError if the folder of the locks cannot be used.
        """
        wait = _Wait(self.name, _ALONE if alone else _TOGETHER, stop)
        with ExitStack() as stack:
            with ExitStack() as waiting:
                waiting.enter_context(_taken(self._turn, wait, alone=alone))
                stack.enter_context(_taken(self._path, wait, alone=alone))
            yield


@dataclass
class _Wait:
    """A wait for a device, until a stop; if it lasts the log says so, once."""

    name: str
    why: str
    stop: threading.Event
    tell_at_s: float = field(default_factory=lambda: time.monotonic() + _TELL_AFTER_S)
    is_told: bool = False

    def a_moment(self, path: Path) -> None:
        """Wait until it is time to look again; raise DeviceBusy if a stop is requested."""
        if self.stop.wait(_LOOK_EVERY_S):
            raise DeviceBusy(
                f"device {self.name} is in use: {self.why} ({path}); stopped while waiting for it"
            )
        if not self.is_told and time.monotonic() >= self.tell_at_s:
            logger.warning("waiting for device %s: %s (%s)", self.name, self.why, path)
            self.is_told = True


@contextmanager
def _taken(path: Path, wait: _Wait, *, alone: bool) -> Iterator[None]:
    while (descriptor := try_lock(path, _opened, shared=not alone)) is None:
        wait.a_moment(path)
    try:
        yield
    finally:
        os.close(descriptor)  # which gives the lock back


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            _make(path)
        # Not to be made by this call: in a folder such as /tmp Linux refuses that for a file
        # that another user has made.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SettingsError(
            f"{path}: {error.strerror}; BLOX_LOCK_DIR has to be a folder that can be written to"
        ) from error


def _make(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, _FOR_ALL_USERS)  # whatever the umask
    finally:
        os.close(descriptor)


def _gpu(device: str) -> str:
    """Return the UUID of a torch device such as `cuda:1`, by which every process knows that GPU.

    Of a share of a GPU (MIG) it is the GPU's. Without a driver to ask it is the entry in
    CUDA_VISIBLE_DEVICES, else the number.
    """
    _, _, place = device.partition(":")
    number, value = int(place or 0), os.environ.get(VISIBLE)
    entries = [entry.strip() for entry in (value or "").split(",") if entry.strip()]
    entry = entries[number] if number < len(entries) else ""
    if _UUID.fullmatch(entry):
        # The driver's management library can be lost to a container whose CUDA still works.
        return entry
    if entry.startswith(_SHARE):
        return whole_gpu(entry) or entry
    names = [gpu.uuid for gpu in visible(installed(), value)] or entries
    return names[number] if number < len(names) else str(number)
