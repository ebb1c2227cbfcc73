"""The console on which commands print what the store holds."""

from __future__ import annotations

from typing import Final

from rich.console import Console

_FILE_WIDTH: Final = 500  # characters: in a file or a pipe no name or error is to be wrapped


def console() -> Console:
    """Return the console for what the store holds: plain text, as wide as it has to be."""
    terminal = Console(highlight=False, markup=False)
    if terminal.is_terminal:
        return terminal
    return Console(highlight=False, markup=False, width=_FILE_WIDTH)
