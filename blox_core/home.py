"""`~`, the home folder, in paths that no shell has expanded."""

from __future__ import annotations

import os
from pathlib import Path


def expanded(path: str | os.PathLike[str]) -> Path:
    """Return a path with the home folder in place of `~`, or of `~name` where there is one."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  # pathlib's fails where there is none
