"""A database that is restored from a backup: what it has forgotten is trained again, alike."""

import sqlite3
from contextlib import closing

import pytest

from blox_store.store import JobState, NoClaim
from blox_worker.job.outcome import Ending
from tests.support.job_runs import INDEX, assert_same_result, execute, make_run, stored


@pytest.fixture
def restore(store, tmp_path):
    """Make a run and a backup; return the run, and what restores the backup."""
    run = make_run(store)
    live, backup = tmp_path / "store.db", tmp_path / "backup.db"
    copy(live, backup)
    return run, lambda: copy(backup, live)


def copy(source, target):
    with closing(sqlite3.connect(source)) as taken, closing(sqlite3.connect(target)) as given:
        taken.backup(given)


def test_a_job_that_had_ended_since_the_backup_ends_alike(store, worker, undisturbed, restore):
    run, go_back = restore
    assert execute(store, run, worker).ending is Ending.COMPLETED

    go_back()

    assert store.jobs.counts(run.id)[JobState.PENDING] == 1
    assert execute(store, run, worker).ending is Ending.COMPLETED
    assert_same_result(stored(store, run)[0], undisturbed)


def test_a_training_that_the_backup_knows_nothing_of_is_not_lost(
    store, worker, undisturbed, restore
):
    run, go_back = restore
    outcome = execute(store, run, worker, on_epoch=lambda lease, report: go_back())
    assert outcome.ending is Ending.COMPLETED
    assert_same_result(stored(store, run)[0], undisturbed)
    assert execute(store, run, worker, index=INDEX) is NoClaim.ENDED
