"""Flower of a real cluster: what it shows, what it keeps, and what it lets nobody do."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from flower.urls import handlers

from tests.support import faults
from tests.support.cluster import SEED, Cluster, cluster
from tests.support.flower_pages import FlowerPages
from tests.support.servers import free_port, own_postgres, own_redis

REDIS_PASSWORD = "never/to be:seen"
CREDENTIALS = "lab:nor this"
SLOWLY = {"BLOX_SIMULATED_EPOCH_S": "0.25"}
EPOCHS = 60  # 15 s: progress is told every 5
OPEN = {"/healthcheck"}
CLOSED = {"/metrics", "/login", "/logout"}
READABLE_BY_POST = {"/tasks/datatable"}
TABLE = "/tasks/datatable?draw=1&start=0&length=15&order[0][column]=0&order[0][dir]=desc"


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster whose Redis asks for a password."""
    port = free_port()
    url = f"redis://:{quote(REDIS_PASSWORD, safe='')}@127.0.0.1:{port}/0"
    protected = ("--port", str(port), "--bind", "127.0.0.1", "--requirepass", REDIS_PASSWORD)
    with (
        own_postgres() as postgres,
        own_redis(*protected, url=url) as redis,
        cluster(tmp_path, postgres, redis, postgres.url) as made,
    ):
        yield made


@pytest.mark.slow
def test_flower_shows_a_run_and_changes_nothing(watched: Cluster) -> None:
    pages = FlowerPages(watched, CREDENTIALS)
    flower = pages.start()
    run = watched.make_run(9, epochs=EPOCHS)  # more than end before the stop
    watched.scheduler(run)
    launcher = watched.launcher("0", **SLOWLY)
    first, *others = (f"r{run.id}-a0000{index}-s{SEED}" for index in range(9))

    watched.wait(lambda: pages.task(first).get("state") == "PROGRESS", "progress in Flower")
    told = pages.task(first)
    assert (told["args"], told["kwargs"]) == (
        f"a00000 s{SEED}",
        "conv→conv | conv→conv | conv→conv",
    )
    assert re.fullmatch(rf"epoch \d+/{EPOCHS} val \d+\.\d", told["result"])
    (name,) = pages.workers()
    watched.wait(lambda: pages.workers()[name]["active"] == 1, "an active worker in Flower")
    assert (name.startswith("gpu0@"), pages.workers()[name]["status"]) == (True, True)

    check_that_a_password_is_asked_for(pages)
    check_that_pages_can_be_read_and_nothing_else(pages, name, first)
    check_that_no_secret_is_shown(watched, pages, flower, name)
    assert flower.poll() is None
    assert watched.job(run, 0).attempts == 0

    watched.wait(lambda: pages.task(first).get("state") == "SUCCESS", "a result in Flower")
    done = pages.task(first)
    assert re.fullmatch(r"val \d+\.\d test \d+\.\d in \d+ s", done["result"])
    flower.send_signal(signal.SIGTERM)
    assert watched.exit_code(flower) == 0
    assert {path.stat().st_mode & 0o077 for path in watched.folder.glob("flower.db*")} == {0}
    pages.start()
    assert pages.task(first) == done
    watched.wait(lambda: pages.told(others, "PROGRESS"), "progress after a restart")
    assert pages.workers()[name]["status"] is True
    faults.restart_redis(watched)
    before = pages.told(others, "PROGRESS")
    watched.wait(
        lambda: has_time_left(pages.told(others, "PROGRESS") - before), "progress after an outage"
    )
    launcher.send_signal(signal.SIGTERM)
    watched.wait(lambda: "stopped" in pages.told(others, "RETRY"), "a job given back")


def has_time_left(told: set[str]) -> bool:
    """Whether a job is in its first half, so that a stop comes before its end."""
    epochs = [int(re.match(r"epoch (\d+)/", text)[1]) for text in told]
    return any(epoch <= EPOCHS // 2 for epoch in epochs)


def check_that_a_password_is_asked_for(pages: FlowerPages) -> None:
    for path in ("/", "/workers", "/tasks", "/broker", "/api/workers", "/api/tasks", TABLE):
        assert pages.status(path) == 200, path
        for wrong in ("", "lab:", "lab:wrong", "other:nor this"):
            assert pages.status(path, credentials=wrong) == 401, (path, wrong)
    assert pages.status(TABLE, method="POST") == 200  # as a browser asks for it
    assert pages.status(TABLE, method="POST", credentials="") == 401


def check_that_pages_can_be_read_and_nothing_else(
    pages: FlowerPages, worker: str, task_id: str
) -> None:
    """Ask every route that Flower has, with valid credentials, for everything that HTTP knows."""
    for path in ROUTES:
        filled = path.replace("(.+)", worker if "worker" in path else task_id)
        filled = filled.replace("(.*)", task_id)
        for method in ("POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"):
            if (path, method) not in {(one, "POST") for one in READABLE_BY_POST}:
                assert pages.status(filled, method=method) in (403, 404, 405), (filled, method)
        without = pages.status(filled, credentials="")
        if path in CLOSED:
            assert (pages.status(filled), without) == (404, 404), filled
        elif path not in OPEN:
            assert without in (401, 404), filled


def check_that_no_secret_is_shown(
    watched: Cluster, pages: FlowerPages, flower: subprocess.Popen[bytes], worker: str
) -> None:
    shown = [pages.text(path) for path in ("/", "/broker", f"/worker/{worker}", "/api/workers")]
    shown += [*psutil.Process(flower.pid).cmdline(), watched.printed()]
    assert "127.0.0.1" in shown[1]
    for text in shown:
        for secret in (REDIS_PASSWORD, quote(REDIS_PASSWORD, safe=""), "nor this"):
            assert secret not in text


def _routes() -> list[str]:
    """Return the patterns of Flower's routes, but for its files and for what is none."""
    patterns = [
        route[0] if isinstance(route, tuple) else route.regex.pattern.rstrip("$")
        for route in handlers
    ]
    assert len(patterns) > 25
    return [one.removesuffix("/?") for one in patterns if one not in ("/static/(.*)", ".*")]


ROUTES = _routes()


@pytest.mark.slow
def test_an_address_that_cannot_be_had_is_one_line(commands, own_store_url, redis_url):
    here = {"BLOX_BROKER_URL": redis_url, "FLOWER_BASIC_AUTH": "a:b"}
    ended = commands.run("blox flower --address 203.0.113.1", **here)
    assert (ended.code, len(ended.err.splitlines())) == (1, 1)
    assert "203.0.113.1:5555: Cannot assign requested address; give another by" in ended.err
