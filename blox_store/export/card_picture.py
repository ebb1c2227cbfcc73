"""The picture of a dataset card: accuracy against FLOPs and against parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from blox_store.export.seed_figures import SeedFigures

PICTURE_FILE: Final = "accuracy.png"
_INCHES: Final = (10.0, 4.0)
_DOTS_PER_INCH: Final = 120
# Of the picture's width and height, with room for `72.125` at a tick: nothing has to be measured.
_MARGINS: Final = {"left": 0.09, "right": 0.98, "bottom": 0.21, "top": 0.96, "wspace": 0.05}
_FEW: Final = 1000  # points that may be larger


def draw(figures: SeedFigures, path: Path) -> bool:
    """Write the picture and return True; False where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure  # without pyplot: no window, no global state
    except ModuleNotFoundError:
        return False
    figure = Figure(figsize=_INCHES)
    figure.subplots_adjust(**_MARGINS)
    size = 12.0 if len(figures.indices) < _FEW else 1.0
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, costs, label in (
        (left, figures.flops, "FLOPs"),
        (right, figures.params, "parameters"),
    ):
        axes.scatter(costs, figures.test_top1, s=size, linewidths=0, alpha=0.6)
        axes.set_xscale("log")
        axes.set_xlabel(label)
        # Within a decade each tick is labelled by a factor and a power of ten.
        axes.tick_params(axis="x", which="both", labelrotation=30, labelsize="small")
        axes.grid(alpha=0.3)
    left.set_ylabel("test accuracy, %")
    figure.savefig(path, dpi=_DOTS_PER_INCH, metadata={"Software": None})  # no version in it
    return True
