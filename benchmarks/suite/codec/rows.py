"""Runs the tasks of the codec by turns, and sets their medians against each other."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from benchmarks.suite.codec.release import write_release
from benchmarks.suite.codec.tasks import ORACLE_ROWS, TASKS
from benchmarks.suite.report.report import Row

ROOT: Final = Path(__file__).parents[3]
ONCE: Final = ("size",)  # the same in every run
_LIBRARIES: Final = ("isal", "numpy", "pyarrow")

_Medians = dict[str, dict[str, float]]


def measure(rows: int, runs: int) -> tuple[list[Row], dict[str, Any]]:
    """Return the rows of the table for a release of so many rows, and every figure of every run."""
    with tempfile.TemporaryDirectory() as name:
        write_release(Path(name), rows)
        figures = _figures(Path(name), runs)
    medians = {
        name: {key: statistics.median(run[key] for run in found) for key in found[0]}
        for name, found in figures.items()
    }
    medians["oracle"]["seconds"] *= max(1, rows / ORACLE_ROWS)
    found = [*_decode(medians), *_load(medians), *_query(medians), *_encode(medians)]
    return found, {"figures": figures, "circumstances": circumstances(runs)}


def circumstances(runs: int) -> str:
    """Return how it is measured, and by which libraries, in words."""
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return (
        f"codec: medians of {runs} runs by turns, each in its own process; {libraries}; "
        "garbage collector on, with its defaults"
    )


def _figures(folder: Path, runs: int) -> dict[str, list[dict[str, float]]]:
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in TASKS}
    for run in range(runs):
        for name in TASKS:
            if run == 0 or name not in ONCE:
                figures[name].append(_run(name, folder))
    return figures


def _run(name: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.suite.codec.tasks", name, str(folder)]
    ended = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(ended.stdout)
    return found


def _decode(medians: _Medians) -> list[Row]:
    ours = medians["decode"]["seconds"]
    peers = {
        "zlib_decompress": "zlib.decompress",
        "pyarrow_read": "pyarrow, parquet",
        "oracle": f"plain Python, {ORACLE_ROWS:,} rows, scaled",
    }
    bound = medians["zlib_decompress"]["seconds"]
    rows = []
    for name, peer in peers.items():
        seconds = medians[name]["seconds"]
        rows.append(Row(part="codec", name=peer, value=seconds, unit="s"))
    rows += [
        Row(
            part="codec",
            name="base and ext to numpy, inflate included",
            value=ours,
            unit="s",
            bound=bound if name == "zlib_decompress" else None,
            peer=peer,
            ratio=ours / medians[name]["seconds"],
        )
        for name, peer in peers.items()
    ]
    labels = {"decode": "base and ext to numpy", **peers}
    return rows + [
        Row(part="codec", name=f"peak: {label}", value=medians[name]["peak_mb"], unit="MB")
        for name, label in labels.items()
    ]


def _load(medians: _Medians) -> list[Row]:
    bounds = {
        "load": ("from_folder of all, val_acc, train_loss", 1.5),
        "load_base": ("from_folder of base, val_acc", 0.3),
        "import_blox": ("import blox", 0.25),
    }
    rows = [
        Row(part="codec", name=label, value=medians[name]["seconds"], unit="s", bound=bound)
        for name, (label, bound) in bounds.items()
    ]
    peak = medians["load"]["peak_mb"]
    rows.append(Row(part="codec", name="peak of all", value=peak, unit="MB", bound=700))
    return rows


def _query(medians: _Medians) -> list[Row]:
    bounds = {
        "val_acc_us": ("val_acc by an arch vector, median", 3),
        "test_acc_us": ("test_acc by a raw vector, median", 3),
        "all_us": ("val_acc by all indices, each", 0.1),
    }
    return [
        Row(part="codec", name=label, value=medians["query"][name], unit="µs", bound=bound)
        for name, (label, bound) in bounds.items()
    ]


def _encode(medians: _Medians) -> list[Row]:
    ours, alone = medians["encode"]["row_us"], medians["encode"]["alone_row_us"]
    size = medians["size"]["of_zlib"]
    return [
        Row(part="codec", name="ISA-L alone, a row", value=alone, unit="µs"),
        Row(
            part="codec",
            name="ext from memory, a row",
            value=ours,
            unit="µs",
            bound=min(25, 2 * alone),
            peer="ISA-L alone",
            ratio=ours / alone,
        ),
        Row(
            part="codec",
            name="size of the file",
            value=size,
            unit="times",
            bound=1.01,
            peer="zlib level 6",
            ratio=size,
        ),
    ]
