"""The reply to the COMMIT of a claim is lost: the claim finds what it has taken."""

import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from blox_store.store import Store
from blox_worker.job.outcome import Ending
from tests.support.job_runs import INDEX, execute, make_run, stored
from tests.support.lossy_proxy import CLAIM, lossy_proxy
from tests.support.servers import own_postgres
from tests.support.tiny import TINY


@contextmanager
def lossy_store():
    """Give a store in a PostgreSQL behind a proxy that loses the word of a claim, and the proxy."""
    with (
        own_postgres() as server,
        tempfile.TemporaryDirectory(prefix="blox-") as folder,
        lossy_proxy(Path(folder), server.folder, CLAIM) as proxy,
    ):
        url = make_url(server.url).update_query_dict({"host": folder})
        with Store(url.render_as_string(hide_password=False), migrate=True) as store:
            yield store, proxy


@pytest.mark.parametrize("index", [INDEX, None], ids=["named", "next due"])
def test_a_claim_whose_reply_is_lost_is_no_duplicate_and_no_attempt(worker, index):
    with lossy_store() as (store, proxy):
        run = make_run(store, replace(TINY, epochs=1), indices=(INDEX, INDEX + 1))
        outages = []
        outcome = execute(store, run, worker, index=index, on_outage=lambda: outages.append(1))
        assert (outcome.ending, outcome.arch_index) == (Ending.COMPLETED, INDEX)
        assert (proxy.cuts, outages) == (1, [1])
        assert [row.arch_index for row in stored(store, run)] == [INDEX]
        assert {job.attempts for job in store.jobs.matching(run.id)} == {0}
        assert {job.lease_left_s for job in store.jobs.matching(run.id)} == {None}
