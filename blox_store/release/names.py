"""The files of a release folder: their names, and which of them are there.

A file name is its stem (`blox-base-0`, `blox-info`, `blox-bench-pixel-4`, …) and the extension of
one of the formats; the stem says what the file holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from blox_store.errors import ReleaseError, ReleaseMissing

Kind: TypeAlias = Literal["base", "ext", "env", "info", "bench"]

FORMATS = ("blox", "csv", "pickle")  # that every installation reads and writes
ALL_FORMATS = (*FORMATS, "parquet")  # which needs an extra
QUICKEST_FIRST = ("blox", "parquet", "csv", "pickle")  # to be read where any of them will do
SEEDED_KINDS: tuple[Kind, ...] = ("base", "ext", "env")
DEVICE_NAME = re.compile(r"[a-zA-Z0-9-]+")

_FILE_NAME = re.compile(
    r"blox-(?:(?P<seeded>base|ext|env)-(?P<seed>0|[1-9][0-9]*)"
    rf"|(?P<info>info)|bench-(?P<device>{DEVICE_NAME.pattern}))"
    rf"\.(?P<format>{'|'.join(ALL_FORMATS)})"
)
_KINDS: dict[str, Kind] = {"base": "base", "ext": "ext", "env": "env"}

PENDING_FOLDER = ".export-pending"  # what an export has made and not put into place yet
SIMULATED_FILE = "SIMULATED"  # a file beside those of a release whose figures are made up


@dataclass(frozen=True, kw_only=True)
class ReleaseFile:
    """One file of a release folder, as its name describes it.

    `seed` is set for the kinds base, ext and env, `device` for bench; `format` has no dot.
    """

    path: Path
    kind: Kind
    seed: int | None
    device: str | None
    format: str


def file_name(
    kind: Kind, *, seed: int | None = None, device: str | None = None, format: str
) -> str:
    """Return the name of a release file; `ReleaseError` where no file has such a name."""
    stem = f"blox-{kind}"
    if seed is not None:
        stem += f"-{seed}"
    if device is not None:
        stem += f"-{device}"
    name = f"{stem}.{format}"
    file = described(Path(name))
    if file is None or (file.kind, file.seed, file.device) != (kind, seed, device):
        raise ReleaseError(
            f"no release file is called {name!r}: base, ext and env take a seed of 0 or more, bench "
            f"a device name matching {DEVICE_NAME.pattern}, and the format is one of "
            f"{', '.join(ALL_FORMATS)}"
        )
    return name


def described(path: Path) -> ReleaseFile | None:
    """Return what a path's name says about the file, or None if it is no release file."""
    match = _FILE_NAME.fullmatch(path.name)
    if match is None:
        return None
    kind = _KINDS.get(match["seeded"] or "", "info" if match["info"] else "bench")
    seed = None if match["seed"] is None else int(match["seed"])
    return ReleaseFile(
        path=path, kind=kind, seed=seed, device=match["device"], format=match["format"]
    )


def scan_folder(folder: Path) -> list[ReleaseFile]:
    """Return the release files of a folder in the order of their names; others are ignored.

    Raises `ReleaseMissing` if there is no such folder; an empty list means no release files.
    """
    if not folder.is_dir():
        raise ReleaseMissing(
            f"no release folder {folder}: give the folder that holds the blox-* files"
        )
    files = (described(path) for path in sorted(folder.iterdir()) if path.is_file())
    return [file for file in files if file is not None]


def is_pending(folder: Path) -> bool:
    """Whether an export was interrupted while it replaced the files of a release folder."""
    pending = folder / PENDING_FOLDER
    return pending.is_dir() and any(pending.iterdir())
