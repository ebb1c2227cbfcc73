"""Every command shows what it has to say on a terminal that knows ASCII alone."""

from __future__ import annotations

import io
import shlex
import sys
from pathlib import Path

import pytest

from blox_store.program import launch
from blox_worker.commands import command as blox_command
from blox_worker.entry import main
from tests.support.commands import Commands
from tests.support.tiny import init_options

RUN = [
    "blox migrate",
    "blox init --recipe digits --seed 0 --indices 0-2 --trainer simulated",
    "blox train --local",
    "blox pause",
    "blox resume",
    "blox status",
    "blox jobs",
    "blox retry --all",
    "blox health store",
    "blox_store.export --simulated --out release --formats blox",
    "blox_store.verify release",
    "blox_store.ingest release --database sqlite:///other.db",
    "blox show 18639",
    "blox report release --out report.html",
    f"blox init --recipe digits --seed 1 --indices 18639 {init_options()}",
    "blox nonsense",
]


class Terminal:
    """Runs command lines with standard streams that take ASCII alone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch

    def __call__(self, line: str) -> str:
        """Return what a command line has written to either stream."""
        data = io.BytesIO()
        stream = io.TextIOWrapper(data, encoding="ascii", write_through=True)
        program, *arguments = shlex.split(line)
        with self._patch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            patch.setattr(sys, "stderr", stream)
            if program == "blox":
                main(arguments)
            else:
                launch(f"{program}.command", program=program, extra="store", arguments=arguments)
            stream.flush()
        return data.getvalue().decode("ascii")


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOX_SIMULATED_EPOCH_S", "0")
    return Terminal(monkeypatch)


def test_a_run_and_its_release(terminal: Terminal) -> None:
    printed = {line: terminal(line) for line in RUN}
    assert all(text and "Traceback" not in text for text in printed.values()), printed
    assert "3 succeeded" in printed["blox train --local"]
    assert "input ----" in printed["blox show 18639"]
    assert "--> conv" in printed["blox show 18639"]
    assert "no fault" in printed["blox_store.verify release"]


@pytest.mark.parametrize("verb", [None, *blox_command.list_commands(None)])
def test_help(terminal: Terminal, verb: str | None) -> None:
    assert "Usage: blox" in terminal("blox --help" if verb is None else f"blox {verb} --help")


def test_a_process_of_its_own(tmp_path: Path) -> None:
    commands = Commands(tmp_path)
    try:
        shown = commands.succeed("blox show 18639", PYTHONIOENCODING="ascii", LC_ALL="C")
    finally:
        commands.end()
    assert "input ----" in shown
