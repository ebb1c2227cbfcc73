"""`blox status`, `blox migrate` and the exporter, and bad input to every program, in this process."""

import sqlite3

import pytest

from blox_core.recipe import preset
from blox_store.store import Store
from tests.support.results import claimed, made_up_result, made_up_run
from tests.support.servers import wait_until

EXPORT = "python -m blox_store.export"
VERIFY = "python -m blox_store.verify"
INGEST = "python -m blox_store.ingest"


def add_run(url, *, finished=(3,), unfinished=(), seed=0, trainer="torch"):
    """Add a run of digits in which these jobs are finished."""
    with Store(url) as store:
        store.static.add_architectures(
            preset("digits").shape, [(i, 10 * i, 20 * i) for i in range(10)]
        )
        run = made_up_run(store, seed=seed, indices=(*finished, *unfinished), trainer=trainer)
        for index in finished:
            store.results.complete(claimed(store, run, index), made_up_result(5))


def test_status_shows_running_and_failed_jobs(typed, own_store_url):
    with Store(own_store_url) as store:
        run = made_up_run(store, indices=range(10))
        claimed(store, run, 3)
        claimed(store, run, 4, lease_s=0.001)
        store.jobs.fail(
            claimed(store, run, 5),
            "Trace\nBoom: x in [/data]",
            kind="Boom",
            max_attempts=1,
            backoff_s=0,
        )
        store.runs.set_paused(run.id, True)
        wait_until(lambda: store.jobs.matching(run.id)[4].lease_left_s < 0, "the lease to expire")
    shown = typed.succeed("blox status")
    assert "(paused): 7 pending, 2 running, 1 failed" in shown
    for text in (
        "a00003",
        "somebody",
        "0/5",
        "s",
        "a00004",
        "expired",
        "a00005",
        "Boom: x in [/data]",
    ):
        assert text in shown
    assert "(paused): 7 pending, 2 running, 1 failed" in typed.succeed("blox status --run 1")


def test_status_of_an_empty_store_says_what_to_do(typed):
    typed.succeed("blox migrate")
    assert "the store has no run; make one by 'blox init'" in typed.succeed("blox status")


def test_a_password_is_never_shown(typed, tmp_path):
    line = f"blox status --database postgresql://u:geheim@/db?host={tmp_path}"
    ended = typed(line)
    assert ended.code == 1
    assert "u:***@" in ended.err
    assert "geheim" not in ended.out + ended.err


def test_the_database_may_come_from_the_environment(typed, tmp_path):
    url = f"sqlite:///{tmp_path}/elsewhere.db"
    assert url in typed.succeed("blox migrate", BLOX_DATABASE_URL=url)
    assert (tmp_path / "elsewhere.db").exists()


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("blox train", 2, "Missing option '--local'"),
        ("blox init --seed 0", 2, "Missing option '--recipe'"),
        ("blox init --recipe imagenet --seed 0", 2, "'imagenet'"),
        ("blox init --recipe digits --seed 0 --set lr=0", 2, "lr = 0: a float above 0 is allowed"),
        ("blox init --recipe digits --seed -1", 2, "-1 is not in the range"),
        ("blox init --recipe digits --seed 0 --indices 91125", 2, "arch indices from 0 to 91124"),
        ("blox init --recipe digits --seed 0 --indices a-b", 2, "must be arch indices such as"),
        ("blox init --recipe digits --seed 0 --trainer x", 2, "'x' is not one of 'torch', 'sim"),
        ("blox init --recipe digits --seed 0 --priority 10", 2, "10 is not in the range 0<=x<=9"),
        ("blox train --local", 1, "holds no Blox store; make one by 'blox init'"),
        ("blox status", 1, "holds no Blox store; make one by 'blox init'"),
        ("blox scheduler", 1, "holds no Blox store; make one by 'blox init'"),
        ("blox worker --gpus cpu", 1, "holds no Blox store; make one by 'blox init'"),
        ("blox status --database nonsense", 1, "the database URL cannot be read; sqlite:///PATH"),
        ("blox migrate --database sqlite:////none/x.db", 1, "unable to open database file"),
        ("blox demo --dir d --architectures 9", 2, "9 is not in the range 1<=x<=8"),
        ("blox demo --dir d --epochs 0", 2, "0 is not in the range"),
        ("blox health", 1, "holds no Blox store; make one by 'blox init'"),
        ("blox health gpu", 2, "'gpu' is not one of 'store', 'scheduler', 'worker'"),
        ("blox nonsense", 2, "No such command 'nonsense'"),
        (EXPORT, 2, "Missing option '--out'"),
        (
            f"{EXPORT} --out r --formats xml",
            2,
            "format 'xml': blox, csv, pickle, parquet are allowed",
        ),
        (f"{EXPORT} --out r", 1, "holds no Blox store"),
        (f"{EXPORT} --out r --start 7 --stop 7", 2, "the former has to be smaller"),
        (f"{VERIFY} nowhere", 1, "no release folder nowhere"),
        (f"{INGEST} nowhere", 1, "no release folder nowhere"),
        ("blox show 91125", 2, "arch index 91125: an integer from 0 to 91124 is allowed"),
        ("blox show 7 --release nowhere", 1, "no release folder nowhere"),
        ("blox show 7 --database sqlite:///none.db", 1, "holds no Blox store"),
        ("blox report nowhere", 1, "no release folder nowhere"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing_behind(typed, tmp_path, line, code, message):
    ended = typed(line)
    assert ended.code == code, ended
    assert message in ended.err
    assert ended.err.count("\n") == 1, ended.err
    assert ended.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--out r", "several runs fit, choose one by --run ID: run 1: digits, recipe "),
        ("--out r --seed 7", "no run with seed 7; the store has run 1: "),
        ("--out r --run 2", "none of its 1 jobs has finished, so there is nothing to export"),
        ("--out r --run 1", "1 of its 2 jobs are unfinished; train them, or export the rest by"),
    ],
)
def test_an_export_that_would_be_wrong_is_refused(
    typed, tmp_path, own_store_url, arguments, message
):
    add_run(own_store_url, finished=(3,), unfinished=(4,))
    add_run(own_store_url, finished=(), unfinished=(4,), seed=1)
    ended = typed(f"{EXPORT} {arguments}")
    assert (ended.code, ended.out) == (1, "")
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "r").exists()


