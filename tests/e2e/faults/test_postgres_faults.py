"""PostgreSQL restarts, is away for long or dies at a COMMIT: nothing is lost or trained twice."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from blox_store.store import Run
from tests.support import faults
from tests.support.cluster import PACE, Cluster
from tests.support.lossy_proxy import lossy_proxy

SLOWLY = {"BLOX_SIMULATED_EPOCH_S": "0.4"}
KILLED_BY_SIGNAL = 128
LEASE_S = float(PACE["BLOX_LEASE_S"])


def train_through_outage(cluster: Cluster) -> tuple[Run, dict[int, str], faults.Process]:
    """Let PostgreSQL vanish under a training, and wait until its result is on disk.

    Returns the run, the tokens of the leases, and the launcher.
    """
    run = cluster.make_run(2)
    cluster.scheduler(run)
    launcher = cluster.launcher("0", **SLOWLY)
    cluster.wait_for_epoch(run)
    held = cluster.leases(run)
    faults.stop_postgres(cluster)
    cluster.wait(lambda: bool(kept_results(cluster)), "a result to be kept on disk")
    return run, held, launcher


def kept_results(cluster: Cluster) -> list[Path]:
    return list(cluster.checkpoints.glob("*.result"))


def test_postgres_is_restarted_during_a_training(cluster: Cluster) -> None:
    run = cluster.make_run(3)
    cluster.scheduler(run)
    cluster.launcher("0", **SLOWLY)
    cluster.wait_for_epoch(run)
    held = cluster.leases(run)

    faults.restart_postgres(cluster)

    cluster.finish(run)
    assert held.items() <= cluster.tokens(run).items()


def test_postgres_is_away_for_longer_than_every_lease(cluster: Cluster) -> None:
    run, held, _ = train_through_outage(cluster)
    kept_since = time.monotonic()
    cluster.wait(lambda: time.monotonic() > kept_since + LEASE_S, "every lease to have expired")

    faults.start_postgres(cluster)

    cluster.finish(run)
    assert held.items() <= cluster.tokens(run).items()
    assert ": lease expired" not in cluster.printed()  # the reaper took nothing


def missed_by(cluster: Cluster, processes: int) -> Callable[[], bool]:
    """Return the condition that so many processes have missed PostgreSQL."""
    return lambda: (
        sum("; trying again" in cluster.log(number) for number in range(processes)) == processes
    )


def test_postgres_is_away_when_everything_starts(cluster: Cluster) -> None:
    run = cluster.make_run(2)
    faults.stop_postgres(cluster)

    processes = [cluster.scheduler(run), cluster.launcher("0")]

    cluster.wait(missed_by(cluster, 2), "both to miss PostgreSQL")
    assert [process.poll() for process in processes] == [None, None]
    faults.start_postgres(cluster)
    cluster.finish(run)
    assert "Traceback" not in cluster.printed()


def test_what_waits_for_postgres_at_its_start_can_be_stopped(cluster: Cluster) -> None:
    run = cluster.make_run(2)
    faults.stop_postgres(cluster)
    processes = [cluster.scheduler(run), cluster.launcher("0")]
    cluster.wait(missed_by(cluster, 2), "both to miss PostgreSQL")

    for process in processes:
        faults.ask_to_stop(process)

    assert [cluster.exit_code(process) for process in processes] == [0, 0]
    assert "Traceback" not in cluster.printed()


def test_postgres_hangs_and_the_second_request_to_stop_does_not_wait_for_it(
    cluster: Cluster,
) -> None:
    run = cluster.make_run(2)
    scheduler, launcher = cluster.scheduler(run), cluster.launcher("0", **SLOWLY)
    cluster.wait_for_epoch(run)
    faults.freeze_postgres(cluster)

    for process in (scheduler, launcher):
        faults.ask_to_stop(process)
    cluster.wait(lambda: "stopping as asked" in cluster.printed(), "the launcher to wait")
    cluster.wait(
        lambda: not faults.has_yet_to_see(scheduler, signal.SIGTERM), "the scheduler to be asked"
    )
    for process in (scheduler, launcher):
        faults.ask_to_stop(process)

    killed = KILLED_BY_SIGNAL + signal.SIGTERM
    assert [cluster.exit_code(process) for process in (scheduler, launcher)] == [killed, killed]
    faults.thaw_postgres(cluster)
    cluster.scheduler(run)
    cluster.launcher("0")
    cluster.finish(run)


def stop_launcher(cluster: Cluster, launcher: faults.Process) -> None:
    """Ask the launcher to stop, and expect that all is well."""
    faults.ask_to_stop(launcher)
    assert launcher.wait() == 0, cluster.printed()


def kill_launcher(cluster: Cluster, launcher: faults.Process) -> None:
    """Kill the launcher and its worker."""
    for process in (launcher, *cluster.workers(launcher)):
        faults.kill(process)
        process.wait()


@pytest.mark.parametrize("end", [stop_launcher, kill_launcher])
def test_worker_ends_while_postgres_is_away_and_another_writes_its_result(
    cluster: Cluster, end: Callable[[Cluster, faults.Process], None]
) -> None:
    run, held, launcher = train_through_outage(cluster)

    end(cluster, launcher)
    assert len(kept_results(cluster)) == 1
    faults.start_postgres(cluster)
    cluster.launcher("0")

    cluster.finish(run)
    assert held.items() <= cluster.tokens(run).items()


def test_postgres_is_killed_while_it_commits_a_result(cluster: Cluster) -> None:
    run = cluster.make_run(2)
    with faults.commits_of_results_hang(cluster) as one_hangs:
        cluster.scheduler(run)
        cluster.launcher("0")
        cluster.wait(one_hangs, "the COMMIT of a result")
        held = cluster.leases(run)
        faults.kill_postgres(cluster)
    assert len(held) == 1

    faults.start_postgres(cluster)

    cluster.finish(run)
    assert held.items() <= cluster.tokens(run).items()


def test_reply_to_the_commit_of_a_result_is_lost(cluster: Cluster) -> None:
    run = cluster.make_run(2)
    with (
        tempfile.TemporaryDirectory(prefix="blox-") as folder,
        lossy_proxy(Path(folder), cluster.postgres.folder) as proxy,
    ):
        url = make_url(cluster.database_url).update_query_dict({"host": folder})
        cluster.scheduler(run)
        cluster.launcher("0", **SLOWLY, BLOX_DATABASE_URL=url.render_as_string(hide_password=False))
        cluster.wait_for_epoch(run)
        held = cluster.leases(run)
        cluster.finish(run)
    assert proxy.cuts == 1
    assert held.items() <= cluster.tokens(run).items()
