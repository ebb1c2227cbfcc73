"""The command line of the benchmarks of training: torch, torchvision and numpy are all it needs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import torch

from benchmarks.suite.training.augmentation import augmentation_figures
from benchmarks.suite.training.checkpoint import checkpoint_figures
from benchmarks.suite.training.figures import Effort, Figure, cores, is_busy, machine, table
from benchmarks.suite.training.steps import step_figures
from benchmarks.suite.training.throughput import job_figures, model_figures

SUCCESS, MISSED = 0, 1
TOO_BUSY: Final = "the machine is busy"


class Usual(NamedTuple):
    """What `Effort` is where nothing else is asked for."""

    batch: int
    sample: int
    share: float
    jobs: tuple[int, ...]


# An epoch of the published recipe takes a CPU a quarter of an hour: a few steps stand for it.
ON_CPU: Final = Usual(batch=32, sample=3, share=0.003, jobs=(1, 2))
ON_CUDA: Final = Usual(batch=256, sample=3, share=1.0, jobs=(1, 2, 4, 8))

PARTS: Final[Mapping[str, Callable[[Effort], list[Figure]]]] = MappingProxyType(
    {
        "augmentation": augmentation_figures,
        "step": step_figures,
        "models": model_figures,
        "jobs": job_figures,
        "checkpoint": checkpoint_figures,
    }
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    options = _parser().parse_args(arguments)
    if is_busy() and not options.any_load:
        print(f"{TOO_BUSY}: stop other work, or measure by --any-load")  # noqa: T201
        return MISSED
    torch.set_num_threads(options.threads)
    effort = effort_of(options)
    about = machine(effort.device)
    figures = [figure for part in options.parts or PARTS for figure in PARTS[part](effort)]
    print(table(figures))  # noqa: T201
    if about["busy"]:
        print(f"{TOO_BUSY}: times are of no use")  # noqa: T201
    print(", ".join(f"{name} {value}" for name, value in about.items()))  # noqa: T201
    if options.json:
        rows = [figure.to_dict() for figure in figures]
        options.json.write_text(json.dumps({"machine": about, "rows": rows}, indent=2) + "\n")
    missed = [figure for figure in figures if figure.missed]
    for figure in missed if options.check else ():
        print(f"missed: {figure}")  # noqa: T201
    return MISSED if options.check and missed else SUCCESS


def effort_of(options: argparse.Namespace) -> Effort:
    """Return what was asked for; without a word, what takes minutes on the device."""
    usual = ON_CUDA if options.device.startswith("cuda") else ON_CPU
    asked = {name: getattr(options, name) for name in usual._fields}
    return Effort(
        device=torch.device(options.device),
        images=options.images,
        runs=options.runs,
        workers=options.workers,
        compiled=options.compiled,
        **usual._asdict() | {name: value for name, value in asked.items() if value is not None},
    )


def numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of a list such as 1,2,4."""
    return tuple(int(part) for part in text.split(","))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python benchmarks/training.py", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--images", type=int, default=45_000, help="of an epoch (%(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="of which medians count (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="of the DataLoader (%(default)s)")
    parser.add_argument("--threads", type=int, default=cores(), help="of torch (%(default)s)")
    parser.add_argument("--batch", type=int, help=f"of a step {_usual('batch')}")
    parser.add_argument("--sample", type=int, help=f"architectures, up to 3 {_usual('sample')}")
    parser.add_argument("--share", type=float, help=f"of an epoch {_usual('share')}")
    parser.add_argument("--jobs", type=numbers, help=f"side by side {_usual('jobs')}")
    parser.add_argument("--compiled", action="store_true", help="measure compiled blocks too")
    parser.add_argument("--any-load", action="store_true", help="measure on a busy machine too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.add_argument("--check", action="store_true", help="exit by 1 if a bound is missed")
    return parser


def _usual(name: str) -> str:
    return f"({getattr(ON_CPU, name)} on a CPU, {getattr(ON_CUDA, name)} on CUDA)"
