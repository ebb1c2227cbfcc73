"""The errors of workers, under `blox_core.errors.BloxError`.

BloxError
├── DeviceMissing              ValueError     there is no such device on this machine
└── DemoFailed                 RuntimeError   the demo did not show what it has to show
"""

from __future__ import annotations

from blox_core.errors import BloxError


class DeviceMissing(BloxError, ValueError):
    """A device that this machine does not have."""


class DemoFailed(BloxError, RuntimeError):
    """A demo whose release is not what was trained, or whose jobs did not all succeed."""
