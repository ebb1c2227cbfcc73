"""The page of a report: figures, plots and tables in a template, without anything to be fetched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from blox_core.extras import optional_module
from blox_core.space import Architecture
from blox_store.release_folder.device_summary import device_summaries
from blox_store.release_folder.manifest import read_manifest
from blox_store.report import plots
from blox_store.report.architecture_picture import cells_strip
from blox_store.report.figures import ReportFigures, report_figures
from blox_store.report.statistics import mean_of_seeds, pareto_front, spearman

_TEMPLATE: Final = Path(__file__).with_name("page.html")
_SHOWN: Final = 5  # best and worst architectures
_FRONT: Final = 20  # rows of the table of a front
_HOUR_S: Final = 3600


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An architecture in a table; accuracies are means of the seeds, in percent."""

    index: int
    test_top1: float
    val_top1: float
    params: int
    flops: int
    cells: str = ""


def report_page(folder: Path) -> bytes:
    """Return the report of a release as one HTML page.

    Raises ExtraMissing without matplotlib and jinja2, and what opening and reading a release raises.
    """
    jinja2: Any = optional_module("jinja2", package="jinja2", extra="report")
    optional_module("matplotlib", package="matplotlib", extra="report")
    figures, manifest = report_figures(folder), read_manifest(folder)
    template = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(_TEMPLATE.read_text("utf-8"))
    best, worst = _best_and_worst(figures)
    page: str = template.render(
        figures=figures,
        name=folder.resolve().name,
        manifest=manifest,
        devices=[] if manifest is None else list(device_summaries(manifest)),
        plot=_plots(figures),
        front=_front(figures),
        best=_candidates(figures, best, drawn=True),
        worst=_candidates(figures, worst, drawn=True),
        seed_pairs=list(_seed_pairs(figures)),
        times=_times(figures),
    )
    return page.encode("utf-8")


def _plots(figures: ReportFigures) -> dict[str, str]:
    drawn = {
        "costs": plots.accuracy_against_costs,
        "ops": plots.accuracy_by_op,
        "connectivity": plots.accuracy_by_connectivity,
        "curves": plots.learning_curves,
        "epochs": plots.epoch_correlations,
        "times": plots.training_times,
    }
    return {name: draw(figures) for name, draw in drawn.items()}


def _front(figures: ReportFigures) -> list[Candidate]:
    """Return the front of accuracy against FLOPs, thinned out where it is long."""
    front = pareto_front(figures.flops, figures.accuracy)
    kept = np.unique(np.linspace(0, len(front) - 1, min(_FRONT, len(front))).round().astype(int))
    return _candidates(figures, front[kept])


def _best_and_worst(figures: ReportFigures) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the positions of a few architectures: from the best one, and from the worst one on."""
    order = np.argsort(-figures.accuracy, kind="stable")  # NaN comes last
    order = order[: np.count_nonzero(~np.isnan(figures.accuracy))]
    shown = min(_SHOWN, -(-len(order) // 2))  # the better half is not among the worst
    return order[:shown], order[max(len(order) - shown, shown) :][::-1]


def _candidates(
    figures: ReportFigures, rows: Iterable[Any], *, drawn: bool = False
) -> list[Candidate]:
    validation = mean_of_seeds(figures.val_top1)
    found = []
    for row in rows:
        index = int(figures.indices[row])
        found.append(
            Candidate(
                index=index,
                test_top1=float(figures.accuracy[row]),
                val_top1=float(validation[row]),
                params=int(figures.params[row]),
                flops=int(figures.flops[row]),
                cells=plots.inline(cells_strip(Architecture(index))) if drawn else "",
            )
        )
    return found


def _seed_pairs(figures: ReportFigures) -> Iterator[tuple[int, int, float, float]]:
    """Yield two seeds, the rank correlation of their test accuracies, and their mean distance."""
    for (one, left), (other, right) in combinations(
        zip(figures.seeds, figures.test_top1, strict=True), 2
    ):
        distances = np.abs(left - right)
        known = distances[~np.isnan(distances)]
        distance = float(known.mean()) if len(known) else float("nan")
        yield one, other, spearman(left, right), distance


def _times(figures: ReportFigures) -> dict[str, float]:
    times = figures.train_time_s
    return {
        "trainings": times.size,
        "total_h": float(times.sum() / _HOUR_S),
        "median_s": float(np.median(times)),
        "shortest_s": float(times.min()),
        "longest_s": float(times.max()),
    }
