"""`blox init-latency`."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any, Final

import click

from blox_core.latency import PRESETS, preset
from blox_core.latency.predictor import fitting_sample
from blox_core.space import DISTINCT_CELLS, SPACE_SIZE
from blox_store import command_line
from blox_store.store import Store
from blox_worker.commands.arguments import changed, job_options, set_fields_of
from blox_worker.commands.next_step import tell_made
from blox_worker.new_run import make_measuring_run

_NAME: Final = re.compile(r"[a-zA-Z0-9-]{1,64}")
_SAMPLE_SEED: Final = 0


def _device_name(context: click.Context, option: click.Parameter, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise click.BadParameter(f"{name!r}: 1 to 64 of a-z, A-Z, 0-9 and - are allowed")
    return name


@click.command("init-latency")
@click.option(
    "--device-name",
    required=True,
    callback=_device_name,
    help="Of the device in releases, such as h100 or epyc-1thread; one protocol for each.",
)
@click.option(
    "--backend",
    type=click.Choice(list(PRESETS)),
    default="torch-cpu",
    show_default=True,
    help="What runs the models; its usual protocol is taken.",
)
@set_fields_of("protocol")
@job_options("measure", "measured")
@click.option(
    "--sample",
    type=click.IntRange(1, SPACE_SIZE),
    help="Measure so many of them, drawn at random, always the same ones.",
)
@command_line.database_option
def init_latency(
    device_name: str,
    backend: str,
    changes: Mapping[str, Any],
    indices: list[int] | None,
    sample: int | None,
    priority: int,
    database: str | None,
) -> None:
    """Make a run that measures latencies on a device, or add jobs to it."""
    protocol = changed(preset(backend), changes)
    chosen = _sampled(indices, sample)
    with Store(command_line.database_url(database), migrate=True) as store:
        made = make_measuring_run(
            store, protocol, device_name=device_name, indices=chosen, priority=priority
        )
        tell_made(store, made, asked=len(chosen))


def _sampled(indices: list[int] | None, count: int | None) -> list[int]:
    """Return the arch indices; 45 or more of all architectures have every cell in every stage."""
    if count is None:
        return list(range(SPACE_SIZE)) if indices is None else indices
    if indices is None:
        return fitting_sample(-(-count // DISTINCT_CELLS), _SAMPLE_SEED)[:count]
    if count > len(indices):
        raise click.BadParameter(
            f"{count}: at most the {len(indices)} of --indices are allowed", param_hint="--sample"
        )
    return sorted(random.Random(_SAMPLE_SEED).sample(indices, count))
