"""`blox init`, `train`, `status` and the exporter, one after the other, and their bad input."""

import re
import signal
import sqlite3

import psycopg
import pytest

import blox
from blox_core.recipe import preset
from blox_core.result.trainer_revision import TRAINER_REVISION
from blox_store.store import Store
from tests.support.results import claimed, made_up_result, made_up_run
from tests.support.servers import wait_until

EXPORT = "python -m blox_store.export"
VERIFY = "python -m blox_store.verify"
INGEST = "python -m blox_store.ingest"


def made_up_store(folder, *, finished=(3,), unfinished=(), seed=0, trainer="torch", name="blox.db"):
    """Make a store with a run of digits in which these jobs are finished."""
    with Store(f"sqlite:///{folder}/{name}", migrate=True) as store:
        store.static.add_architectures(
            preset("digits").shape, [(i, 10 * i, 20 * i) for i in range(10)]
        )
        run = made_up_run(store, seed=seed, indices=(*finished, *unfinished), trainer=trainer)
        for index in finished:
            store.results.complete(claimed(store, run, index), made_up_result(5))


@pytest.mark.slow
def test_a_run_is_made_trained_watched_and_exported(commands, tmp_path, postgres_url):
    database = f"--database {postgres_url}"
    made = commands.succeed(f"blox init --recipe digits --seed 4 --indices 18639 {database}")
    assert "made run 1: digits, recipe " in made
    assert "1 job added, 0 were there" in made
    again = commands.succeed(f"blox init --recipe digits --seed 4 --indices 18639 {database}")
    assert "found run 1" in again
    assert "0 jobs added, 1 was there" in again
    assert f"seed 4, trainer torch {TRAINER_REVISION}: 1 pending" in commands.succeed(
        f"blox status {database}"
    )

    trained = commands.succeed(f"blox train --local --device cpu {database}")
    assert "a18639 val " in trained
    assert "1 succeeded" in trained
    assert "1 succeeded" in commands.succeed(f"blox status {database}")
    exported = commands.succeed(f"{EXPORT} --out release --formats blox,csv {database}")
    assert "1 architectures in 8 files in release" in exported
    d = blox.from_folder(tmp_path / "release", include_env_info=True)
    assert d.val_acc(18639) >= 50
    with psycopg.connect(postgres_url) as connection:
        stored = connection.execute("SELECT test_top1, train_time_s FROM results").fetchone()
    assert d.test_acc(18639) == round(stored[0] / 250 * 100, 3)
    assert d.train_time(18639) == round(stored[1])


@pytest.mark.slow
def test_two_processes_share_a_run(commands, postgres_url):
    database = f"--database {postgres_url}"
    short = "--recipe digits --set epochs=3"
    commands.succeed(f"blox init {short} --seed 0 --indices 18639,19314 {database}")
    both = [commands.start(f"blox train --local --device cpu {database}") for _ in range(2)]
    printed = [process.communicate(timeout=280) for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    trained = [len(re.findall(r"^a\d+ val ", out, re.MULTILINE)) for out, _ in printed]
    assert trained == [1, 1]
    assert "2 succeeded" in commands.succeed(f"blox status {database}")


def test_a_training_that_is_asked_to_stop_gives_its_job_back(commands, tmp_path):
    commands.succeed("blox init --recipe digits --seed 0 --indices 18639")
    process = commands.start("blox train --local --device cpu")

    def running():
        with sqlite3.connect(f"file:{tmp_path}/blox.db?mode=ro", uri=True) as connection:
            return connection.execute("SELECT state FROM jobs").fetchall() == [("running",)]

    wait_until(running, "the job to run", 120)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert "a18639 stopped" in out
    assert "1 pending" in out
    assert "run the same command again to go on" in out


def test_status_shows_running_and_failed_jobs(commands, tmp_path):
    with Store(f"sqlite:///{tmp_path}/blox.db", migrate=True) as store:
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
    shown = commands.succeed("blox status")
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
    assert "(paused): 7 pending, 2 running, 1 failed" in commands.succeed("blox status --run 1")


def test_status_of_an_empty_store_says_what_to_do(commands):
    commands.succeed("blox migrate")
    assert "the store has no run; make one by 'blox init'" in commands.succeed("blox status")


def test_a_password_is_never_shown(commands, tmp_path):
    line = f"blox status --database postgresql://u:geheim@/db?host={tmp_path}"
    ended = commands.run(line)
    assert ended.code == 1
    assert "u:***@" in ended.err
    assert "geheim" not in ended.out + ended.err


def test_the_database_may_come_from_the_environment(commands, tmp_path):
    url = f"sqlite:///{tmp_path}/elsewhere.db"
    assert url in commands.succeed("blox migrate", BLOX_DATABASE_URL=url)
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
def test_bad_input_is_one_line_and_leaves_nothing_behind(commands, tmp_path, line, code, message):
    ended = commands.run(line)
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
def test_an_export_that_would_be_wrong_is_refused(commands, tmp_path, arguments, message):
    made_up_store(tmp_path, finished=(3,), unfinished=(4,))
    made_up_store(tmp_path, finished=(), unfinished=(4,), seed=1)
    ended = commands.run(f"{EXPORT} {arguments}")
    assert (ended.code, ended.out) == (1, "")
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "r").exists()
    partial = commands.succeed(f"{EXPORT} --out r --seed 0 --allow-partial --static all")
    assert "left out, unfinished: 4" in partial


def test_a_simulated_run_is_exported_only_as_one(commands, tmp_path):
    made_up_store(tmp_path, trainer="simulated")
    refused = commands.run(f"{EXPORT} --out r")
    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "made up by a simulation; choose a run of trainer torch by --run, or" in refused.err
    assert not (tmp_path / "r").exists()
    exported = commands.succeed(f"{EXPORT} --out r --simulated")
    assert "1 architectures in 12 files in r\nits figures are made up, as r/SIMULATED" in exported


def test_a_missing_data_set_is_one_line_and_no_attempt(commands, tmp_path):
    commands.succeed("blox init --recipe cifar100 --seed 0 --indices 3")
    ended = commands.run("blox train --local --device cpu --data-dir nowhere")
    assert ended.code == 1
    assert "nowhere" in ended.err
    assert "python -m blox_core.data cifar100" in ended.err
    assert ended.err.count("\n") == 1
    with sqlite3.connect(tmp_path / "blox.db") as connection:
        assert connection.execute("SELECT state, attempts FROM jobs").fetchall() == [("pending", 0)]


def test_an_unknown_revision_is_one_line(commands, tmp_path):
    made_up_store(tmp_path)
    with sqlite3.connect(tmp_path / "blox.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for line in ("blox status", "blox train --local", f"{EXPORT} --out r"):
        ended = commands.run(line)
        assert ended.code == 1
        assert "is at schema revision 9999, this version knows 0001, 0002, " in ended.err
        assert ended.err.count("\n") == 1


def test_a_device_that_is_not_there_is_one_line(commands, tmp_path):
    made_up_store(tmp_path, unfinished=(4,))
    ended = commands.run("blox train --local --device cuda:99")
    assert ended.code == 1
    assert "device 'cuda:99': this machine has cpu" in ended.err


def test_a_bad_setting_is_one_line(commands, tmp_path):
    made_up_store(tmp_path, unfinished=(4,))
    ended = commands.run("blox train --local", BLOX_LEASE_S="soon")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "BLOX_LEASE_S='soon'" in ended.err
