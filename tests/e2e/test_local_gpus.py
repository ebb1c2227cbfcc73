"""`blox train --local --gpus`: a process per GPU on one store, without a queue; GPUs are pretended."""

import os
import re
import signal
import socket

import numpy as np
import psutil
import pytest
from sqlalchemy.engine import make_url

from blox_core.recipe import preset
from blox_core.simulation import simulated_result
from blox_core.space import Architecture
from blox_store.store import JobState, Store
from tests.support.results import made_up_run
from tests.support.servers import wait_until

HOST = socket.gethostname()
WORKERS = {f"gpu0@{HOST}", f"gpu1@{HOST}"}
STOPPED = re.compile(r"^a\d+ stopped$", re.MULTILINE)
PRETENDED = {"BLOX_GPU_INVENTORY": "0,1"}
ENDLESS = {"BLOX_SIMULATED_EPOCH_S": "3600"}
# Three seconds until a job of a killed process is taken over.
SHORT_LEASES = {"BLOX_LEASE_S": "3", "BLOX_HEARTBEAT_S": "0.5", "BLOX_CHECKPOINT_EVERY_S": "0"}


class Rehearsal:
    """A simulated run in a store, and the command that trains it."""

    def __init__(self, commands, url, *, trainer="simulated", recipe="digits", jobs=6):
        self.commands = commands
        self.url = url
        self.store = Store(url, migrate=True)
        self.run = made_up_run(self.store, preset(recipe), indices=range(jobs), trainer=trainer)
        self.process = None

    def start(self, options="--gpus all", **settings):
        """Start the command; the store is named by the environment."""
        own = {"BLOX_DATABASE_URL": self.url, **PRETENDED, **settings}
        self.process = self.commands.start(f"blox train --local {options}", **own)

    def ended(self):
        """Wait for the end; return the exit code and what was printed and logged."""
        out, err = self.process.communicate(timeout=120)
        return self.process.returncode, out, err

    def processes(self):
        """Return all living processes that use this store, but for this one."""
        return [
            process
            for process in psutil.process_iter(["environ", "status"])
            if (process.info["environ"] or {}).get("BLOX_DATABASE_URL") == self.url
            and process.info["status"] != psutil.STATUS_ZOMBIE
        ]

    def children(self):
        """Return the worker processes by the names of the workers."""
        children = psutil.Process(self.process.pid).children()
        lines = [(child, child.cmdline()) for child in children]
        return {line[line.index("--slot") + 1]: child for child, line in lines if "--slot" in line}

    def states(self):
        """Return the number of jobs in each state that some are in."""
        return {state: n for state, n in self.store.jobs.counts(self.run.id).items() if n}

    def wait_for_running(self, jobs):
        """Wait until so many jobs run."""
        wait_until(lambda: self.states().get(JobState.RUNNING) == jobs, f"{jobs} jobs to run", 120)

    def jobs(self, *states):
        """Return the jobs in these states."""
        return self.store.jobs.matching(self.run.id, *states)

    def assert_results_are_those_of_an_undisturbed_run(self):
        """Compare every stored result with the closed form."""
        recipe = preset("digits")
        with self.store.snapshot() as snapshot:
            rows = list(snapshot.result_rows(self.run.id))
        assert [row.arch_index for row in rows] == [job.arch_index for job in self.jobs()]
        for row in rows:
            expected = simulated_result(Architecture(row.arch_index), recipe, self.run.seed)
            np.testing.assert_array_equal(row.val_top1, expected.curves.val_top1)
            assert row.test_top1 == expected.test.top1


@pytest.fixture
def rehearsal(commands, sqlite_url):
    """A rehearsal on SQLite; in the end no process of it is left."""
    made = Rehearsal(commands, sqlite_url)
    yield made
    end(made)


def end(rehearsal):
    """Check that no process is left, and leave none in any case."""
    left = rehearsal.processes()
    for process in left:
        process.kill()
    if rehearsal.process is not None:
        rehearsal.process.communicate()
    rehearsal.store.close()
    assert left == []


def test_both_gpus_end_jobs(rehearsal):
    rehearsal.start(BLOX_SIMULATED_EPOCH_S="0.1")
    code, out, err = rehearsal.ended()
    assert (code, err) == (0, "")
    assert f"workers gpu0@{HOST}, gpu1@{HOST}\n" in out
    assert out.count(" val ") == 6
    assert out.endswith(": 6 succeeded\n")
    assert {job.worker for job in rehearsal.jobs()} == WORKERS
    assert rehearsal.store.workers.all() == []
    rehearsal.assert_results_are_those_of_an_undisturbed_run()


def test_workers_are_seen_while_they_train(rehearsal):
    rehearsal.start(**ENDLESS)
    rehearsal.wait_for_running(2)
    wait_until(lambda: len(rehearsal.store.workers.all()) == 2, "both workers to be there")
    for worker in rehearsal.store.workers.all():
        child = rehearsal.children()[worker.name]
        assert (worker.device, worker.pid) == ("cpu", child.pid)
        assert child.environ()["CUDA_VISIBLE_DEVICES"] == worker.name[3]
    rehearsal.process.terminate()
    assert rehearsal.ended()[0] == 0


@pytest.mark.parametrize("whom", ["launcher", "everybody"])
def test_a_stop_gives_all_jobs_back(rehearsal, whom):
    """A service manager asks everybody, and then the launcher asks its children once more."""
    rehearsal.start(**ENDLESS)
    rehearsal.wait_for_running(2)
    for process in rehearsal.processes():
        if whom == "everybody" or process.pid == rehearsal.process.pid:
            process.terminate()
    code, out, err = rehearsal.ended()
    assert code == 0, err
    assert "stopping as asked; waiting for" in err
    assert len(STOPPED.findall(out)) == 2
    assert out.endswith("stopped; run the same command again to go on where it stopped\n")
    assert rehearsal.states() == {JobState.PENDING: 6}
    assert {job.attempts for job in rehearsal.jobs()} == {0}


