"""Command lines as a person types them, run in this process: a start takes 0.6 s of CPU or more."""

import logging
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest

from blox_store import command_line
from tests.support.commands import Ended, environment


class Typed:
    """Runs command lines in the folder of this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, line: str, **extra: str) -> Ended:
        """Run a command line to its end."""
        module, program, arguments = _parsed(shlex.split(line))
        with pytest.MonkeyPatch.context() as patch, _own_log():
            for name in os.environ.keys() - environment().keys():
                patch.delenv(name)
            for name, value in environment(BLOX_LOCK_DIR=f"{Path.cwd()}-locks", **extra).items():
                patch.setenv(name, value)
            code = command_line.run(import_module(module).command, program, arguments)
        return Ended(code, *self._capture.readouterr())

    def succeed(self, line: str, **extra: str) -> str:
        """Run a command line that has to succeed, and return what it printed."""
        ended = self(line, **extra)
        assert ended.code == 0, f"{line}: exit code {ended.code}\n{ended.out}\n{ended.err}"
        return ended.out


def _parsed(words: list[str]) -> tuple[str, str, list[str]]:
    """Return the module of a command, the name of its program, and its arguments."""
    if words[0] == "blox":
        return "blox_worker.commands", "blox", words[1:]
    assert words[:2] == ["python", "-m"], words
    return f"{words[2]}.command", " ".join(words[:3]), words[3:]


@contextmanager
def _own_log() -> Iterator[None]:
    """Let a command log to standard error, as it does in a process of its own."""
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []
    try:
        yield
    finally:
        root.handlers = handlers
        logging.captureWarnings(False)
