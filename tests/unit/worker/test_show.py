"""`blox show`: cells as text and as pictures, and what is known of an architecture."""

import sys
from dataclasses import replace
from itertools import pairwise

import pytest
from click.testing import CliRunner

from blox_core.errors import ExtraMissing
from blox_core.latency import PRESETS as LATENCY_PRESETS
from blox_core.latency.predictor import fitting_sample
from blox_core.recipe import preset
from blox_core.space import DISTINCT_CELLS, OPS, Architecture
from blox_core.space.cell_plan import ABOVE, BELOW, INPUT, LEVEL, OUTPUT, cell_plan
from blox_store.export.chosen_jobs import Choice
from blox_store.export.exporter import export
from blox_store.report.architecture_picture import OP_COLOURS, architecture_picture
from blox_store.store import Store
from blox_worker.commands.release.show import show
from blox_worker.new_run import make_measuring_run
from blox_worker.show.cell_text import cell_lines
from tests.support.exports import simulated_run
from tests.support.latencies import add_latencies, measure_all
from tests.support.releases import add_costs, finished_run

CELLS = [Architecture(number).cells[0] for number in range(DISTINCT_CELLS)]
ALL_CONNECTED = """\
                  ╭───────────────────────╮
                  │                       ↓
input ─┬─→ bconv ─┴──→ ⊕ ───→ mbconv ───→ ⊕ ───→ output
       │               ↑
       ╰───────────────╯"""
PARALLEL = """\
       ╭────────────────────→ mbconv ─────╮
input ─┤                                  ⊕ ───→ output
       ╰────────────────────→ conv ───────╯"""


@pytest.fixture(scope="module", autouse=True)
def drawing():
    """Load what draws, which takes a second."""
    architecture_picture(Architecture(0), [], "svg")


@pytest.fixture(autouse=True)
def no_store_is_named(monkeypatch):
    monkeypatch.delenv("BLOX_DATABASE_URL", raising=False)


def shown(*arguments, **environment):
    ended = CliRunner().invoke(show, list(arguments), env=environment, catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended.output


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_plan_computes_what_the_cell_does(cell):
    """Symbolic values that flow along the arrows are those of the documented cell."""
    plan = cell_plan(cell)
    values = {}
    for node in sorted(plan.nodes, key=lambda node: node.column):
        taken = sorted(values[a.source] for a in plan.arrows if a.target == node)
        joined = "+".join(taken) if taken else "x"
        values[node] = f"{node.name}({joined})" if node.is_op else joined
    (end,) = (node for node in plan.nodes if node.name == OUTPUT)
    assert sorted(values[end].split("+")) == sorted(expected(cell).split("+"))


def expected(cell):
    op1, op2, prev, from_input, skip = cell
    first = f"{OPS[op1]}(x)"
    if not prev:
        return f"{first}+{OPS[op2]}(x)" if skip else f"{OPS[op2]}(x)"
    second = f"{OPS[op2]}({first + '+x' if from_input else first})"
    return f"{second}+{first}" if skip else second


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_drawing_shows_every_node_and_arrow(cell):
    plan, text = cell_plan(cell), "\n".join(cell_lines(cell))
    assert (text.count(INPUT), text.count(OUTPUT)) == (1, 1)
    assert text.count("conv") == sum(node.is_op for node in plan.nodes)
    into_a_sum_at_once = [a for a in plan.arrows if a.source.row != LEVEL]
    heads = sum(text.count(head) for head in "→↓↑")
    assert heads == len(plan.arrows) - len(into_a_sum_at_once)
    lanes = {arrow.lane for arrow in plan.arrows}
    assert ("↓" in text, "↑" in text) == (ABOVE in lanes, BELOW in lanes)


def test_two_drawings():
    assert "\n".join(cell_lines((2, 1, 1, 1, 1))) == ALL_CONNECTED
    assert "\n".join(cell_lines((1, 0, 0, 1, 1))) == PARALLEL


def test_columns_of_a_plan_ascend():
    for cell in CELLS:
        level = [node.column for node in cell_plan(cell).nodes if node.row == LEVEL]
        assert all(one < other for one, other in pairwise(level))


def test_an_index_a_hash_and_a_raw_vector_are_one_architecture():
    by_index = shown("12345")
    assert shown(Architecture(12_345).model_hash) == by_index
    assert shown("[[[0],[1,1,1,0]],[[1],[1,1,0,0]],[[0],[2,1,0,0]]]") == by_index
    assert "params    2,772,260" in by_index
    assert "FLOPs     270,883,812 (cifar100: 100 classes, 32 channels" in by_index
    raw = shown("[[[1], [2, 0, 0, 1]], [[0], [0, 0, 1, 0]], [[0], [0, 0, 1, 0]]]")
    assert "arch vec  [[[0],[1,0,1,0]],[[0],[0,0,1,0]],[[0],[0,0,1,0]]]" in raw


def test_the_shape_is_that_of_the_recipe():
    assert "(digits: 10 classes, 8 channels in stage 1, 32 x 32" in shown("7", "--recipe", "digits")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("91125", "arch index 91125: an integer from 0 to 91124 is allowed"),
        ("0" * 32, "no architecture has it"),
        ("[[[3],[0,0,1,0]],[[0],[0,0,1,0]],[[0],[0,0,1,0]]]", "stage 1, cell [[3]"),
        ("true", "arch index True"),
        ("conv", "an arch index such as 18639, a model hash of 32 hex digits, or an arch vector"),
        ("[" * 100_000, "is allowed"),
    ],
)
def test_what_is_no_architecture(text, message):
    ended = CliRunner().invoke(show, [text])
    assert ended.exit_code == 2
    assert message in ended.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "x.pdf"], "x.pdf: a name that ends in .svg or .png is allowed"),
        (["--recipe", "digits", "--release", "r"], "--release, --recipe, --database: give one of"),
        (["--recipe", "imagenet"], "'imagenet' is not one of 'cifar100'"),
    ],
)
def test_options_that_are_not_allowed(options, message):
    ended = CliRunner().invoke(show, ["7", *options])
    assert ended.exit_code == 2
    assert message in ended.output


