"""A queue's workers that measure latencies."""

import pytest

from blox_store.store import JobState
from tests.support.cluster import cluster
from tests.support.latencies import QUICK, measurements
from tests.support.servers import own_postgres, own_redis


@pytest.mark.slow
def test_a_queue_gives_measurements_to_workers_of_their_device_alone(tmp_path):
    with (
        own_postgres() as postgres,
        own_redis() as redis,
        cluster(tmp_path, postgres, redis, postgres.url) as made,
    ):
        command = f"init-latency --device-name this-cpu --indices 3,5 {QUICK}"
        assert made.exit_code(made.start(command)) == 0
        run = made.store.runs.find(measured="this-cpu")
        trained = made.make_run(2, epochs=2)
        trainer = made.start("worker --gpus cpu")
        made.start("scheduler --measure this-cpu")

        def are_queued() -> bool:
            return made.store.jobs.counts(run.id)[JobState.QUEUED] == 2

        made.wait(are_queued, "both measurements to be queued")
        made.scheduler(trained)
        made.wait_until_ended(trained)
        assert are_queued()
        made.start("worker --gpus cpu --measure this-cpu")
        made.wait_until_ended(run)
        assert sorted(measurements(made.store, run.id)) == [3, 5]
        assert {job.state for job in made.store.jobs.matching(run.id)} == {JobState.SUCCEEDED}
        assert trainer.poll() is None
        made.stop()
