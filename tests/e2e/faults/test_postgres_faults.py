"""PostgreSQL restarts, is away for long or dies at a COMMIT: nothing is lost or trained twice."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from blox_store.store import Run
from tests.support import faults
from tests.support.cluster import PACE, Cluster
from tests.support.lossy_proxy import LossyProxy, lossy_proxy

SLOWLY = {"BLOX_SIMULATED_EPOCH_S": "0.4"}
KILLED_BY_SIGNAL = 128
LEASE_S = float(PACE["BLOX_LEASE_S"])


def test_postgres_restarts_and_is_away(cluster: Cluster) -> None:
    run = cluster.make_run(0)
    cluster.scheduler(run, stays=True)
    cluster.launcher("0", **SLOWLY)
    it_restarts_during_a_training(cluster, run)
    it_is_away_for_longer_than_every_lease(cluster, run)
    cluster.finish(run)


def kept_results(cluster: Cluster) -> list[Path]:
    return list(cluster.checkpoints.glob("*.result"))


def held_by_training(cluster: Cluster, run: Run) -> dict[int, str]:
    """Return the lease of a job, by its index, that is in training."""
    cluster.begin(run)
    return cluster.leases(run)


def check_that_it_was_trained_once(cluster: Cluster, run: Run, held: dict[int, str]) -> None:
    cluster.wait_until_ended(run)
    assert held.items() <= cluster.tokens(run).items()


def it_restarts_during_a_training(cluster: Cluster, run: Run) -> None:
    held = held_by_training(cluster, run)
    faults.restart_postgres(cluster)
    check_that_it_was_trained_once(cluster, run, held)


def it_is_away_for_longer_than_every_lease(cluster: Cluster, run: Run) -> None:
    listened = cluster.listen()
    held = held_by_training(cluster, run)
    it_goes_away(cluster)
    kept_since = time.monotonic()
    cluster.wait(lambda: time.monotonic() > kept_since + LEASE_S, "every lease to have expired")
    faults.start_postgres(cluster)
    check_that_it_was_trained_once(cluster, run, held)
    assert ": lease expired" not in listened()  # the reaper took nothing


def it_goes_away(cluster: Cluster) -> None:
    """Stop PostgreSQL during a training, and wait until the result is on disk."""
    faults.stop_postgres(cluster)
    cluster.wait(lambda: len(kept_results(cluster)) == 1, "a result to be kept on disk")


@pytest.mark.slow
def test_postgres_dies_hangs_and_is_away(cluster: Cluster) -> None:
    run = cluster.make_run(0)
    scheduler = cluster.scheduler(run, stays=True)
    with lossy(cluster) as (proxy, url):
        launcher = cluster.launcher("0", **SLOWLY, BLOX_DATABASE_URL=url)
        check_that_it_was_trained_once(cluster, run, held_by_training(cluster, run))
        assert proxy.cuts == 1  # the reply to the COMMIT of the result
        it_is_killed_while_it_commits_a_result(cluster, run)
        it_hangs_and_a_second_request_to_stop_does_not_wait(cluster, run, [scheduler, launcher])

    listened = cluster.listen()
    faults.stop_postgres(cluster)
    they_can_be_stopped(cluster, they_wait_at_their_start(cluster, run))
    scheduler, launcher = they_wait_at_their_start(cluster, run)
    faults.start_postgres(cluster)
    cluster.wait_until_ended(run)
    assert "Traceback" not in listened()

    they_can_be_stopped(cluster, [scheduler])  # from now on no message comes by itself
    for end in (stop_launcher, kill_launcher):
        launcher = another_writes_what_is_kept(cluster, run, launcher, end)
    cluster.finish(run)


@contextmanager
def lossy(cluster: Cluster) -> Iterator[tuple[LossyProxy, str]]:
    """Give a proxy that loses the reply to one COMMIT, and the URL of the store behind it."""
    with (
        tempfile.TemporaryDirectory(prefix="blox-") as folder,
        lossy_proxy(Path(folder), cluster.postgres.folder) as proxy,
    ):
        url = make_url(cluster.database_url).update_query_dict({"host": folder})
        yield proxy, url.render_as_string(hide_password=False)


def it_is_killed_while_it_commits_a_result(cluster: Cluster, run: Run) -> None:
    with faults.commits_of_results_hang(cluster) as one_hangs:
        cluster.add_jobs(run, 1)
        cluster.wait(one_hangs, "the COMMIT of a result")
        held = cluster.leases(run)
        faults.kill_postgres(cluster)
    assert len(held) == 1
    faults.start_postgres(cluster)
    check_that_it_was_trained_once(cluster, run, held)


def it_hangs_and_a_second_request_to_stop_does_not_wait(
    cluster: Cluster, run: Run, processes: list[faults.Process]
) -> None:
    scheduler, _ = processes
    cluster.begin(run)
    listened = cluster.listen()
    faults.freeze_postgres(cluster)
    for process in processes:
        faults.ask_to_stop(process)
    cluster.wait(lambda: "stopping as asked" in listened(), "the launcher to wait")
    cluster.wait(
        lambda: not faults.has_yet_to_see(scheduler, signal.SIGTERM), "the scheduler to be asked"
    )
    for process in processes:
        faults.ask_to_stop(process)
    killed = KILLED_BY_SIGNAL + signal.SIGTERM
    assert [cluster.exit_code(process) for process in processes] == [killed, killed]
    faults.thaw_postgres(cluster)


def they_wait_at_their_start(cluster: Cluster, run: Run) -> list[faults.Process]:
    """Return a scheduler and a launcher that miss PostgreSQL."""
    started = len(cluster.processes)
    processes = [cluster.scheduler(run, stays=True), cluster.launcher("0", **SLOWLY)]
    for number in range(started, started + 2):
        cluster.wait(
            lambda number=number: "; trying again" in cluster.log(number),
            f"process {number} to miss PostgreSQL",
        )
    assert [process.poll() for process in processes] == [None, None]
    return processes


def they_can_be_stopped(cluster: Cluster, processes: list[faults.Process]) -> None:
    for process in processes:
        faults.ask_to_stop(process)
    assert {cluster.exit_code(process) for process in processes} == {0}


def stop_launcher(cluster: Cluster, launcher: faults.Process) -> None:
    """Ask the launcher to stop, and expect that all is well."""
    faults.ask_to_stop(launcher)
    assert cluster.exit_code(launcher) == 0, cluster.printed()


def kill_launcher(cluster: Cluster, launcher: faults.Process) -> None:
    """Kill the launcher and its worker."""
    for process in (launcher, *cluster.workers(launcher)):
        faults.kill(process)
        process.wait()


def another_writes_what_is_kept(
    cluster: Cluster,
    run: Run,
    launcher: faults.Process,
    end: Callable[[Cluster, faults.Process], None],
) -> faults.Process:
    """End a worker while PostgreSQL is stopped; return the launcher of the next one."""
    (index,) = cluster.add_jobs(run, 1)
    faults.deliver(cluster, run, index, times=1)
    cluster.wait_for_epoch(run)
    held = cluster.leases(run)
    it_goes_away(cluster)
    end(cluster, launcher)
    assert len(kept_results(cluster)) == 1
    faults.start_postgres(cluster)
    another = cluster.launcher("0", **SLOWLY)
    check_that_it_was_trained_once(cluster, run, held)
    return another
