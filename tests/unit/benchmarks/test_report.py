"""What `benchmarks/queue.py` refuses, and what it says of a busy machine and of missed bounds."""

from dataclasses import replace

import click
import pytest
from click.testing import CliRunner

from benchmarks.suite.queue.command import main
from benchmarks.suite.queue.cpu import CpuUse
from benchmarks.suite.queue.fleet import Sample
from benchmarks.suite.queue.scale import jobs_needed
from benchmarks.suite.queue.scale_rows import CONNECT, Measured, scale_rows
from benchmarks.suite.report.machine import Machine, refuse_if_busy
from benchmarks.suite.report.report import Report, Row

IDLE = Machine(
    processor="made up",
    cores=4,
    load=2.0,
    python="3",
    postgresql="PostgreSQL 15",
    redis="Redis 7",
    celery="5",
    sqlalchemy="2",
    psycopg="3",
)
BUSY = replace(IDLE, load=2.01)


def test_half_a_load_per_core_is_the_most_that_is_measured_with():
    refuse_if_busy(IDLE)
    with pytest.raises(click.ClickException, match=r"is 2\.01: at most 2 is allowed on 4 cores"):
        refuse_if_busy(BUSY)


def test_a_busy_machine_marks_the_table():
    assert "BUSY" not in str(IDLE)
    assert str(BUSY).endswith("BUSY, the figures are not to be quoted")


@pytest.fixture
def busy(monkeypatch):
    """The machine is busy, so that nothing is measured."""
    monkeypatch.setattr("benchmarks.suite.queue.command.this_machine", lambda: BUSY)


@pytest.mark.usefixtures("busy")
def test_the_command_refuses_a_busy_machine_before_it_measures():
    ended = CliRunner().invoke(main, ["enqueue", "--jobs", "1"])
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "by --any-load" in ended.stderr


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ("lunch", "'lunch' is not one of"),
        ("--jobs 0", "'--jobs': 0 is not in the range"),
        ("--fleets 10,x", "'10,x': numbers from 1 to 1100 such as"),
        ("--fleets 0", "'0': numbers from 1 to 1100 such as"),
        ("--fleets 1101", "'1101': numbers from 1 to 1100 such as"),
        ("--seconds inf", "'--seconds': inf is not in the range"),
        ("--seconds 3600", "3600 s of 1,400 workers may take 103,601 jobs: at most 91,125"),
        ("--seed -1", "'--seed': -1 is not in the range"),
        ("--fault-every 0", "'--fault-every': 0.0 is not in the range"),
        ("--bound 3", "'3': NAME=NUMBER is allowed"),
        ("--bound speed=fast", "'speed=fast': NAME=NUMBER is allowed"),
        ("--bound speed=nan", "'speed=nan': NAME=NUMBER is allowed"),
        ("--json no/such.json", "there is no folder 'no'"),
    ],
)
def test_a_bad_argument_is_named_in_one_line(arguments, what):
    ended = CliRunner().invoke(main, arguments.split())
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("Error: ")]
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert what in line
    assert ended.stderr.endswith(f"{line}\n")


def test_a_figure_at_its_bound_passes_and_one_that_is_no_number_does_not():
    row = Row(part="enqueue", name="memory", value=120, unit="MB", bound=120)
    rows = [row, replace(row, value=120.1), replace(row, value=float("nan"))]
    report = Report(machine=IDLE, rows=rows, details={})
    assert [one.verdict for one in rows] == ["ok", "missed", "missed"]
    assert report.missed == rows[1:]
    assert [one.verdict for one in report.with_bounds({"memory": 121}).rows] == [
        "ok",
        "ok",
        "missed",
    ]


def test_a_fleet_that_did_nothing_has_rows_all_the_same():
    cpu = CpuUse(postmaster_s=0, server_s=1, clients_s=0, machine_s=1)
    probe = Sample(CONNECT, 5.0, 5.0, 5.001, False)
    idle = Measured(fleet=1, seconds=1, samples=[probe], cpu=cpu, memory_bytes=1)
    figures = {row.name: row.value for row in scale_rows([idle])}
    assert figures["transactions at 1"] == 0
    assert "begun late, p99 at 1" not in figures


def test_a_fleet_needs_the_jobs_that_its_workers_may_take():
    assert jobs_needed([100, 300], 30) == 400 * 2 + 1
    assert jobs_needed([100, 300], 45) == 400 * 3 + 1
