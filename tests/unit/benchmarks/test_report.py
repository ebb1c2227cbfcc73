"""What benchmarks refuse, and what they say of a busy machine and of missed bounds."""

import json
import os
from dataclasses import replace

import pytest

from benchmarks.suite.codec.command import BENCHMARK as CODEC
from benchmarks.suite.fidelity.command import BENCHMARK as FIDELITY
from benchmarks.suite.latency.command import BENCHMARK as LATENCY
from benchmarks.suite.queue.command import BENCHMARK as QUEUE
from benchmarks.suite.report.benchmark import FAILED, SUCCESS, USAGE, Benchmark
from benchmarks.suite.report.options import Options
from benchmarks.suite.report.row import Row, tables
from benchmarks.suite.training.command import BENCHMARK as TRAINING

KEPT = Row("kept", (9.0, 12.0, 11.0), "images/s", at_least=11)
MISSED = Row("missed", (10.9, 2000.0, 1.0), "images/s", at_least=11)


def benchmark(*rows):
    """Return a benchmark that has found these rows."""
    return Benchmark(
        name="made-up",
        options=Options,
        parts={"p": lambda _: (rows, {})},
        about=lambda _: {},
    )


@pytest.fixture(autouse=True)
def load(monkeypatch):
    """Sets the load of the machine, which is idle."""

    def of_each_core(load):
        total = load * len(os.sched_getaffinity(0))
        monkeypatch.setattr(os, "getloadavg", lambda: (total, 0.0, 0.0))

    of_each_core(0.0)
    return of_each_core


def test_half_a_load_per_core_is_the_most_that_is_measured_with(load, capsys):
    load(0.5)
    assert benchmark(KEPT).main([]) == SUCCESS
    assert "BUSY" not in capsys.readouterr().out
    load(0.51)
    assert benchmark(KEPT).main([]) == FAILED
    assert "by --any-load, which marks the table" in capsys.readouterr().err
    assert benchmark(KEPT).main(["--any-load"]) == SUCCESS
    assert "; BUSY, the figures are not to be quoted\n" in capsys.readouterr().out


@pytest.mark.parametrize("one", [QUEUE, CODEC, TRAINING, LATENCY])
def test_a_busy_machine_is_refused_before_anything_is_measured(one, load, capsys):
    load(1.0)
    assert one.main([]) == FAILED
    assert "is allowed on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("one", "arguments", "what"),
    [
        (QUEUE, "lunch", "'lunch': one of enqueue, scale, soak is allowed"),
        (QUEUE, "--jobs 0", "--jobs: '0': an integer from 1 to 91,125 is allowed"),
        (QUEUE, "--fleets 10,x", "--fleets: 'x': an integer from 1 to 1,100 is allowed"),
        (QUEUE, "--fleets 0", "--fleets: '0': an integer from 1 to 1,100 is allowed"),
        (QUEUE, "--fleets 1101", "--fleets: '1101': an integer from 1 to 1,100 is allowed"),
        (QUEUE, "--seconds inf", "--seconds: 'inf': a number from 1 to 86,400 is allowed"),
        (
            QUEUE,
            "--seconds 3600",
            "3600 s of 1,400 workers may take 103,601 jobs: 91,125 are there",
        ),
        (QUEUE, "--seed -1", "--seed: '-1': an integer from 0"),
        (QUEUE, "--fault-every 0", "--fault-every: '0': a number from 0.001"),
        (QUEUE, "--bound 3", "'3': NAME=NUMBER is allowed"),
        (QUEUE, "--bound speed=fast", "'speed=fast': NAME=NUMBER is allowed"),
        (QUEUE, "--bound speed=nan", "'speed=nan': NAME=NUMBER is allowed"),
        (QUEUE, "--json no/such.json", "'no/such.json': a file in a folder that is there"),
        (CODEC, "--rows 0", "--rows: '0': an integer from 1 to 91,125 is allowed"),
        (FIDELITY, "--architectures 1,x", "'x': an integer from 0 to 91,124 is allowed"),
        (LATENCY, "--sample 1", "--sample: '1': an integer of 2 or more is allowed"),
        (LATENCY, "--rounds none", "--rounds: 'none': an integer of 1 or more is allowed"),
        (LATENCY, "--set size=3", "--set: 'size': one of backend, precision, "),
        (TRAINING, "--jobs 1,0", "--jobs: '0': an integer of 1 or more is allowed"),
    ],
)
def test_a_bad_argument_is_named_in_one_line(one, arguments, what, capsys):
    with pytest.raises(SystemExit) as ended:
        one.main(arguments.split())
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    assert what in printed.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "rows", "code"),
    [
        (["--check"], [KEPT], SUCCESS),
        (["--check"], [KEPT, MISSED], FAILED),
        (["--check", "--bound", "missed=10.9"], [KEPT, MISSED], SUCCESS),
        ([], [MISSED], SUCCESS),
    ],
)
def test_check_names_what_is_missed(arguments, rows, code, tmp_path, capsys):
    path = tmp_path / "figures.json"
    assert benchmark(*rows).main([*arguments, "--json", str(path)]) == code
    missed = "Error: missed: p: missed is 10.9 images/s, at least 11 is allowed\n"
    assert capsys.readouterr().err == (missed if code == FAILED else "")
    verdicts = [row["verdict"] for row in json.loads(path.read_text())["rows"]]
    assert ("missed" in verdicts) == (MISSED in rows and "--bound" not in arguments)


def test_a_bound_of_no_row_is_refused_once_the_figures_are_safe(tmp_path, capsys):
    path = tmp_path / "figures.json"
    arguments = ["--check", "--bound", "speed=1", "--json", str(path)]
    assert benchmark(KEPT).main(arguments) == USAGE
    printed = capsys.readouterr()
    assert "--bound: no row has the name 'speed'" in printed.err.splitlines()[-1]
    assert "| kept" in printed.out
    assert [row["name"] for row in json.loads(path.read_text())["rows"]] == ["kept"]


def test_a_figure_at_its_bound_passes_and_one_that_is_no_number_does_not():
    row = Row("memory", [120], "MB", at_most=120)
    rows = [row, replace(row, runs=[120.1]), replace(row, runs=[float("nan")])]
    assert [one.verdict for one in rows] == ["ok", "missed", "missed"]
    assert [one.bounded(121).verdict for one in rows] == ["ok", "ok", "missed"]


def test_a_table_has_the_columns_that_something_is_in():
    lines = tables([KEPT, Row("of one run", [3], "s").against("a peer", 4)]).splitlines()
    assert [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in (lines[2], *lines[4:])
    ] == [
        ["what", "value", "least", "most", "unit", "bound", "verdict", "ratio", "of"],
        ["kept", "11", "9", "12", "images/s", "at least 11", "ok", "", ""],
        ["of one run", "3", "", "", "s", "", "", "0.75", "a peer"],
    ]
    assert tables([Row("alone", [3])]).splitlines()[2] == "| what  | value |"
