"""Figures of two trainers: how far apart they are, and how often chance alone does as much."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from blox_core.recipe import Recipe
from blox_core.result.metrics import Curves

PERMUTATIONS: Final = 20_000
SEED: Final = 0
# The least p of all rows, times their number (Bonferroni), below which trainers are called different.
LEVEL: Final = 0.05

Figures = NDArray[np.float64]  # of one architecture, one of each seed
Metric = Callable[[Curves, Recipe], NDArray[np.float64]]  # (epochs,)

METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        "val accuracy, %": lambda curves, recipe: 100 * curves.val_top1 / recipe.val_images,
        "val loss": lambda curves, _: curves.val_loss,
        "train loss": lambda curves, _: curves.train_loss,
    }
)


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


def comparisons(
    engine: Mapping[int, Sequence[Curves]],
    reference: Mapping[int, Sequence[Curves]],
    recipe: Recipe,
) -> list[Comparison]:
    """Compare the curves of each architecture: its last epoch, and all of them in every epoch."""
    rows = []
    for name, metric in METRICS.items():
        ours, theirs = (
            {
                index: np.array([metric(one, recipe) for one in curves])
                for index, curves in by.items()
            }
            for by in (engine, reference)
        )  # arch index to seeds x epochs
        rows += [
            compared(f"{name}: {index}", [ours[index][:, -1]], [theirs[index][:, -1]])
            for index in ours
        ]
        rows += [
            compared(
                f"{name}: all, epoch {epoch + 1}",
                [ours[index][:, epoch] for index in ours],
                [theirs[index][:, epoch] for index in ours],
            )
            for epoch in range(recipe.epochs)
        ]
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


def agree(rows: Sequence[Comparison]) -> bool:
    """Return whether no difference is more than chance."""
    return min(row.p for row in rows) * len(rows) >= LEVEL


def conclusion(rows: Sequence[Comparison]) -> str:
    """Say what the rows come to."""
    least = min(rows, key=lambda row: row.p)
    words = "within seed noise" if agree(rows) else "MORE THAN SEED NOISE"
    return (
        f"{words}: the least p of {len(rows)} rows is {least.p:.3g} ({least.name}); "
        f"times their number at least {LEVEL} is allowed"
    )


def table(rows: Sequence[Comparison], seeds: int) -> str:
    """Return comparisons as a table of Markdown."""
    lines = [
        f"| mean ± sd of {seeds} seeds | engine | reference | difference ± its error | t | p |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_line, rows)])


def _line(row: Comparison) -> str:
    engine, reference = (
        f"{mean:.4g} ± {spread:.2g}"
        for mean, spread in ((row.engine, row.engine_sd), (row.reference, row.reference_sd))
    )
    apart = f"{row.difference:+.2g} ± {row.error:.2g}"
    return f"| {row.name} | {engine} | {reference} | {apart} | {row.t:+.2f} | {row.p:.2f} |"


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
