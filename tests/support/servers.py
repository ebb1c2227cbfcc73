"""Real servers for tests: started from PATH in a folder of their own, stopped without a trace."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import psutil
import psycopg
import redis

START_TIMEOUT_S = 60
POLL_S = 0.1
POSTGRES_PORT = 5432  # in a folder of our own it only names the socket
PRODUCTION_CONNECTIONS = 1200
_PASSWORD = "password"
_WITH_PASSWORD = "postgresql://postgres:{}@127.0.0.1:{}/postgres"
_ACCESS_BY_PASSWORD = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


def wait_until(
    condition: Callable[[], bool], what: str, timeout_s: float = 60, *, every_s: float = POLL_S
) -> None:
    """Return once the condition holds; fail with `what` was waited for after the timeout."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s} s in vain for {what}")
        pause.wait(every_s)


class Server:
    """A server process of ours, with a folder of its own, that tests may do violence to."""

    def __init__(
        self,
        command: list[str | Path],
        *,
        url: str,
        user: str | None,
        folder: Path,
        answers: Callable[[], bool],
    ) -> None:
        self.url = url
        self.folder = folder
        self._command = command
        self._user = user
        self._answers = answers
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, unless it runs, and wait until it answers."""
        if self._process is None:
            with (self.folder / "log").open("ab") as output:
                self._process = subprocess.Popen(
                    self._command, user=self._user, cwd=self.folder, stdout=output, stderr=output
                )
        wait_until(self._has_started, f"{self._command[0]} to answer", START_TIMEOUT_S)

    def stop(self) -> None:
        """Shut the server down, without waiting for its clients, unless it is down."""
        if self._process is not None:
            self.thaw()
            self._process.send_signal(signal.SIGINT)
            self._process.wait(START_TIMEOUT_S)
            self._process = None

    def kill(self) -> None:
        """End the server and its children at once."""
        assert self._process is not None, "the server does not run"
        ended = self._family()
        self._signal(signal.SIGKILL)
        self._process.wait(START_TIMEOUT_S)
        psutil.wait_procs(ended, START_TIMEOUT_S)
        self._process = None

    def freeze(self) -> None:
        """Stop the server from running, with all its connections open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on, if there is one."""
        if self._process is not None:
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._family():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def _family(self) -> list[psutil.Process]:
        """Return the process and its children: PostgreSQL's are in sessions of their own."""
        assert self._process is not None, "the server does not run"
        parent = psutil.Process(self._process.pid)
        return [parent, *parent.children(recursive=True)]

    def _has_started(self) -> bool:
        assert self._process is not None
        log = self.folder / "log"
        assert self._process.poll() is None, f"{self._command[0]} ended: {log.read_text()}"
        return self._answers()


@contextmanager
def postgres() -> Iterator[str]:
    """Run a PostgreSQL server; give its URL.

    BLOX_TEST_POSTGRES_URL, a URL of a server on which databases may be made, is used if set.
    """
    if given := os.environ.get("BLOX_TEST_POSTGRES_URL"):
        yield given
        return
    with own_postgres() as server:
        yield server.url


@contextmanager
def own_postgres(
    *settings: str, port: int = POSTGRES_PORT, tls: Path | None = None
) -> Iterator[Server]:
    """Run a PostgreSQL server of our own on a socket in a temporary folder.

    `settings`, such as `fsync=on`, overrule ours; `tls` is a folder with a certificate and its key.
    """
    with _server_folder() as (folder, user):
        data = folder / "data"
        subprocess.run(["cp", "-a", _new_databases(user), data], check=True, user=user, cwd=folder)
        ours = ["listen_addresses=", f"unix_socket_directories={folder}", "fsync=off"]
        if tls is not None:
            key, certificate = _own_tls(tls, folder, user)
            ours += ["ssl=on", f"ssl_key_file={key}", f"ssl_cert_file={certificate}"]
        command = [_postgres_binary("postgres"), "-D", data, "-p", str(port)]
        command += [part for setting in (*ours, *settings) for part in ("-c", setting)]
        url = f"postgresql://postgres@/postgres?host={folder}&port={port}"
        with _running(command, url, user, folder, lambda: _postgres_answers(url)) as server:
            yield server


