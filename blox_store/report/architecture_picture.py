"""An architecture as a picture: the cells of its stages, drawn by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from blox_core.extras import optional_module
from blox_core.space import STAGES, Architecture
from blox_core.space.cell_plan import (
    COLUMNS,
    LEVEL,
    SUM,
    CellPlan,
    PlannedArrow,
    PlannedNode,
    cell_plan,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Format: TypeAlias = Literal["svg", "png"]
Point: TypeAlias = tuple[float, float]

# Told apart by colour-blind people, and white text can be read on them.
OP_COLOURS: Final = {"conv": "#33658a", "mbconv": "#a23b72", "bconv": "#2a7f62"}
_INK: Final = "#333333"
_SPACING: Final = 1.6  # between the columns of a plan
_HALF_WIDTH: Final = {SUM: 0.22}
_HALF_OP: Final = 0.55
_HALF_HEIGHT: Final = 0.26
_LANE: Final = 0.62  # from the middle of a cell
_FORK: Final = 0.25  # behind a node
_CELL_SIZE: Final = ((COLUMNS - 1) * _SPACING + 2 * _HALF_OP, 2.0)
_MARGIN: Final = 0.35
_INCHES_PER_UNIT: Final = 0.68
_TITLE_INCHES: Final = 0.24  # for each line above the picture
_DOTS_PER_INCH: Final = 144
# Text stays text, and the same picture has the same bytes.
SVG_SETTINGS: Final[Any] = {"svg.fonttype": "none", "svg.hashsalt": "blox"}


def architecture_picture(architecture: Architecture, title: Sequence[str], format: Format) -> bytes:
    """Return a picture of the three cells, one below the other, under the lines of a title.

    Raises ExtraMissing without matplotlib.
    """
    width, height = _CELL_SIZE
    inches = (width + 2 * _MARGIN) * _INCHES_PER_UNIT
    rows = STAGES * height * _INCHES_PER_UNIT
    above = _TITLE_INCHES * (len(title) + 0.5)
    figure = new_figure(inches, rows + above)
    axes = figure.add_axes((0, 0, 1, rows / (rows + above)))
    _frame(axes, (-_MARGIN - _HALF_OP, width + _MARGIN - _HALF_OP), (-STAGES * height, 0))
    for stage, cell in enumerate(architecture.cells):
        middle = -(stage + 0.5) * height
        axes.text(-_HALF_OP, middle + 0.8, f"stage {stage + 1}", color=_INK, weight="bold", size=9)
        draw_cell(axes, cell_plan(cell), (0.0, middle))
    for number, line in enumerate(title):
        top = 1 - (number + 1) * _TITLE_INCHES / (rows + above)
        style: dict[str, Any] = {"family": "monospace"} if number else {"weight": "bold"}
        figure.text(_MARGIN / inches * _INCHES_PER_UNIT, top, line, size=9, **style)
    return saved(figure, format)


def cells_strip(architecture: Architecture) -> bytes:
    """Return an SVG of the three cells side by side, without words; raise as above."""
    width, height = _CELL_SIZE
    step = width + 3 * _MARGIN
    total = STAGES * step
    figure = new_figure(total * _INCHES_PER_UNIT * 0.5, height * _INCHES_PER_UNIT * 0.5)
    axes = figure.add_axes((0, 0, 1, 1))
    _frame(axes, (-_HALF_OP - _MARGIN, total - _HALF_OP - _MARGIN), (-height / 2, height / 2))
    for stage, cell in enumerate(architecture.cells):
        draw_cell(axes, cell_plan(cell), (stage * step, 0.0), text_points=6.2)
    return saved(figure, "svg")


def new_figure(width_inches: float, height_inches: float, **options: Any) -> Figure:
    """Return a figure without a window; raise ExtraMissing without matplotlib."""
    module: Any = optional_module("matplotlib.figure", package="matplotlib", extra="plots")
    figure: Figure = module.Figure(figsize=(width_inches, height_inches), **options)
    return figure


def saved(figure: Figure, format: Format) -> bytes:
    """Return a figure as the bytes of a file, the same for the same figure."""
    from matplotlib import rc_context

    file = io.BytesIO()
    names = ("Date", "Creator", "Format", "Type") if format == "svg" else ("Software",)
    metadata = dict.fromkeys(names)
    with rc_context(SVG_SETTINGS):
        figure.savefig(file, format=format, dpi=_DOTS_PER_INCH, metadata=metadata)
    return file.getvalue()


def draw_cell(axes: Axes, plan: CellPlan, at: Point, text_points: float = 9) -> None:
    """Draw a cell whose input is in the middle of `at`."""
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
    from matplotlib.path import Path

    left, middle = at
    for arrow in plan.arrows:
        points = [(left + x, middle + y) for x, y in _route(arrow)]
        axes.add_patch(
            FancyArrowPatch(
                path=Path(points),
                arrowstyle="-|>",
                mutation_scale=text_points,
                color=_INK,
                linewidth=text_points / 8,
            )
        )
    for node in plan.nodes:
        x, y = _centre(node)
        half = _half_width(node)
        axes.add_patch(
            FancyBboxPatch(
                (left + x - half, middle + y - _HALF_HEIGHT),
                2 * half,
                2 * _HALF_HEIGHT,
                boxstyle="round,pad=0,rounding_size=0.2",
                facecolor=OP_COLOURS.get(node.name, "white"),
                edgecolor=_INK,
                linewidth=text_points / 10,
            )
        )
        colour = "white" if node.is_op else _INK
        position = (left + x, middle + y - 0.02)
        axes.text(
            *position, node.name, size=text_points, color=colour, ha="center", va="center_baseline"
        )


def _route(arrow: PlannedArrow) -> list[Point]:
    """Return the corners that an arrow goes through."""
    source, target = arrow.source, arrow.target
    (start, row), (end, end_row) = _centre(source), _centre(target)
    right, left = start + _half_width(source), end - _half_width(target)
    if arrow.lane != LEVEL:
        lane, fork = arrow.lane * _LANE, right + _FORK
        return [(fork, 0), (fork, lane), (end, lane), (end, arrow.lane * _HALF_HEIGHT)]
    if row == end_row:
        return [(right, row), (left, row)]
    if target.row != LEVEL:
        fork = right + _FORK
        return [(right, row), (fork, row), (fork, end_row), (left, end_row)]
    return [(right, row), (end, row), (end, source.row * _HALF_HEIGHT)]


def _centre(node: PlannedNode) -> Point:
    return node.column * _SPACING, node.row * _LANE


def _half_width(node: PlannedNode) -> float:
    return _HALF_WIDTH.get(node.name, _HALF_OP)


def _frame(axes: Axes, across: Point, upwards: Point) -> None:
    axes.set(xlim=across, ylim=upwards)
    axes.set_aspect("equal")
    axes.set_axis_off()
