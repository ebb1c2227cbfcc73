"""Real servers for tests: started from PATH in a folder of their own, stopped without a trace."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import redis

START_TIMEOUT_S = 60
POLL_S = 0.05


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 60) -> None:
    """Return once the condition holds; fail with `what` was waited for after the timeout."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s} s in vain for {what}")
        pause.wait(POLL_S)


@contextmanager
def postgres() -> Iterator[str]:
    """Run a PostgreSQL server on a socket in a temporary folder; give its URL.

    BLOX_TEST_POSTGRES_URL, a URL of a server on which databases may be made, is used if set.
    """
    if given := os.environ.get("BLOX_TEST_POSTGRES_URL"):
        yield given
        return
    with _server_folder() as (folder, user):
        data = folder / "data"
        initdb = [_postgres_binary("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-N"]
        subprocess.run(
            [*initdb, "-E", "UTF8", "--locale=C"],
            check=True,
            user=user,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )
        settings = ["listen_addresses=", f"unix_socket_directories={folder}", "fsync=off"]
        command = [_postgres_binary("postgres"), "-D", data]
        command += [part for setting in settings for part in ("-c", setting)]
        url = f"postgresql://postgres@/postgres?host={folder}"
        with _running(command, user, folder, lambda: _postgres_answers(url)):
            yield url


@contextmanager
def redis_server() -> Iterator[str]:
    """Run a Redis server as production does (AOF, noeviction) on a socket; give its URL.

    BLOX_TEST_REDIS_URL, a URL of a server whose data may be dropped, is used if set.
    """
    if given := os.environ.get("BLOX_TEST_REDIS_URL"):
        yield given
        return
    binary = _found("redis-server")
    with _server_folder() as (folder, user):
        socket = folder / "redis.sock"
        command = [binary, "--port", "0", "--unixsocket", socket, "--dir", folder]
        command += ["--appendonly", "yes", "--maxmemory-policy", "noeviction", "--save", ""]
        url = f"unix://{socket}"
        with _running(command, user, folder, lambda: _redis_answers(url)):
            yield url


@contextmanager
def _server_folder() -> Iterator[tuple[Path, str | None]]:
    # Servers refuse to run as root or should not; pytest's own folders are closed to others.
    user = "postgres" if os.geteuid() == 0 and _has_user("postgres") else None
    folder = Path(tempfile.mkdtemp(prefix="blox-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        yield folder, user
    finally:
        shutil.rmtree(folder)


@contextmanager
def _running(
    command: list[str | Path], user: str | None, folder: Path, answers: Callable[[], bool]
) -> Iterator[None]:
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, user=user, cwd=folder, stdout=output, stderr=output)
    try:

        def started() -> bool:
            assert process.poll() is None, f"{command[0]} ended: {log.read_text()}"
            return answers()

        wait_until(started, f"{command[0]} to answer", START_TIMEOUT_S)
        yield
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


def _has_user(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())


def _found(binary: str) -> str:
    path = shutil.which(binary)
    assert path is not None, f"{binary} is not on PATH; 'make test' says what to install"
    return path


def _postgres_binary(name: str) -> str:
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(debian[-1]) if debian and shutil.which(name) is None else _found(name)


def _postgres_answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def _redis_answers(url: str) -> bool:
    client = redis.Redis.from_url(url)
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
    finally:
        client.close()
