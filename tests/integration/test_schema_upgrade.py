"""A store of an earlier revision is brought to this one with all that is in it."""

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from blox_store.errors import SchemaMismatch
from blox_store.store import JobState, Store, WorkerFigures, schema
from blox_store.store.database import revision
from blox_store.store.database.database import Database
from tests.support.store_jobs import A, claim, fail, job

RUN = "INSERT INTO runs VALUES (1, 'digits', '{}', 'f', 0, 'torch', 1, false, 0)"
JOBS = (
    "INSERT INTO jobs VALUES (1, 3, 'succeeded', 0, 0, NULL, NULL, NULL, 0, 2, 'w', NULL, 0)",
    "INSERT INTO jobs VALUES (1, 4, 'failed', 0, 3, NULL, NULL, NULL, 0, 2, 'w', 'boom', 0)",
    "INSERT INTO jobs VALUES (1, 5, 'running', 0, 1, NULL, 'old', 9, 0, 0, 'w', NULL, 0)",
    "INSERT INTO jobs VALUES (1, 6, 'pending', 0, 1, NULL, NULL, NULL, 0, 0, 'w', 'boom', 0)",
)
RESULT = (
    "INSERT INTO results "
    "VALUES (1, 3, 't', 'w', 1, 'diverged', 0, NULL, NULL, NULL, NULL, 1, 1, :no_curves, 0)"
)


@pytest.fixture
def old_url(database_url):
    """URL of a store of revision 0001 with a run, jobs in every state and a result."""
    database = Database(database_url)
    with database.write() as connection:
        config = revision._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in (RUN, *JOBS, "INSERT INTO environments VALUES (1, 'f', '{}')"):
            connection.execute(text(statement))
        connection.execute(text(RESULT), {"no_curves": b""})
    database.close()
    return database_url


def test_the_current_revision_is_that_of_the_last_migration():
    assert ScriptDirectory.from_config(revision._config()).get_current_head() == revision.CURRENT


def test_an_older_store_is_refused_until_it_is_migrated(old_url):
    message = rf"revision 0001, .* needs {revision.CURRENT}; run 'blox migrate'"
    with pytest.raises(SchemaMismatch, match=message):
        Store(old_url)
    Store(old_url, migrate=True).close()
    Store(old_url).close()


def test_the_upgraded_tables_are_those_of_the_code(old_url):
    Store(old_url, migrate=True).close()
    database = Database(old_url)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    database.close()


def test_what_was_in_an_older_store_goes_on(old_url):
    with Store(old_url, migrate=True) as store:
        run = store.runs.find()
        counts = store.jobs.counts(run.id)
        assert [counts[state] for state in JobState] == [1, 0, 1, 1, 0, 1]
        with store.snapshot() as snapshot:
            assert [row.arch_index for row in snapshot.result_rows(run.id)] == [3]
        assert job(store, run, 4).error == "boom"
        assert (job(store, run, 4).avoid, store.jobs.attempts(run.id, 4)) == (None, [])
        assert fail(store, run, 6, worker=A) is JobState.FAILED  # the attempts of old count
        (reaped,) = store.jobs.reap(max_attempts=2)
        assert (reaped.arch_index, reaped.state) == (5, JobState.FAILED)
        assert store.jobs.retry(run.id) == [4, 5, 6]
        assert claim(store, run, 4).attempts == 0


def test_workers_of_a_store_of_revision_0002_have_measured_nothing(database_url):
    database = Database(database_url)
    with database.write() as connection:
        config = revision._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        connection.execute(
            text(
                "INSERT INTO workers (name, host, started_s, seen_s, faults) "
                "VALUES ('gpu0@here', 'here', 9e9, 9e9, 2)"
            )
        )
    database.close()
    with Store(database_url, migrate=True) as store:
        (worker,) = store.workers.all()
        assert (worker.name, worker.faults) == ("gpu0@here", 2)
        assert worker.figures == WorkerFigures()


def test_every_store_gets_an_identity_of_its_own(old_url, tmp_path):
    with (
        Store(old_url, migrate=True) as store,
        Store(f"sqlite:///{tmp_path}/other.db", migrate=True) as other,
    ):
        assert len(store.id) == len(other.id) == 32
        assert store.id != other.id
