"""Debian's Prometheus as a process of a test, and its HTTP API."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.support.servers import free_port, wait_until

MONITORING = Path(__file__).parents[2] / "monitoring"
EVERY = "1s"


class Prometheus:
    """The API of a Prometheus on this machine."""

    def __init__(self, port: int) -> None:
        self.address = f"127.0.0.1:{port}"

    def query(self, expression: str) -> list[Any]:
        """Return what an expression gives now; fail if it is no valid one."""
        found: list[Any] = self.ask("query", query=expression)["result"]
        return found

    def ask(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer of the API."""
        asked = urllib.parse.urlencode(parameters)
        url = f"http://{self.address}/api/v1/{path}?{asked}"
        try:
            with urllib.request.urlopen(url) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready"):
                return True
        except OSError:
            return False


@contextmanager
def prometheus(folder: Path, scheduler: str) -> Iterator[Prometheus]:
    """Run a Prometheus by our configuration, which asks a scheduler, and itself, every second."""
    made = Prometheus(free_port())
    targets = {"blox": scheduler, "prometheus": made.address}
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={_configured(folder, targets)}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address={made.address}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(made.is_ready, "Prometheus to be ready")
        yield made
    finally:
        process.kill()
        process.wait()


def _configured(folder: Path, targets: dict[str, str]) -> Path:
    """Return our configuration with other addresses, in more of a hurry."""
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    config["global"] |= dict.fromkeys(
        ("scrape_interval", "scrape_timeout", "evaluation_interval"), EVERY
    )
    config["rule_files"] = [str(MONITORING / name) for name in config["rule_files"]]
    for scraped in config["scrape_configs"]:
        scraped["static_configs"] = [{"targets": [targets.pop(scraped["job_name"])]}]
    assert not targets
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    return file
