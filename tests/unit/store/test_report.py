"""The report of a release: its statistics, its page, and that nothing is fetched for it."""

import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from blox_core.errors import ExtraMissing
from blox_core.latency.predictor import fitting_sample
from blox_core.recipe import preset
from blox_core.space import DISTINCT_CELLS, OPS, Architecture, random_indices
from blox_store.errors import ReleaseMissing
from blox_store.export.chosen_jobs import Choice
from blox_store.export.exporter import export
from blox_store.report import report_page
from blox_store.report.figures import QUANTILES, report_figures
from blox_store.report.plots import CONNECTIVITIES, _cell_facts, accuracy_against_costs
from blox_store.report.statistics import mean_of_seeds, pareto_front, spearman
from blox_store.store import Store
from tests.support.exports import finish, simulated_run
from tests.support.latencies import add_latencies
from tests.support.releases import SHAPE, add_costs, finished_run
from tests.support.results import made_up_run

DIGITS = replace(preset("digits"), epochs=2)
NAN = float("nan")
NAME = "<b>&"  # of the simulated release
INDICES = tuple(random_indices(8, seed=1))


@pytest.fixture
def store(sqlite_store_url):
    with Store(sqlite_store_url) as opened:
        add_costs(opened)
        yield opened


@pytest.fixture
def out(tmp_path):
    return tmp_path / "release"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """A release of the demo's size with two seeds, and latencies of some."""
    folder = tmp_path_factory.mktemp("simulated")
    with Store(f"sqlite:///{folder}/blox.db", migrate=True) as store:
        store.static.add_architectures(SHAPE, [(i, 1000 + i, 2000 - i % 50) for i in INDICES])
        add_latencies(store, "pixel-4", {INDICES[0]: 1.25, INDICES[5]: 2.5, 9: 1.0})
        for seed in (0, 1):
            run = simulated_run(store, seed=seed, indices=INDICES)
            choice = Choice(simulated=True)
            export(store, run, folder / NAME, formats=("blox",), choice=choice)
    return folder / NAME


class References(HTMLParser):
    """Collects what a page would fetch, and its text."""

    def __init__(self, page):
        super().__init__()
        self.found, self.text, self.open = [], "", []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.found += [value for name, value in attributes if name.rpartition(":")[2] in NAMES]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


NAMES = ("src", "href", "srcset", "data", "action", "poster")


def page_of(folder):
    page = report_page(folder).decode("utf-8")
    parsed = References(page)
    assert all(value.startswith(("#", "data:image/png;base64,")) for value in parsed.found)
    assert not re.search(r"@import|url\((?!#)|<script|<link", page)
    return page, " ".join(parsed.text.split())


@pytest.fixture(scope="module")
def simulated_page(simulated):
    """Its page, and the text of it: to draw one takes a second."""
    return page_of(simulated)


def test_a_simulated_release_of_two_seeds(simulated, simulated_page):
    page, text = simulated_page
    assert "The figures are made up by a simulation: nothing was trained." in text
    assert "8 of the 91,125 architectures" in text
    assert "with the seeds 0, 1." in text
    assert "latency on pixel-4, ms" in text
    figures = report_figures(simulated)
    order = np.argsort(-figures.accuracy, kind="stable")
    best, worst = figures.indices[order[0]], figures.indices[order[-1]]
    (ranked,) = re.findall(r"Best and worst architectures(.*)Rank correlation", page, re.DOTALL)
    rows = [int(index) for index in re.findall(r"<tr><td>(\d+)</td>", ranked)]
    assert sorted(rows) == sorted(INDICES)
    assert (rows[0], rows[4]) == (best, worst)
    assert ranked.count("<svg") == 8
    assert f"<td>0 and 1</td><td>{spearman(*figures.test_top1):.3f}</td>" in page
    assert "<tr><td>16</td>" in page  # trainings


def test_figures_are_those_of_the_release(simulated):
    figures = report_figures(simulated)
    assert figures.seeds == (0, 1)
    assert list(figures.indices) == sorted(INDICES)
    assert figures.test_top1.shape == figures.val_top1.shape == figures.train_time_s.shape == (2, 8)
    assert figures.curves.shape == (len(QUANTILES), 2)
    assert figures.snapshot_epochs == (1, 2)
    np.testing.assert_array_equal(figures.accuracy, figures.test_top1.mean(axis=0))
    assert figures.curves[-1].max() == figures.val_top1.max()
    assert (np.diff(figures.curves, axis=0) >= 0).all()
    latencies = dict(zip(figures.indices.tolist(), figures.latencies_ms["pixel-4"], strict=True))
    assert (latencies[INDICES[0]], latencies[INDICES[5]]) == (1.25, 2.5)
    assert np.isnan(latencies[INDICES[1]])


@pytest.mark.slow  # it draws a page
def test_plots_say_which_latencies_are_predicted(store, out):
    run = finished_run(store, DIGITS)
    others = dict.fromkeys({*fitting_sample(2, seed=0)} - {3, 5, 7}, 1.0)
    add_latencies(store, "elsewhere", others)
    add_latencies(store, "some", others | {5: 1.0})
    add_latencies(store, "all", others | {3: 1.0, 5: 1.0, 7: 1.0})
    export(store, run, out, formats=("blox",), choice=Choice(predicted=True, indices=range(9)))
    told = {"elsewhere": "predicted", "some": "partly predicted"}
    figures = report_figures(out)
    assert figures.predicted == told
    page, _ = page_of(out)
    for label in ("elsewhere, ms, predicted<", "some, ms, partly predicted<", "all, ms<"):
        assert f"latency on {label}" in page
    assert "<td>9</td><td>0</td><td>8</td><td>0.0 %</td></tr>" in page  # of `some`, all alike
    assert "The error is that of predicting each measured latency from all other" in page
    (out / "manifest.json").unlink()
    assert set(report_figures(out).predicted.values()) == {"partly predicted"}


