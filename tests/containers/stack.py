"""A copy of the checkout, and the services of its compose files, driven as a lab would."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.support import servers

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 900
# Names of the tests' own: a benchmark that runs on the same engine keeps its containers, volumes and image.
PROJECT = "blox-test"
PROJECTS = (PROJECT, f"{PROJECT}-node", f"{PROJECT}-gpus")
IMAGE = "blox-test"
COMMIT = "c0ffee"  # what the tests' images say that they were built from
HEAD = ("docker-compose.yml",)
NODE = ("docker-compose.node.yml",)
CPU = ("docker-compose.cpu.yml",)
# A run that is short, whose leases run out soon, and whose trainings can be resumed after each epoch: the quickest of the
# architectures, and of the four the first until a test adds the others. Two workers of two threads each would wait for
# each other on two cores.
INDICES = (18639, 18640, 18684, 19314)
SMALL_RUN = {
    "BLOX_RECIPE": "digits",
    "BLOX_INDICES": str(INDICES[0]),
    "BLOX_CHECKPOINT_EVERY_S": "0",
    "BLOX_LEASE_S": "20",
    "BLOX_HEARTBEAT_S": "2",
    "BLOX_RETRY_BACKOFF_S": "1",
    "OMP_NUM_THREADS": "1",
}

wait_until = partial(servers.wait_until, every_s=1)  # a look starts commands of Docker's

RAN: list[str] = []  # every line that tests have run


class Ended:
    """What a command printed, and its exit code."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr


def copied_checkout(folder: Path) -> Path:
    """Copy what git would commit, as a fresh clone has it."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


class Stack:
    """The services of some compose files in a copy of the checkout, under a project's name.

    Without files they are those that its .env names.
    """

    def __init__(self, folder: Path, files: Sequence[str] = (), *, project: str = PROJECT) -> None:
        self.folder = folder
        self.project = project
        ours = ("BLOX_", "COMPOSE_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.environment = kept | {
            "COMPOSE_PROJECT_NAME": project,
            "COMPOSE_PROGRESS": "plain",
            "BLOX_IMAGE": IMAGE,
        }
        if files:
            self.environment["COMPOSE_FILE"] = ":".join(files)

    def run(self, line: str, **extra: str) -> Ended:
        """Run a command line in the checkout."""
        RAN.append(line)
        to_file = re.search(r" [<>] ", line) is not None
        done = subprocess.run(
            ["bash", "-c", line] if to_file else shlex.split(line),
            cwd=self.folder,
            env=self.environment | extra,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return Ended(done)

    def succeed(self, line: str, **extra: str) -> str:
        """Run a command line that has to succeed; return what it printed."""
        ended = self.run(line, **extra)
        assert ended.code == 0, f"{line}: exit code {ended.code}\n{ended.out}\n{ended.err}"
        return ended.out

    def set(self, **settings: str) -> None:
        """Give settings of .env other values."""
        file = self.folder / ".env"
        lines = [
            line for line in file.read_text().splitlines() if line.partition("=")[0] not in settings
        ]
        lines += [f"{name}={value}" for name, value in settings.items()]
        file.write_text("\n".join(lines) + "\n")

    def setting(self, name: str) -> str:
        """Return a setting of .env."""
        (value,) = re.findall(rf"^{name}=(.*)$", (self.folder / ".env").read_text(), re.MULTILINE)
        return str(value)

    def secrets(self) -> list[str]:
        """Return the passwords of .env."""
        text = (self.folder / ".env").read_text()
        return re.findall(r"^BLOX_\w+_PASSWORD=(.+)$", text, re.MULTILINE)

    def config(self, profiles: str = "*") -> dict[str, Any]:
        """Return the services and volumes that compose makes of the files."""
        made = self.succeed(f"docker compose --profile {profiles} config --format json")
        parsed: dict[str, Any] = json.loads(made)
        return parsed

    def services(self) -> list[str]:
        """Return the services that have a container."""
        listed = self.succeed("docker compose ps --all --services")
        return sorted(listed.split())

    def container(self, service: str) -> str:
        """Return the id of a service's container."""
        listed = self.succeed(f"docker compose ps --all --quiet {service}").split()
        assert len(listed) == 1, f"{service}: {listed}"
        return listed[0]

    def inspected(self, service: str) -> dict[str, Any]:
        """Return what the engine knows of a service's container."""
        (found,) = json.loads(self.succeed(f"docker inspect {self.container(service)}"))
        known: dict[str, Any] = found
        return known

    def log(self, service: str) -> str:
        """Return what a service has printed."""
        ended = self.run(f"docker compose logs --no-color --no-log-prefix {service}")
        return ended.out + ended.err

    def status(self) -> dict[str, Any]:
        """Return what `blox status` says, asked in Flower's container.

        Services that are run a second time have two, of which `exec` takes any, and one ends.
        """
        printed = self.succeed("docker compose exec -T flower blox status --json")
        known: dict[str, Any] = json.loads(printed)
        return known

    def jobs(self) -> dict[str, int]:
        """Return the number of jobs by state."""
        found: dict[str, int] = self.status()["runs"][0]["jobs"]
        return found

    def query(self, sql: str) -> list[list[str]]:
        """Return the rows that the head's PostgreSQL answers; a start of Python beside trainings is slow."""
        asked = f'docker compose exec -T postgres psql -qAtU blox -d blox -c "{sql}"'
        return [line.split("|") for line in self.succeed(asked).splitlines()]

    def hostname(self, service: str) -> str:
        """Return the host of a service's workers."""
        name: str = self.inspected(service)["Config"]["Hostname"]
        return name

    def wait_for_epoch(self, *hosts: str, timeout_s: float = 240) -> None:
        """Wait until the workers of all these hosts are in the middle of a training each."""

        def all_are_training() -> bool:
            rows = self.query("SELECT worker, epoch FROM jobs WHERE state = 'running'")
            epochs = {worker.partition("@")[2]: int(epoch) for worker, epoch in rows}
            return all(0 < epochs.get(host, 0) < 5 for host in hosts)

        wait_until(all_are_training, f"a training each on {hosts}", timeout_s)
