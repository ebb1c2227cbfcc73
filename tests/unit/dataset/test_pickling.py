"""Pickles of data sets: where their files are, and what has to be in them."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blox_store.dataset import BenchmarkingDataset, Dataset, from_folder
from blox_store.errors import ReleaseMismatch, ReleaseMissing
from blox_store.release.reader import read_table
from blox_store.release.writer import write_table
from tests.unit.dataset.conftest import varied

ARCH = 59841
LARGEST = 20_000  # bytes


@pytest.fixture
def release(two_seeds: Path, tmp_path: Path) -> Path:
    """A copy, to be changed."""
    return shutil.copytree(two_seeds, tmp_path / "release")


def opened(folder: Path, **options: Any) -> Dataset:
    return from_folder(
        folder, extended=True, include_static_info=True, include_env_info=True, **options
    )


def answers(d: Dataset) -> list[Any]:
    queries = (d.val_acc, d.val_loss, d.test_acc, d.train_time)
    found = [query(ARCH, seed=seed) for query in queries for seed in d.seeds]
    return [*found, d.params(ARCH), d.latency(ARCH), d.full_info(ARCH, seed=1), len(d), d.seeds]


def test_a_pickle_is_small_whatever_was_decoded(release: Path) -> None:
    d = opened(release)
    before = pickle.dumps(d)
    d.load()
    expected = answers(d)
    after = pickle.dumps(d)
    assert len(before) == len(after) < LARGEST
    for data in (before, after):
        copy = pickle.loads(data)
        assert "architectures" not in repr(copy)  # not decoded yet
        assert answers(copy) == expected


def test_who_reads_it_opens_the_files_again(release: Path) -> None:
    d = opened(release)
    data, expected = pickle.dumps(d), answers(d)
    for file in list(release.iterdir()):  # the same bytes in another inode, at another time
        shutil.copy(file, release / "copy")
        os.utime(release / "copy", (1, 1))
        (release / "copy").replace(file)
    assert answers(pickle.loads(data)) == expected
    assert answers(pickle.loads(pickle.dumps(pickle.loads(data)))) == expected
    shutil.rmtree(release)
    with pytest.raises(ReleaseMissing, match="blox-base"):
        pickle.loads(data)


def test_another_release_under_the_same_paths_is_an_error(release: Path) -> None:
    data, path = pickle.dumps(opened(release)), release / "blox-base-0.blox"
    write_table(varied(read_table(path), shift=1), path, "blox")
    copy = pickle.loads(data)
    assert copy.val_acc(ARCH, seed=1) is not None
    with pytest.raises(ReleaseMismatch, match="does not hold what it held where"):
        copy.val_acc(ARCH, seed=0)


def test_a_file_that_was_replaced_cannot_be_pickled(release: Path) -> None:
    d = opened(release)
    (release / "blox-info.blox").touch()
    os.utime(release / "blox-info.blox", (1, 1))
    with pytest.raises(ReleaseMismatch, match="is not the file any more"):
        pickle.dumps(d)


def test_seeds_are_still_compared(release: Path) -> None:
    path = release / "blox-base-1.csv"
    write_table(varied(read_table(path), rows=20), path, "csv")
    copy = pickle.loads(pickle.dumps(from_folder(release)))
    assert copy.val_acc(ARCH, seed=0) is not None
    with pytest.raises(ReleaseMismatch, match="they are not of one release"):
        copy.val_acc(ARCH, seed=1)
    lenient = from_folder(release, validate_data=False)
    assert pickle.loads(pickle.dumps(lenient)).val_acc(ARCH, seed=1) == lenient.val_acc(
        ARCH, seed=1
    )


def test_options_and_the_budget_go_along(release: Path) -> None:
    d = opened(release, seeds=1, devices="jetson", rng=3)
    d.simulate(ARCH)
    copy = pickle.loads(pickle.dumps(d))
    assert (copy.seeds, copy.devices) == ([1], ["jetson"])
    assert copy.budget.used_s == d.budget.used_s > 0


def test_copies_of_a_generator_draw_the_same(release: Path) -> None:
    def drawn(d: Dataset) -> list[Any]:
        return [d.val_acc(ARCH) for _ in range(30)]

    d = from_folder(release, rng=3)
    first, second = (pickle.loads(pickle.dumps(d)) for _ in range(2))
    assert drawn(first) == drawn(second) == drawn(d)
    d = from_folder(release)
    first, second = (pickle.loads(pickle.dumps(d)) for _ in range(2))
    assert drawn(first) != drawn(second)


@pytest.mark.parametrize(
    "part", [lambda d: d.bench_info, lambda d: d.static_info, lambda d: d.env_info]
)
def test_parts_by_themselves(release: Path, part: Callable[[Dataset], Any]) -> None:
    made = part(opened(release))
    copy = pickle.loads(pickle.dumps(made))
    assert type(copy) is type(made)
    assert list(copy) == list(made)
    if isinstance(made, BenchmarkingDataset):
        assert copy.devices == made.devices
