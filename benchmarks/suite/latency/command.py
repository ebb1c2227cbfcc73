"""The command line of the benchmark of latencies: torch, torchvision and numpy are all it needs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks.suite.latency.figures import Study, latency_figures, study
from benchmarks.suite.training.figures import is_busy, machine, table
from blox_core.errors import BloxError
from blox_core.latency.protocol import BACKENDS, LatencyProtocol, preset
from blox_core.latency.this_device import device_identity

SUCCESS, FAILED = 0, 1
TOO_BUSY: Final = "the machine is busy"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    options = _parser().parse_args(arguments)
    if is_busy() and not options.any_load:
        print(f"{TOO_BUSY}: stop other work, or measure by --any-load")  # noqa: T201
        return FAILED
    try:
        protocol = replace(preset(options.backend), **dict(options.set))
        about = machine(torch.device("cuda" if protocol.on_cuda else "cpu"))
        identity = device_identity(protocol).to_dict()
        found = study(protocol, options.sample, options.rounds)
    except BloxError as error:
        print(f"latency: {error}")  # noqa: T201
        return FAILED
    figures = latency_figures(found)
    print(table(figures))  # noqa: T201
    if about["busy"]:
        print(f"{TOO_BUSY}: times are of no use")  # noqa: T201
    for title, values in (("", about), ("device: ", identity), ("protocol: ", protocol.to_dict())):
        print(title + ", ".join(f"{name} {value}" for name, value in values.items()))  # noqa: T201
    if options.json:
        document = {
            "machine": about,
            "device": identity,
            "protocol": protocol.to_dict(),
            "rows": [figure.to_dict() for figure in figures],
            "measurements": measurements(found),
            "predictor": found.predictor.to_dict(),
        }
        options.json.write_text(json.dumps(document, indent=2) + "\n")
    return SUCCESS


def measurements(found: Study) -> dict[str, list[dict[str, Any]]]:
    """Return all that was measured, by the run in which it was."""
    runs = {"first": found.first, "fitted": found.fitted, "again": found.again}
    return {
        name: [
            {"arch_index": index} | measurement.to_dict()
            for index, measurement in zip(run.indices, run.measurements, strict=True)
        ]
        for name, run in runs.items()
    }


def field_value(text: str) -> tuple[str, Any]:
    """Return the field and the value of a text such as batch=8."""
    name, _, value = text.partition("=")
    known = [field.name for field in fields(LatencyProtocol)]
    if name not in known:
        raise argparse.ArgumentTypeError(f"{name!r}: one of {', '.join(known)} is allowed")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value  # a string; the protocol says what it allows


def at_least(least: int) -> Any:
    """Return the type of an option that is an integer of at least so much."""

    def integer(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r}: an integer of {least} or more is allowed")
        return int(text)

    return integer


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python benchmarks/latency.py", description=__doc__)
    parser.add_argument(
        "--backend", default=BACKENDS[0], help=f"of {', '.join(BACKENDS)} (%(default)s)"
    )
    parser.add_argument(
        "--set",
        action="append",
        type=field_value,
        default=[],
        metavar="FIELD=VALUE",
        help="change a field of the backend's usual protocol",
    )
    parser.add_argument(
        "--sample",
        type=at_least(2),
        default=100,
        help="architectures, measured twice (%(default)s)",
    )
    parser.add_argument(
        "--rounds",
        type=at_least(1),
        default=3,
        help="of 45 architectures to fit the predictor to (%(default)s)",
    )
    parser.add_argument("--any-load", action="store_true", help="measure on a busy machine too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    return parser
