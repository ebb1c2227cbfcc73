"""Fetch the data set of a preset recipe: `python -m blox_core.data cifar100 DIR`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from blox_core.data.loading import load_data
from blox_core.errors import BloxError
from blox_core.recipe import PRESETS, preset

SUCCESS, FAILURE = 0, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Download a data set unless it is there, check it, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m blox_core.data", description=__doc__)
    parser.add_argument("recipe", choices=list(PRESETS))
    parser.add_argument("data_dir", type=Path, help="the folder that holds data sets")
    options = parser.parse_args(arguments)
    try:
        data = load_data(preset(options.recipe), options.data_dir, download=True)
    except BloxError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return FAILURE
    sizes = f"{len(data.train_images)}/{len(data.val_images)}/{len(data.test_images)}"
    print(f"{options.recipe}: {sizes} images in {options.data_dir}")  # noqa: T201
    return SUCCESS


if __name__ == "__main__":
    sys.exit(main())
