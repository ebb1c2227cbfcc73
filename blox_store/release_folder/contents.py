"""What the files of a release folder hold, by their names and by their headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from blox_store.errors import ReleaseMismatch
from blox_store.release.known_columns import DATASET_TYPES
from blox_store.release.names import Kind, ReleaseFile
from blox_store.release.reader import read_header

# What a file holds: its kind, and the seed or device where the kind has one.
Content: TypeAlias = tuple[Kind, int | str | None]


def content_of(file: ReleaseFile) -> Content:
    """Return what a file holds, as its name says."""
    return file.kind, file.device if file.seed is None else file.seed


def stem(content: Content) -> str:
    """Return the name of a file without its extension."""
    kind, name = content
    return f"blox-{kind}" if name is None else f"blox-{kind}-{name}"


def check_name(file: ReleaseFile) -> None:
    """Raise ReleaseMismatch if the header of a file does not say what its name says."""
    if fault := name_fault(file, read_header(file.path)):
        raise ReleaseMismatch(
            f"{file.path} {fault}: rename the file (validate_data=False reads it all the same)"
        )


def name_fault(file: ReleaseFile, header: Mapping[str, Any]) -> str | None:
    """Return what the header of a file says that its name does not, None if nothing."""
    part = file.kind if file.kind in ("base", "ext") else None
    facts = {
        "dataset_type": DATASET_TYPES[file.kind],
        "part": part,
        "seed": file.seed,
        "device": file.device,
    }
    for fact, named in facts.items():
        if header.get(fact) != named:
            return f"has {fact} {header.get(fact)!r} in its header"
    return None
