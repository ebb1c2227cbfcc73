"""Figures of two trainers: how far apart they are, and how often chance alone does as much."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.suite.report.row import Row
from blox_core.recipe import Recipe
from blox_core.result.metrics import Curves

PERMUTATIONS: Final = 20_000
SEED: Final = 0
# The least p of all rows, times their number (Bonferroni), below which trainers are called different.
LEVEL: Final = 0.05

Figures = NDArray[np.float64]  # of one architecture, one of each seed
Metric = Callable[[Curves, Recipe], NDArray[np.float64]]  # (epochs,)

METRICS: Final[Mapping[str, Metric]] = {
    "val accuracy, %": lambda curves, recipe: 100 * curves.val_top1 / recipe.val_images,
    "val loss": lambda curves, _: curves.val_loss,
    "train loss": lambda curves, _: curves.train_loss,
}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Means of the two trainers' figures, and standard deviations over seeds.

    Of several architectures they are means over these, so that an architecture is no noise.
    `error` is the standard error of the difference, `t` is Welch's; `p` is the share of random
    exchanges of figures between the trainers, within each architecture, that differ as much.
    """

    name: str
    engine: float
    engine_sd: float
    reference: float
    reference_sd: float
    difference: float
    error: float
    t: float
    p: float

    def row(self, part: str, at_least: float) -> Row:
        """Return the row of a table; p has a bound."""
        beside = {
            "engine": f"{self.engine:.4g} ± {self.engine_sd:.2g}",
            "reference": f"{self.reference:.4g} ± {self.reference_sd:.2g}",
            "difference ± its error": f"{self.difference:+.2g} ± {self.error:.2g}",
            "t": f"{self.t:+.2f}",
        }
        return Row(self.name, [self.p], "p", at_least=at_least, beside=beside, part=part)


def comparisons(
    engine: Mapping[int, Sequence[Curves]],
    reference: Mapping[int, Sequence[Curves]],
    recipe: Recipe,
) -> list[Comparison]:
    """Compare the curves of each architecture: its last epoch, and all of them in every epoch."""
    rows = []
    for name, metric in METRICS.items():
        ours, theirs = (
            np.array([[metric(one, recipe) for one in curves] for curves in by.values()])
            for by in (engine, reference)
        )  # architectures x seeds x epochs
        for place, index in enumerate(engine):
            last = (figures[place : place + 1, :, -1] for figures in (ours, theirs))
            rows.append(compared(f"{name}: {index}", *last))
        for epoch in range(recipe.epochs):
            each = (figures[..., epoch] for figures in (ours, theirs))
            rows.append(compared(f"{name}: all, epoch {epoch + 1}", *each))
    return rows


def compared(name: str, engine: Sequence[Figures], reference: Sequence[Figures]) -> Comparison:
    """Compare figures, given for each architecture."""
    ours, theirs = np.array(engine), np.array(reference)  # architectures x seeds
    differences = ours.mean(1) - theirs.mean(1)
    squares = (ours.var(1, ddof=1) + theirs.var(1, ddof=1)) / ours.shape[1]
    difference, error = float(differences.mean()), float(np.sqrt(squares.sum()) / len(ours))
    return Comparison(
        name=name,
        engine=float(ours.mean()),
        engine_sd=_spread(ours),
        reference=float(theirs.mean()),
        reference_sd=_spread(theirs),
        difference=difference,
        error=error,
        t=difference / error if error else 0.0,
        p=_chance(ours, theirs),
    )


def least_p(rows: Sequence[Comparison]) -> float:
    """Return the p below which a row is more than chance."""
    return LEVEL / len(rows)


def conclusion(rows: Sequence[Comparison]) -> str:
    """Say what the rows come to."""
    least = min(rows, key=lambda row: row.p)
    words = "within seed noise" if least.p >= least_p(rows) else "MORE THAN SEED NOISE"
    return f"{words}: the least p of {len(rows)} rows is {least.p:.3g} ({least.name})"


def _spread(figures: Figures) -> float:
    return float(np.sqrt(figures.var(1, ddof=1).mean()))


def _chance(ours: Figures, theirs: Figures) -> float:
    """Return the p of a permutation test; the given labelling counts as one of them."""
    pooled, seeds = np.concatenate([ours, theirs], 1), ours.shape[1]
    places = np.random.RandomState(SEED).random_sample((PERMUTATIONS, *pooled.shape)).argsort(-1)
    mixed = np.take_along_axis(pooled[None], places, -1)
    apart = np.abs((mixed[..., :seeds].mean(-1) - mixed[..., seeds:].mean(-1)).mean(-1))
    given = abs((ours.mean(1) - theirs.mean(1)).mean())
    # The sum of the same figures in another order may differ in its last bits.
    as_much = np.count_nonzero(apart >= given * (1 - 1e-9))
    return float(as_much + 1) / (PERMUTATIONS + 1)
