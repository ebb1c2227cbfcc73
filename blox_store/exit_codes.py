"""The exit codes of our programs."""

from __future__ import annotations

from typing import Final

SUCCESS: Final = 0
FAILURE: Final = 1  # something in the world is not as it has to be
USAGE: Final = 2  # something on the command line is not as it has to be
INTERRUPTED: Final = 130  # as shells report a process that SIGINT ended
