"""The demo: trained, released, queried; interrupted and killed in mid-epoch."""

import json
import re
import signal
import sqlite3
from pathlib import Path

import pytest

import blox
from blox_store.release.names import ALL_FORMATS
from blox_worker.demo import DEMO_INDICES
from tests.support.servers import wait_until

ROOT = Path(__file__).parents[2]
INTERRUPTED = "--architectures 1 --epochs 2"
FINISHED = re.compile(r"^a\d{5} val ", re.MULTILINE)


def jobs(folder):
    """The states and epochs of the jobs in the demo's store."""
    path = folder / "blox.db"
    if not path.exists():
        return []
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        try:
            return connection.execute(
                "SELECT state, epoch FROM jobs WHERE run_id = 1 ORDER BY 1"
            ).fetchall()
        except sqlite3.OperationalError:  # its tables are not made yet
            return []


def checkpoints(folder):
    return list((folder / "checkpoints").glob("*.checkpoint"))


def test_the_demo_trains_releases_and_queries(demo):
    folder, printed = demo
    assert len(FINISHED.findall(printed)) == 2
    assert "20 files in demo/release; all formats hold equal values" in printed
    for heading in ("index", "cells", "params", "FLOPs", "ms", "val %", "test %", "seconds"):
        assert heading in printed
    d = blox.from_folder(folder / "release", include_static_info=True)
    assert sorted(d.indices) == sorted(DEMO_INDICES[:2])
    for index in d.indices:
        assert f"{d.params(index):,}" in printed
        assert f"{d.val_acc(index):.2f}" in printed
    for extension in ALL_FORMATS:
        measured = blox.from_folder(folder / "release", preferred_ext=[extension])
        assert measured.devices == ["cpu"]
        ((latency_ms,),) = measured.latency(DEMO_INDICES[0])
        assert f"{latency_ms:.2f}" in printed


def results(folder):
    """Every figure of the release but the times, of training and of inference."""
    d = blox.from_folder(folder / "release", extended=True, include_static_info=True)
    infos = [d.full_info(index, devices=False) for index in sorted(d.indices)]
    return json.dumps([{**info, "train_time_s": None} for info in infos])


@pytest.mark.slow
def test_a_demo_that_was_interrupted_and_killed_goes_on_to_the_same_release(
    commands, typed, tmp_path
):
    line = f"blox demo --dir demo {INTERRUPTED}"
    folder = tmp_path / "demo"
    process = commands.start(line)
    wait_until(lambda: len(checkpoints(folder)) == 1, "the first epoch to end", 120)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "stopped; run the same command again to go on where it stopped" in out
    assert jobs(folder) == [("pending", 1)]
    assert not (folder / "release").exists()

    process = commands.start(line)
    wait_until(lambda: jobs(folder)[0][0] == "running", "the job to be claimed again", 120)
    process.kill()
    process.communicate()
    assert jobs(folder)[0][0] == "running"

    assert len(FINISHED.findall(commands.succeed(line))) == 1  # once the lease has run out
    assert jobs(folder) == [("succeeded", 2)]
    assert checkpoints(folder) == []
    typed.succeed(f"blox demo --dir undisturbed {INTERRUPTED}")
    assert results(folder) == results(tmp_path / "undisturbed")
    started_again_it_repeats_nothing(commands, folder)


def started_again_it_repeats_nothing(commands, folder):
    """`make demo`, and README's first command, are this."""
    before = (folder / "release" / "blox-ext-0.blox").read_bytes()
    line = f"make -C {ROOT} demo"
    printed = commands.succeed(line, DEMO_DIR=str(folder), DEMO_FLAGS=INTERRUPTED)
    assert "found run 1" in printed
    assert "1 of 1 jobs had ended before" in printed
    assert not FINISHED.search(printed)
    assert (folder / "release" / "blox-ext-0.blox").read_bytes() == before
