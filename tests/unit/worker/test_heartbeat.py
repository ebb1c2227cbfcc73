from blox_store.errors import LeaseLost, StoreUnavailable
from blox_store.store import Lease
from blox_worker.job.heartbeat import Heartbeat
from tests.support.servers import wait_until

LEASE = Lease(run_id=1, arch_index=2, token="t", worker="w", duration_s=60, attempts=0, epoch=0)


class ScriptedJobs:
    """Answers heartbeats from a list of errors, with success once it is used up."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.epochs = []

    @property
    def jobs(self):
        """Stand in for a store too."""
        return self

    def heartbeat(self, lease, epoch):
        """Record the epoch and raise the next error."""
        assert lease is LEASE
        self.epochs.append(epoch)
        if self.errors:
            raise self.errors.pop(0)


def test_it_beats_until_the_block_ends():
    jobs = ScriptedJobs()
    with Heartbeat(jobs, LEASE, every_s=0.01) as heartbeat:
        wait_until(lambda: len(jobs.epochs) > 1, "two heartbeats")
        heartbeat.epoch = 7
        wait_until(lambda: jobs.epochs[-1] == 7, "the epoch to be reported")
        assert not heartbeat.lost
    assert not heartbeat._thread.is_alive()


def test_an_outage_is_waited_out(caplog):
    jobs = ScriptedJobs(StoreUnavailable("gone"), StoreUnavailable("still gone"))
    missed = []
    with Heartbeat(jobs, LEASE, every_s=0.01, on_outage=lambda: missed.append(1)) as heartbeat:
        wait_until(lambda: len(jobs.epochs) > 3, "heartbeats after the outage")
        assert not heartbeat.lost
    assert len(missed) == 2
    assert "no heartbeat: still gone" in caplog.text


def test_a_lost_lease_ends_it():
    jobs = ScriptedJobs(LeaseLost("taken over"))
    with Heartbeat(jobs, LEASE, every_s=0.01) as heartbeat:
        wait_until(lambda: heartbeat.lost, "the loss")
        heartbeat._thread.join(timeout=10)
        assert jobs.epochs == [0]


def test_its_thread_does_not_keep_a_process_alive():
    assert Heartbeat(ScriptedJobs(), LEASE, every_s=1)._thread.daemon
