"""Latencies of all architectures, from measurements of some: a constant and a part of each cell.

`docs/explanation/decisions/0017-latency-predictor.md` has what was tried and measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray

from blox_core.errors import LatencyError
from blox_core.latency.agreement import Latencies
from blox_core.record import Record
from blox_core.rules import float_where, is_float
from blox_core.space import DISTINCT_CELLS, OPS, SPACE_SIZE, STAGES, Architecture, checked_index

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

_PARTS: Final = STAGES * DISTINCT_CELLS
_FREE: Final = 1 + STAGES * (len(OPS) + 1)  # the constant, ops and additions: not penalised
_ROUNDS: Final = SPACE_SIZE // DISTINCT_CELLS
_LEAST: Final = 1e-9
_TABLE: Final = f"a table of {STAGES} x {DISTINCT_CELLS} floats"
_PERCENT: Final = 100
_ROWS_AT_ONCE: Final = 2048  # of equations; all of them together would be 108 MB
# Tried in fitting, relative to the weight of one measurement.
_PENALTIES: Final = tuple(10.0**power for power in range(-3, 4))


def _is_table(value: Any) -> bool:
    if not isinstance(value, tuple) or len(value) != STAGES:
        return False
    rows = (isinstance(row, tuple) and len(row) == DISTINCT_CELLS for row in value)
    return all(rows) and all(is_float(part) for row in value for part in row)


@dataclass(frozen=True, kw_only=True)
class LatencyPredictor(Record, noun="latency predictor", error=LatencyError):
    """The milliseconds of what all architectures share, and of each cell in each stage.

    `parts_ms` are of the three stages' 45 cells, in the order of arch indices. `error_percent` is
    the leave-one-out error of the measurements that it was fitted to, the mean of
    100 |p / m - 1|: m is a measurement, p its prediction by what fits all others best, with the
    same penalty. One without which nothing could be fitted counts as met. Raises LatencyError for
    values not allowed.
    """

    constant_ms: Annotated[float, ("a finite float", is_float)]
    parts_ms: Annotated[tuple[tuple[float, ...], ...], (_TABLE, _is_table)]
    error_percent: Annotated[float, float_where("of 0 or more", lambda x: x >= 0)]

    @classmethod
    def fit(cls, indices: Sequence[int], latencies_ms: Latencies) -> LatencyPredictor:
        """Return what fits measured latencies of architectures (arch indices) best.

        The squares of relative errors are summed. A part is what ops and additions of the cell take
        in that stage, and a deviation of its own; the sum of squared deviations is penalised, by
        the penalty that predicts each measurement best from all others. A cell that is in no
        measurement has no deviation. Source: ridge regression and its leave-one-out error (Golub,
        Heath and Wahba, 1979). Raises LatencyError for latencies that are not above 0, and for
        those of fewer than 45 architectures, each of the 135 parts once, or of too similar ones.
        """
        cells, latencies = _checked(indices, latencies_ms)
        _check_enough(cells)
        usual_ms = float(np.median(latencies))
        equations = _Equations(cells=cells, weights=usual_ms / latencies, wanted=usual_ms)
        unknowns, left_out = _ridge(equations)
        constant, by_count, own = np.split(unknowns, [1, _FREE])
        parts = by_count.reshape(STAGES, -1) @ _counts().T + own.reshape(STAGES, -1)
        return cls(
            constant_ms=float(constant[0]),
            parts_ms=tuple(tuple(stage) for stage in parts.tolist()),
            error_percent=_PERCENT * float(np.mean(np.abs(left_out))) / usual_ms,
        )

    def of(self, indices: Sequence[int]) -> Floats:
        """Return the predicted milliseconds of architectures (arch indices)."""
        return self.all_ms()[np.array([checked_index(index) for index in indices], np.int64)]

    def all_ms(self) -> Floats:
        """Return the predicted milliseconds of all 91,125 architectures, by arch index."""
        first, second, third = np.array(self.parts_ms)
        sums = third[:, None, None] + second[:, None] + first  # the first stage is the fastest
        latencies: Floats = self.constant_ms + sums.reshape(SPACE_SIZE)
        return latencies


def fitting_sample(rounds: int, seed: int) -> list[int]:
    """Return 45 distinct arch indices a round that have every cell in every stage, once each.

    A predictor can be fitted to one round; more make it better. There are 2,025 of them, which
    together are all architectures. Raises LatencyError for more, and for none.
    """
    if not 1 <= rounds <= _ROUNDS:
        raise LatencyError(f"{rounds} rounds of a fitting sample: 1 to {_ROUNDS} are allowed")
    generator = np.random.default_rng(seed)
    orders = [generator.permutation(DISTINCT_CELLS) for _ in range(STAGES)]
    found: list[int] = []
    for number in generator.permutation(_ROUNDS)[:rounds]:
        # Two rounds differ in how far the second or the third stage is shifted: none is in both.
        shifts = (0, *divmod(number, DISTINCT_CELLS))
        cells = [np.roll(order, shift) for order, shift in zip(orders, shifts, strict=True)]
        found += (DISTINCT_CELLS ** np.arange(STAGES) @ np.stack(cells)).tolist()
    return found


def _checked(indices: Sequence[int], latencies_ms: Latencies) -> tuple[Numbers, Floats]:
    """Return the cells of the architectures, int64 (n, 3), and their latencies."""
    numbers = np.array([checked_index(index) for index in indices], np.int64)
    cells = numbers[:, None] // DISTINCT_CELLS ** np.arange(STAGES) % DISTINCT_CELLS
    latencies = np.asarray(latencies_ms, np.float64)
    if latencies.shape != numbers.shape or not (latencies > 0).all():
        raise LatencyError(
            f"latencies of shape {latencies.shape} for {len(numbers)} architectures: one above 0 "
            "is allowed for each"
        )
    return cells, latencies


def _check_enough(cells: Numbers) -> None:
    """Raise LatencyError unless each part may be there, and what is not penalised follows.

    From as many measurements as there are free unknowns these follow too, and noise is fitted.
    """
    count = len(np.unique(cells, axis=0))
    if count < DISTINCT_CELLS or np.linalg.matrix_rank(_shared(cells)) < _FREE:
        raise LatencyError(
            f"latencies of {count} architectures, too few or too alike: {DISTINCT_CELLS} or more "
            "that differ in ops and connections are needed; measure those of fitting_sample()"
        )


def _counts() -> Floats:
    """Return how often each cell has each op, and how many additions: (45, 4)."""
    counts = np.zeros((DISTINCT_CELLS, len(OPS) + 1))
    for number in range(DISTINCT_CELLS):
        op1, op2, prev, from_input, skip = Architecture(number).cells[0]
        counts[number, op2] += 1
        if prev or skip:  # else there is only one op
            counts[number, op1] += 1
        counts[number, -1] = (prev and from_input) + skip
    return counts


def _shared(cells: Numbers) -> Floats:
    """Return 1 for the constant, and the counts of each stage's cell: (n, 13)."""
    counts = _counts()[cells].reshape(len(cells), _FREE - 1)
    return np.concatenate([np.ones((len(cells), 1)), counts], axis=1)


