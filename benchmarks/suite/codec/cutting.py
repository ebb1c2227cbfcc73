"""How long it takes to cut a release from PostgreSQL, and how much memory."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import psycopg

from benchmarks.suite.queue.production import new_database
from benchmarks.suite.report.report import Row
from blox_core.recipe import Recipe, preset
from blox_core.result.environment import Environment
from blox_core.simulation import SIMULATED, SIMULATION_REVISION
from blox_core.space import SPACE_SIZE
from blox_store.store import FinishedRow, Store
from blox_store.store.results.curves import pack_many
from tests.support.commands import environment
from tests.support.servers import own_postgres

SIZES: Final = (20_000, 91_125)
MOST_S: Final = 45
MOST_MB: Final = 300
MOST_GROWTH: Final = 1.1  # of memory, from the fewest rows to the most
_ROWS_PER_BLOCK: Final = 1000
_MB: Final = 1e6
_ENVIRONMENTS: Final = 16
# Run by an interpreter of its own, whose peak memory is that of the export alone.
_EXPORT: Final = """
import json, resource, sys, time
from blox_store.program import launch
begun = time.perf_counter()
code = launch("blox_store.export.command", program="export", extra="store")
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "code": code,
    "s": time.perf_counter() - begun,
    "cpu_s": used.ru_utime + used.ru_stime,
    "peak_bytes": used.ru_maxrss * 1024,
}))
"""


@dataclass(frozen=True, kw_only=True)
class Cut:
    """One export: seconds, of which so many on the processor, peak memory, bytes written."""

    s: float
    cpu_s: float
    peak_bytes: int
    written_bytes: int


def measure(sizes: Sequence[int], epochs: int, formats: str) -> tuple[list[Row], dict[str, Any]]:
    """Export runs of so many results, with noisy curves; return the rows and details."""
    rows, cuts = [], {}
    with own_postgres("fsync=on") as server:
        for size in sorted(sizes):
            with new_database(server.url, f"rows_{size}") as url:
                fill(url, size, epochs)
                copy_s = _copy_s(url)
                cuts[size] = cut = _cut(url, formats)
                rows += _rows(size, formats, cut, copy_s)
    peaks = [cut.peak_bytes for cut in cuts.values()]
    rows.append(
        Row(
            part="export",
            name="peak memory, most to fewest rows",
            value=peaks[-1] / peaks[0],
            unit="",
            bound=MOST_GROWTH if formats == "blox" else None,
        )
    )
    details = {"epochs": epochs, "formats": formats}
    return rows, details | {str(size): vars(cut) for size, cut in cuts.items()}


def fill(url: str, size: int, epochs: int) -> None:
    """Make a store with a run of so many results, spread over the search space."""
    recipe = replace(preset("cifar100"), epochs=epochs)
    rng = np.random.default_rng(0)
    indices = np.linspace(0, SPACE_SIZE - 1, size).round().astype(int).tolist()
    with Store(url, migrate=True) as store:
        costs = [(i, int(1e5 + 37 * i), int(1e7 + 4001 * i)) for i in indices]
        store.static.add_architectures(recipe.shape, costs)
        store.finished_runs.take(
            {
                "dataset": recipe.dataset,
                "seed": 0,
                "trainer": SIMULATED,
                "trainer_revision": SIMULATION_REVISION,
            },
            recipe,
            _blocks(rng, recipe, indices),
            without_rows={},
        )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _blocks(
    rng: np.random.Generator, recipe: Recipe, indices: Sequence[int]
) -> Iterator[list[FinishedRow]]:
    environments = [
        {name: f"{name} of machine {machine}" for name in Environment.__dataclass_fields__}
        for machine in range(_ENVIRONMENTS)
    ]
    for start in range(0, len(indices), _ROWS_PER_BLOCK):
        chosen = indices[start : start + _ROWS_PER_BLOCK]
        shape = (len(chosen), recipe.epochs)
        counts = [
            rng.integers(images // 10, images, shape)
            for images in (recipe.train_images,) * 2 + (recipe.val_images,) * 2
        ]
        losses = [rng.integers(0, 5_000_000, shape).astype(np.uint32) for _ in range(2)]
        packed = pack_many(counts, losses)
        yield [
            FinishedRow(
                arch_index=index,
                status="succeeded",
                epochs=recipe.epochs,
                best_epoch=int(counts[2][row].argmax()) + 1,
                test_top1=int(rng.integers(0, recipe.test_images)),
                test_top5=int(rng.integers(0, recipe.test_images)),
                test_loss=round(float(rng.uniform(0, 5)), 6),
                train_time_s=int(rng.integers(1000, 20_000)),
                curves_layout=packed[row].layout,
                curves=packed[row].blob,
                environment=environments[index % _ENVIRONMENTS],
            )
            for row, index in enumerate(chosen)
        ]


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


def _cut(url: str, formats: str) -> Cut:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "release"
        options = ["--out", out, "--formats", formats, "--simulated"]
        ended = subprocess.run(
            [sys.executable, "-c", _EXPORT, *options],
            env=environment(BLOX_DATABASE_URL=url),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        found = json.loads(ended.stdout.splitlines()[-1])
        assert found.pop("code") == 0, ended.stdout
        written = sum(path.stat().st_size for path in out.iterdir())
        return Cut(written_bytes=written, **found)


def _rows(size: int, formats: str, cut: Cut, copy_s: float) -> list[Row]:
    name = f"{size:,} rows, {formats}"
    is_bounded = formats == "blox"
    return [
        Row(
            part="export",
            name=name,
            value=cut.s,
            unit="s",
            bound=MOST_S if is_bounded else None,
            peer="binary COPY of the results",
            ratio=cut.s / copy_s,
        ),
        Row(part="export", name=f"{name}: processor", value=cut.cpu_s, unit="s"),
        Row(
            part="export",
            name=f"{name}: peak memory",
            value=cut.peak_bytes / _MB,
            unit="MB",
            bound=MOST_MB if is_bounded else None,
        ),
        Row(part="export", name=f"{name}: written", value=cut.written_bytes / _MB, unit="MB"),
    ]
