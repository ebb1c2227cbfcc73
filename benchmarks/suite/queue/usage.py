"""Who has used how much processor time and memory."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil

from tests.support.servers import Server


class Meter:
    """Reads what a PostgreSQL server and its clients use."""

    def __init__(self, server: Server, clients: Sequence[int]) -> None:
        pid = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
        self._postmaster = psutil.Process(pid)
        self._clients = [psutil.Process(pid) for pid in clients]

    def memory_bytes(self) -> int:
        """Return the memory that the server's processes take, without what they share."""
        return sum(map(_own_memory, self._postmaster.children()))

    def cpu_s(self) -> np.ndarray:
        """Return the processor time of the server, of its clients and of the machine so far."""
        own, machine = self._postmaster.cpu_times(), psutil.cpu_times()
        ended_s = own.user + own.system + own.children_user + own.children_system
        server_s = ended_s + sum(map(_used_by_thread, self._postmaster.children()))
        clients = [client.cpu_times() for client in self._clients]
        clients_s = sum(times.user + times.system for times in clients)
        return np.array([server_s, clients_s, sum(machine) - machine.idle - machine.iowait])


def _own_memory(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess):
        return int(process.memory_full_info().uss)
    return 0


def _used_by_thread(process: psutil.Process) -> float:
    """Return the seconds a process of one thread has run, in nanoseconds: many run for less."""
    with suppress(OSError):
        return int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[0]) / 1e9
    return 0.0
