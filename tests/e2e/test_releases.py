"""Releases: cut while workers write, by an exporter that is killed, checked, and taken in again."""

import random
import re
import shutil
import subprocess
from contextlib import suppress

import pytest

import blox
from blox_core.recipe import preset
from blox_core.simulation import SIMULATED, simulated_result
from blox_core.space import Architecture
from blox_store.store import JobState, Store
from blox_store.verify.verification import verify
from tests.support.releases import SHAPE, contents
from tests.support.results import claimed, made_up_run
from tests.support.servers import wait_until

EXPORT = "python -m blox_store.export --simulated --out release"
JOBS = 200
KILLS = 6
WORKERS = 2


def simulated_store(url, jobs):
    """Open a store with a simulated run of the first architectures."""
    store = Store(url, migrate=True)
    store.static.add_architectures(SHAPE, [(index, 1 + index, 2) for index in range(jobs)])
    return store, made_up_run(store, indices=range(jobs), trainer=SIMULATED)


def train(store, run, indices):
    for index in indices:
        result = simulated_result(Architecture(index), preset("digits"), run.seed)
        store.results.complete(claimed(store, run, index), result)


def assert_as_simulated(folder):
    """Every figure of the release is that of the simulation."""
    d = blox.from_folder(folder, extended=True, include_static_info=True, include_env_info=True)
    for index in d.indices:
        result = simulated_result(Architecture(int(index)), preset("digits"), 0)
        info = d.full_info(int(index))
        correct = result.curves.val_top1.tolist()
        assert info["val_top1"] == [round(count / 250 * 100, 3) for count in correct]
        assert info["train_loss"] == [round(loss, 6) for loss in result.curves.train_loss.tolist()]
        assert info["test_top1"] == round(result.test.top1 / 250 * 100, 3)
    return len(d.indices)


@pytest.mark.slow
def test_a_release_that_is_cut_while_workers_share_a_run(commands, typed, tmp_path, postgres_url):
    store, run = simulated_store(postgres_url, JOBS)
    settings = {"BLOX_DATABASE_URL": postgres_url, "BLOX_SIMULATED_EPOCH_S": "0"}
    workers = [
        commands.start("blox train --local --device cpu", **settings) for _ in range(WORKERS)
    ]

    def finished():
        return store.jobs.counts(run.id)[JobState.SUCCEEDED]

    with store:
        wait_until(lambda: finished() > 0, "the first result", 120)
        sizes = []
        while finished() < JOBS:
            typed.succeed(f"{EXPORT} --allow-partial --formats blox,csv", **settings)
            verified = verify(tmp_path / "release")
            assert verified.faults == ()
            sizes.append(verified.files[0].rows)
        printed = [worker.communicate(timeout=120) for worker in workers]
        assert [worker.returncode for worker in workers] == [0] * WORKERS, printed
        trained = [len(re.findall(r"^a\d+ val ", out, re.MULTILINE)) for out, _ in printed]
        assert (sum(trained), all(trained)) == (JOBS, True)
        assert sizes[0] < JOBS
        assert sizes == sorted(sizes)
        assert assert_as_simulated(tmp_path / "release") == sizes[-1]
    typed.succeed(f"{EXPORT} --formats blox,csv", **settings)
    assert verify(tmp_path / "release").faults == ()
    assert assert_as_simulated(tmp_path / "release") == JOBS


@pytest.mark.slow
def test_an_exporter_that_is_killed_leaves_a_release(commands, typed, tmp_path, own_store_url):
    release = tmp_path / "release"
    with simulated_store(own_store_url, 200)[0] as store:
        run = store.runs.find()
        train(store, run, range(100))
        typed.succeed(f"{EXPORT} --allow-partial")
        old = contents(release)
        train(store, run, range(100, 200))
    moments = random.Random(7)
    for _ in range(KILLS):
        exporter = commands.start(EXPORT)
        kill_while_it_writes(exporter, release, moments.uniform(0, 1))
        there = {name: data for name, data in contents(release).items() if name[0] != "."}
        faults = verify(release).faults
        if faults:
            assert "was interrupted while it replaced the files" in faults[0]
        elif there != old:
            break  # it was quicker than the kill
        else:
            assert len(blox.from_folder(release)) == 100
    typed.succeed(EXPORT)
    assert verify(release).faults == ()
    assert len(blox.from_folder(release)) == 200
    assert [path for path in release.iterdir() if path.name[0] == "."] == []


def kill_while_it_writes(exporter, release, after_s):
    """Kill an exporter that has begun to write for so long, unless it has ended before."""
    wait_until(
        lambda: any(release.glob(".export-*/*")) or exporter.poll() is not None, "files to appear"
    )
    with suppress(subprocess.TimeoutExpired):
        exporter.wait(after_s)
    exporter.kill()
    exporter.communicate()


def test_the_demos_release_and_damaged_copies_of_it(commands, demo, tmp_path):
    folder, _ = demo
    shutil.copytree(folder / "release", tmp_path / "release")
    printed = commands.succeed("python -m blox_store.verify release")
    assert "release: 20 files, no fault; as its manifest says" in printed
    assert "blox-ext-0.csv: 2 rows, " in printed
    path = tmp_path / "release" / "blox-ext-0.blox"
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(data)
    (tmp_path / "release" / "blox-env-0.csv").unlink()
    ended = commands.run("python -m blox_store.verify release")
    assert ended.code == 1
    lines = ended.err.splitlines()
    assert [line for line in lines if "blox-ext-0.blox has SHA-256" in line]
    assert [line for line in lines if "blox-env-0.csv is in manifest.json, and no file" in line]
    assert all(line.startswith("release: ") for line in lines)
    assert "no fault" not in ended.out


def test_a_lab_goes_on_from_a_release(commands, typed, demo, tmp_path):
    folder, _ = demo
    shutil.copytree(folder / "release", tmp_path / "release")
    for ingested in (commands, typed):
        printed = ingested.succeed("python -m blox_store.ingest release")
    assert "run 1: digits, recipe " in printed
    assert ": 0 results added, 2 were there" in printed
    assert "2 succeeded" in typed.succeed("blox status")
    typed.succeed("python -m blox_store.export --out again --formats blox,csv,pickle,parquet")
    published, again = contents(tmp_path / "release"), contents(tmp_path / "again")
    assert again == published


@pytest.mark.parametrize("options", ["", "--recipe cifar100"])
def test_a_release_that_does_not_say_how_it_was_trained(typed, demo, tmp_path, options):
    folder, _ = demo
    shutil.copytree(folder / "release", tmp_path / "release")
    (tmp_path / "release" / "manifest.json").unlink()
    ended = typed(f"python -m blox_store.ingest release {options}")
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert not (tmp_path / "blox.db").exists()
