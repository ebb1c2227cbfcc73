"""Make the pictures of `blox show` and `blox report` that the docs show, from a simulated release.

`python -m docs.contributing.report_pictures show`, or `report`, makes one of them; without a word
both.
"""

from __future__ import annotations

import base64
import io
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from selenium.webdriver import Chrome

from blox_core.recipe import preset
from blox_core.simulation import SIMULATED, simulated_result
from blox_core.space import Architecture, random_indices
from blox_store.export.chosen_jobs import Choice
from blox_store.export.exporter import export
from blox_store.store import Store
from blox_worker.new_run import make_run
from docs.contributing.screenshots import IMAGES, browser
from tests.support.latencies import add_latencies
from tests.support.results import claimed

ARCH_VEC: Final = "[[[2],[0,1,1,1]],[[1],[2,0,1,1]],[[0],[1,1,0,1]]]"
SEEDS: Final = (0, 1)
ARCHITECTURES: Final = 400
DEVICE: Final = "made-up"
MS_PER_FLOP: Final = 2e-8
BLOX: Final = (sys.executable, "-m", "blox_worker.entry")
WIDTH: Final = 1080
COLOURS: Final = 256


def main() -> None:
    """Make the pictures that are asked for."""
    pictures = {"show": draw_show, "report": take_report}
    for name in sys.argv[1:] or pictures:
        pictures[name]()


def draw_show() -> None:
    """Draw an architecture that has each op and each kind of connection."""
    subprocess.run([*BLOX, "show", ARCH_VEC, "--out", IMAGES / "show.svg"], check=True)


def take_report() -> None:
    """Report on a simulated release, and take the whole page in a headless Chromium."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_release(folder)
        page = folder / "report.html"
        subprocess.run([*BLOX, "report", folder / "release", "--out", page], check=True)
        with browser() as window:
            window.get(page.as_uri())
            taken = Image.open(io.BytesIO(_whole_page(window))).convert("RGB")
    taken.quantize(COLOURS).save(IMAGES / "report.png", optimize=True)


def _whole_page(window: Chrome) -> bytes:
    """Return a PNG of all of the page, however high it is."""
    window.set_window_size(WIDTH, WIDTH)
    height = window.execute_script("return document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 1}
    taken = window.execute_cdp_cmd(
        "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip}
    )
    return base64.b64decode(taken["data"])


def _write_release(folder: Path) -> None:
    """Write a release of two seeds, with latencies that are made up as well."""
    recipe, indices = preset("cifar100"), random_indices(ARCHITECTURES, seed=0)
    with Store(f"sqlite:///{folder}/blox.db", migrate=True) as store:
        for seed in SEEDS:
            run = make_run(store, recipe, seed=seed, indices=indices, trainer=SIMULATED).run
            for index in indices:
                result = simulated_result(Architecture(index), recipe, seed)
                store.results.complete(claimed(store, run, index), result)
            if seed == SEEDS[0]:
                _add_latencies(store, indices)
            export(store, run, folder / "release", choice=Choice(simulated=True))


def _add_latencies(store: Store, indices: list[int]) -> None:
    noise = np.random.default_rng(0).normal(1, 0.1, len(indices))
    with store.snapshot() as snapshot:
        costs = snapshot.all_costs(preset("cifar100").shape)
    latencies = {
        index: round(costs[index][1] * MS_PER_FLOP * factor, 6)
        for index, factor in zip(indices, noise.tolist(), strict=True)
    }
    add_latencies(store, DEVICE, latencies)


if __name__ == "__main__":
    main()