def test_sigquit_does_not_wait(rehearsal):
    rehearsal.start(**ENDLESS)
    rehearsal.wait_for_running(2)
    rehearsal.process.send_signal(signal.SIGQUIT)
    code, out, err = rehearsal.ended()
    assert code == 128 + signal.SIGQUIT
    assert err.count("was asked to stop and ended by exit code 131\n") == 2
    assert STOPPED.search(out) is None
    assert rehearsal.states() == {JobState.RUNNING: 2, JobState.PENDING: 4}


def test_a_killed_worker_is_started_again_and_its_job_taken_over(rehearsal):
    rehearsal.start(BLOX_SIMULATED_EPOCH_S="0.2", **SHORT_LEASES)
    rehearsal.wait_for_running(2)
    name, child = min(rehearsal.children().items())
    child.kill()
    code, out, err = rehearsal.ended()
    assert code == 0, err
    assert f"{name} ended: signal SIGKILL; starting it again in 1 s" in err
    assert out.endswith(": 6 succeeded\n")
    rehearsal.assert_results_are_those_of_an_undisturbed_run()


def test_a_killed_launcher_takes_its_workers_along(rehearsal):
    rehearsal.start(**ENDLESS)
    rehearsal.wait_for_running(2)
    rehearsal.process.kill()
    wait_until(lambda: not rehearsal.processes(), "the workers to stop")
    assert rehearsal.states() == {JobState.PENDING: 6}
    assert {job.attempts for job in rehearsal.jobs()} == {0}


def test_several_processes_share_a_gpu(rehearsal):
    rehearsal.start("--gpus 1 --jobs-per-gpu 2", **ENDLESS)
    rehearsal.wait_for_running(2)
    assert set(rehearsal.children()) == {f"gpu1-0@{HOST}", f"gpu1-1@{HOST}"}
    rehearsal.process.terminate()
    assert rehearsal.ended()[0] == 0


def test_a_paused_run_ends_the_workers_at_once(rehearsal):
    rehearsal.store.runs.set_paused(rehearsal.run.id, True)
    rehearsal.start()
    code, out, err = rehearsal.ended()
    assert code == 1
    assert err.count("does no more; 'blox status' says why") == 2
    assert err.count("blox resume --run 1") == 2
    assert out.endswith(": 6 pending\n")
    reasons = {one.name: one.stopped_reason for one in rehearsal.store.workers.all()}
    assert set(reasons) == WORKERS
    assert all("blox resume --run 1" in reason for reason in reasons.values())


def test_a_node_that_cannot_train_is_given_up(commands, sqlite_url):
    rehearsal = Rehearsal(commands, sqlite_url, trainer="torch", recipe="cifar100")
    try:
        rehearsal.start("--gpus cpu --data-dir nowhere", BLOX_MAX_FAULTS_IN_A_ROW="1")
        code, _, err = rehearsal.ended()
        assert code == 1
        assert f"cpu@{HOST} is given up: DatasetMissing: " in err
        (worker,) = rehearsal.store.workers.all()
        assert "nowhere" in worker.stopped_reason
        assert rehearsal.states() == {JobState.PENDING: 6}
        assert {job.attempts for job in rehearsal.jobs()} == {0}
    finally:
        end(rehearsal)


def test_a_password_is_on_no_command_line(commands, postgres_url):
    url = make_url(postgres_url).set(password="geheim").render_as_string(hide_password=False)
    rehearsal = Rehearsal(commands, url)
    try:
        rehearsal.start(f"--gpus all --database {url}", **ENDLESS)
        rehearsal.wait_for_running(2)
        lines = [" ".join(child.cmdline()) for child in rehearsal.children().values()]
        assert len(lines) == 2
        assert "geheim" in " ".join(psutil.Process(rehearsal.process.pid).cmdline())
        assert not any("geheim" in line for line in lines)
        os.kill(rehearsal.process.pid, signal.SIGINT)
        code, out, err = rehearsal.ended()
        assert code == 0, err
        assert len(STOPPED.findall(out)) == 2
        assert rehearsal.states() == {JobState.PENDING: 6}
    finally:
        end(rehearsal)


@pytest.mark.parametrize(
    ("options", "settings", "code", "message"),
    [
        ("--gpus all", {"BLOX_GPU_INVENTORY": ""}, 1, "no GPU found; use --gpus cpu"),
        ("--gpus 2", {}, 1, "--gpus '2': this machine has GPU 0, 1; --gpus allows all, cpu or"),
        ("--gpus 0,0", {}, 1, "--gpus '0,0': names a GPU twice"),
        ("--gpus all", {"BLOX_GPU_INVENTORY": "a"}, 1, "BLOX_GPU_INVENTORY='a': GPU numbers such"),
        ("--gpus all --run 7", {}, 1, "7"),
        ("--gpus all --device cpu", {}, 2, "--device and --gpus: only one of them is allowed"),
        ("--jobs-per-gpu 2", {}, 2, "--jobs-per-gpu needs --gpus"),
        ("--gpus all --jobs-per-gpu 0", {}, 2, "0 is not in the range x>=1"),
    ],
)
def test_bad_input_is_one_line(rehearsal, options, settings, code, message):
    rehearsal.start(options, **settings)
    ended, out, err = rehearsal.ended()
    assert (ended, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1
