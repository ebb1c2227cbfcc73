"""Processes that share a data set by a fork draw seeds of their own."""

from __future__ import annotations

import multiprocessing
from multiprocessing.queues import Queue
from pathlib import Path

import pytest

from blox_store.dataset import Dataset, from_folder
from blox_store.release.reader import read_table
from blox_store.release.writer import write_table
from tests.unit.dataset.conftest import varied

WORKERS = 3
TIMEOUT_S = 60


def tell(d: Dataset, told: Queue[tuple[float, ...]]) -> None:
    told.put(drawn(d))


def drawn(d: Dataset) -> tuple[float, ...]:
    return tuple(d.val_acc(int(index)) for index in d.indices)


@pytest.mark.parametrize(("rng", "differing"), [(None, WORKERS), (1, 1)])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_workers_draw_apart_without_rng(
    golden: Path, tmp_path: Path, rng: int | None, differing: int
) -> None:
    table = read_table(golden / "release-e12" / "blox-base-0.blox")
    write_table(table, tmp_path / "blox-base-0.blox", "blox")
    write_table(varied(table, shift=1, seed=1), tmp_path / "blox-base-1.blox", "blox")
    d = from_folder(tmp_path, rng=rng)
    d.load()
    fork = multiprocessing.get_context("fork")
    told: Queue[tuple[float, ...]] = fork.Queue()
    workers = [fork.Process(target=tell, args=(d, told)) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    series = {told.get(timeout=TIMEOUT_S) for _ in workers}
    for worker in workers:
        worker.join()
    assert len(series) == differing
