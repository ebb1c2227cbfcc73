"""A benchmark: its parts are measured, and their figures printed, written and judged."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from benchmarks.suite.report.options import Options, told
from benchmarks.suite.report.row import Row, tables
from blox_core.errors import BloxError

SUCCESS: Final = 0
FAILED: Final = 1
USAGE: Final = 2
IDLE_LOAD_PER_CORE: Final = 0.5

# What a part has found, and what else of it is worth keeping.
Found = tuple[Iterable[Row], Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What a script such as `benchmarks/queue.py` measures.

    `usual` are the parts that are measured without a word, if not all; `about` says on what
    figures depend besides the machine. One that takes no times may run on a busy machine.
    """

    name: str
    options: type[Options]
    parts: Mapping[str, Callable[[Any], Found]]
    about: Callable[[Any], Mapping[str, Any]]
    usual: Sequence[str] = ()
    takes_times: bool = True

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Measure as a command line says; return the exit code."""
        options = told(self.options, self.name, list(self.parts), arguments)
        machine = this_machine()
        if self.takes_times and machine["busy"] and not options.any_load:
            most = IDLE_LOAD_PER_CORE * machine["cores"]
            return _fail(
                f"the load of this machine is {machine['load']}: at most {most:g} is allowed on "
                f"{machine['cores']} cores; wait, or measure all the same by --any-load, which "
                "marks the table"
            )
        try:
            machine |= self.about(options)
            rows, details = self._measure(options)
        except BloxError as error:
            return _fail(str(error))
        return _hand_out(options, machine, rows, details)

    def _measure(self, options: Options) -> tuple[list[Row], dict[str, Any]]:
        bounds = dict(options.bound)
        rows: list[Row] = []
        details = {}
        for part in options.parts or self.usual or self.parts:
            found, details[part] = self.parts[part](options)
            for row in found:
                titled = replace(row, part=row.part or part)
                rows.append(titled.bounded(bounds[row.name]) if row.name in bounds else titled)
        return rows, details


def this_machine() -> dict[str, Any]:
    """Return the machine as it is now."""
    load, processors = os.getloadavg()[0], cores()
    return {
        "processor": _processor(),
        "cores": processors,
        "load": round(load, 2),
        "busy": load > IDLE_LOAD_PER_CORE * processors,
        "python": platform.python_version(),
    }


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of packages."""
    return {package: version(package) for package in packages}


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def say(words: str, *, aside: bool = False) -> None:
    """Print a line, or what is no part of the report beside it."""
    print(words, file=sys.stderr if aside else sys.stdout, flush=True)


def _hand_out(
    options: Options, machine: Mapping[str, Any], rows: Sequence[Row], details: Mapping[str, Any]
) -> int:
    """Print and write what was found; return the exit code."""
    say(tables(rows))
    busy = "; BUSY, the figures are not to be quoted" if machine["busy"] else ""
    say("\n" + ", ".join(f"{name} {value}" for name, value in machine.items()) + busy)
    if options.json is not None:
        found = [row.to_dict() for row in rows]
        document = {"machine": machine, "rows": found, "details": details}
        options.json.write_text(json.dumps(document, indent=2) + "\n")
    if unknown := {name for name, _ in options.bound} - {row.name for row in rows}:
        return _fail(f"--bound: no row has the name {min(unknown)!r}; the table has all", USAGE)
    if options.check and (missed := [row for row in rows if row.missed]):
        return _fail("\n".join(f"missed: {row}" for row in missed))
    return SUCCESS


def _fail(words: str, code: int = FAILED) -> int:
    say(f"Error: {words}", aside=True)
    return code


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
