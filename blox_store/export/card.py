"""The dataset card of a release folder: `README.md` and its picture, for people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from blox_core.atomic_file import replace_file
from blox_core.result.trainer_revision import TORCH
from blox_core.space import SPACE_SIZE, Architecture
from blox_store.export import card_picture
from blox_store.export.seed_figures import SeedFigures, accuracies_of
from blox_store.release.names import QUICKEST_FIRST
from blox_store.release.reader import read_table
from blox_store.release.table import Table
from blox_store.release_folder.device_summary import DeviceSummary, device_summaries
from blox_store.release_folder.manifest import FileEntry, Manifest

CARD_FILE: Final = "README.md"
_LICENCE: Final = re.compile(r"^Licence: .*$", re.MULTILINE)
_NO_LICENCE: Final = "Licence: (to be stated here by whoever publishes this release)"
_MADE_UP: Final = "**The figures are made up by a simulation: nothing was trained.**\n\n"
_BEST: Final = 10
_FILES: Final = {
    "base": "validation top-1 of each epoch, test top-1, training time (s)",
    "ext": "all other accuracies and losses",
    "env": "where each training ran",
    "info": "parameters, FLOPs, arch vectors",
    "bench": "inference latency (ms)",
}


def write_card(
    building: Path,
    out: Path,
    manifest: Manifest,
    figures: SeedFigures,
    unpredicted: Sequence[str],
) -> bool:
    """Write the card of a release of which some files are still in `out`; return if with picture.

    A licence line that somebody has written into the card in `out` stays. There is no picture
    where matplotlib is not installed. `unpredicted` are devices whose latencies were to be
    predicted, and could not.
    """
    means = figures.averaged(
        [accuracies_of(read) for read in _other_seeds(building, out, manifest)]
    )
    has_picture = card_picture.draw(means, building / card_picture.PICTURE_FILE)
    licence = _licence(out / CARD_FILE)
    text = _text(manifest, means, licence, unpredicted, has_picture=has_picture)
    replace_file(building / CARD_FILE, [text.encode("utf-8")])
    return has_picture


def _text(
    manifest: Manifest,
    figures: SeedFigures,
    licence: str,
    unpredicted: Sequence[str],
    *,
    has_picture: bool,
) -> str:
    """Return the card: what the release is, how it was made, what is in it, how to read it."""
    devices = list(device_summaries(manifest))
    parts = [
        _heading(manifest),
        f"![accuracy, FLOPs and parameters]({card_picture.PICTURE_FILE})" if has_picture else "",
        f"## Seeds\n\n{_seeds(manifest)}",
        f"## Best architectures\n\n{_best(manifest, figures)}",
        f"## Latency\n\n{_devices(devices, unpredicted)}" if devices else "",
        f"## Files\n\n{_files(manifest.files)}",
        f"## How to read it\n\n{_reading(manifest)}",
        f"## Recipe\n\n{_recipe(manifest)}",
        licence,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _other_seeds(building: Path, out: Path, manifest: Manifest) -> Iterator[Table]:
    base = {
        (file.header["seed"], file.name.rpartition(".")[2]): file.name
        for file in manifest.files
        if file.header.get("part") == "base" and not (building / file.name).exists()
    }
    for seed in {seed for seed, _ in base}:
        format = next(format for format in QUICKEST_FIRST if (seed, format) in base)
        # It is ours: a pickle is read by the unpickler that admits plain values only.
        yield read_table(out / base[seed, format], allow_pickle=True)


def _licence(card: Path) -> str:
    found = _LICENCE.search(card.read_text("utf-8", "replace")) if card.is_file() else None
    return found[0] if found else _NO_LICENCE


def _heading(manifest: Manifest) -> str:
    trainings = manifest.trainings
    rows = max(file.rows for file in manifest.files if file.header.get("part") == "base")
    made_up = "" if trainings.trainer == TORCH else _MADE_UP
    return (
        f"# Blox on {trainings.dataset}\n\n{made_up}"
        f"{rows:,} of the {SPACE_SIZE:,} architectures of the Blox search space, each trained on "
        f"{trainings.dataset} for {_counted(trainings.recipe['epochs'], 'epoch')} with "
        f"{_counted(len(manifest.seeds), 'seed')}. Made by Blox {manifest.seeds[-1].code_version}, "
        f"trainer `{trainings.trainer}` revision {trainings.trainer_revision}. `manifest.json` has "
        "the whole recipe, the architectures that are missing, and the SHA-256 of every file; "
        "`python -m blox_store.verify` checks them."
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _seeds(manifest: Manifest) -> str:
    names = ("succeeded", "diverged", "failed", "missing")
    rows = [
        (seed.seed, *(f"{seed.counts[name]:,}" for name in names), seed.environments)
        for seed in manifest.seeds
    ]
    table = _table(("seed", *names, "environments"), rows)
    padded = any(seed.includes_diverged and seed.counts["diverged"] for seed in manifest.seeds)
    return f"{table}\n\nDiverged ones have rows, padded with NaN." if padded else table


def _best(manifest: Manifest, figures: SeedFigures) -> str:
    order = np.argsort(-np.nan_to_num(figures.val_top1, nan=-1.0), kind="stable")[:_BEST]
    rows = [
        (
            int(figures.indices[row]),
            f"{figures.val_top1[row]:.3f}",
            f"{figures.test_top1[row]:.3f}",
            f"{figures.params[row]:,}",
            f"{figures.flops[row]:,}",
            f"`{Architecture(int(figures.indices[row])).arch_vec}`".replace(" ", ""),
        )
        for row in order.tolist()
    ]
    table = _table(("arch index", "validation %", "test %", "params", "FLOPs", "arch vector"), rows)
    if len(manifest.seeds) > 1:
        table += f"\n\nAccuracies are means of {len(manifest.seeds)} seeds."
    return table


def _devices(devices: Sequence[DeviceSummary], unpredicted: Sequence[str]) -> str:
    rows = [
        (
            f"`{one.name}`",
            one.hardware,
            one.protocol,
            *(f"{count:,}" for count in (one.rows, one.unstable, one.predicted)),
            one.error,
        )
        for one in devices
    ]
    heading = ("device", "hardware", "protocol", "rows", "unstable", "predicted", "error")
    text = (
        f"{_table(heading, rows)}\n\n`manifest.json` has each whole protocol, the clock, driver and "
        "libraries, and which latencies are unstable or predicted."
    )
    if any(one.predicted for one in devices):
        text += (
            " The error is that of predicting each measured latency from all other measured ones: "
            "the mean absolute percentage error."
        )
    for name in unpredicted:
        text += f" Those on `{name}` that were not measured could not be predicted."
    return text


def _files(files: Sequence[FileEntry]) -> str:
    rows = [
        (
            f"`{file.name}`",
            _content(file),
            f"{file.rows:,}",
            f"{file.bytes:,}",
        )
        for file in files
    ]
    return _table(("file", "what", "rows", "bytes"), rows)


def _content(file: FileEntry) -> str:
    kind = file.name.split("-")[1].partition(".")[0]
    of_all = kind == "info" and file.rows == SPACE_SIZE
    if predicted := file.header.get("predicted"):
        return f"{_FILES[kind]}, {predicted:,} rows of it predicted, not measured"
    return f"{_FILES[kind]} of all architectures, trained or not" if of_all else _FILES[kind]


def _reading(manifest: Manifest) -> str:
    index = int(manifest.seeds[0].indices.partition(",")[0].partition("-")[0])
    return (
        "```python\nimport blox\n\n"
        'd = blox.from_folder(".", include_static_info=True)\n'
        f"d.val_acc({index}), d.test_acc({index}), d.params({index})\n```"
    )


def _recipe(manifest: Manifest) -> str:
    trainings = manifest.trainings
    rows = [(f"`{name}`", f"`{value}`") for name, value in sorted(trainings.recipe.items())]
    return f"Fingerprint `{trainings.recipe_fingerprint}`.\n\n{_table(('what', 'value'), rows)}"


def _table(heading: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
