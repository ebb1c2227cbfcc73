"""Flower as a process of a cluster, and its pages as a program reads them."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from tests.support.cluster import Cluster
from tests.support.servers import free_port


class FlowerPages:
    """The pages of `blox flower`, which listens on a free port of this machine."""

    def __init__(self, cluster: Cluster, credentials: str) -> None:
        self.port = free_port()
        self._cluster = cluster
        self._credentials = credentials

    def start(self) -> subprocess.Popen[bytes]:
        """Start Flower and wait until it answers."""
        process = self._cluster.start(
            f"flower --port {self.port} --db flower.db", FLOWER_BASIC_AUTH=self._credentials
        )
        self._cluster.wait(lambda: self.status("/healthcheck") == 200, "Flower to answer")
        return process

    def status(self, path: str, *, method: str = "GET", credentials: str | None = None) -> int:
        """Return the status of an answer, 0 without one; our credentials are given by default."""
        return self._ask(path, method, credentials)[0]

    def text(self, path: str) -> str:
        """Return a page."""
        return self._ask(path, "GET", None)[1]

    def workers(self) -> dict[str, dict[str, Any]]:
        """Return what the page of workers shows, by their names."""
        shown = json.loads(self.text("/workers?json=1"))["data"]
        return {worker["hostname"]: worker for worker in shown}

    def task(self, task_id: str) -> dict[str, Any]:
        """Return what the page of tasks shows of one."""
        return self._tasks().get(task_id, {})

    def told(self, task_ids: Sequence[str], state: str) -> set[str]:
        """Return what is shown as results of those of some tasks that are in a state."""
        found = [task for name, task in self._tasks().items() if name in task_ids]
        return {task["result"] for task in found if task["state"] == state}

    def _tasks(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = json.loads(self.text("/api/tasks"))
        return found

    def _ask(self, path: str, method: str, credentials: str | None) -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        given = self._credentials if credentials is None else credentials
        if given:
            encoded = base64.b64encode(given.encode()).decode()
            request.add_header("Authorization", f"Basic {encoded}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""
