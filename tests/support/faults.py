"""What can happen to a cluster, by name; what has to hold afterwards is `Cluster.check`."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import kombu
import psutil
import psycopg
import redis

from blox_store.store import DueJob, Run
from blox_worker.queue.celery_app import TASK
from tests.support.cluster import Cluster
from tests.support.servers import wait_until

Process = psutil.Process | subprocess.Popen[bytes]

_TINY_DISK_BYTES: Final = 65_536
_FAKETIME_LIBRARY: Final = "/usr/lib/*/faketime/libfaketimeMT.so.1"
_HANG: Final = 20201206  # of an advisory lock
_WORKER_OPTION: Final = "--slot"


# Processes


def process_of(cluster: Cluster, worker: str) -> psutil.Process:
    """Return the process of a worker, by the worker's name."""
    return worker_processes(cluster)[worker]


def worker_processes(cluster: Cluster) -> dict[str, psutil.Process]:
    """Return the processes of all workers, by the workers' names."""
    named = {_worker_name(process): process for process in cluster.alive()}
    return {name: process for name, process in named.items() if name is not None}


def kill(process: Process) -> None:
    """End a process at once, without a word to it."""
    process.send_signal(signal.SIGKILL)


def freeze(process: Process) -> None:
    """Stop a process from running, with all it holds; return once it has stopped.

    Until then it would still act on another signal, and on the one of the lower number first.
    """
    process.send_signal(signal.SIGSTOP)
    status = psutil.Process(process.pid).status
    wait_until(lambda: status() == psutil.STATUS_STOPPED, f"process {process.pid} to be frozen")


def thaw(process: Process) -> None:
    """Let a frozen process go on."""
    process.send_signal(signal.SIGCONT)


def ask_to_stop(process: Process) -> None:
    """Ask a process to stop, as a service manager does; a second time it is to end at once."""
    process.send_signal(signal.SIGTERM)


def quit_at_once(process: Process) -> None:
    """Ask a process to end without waiting for anything."""
    process.send_signal(signal.SIGQUIT)


def has_yet_to_see(process: Process, number: signal.Signals) -> bool:
    """Whether a signal waits for a process, being frozen or not having run; another would be lost."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (pending,) = [line for line in status.splitlines() if line.startswith("ShdPnd:")]
    return bool(int(pending.split()[1], 16) & 1 << (number - 1))


def _worker_name(process: psutil.Process) -> str | None:
    try:
        command = process.cmdline()
    except psutil.NoSuchProcess:
        return None
    return command[command.index(_WORKER_OPTION) + 1] if _WORKER_OPTION in command else None


# Disks


def on_full_disk(folder: Path) -> list[str]:
    """Return the prefix of a command that is to find a full disk in a folder, and nobody else."""
    folder.mkdir()
    namespace = ["unshare", "--mount"]
    if not _is_root():
        namespace.append("--map-root-user")
    fill = (
        f"mount -t tmpfs -o size={_TINY_DISK_BYTES} full {folder}; cat /dev/zero >{folder}/filler"
    )
    return [*namespace, "sh", "-c", f'{fill} 2>/dev/null; exec "$@"', "sh"]


def truncate(path: Path) -> None:
    """Cut the second half off a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def corrupt(path: Path) -> None:
    """Flip the last bit of a file."""
    *content, last = path.read_bytes()
    path.write_bytes(bytes([*content, last ^ 1]))


def _is_root() -> bool:
    return psutil.Process().uids().effective == 0


# Nodes


def wrong_clock(offset: str) -> dict[str, str]:
    """Return the settings of a process whose clock is off by so much, such as `+1d`."""
    libraries = sorted(Path("/").glob(_FAKETIME_LIBRARY.removeprefix("/")))
    assert libraries, f"no {_FAKETIME_LIBRARY}: install Debian's package libfaketime"
    return {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME": offset,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def other_revision(folder: Path, revision: int) -> dict[str, str]:
    """Return the settings of a process that has another revision of the simulation installed."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        f"import blox_core.simulation\n\nblox_core.simulation.SIMULATION_REVISION = {revision}\n"
    )
    return {"PYTHONPATH": str(folder)}


# Redis


def restart_redis(cluster: Cluster) -> None:
    """Kill Redis and start it again with what it had written."""
    cluster.redis.kill()
    cluster.redis.start()


def lose_redis_data(cluster: Cluster) -> None:
    """Kill Redis and start it again empty."""
    cluster.redis.kill()
    shutil.rmtree(cluster.redis.folder / "appendonlydir")
    cluster.redis.start()


def stop_redis(cluster: Cluster) -> None:
    """Shut Redis down."""
    cluster.redis.stop()


def start_redis(cluster: Cluster) -> None:
    """Start Redis with what it had written."""
    cluster.redis.start()


@contextmanager
def redis_refuses_writes(cluster: Cluster) -> Iterator[None]:
    """Let Redis refuse every write within this block, as it does when its disk is full."""
    with redis.Redis.from_url(cluster.redis.url) as client:
        client.config_set("min-replicas-to-write", 1)
        try:
            yield
        finally:
            client.config_set("min-replicas-to-write", 0)


def freeze_redis(cluster: Cluster) -> None:
    """Let Redis answer nobody, with all its connections open."""
    cluster.redis.freeze()


def thaw_redis(cluster: Cluster) -> None:
    """Let a frozen Redis go on."""
    cluster.redis.thaw()


# PostgreSQL


def restart_postgres(cluster: Cluster) -> None:
    """Shut PostgreSQL down, which ends its connections, and start it again."""
    cluster.postgres.stop()
    cluster.postgres.start()


def stop_postgres(cluster: Cluster) -> None:
    """Shut PostgreSQL down."""
    cluster.postgres.stop()


def start_postgres(cluster: Cluster) -> None:
    """Start PostgreSQL."""
    cluster.postgres.start()


def kill_postgres(cluster: Cluster) -> None:
    """End all processes of PostgreSQL at once."""
    cluster.postgres.kill()


def freeze_postgres(cluster: Cluster) -> None:
    """Let PostgreSQL answer nobody, with all its connections open."""
    cluster.postgres.freeze()


def thaw_postgres(cluster: Cluster) -> None:
    """Let a frozen PostgreSQL go on."""
    cluster.postgres.thaw()


@contextmanager
def commits_of_results_hang(cluster: Cluster) -> Iterator[Callable[[], bool]]:
    """Let every COMMIT of a result wait inside the server; give whether one does.

    It ends with this block, and with the server.
    """
    trigger = f"""
        CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock({_HANG}); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER hang AFTER INSERT ON results
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hang();
    """
    waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
    with psycopg.connect(cluster.database_url, autocommit=True) as connection:
        connection.execute(trigger)
        connection.execute("SELECT pg_advisory_lock(%s)", [_HANG])
        yield lambda: connection.execute(waiting, [_HANG]).fetchone() is not None


# Messages


def deliver(cluster: Cluster, run: Run, index: int, times: int) -> None:
    """Put the message of a job into the queue so many times."""
    cluster.broker().publish(run, [DueJob(arch_index=index, priority=0)] * times)


def deliver_pickled(cluster: Cluster, content: object) -> None:
    """Put a message into the queue whose body is a pickle, as who knows its password could."""
    app = cluster.app()
    with app.connection_for_write() as connection:
        kombu.Producer(connection).publish(
            content,
            routing_key=app.conf.task_default_queue,
            serializer="pickle",
            headers={"task": TASK, "id": "p"},
        )
