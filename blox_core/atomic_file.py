"""Files that are there whole or not at all, also after a crash."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a new file to write to, under a temporary name, and put it in place of the old one.

    Whatever is raised meanwhile, the old file stays as it was and no temporary one is left.
    Raises OSError where the system refuses (no such folder, no space, no permission).
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def replace_file(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file whole or not at all, as `replacing` does. Raises OSError."""
    with replacing(path) as file:
        file.writelines(pieces)


def sync_folder(folder: Path) -> None:
    """Make new names in a folder durable: a crash of the machine could undo the renaming otherwise."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
