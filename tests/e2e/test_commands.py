"""`blox init`, `train`, `status` and the exporter, one after the other, and bad input to each program."""

import signal
import sqlite3

import psycopg
import pytest

import blox
from blox_core.result.trainer_revision import TRAINER_REVISION
from tests.support.servers import wait_until

EXPORT = "python -m blox_store.export"


@pytest.mark.slow
def test_a_run_is_made_trained_watched_and_exported(commands, typed, tmp_path, postgres_url):
    database = f"--database {postgres_url}"
    init = f"blox init --recipe digits --set epochs=2 --seed 4 --indices 18639 {database}"
    made = commands.succeed(init)
    assert "made run 1: digits, recipe " in made
    assert "1 job added, 0 were there" in made
    again = typed.succeed(init)
    assert "found run 1" in again
    assert "0 jobs added, 1 was there" in again
    assert f"seed 4, trainer torch {TRAINER_REVISION}: 1 pending" in typed.succeed(
        f"blox status {database}"
    )

    trained = commands.succeed(f"blox train --local --device cpu {database}")
    assert "a18639 val " in trained
    assert "1 succeeded" in trained
    assert "1 succeeded" in commands.succeed(f"blox status {database}")
    exported = typed.succeed(f"{EXPORT} --out release --formats blox,csv {database}")
    assert "1 architectures in 8 files in release" in exported
    d = blox.from_folder(tmp_path / "release", include_env_info=True)
    assert d.val_acc(18639) >= 50
    with psycopg.connect(postgres_url) as connection:
        stored = connection.execute("SELECT test_top1, train_time_s FROM results").fetchone()
    assert d.test_acc(18639) == round(stored[0] / 250 * 100, 3)
    assert d.train_time(18639) == round(stored[1])


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("blox status", 1, "holds no Blox store; make one by 'blox init'"),
        (EXPORT, 2, "Missing option '--out'"),
        ("python -m blox_store.verify nowhere", 1, "no release folder nowhere"),
        ("python -m blox_store.ingest nowhere", 1, "no release folder nowhere"),
    ],
)
def test_bad_input_to_a_program_is_one_line(commands, tmp_path, line, code, message):
    """What else is refused is typed in `tests/integration`."""
    ended = commands.run(line)
    assert (ended.code, ended.out) == (code, "")
    assert message in ended.err
    assert ended.err.count("\n") == 1, ended.err
    assert list(tmp_path.iterdir()) == []
