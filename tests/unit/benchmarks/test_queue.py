"""The figures of fleets, and the jobs that they need."""

from benchmarks.suite.queue.fleet import Sample
from benchmarks.suite.queue.scale import CONNECT, Measured, fleet_rows, jobs_needed


def test_a_fleet_that_did_nothing_has_rows_all_the_same():
    probe = Sample(CONNECT, 5.0, 5.0, 5.001, False)
    idle = Measured(
        fleet=1,
        seconds=1,
        samples=[probe],
        server_s=1,
        clients_s=0,
        machine_s=1,
        memory_bytes=1,
    )
    figures = {row.name: row.value for row in fleet_rows([idle])}
    assert figures["transactions at 1"] == 0
    assert "begun late, p99 at 1" not in figures


def test_a_fleet_needs_the_jobs_that_its_workers_may_take():
    assert jobs_needed([100, 300], 30) == 400 * 2 + 1
    assert jobs_needed([100, 300], 45) == 400 * 3 + 1
