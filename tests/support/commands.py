"""Running the installed commands as a person would, in processes of their own."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

BIN = Path(sys.executable).parent
TIMEOUT_S = 280
DEMO_FLAGS = "--architectures 2 --epochs 1"
DEMO = f"blox demo --dir demo {DEMO_FLAGS}"


class Ended(NamedTuple):
    """The exit code of a command, and what it printed."""

    code: int
    out: str
    err: str


def environment(**extra: str) -> dict[str, str]:
    """Return an environment for a command: no setting of ours, one thread, no colours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BLOX_")}
    path = f"{BIN}{os.pathsep}{kept['PATH']}"
    return kept | {"OMP_NUM_THREADS": "1", "PATH": path, "COLUMNS": "160", "TERM": "dumb"} | extra


class Commands:
    """Runs command lines in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[subprocess.Popen[str]] = []

    def run(self, line: str, **extra: str) -> Ended:
        """Run a command line to its end."""
        process = self.start(line, **extra)
        out, err = process.communicate(timeout=TIMEOUT_S)
        return Ended(code=process.returncode, out=out, err=err)

    def succeed(self, line: str, **extra: str) -> str:
        """Run a command line that has to succeed, and return what it printed."""
        ended = self.run(line, **extra)
        assert ended.code == 0, f"{line}: exit code {ended.code}\n{ended.out}\n{ended.err}"
        return ended.out

    def start(self, line: str, **extra: str) -> subprocess.Popen[str]:
        """Start a command line."""
        process = subprocess.Popen(
            shlex.split(line),
            cwd=self.folder,
            # Measurements of one test do not wait for trainings of another.
            env=environment(**{"BLOX_LOCK_DIR": f"{self.folder}-locks"} | extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def end(self) -> None:
        """Kill what a failed test has left running, and close what it has left open."""
        for process in self._started:
            process.kill()  # nothing, if it has ended
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
