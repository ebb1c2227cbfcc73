"""A job that fails everywhere: it ends as failed with its traceback, alone, and can be retried."""

import pytest

from blox_store.store import JobState

POISON = 2


@pytest.mark.parametrize("gpus", ["0", "0,1"])
def test_a_poison_job_fails_alone_and_is_retried(cluster, gpus):
    run = cluster.make_run()
    cluster.scheduler(run)
    cluster.launcher(gpus, BLOX_SIMULATED_FAILURES=str(POISON))
    cluster.wait_until_ended(run)
    cluster.stop()
    states = [job.state for job in cluster.store.jobs.matching(run.id)]
    assert states == [
        JobState.FAILED if index == POISON else JobState.SUCCEEDED for index in range(4)
    ]
    check_attempts(cluster, run, workers=len(gpus.split(",")))

    retry = cluster.start(f"retry {POISON}")
    assert cluster.exit_code(retry) == 0, cluster.printed()
    cluster.scheduler(run)
    cluster.launcher(gpus)
    cluster.finish(run)


def check_attempts(cluster, run, *, workers):
    """Check that the job had all its attempts, on so many workers, and that it is known why."""
    attempts = cluster.store.jobs.attempts(run.id, POISON)
    assert len(attempts) == 3
    assert {attempt.kind for attempt in attempts} == {"SimulatedFailure"}
    assert len({attempt.worker for attempt in attempts}) == workers
    failed = cluster.job(run, POISON)
    assert failed.attempts == 3
    assert "Traceback" in failed.error
    assert "as BLOX_SIMULATED_FAILURES says" in failed.error
    assert cluster.store.jobs.failures(run.id) == {"SimulatedFailure": 3}
