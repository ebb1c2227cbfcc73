"""A real training that is killed twice ends as if nothing had happened."""

import random
import secrets
import subprocess
from dataclasses import replace

import pytest

from blox_core.checkpoint.checkpoint import load_checkpoint
from blox_core.space import Architecture
from blox_core.training import training_identity
from blox_store.release.names import scan_folder
from blox_store.release.reader import read_table
from blox_store.store import JobState, Store
from tests.support.servers import wait_until
from tests.support.tiny import TINY, init_options

INDEX = 18639
KILLS = 2
MOST_EPOCHS = 5  # that one attempt gets before it is killed
EPOCHS = 2 * KILLS * MOST_EPOCHS
LONGEST_EPOCH_S = 50.0
RECIPE = replace(TINY, epochs=EPOCHS)
INIT = f"blox init --recipe digits --seed 0 --indices {INDEX} {init_options(RECIPE)}"
TRAIN = "blox train --local --device cpu"
EXPORT = "python -m blox_store.export --out release"
# A kill before the first epoch of an attempt counts: a job that kills its process must end.
SETTINGS = {
    "BLOX_LEASE_S": "2",
    "BLOX_HEARTBEAT_S": "0.5",
    "BLOX_CHECKPOINT_EVERY_S": "0",
    "BLOX_MAX_ATTEMPTS": str(KILLS + 1),
}


@pytest.fixture
def undisturbed(typed, tmp_path_factory, monkeypatch):
    """The folder of a run that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        for line in (INIT, TRAIN, EXPORT):
            typed.succeed(line)
    return folder


def lease_token(folder):
    with Store(f"sqlite:///{folder}/blox.db") as store, store._database.read() as connection:
        return connection.exec_driver_sql("SELECT lease_token FROM jobs").scalar_one()


def kill_at_a_random_moment(commands, moments, epoch_s):
    """Start the training, and kill it in, before or after some epoch or while that is written."""
    folder = commands.folder
    before, kept = lease_token(folder), len(kept_epochs(folder))
    process = commands.start(TRAIN, **SETTINGS)
    wait_until(lambda: lease_token(folder) not in (before, None), "the job to be claimed", 120)
    epochs = kept + moments.randint(0, MOST_EPOCHS)
    wait_until(lambda: len(kept_epochs(folder)) >= epochs, f"{epochs} epochs", 120)
    with pytest.raises(subprocess.TimeoutExpired):  # it does not end by itself before
        process.wait(moments.uniform(0, epoch_s))
    process.kill()
    process.communicate()


def kept_epochs(folder):
    """The metrics of the epochs in the furthest checkpoint."""
    identity = training_identity(Architecture(INDEX), RECIPE, 0, "cpu")
    found = [load_checkpoint(path, identity) for path in folder.glob("checkpoints/*.checkpoint")]
    return max((checkpoint.epochs for checkpoint in found), key=len, default=())


@pytest.mark.slow
def test_kills_change_nothing_but_the_training_time(commands, typed, tmp_path, undisturbed):
    seed = secrets.randbelow(2**32)
    moments = random.Random(seed)
    typed.succeed(INIT)
    kept = ()
    for _ in range(KILLS):
        kill_at_a_random_moment(commands, moments, train_time_s(undisturbed) / EPOCHS)
        now_kept = kept_epochs(tmp_path)
        assert now_kept[: len(kept)] == kept, f"seed {seed}: a kept epoch was trained again"
        kept = now_kept
    printed = commands.succeed(TRAIN, **SETTINGS)
    assert f"a{INDEX} val " in printed, f"seed {seed}"
    typed.succeed(EXPORT)

    assert stored(tmp_path) == stored(undisturbed), f"seed {seed}"
    assert release(tmp_path) == release(undisturbed), f"seed {seed}"
    spent = [epoch.seconds for epoch in kept]
    rest = train_time_s(tmp_path) - sum(spent)
    left = EPOCHS - len(spent)
    assert 0.2 * left * min(spent, default=0) < rest < LONGEST_EPOCH_S * left, f"seed {seed}"


def stored(folder):
    """The whole row of the result but for when, where and under which lease it was made."""
    with Store(f"sqlite:///{folder}/blox.db") as store, store._database.read() as connection:
        assert store.jobs.counts(1)[JobState.SUCCEEDED] == 1
        (row,) = connection.exec_driver_sql("SELECT * FROM results").mappings()
    differing = ("lease_token", "worker", "train_time_s", "finished_s")
    return {name: value for name, value in row.items() if name not in differing}


def train_time_s(folder):
    with Store(f"sqlite:///{folder}/blox.db") as store, store.snapshot() as snapshot:
        (row,) = snapshot.result_rows(1)
        return row.train_time_s


def release(folder):
    """Every column of every file of the release but the training time."""
    found = {}
    for file in scan_folder(folder / "release"):
        table = read_table(file.path, allow_pickle=True)
        columns = {name: list(column.values()) for name, column in table.columns.items()}
        columns.pop("train_time_s", None)
        found[file.path.name] = (table.header, columns)
    assert len(found) == 4 * 3  # base, ext, env and info, in three formats
    return found
