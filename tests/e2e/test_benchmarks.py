"""The commands of docs/reference/benchmarks.md run in a tiny form, and print, write and judge the same."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.suite.queue.fleet import Plan, processes
from benchmarks.suite.report.row import shown
from tests.support.commands import Commands

ROOT = Path(__file__).parents[2]
COMMAND = re.compile(r"`(python benchmarks/(?:queue|codec)\.py [^`]*)`")
SEED = 19189  # its first faults are those below
FAULTS = ("worker killed", "scheduler killed", "Redis killed", "PostgreSQL restarted")
TINY = {
    "enqueue": "--jobs 300",
    "scale": "--jobs 1000 --fleets 20 --seconds 1",
    "codec": "--architectures 100 --runs 1",
    "export": "--rows 10 --epochs 2",
    "soak": f"--jobs 300 --workers 2 --seed {SEED} --fault-every 0.3 --faults {len(FAULTS)}",
}


@pytest.fixture
def checkout():
    """Runs commands in the checkout."""
    made = Commands(ROOT)
    yield made
    made.end()


def documented():
    """Return the commands of docs/reference/benchmarks.md, by the part that each measures."""
    lines = COMMAND.findall((ROOT / "docs" / "reference" / "benchmarks.md").read_text())
    return {line.split()[2]: line for line in lines}


def measured(checkout, part, path):
    """Run the documented command of a part; return what it printed and wrote."""
    return checkout.succeed(short(part, path)), json.loads(path.read_text())


def short(part, path):
    """Return the documented command of a part in its tiny form, which writes to a file."""
    return f"{documented()[part]} {TINY[part]} --any-load --json {path}"


def assert_same_figures(printed, written):
    """Check that the tables have a line for each row of the JSON document, with its figures."""
    lines = [line.split("|")[1:-1] for line in printed.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    expected = [
        [
            row["name"],
            shown(row["value"]),
            row["unit"],
            "" if row["at_most"] is None else f"at most {shown(row['at_most'])}",
            row["verdict"],
            shown(row["ratio"]),
            row["peer"],
        ]
        for row in written["rows"]
    ]
    assert [line for line in cells if line[0] != "what" and set(line[0]) != {"-"}] == [
        [cell for cell in line if cell] for line in expected
    ]
    assert ("BUSY" in printed) == written["machine"]["busy"]


def test_every_documented_command_has_a_tiny_form():
    assert documented().keys() == TINY.keys()


@pytest.mark.slow
@pytest.mark.parametrize("part", ["scale", "codec", "export"])
def test_the_table_and_the_json_have_the_same_figures(checkout, tmp_path, part):
    printed, written = measured(checkout, part, tmp_path / "figures.json")
    assert_same_figures(printed, written)
    assert all(row["part"].startswith(part) for row in written["rows"])
    names = [row["name"] for row in written["rows"]]
    assert part != "scale" or any(name.startswith("heartbeat p99") for name in names), names


@pytest.mark.slow
def test_a_missed_bound_is_named_alone_and_written_all_the_same(checkout, tmp_path):
    path = tmp_path / "figures.json"
    ended = checkout.run(f"{short('enqueue', path)} --check --bound 'memory of a job=1'")
    written = json.loads(path.read_text())
    assert_same_figures(ended.out, written)
    assert all(row["part"].startswith("enqueue") for row in written["rows"])
    (row,) = [row for row in written["rows"] if row["verdict"] == "missed"]
    assert ended.code == 1
    assert ended.err == (
        f"Error: missed: enqueue: memory of a job is {shown(row['value'])} bytes, "
        "at most 1 is allowed\n"
    )


@pytest.mark.slow
def test_a_soak_loses_nothing_and_reports_its_faults(checkout, tmp_path):
    printed, written = measured(checkout, "soak", tmp_path / "figures.json")
    assert_same_figures(printed, written)
    assert f"seed={SEED}" in printed.splitlines()[0]
    details = written["details"]["soak"]
    assert details["plan"]["seed"] == SEED
    figures = {row["name"]: row["value"] for row in written["rows"]}
    for name in ("lost jobs", "duplicated results", "differing results"):
        assert figures[name] == 0, name
    assert figures["looks at blox status"] == len(details["looks"]) > 0
    assert figures["looks that disagree with SQL"] == 0
    assert [recovery["fault"]["name"] for recovery in details["recoveries"]] == list(FAULTS)
    for name in FAULTS:
        assert figures[f"fault: {name}"] == 1
        assert figures[f"{name}: next result, most"] > 0


def test_a_fleet_does_not_wait_for_a_process_that_has_died(tmp_path):
    plan = Plan(url=f"sqlite:///{tmp_path}/none.db", run_id=1, leases=[], fleet=1, duration_s=1)
    with pytest.raises(EOFError), processes([plan]):
        pass
