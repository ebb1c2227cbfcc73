"""The command line of `benchmarks/fidelity.py`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
import torch

from benchmarks.suite.fidelity.figures import Comparison, agree, comparisons, conclusion, table
from benchmarks.suite.fidelity.study import (
    ENGINE,
    REFERENCE,
    Training,
    all_curves,
    study_recipe,
    trainings,
)
from benchmarks.suite.training.figures import machine
from blox_core.recipe import Recipe
from blox_core.result.metrics import Curves
from blox_core.space import SPACE_SIZE

# A lone conv in every stage; conv → conv; and a cell of each kind with all three ops.
ARCHITECTURES: Final = "18639,20710,69418"


def _indices(context: click.Context, parameter: click.Parameter, value: str) -> list[int]:
    try:
        indices = [int(number) for number in value.split(",")]
    except ValueError:
        indices = []
    if not indices or not all(0 <= index < SPACE_SIZE for index in indices):
        raise click.BadParameter(f"{value!r}: arch indices such as {ARCHITECTURES} are allowed")
    return list(dict.fromkeys(indices))


@click.command()
@click.option(
    "--architectures",
    callback=_indices,
    default=ARCHITECTURES,
    show_default=True,
    help="Arch indices to train.",
)
@click.option(
    "--seeds",
    type=click.IntRange(2),
    default=6,
    show_default=True,
    help="Trainings of each by each trainer.",
)
@click.option("--epochs", type=click.IntRange(1), default=6, show_default=True)
@click.option(
    "--images",
    type=click.IntRange(2, 1_250),
    default=640,
    show_default=True,
    help="Training images.",
)
@click.option("--device", default="cpu", show_default=True, help="cpu or cuda.")
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Trainings at a time.",
)
@click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write all curves there too.",
)
@click.option("--check", is_flag=True, help="Exit by 1 if the trainers differ.")
def main(
    architectures: Sequence[int],
    seeds: int,
    epochs: int,
    images: int,
    device: str,
    processes: int,
    json_path: Path | None,
    check: bool,
) -> None:
    """Hold learning curves of the engine against those of the reference trainer."""
    about = machine(torch.device(device))
    recipe = study_recipe(images, epochs)
    wanted = trainings(recipe, architectures, seeds, device)
    found: list[Curves] = []
    for training, curves in zip(wanted, all_curves(wanted, processes), strict=True):
        found.append(curves)
        click.echo(_progress(training, curves, f"{len(found)}/{len(wanted)}"), err=True)
    rows = comparisons(*_by_trainer(wanted, found), recipe)
    click.echo(table(rows, seeds))
    click.echo(conclusion(rows))
    click.echo(", ".join(f"{name} {value}" for name, value in about.items()))
    if json_path is not None:
        _write(json_path, about, recipe, rows, list(zip(wanted, found, strict=True)))
    if check and not agree(rows):
        raise click.ClickException(conclusion(rows))


def _by_trainer(
    wanted: Sequence[Training], found: Sequence[Curves]
) -> tuple[dict[int, list[Curves]], ...]:
    """Return for engine and reference the curves of each arch index."""
    by: dict[str, dict[int, list[Curves]]] = {ENGINE: {}, REFERENCE: {}}
    for training, curves in zip(wanted, found, strict=True):
        by[training.trainer].setdefault(training.arch_index, []).append(curves)
    return by[ENGINE], by[REFERENCE]


def _progress(training: Training, curves: Curves, count: str) -> str:
    last = f"val loss {curves.val_loss[-1]:.3f}"
    return f"{count}: {training.trainer}, {training.arch_index}, seed {training.seed}: {last}"


def _write(
    path: Path,
    about: dict[str, Any],
    recipe: Recipe,
    rows: Sequence[Comparison],
    done: Sequence[tuple[Training, Curves]],
) -> None:
    document = {
        "machine": about,
        "recipe": recipe.to_dict(),
        "rows": [asdict(row) for row in rows],
        "agree": agree(rows),
        "trainings": [
            {"trainer": training.trainer, "arch_index": training.arch_index, "seed": training.seed}
            | {name: values.tolist() for name, values in vars(curves).items()}
            for training, curves in done
        ],
    }
    path.write_text(json.dumps(document, indent=2) + "\n")
