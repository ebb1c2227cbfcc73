"""Accuracies, losses and times: seeds, epochs, many architectures, and what is not there."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blox_core.errors import ArchitectureError
from blox_core.space import index_of, model_hash
from blox_store.dataset import Dataset, from_folder
from blox_store.errors import NotInRelease, QueryError
from blox_store.release.columns import IntColumn
from blox_store.release.reader import read_table
from blox_store.release.table import Table
from blox_store.release.writer import write_table

ARCH = [[[0], [2, 1, 0, 0]], [[2], [2, 1, 0, 1]], [[0], [2, 1, 1, 1]]]
ABSENT = [[[0], [2, 1, 1, 1]]] * 3
CURVES = {
    "val_acc": ("val_top1", max),
    "val_top5": ("val_top5", max),
    "val_loss": ("val_loss", min),
    "train_acc": ("train_top1", max),
    "train_top5": ("train_top5", max),
    "train_loss": ("train_loss", min),
}
NUMBERS = {"test_acc": "test_top1", "test_loss": "test_loss", "test_top5": "test_top5"}
EPOCHS = 12


@cache
def rows_of(folder: Path, seed: int) -> dict[str, dict[str, Any]]:
    """The rows of the training files of a seed by hash, straight from the reader."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob(f"blox-[be]*-{seed}.*")):
        table = read_table(path)
        if table.header["dataset_type"] == "training":
            for row in table.rows():
                found.setdefault(row[0], {}).update(zip(table.columns, row, strict=True))
    return found


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", CURVES)
def test_curves_of_each_seed(full: Dataset, two_seeds: Path, name: str, seed: int) -> None:
    column, best_of = CURVES[name]
    query: Callable[..., Any] = getattr(full, name)
    for text, row in rows_of(two_seeds, seed).items():
        curve = row[column]
        assert query(text, best=False, seed=seed) == curve[-1]
        assert query(text, best=True, seed=seed) == best_of(curve)
        for epoch in (1, 4, EPOCHS):
            assert query(text, epoch=epoch, best=False, seed=seed) == curve[epoch - 1]
            assert query(text, epoch, True, seed) == best_of(curve[:epoch])


@pytest.mark.parametrize("seed", [0, 1])
def test_numbers_of_each_seed(full: Dataset, two_seeds: Path, seed: int) -> None:
    for text, row in rows_of(two_seeds, seed).items():
        got = {column: getattr(full, name)(text, seed=seed) for name, column in NUMBERS.items()}
        assert got == {column: row[column] for column in NUMBERS.values()}
        assert full.train_time(text, seed=seed) == row["train_time_s"]
        assert full.train_time(text, 3, seed) == row["train_time_s"] * (3 / EPOCHS)


@pytest.mark.parametrize("name", [*CURVES, *NUMBERS, "train_time"])
def test_an_architecture_that_is_not_there(full: Dataset, name: str) -> None:
    assert getattr(full, name)(ABSENT) is None
    assert getattr(full, name)(index_of(ABSENT), seed=1) is None
    if name not in NUMBERS:
        assert getattr(full, name)(ABSENT, epoch=5) is None


@pytest.mark.parametrize("name", [*CURVES, *NUMBERS, "train_time"])
def test_an_arch_vector_that_denotes_none(full: Dataset, name: str) -> None:
    with pytest.raises(ArchitectureError, match="no path"):
        getattr(full, name)([[[0], [0, 0, 0, 0]]] * 3)


def test_all_spellings_of_an_architecture(small: Dataset) -> None:
    index = index_of(ARCH)
    for arch in (ARCH, index, np.int32(index), model_hash(ARCH)):
        assert small.val_acc(arch) == 24.48
        assert type(small.val_acc(arch)) is float


@pytest.mark.parametrize("name", [*CURVES, *NUMBERS, "train_time"])
@pytest.mark.parametrize("kind", [list, np.array])
def test_many_architectures(full: Dataset, name: str, kind: Callable[..., Any]) -> None:
    query = getattr(full, name)
    indices = full.indices.tolist()
    got = query(kind(indices), seed=1)
    assert got.dtype == (np.int64 if name == "train_time" else np.float64)
    assert got.tolist() == [query(index, seed=1) for index in indices]
    assert query(kind(indices[:0]), seed=1).shape == (0,)


def test_answers_are_plain_python_numbers(full: Dataset) -> None:
    arch = full.indices.tolist()[0]
    for name in (*CURVES, *NUMBERS):
        assert type(getattr(full, name)(arch)) is float
    assert type(full.val_acc(arch, epoch=3)) is float
    assert {type(full.train_time(arch)), type(full.params(arch)), type(full.flops(arch))} == {int}