@pytest.mark.slow  # four drawings
def test_pictures(tmp_path):
    svg, png = tmp_path / "a.svg", tmp_path / "a.png"
    assert f"drawn in {svg}" in shown("50000", "--out", str(svg))
    shown("50000", "--out", str(png))
    assert png.read_bytes().startswith(b"\x89PNG")
    text = svg.read_text()
    for part in ("stage 3", "mbconv", "3,335,428", *OP_COLOURS.values()):
        assert part in text
    title = ["one line"]
    again = [architecture_picture(Architecture(50_000), title, "svg") for _ in range(2)]
    assert again[0] == again[1]


def test_a_picture_has_results_and_latencies(store, sqlite_store_url, tmp_path):
    run = finished_run(store, DIGITS, indices=(3,))
    simulated_run(store, seed=1, indices=(3,))
    measure_all(store, "cpu", {3: False})
    shown("3", "--database", sqlite_store_url, "--out", str(tmp_path / "a.svg"))
    text = (tmp_path / "a.svg").read_text()
    for part in (
        f"training  {run}",
        "val 1.600 %, test 24.000 %, in 104 s",
        "simulated: figures are made up, nothing was trained",
        "latency   3.500000 ms on cpu, unstable",
        "latency   1.250000 ms on pixel-4",
    ):
        assert part in text


def test_a_picture_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ExtraMissing, match=r"pip install '\.\[plots\]'"):
        architecture_picture(Architecture(0), [], "png")


@pytest.fixture
def store(sqlite_store_url):
    with Store(sqlite_store_url) as opened:
        add_costs(opened)
        add_latencies(opened, "pixel-4", {3: 1.25})
        yield opened


DIGITS = replace(preset("digits"), epochs=2)


@pytest.fixture
def release(store, tmp_path):
    """A release of 3, 5 and 7 with two seeds."""
    for seed in (0, 1):
        run = finished_run(store, DIGITS, seed=seed)
        export(store, run, tmp_path / "r", formats=("blox",), choice=Choice())
    return tmp_path / "r"


