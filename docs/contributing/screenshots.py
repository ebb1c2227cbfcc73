"""Take the pictures of Flower that the docs show, from a simulated run, in a headless Chromium.

Before each picture the page is waited for until it shows what the docs say that it shows.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
from PIL import Image
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By

from tests.support.cluster import Cluster, cluster
from tests.support.servers import free_port, own_postgres, own_redis, wait_until

IMAGES: Final = Path(__file__).parents[1] / "images"
NODES: Final = {"node1": "0,1", "node2": "0,1"}
JOBS: Final = 12  # a page of Flower has 15 rows
PAGE: Final = "http://{}127.0.0.1:{}"
PORT: Final = free_port()
CREDENTIALS: Final = "lab:for-the-picture"
SIZE: Final = (1600, 1080)
COLOURS: Final = 128  # of a picture: text and a few badges
PATIENCE_S: Final = 180


def main() -> None:
    """Run a cluster and take its pictures."""
    with (
        tempfile.TemporaryDirectory() as folder,
        own_postgres() as postgres,
        own_redis() as redis,
        cluster(Path(folder), postgres, redis, postgres.url) as made,
        browser() as page,
    ):
        made.start(f"flower --port {PORT} --db flower.db", FLOWER_BASIC_AUTH=CREDENTIALS)
        wait_until(_listens, "Flower to listen", PATIENCE_S)
        page.get(PAGE.format(f"{CREDENTIALS}@", PORT))
        run = made.make_run(JOBS, epochs=200, data="cifar100")
        made.scheduler(run)
        for node, gpus in NODES.items():
            made.launcher(gpus, prefix=_named(node), BLOX_SIMULATED_EPOCH_S="0.1")
        _take_workers(page)
        _take_progress(page)
        made.wait_until_ended(run)
        _take_finished(page, made)


@contextmanager
def browser() -> Iterator[Chrome]:
    """Give a browser of our own, with a light page of a fixed size."""
    options = ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{argument}")
    options.add_argument("--window-size={},{}".format(*SIZE))
    page = Chrome(options=options, service=ChromeService("/usr/bin/chromedriver"))
    try:
        yield page
    finally:
        page.quit()


def _take_workers(page: Chrome) -> None:
    names = [f"gpu{gpu}@{node}" for node, gpus in NODES.items() for gpu in gpus.split(",")]

    def are_all_active() -> bool:
        text = page.find_element(By.ID, "workers-table").text
        count = page.find_element(By.ID, "workers-active").text
        return all(name in text for name in names) and count == str(len(names))

    page.get(PAGE.format("", PORT) + "/workers")
    _wait(page, are_all_active, "four workers that are active")
    _shoot(page, "flower-workers")


def _take_progress(page: Chrome) -> None:
    page.get(PAGE.format("", PORT) + "/tasks")

    def is_half_done() -> bool:
        page.refresh()
        text = _tasks(page)
        shown = ("a00000 s5", "PROGRESS", "epoch ", "SUCCESS", " test ")
        return all(part in text for part in shown) and text.count("PROGRESS") == 4

    _wait(page, is_half_done, "tasks in progress, and some that have ended")
    _shoot(page, "flower-progress")


def _take_finished(page: Chrome, made: Cluster) -> None:
    def are_all_finished() -> bool:
        page.refresh()
        text = _tasks(page)
        return text.count("SUCCESS") == JOBS and text.count(" test ") == JOBS

    _wait(page, are_all_finished, "all tasks with their results")
    _shoot(page, "flower-finished")


def _tasks(page: Chrome) -> str:
    """Return what the table of tasks shows, once it has been filled."""
    filled = "return document.readyState == 'complete' && jQuery.active == 0"
    wait_until(lambda: page.execute_script(filled), "the table to be filled", PATIENCE_S)
    return page.find_element(By.ID, "tasks-table").text


def _wait(page: Chrome, condition: Callable[[], bool], what: str) -> None:
    try:
        wait_until(condition, what, PATIENCE_S)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{page.find_element(By.TAG_NAME, 'body').text}") from error


def _shoot(page: Chrome, name: str) -> None:
    IMAGES.mkdir(exist_ok=True)
    picture = Image.open(io.BytesIO(page.get_screenshot_as_png())).convert("RGB")
    picture.quantize(COLOURS).save(IMAGES / f"{name}.png", optimize=True)


def _named(node: str) -> list[str]:
    """Return the prefix of a command that takes its machine for one of this name."""
    return ["unshare", "--uts", "sh", "-c", f'hostname {node}; exec "$@"', "sh"]


def _listens() -> bool:
    return any(
        connection.laddr.port == PORT and connection.status == psutil.CONN_LISTEN
        for connection in psutil.net_connections("tcp4")
    )


if __name__ == "__main__":
    main()
