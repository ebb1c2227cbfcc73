"""Deaths of workers and launchers: nothing is lost, nothing is done twice, nobody is left behind."""

import signal

import pytest

from blox_core.simulation import simulated_result
from blox_core.space import Architecture
from blox_store.store import JobState
from blox_worker.on_disk.checkpoints import job_stem
from blox_worker.on_disk.outbox import Outbox
from blox_worker.wording import name_of
from tests.support import faults
from tests.support.results import claimed

EPOCHS = 25
LONG_LEASE = {"BLOX_LEASE_S": "600"}  # whatever is given back was not waited for
KILLED_BY_SIGNAL = 128


def start_two_workers(cluster, **settings):
    """Return a run, the launcher of two workers, and the job that each of them trains."""
    run = cluster.make_run(3, epochs=EPOCHS)
    cluster.store.runs.set_paused(run.id, True)  # until both can take a job
    cluster.scheduler(run)
    launcher = cluster.launcher("0,1", **settings)
    cluster.wait_for_workers("gpu0", "gpu1")
    cluster.store.runs.set_paused(run.id, False)
    jobs = [cluster.wait_for_epoch(run, 1, of=worker) for worker in ("gpu0", "gpu1")]
    return run, launcher, jobs


def epochs_seen(cluster, run, index):
    """Return the epochs that a job is seen in until it has ended."""
    seen = []

    def has_ended():
        job = cluster.job(run, index)
        if job.state is JobState.RUNNING:
            seen.append(job.epoch)
        return job.state.ended

    cluster.wait(has_ended, f"job {index} to end")
    return seen


def ended_by(cluster, run):
    """Return the workers that have written results, by arch index."""
    with cluster.store.snapshot() as snapshot:
        return {row.arch_index: row.worker for row in snapshot.result_rows(run.id)}


def wait_until_given_back(cluster, run, index):
    def is_given_back():
        return cluster.job(run, index).state in (JobState.PENDING, JobState.QUEUED)

    cluster.wait(is_given_back, f"job {index} to be given back")


def has_expired(cluster, job):
    """Whether the scheduler has ended a lease of a job, which was not given back then."""
    attempt = job.attempts + 1
    said = (
        f"run {job.run_id} {name_of(job.arch_index)} attempt {attempt} on {job.worker}: lease exp"
    )
    return said in cluster.printed()


@pytest.mark.parametrize("end", [faults.kill, faults.quit_at_once], ids=["SIGKILL", "SIGQUIT"])
def test_a_worker_that_dies_is_started_again_and_its_job_goes_on(cluster, end):
    run = cluster.make_run(2, epochs=EPOCHS)
    cluster.scheduler(run)
    cluster.launcher()
    job = cluster.wait_for_epoch(run, 3)
    died = faults.process_of(cluster, job.worker)
    end(died)
    assert min(epochs_seen(cluster, run, job.arch_index)) >= job.epoch
    assert faults.process_of(cluster, job.worker).pid != died.pid
    cluster.finish(run)


def test_workers_whose_launcher_dies_stop_and_give_their_jobs_back(cluster):
    run, launcher, jobs = start_two_workers(cluster, **LONG_LEASE)
    faults.kill(launcher)
    for job in jobs:
        wait_until_given_back(cluster, run, job.arch_index)
    cluster.wait(lambda: not faults.worker_processes(cluster), "the workers to be gone")
    cluster.launcher("0,1")
    assert min(epochs_seen(cluster, run, jobs[0].arch_index)) >= jobs[0].epoch
    cluster.finish(run)


def test_workers_that_are_asked_to_stop_give_their_jobs_back_at_their_last_epoch(cluster):
    run, launcher, jobs = start_two_workers(cluster, **LONG_LEASE)
    faults.ask_to_stop(launcher)
    assert cluster.exit_code(launcher) == 0
    for job in jobs:
        left = cluster.job(run, job.arch_index)
        assert left.state in (JobState.PENDING, JobState.QUEUED)
        assert left.epoch >= job.epoch
    assert "ERROR" not in cluster.printed()
    assert "Traceback" not in cluster.printed()
    cluster.launcher("0,1")
    assert min(epochs_seen(cluster, run, jobs[0].arch_index)) >= jobs[0].epoch
    cluster.finish(run)