def test_what_a_release_knows(release):
    output = shown("3", "--release", str(release))
    rows = [line.split() for line in output.splitlines()]
    assert ["seed", "1", "1.600", "24.000", "104", "s"] in rows
    assert ["pixel-4", "1.250000"] in rows
    assert "params    111\n" in output  # those of the release
    assert "simulated" not in output
    assert "pixel-4" not in shown("5", "--release", str(release))


def test_what_a_release_does_not_know(release):
    output = shown("9", "--release", str(release))
    assert f"no training of it in {release}" in output
    assert "(digits: 10 classes, 8 channels" in output
    (release / "manifest.json").unlink()
    (release / "blox-info.blox").unlink()
    assert "(digits: 10 classes, 8 channels" in shown("3", "--release", str(release))


def test_what_a_store_knows(store, sqlite_store_url):
    run = finished_run(store, DIGITS, indices=(3,), diverged=(5,))
    simulated = simulated_run(store, seed=1, indices=(3,))
    output = shown("3", "--database", sqlite_store_url)
    assert output == shown("3", BLOX_DATABASE_URL=sqlite_store_url)
    rows = [line.split() for line in output.splitlines()]
    assert [*str(run).split(), "1.600", "24.000", "104", "s"] in rows
    assert any(row[:2] == str(simulated).split()[:2] for row in rows)
    assert ["pixel-4", "1.250000"] in rows
    assert "simulated: figures are made up, nothing was trained" in output
    assert "diverged" not in output
    assert str(run) in shown("5", "--database", sqlite_store_url)
    assert "no training of it in sqlite:///" in shown("9", "--database", sqlite_store_url)
    assert "cifar100" in shown("9", "--recipe", "cifar100", BLOX_DATABASE_URL=sqlite_store_url)


def test_a_store_that_measures(store, sqlite_store_url):
    finished_run(store, DIGITS, indices=(3,))
    before = shown("3", "--database", sqlite_store_url)
    make_measuring_run(store, LATENCY_PRESETS["torch-cpu"], device_name="cpu", indices=[3])
    assert shown("3", "--database", sqlite_store_url) == before


@pytest.fixture
def partly_predicted(store, tmp_path):
    """A release of 3, 5 and 7, of which 3 and 5 were measured on a CPU, 5 without calm."""
    run = finished_run(store, DIGITS)
    sample = dict.fromkeys({*fitting_sample(1, seed=0), 3} - {7}, True)
    measure_all(store, "cpu", sample | {5: False})
    add_latencies(store, "pixel-4", dict.fromkeys([0, 1, 2, *range(4, 10)], 1.5))
    chosen = Choice(predicted=True, indices=range(10))
    export(store, run, tmp_path / "r", formats=("blox",), choice=chosen)
    return tmp_path / "r"


def devices_shown(*arguments):
    """Return what stands before the latencies."""
    output = shown(*arguments)
    cells = [line.split("  ")[1].strip() for line in output.splitlines() if line.startswith("  ")]
    return [cell for cell in cells if cell.startswith(("cpu", "pixel-4"))]


def test_a_release_tells_of_each_latency_what_it_is(partly_predicted):
    release = ("--release", str(partly_predicted))
    assert devices_shown("3", *release) == ["cpu", "pixel-4"]
    assert devices_shown("5", *release) == ["cpu, unstable", "pixel-4"]
    assert devices_shown("7", *release) == ["cpu, predicted", "pixel-4"]


def test_a_release_without_a_manifest_does_not_tell_which_were_measured(partly_predicted):
    (partly_predicted / "manifest.json").unlink()
    found = devices_shown("5", "--release", str(partly_predicted))
    assert found == ["cpu, measured or predicted", "pixel-4"]


def test_a_store_tells_of_unstable_latencies(store, sqlite_store_url):
    measure_all(store, "cpu", {3: True, 5: False})
    assert devices_shown("3", "--database", sqlite_store_url) == ["cpu", "pixel-4"]
    assert devices_shown("5", "--database", sqlite_store_url) == ["cpu, unstable"]