def _own(cells: Numbers) -> Floats:
    """Return which cell each stage has, as ones among zeros: (n, 135)."""
    return np.eye(DISTINCT_CELLS)[cells].reshape(len(cells), _PARTS)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Equations:
    """An equation for each measurement: its cells' unknowns sum up to its latency, by weight.

    `cells` are (n, 3). `weights` (n,) are 1 for a usual latency and make every weighted one
    `wanted`: so relative errors count, and there is no unit.
    """

    cells: Numbers
    weights: Floats
    wanted: float

    def blocks(self) -> Iterator[Floats]:
        """Yield the factors of the unknowns in the equations, (k, 148), weighted."""
        for start in range(0, len(self.cells), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            cells = self.cells[rows]
            factors = np.concatenate([_shared(cells), _own(cells)], axis=1)
            yield self.weights[rows, None] * factors

    def sums(self) -> tuple[Floats, Floats]:
        """Return the sums that least squares take: of products (148, 148), and of what is wanted."""
        products, wanted = np.zeros((_FREE + _PARTS,) * 2), np.zeros(_FREE + _PARTS)
        for block in self.blocks():
            products += block.T @ block
            wanted += self.wanted * block.sum(axis=0)
        return products, wanted


def _ridge(equations: _Equations) -> tuple[Floats, Floats]:
    """Return the unknowns by the penalty whose leave-one-out errors are least, and these errors."""
    products, wanted = equations.sums()
    penalised = np.arange(len(wanted)) >= _FREE
    fits = []
    for penalty in _PENALTIES:
        system = products + np.diag(penalty * penalised)
        found = np.linalg.solve(system, wanted).astype(np.float64, copy=False)
        left_out = _left_out(equations, system, found)
        fits.append((found, left_out))
    return min(fits, key=lambda fit: float(fit[1] @ fit[1]))


def _left_out(equations: _Equations, system: Floats, found: Floats) -> Floats:
    """Return by how much each equation fails where the unknowns are those of all others."""
    errors = []
    for block in equations.blocks():
        leverage = np.einsum("ij,ji->i", block, np.linalg.solve(system, block.T))
        residual, rest = equations.wanted - block @ found, 1 - leverage
        # Without a measurement of leverage 1 nothing could be fitted; it is met exactly.
        errors.append(np.where(rest > _LEAST, residual / np.maximum(rest, _LEAST), 0.0))
    return np.concatenate(errors)
