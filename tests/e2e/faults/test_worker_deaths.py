"""Deaths of workers and launchers: nothing is lost, nothing is done twice, nobody is left behind."""

import signal

import pytest

from blox_store.store import JobState
from blox_worker.on_disk.checkpoints import job_stem
from blox_worker.wording import name_of
from tests.support import faults
from tests.support.cluster import SEED

EPOCHS = 25
LATE = 10  # an epoch after which a job that starts over is seen in an earlier one
LONG_LEASE = {"BLOX_LEASE_S": "600"}  # whatever is given back was not waited for
KILLED_BY_SIGNAL = 128


def epochs_seen(cluster, run, *jobs):
    """Return the epochs that each of these jobs is seen in until it has ended, by arch index."""
    seen = {job.arch_index: [] for job in jobs}

    def have_ended():
        now = [cluster.job(run, index) for index in seen]
        for job in now:
            if job.state is JobState.RUNNING:
                seen[job.arch_index].append(job.epoch)
        return all(job.state.ended for job in now)

    cluster.wait(have_ended, f"jobs {list(seen)} to end")
    return seen


def check_that_it_goes_on(cluster, run, job):
    """Check that a job is trained to its end from where it was."""
    assert min(epochs_seen(cluster, run, job)[job.arch_index]) >= job.epoch


def check_that_another_goes_on(cluster, run, end):
    """End the process of a worker, and check that another one goes on with its job."""
    (job,) = cluster.begin(run, epoch=3)
    died = faults.process_of(cluster, job.worker)
    end(died)
    check_that_it_goes_on(cluster, run, job)
    assert faults.process_of(cluster, job.worker).pid != died.pid


def test_a_killed_worker_is_started_again_and_its_job_goes_on(cluster):
    run = cluster.make_run(0, epochs=EPOCHS)
    cluster.scheduler(run, stays=True)
    cluster.launcher()
    check_that_another_goes_on(cluster, run, faults.kill)
    cluster.finish(run)


@pytest.mark.slow
def test_leases_are_given_back_by_workers_that_stop_and_by_those_of_a_dead_launcher(cluster):
    run, ended = cluster.make_run(0, epochs=2 * EPOCHS), cluster.make_run(1, seed=SEED + 1)
    cluster.complete(ended)
    cluster.scheduler(run, stays=True)
    launcher = cluster.launcher("0,1", **LONG_LEASE)
    cluster.wait_for_workers("gpu0", "gpu1")
    intact, spoilt = cluster.begin(run, 2, epoch=LATE)
    left = leave_behind(cluster, ended)

    check_that_a_stop_gives_back(cluster, run, launcher, [intact, spoilt])
    assert not left.exists()
    left = leave_behind(cluster, ended)
    faults.truncate(checkpoint_of(cluster, spoilt))
    launcher = check_that_one_starts_over(cluster, run, intact, spoilt)
    assert not left.exists()

    intact, spoilt = cluster.begin(run, 2, epoch=LATE)
    check_that_death_gives_back(cluster, run, launcher, [intact, spoilt])
    faults.corrupt(checkpoint_of(cluster, spoilt))
    check_that_one_starts_over(cluster, run, intact, spoilt)
    cluster.finish(run, ended)


def leave_behind(cluster, run):
    """Leave a checkpoint as of a worker that was killed after it had written the result."""
    left = cluster.checkpoints / f"{job_stem(cluster.store.id, run.id, 0)}-dead.checkpoint"
    left.write_bytes(b"left behind")
    return left


def checkpoint_of(cluster, job):
    stem = job_stem(cluster.store.id, job.run_id, job.arch_index)
    (path,) = cluster.checkpoints.glob(f"{stem}-*.checkpoint")
    return path


def is_given_back(cluster, run, job):
    state = cluster.job(run, job.arch_index).state
    return state in (JobState.PENDING, JobState.QUEUED)


def check_that_a_stop_gives_back(cluster, run, launcher, jobs):
    faults.ask_to_stop(launcher)
    assert cluster.exit_code(launcher) == 0
    for job in jobs:
        assert is_given_back(cluster, run, job)
        assert cluster.job(run, job.arch_index).epoch >= job.epoch
    assert "ERROR" not in cluster.printed()
    assert "Traceback" not in cluster.printed()


