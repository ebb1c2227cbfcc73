"""Numbers, durations, cells and errors as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from blox_core.space import OPS, Architecture
from blox_store.passwords import without_passwords
from blox_store.store import JobState

GO_ON: Final = "stopped; run the same command again to go on where it stopped"

_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400


def counted(number: int, noun: str) -> str:
    """Return `1 job`, `2 jobs`, `1,234 jobs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return a time in its two largest units, seconds alone below 2 minutes."""
    whole = round(max(0.0, seconds))
    if whole < 2 * _MINUTE_S:
        return f"{whole} s"
    if whole < 2 * _HOUR_S:
        return f"{whole // _MINUTE_S} min"
    if whole < 2 * _DAY_S:
        return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"
    return f"{whole // _DAY_S} d {whole % _DAY_S // _HOUR_S} h"


def last_line(error: str | None) -> str | None:
    """Return the line of a traceback that says what was wrong, None without an error."""
    return None if error is None else error.strip().rpartition("\n")[-1].strip()


def without_secrets(text: str | None) -> str | None:
    """Return a text that others wrote, such as a traceback, without the passwords in it."""
    return None if text is None else without_passwords(text)


def jobs_by_state(counts: Mapping[JobState, int] | Mapping[str, int]) -> str:
    """Return `3 pending, 1 running`, without the states that no job is in."""
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "no jobs"


def describe_cells(arch_index: int) -> str:
    """Return the three cells in words, such as `conv→mbconv+skip | conv | conv∥bconv`."""
    return " | ".join(_describe_cell(cell) for cell in Architecture(arch_index).cells)


def _describe_cell(cell: tuple[int, int, int, int, int]) -> str:
    op1, op2, prev, from_input, skip = cell
    if not prev:
        return f"{OPS[op1]}∥{OPS[op2]}" if skip else OPS[op2]
    joined = f"({OPS[op1]}+x)" if from_input else OPS[op1]
    return f"{joined}→{OPS[op2]}{'+skip' if skip else ''}"


def name_of(arch_index: int) -> str:
    """Return the short name of an architecture."""
    return f"a{arch_index:05d}"


def percent(correct: int, images: int) -> str:
    """Return an accuracy as text."""
    return f"{100 * correct / images:.1f} %"
