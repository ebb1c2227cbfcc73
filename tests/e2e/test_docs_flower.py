"""The commands of the page on Flower, and the pictures that it shows."""

import re
import signal
import urllib.request
from pathlib import Path

import pytest
from PIL import Image

from tests.support.servers import free_port, wait_until

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "flower.md"
LARGEST_BYTES = 150_000


@pytest.mark.slow
def test_the_commands_of_the_page_serve_flower(commands, redis_url):
    (block,) = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    exported, serve = block.splitlines()
    name, value = exported.removeprefix("export ").split("=", 1)
    here = {name: value, "BLOX_BROKER_URL": redis_url}
    commands.succeed("blox migrate")
    port = free_port()
    flower = commands.start(f"{serve} --port {port}", **here)

    def answers():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthcheck") as answer:
                return answer.read() == b"OK"
        except OSError:
            return False

    wait_until(answers, "Flower to answer")
    flower.send_signal(signal.SIGTERM)
    out, err = flower.communicate(timeout=60)
    assert (flower.returncode, f"Flower is at http://127.0.0.1:{port}" in out) == (0, True), err
    assert list(commands.folder.glob("flower.db*"))


def test_the_pictures_are_small_and_shown():
    shown = re.findall(r"!\[[^]]+\]\((\.\./images/[^)]+)\)", PAGE.read_text())
    files = [(PAGE.parent / name).resolve() for name in shown]
    assert sorted(files) == sorted((PAGE.parents[1] / "images").glob("flower-*.png"))
    assert len(files) == 3
    for file in files:
        assert file.stat().st_size < LARGEST_BYTES
        with Image.open(file) as picture:
            assert picture.width > 1000
