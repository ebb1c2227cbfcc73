"""What the version of 29 November 2026 (commit c95f324) made is read by this one."""

import gzip
import json
import pickle
import shutil
from dataclasses import asdict

import pytest

import blox
from blox_core.checkpoint.checkpoint import load_checkpoint
from blox_core.checkpoint.identity import CheckpointIdentity
from blox_store.command_line import run
from blox_store.dataset import Ranked
from blox_store.dataset.lazy_file import _stamp
from blox_store.export.command import command as export
from blox_store.store import JobState, Store
from blox_store.verify.verification import verify
from tests.conftest import ASSETS
from tests.support import synthetic

MADE = ASSETS / "made-at-c95f324"
EXPECTED = json.loads((MADE / "expected.json").read_text())


@pytest.fixture
def database(tmp_path):
    """Return the URL of a copy of the store, at this version's schema."""
    shutil.copy(MADE / "store.db", tmp_path)
    url = f"sqlite:///{tmp_path}/store.db"
    with Store(url, migrate=True):
        return url


def test_a_store_tells_its_runs_and_their_jobs(database):
    with Store(database) as store:
        succeeded = [
            (str(run), store.jobs.counts(run.id)[JobState.SUCCEEDED]) for run in store.runs.all()
        ]
    assert succeeded == [
        ("run 1: digits, recipe 017d9b62, seed 0, trainer torch 3", 2),
        ("run 2: cifar100, recipe 745d2880, seed 1, trainer simulated 1", 2),
        ("run 3: latency on a-cpu, protocol cfa1a260", 1),
    ]


def test_a_store_gives_the_release_that_it_gave(database, tmp_path):
    out = tmp_path / "release"
    arguments = ["--database", database, "--run", "1", "--out", str(out)]
    assert run(export, "export", [*arguments, "--formats", "blox,csv,pickle"]) == 0
    made = sorted(path.name for path in MADE.glob("release/blox-*"))
    assert sorted(path.name for path in out.glob("blox-*")) == made
    for name in made:
        assert (out / name).read_bytes() == (MADE / "release" / name).read_bytes(), name


def test_a_release_is_whole(tmp_path):
    assert not verify(MADE / "release").faults


def test_a_pickled_data_set_answers_from_its_files():
    release = pickle.loads((MADE / "dataset.pickle").read_bytes())
    for file in files_of(release):  # a pickle knows them by path and inode, and they were elsewhere
        assert str(file.path.parent) == "/tmp/fx/release"
        file.path = MADE / "release" / file.path.name
        file._opened = _stamp(file.path)
    assert_answers(release)


def test_a_pickled_data_set_that_was_loaded_answers_without_its_files():
    release = pickle.loads(gzip.decompress((MADE / "loaded-dataset.pickle.gz").read_bytes()))
    assert all(not file.path.exists() for file in files_of(release))
    assert_answers(release)


def files_of(release):
    """Return the files of all kinds that a data set has opened."""
    training = release._training
    groups = [training.base, training.ext, release.bench_info, release.static_info]
    return [file for group in [*groups, release.env_info] for file in group.files.values()]


def assert_answers(release):
    assert isinstance(release, blox.dataset.Dataset)
    answers = {str(index): release.full_info(int(index)) for index in release.indices}
    assert json.loads(json.dumps(answers)) == EXPECTED["dataset"]


def test_a_pickled_ranking_is_read():
    best = pickle.loads((MADE / "best.pickle").read_bytes())
    assert isinstance(best, Ranked)
    assert (best.indices.tolist(), best.values.tolist()) == ([18639, 0], [15.0, 10.0])


def test_a_training_goes_on_from_its_checkpoint():
    expected = EXPECTED["checkpoint"]
    identity = CheckpointIdentity(**expected["identity"])
    checkpoint = load_checkpoint(MADE / "training.checkpoint", identity)
    assert [asdict(epoch) for epoch in checkpoint.epochs] == expected["epochs"]
    observer = synthetic.Observer()
    result = synthetic.run(checkpoint=checkpoint, on_epoch=observer)
    assert [report.epoch for report in observer.reports] == [3]
    assert result.curves.train_loss[:2].tolist() == [
        epoch["train"]["loss"] for epoch in expected["epochs"]
    ]
