"""The errors of workers, under `blox_core.errors.BloxError`.

BloxError
├── BrokerUnavailable          ConnectionError     Redis cannot be reached
├── AddressRefused             OSError        there is nothing to listen on
├── DeviceMissing              ValueError     there is no such device on this machine
├── DeviceBusy                 RuntimeError   a stop came while the device was waited for
├── WorkerSuspected            RuntimeError   too many different jobs in a row failed here
├── SimulatedFailure           RuntimeError   a simulated training failed, as it was told to
├── Unhealthy                  RuntimeError   what `blox health` looked at is not well
└── DemoFailed                 RuntimeError   the demo did not show what it has to show
"""

from __future__ import annotations

from blox_core.errors import BloxError


class DeviceMissing(BloxError, ValueError):
    """A device that this machine does not have."""


class DeviceBusy(BloxError, RuntimeError):
    """A device that was waited for, since others use it, until a stop was requested."""


class AddressRefused(BloxError, OSError):
    """An address and port on which this process cannot listen."""


class BrokerUnavailable(BloxError, ConnectionError):
    """The broker cannot be reached, or does not answer."""


class WorkerSuspected(BloxError, RuntimeError):
    """A worker that stops claiming, since job after job fails on it."""


class SimulatedFailure(BloxError, RuntimeError):
    """A simulated training that fails since BLOX_SIMULATED_FAILURES says so; its job is charged."""


class Unhealthy(BloxError, RuntimeError):
    """A scheduler or worker that `blox health` finds missing, silent or stopped."""


class DemoFailed(BloxError, RuntimeError):
    """A demo whose release is not what was trained, or whose jobs did not all succeed."""
