"""The plots of a report, as SVG that stands inside a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from blox_core.space import DISTINCT_CELLS, OPS, STAGES, Architecture, Cell
from blox_store.report.architecture_picture import OP_COLOURS, new_figure, saved
from blox_store.report.figures import QUANTILES, ReportFigures
from blox_store.report.statistics import Doubles, pareto_front, spearman

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH_INCHES: Final = 9.6
_MANY: Final = 2000  # points of a scatter plot from which they are an image in the SVG
_BLUE, _RED, _GREY = "#33658a", "#c1440e", "#8a8a8a"
_ACCURACY: Final = "test accuracy, %"
_BOX: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
CONNECTIVITIES: Final = ("one op", "parallel", "chain", "+ input", "+ skip", "+ both")
_HISTOGRAM_BINS: Final = 40


def accuracy_against_costs(figures: ReportFigures) -> str:
    """Draw test accuracy against FLOPs, params and each latency, with the Pareto fronts."""
    costs: dict[str, NDArray[Any]] = {"FLOPs": figures.flops, "parameters": figures.params}
    costs |= {_latency_label(figures, name): of for name, of in figures.latencies_ms.items()}
    rows = (len(costs) + 1) // 2
    figure = _figure(3.6 * rows)
    places = list(figure.subplots(rows, 2, sharey=True, squeeze=False).flat)
    for axes, (label, values) in zip(places, costs.items(), strict=False):
        _scatter(axes, values.astype(np.float64), figures.accuracy)
        axes.set_xlabel(label)
    for axes in places[len(costs) :]:
        axes.set_axis_off()
    for axes in places[::2]:
        axes.set_ylabel(_ACCURACY)
    figure.legend(*places[0].get_legend_handles_labels(), loc="outside upper right", frameon=False)
    return _svg(figure)


def _latency_label(figures: ReportFigures, device: str) -> str:
    told = figures.predicted.get(device)
    return f"latency on {device}, ms{f', {told}' if told else ''}"


def accuracy_by_op(figures: ReportFigures) -> str:
    """Draw the accuracies of the architectures that have an op in a stage."""
    uses, _ = _cell_facts()
    groups = [
        {op: uses[cells, number] for number, op in enumerate(OPS)} for cells in _cells(figures)
    ]
    return _boxes(figures.accuracy, groups, OP_COLOURS, 2.6)


def accuracy_by_connectivity(figures: ReportFigures) -> str:
    """Draw the accuracies of the architectures whose cell in a stage is connected in a way."""
    _, kinds = _cell_facts()
    groups = [
        {kind: kinds[cells] == number for number, kind in enumerate(CONNECTIVITIES)}
        for cells in _cells(figures)
    ]
    return _boxes(figures.accuracy, groups, {}, 3.2)


def learning_curves(figures: ReportFigures) -> str:
    """Draw the quantiles of validation accuracy over the epochs."""
    figure = _figure(3.6)
    axes = figure.subplots()
    epochs = np.arange(1, figures.epochs + 1)
    curve = dict(zip(QUANTILES, figures.curves, strict=True))
    marker = "o" if len(epochs) == 1 else None
    for low, high, alpha in ((0.05, 0.95, 0.2), (0.25, 0.75, 0.4)):
        label = f"{low:.0%} to {high:.0%}"
        axes.fill_between(
            epochs, curve[low], curve[high], color=_BLUE, alpha=alpha, linewidth=0, label=label
        )
    axes.plot(epochs, curve[0.5], color=_BLUE, label="median", marker=marker)
    axes.plot(epochs, curve[0.0], color=_GREY, linewidth=0.8, linestyle=":", label="worst, best")
    axes.plot(epochs, curve[1.0], color=_GREY, linewidth=0.8, linestyle=":")
    axes.set(xlabel="epoch", ylabel="validation accuracy, %")
    axes.locator_params("x", integer=True)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", frameon=False)
    return _svg(figure)


def epoch_correlations(figures: ReportFigures) -> str:
    """Draw the rank correlation of validation accuracies at different epochs and of the test."""
    rows = [*figures.snapshots, figures.accuracy]
    labels = [*map(str, figures.snapshot_epochs), "test"]
    matrix = np.array([[spearman(one, other) for other in rows] for one in rows])
    figure = _figure(0.5 * len(rows) + 1.2, width_inches=0.62 * len(rows) + 1.6)
    axes = figure.subplots()
    axes.pcolormesh(matrix, cmap="YlGnBu", vmin=0, vmax=1, edgecolors="white", linewidth=1)
    for row, column in np.ndindex(matrix.shape):
        value = matrix[row, column]
        text = "" if np.isnan(value) else f"{value:.2f}"
        colour = "white" if value > 0.6 else "black"
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=colour, size=8)
    places = np.arange(len(rows)) + 0.5
    axes.set_xticks(places, labels)
    axes.set_yticks(places, labels)
    axes.set(xlabel="epoch", ylabel="epoch")
    axes.invert_yaxis()
    return _svg(figure)


def training_times(figures: ReportFigures) -> str:
    """Draw how long trainings took."""
    figure = _figure(2.6)
    axes = figure.subplots()
    times = figures.train_time_s.ravel()
    axes.hist(times[~np.isnan(times)], bins=_HISTOGRAM_BINS, color=_BLUE)
    axes.set_axisbelow(True)
    axes.set(xlabel="seconds of a training", ylabel="trainings")
    axes.locator_params("y", integer=True)
    axes.grid(alpha=0.3)
    return _svg(figure)


def _scatter(axes: Axes, costs: Doubles, accuracy: Doubles) -> None:
    from matplotlib.ticker import EngFormatter

    many = len(costs) > _MANY
    axes.scatter(
        costs,
        accuracy,
        s=1.5 if many else 14,
        color=_BLUE,
        alpha=0.25 if many else 0.7,
        linewidths=0,
        rasterized=many,
    )
    front = pareto_front(costs, accuracy)
    axes.plot(
        costs[front],
        accuracy[front],
        color=_RED,
        drawstyle="steps-post",
        marker=".",
        markersize=4,
        linewidth=1,
        label="Pareto front",
    )
    axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    axes.grid(alpha=0.3)


def _boxes(
    accuracy: Doubles,
    groups: Sequence[Mapping[str, NDArray[np.bool_]]],
    colours: Mapping[str, str],
    height_inches: float,
) -> str:
    """Draw a box for each group of each stage that has an accuracy."""
    figure = _figure(height_inches)
    for stage, axes in enumerate(figure.subplots(1, STAGES, sharey=True)):
        boxes = list(_box_statistics(accuracy, groups[stage]))
        if boxes:
            _draw_boxes(axes, boxes, colours)
        axes.set_title(f"stage {stage + 1}", size=10)
        axes.tick_params("x", rotation=0 if colours else 35)
        axes.grid(axis="y", alpha=0.3)
    figure.axes[0].set_ylabel(_ACCURACY)
    return _svg(figure)


def _draw_boxes(axes: Axes, boxes: list[dict[str, Any]], colours: Mapping[str, str]) -> None:
    drawn = axes.bxp(boxes, showfliers=False, patch_artist=True, widths=0.6)
    for patch, box in zip(drawn["boxes"], boxes, strict=True):
        patch.set(facecolor=colours.get(box["label"], _BLUE), alpha=0.6, edgecolor="none")
    for line in drawn["medians"]:
        line.set(color="black")


def _box_statistics(
    accuracy: Doubles, groups: Mapping[str, NDArray[np.bool_]]
) -> Iterator[dict[str, Any]]:
    names = ("whislo", "q1", "med", "q3", "whishi")
    for label, members in groups.items():
        values = accuracy[members & ~np.isnan(accuracy)]
        if len(values):
            yield {"label": label, **dict(zip(names, np.quantile(values, _BOX), strict=True))}


def _cells(figures: ReportFigures) -> Iterator[NDArray[np.int64]]:
    """Yield the number of the cell (n,) that the architectures have in each stage."""
    for stage in range(STAGES):
        yield figures.indices // DISTINCT_CELLS**stage % DISTINCT_CELLS


@cache
def _cell_facts() -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return which ops each cell has (45, 3), and the number of its connectivity (45,)."""
    cells = [Architecture(number).cells[0] for number in range(DISTINCT_CELLS)]
    uses = [[op in _ops_of(cell) for op in range(len(OPS))] for cell in cells]
    return np.array(uses), np.array([_connectivity(cell) for cell in cells])


def _ops_of(cell: Cell) -> set[int]:
    op1, op2, prev, _, skip = cell
    return {op1, op2} if prev or skip else {op2}


def _connectivity(cell: Cell) -> int:
    _, _, prev, from_input, skip = cell
    return (2 + from_input + 2 * skip) if prev else skip


def _figure(height_inches: float, width_inches: float = _WIDTH_INCHES) -> Figure:
    return new_figure(width_inches, height_inches, layout="constrained")


def _svg(figure: Figure) -> str:
    return inline(saved(figure, "svg"))


def inline(svg: bytes) -> str:
    """Return the element of an SVG file alone: a page has no use for an XML declaration."""
    text = svg.decode("utf-8")
    return text[text.index("<svg") :]
