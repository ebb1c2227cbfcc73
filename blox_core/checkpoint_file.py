"""The files of checkpoints: a line that names the format, the sha256 of the rest, the rest.

They are read whole and checked before anything in them is interpreted.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from blox_core.atomic_file import replace_file
from blox_core.errors import CheckpointError

DIGEST_BYTES: Final = hashlib.sha256().digest_size


def write_checkpoint(path: str | Path, magic: bytes, payload: bytes) -> None:
    """Write a checkpoint file; one of that name is replaced at once or not at all."""
    replace_file(Path(path), [magic, hashlib.sha256(payload).digest(), payload])


def read_checkpoint(path: str | Path, magic: bytes) -> bytes:
    """Return the payload of a checkpoint file.

    Raises CheckpointError if the file is missing, unreadable, of another format, or not intact.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(f"checkpoint {path}: {error.strerror}; start without it") from error
    header = len(magic) + DIGEST_BYTES
    digest, payload = data[len(magic) : header], data[header:]
    if not data.startswith(magic) or hashlib.sha256(payload).digest() != digest:
        raise CheckpointError(
            f"checkpoint {path}: {len(data)} bytes that are no intact checkpoint; start without it"
        )
    return payload


def foreign(path: str | Path, error: Exception) -> CheckpointError:
    """Return the error of an intact file with content that Blox does not write."""
    return CheckpointError(
        f"checkpoint {path}: not what Blox writes ({type(error).__name__}); start without it"
    )
