"""The fidelity study: what is called chance, and what is not."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from benchmarks.suite.fidelity import figures as fidelity_figures
from benchmarks.suite.fidelity.figures import compared, conclusion, least_p

SEEDS = 8


def normal(seed: int, *, mean: float = 0.0) -> list[np.ndarray]:
    """Figures of three architectures, which differ by far more than seeds do."""
    noise = np.random.RandomState(seed).standard_normal((3, SEEDS))
    return list(noise + mean + np.array([[0.0], [100.0], [200.0]]))


def test_means_spreads_and_error_are_welchs() -> None:
    row = compared("x", [np.array([1.0, 2.0, 3.0])], [np.array([3.0, 5.0, 7.0])])
    assert (row.engine, row.reference, row.difference) == (2.0, 5.0, -3.0)
    assert (row.engine_sd, row.reference_sd) == (1.0, 2.0)
    assert row.error == pytest.approx(np.sqrt(1 / 3 + 4 / 3))
    assert row.t == pytest.approx(-3 / row.error)


def test_the_chance_is_that_of_all_exchanges() -> None:
    """Of two times four figures there are 70 exchanges: the drawn ones come near their share."""
    ours, theirs = np.array([1.0, 4.0, 2.0, 8.0]), np.array([3.0, 9.0, 10.0, 7.0])
    pooled = np.concatenate([ours, theirs])
    given = abs(ours.mean() - theirs.mean())
    apart = [
        abs(pooled[list(chosen)].mean() - np.delete(pooled, chosen).mean())
        for chosen in combinations(range(8), 4)
    ]
    exact = np.mean([difference >= given - 1e-9 for difference in apart])
    assert compared("x", [ours], [theirs]).p == pytest.approx(exact, abs=0.01)


def test_figures_that_are_all_equal_are_no_difference() -> None:
    row = compared("x", [np.ones(3)], [np.ones(3)])
    assert (row.t, row.p) == (0.0, 1.0)


def test_architectures_that_differ_are_no_noise() -> None:
    """A difference of three errors stands out, though architectures are a hundred apart."""
    row = compared("x", normal(1), normal(2, mean=3.0))
    assert row.p < 0.001
    assert row.engine_sd == pytest.approx(1, abs=0.4)


@pytest.mark.slow
def test_about_one_in_twenty_of_equal_trainers_is_below_a_twentieth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fidelity_figures, "PERMUTATIONS", 400)
    below = [
        compared("x", normal(2 * trial), normal(2 * trial + 1)).p <= 0.05 for trial in range(400)
    ]
    assert 8 <= sum(below) <= 34  # 20 ± 3.2 standard deviations of a binomial


@pytest.mark.parametrize(("p", "same"), [(0.026, True), (0.024, False)])
def test_the_least_p_counts_by_the_number_of_rows(p: float, same: bool) -> None:
    one = compared("x", [np.ones(3)], [np.ones(3)])
    both = [one, replace(one, name="least", p=p)]
    words = "within seed noise" if same else "MORE THAN SEED NOISE"
    assert conclusion(both) == f"{words}: the least p of 2 rows is {p:.3g} (least)"
    rows = [one.row("fidelity", least_p(both)) for one in both]
    assert [row.missed for row in rows] == [False, not same]


def test_a_row_has_means_and_spreads_beside_the_chance() -> None:
    one = compared("val loss: 3", [np.array([1.0, 2.0, 3.0])], [np.array([3.0, 5.0, 7.0])])
    cells = list(one.row("fidelity", 0.05).cells().values())
    assert cells[:5] == ["val loss: 3", "2 ± 1", "5 ± 2", "-3 ± 1.3", "-2.32"]
