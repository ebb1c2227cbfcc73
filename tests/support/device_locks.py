"""Whether a device could be locked now."""

import threading
from pathlib import Path

from blox_worker.device.lock import DeviceLock
from blox_worker.errors import DeviceBusy


def is_free(folder: Path | None, *, alone: bool, device: str = "cpu") -> bool:
    """Return whether a lock of the folder is got without waiting."""
    stop = threading.Event()
    stop.set()
    try:
        with DeviceLock(folder, device).held(alone=alone, stop=stop):
            return True
    except DeviceBusy:
        return False