def test_trainings_without_an_epoch(no_epochs: Dataset) -> None:
    for arch in (ARCH, no_epochs.indices):
        with pytest.raises(QueryError, match="epoch 0: an integer from 1 to 0 is allowed"):
            no_epochs.val_acc(arch)
    assert no_epochs.test_acc(ARCH) is not None


def test_many_architectures_at_an_epoch(full: Dataset) -> None:
    indices = full.indices
    for query in (full.val_acc, full.val_loss, full.train_time):
        got: Any = query(indices, epoch=5, seed=0)
        assert got.tolist() == [query(int(index), epoch=5, seed=0) for index in indices]


def test_many_architectures_of_which_one_is_absent(full: Dataset) -> None:
    absent = index_of(ABSENT)
    with pytest.raises(NotInRelease, match=f"1 of 25 .* not in .*base-0.* \\({absent}\\)") as error:
        full.val_acc([*full.indices, absent], seed=0)
    assert "`indices`" in str(error.value)
    with pytest.raises(NotInRelease, match="…"):
        full.test_acc(range(100), seed=0)


@pytest.mark.parametrize("epoch", [0, -1, 13, 500, 1.0, True, "5"])
@pytest.mark.parametrize("name", [*CURVES, "train_time"])
def test_an_epoch_that_is_not_there(full: Dataset, name: str, epoch: Any) -> None:
    with pytest.raises(QueryError, match=f"epoch {epoch!r}: an integer from 1 to 12 is allowed"):
        getattr(full, name)(ARCH, epoch=epoch)


@pytest.mark.parametrize("seed", [2, -1, True, "0", [0]])
def test_a_seed_that_is_not_loaded(full: Dataset, seed: Any) -> None:
    with pytest.raises(QueryError, match=r"the loaded seeds are \[0, 1\]"):
        full.val_acc(ARCH, seed=seed)


@pytest.mark.parametrize(
    "name", [n for n in (*CURVES, *NUMBERS) if n not in ("val_acc", "test_acc")]
)
def test_columns_that_are_not_loaded(two_seeds: Path, name: str) -> None:
    with pytest.raises(QueryError, match="extended=True") as error:
        getattr(from_folder(two_seeds), name)(ARCH)
    assert isinstance(error.value, ValueError)


def test_a_random_seed_at_every_call(two_seeds: Path) -> None:
    d = from_folder(two_seeds)
    values = {seed: d.val_acc(ARCH, seed=seed) for seed in (0, 1)}
    assert values[0] != values[1]
    assert {d.val_acc(ARCH) for _ in range(100)} == set(values.values())


def test_random_seeds_come_from_the_generator_given(two_seeds: Path) -> None:
    def drawn(rng: Any) -> list[Any]:
        d = from_folder(two_seeds, rng=rng)
        return [d.val_acc(ARCH) for _ in range(20)]

    assert drawn(7) == drawn(7) == drawn(np.random.default_rng(7))
    assert drawn(7) != drawn(8)


def test_seeding_pythons_generator_repeats_a_search(two_seeds: Path) -> None:
    d, before = from_folder(two_seeds), np.random.get_state()[1].tolist()

    def drawn(seed: int) -> list[Any]:
        random.seed(seed)
        return [d.val_acc(ARCH) for _ in range(20)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert np.random.get_state()[1].tolist() == before


def test_a_generator_of_ones_own_leaves_pythons_alone(two_seeds: Path) -> None:
    d, before = from_folder(two_seeds, rng=1), random.getstate()
    assert len({d.val_acc(ARCH) for _ in range(20)}) == 2
    assert random.getstate() == before


def test_one_seed_for_many_architectures(two_seeds: Path) -> None:
    d = from_folder(two_seeds, rng=0)
    both = [d.val_acc(d.indices, seed=seed) for seed in (0, 1)]
    for _ in range(20):
        got = d.val_acc(d.indices)
        assert any(np.array_equal(got, values) for values in both)


@pytest.mark.parametrize("suffix", ["blox", "csv", "pickle"])
@pytest.mark.parametrize("seconds", [0, 99, 90_000, 2**32 - 1])
def test_trainings_of_any_length(
    release_e12: Path, tmp_path: Path, seconds: int, suffix: str
) -> None:
    table = read_table(release_e12 / "blox-base-0.blox")
    times = IntColumn(np.full(len(table), seconds, np.uint32))
    told = Table(header=table.header, columns={**table.columns, "train_time_s": times})
    write_table(told, tmp_path / f"blox-base-0.{suffix}", suffix)
    assert from_folder(tmp_path, preferred_ext=suffix).train_time(ARCH) == seconds