@contextmanager
def production_postgres() -> Iterator[tuple[Server, str]]:
    """Run a PostgreSQL server on TCP, with a password and commits that last; give it and its URL.

    Everything is PostgreSQL's default, fsync among it, but for `max_connections`.
    """
    port = free_port()
    settings = (
        "listen_addresses=127.0.0.1",
        "fsync=on",
        f"max_connections={PRODUCTION_CONNECTIONS}",
        "password_encryption=scram-sha-256",
    )
    with own_postgres(*settings, port=port) as server:
        (server.folder / "data" / "pg_hba.conf").write_text(_ACCESS_BY_PASSWORD)
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(f"ALTER ROLE postgres PASSWORD '{_PASSWORD}'")
            connection.execute("SELECT pg_reload_conf()")
        wrong = _WITH_PASSWORD.format("wrong", port)
        wait_until(lambda: not _postgres_answers(wrong), "PostgreSQL to ask for a password")
        yield server, _WITH_PASSWORD.format(_PASSWORD, port)


@cache
def _new_databases(user: str | None) -> Path:
    """Return what initdb makes, to be copied: that takes a tenth of its time."""
    folder = Path(tempfile.mkdtemp(prefix="blox-"))
    atexit.register(shutil.rmtree, folder)
    if user is not None:
        shutil.chown(folder, user)
    data = folder / "data"
    initdb = [_postgres_binary("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-N"]
    subprocess.run(
        [*initdb, "-E", "UTF8", "--locale=C"],
        check=True,
        user=user,
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    return data


def postgres_version() -> str:
    """Return the version of the PostgreSQL that `own_postgres` runs."""
    return _version(_postgres_binary("postgres")).split()[2]


def redis_version() -> str:
    """Return the version of the Redis that `own_redis` runs."""
    return _version(_found("redis-server")).partition("v=")[2].split()[0]


def _version(binary: str) -> str:
    command = [binary, "--version"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def redis_server() -> Iterator[str]:
    """Run a Redis server; give its URL.

    BLOX_TEST_REDIS_URL, a URL of a server whose data may be dropped, is used if set: by the first
    test process, since the data that one drops may not be those of another.
    """
    given = os.environ.get("BLOX_TEST_REDIS_URL")
    if given and os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0":
        yield given
        return
    with own_redis() as server:
        yield server.url


@contextmanager
def own_redis(
    *options: str, tls: Path | None = None, password: str | None = None, url: str | None = None
) -> Iterator[Server]:
    """Run a Redis server of our own as production does (AOF, noeviction), on a socket.

    `tls` is a folder with a certificate and its key, `password` what `options` make it ask for,
    `url` where it answers if not on its socket.
    """
    binary = _found("redis-server")
    with _server_folder() as (folder, user):
        path = folder / "redis.sock"
        command = [binary, "--port", "0", "--unixsocket", path, "--dir", folder]
        command += ["--appendonly", "yes", "--maxmemory-policy", "noeviction", "--save", ""]
        if tls is not None:
            key, certificate = _own_tls(tls, folder, user)
            command += ["--tls-key-file", key, "--tls-cert-file", certificate]
        command += options
        url = url or f"unix://{'' if password is None else f':{password}@'}{path}"
        with _running(command, url, user, folder, lambda: _redis_answers(url)) as server:
            yield server


def free_port() -> int:
    """Return a TCP port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


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
    command: list[str | Path],
    url: str,
    user: str | None,
    folder: Path,
    answers: Callable[[], bool],
) -> Iterator[Server]:
    server = Server(command, url=url, user=user, folder=folder, answers=answers)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _own_tls(tls: Path, folder: Path, user: str | None) -> tuple[Path, Path]:
    """Return key and certificate as files of the server, which has to own its key alone."""
    own = folder / "key", folder / "certificate"
    for file in own:
        shutil.copy(tls / file.name, file)
        file.chmod(0o600)
        if user is not None:
            shutil.chown(file, user)
    return own


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
