"""How long it takes to cut a release from PostgreSQL, and how much memory."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import psycopg

from benchmarks.suite.codec import tasks
from benchmarks.suite.report.benchmark import Found
from benchmarks.suite.report.row import Row
from blox_core.space import SPACE_SIZE
from tests.support.commands import environment
from tests.support.results import fill_with_noise
from tests.support.servers import own_postgres

MOST_S: Final = 45
MOST_MB: Final = 300
MOST_GROWTH: Final = 1.1  # of memory, from the fewest rows to the most
_MB: Final = 1e6
_MIB: Final = 2**20


def measure(sizes: Sequence[int], epochs: int, formats: str) -> Found:
    """Export runs of so many results, with noisy curves; return the rows and details."""
    is_bounded = formats == "blox"
    rows: list[Row] = []
    cuts: dict[str, dict[str, float]] = {}
    for size in sorted(sizes):
        spread = np.linspace(0, SPACE_SIZE - 1, size).round().astype(int).tolist()
        with own_postgres("fsync=on") as server, tempfile.TemporaryDirectory() as folder:
            fill_with_noise(server.url, spread, epochs)
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
            copy_s = _copy_s(server.url)
            cuts[str(size)] = cut = export(server.url, Path(folder) / "release", formats)
        rows += _rows(f"{size:,} rows, {formats}", cut, copy_s, is_bounded)
    peaks = [cut["peak_mb"] for cut in cuts.values()]
    growth = MOST_GROWTH if is_bounded else None
    rows.append(Row("peak memory, most to fewest rows", [peaks[-1] / peaks[0]], at_most=growth))
    return rows, {"epochs": epochs, "formats": formats} | cuts


def export(url: str, out: Path, formats: str) -> dict[str, float]:
    """Export; return the seconds, those on the processor, peak memory and megabytes written."""
    options = ("--formats", formats, "--simulated")
    cut = tasks.run("export", out, *options, environment=environment(BLOX_DATABASE_URL=url))
    return cut | {"written_mb": sum(path.stat().st_size for path in out.iterdir()) / _MB}


def _copy_s(url: str) -> float:
    """Return the seconds that it takes to receive the table of results as it is."""
    begun = time.perf_counter()
    with (
        psycopg.connect(url) as connection,
        connection.cursor().copy("COPY results TO STDOUT (FORMAT BINARY)") as copy,
    ):
        for _ in copy:
            continue
    return time.perf_counter() - begun


def _rows(name: str, cut: Mapping[str, float], copy_s: float, is_bounded: bool) -> list[Row]:
    most_s, most_mb = (MOST_S, MOST_MB) if is_bounded else (None, None)
    whole = Row(name, [cut["seconds"]], "s", at_most=most_s)
    return [
        whole.against("binary COPY of the results", copy_s),
        Row(f"{name}: processor", [cut["cpu_s"]], "s"),
        Row(f"{name}: peak memory", [_MIB / _MB * cut["peak_mb"]], "MB", at_most=most_mb),
        Row(f"{name}: written", [cut["written_mb"]], "MB"),
    ]
