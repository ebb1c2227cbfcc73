"""The benchmark of release files: reading, querying and encoding them, and cutting one.

The tasks of the codec are run by turns, and their medians set against each other.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.suite.codec import cutting, tasks
from benchmarks.suite.codec.tasks import ORACLE_ROWS
from benchmarks.suite.report.benchmark import Benchmark, Found, say, versions
from benchmarks.suite.report.options import Options, number, option, several
from benchmarks.suite.report.row import Row
from blox_core.space import SPACE_SIZE
from tests.support.results import fill_with_noise
from tests.support.servers import postgres_version

EPOCHS: Final = 200  # of noise, so that packed bits hardly compress
_ONCE: Final = ("size",)  # the same in every run
_PEERS: Final = {
    "zlib_decompress": "zlib.decompress",
    "pyarrow_read": "pyarrow, parquet",
    "oracle": f"plain Python, {ORACLE_ROWS:,} rows, scaled",
}

_FEWEST: Final = 100  # of which the queries ask
_SIZES: Final = several(number(int, 1, SPACE_SIZE))
_ARCHITECTURES: Final = number(int, _FEWEST, SPACE_SIZE)

_Medians = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class CodecOptions(Options):
    """How much is read and written."""

    runs: int = option(5, "Runs by turns of which codec takes medians.", number(int, 1))
    architectures: int = option(SPACE_SIZE, "Rows of the release that codec reads.", _ARCHITECTURES)
    rows: Sequence[int] = option((20_000, 91_125), "Numbers of results that export writes.", _SIZES)
    epochs: int = option(200, "Epochs of what export writes.", number(int, 1))
    formats: str = option("blox", "Formats of export, as blox_store.export.", str)


def _measure(rows: int, runs: int) -> Found:
    """Return the rows of the table for a release of so many rows, and every figure of every run."""
    say(f"codec: medians of {runs} runs by turns, each in its own process, garbage collector on")
    with tempfile.TemporaryDirectory() as folder:
        store, release = f"sqlite:///{folder}/store.db", Path(folder) / "release"
        fill_with_noise(store, range(rows), EPOCHS)
        cutting.export(store, release, "blox,parquet")
        figures = _figures(release, runs)
    for figure in figures["oracle"]:
        figure["seconds"] *= max(1, rows / ORACLE_ROWS)
    medians = {
        name: {key: median(run[key] for run in found) for key in found[0]}
        for name, found in figures.items()
    }
    found = (*_decode(medians), *_load(medians), *_query(medians), *_encode(medians))
    return found, {"figures": figures}


def _figures(folder: Path, runs: int) -> dict[str, list[dict[str, float]]]:
    names = [task.__name__ for task in (*tasks.READING, *tasks.USING)]
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for turn in range(runs):
        for name in names:
            if turn == 0 or name not in _ONCE:
                figures[name].append(tasks.run(name, folder))
    return figures


def _decode(medians: _Medians) -> Iterator[Row]:
    seconds = {peer: medians[name]["seconds"] for name, peer in _PEERS.items()}
    for peer, peer_s in seconds.items():
        yield Row(peer, [peer_s], "s")
    for peer, peer_s in seconds.items():
        ours_s = [medians["decode"]["seconds"]]
        bound_s = peer_s if peer == _PEERS["zlib_decompress"] else None
        ours = Row("base and ext to numpy, inflate included", ours_s, "s", at_most=bound_s)
        yield ours.against(peer, peer_s)
    for name, label in {"decode": "base and ext to numpy", **_PEERS}.items():
        yield Row(f"peak: {label}", [medians[name]["peak_mb"]], "MB")


def _load(medians: _Medians) -> Iterator[Row]:
    for name, label, most_s in (
        ("load", "from_folder of all, val_acc, train_loss", 1.5),
        ("load_base", "from_folder of base, val_acc", 0.3),
        ("import_blox", "import blox", 0.25),
    ):
        yield Row(label, [medians[name]["seconds"]], "s", at_most=most_s)
    yield Row("peak of all", [medians["load"]["peak_mb"]], "MB", at_most=700)


def _query(medians: _Medians) -> Iterator[Row]:
    for name, label, most_us in (
        ("val_acc_us", "val_acc by an arch vector, median", 3),
        ("test_acc_us", "test_acc by a raw vector, median", 3),
        ("all_us", "val_acc by all indices, each", 0.1),
    ):
        yield Row(label, [medians["query"][name]], "µs", at_most=most_us)


def _encode(medians: _Medians) -> Iterator[Row]:
    ours_us, alone_us = medians["encode"]["row_us"], medians["encode"]["alone_row_us"]
    ours = Row("ext from memory, a row", [ours_us], "µs", at_most=min(25, 2 * alone_us))
    yield Row("ISA-L alone, a row", [alone_us], "µs")
    yield ours.against("ISA-L alone", alone_us)
    size = Row("size of the file", [medians["size"]["of_zlib"]], "times", at_most=1.01)
    yield size.against("zlib level 6", 1)


BENCHMARK: Final = Benchmark(
    name="codec",
    options=CodecOptions,
    parts={
        "codec": lambda told: _measure(told.architectures, told.runs),
        "export": lambda told: cutting.measure(told.rows, told.epochs, told.formats),
    },
    about=lambda _: {
        "postgresql": postgres_version(),
        **versions("sqlalchemy", "psycopg", "isal", "numpy", "pyarrow"),
    },
)