@pytest.mark.slow  # all 91,125 architectures: 3 s
def test_a_part_of_a_run_is_exported_if_that_is_allowed(typed, own_store_url):
    add_run(own_store_url, finished=(3,), unfinished=(4,))
    add_run(own_store_url, finished=(), unfinished=(4,), seed=1)
    partial = typed.succeed(f"{EXPORT} --out r --seed 0 --allow-partial --static all")
    assert "left out, unfinished: 4" in partial


def test_a_simulated_run_is_exported_only_as_one(typed, tmp_path, own_store_url):
    add_run(own_store_url, trainer="simulated")
    refused = typed(f"{EXPORT} --out r")
    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "made up by a simulation; choose a run of trainer torch by --run, or" in refused.err
    assert not (tmp_path / "r").exists()
    exported = typed.succeed(f"{EXPORT} --out r --simulated")
    assert "1 architectures in 12 files in r\nits figures are made up, as r/SIMULATED" in exported


def test_a_missing_data_set_is_one_line_and_no_attempt(typed, tmp_path):
    typed.succeed("blox init --recipe cifar100 --seed 0 --indices 3")
    ended = typed("blox train --local --device cpu --data-dir nowhere")
    assert ended.code == 1
    assert "nowhere" in ended.err
    assert "python -m blox_core.data cifar100" in ended.err
    assert ended.err.count("\n") == 1
    with sqlite3.connect(tmp_path / "blox.db") as connection:
        assert connection.execute("SELECT state, attempts FROM jobs").fetchall() == [("pending", 0)]


def test_an_unknown_revision_is_one_line(typed, tmp_path, own_store_url):
    add_run(own_store_url)
    with sqlite3.connect(tmp_path / "blox.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for line in ("blox status", "blox train --local", f"{EXPORT} --out r"):
        ended = typed(line)
        assert ended.code == 1
        assert "is at schema revision 9999, this version knows 0001, 0002, " in ended.err
        assert ended.err.count("\n") == 1


def test_a_device_that_is_not_there_is_one_line(typed, own_store_url):
    add_run(own_store_url, unfinished=(4,))
    ended = typed("blox train --local --device cuda:99")
    assert ended.code == 1
    assert "device 'cuda:99': this machine has cpu" in ended.err


def test_a_bad_setting_is_one_line(typed, own_store_url):
    add_run(own_store_url, unfinished=(4,))
    ended = typed("blox train --local", BLOX_LEASE_S="soon")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "BLOX_LEASE_S='soon'" in ended.err


def test_a_bad_address_of_metrics_is_one_line(typed, own_store_url):
    for address, told in {
        "9540": "BLOX_METRICS_ADDRESS='9540': HOST:PORT is allowed, such as 127.0.0.1:9540",
        "203.0.113.1:9540": "metrics on 203.0.113.1:9540: Cannot assign requested address; give",
    }.items():
        ended = typed("blox scheduler", BLOX_METRICS_ADDRESS=address)
        assert (ended.code, len(ended.err.splitlines())) == (1, 1), ended.err
        assert told in ended.err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "FLOWER_BASIC_AUTH is not set: USER:PASSWORD in ASCII is required"),
        ({"FLOWER_BASIC_AUTH": "secret"}, "FLOWER_BASIC_AUTH is not of that form"),
        ({"FLOWER_BASIC_AUTH": "lab:pässword"}, "FLOWER_BASIC_AUTH is not of that form"),
        ({"FLOWER_BASIC_AUTH": "lab:secret,"}, "FLOWER_BASIC_AUTH is not of that form"),
    ],
)
def test_who_may_look_is_said_before_others_can(typed, given, told):
    ended = typed("blox flower --address 0.0.0.0", **given)
    assert (ended.code, told in ended.err, "secret" in ended.err) == (1, True, False), ended.err
    assert "to listen on 0.0.0.0; set it, or listen on 127.0.0.1 alone" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_a_folder_that_flower_cannot_write_to_is_one_line(typed, tmp_path):
    ended = typed("blox flower --db no/flower.db")
    assert (ended.code, len(ended.err.splitlines())) == (1, 1)
    assert f"--db: {tmp_path / 'no'} is no folder that can be written to" in ended.err
