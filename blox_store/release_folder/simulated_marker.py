"""The file that tells a release of made-up figures from a real one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from blox_core.atomic_file import replace_file
from blox_store.release.names import SIMULATED_FILE

if TYPE_CHECKING:  # whoever only looks for the mark needs no database
    from blox_store.store import Run

__all__ = ["SIMULATED_FILE", "write_marker"]


def write_marker(out: Path, run: Run) -> None:
    """Mark the folder `out`; the mark is durable when this returns."""
    text = (
        "The figures in this folder are made up by a simulation of Blox: nothing was trained.\n"
        f"The last export was of {run}.\n"
    )
    replace_file(out / SIMULATED_FILE, [text.encode("utf-8")])
