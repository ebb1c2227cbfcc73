"""The errors of the store and of releases, under `blox_core.errors.BloxError`.

BloxError
├── SettingsError              ValueError     a BLOX_* variable has a bad value
├── StoreError                 RuntimeError
│   ├── StoreUnavailable       ConnectionError     the database cannot be reached
│   ├── SchemaMismatch                             the database has another schema revision
│   ├── RunNotFound            LookupError         no run, or several, fit the request
│   ├── DeviceDiffers          ValueError          a latency of another device than the run's
│   └── LeaseLost                                  the job is no longer this worker's
└── ReleaseError               RuntimeError
    ├── ReleaseMissing         FileNotFoundError   no such folder, file, seed or device
    ├── ReleaseCorrupt         ValueError          a file that breaks the format; path, offset
    ├── ReleaseMismatch        ValueError          files of a release that contradict each other
    ├── QueryError             ValueError          what the loaded files cannot answer
    ├── NotInRelease           KeyError            an architecture that the release leaves out
    ├── BudgetSpent            TimeoutError        a simulated training longer than what is left
    ├── PickleNotAllowed       PermissionError     a pickle that nobody asked to read
    ├── NotEncodable           ValueError          what no file of the format can hold
    │   └── ValueRefused                           one value; row
    ├── ExportRefused                              what was asked for may not be exported
    └── IngestRefused                              a release that the store cannot hold
"""

from __future__ import annotations

from blox_core.errors import BloxError


class SettingsError(BloxError, ValueError):
    """A `BLOX_*` variable of the environment has a value that is not allowed."""


class StoreError(BloxError, RuntimeError):
    """Something about the store of a run."""


class StoreUnavailable(StoreError, ConnectionError):
    """The database cannot be reached, is read-only or refuses this login; worth waiting for."""


class SchemaMismatch(StoreError):
    """The database is at a schema revision that this version of Blox does not know."""


class RunNotFound(StoreError, LookupError):
    """No run, or more than one, fits the request."""


class DeviceDiffers(StoreError, ValueError):
    """A device, or software on it, that is not what a run's latencies are measured on."""


class LeaseLost(StoreError):
    """The job is no longer leased to this worker."""


class ReleaseError(BloxError, RuntimeError):
    """Something about a release."""


class ReleaseMissing(ReleaseError, FileNotFoundError, ValueError):
    """A release folder, or a file, seed or device in it, that is not there.

    It is a ValueError because the published package raises that.
    """

    def __str__(self) -> str:
        return str(self.args[0])


class ReleaseCorrupt(ReleaseError, ValueError):
    """A release file that breaks the format.

    `path` names the file (None for bytes in memory); `offset` is the byte at which reading
    failed, counted in the inflated payload, or None where no byte can be named.
    """

    def __init__(self, message: str, *, path: str | None = None, offset: int | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.offset = offset

    def __str__(self) -> str:
        where = "" if self.path is None else f"{self.path}: "
        at = "" if self.offset is None else f" (byte {self.offset} of the inflated payload)"
        return f"{where}{self.args[0]}{at}"


class ReleaseMismatch(ReleaseError, ValueError):
    """Files of one release that contradict each other or do not belong together."""


class QueryError(ReleaseError, ValueError):
    """A question that the loaded files of a release cannot answer."""


class NotInRelease(ReleaseError, KeyError):
    """An architecture of the search space that the release leaves out."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the repr of the message


class BudgetSpent(ReleaseError, TimeoutError):
    """A simulated training that takes longer than what is left of its budget."""


class PickleNotAllowed(ReleaseError, PermissionError):
    """A release file is a pickle, and the caller did not ask for pickles to be read."""


class NotEncodable(ReleaseError, ValueError):
    """A value that no type of the release format holds; names the row, column and value."""


class ValueRefused(NotEncodable):
    """A value that its column cannot hold, and the `row` in which it stands."""

    def __init__(self, row: int, why: str) -> None:
        super().__init__(f"row {row}, {why}")
        self.row = row
        self._why = why

    def further_down(self, rows: int) -> ValueRefused:
        """Return the error for the same value when so many rows stand before the first one."""
        return ValueRefused(self.row + rows, self._why)


class ExportRefused(ReleaseError):
    """An export that would be wrong, incomplete or empty."""


class IngestRefused(ReleaseError):
    """A release that does not say, or holds, what the store needs."""
