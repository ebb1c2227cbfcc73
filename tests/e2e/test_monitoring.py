"""Metrics, dashboard and alerts: Debian's Prometheus asks the scheduler of a simulated run."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from blox_store.store import WorkerFigures
from tests.support.cluster import Cluster, cluster
from tests.support.prometheus import MONITORING, Prometheus, prometheus
from tests.support.servers import free_port, own_postgres, own_redis

ROOT = MONITORING.parent
PAGE = ROOT / "docs" / "how-to" / "monitoring.md"
GPU_WORKER = "gpu9@elsewhere"  # this machine has no GPU: what its worker would write is written
MEASURED = WorkerFigures(
    images_per_s=50_000.0,
    gpu_utilisation=0.95,
    gpu_memory_used_bytes=2**32,
    gpu_memory_total_bytes=80 * 2**30,
)
FAILING = "1"
METRIC = re.compile(r"(?<![:\w])blox_\w+")


def dashboard() -> dict[str, Any]:
    made: dict[str, Any] = json.loads((MONITORING / "grafana/dashboards/blox.json").read_text())
    return made


def shown_expressions() -> list[str]:
    """Return every expression of the dashboard, all runs being chosen."""
    (variable,) = dashboard()["templating"]["list"]
    targets = (target for panel in dashboard()["panels"] for target in panel["targets"])
    return [target["expr"].replace("$run", variable["allValue"]) for target in targets]


def rules(kind: str) -> dict[str, str]:
    """Return the expressions of the rules of a kind, by name."""
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    return {rule[kind]: rule["expr"] for one in groups for rule in one["rules"] if kind in rule}


@pytest.fixture
def simulated(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster without processes."""
    with (
        own_postgres() as postgres,
        own_redis() as redis,
        cluster(tmp_path, postgres, redis, postgres.url) as made,
    ):
        yield made


@pytest.mark.slow
def test_every_expression_gives_data_of_a_simulated_run(simulated: Cluster, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    run = simulated.make_run(200, epochs=4)
    scheduler = simulated.scheduler(run, BLOX_METRICS_ADDRESS=address)
    simulated.launcher("0", BLOX_SIMULATED_FAILURES=FAILING)
    simulated.store.workers.register(GPU_WORKER, device="cuda", pid=1)
    simulated.store.workers.seen(GPU_WORKER, MEASURED)
    with prometheus(tmp_path, address) as asked:
        check_that_each_expression_gives_data(simulated, asked)
        check_that_alerts_are_as_they_should_be(simulated, asked)
        served = set(METRIC.findall(page_of(address)))
        assert described_metrics() == served
        simulated.postgres.stop()
        simulated.wait(lambda: bool(asked.query(rules("alert")["BloxStoreDown"])), "a store down")
        assert asked.query('up{job="blox"}')[0]["value"][1] == "1"
        simulated.postgres.start()
        simulated.wait(lambda: not asked.query(rules("alert")["BloxStoreDown"]), "a store up")
        simulated.redis.stop()
        simulated.wait(lambda: bool(asked.query(rules("alert")["BloxBrokerDown"])), "a broker down")
        simulated.redis.start()
        simulated.wait(lambda: not asked.query(rules("alert")["BloxBrokerDown"]), "a broker up")
        scheduler.kill()
        down = rules("alert")["BloxSchedulerDown"]
        simulated.wait(lambda: bool(asked.query(down)), "a scheduler down")


def check_that_each_expression_gives_data(simulated: Cluster, asked: Prometheus) -> None:
    expressions = [*shown_expressions(), *rules("record").values(), *rules("record")]
    assert len(expressions) > 20
    assert any("blox_worker_gpu_memory_used_bytes" in one for one in expressions)
    for expression in expressions:
        simulated.wait(lambda one=expression: bool(asked.query(one)), f"data of {expression}")
    (variable,) = dashboard()["templating"]["list"]
    metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()
    assert asked.ask(f"label/{label}/values", **{"match[]": metric}) == ["1"]


def check_that_alerts_are_as_they_should_be(simulated: Cluster, asked: Prometheus) -> None:
    """Check that Prometheus evaluates each, that its metrics are there, and that none is due."""
    for name, expression in rules("alert").items():
        for metric in METRIC.findall(expression):
            assert asked.query(metric), (name, metric)
    known = [rule for group in asked.ask("rules")["groups"] for rule in group["rules"]]
    assert len(known) == len(rules("alert")) + len(rules("record"))
    assert {rule["health"] for rule in known} == {"ok"}, known
    for name in (
        "BloxSchedulerDown",
        "BloxStoreDown",
        "BloxBrokerDown",
        "BloxNoWorker",
        "BloxGpuIdle",
    ):
        assert not asked.query(rules("alert")[name]), name


def page_of(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics") as answer:
        return answer.read().decode()


def described_metrics() -> set[str]:
    return set(re.findall(r"^\| `(blox_\w+)", PAGE.read_text(), re.MULTILINE))


def test_every_alert_is_described_and_fires_in_a_test() -> None:
    alerts = set(rules("alert"))
    assert len(alerts) == 10
    assert set(re.findall(r"^\| `(Blox\w+)` \|", PAGE.read_text(), re.MULTILINE)) == alerts
    tests = yaml.safe_load((ROOT / "tests/assets/alerts_test.yml").read_text())["tests"]
    fired = {
        expected["alertname"]
        for test in tests
        for expected in test.get("alert_rule_test", ())
        if expected["exp_alerts"]
    }
    assert fired == alerts


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        f"check config {MONITORING / 'prometheus.yml'}",
        f"check rules {MONITORING / 'alerts.yml'}",
        f"test rules {ROOT / 'tests/assets/alerts_test.yml'}",
    ],
)
def test_promtool_finds_no_fault(arguments: str) -> None:
    command = ["promtool", *arguments.split()]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "FAILED" not in ended.stdout + ended.stderr


def test_the_dashboard_is_one_that_grafana_is_told_of() -> None:
    made = dashboard()
    panels = made["panels"]
    assert (made["title"], len({panel["id"] for panel in panels})) == ("Blox", len(panels))
    assert all(panel["title"] and panel["targets"] for panel in panels)
    provisioned = MONITORING / "grafana/provisioning"
    (source,) = yaml.safe_load((provisioned / "datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    named = re.findall(r'"uid": "(.*?)"', json.dumps([panels, made["templating"]]))
    assert set(named) == {source["uid"]}
    (provider,) = yaml.safe_load((provisioned / "dashboards/blox.yml").read_text())["providers"]
    assert provider["options"]["path"] == "/etc/grafana/dashboards"  # as docker-compose mounts it
