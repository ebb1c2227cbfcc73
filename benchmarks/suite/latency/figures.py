"""Figures of latencies: two runs over a sample, and a predictor that has not seen it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from benchmarks.suite.training.figures import Figure
from blox_core.latency.agreement import mean_error_percent, median_difference_percent, spearman
from blox_core.latency.measurement import LatencyMeasurement
from blox_core.latency.measuring import measure
from blox_core.latency.predictor import LatencyPredictor, fitting_sample
from blox_core.latency.protocol import LatencyProtocol
from blox_core.space import DISTINCT_CELLS, SPACE_SIZE, random_indices

REPEATABILITY: Final = "repeatability"
PREDICTOR: Final = "predictor"
COST: Final = "cost"
SEED: Final = 1
HOUR_S: Final = 3600
PERCENT: Final = 100


@dataclass(frozen=True, kw_only=True)
class Series:
    """Architectures (arch indices), their latencies, and how long it took to measure all."""

    indices: tuple[int, ...]
    measurements: tuple[LatencyMeasurement, ...]
    seconds: float

    @property
    def medians_ms(self) -> list[float]:
        """The latencies."""
        return [measurement.median_ms for measurement in self.measurements]


@dataclass(frozen=True, kw_only=True)
class Study:
    """What was measured: a sample, what the predictor is fitted to, and the sample again."""

    first: Series
    fitted: Series
    again: Series
    predictor: LatencyPredictor
    predict_s: float


def study(protocol: LatencyProtocol, sample: int, rounds: int) -> Study:
    """Measure a sample, the predictor's own, and the sample once more."""
    fitted_indices = fitting_sample(rounds, SEED)
    unseen = separate_sample(sample, fitted_indices)
    first, fitted, again = (
        measured(indices, protocol) for indices in (unseen, fitted_indices, unseen)
    )
    start = time.perf_counter()
    predictor = LatencyPredictor.fit(fitted.indices, fitted.medians_ms)
    predictor.all_ms()
    predict_s = time.perf_counter() - start
    return Study(first=first, fitted=fitted, again=again, predictor=predictor, predict_s=predict_s)


def separate_sample(size: int, others: Sequence[int]) -> list[int]:
    """Return random arch indices that are none of the others."""
    drawn = random_indices(size + len(others), SEED)
    return [index for index in drawn if index not in set(others)][:size]


def measured(indices: Sequence[int], protocol: LatencyProtocol) -> Series:
    """Measure architectures one after the other."""
    start = time.perf_counter()
    measurements = tuple(measure(index, protocol) for index in indices)
    return Series(
        indices=tuple(indices),
        measurements=measurements,
        seconds=time.perf_counter() - start,
    )


def latency_figures(found: Study) -> list[Figure]:
    """Return all figures of a study."""
    return [*repeatability(found), *prediction(found), *costs(found)]


def repeatability(found: Study) -> list[Figure]:
    """Return how far the two runs over the sample agree."""
    first, again = found.first, found.again
    stable = [PERCENT * fmean(m.stable for m in run.measurements) for run in (first, again)]
    difference = median_difference_percent(first.medians_ms, again.medians_ms)
    rows = [
        ("Spearman of two runs", "", [spearman(first.medians_ms, again.medians_ms)]),
        ("median difference of two runs", "%", [difference]),
        ("latency", "ms", first.medians_ms),
        ("stable measurements", "%", stable),
    ]
    return figures(REPEATABILITY, rows)


def prediction(found: Study) -> list[Figure]:
    """Return how far predictions of the sample are from its first run, and how far its second is.

    One predictor has seen each cell in each stage once, the other as often as it was measured.
    """
    measured_ms = found.first.medians_ms
    indices, latencies_ms = found.fitted.indices, found.fitted.medians_ms
    once = LatencyPredictor.fit(indices[:DISTINCT_CELLS], latencies_ms[:DISTINCT_CELLS])
    rows: list[tuple[str, str, list[float]]] = []
    for name, predicted_ms in (
        ("measured again", found.again.medians_ms),
        (f"predicted from {DISTINCT_CELLS}, each part once", once.of(found.first.indices)),
        (f"predicted from {len(indices)}", found.predictor.of(found.first.indices)),
    ):
        rows += [
            (f"{name}: mean absolute error", "%", [mean_error_percent(predicted_ms, measured_ms)]),
            (f"{name}: Spearman", "", [spearman(predicted_ms, measured_ms)]),
        ]
    return figures(PREDICTOR, rows)


def costs(found: Study) -> list[Figure]:
    """Return what an architecture takes, and what all of them do."""
    each_s = [run.seconds / len(run.indices) for run in (found.first, found.fitted, found.again)]
    predicted_s = found.fitted.seconds + found.predict_s
    rows = [
        ("an architecture", "s", each_s),
        ("all, measured", "hours", [each * SPACE_SIZE / HOUR_S for each in each_s]),
        (f"all, predicted from {len(found.fitted.indices)}", "hours", [predicted_s / HOUR_S]),
        ("of that, arithmetic", "s", [found.predict_s]),
    ]
    return figures(COST, rows)


def figures(part: str, rows: Sequence[tuple[str, str, Sequence[float]]]) -> list[Figure]:
    """Return the rows of a part."""
    return [
        Figure(part=part, name=name, unit=unit, runs=tuple(values)) for name, unit, values in rows
    ]
