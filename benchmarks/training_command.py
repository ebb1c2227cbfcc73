"""The command line of the benchmarks of training: torch, torchvision and numpy are all it needs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

import torch

from benchmarks.training_augmentation import augmentation_figures
from benchmarks.training_checkpoint import checkpoint_figures
from benchmarks.training_figures import Effort, Figure, machine, table

SUCCESS, MISSED = 0, 1

PARTS: Final[Mapping[str, Callable[[Effort], list[Figure]]]] = MappingProxyType(
    {"augmentation": augmentation_figures, "checkpoint": checkpoint_figures}
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    effort = Effort(
        device=torch.device(options.device),
        images=options.images,
        runs=options.runs,
        workers=options.workers,
    )
    about = machine(effort.device)
    figures = [figure for part in options.parts or PARTS for figure in PARTS[part](effort)]
    print(table(figures))  # noqa: T201
    print(", ".join(f"{name} {value}" for name, value in about.items()))  # noqa: T201
    if options.json:
        rows = [figure.to_dict() for figure in figures]
        options.json.write_text(json.dumps({"machine": about, "rows": rows}, indent=2) + "\n")
    missed = [figure for figure in figures if figure.missed]
    for figure in missed if options.check else ():
        print(f"missed: {figure}")  # noqa: T201
    return MISSED if options.check and missed else SUCCESS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python benchmarks/training.py", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (%(default)s)")
    parser.add_argument("--images", type=int, default=45_000, help="of an epoch (%(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="of which medians count (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="of the DataLoader (%(default)s)")
    # Two threads that wait for each other are slower than one where a second core is not free.
    parser.add_argument("--threads", type=int, default=1, help="of torch on a CPU (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.add_argument("--check", action="store_true", help="exit by 1 if a bound is missed")
    return parser