def test_the_second_request_to_stop_does_not_wait_and_the_lease_runs_out(cluster):
    run = cluster.make_run(2, epochs=EPOCHS)
    cluster.scheduler(run)
    launcher = cluster.launcher()
    job = cluster.wait_for_epoch(run, 1)
    worker = faults.process_of(cluster, job.worker)
    faults.freeze(worker)  # so that it cannot stop between the two requests
    for expected in (signal.SIGTERM, signal.SIGQUIT):
        faults.ask_to_stop(launcher)
        cluster.wait(
            lambda expected=expected: faults.has_yet_to_see(worker, expected), expected.name
        )
    faults.thaw(worker)
    assert cluster.exit_code(launcher) == KILLED_BY_SIGNAL + signal.SIGTERM
    cluster.launcher()
    assert min(epochs_seen(cluster, run, job.arch_index)) >= job.epoch
    assert has_expired(cluster, job)
    cluster.finish(run)


def test_a_launcher_that_is_told_to_quit_does_not_wait(cluster):
    run, launcher, jobs = start_two_workers(cluster)
    faults.quit_at_once(launcher)
    assert cluster.exit_code(launcher) == KILLED_BY_SIGNAL + signal.SIGQUIT
    cluster.launcher("0,1")
    cluster.wait_until_ended(run)
    assert all(has_expired(cluster, job) for job in jobs)
    cluster.finish(run)


@pytest.mark.parametrize("until", ["taken", "ended"])
def test_a_zombie_writes_nothing_of_the_job_that_it_has_lost(cluster, until):
    run, _, (job, _) = start_two_workers(cluster)
    zombie = faults.process_of(cluster, job.worker)
    faults.freeze(zombie)

    def is_anothers():
        now = cluster.job(run, job.arch_index)
        return now.state.ended or (until == "taken" and (now.worker or "").startswith("gpu1"))

    cluster.wait(is_anothers, f"the zombie's job to be {until}")
    cluster.store.runs.add_jobs(run.id, range(3, 6))
    cluster.scheduler(run)  # the first one has ended if the run had
    faults.thaw(zombie)
    cluster.wait_until_ended(run)
    workers = ended_by(cluster, run)
    assert workers[job.arch_index].startswith("gpu1")
    assert job.worker in {workers[index] for index in range(3, 6)}
    cluster.finish(run)


def test_what_dead_workers_have_left_goes_when_another_stops_or_starts(cluster):
    run = cluster.make_run(1)
    cluster.scheduler(run)
    launcher = cluster.launcher()
    cluster.wait_until_ended(run)
    left = cluster.checkpoints / f"{job_stem(cluster.store.id, run.id, 0)}-dead.checkpoint"
    left.write_bytes(b"left by a worker that was killed after it had written the result")
    faults.ask_to_stop(launcher)
    assert cluster.exit_code(launcher) == 0
    assert not left.exists()
    left.write_bytes(b"again")
    cluster.launcher()
    cluster.wait(lambda: not left.exists(), "what was left to be deleted")
    cluster.finish(run)


def test_a_kept_result_is_written_when_a_worker_starts_though_no_message_comes(cluster):
    run = cluster.make_run(1)
    lease = claimed(cluster.store, run, 0)
    cluster.checkpoints.mkdir()
    Outbox(cluster.checkpoints, cluster.store).keep(
        lease, simulated_result(Architecture(0), run.training_recipe, run.seed)
    )
    cluster.launcher()
    cluster.wait_until_ended(run)
    assert cluster.tokens(run) == {0: lease.token}
    cluster.finish(run)
