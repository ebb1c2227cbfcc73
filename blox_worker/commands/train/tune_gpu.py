"""`blox tune-gpu`."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from blox_core import complexity
from blox_core.atomic_file import replace_file
from blox_core.errors import RecipeError
from blox_core.recipe import Recipe
from blox_store.command_line import HomePath
from blox_store.settings import read_settings
from blox_worker.commands.arguments import changed, recipe_options
from blox_worker.commands.console import console
from blox_worker.device.gpus import CPU
from blox_worker.device.lock import DeviceLock
from blox_worker.device.slots import Slot, single_slot
from blox_worker.settings import WorkerSettings
from blox_worker.tuning.sweep import TuningRow, best, loads, sweep
from blox_worker.tuning.view import environment_line, next_commands, timed, tuning_table
from blox_worker.wording import counted

if TYPE_CHECKING:
    from blox_core.throughput import Load, Throughput

_PRECISIONS: Final = {"cpu": ("fp32",), "cuda": ("tf32", "bf16")}
_LEAST_EPOCHS: Final = 4  # `blox_core.throughput.LEAST_EPOCHS`, which would load torch too early


def _jobs(context: click.Context, option: click.Parameter, text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise click.BadParameter(f"{text!r}: numbers from 1 on such as 1,2,4 are allowed")
    return [int(part) for part in parts]


def _precisions(
    context: click.Context, option: click.Parameter, text: str | None
) -> tuple[str, ...] | None:
    if text is None:
        return None
    precisions = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    try:
        for precision in precisions:
            Recipe.check("precision", precision)
    except RecipeError as error:
        raise click.BadParameter(str(error)) from error
    return precisions


@click.command("tune-gpu")
@recipe_options(default="cifar100")
@click.option("--gpu", help="A number, or cpu; default: the first GPU.")
@click.option(
    "--jobs", callback=_jobs, default="1,2,4,8", show_default=True, help="How many side by side."
)
@click.option("--precisions", callback=_precisions, help="Default: tf32,bf16; on the CPU fp32.")
@click.option(
    "--sample",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Architectures that every job trains, from cheap to dear.",
)
@click.option(
    "--epochs",
    type=click.IntRange(_LEAST_EPOCHS),
    default=_LEAST_EPOCHS,
    show_default=True,
    help="Of each training; the first warms up.",
)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Of the images to time on; epochs and tests are scaled up by the steps.",
)
@click.option(
    "--json",
    "json_file",
    type=HomePath(path_type=Path, dir_okay=False),
    help="Write everything into this file, too.",
)
def tune_gpu(
    recipe: Recipe,
    changes: Mapping[str, Any],
    gpu: str | None,
    jobs: list[int],
    precisions: tuple[str, ...] | None,
    sample: int,
    epochs: int,
    share: float,
    json_file: Path | None,
) -> None:
    """Time how many jobs a GPU trains best side by side, and in which precision."""
    wanted, settings = changed(recipe, changes), read_settings(WorkerSettings)
    slot = single_slot(gpu, settings, socket.gethostname())
    os.environ.update(slot.environment)  # before anything loads torch
    load = replace(_load(wanted, sample, slot), epochs=epochs, share=share)
    click.echo(timed(load, slot))
    with DeviceLock(settings.lock_dir, slot.device).held(alone=False, stop=threading.Event()):
        rows = _measured(load, precisions or _PRECISIONS[slot.device], jobs)
    winner = best(rows)
    commands = next_commands(winner, recipe, on_cpu=gpu == CPU)
    _show(rows, winner, commands)
    if json_file is not None:
        _write(json_file, load, rows, winner, commands)


def _load(recipe: Recipe, sample: int, slot: Slot) -> Load:
    from blox_core.throughput import Load, stratified_sample

    _, flops = complexity.params_and_flops(recipe.shape)
    return Load(recipe=recipe, architectures=stratified_sample(flops, sample), device=slot.device)


def _measured(load: Load, precisions: Sequence[str], jobs: Sequence[int]) -> list[TuningRow]:
    """Measure the sweep, with a line of progress before each load."""
    from blox_core.throughput import measure

    lists = loads(load, precisions, jobs)
    order = [one for load_list in lists for one in load_list]

    def told(one: Load) -> Throughput:
        what = f"{one.recipe.precision}, {counted(one.processes, 'job')}"
        click.echo(f"{order.index(one) + 1} of {len(order)}: {what}", err=True)
        return measure(one)

    return list(sweep(lists, told))


def _show(rows: Sequence[TuningRow], winner: TuningRow, commands: Sequence[str]) -> None:
    console().print(tuning_table(rows, winner))
    if winner.throughput is not None:
        click.echo(environment_line(winner.throughput))
    click.echo("most models per hour by:")
    for line in commands:
        click.echo(f"  {line}")


def _write(
    path: Path,
    load: Load,
    rows: Sequence[TuningRow],
    winner: TuningRow,
    commands: Sequence[str],
) -> None:
    measured = winner.throughput
    document = {
        "recipe": load.recipe.to_dict(),
        "device": load.device,
        "environment": None if measured is None else asdict(measured.environment),
        "architectures": list(load.architectures),
        "timed_epochs": load.epochs,
        "scale": load.scale,
        "rows": [{**row.to_dict(), "best": row is winner} for row in rows],
        "commands": list(commands),
    }
    replace_file(path, [f"{json.dumps(document, indent=2)}\n".encode()])