@pytest.mark.slow  # it draws a page
def test_one_architecture_of_one_epoch_without_params_and_flops(store, out):
    run = made_up_run(store, replace(DIGITS, epochs=1), indices=(3,))
    finish(store, run, 3, epochs=1)
    export(store, run, out, formats=("blox",), choice=Choice())
    (out / "manifest.json").unlink()
    (out / "blox-info.blox").unlink()
    page, text = page_of(out)
    assert "each trained for 1 epoch with seed 0." in text
    assert "made up" not in text
    assert "The worst ones" not in text
    assert page.count("<svg") == 7


@pytest.mark.slow  # it draws a page
def test_diverged_ones_have_no_accuracy(store, out):
    run = made_up_run(store, DIGITS, indices=(3, 5, 7))
    finish(store, run, 3)
    finish(store, run, 5, status="diverged", epochs=1, test=None)
    finish(store, run, 7, status="diverged", epochs=0, test=None)
    export(store, run, out, formats=("blox",), choice=Choice(include_diverged=True))
    page, _ = page_of(out)
    (ranked,) = re.findall(r"Best and worst architectures(.*)Rank correlation", page, re.DOTALL)
    assert re.findall(r"<tr><td>(\d+)</td>", ranked) == ["3"]


@pytest.mark.slow  # it draws a page
def test_a_release_in_which_all_diverged_has_a_page(store, out):
    run = made_up_run(store, DIGITS, indices=(3, 5))
    for index in (3, 5):
        finish(store, run, index, status="diverged", epochs=0, test=None)
    export(store, run, out, formats=("blox",), choice=Choice(include_diverged=True))
    page, _ = page_of(out)
    assert "Best and worst architectures" in page


def test_epochs_that_nobody_has_reached_have_no_quantiles(store, out):
    run = finished_run(store, DIGITS, indices=(), diverged=(5, 7))
    export(store, run, out, formats=("blox",), choice=Choice(include_diverged=True))
    assert np.isnan(report_figures(out).curves).all(axis=0).tolist() == [False, True]


def test_a_folder_with_a_name_of_html(simulated_page):
    assert "<code>&lt;b&gt;&amp;</code>" in simulated_page[0]


@pytest.mark.slow
def test_a_plot_is_the_same_whenever_it_is_drawn(simulated, simulated_page):
    vectors = accuracy_against_costs(report_figures(simulated))
    assert vectors in simulated_page[0]
    assert "data:image/png" not in vectors


@pytest.mark.slow
def test_many_points_are_an_image(simulated, monkeypatch):
    figures = report_figures(simulated)
    monkeypatch.setattr("blox_store.report.plots._MANY", 4)
    assert accuracy_against_costs(figures).count("data:image/png") == 3


def test_no_release(tmp_path):
    with pytest.raises(ReleaseMissing, match="no release folder"):
        report_page(tmp_path / "nowhere")


@pytest.mark.parametrize("module", ["jinja2", "matplotlib"])
def test_without_what_the_extra_has(monkeypatch, tmp_path, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExtraMissing, match=rf"{module} .*pip install '\.\[report\]'"):
        report_page(tmp_path)


@pytest.mark.parametrize(
    ("left", "right", "correlation"),
    [
        ([1, 2, 3], [10, 20, 21], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        ([1, 2, 2, 3], [1, 2, 3, 4], 3 / np.sqrt(10)),  # ranks 1, 2.5, 2.5, 4
        ([1, NAN, 2, 3], [1, 9, NAN, 2], 1.0),
        ([1, 1, 1], [1, 2, 3], NAN),
        ([1], [1], NAN),
        ([], [], NAN),
    ],
)
def test_rank_correlation(left, right, correlation):
    found = spearman(np.array(left, float), np.array(right, float))
    assert found == pytest.approx(correlation, nan_ok=True)


def test_a_front_has_what_nothing_dominates():
    random = np.random.default_rng(0)
    costs, values = random.integers(0, 30, 200), random.integers(0, 30, 200).astype(float)
    values[::7] = NAN
    front = pareto_front(costs, values)
    assert (np.diff(costs[front]) > 0).all()
    assert (np.diff(values[front]) > 0).all()
    for cost, value in zip(costs, values, strict=True):
        if not np.isnan(value):
            assert (values[front][costs[front] <= cost] >= value).any()
    assert len(pareto_front(np.array([1.0]), np.array([NAN]))) == 0


def test_the_mean_of_the_seeds_that_have_one():
    means = mean_of_seeds(np.array([[1.0, NAN, NAN], [3.0, 5.0, NAN]]))
    np.testing.assert_array_equal(means, [2.0, 5.0, NAN])


def test_ops_and_connectivity_of_each_cell():
    uses, kinds = _cell_facts()
    for number in range(DISTINCT_CELLS):
        op1, op2, prev, from_input, skip = Architecture(number).cells[0]
        ops = {op2} | ({op1} if prev or skip else set())
        assert {OPS[op] for op in np.flatnonzero(uses[number])} == {OPS[op] for op in ops}
        name = CONNECTIVITIES[kinds[number]]
        assert (name in ("one op", "parallel")) == (not prev)
        if prev:
            assert (name in ("+ input", "+ both"), name in ("+ skip", "+ both")) == (
                bool(from_input),
                bool(skip),
            )
