"""The command line of `benchmarks/codec.py`."""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from benchmarks.codec_release import write_release
from benchmarks.codec_rows import measure
from benchmarks.machine import refuse_if_busy, this_machine
from benchmarks.report import Report, rows_in_words
from blox_core.space import SPACE_SIZE

WIDTH: Final = 140
RUNS: Final = 5
_LIBRARIES: Final = ("isal", "numpy", "pyarrow")


@click.command()
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write all there too.")
@click.option("--check", is_flag=True, help="Exit by 1 if a bound is missed, and say which.")
@click.option("--any-load", is_flag=True, help="Measure on a busy machine too; marks the table.")
@click.option(
    "--runs", type=click.IntRange(1), default=RUNS, show_default=True, help="Take medians of them."
)
def main(json_path: Path | None, check: bool, any_load: bool, runs: int) -> None:
    """Measure the codec at full size: 91,125 architectures, 200 noisy epochs."""
    machine = this_machine()
    if not any_load:
        refuse_if_busy(machine)
    console = Console(width=WIDTH)
    with tempfile.TemporaryDirectory() as name:
        write_release(Path(name))
        rows, figures = measure(Path(name), SPACE_SIZE, runs)
    libraries = {name: version(name) for name in _LIBRARIES}
    details = {"runs": figures, "libraries": libraries, "garbage collector": "on, defaults"}
    report = Report(machine=machine, rows=rows, details=details)
    report.show(console)
    console.print(
        f"medians of {runs} runs by turns, each in its own process; {details_line(libraries)}"
    )
    if json_path is not None:
        report.write(json_path)
    if check and report.missed:
        raise click.ClickException(rows_in_words(report.missed))


def details_line(libraries: dict[str, str]) -> str:
    """Return the versions, and the setting of the garbage collector, in words."""
    versions = ", ".join(f"{name} {number}" for name, number in libraries.items())
    return f"{versions}; garbage collector on, with its defaults"
