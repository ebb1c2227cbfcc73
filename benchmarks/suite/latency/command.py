"""The benchmark of latencies: two runs over a sample, and a predictor that has not seen it.

torch, torchvision and numpy are all it needs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from statistics import fmean
from typing import Any, Final

from benchmarks.suite.report.benchmark import Benchmark, Found
from benchmarks.suite.report.options import Options, number, option
from benchmarks.suite.report.row import Row
from blox_core.latency.agreement import mean_error_percent, median_difference_percent, spearman
from blox_core.latency.measurement import LatencyMeasurement
from blox_core.latency.measuring import measure
from blox_core.latency.predictor import LatencyPredictor, fitting_sample
from blox_core.latency.protocol import BACKENDS, LatencyProtocol, preset
from blox_core.latency.this_device import device_identity
from blox_core.space import DISTINCT_CELLS, SPACE_SIZE, random_indices

SEED: Final = 1
HOUR_S: Final = 3600
PERCENT: Final = 100


def _field_value(text: str) -> tuple[str, Any]:
    """Return the field and the value of a text such as batch=8."""
    name, _, value = text.partition("=")
    known = [field.name for field in fields(LatencyProtocol)]
    if name not in known:
        raise argparse.ArgumentTypeError(f"{name!r}: one of {', '.join(known)} is allowed")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value  # a string; the protocol says what it allows


@dataclass(frozen=True, kw_only=True)
class LatencyOptions(Options):
    """By which protocol how many architectures are measured."""

    backend: str = option(BACKENDS[0], f"One of {', '.join(BACKENDS)}.", str)
    set: Sequence[tuple[str, Any]] = option(
        (),
        "Change a field of the backend's usual protocol.",
        _field_value,
        action="append",
        metavar="FIELD=VALUE",
    )
    sample: int = option(100, "Architectures, measured twice.", number(int, 2))
    rounds: int = option(3, "Rounds of 45 architectures to fit to.", number(int, 1))

    @property
    def protocol(self) -> LatencyProtocol:
        """The protocol that is measured by."""
        return replace(preset(self.backend), **dict(self.set))


def _about(options: LatencyOptions) -> dict[str, Any]:
    protocol = options.protocol
    parts = {"device": device_identity(protocol).to_dict(), "protocol": protocol.to_dict()}
    return {f"{part} {name}": value for part in parts for name, value in parts[part].items()}


def _measure(options: LatencyOptions) -> Found:
    """Measure a sample, the predictor's own, and the sample once more."""
    protocol = options.protocol
    others = fitting_sample(options.rounds, SEED)
    unseen = separate_sample(options.sample, others)
    first, fitted, again = (measured(indices, protocol) for indices in (unseen, others, unseen))
    start = time.perf_counter()
    predictor = LatencyPredictor.fit(fitted.indices, fitted.medians_ms)
    predictor.all_ms()
    predict_s = time.perf_counter() - start
    rows = [
        *repeatability(first, again),
        *prediction(first, fitted, again, predictor),
        *costs(first, fitted, again, predict_s),
    ]
    series = {"first": first, "fitted": fitted, "again": again}
    return rows, {
        "device": device_identity(protocol).to_dict(),
        "protocol": protocol.to_dict(),
        "measurements": {name: one.to_dicts() for name, one in series.items()},
        "predictor": predictor.to_dict(),
    }


@dataclass(frozen=True, kw_only=True)
class Series:
    """Architectures (arch indices), their latencies, and how long it took to measure all."""

    indices: Sequence[int]
    measurements: Sequence[LatencyMeasurement]
    seconds: float

    @property
    def medians_ms(self) -> list[float]:
        """The latencies."""
        return [measurement.median_ms for measurement in self.measurements]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return all that was measured."""
        return [
            {"arch_index": index} | measurement.to_dict()
            for index, measurement in zip(self.indices, self.measurements, strict=True)
        ]


def separate_sample(size: int, others: Sequence[int]) -> list[int]:
    """Return random arch indices that are none of the others."""
    drawn = random_indices(size + len(others), SEED)
    return [index for index in drawn if index not in set(others)][:size]


def measured(indices: Sequence[int], protocol: LatencyProtocol) -> Series:
    """Measure architectures one after the other."""
    start = time.perf_counter()
    measurements = [measure(index, protocol) for index in indices]
    seconds = time.perf_counter() - start
    return Series(indices=indices, measurements=measurements, seconds=seconds)


def repeatability(first: Series, again: Series) -> Iterator[Row]:
    """Yield how far the two runs over the sample agree."""
    part = "repeatability"
    stable = [
        PERCENT * fmean(measurement.stable for measurement in run.measurements)
        for run in (first, again)
    ]
    difference = median_difference_percent(first.medians_ms, again.medians_ms)
    same_ranks = spearman(first.medians_ms, again.medians_ms)
    yield Row("Spearman of two runs", [same_ranks], part=part)
    yield Row("median difference of two runs", [difference], "%", part=part)
    yield Row("latency", first.medians_ms, "ms", part=part)
    yield Row("stable measurements", stable, "%", part=part)


def prediction(
    first: Series, fitted: Series, again: Series, predictor: LatencyPredictor
) -> Iterator[Row]:
    """Yield how far predictions of the sample are from its first run, and how far its second is.

    One predictor has seen each cell in each stage once, the other as often as it was measured.
    """
    latencies_ms = fitted.medians_ms[:DISTINCT_CELLS]
    once = LatencyPredictor.fit(fitted.indices[:DISTINCT_CELLS], latencies_ms)
    for name, predicted_ms in (
        ("measured again", again.medians_ms),
        (f"predicted from {DISTINCT_CELLS}, each part once", once.of(first.indices)),
        (f"predicted from {len(fitted.indices)}", predictor.of(first.indices)),
    ):
        error = mean_error_percent(predicted_ms, first.medians_ms)
        same_ranks = spearman(predicted_ms, first.medians_ms)
        yield Row(f"{name}: mean absolute error", [error], "%", part="predictor")
        yield Row(f"{name}: Spearman", [same_ranks], part="predictor")


def costs(first: Series, fitted: Series, again: Series, predict_s: float) -> Iterator[Row]:
    """Yield what an architecture takes, and what all of them do."""
    each_s = [run.seconds / len(run.indices) for run in (first, fitted, again)]
    all_h = [each * SPACE_SIZE / HOUR_S for each in each_s]
    predicted_h = (fitted.seconds + predict_s) / HOUR_S
    name = f"all, predicted from {len(fitted.indices)}"
    yield Row("an architecture", each_s, "s", part="cost")
    yield Row("all, measured", all_h, "hours", part="cost")
    yield Row(name, [predicted_h], "hours", part="cost")
    yield Row("of that, arithmetic", [predict_s], "s", part="cost")


BENCHMARK: Final = Benchmark(
    name="latency",
    options=LatencyOptions,
    parts={"latency": _measure},
    about=_about,
)
