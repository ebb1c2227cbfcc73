"""Trainings that are looked up instead of made, and the time that they are charged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blox_store.dataset import Budget, Dataset, from_folder
from blox_store.errors import BudgetSpent, NotInRelease, QueryError

ARCH = [[[0], [2, 1, 0, 0]], [[2], [2, 1, 0, 1]], [[0], [2, 1, 1, 1]]]
ABSENT = [[[0], [2, 1, 1, 1]]] * 3


@pytest.fixture(autouse=True)
def nothing_is_used_yet(small: Dataset, full: Dataset) -> None:
    for opened in (small, full):
        opened.budget.reset()


def test_accuracy_time_and_what_is_used(small: Dataset) -> None:
    first = small.simulate(ARCH, 3)
    assert first.val_acc == small.val_acc(ARCH, epoch=3, best=False)
    assert first.train_time_s == first.used_s == small.train_time(ARCH, 3)
    second = small.simulate(ARCH)
    assert second.val_acc == small.val_acc(ARCH, best=False)
    assert second.train_time_s == small.train_time(ARCH)
    assert second.used_s == small.budget.used_s == first.train_time_s + second.train_time_s
    assert second.seed == 0
    small.budget.reset()
    assert small.simulate(ARCH, 3) == first


def test_a_budget_of_ones_own(small: Dataset) -> None:
    whole: Any = small.train_time(ARCH)
    budget = Budget(1.5 * whole)
    assert small.simulate(ARCH, budget=budget).used_s == budget.used_s == whole
    assert budget.left_s == 0.5 * whole
    with pytest.raises(BudgetSpent, match="s are left: end the search here") as error:
        small.simulate(ARCH, budget=budget)
    assert isinstance(error.value, TimeoutError)
    assert (budget.used_s, small.budget.used_s) == (whole, 0)
    assert small.simulate(ARCH, 6, budget=budget).used_s == budget.limit_s
    assert repr(Budget(50)) == "Budget(limit_s=50, used_s=0)"


def test_accuracy_and_time_are_of_the_same_seed(two_seeds: Path) -> None:
    def trained() -> list[Any]:
        d = from_folder(two_seeds, rng=3)
        return [d.simulate(ARCH, 5) for _ in range(20)]

    results = trained()
    assert results == trained()
    d = from_folder(two_seeds)
    assert {result.seed for result in results} == {0, 1}
    for result in results:
        assert result.val_acc == d.val_acc(ARCH, 5, False, result.seed)
        assert result.train_time_s == d.train_time(ARCH, 5, result.seed)
    assert d.simulate(ARCH, seed=1).seed == 1


def test_what_cannot_be_trained_is_not_charged(small: Dataset) -> None:
    with pytest.raises(NotInRelease, match="cannot be trained: the release leaves it out"):
        small.simulate(ABSENT)
    with pytest.raises(QueryError, match="epoch 13: an integer from 1 to 12"):
        small.simulate(ARCH, 13)
    with pytest.raises(ValueError, match="only one is allowed"):
        small.simulate([ARCH, ARCH])
    with pytest.raises(QueryError, match=r"budget 3600: a blox.Budget is allowed, such as Budget"):
        small.simulate(ARCH, budget=3600)  # type: ignore[arg-type]
    assert small.budget.used_s == 0


@pytest.mark.parametrize("limit_s", [-1, True, "60", None, float("nan")])
def test_budgets_that_are_none(limit_s: Any) -> None:
    with pytest.raises(QueryError, match="a number of 0 or more is allowed"):
        Budget(limit_s)


def test_a_budget_of_numpy() -> None:
    assert Budget(np.int64(60)).limit_s == Budget(np.float32(60.0)).limit_s == 60
