"""Who has used how much processor time and memory."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from tests.support.servers import Server

_KB: Final = 1024


@dataclass(frozen=True, kw_only=True)
class CpuUse:
    """Seconds of processor time; the postmaster's are among the server's."""

    postmaster_s: float
    server_s: float
    clients_s: float
    machine_s: float

    def __sub__(self, earlier: CpuUse) -> CpuUse:
        return CpuUse(
            postmaster_s=self.postmaster_s - earlier.postmaster_s,
            server_s=self.server_s - earlier.server_s,
            clients_s=self.clients_s - earlier.clients_s,
            machine_s=self.machine_s - earlier.machine_s,
        )


class CpuMeter:
    """Reads what a PostgreSQL server and its clients use."""

    def __init__(self, server: Server, clients: Sequence[int]) -> None:
        pid = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
        self._postmaster = psutil.Process(pid)
        self._clients = [psutil.Process(pid) for pid in clients]

    def memory_bytes(self) -> int:
        """Return the memory that the server's processes take, without what they share."""
        return sum(map(_own_memory, self._postmaster.children()))

    def read(self) -> CpuUse:
        """Return all that was used so far."""
        own = self._postmaster.cpu_times()
        living = sum(map(_used_by_thread, self._postmaster.children()))
        machine = psutil.cpu_times()
        return CpuUse(
            postmaster_s=own.user + own.system,
            server_s=own.user + own.system + own.children_user + own.children_system + living,
            clients_s=sum(map(_used, self._clients)),
            machine_s=sum(machine) - machine.idle - machine.iowait,
        )


def _own_memory(process: psutil.Process) -> int:
    """Return the bytes of memory that a process shares with nobody."""
    with suppress(OSError):
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        return _KB * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    return 0


def _used(process: psutil.Process) -> float:
    """Return the seconds a process has run, in steps of 10 ms."""
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0


def _used_by_thread(process: psutil.Process) -> float:
    """Return the seconds a process of one thread has run, in nanoseconds: many run for less."""
    with suppress(OSError):
        return int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[0]) / 1e9
    return 0.0
