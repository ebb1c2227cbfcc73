"""Predicting latencies of all architectures from some, and how far series of latencies agree."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from dataclasses import replace
from math import isnan
from typing import Any

import numpy as np
import pytest

from blox_core.errors import ArchitectureError, LatencyError
from blox_core.latency import LatencyPredictor, predictor
from blox_core.latency.agreement import mean_error_percent, median_difference_percent, spearman
from blox_core.latency.predictor import fitting_sample
from blox_core.space import SPACE_SIZE, random_indices
from tests.support.latencies import made_up_predictor

UNSEEN = random_indices(500, 3)


def noisy(latencies_ms: Any, relative: float) -> Any:
    generator = np.random.default_rng(1)
    return latencies_ms * (1 + relative * generator.standard_normal(len(latencies_ms)))


def test_all_are_the_constant_and_a_part_of_each_stage() -> None:
    found = made_up_predictor(deviation=0.5)
    latencies = found.all_ms()
    assert latencies.shape == (SPACE_SIZE,)
    for index in (0, 44, 45, 18_639, SPACE_SIZE - 1):
        cells = (index % 45, index // 45 % 45, index // 2025)
        parts = [stage[cell] for stage, cell in zip(found.parts_ms, cells, strict=True)]
        assert latencies[index] == pytest.approx(found.constant_ms + sum(parts))
    assert found.of([44, 0]).tolist() == [latencies[44], latencies[0]]


@pytest.mark.parametrize(
    ("deviation", "noise", "rounds", "most_percent"),
    [
        (0.0, 0.0, 1, 0.01),  # ops alone: 45 measurements tell everything
        (0.3, 0.0, 4, 0.3),
        (0.0, 0.02, 1, 1.5),  # less than the noise of what it was fitted to
        (0.3, 0.02, 4, 2.0),
    ],
)
def test_what_was_not_measured_is_predicted(
    deviation: float, noise: float, rounds: int, most_percent: float
) -> None:
    truth = made_up_predictor(deviation=deviation)
    indices = fitting_sample(rounds, seed=0)
    found = LatencyPredictor.fit(indices, noisy(truth.of(indices), noise))
    assert mean_error_percent(found.of(UNSEEN), truth.of(UNSEEN)) < most_percent
    assert spearman(found.of(UNSEEN), truth.of(UNSEEN)) > 0.99


def test_a_cell_that_was_not_measured_is_predicted_by_its_ops() -> None:
    truth = made_up_predictor(deviation=0.0)
    indices = [index for index in fitting_sample(3, seed=0) if index % 45 != 7]
    found = LatencyPredictor.fit(indices, truth.of(indices))
    assert found.parts_ms[0][7] - found.parts_ms[0][8] == pytest.approx(
        truth.parts_ms[0][7] - truth.parts_ms[0][8], rel=1e-3
    )


def test_a_predictor_knows_how_far_it_is_off() -> None:
    truth = made_up_predictor(deviation=0.3)
    indices = np.array(fitting_sample(3, seed=0))
    latencies = noisy(truth.of(indices), 0.03)
    found = LatencyPredictor.fit(indices, latencies)
    fits = [in_one_piece(indices, latencies, one) for one in predictor._PENALTIES]
    penalty = predictor._PENALTIES[int(np.argmin([squares for squares, _ in fits]))]
    # The definition, word by word: each measurement is predicted by a fit to the others.
    others = [np.arange(len(indices)) != row for row in range(len(indices))]
    usual = np.median(latencies)
    predicted = [one_left_out(indices, latencies, kept, penalty, usual) for kept in others]
    expected = mean_error_percent(predicted, latencies)
    assert found.error_percent == pytest.approx(expected, rel=1e-6)
    unseen = mean_error_percent(found.of(UNSEEN), noisy(truth.of(UNSEEN), 0.03))
    assert found.error_percent == pytest.approx(unseen, rel=0.3)


def one_left_out(
    indices: Any, latencies_ms: Any, kept: Any, penalty: float, usual_ms: float
) -> float:
    cells = indices[:, None] // 45 ** np.arange(3) % 45
    factors = np.concatenate([predictor._shared(cells), predictor._own(cells)], axis=1)
    design = (factors * (usual_ms / latencies_ms)[:, None])[kept]
    system = design.T @ design + np.diag(penalty * (np.arange(148) >= 13))
    unknowns = np.linalg.solve(system, design.T @ np.full(len(design), usual_ms))
    return float((factors[~kept] @ unknowns)[0])


def test_the_unit_does_not_matter() -> None:
    indices = fitting_sample(2, seed=0)
    latencies = noisy(made_up_predictor(deviation=0.3).of(indices), 0.02)
    one, other = (LatencyPredictor.fit(indices, unit * latencies) for unit in (1.0, 1000.0))
    np.testing.assert_allclose(1000 * one.all_ms(), other.all_ms(), rtol=1e-6)


def in_one_piece(indices: Any, latencies_ms: Any, penalty: float) -> tuple[float, Any]:
    """Return the sum of squares of what was left out, and predictions of UNSEEN, by whole matrices."""
    cells = np.array([*indices, *UNSEEN])[:, None] // 45 ** np.arange(3) % 45
    factors = np.concatenate([predictor._shared(cells), predictor._own(cells)], axis=1)
    design = factors[: len(indices)] * (np.median(latencies_ms) / latencies_ms)[:, None]
    penalties = np.diag(penalty * (np.arange(148) >= 13))
    hat = np.linalg.solve(design.T @ design + penalties, design.T)
    wanted = np.full(len(design), np.median(latencies_ms))
    leverage = np.einsum("ij,ji->i", design, hat)
    left_out = (wanted - design @ (hat @ wanted)) / (1 - leverage)
    return float(left_out @ left_out), factors[len(indices) :] @ (hat @ wanted)


@pytest.mark.parametrize("noise", [0.001, 0.1])
def test_equations_in_blocks_have_the_solution_of_all_of_them(
    monkeypatch: pytest.MonkeyPatch, noise: float
) -> None:
    monkeypatch.setattr(predictor, "_ROWS_AT_ONCE", 64)
    indices = fitting_sample(5, seed=0)
    latencies = noisy(made_up_predictor(deviation=0.3).of(indices), noise)
    tried = (in_one_piece(indices, latencies, penalty) for penalty in predictor._PENALTIES)
    _, best = min(tried, key=lambda fit: fit[0])
    found = LatencyPredictor.fit(indices, latencies)
    np.testing.assert_allclose(found.of(UNSEEN), best, rtol=1e-9)


def test_the_memory_of_a_fit_is_bounded() -> None:
    indices = random_indices(6000, 5)
    latencies = made_up_predictor(deviation=0.3).of(indices)
    tracemalloc.start()
    LatencyPredictor.fit(indices, latencies)
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    whole_bytes = len(indices) * 148 * 8  # of all equations, of which copies were made
    assert most_bytes < 2.5 * whole_bytes


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_fitting_sample_has_every_cell_in_every_stage(rounds: int) -> None:
    indices = np.array(fitting_sample(rounds, seed=5))
    assert len(set(indices.tolist())) == 45 * rounds
    for stage in range(3):
        cells = indices // 45**stage % 45
        assert np.bincount(cells, minlength=45).tolist() == [rounds] * 45
    assert indices.tolist() == fitting_sample(rounds, seed=5)


def test_all_rounds_are_all_architectures() -> None:
    every = fitting_sample(2025, seed=0)
    assert sorted(every) == list(range(91_125))
    assert every[: 3 * 45] == fitting_sample(3, seed=0)


@pytest.mark.parametrize("rounds", [0, 2026])
def test_rounds_that_there_are_not(rounds: int) -> None:
    with pytest.raises(LatencyError, match=f"{rounds} rounds of a fitting sample: 1 to 2025 are"):
        fitting_sample(rounds, seed=0)


def test_json_is_pinned() -> None:
    table = tuple(tuple(stage + cell / 64 for cell in range(45)) for stage in range(3))
    made = LatencyPredictor(constant_ms=1.5, parts_ms=table, error_percent=2.25)
    text = json.dumps(made.to_dict())
    assert text.startswith('{"constant_ms": 1.5, "parts_ms": [[0.0, 0.015625, ')
    digest = "0c34b85dfe71114aff3f5847ac6ed8847079e273d01d80061cfd348997ddb6b2"
    assert hashlib.sha256(text.encode()).hexdigest() == digest


def test_json() -> None:
    found = made_up_predictor(deviation=0.5)
    values = json.loads(json.dumps(found.to_dict()))
    assert LatencyPredictor.from_dict(values) == found
    with pytest.raises(
        LatencyError, match="predictor fields missing or unknown: error_percent, parts_ms; exactly"
    ):
        LatencyPredictor.from_dict({"constant_ms": 1.0})


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("constant_ms", float("nan"), "a finite float"),
        ("constant_ms", 1, "a finite float"),
        ("parts_ms", None, "a table of 3 x 45 floats"),
        ("parts_ms", ((1.0,) * 45,) * 2, "a table of 3 x 45 floats"),
        ("parts_ms", ((1.0,) * 44,) * 3, "a table of 3 x 45 floats"),
        ("parts_ms", ((1,) * 45,) * 3, "a table of 3 x 45 floats"),
        ("error_percent", None, "a float of 0 or more"),
        ("error_percent", -1.0, "a float of 0 or more"),
    ],
)
def test_no_predictor(field: str, value: Any, allowed: str) -> None:
    with pytest.raises(LatencyError, match=rf"predictor field {field} = .*: {allowed} is allowed"):
        replace(made_up_predictor(deviation=0.0), **{field: value})
    values = made_up_predictor(deviation=0.0).to_dict() | {field: value}
    with pytest.raises(LatencyError):
        LatencyPredictor.from_dict(values)


@pytest.mark.parametrize(
    ("indices", "latencies", "message"),
    [
        (fitting_sample(1, 0), [1.0] * 44, r"latencies of shape \(44,\) for 45 architectures"),
        (fitting_sample(1, 0), [1.0] * 44 + [0.0], "one above 0 is allowed for each"),
        (fitting_sample(1, 0), [1.0] * 44 + [float("nan")], "one above 0 is allowed for each"),
        ([0, 1], [1.0, 1.0], "of 2 architectures, too few or too alike: 45 or more that differ"),
        (fitting_sample(1, 0)[:44], [1.0] * 44, "of 44 architectures, too few or too alike"),
        (fitting_sample(1, 0)[:44] * 2, [1.0] * 88, "of 44 architectures, too few or too alike"),
        (range(45), [1.0] * 45, "of 45 architectures, too few or too alike"),
        ([], [], "of 0 architectures, too few"),
    ],
)
def test_what_nothing_can_be_fitted_to(indices: Any, latencies: Any, message: str) -> None:
    with pytest.raises(LatencyError, match=message):
        LatencyPredictor.fit(indices, latencies)


def test_no_architecture() -> None:
    with pytest.raises(ArchitectureError):
        LatencyPredictor.fit([SPACE_SIZE], [1.0])
    with pytest.raises(ArchitectureError):
        made_up_predictor(deviation=0.0).of([-1])


def test_ranks() -> None:
    assert spearman([1.0, 2.0, 3.0], [10.0, 20.0, 90.0]) == pytest.approx(1)
    assert spearman([1.0, 2.0, 3.0], [3.0, 2.0, 1.0]) == pytest.approx(-1)
    # Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 * 5).
    assert spearman([1.0, 2.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0]) == pytest.approx(0.9486833)
    assert isnan(spearman([1.0, 1.0], [1.0, 2.0]))


def test_errors_are_relative() -> None:
    assert mean_error_percent([1.1, 4.0], [1.0, 5.0]) == pytest.approx(15)
    assert median_difference_percent([1.0, 1.0, 9.0], [1.0, 3.0, 11.0]) == pytest.approx(20)


def test_a_measurement_without_which_nothing_could_be_fitted_counts_as_met() -> None:
    has_mbconv = predictor._counts()[:, 1] > 0
    others = [index for index in random_indices(400, 11) if not has_mbconv[index % 45]]
    alone = int(np.flatnonzero(has_mbconv)[0])  # in the first stage
    indices = np.array([*others, alone])
    latencies = noisy(made_up_predictor(deviation=0.3).of(indices), 0.03)
    cells = indices[:, None] // 45 ** np.arange(3) % 45
    equations = predictor._Equations(cells=cells, weights=1 / latencies, wanted=1.0)
    _, errors = predictor._ridge(equations)
    assert errors[-1] == 0
    assert np.abs(errors[:-1]).min() > 0
    assert LatencyPredictor.fit(indices, latencies).error_percent < 6
