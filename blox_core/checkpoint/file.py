"""The files of checkpoints: a line that names the format, the sha256 of the rest, the rest.

They are written piece by piece, and read whole and checked before anything in them is interpreted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from blox_core.atomic_file import replacing
from blox_core.errors import CheckpointError

DIGEST_BYTES: Final = hashlib.sha256().digest_size


class Payload:
    """What a checkpoint's content is written to, without copies: it is hashed on its way.

    An OSError is kept for the end: torch.save would make a RuntimeError of it, which is no fault
    of the node. What is written after it is lost.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self._error: OSError | None = None

    def write(self, piece: bytes | memoryview) -> int:
        """Write the next piece."""
        if self._error is None:
            self._sha256.update(piece)
            try:
                self._file.write(piece)
            except OSError as error:
                self._error = error
        return len(piece)

    def flush(self) -> None:
        """Do nothing: torch.save asks for it, and the whole file is synced at the end."""

    def digest(self) -> bytes:
        """Return the sha256 of all pieces; raise the OSError that a write has met."""
        if self._error is not None:
            raise self._error
        return self._sha256.digest()


@contextmanager
def new_checkpoint(path: str | Path, magic: bytes) -> Iterator[Payload]:
    """Give what the content of a checkpoint file is to be written to.

    A file of that name is replaced at once or not at all. Raises OSError.
    """
    with replacing(Path(path)) as file:
        file.write(magic + bytes(DIGEST_BYTES))
        payload = Payload(file)
        yield payload
        file.seek(len(magic))
        file.write(payload.digest())


def read_checkpoint(path: str | Path, magic: bytes) -> bytes:
    """Return the payload of a checkpoint file.

    Raises CheckpointError if the file is missing, unreadable, of another format, or not intact.
    """
    try:
        with Path(path).open("rb") as file:
            header = file.read(len(magic) + DIGEST_BYTES)
            payload = file.read()
    except OSError as error:
        raise CheckpointError(f"checkpoint {path}: {error.strerror}; start without it") from error
    if header != magic + hashlib.sha256(payload).digest():
        size = len(header) + len(payload)
        raise CheckpointError(
            f"checkpoint {path}: {size} bytes that are no intact checkpoint; start without it"
        )
    return payload


def foreign(path: str | Path, error: Exception) -> CheckpointError:
    """Return the error of an intact file with content that Blox does not write."""
    return CheckpointError(
        f"checkpoint {path}: not what Blox writes ({type(error).__name__}); start without it"
    )