def check_that_death_gives_back(cluster, run, launcher, jobs):
    faults.kill(launcher)
    for job in jobs:
        cluster.wait(lambda job=job: is_given_back(cluster, run, job), "a job to be given back")
    cluster.wait(lambda: not faults.worker_processes(cluster), "the workers to be gone")


def check_that_one_starts_over(cluster, run, intact, spoilt):
    """Check that a job whose checkpoint is spoilt starts over, and that another goes on.

    Returns the launcher whose workers train them.
    """
    listened = cluster.listen()
    launcher = cluster.launcher("0,1", **LONG_LEASE)
    seen = epochs_seen(cluster, run, intact, spoilt)
    assert min(seen[intact.arch_index]) >= intact.epoch
    assert min(seen[spoilt.arch_index]) < LATE
    assert listened().count("no intact checkpoint; start without it") == 1
    return launcher


@pytest.mark.slow
def test_leases_run_out_of_workers_that_freeze_or_do_not_wait(cluster):
    run = cluster.make_run(0, epochs=EPOCHS)
    cluster.scheduler(run, stays=True)
    launcher = cluster.launcher("0,1,2")
    cluster.wait_for_workers("gpu0", "gpu1", "gpu2")
    check_that_zombies_write_nothing(cluster, run)
    launcher = check_that_sigquit_does_not_wait(cluster, run, launcher)
    check_that_a_second_request_does_not_wait(cluster, run, launcher)
    check_that_another_goes_on(cluster, run, faults.quit_at_once)
    cluster.finish(run)


def check_that_zombies_write_nothing(cluster, run):
    """Thaw a frozen worker while another trains its job, and one after its job has ended."""
    jobs = {job.worker[:4]: job for job in cluster.begin(run, 3)}
    lost = [jobs["gpu0"], jobs["gpu2"]]
    zombies = {job.worker: faults.process_of(cluster, job.worker) for job in lost}
    for zombie in zombies.values():
        faults.freeze(zombie)
    taken: list = []

    def is_one_taken():
        others = {job.arch_index for job in cluster.running(run, epoch=1, of="gpu1")}
        taken.extend(job for job in lost if job.arch_index in others)
        return bool(taken)

    cluster.wait(is_one_taken, "the job of a zombie to be taken")
    early = taken[0]
    (late,) = (job for job in lost if job is not early)
    new = cluster.add_jobs(run, 6)
    faults.thaw(zombies[early.worker])
    cluster.wait(lambda: cluster.job(run, late.arch_index).state.ended, "the other one to end")
    faults.thaw(zombies[late.worker])
    cluster.wait_until_ended(run)
    workers = ended_by(cluster, run)
    assert workers[early.arch_index].startswith("gpu1")
    assert workers[late.arch_index] != late.worker
    assert zombies.keys() <= {workers[index] for index in new}


def ended_by(cluster, run):
    """Return the workers that have written results, by arch index."""
    with cluster.store.snapshot() as snapshot:
        return {row.arch_index: row.worker for row in snapshot.result_rows(run.id)}


def has_expired(cluster, job):
    """Whether the scheduler has ended a lease of a job, which was not given back then."""
    attempt = job.attempts + 1
    said = (
        f"run {job.run_id} {name_of(job.arch_index)} attempt {attempt} on {job.worker}: lease exp"
    )
    return said in cluster.printed()


def check_that_sigquit_does_not_wait(cluster, run, launcher):
    """Check that leases run out after a SIGQUIT; return the next launcher, which takes the jobs."""
    jobs = cluster.begin(run, 2)
    faults.quit_at_once(launcher)
    assert cluster.exit_code(launcher) == KILLED_BY_SIGNAL + signal.SIGQUIT
    launcher = cluster.launcher()
    cluster.wait_until_ended(run)
    assert all(has_expired(cluster, job) for job in jobs)
    return launcher


def check_that_a_second_request_does_not_wait(cluster, run, launcher):
    (job,) = cluster.begin(run)
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
    check_that_it_goes_on(cluster, run, job)
    assert has_expired(cluster, job)
