"""The best architectures by each query, ties, NaN, and what cannot be ranked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from blox_store.dataset import Dataset
from blox_store.dataset.ranking import LARGER_IS_BETTER, ranked
from blox_store.errors import QueryError

TRAINING = [by for by in LARGER_IS_BETTER if by not in ("params", "flops", "latency")]


@pytest.mark.parametrize("by", LARGER_IS_BETTER)
def test_the_best_by_each_query(small: Dataset, by: str) -> None:
    best = small.best(5, by)
    query: Any = getattr(small, by)
    values = {index: query(index) for index in small.indices.tolist()}
    if by == "latency":
        values = {index: value[0][0] for index, value in values.items()}
    sign = -1 if LARGER_IS_BETTER[by] else 1
    order = sorted(values, key=lambda index: (sign * values[index], index))
    assert best.indices.tolist() == order[:5]
    assert best.values.tolist() == [values[index] for index in order[:5]]


def test_the_default_is_the_validation_accuracy(small: Dataset) -> None:
    indices, values = small.best(1)
    assert values.tolist() == [max(small.val_acc(small.indices))]
    assert small.val_acc(indices).tolist() == values.tolist()


def test_options_are_those_of_the_query(full: Dataset) -> None:
    best = full.best(3, "val_loss", epoch=4, best=True, seed=1)
    assert best.values.tolist() == full.val_loss(best.indices, 4, True, 1).tolist()
    with pytest.raises(TypeError, match="epochs"):
        full.best(3, "val_acc", epochs=4, seed=1)


def test_fewer_than_asked_for(small: Dataset) -> None:
    assert len(small.best(500).indices) == 24
    assert len(small.best(0).values) == 0


def test_equal_values_are_in_order_of_the_index_and_nan_is_last() -> None:
    indices, values = np.arange(5), np.array([2.0, np.nan, 3.0, 2.0, 3.0])
    assert ranked(indices, values, "val_acc", 5).indices.tolist() == [2, 4, 0, 3, 1]
    assert ranked(indices, values, "val_loss", 5).indices.tolist() == [0, 3, 2, 4, 1]


def test_latencies_of_a_device_that_lacks_some(full: Dataset) -> None:
    assert len(full.best(24, "latency", devices="jetson").indices) == 20
    with pytest.raises(QueryError, match=r"latency on \['jetson', 'pixel-4'\]: give one"):
        full.best(3, "latency")


@pytest.mark.parametrize("by", TRAINING)
def test_several_seeds_cannot_be_ranked_at_once(full: Dataset, by: str) -> None:
    with pytest.raises(QueryError, match=r"of the seeds \[0, 1\]: give one of them, seed="):
        full.best(3, by)
    assert len(full.best(3, by, seed=1).indices) == 3
    with pytest.raises(QueryError, match="the loaded seeds are"):
        full.best(3, by, seed=2)


@pytest.mark.parametrize("by", ["arch_vec", "val_top1", "", None, ["val_acc"]])
def test_what_nothing_is_ranked_by(small: Dataset, by: Any) -> None:
    with pytest.raises(QueryError, match=r"val_acc, val_top5, .* are allowed"):
        small.best(3, by)


@pytest.mark.parametrize("options", [{"return_dict": True}, {"return_dict": False}])
def test_what_is_ranked_has_no_names(small: Dataset, options: dict[str, bool]) -> None:
    with pytest.raises(QueryError, match="best by a query with return_dict: leave it out"):
        small.best(3, **options)


@pytest.mark.parametrize("k", [-1, True, 1.5, "3", None])
def test_numbers_of_architectures(small: Dataset, k: Any) -> None:
    with pytest.raises(QueryError, match="an integer of 0 or more is allowed"):
        small.best(k)
