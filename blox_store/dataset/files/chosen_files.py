"""Opening a release by its folder: the files in it, and which of them answer a request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from blox_core.home import expanded
from blox_store.dataset.arch_argument import is_whole
from blox_store.dataset.benchmarking import Devices
from blox_store.dataset.dataset import Dataset
from blox_store.errors import QueryError, ReleaseMismatch, ReleaseMissing
from blox_store.release.names import ALL_FORMATS, Kind, ReleaseFile, is_pending, scan_folder
from blox_store.release_folder.contents import Content, check_name, content_of, stem

Formats: TypeAlias = str | Sequence[str]
Seeds: TypeAlias = int | str | Sequence[int | str] | None

_PARQUET: Final = "parquet"


def default_formats() -> tuple[str, ...]:
    """Return the formats that are read unless others are asked for, the preferred one first.

    Parquet is among them where pyarrow is installed; pickle is not, for it has to be asked for.
    """
    return ("blox", _PARQUET, "csv") if _reads_parquet() else ("blox", "csv")


def from_folder(
    folder: str | PathLike[str],
    extended: bool = False,
    seeds: Seeds = None,
    devices: Devices = None,
    include_static_info: bool = False,
    include_env_info: bool = False,
    validate_data: bool = True,
    preferred_ext: Formats | None = None,
    *,
    rng: np.random.Generator | int | None = None,
) -> Dataset:
    """Open the release in a folder.

    `seeds`: one, several, or None for all. `devices`: one name, several, None for all that are
    there, or False for none. `preferred_ext`: the formats to read, the preferred one first, with or
    without the dot; if None, `.blox`, `.parquet` where pyarrow is installed, and `.csv`.
    `validate_data` and `rng` as of `Dataset`.

    Raises ReleaseMissing for whatever was asked for and is not there, QueryError for an argument
    that is not allowed, ReleaseMismatch for a file whose header contradicts its name, and what
    `Dataset` raises.
    """
    release = ReleaseFolder(expanded(folder), preferred_ext)
    kinds: list[Kind] = ["base"]
    kinds += ["ext"] if extended else []
    kinds += ["env"] if include_env_info else []
    wanted: list[Content] = [(kind, seed) for kind in kinds for seed in release.seeds(seeds)]
    wanted += [("bench", device) for device in release.devices(devices)]
    wanted += [("info", None)] if include_static_info else []
    paths = release.paths(wanted, check_names=validate_data)

    def of(*kinds: Kind) -> list[Path]:
        return [path for (kind, _), path in paths.items() if kind in kinds]

    return Dataset(of("base", "ext"), of("bench"), of("info"), of("env"), validate_data, rng=rng)


class ReleaseFolder:
    """The files of a folder, each content in the most preferred format that is there.

    Raises ReleaseMissing if there is no such folder or no base file of these formats in it, and
    ReleaseMismatch if an export into it was interrupted while it replaced the files.
    """

    def __init__(self, folder: Path, preferred_ext: Formats | None) -> None:
        self.folder = folder
        self.formats = format_names(preferred_ext)
        self.files: dict[Content, ReleaseFile] = {}
        self.other_formats: dict[Content, str] = {}
        for file in scan_folder(folder):
            self._add(file)
        if is_pending(folder):
            raise ReleaseMismatch(
                f"{folder} holds a mixture of two releases, for an export was interrupted while it "
                "replaced the files; export into it again"
            )
        if not any(kind == "base" for kind, _ in self.files):
            bases = [content for content in self.other_formats if content[0] == "base"]
            raise self._missing(["blox-base-* file"], bases)

    def _add(self, file: ReleaseFile) -> None:
        content, rank = content_of(file), self.formats.index
        known = self.files.get(content)
        if file.format not in self.formats:
            self.other_formats.setdefault(content, file.format)
        elif known is None or rank(file.format) < rank(known.format):
            self.files[content] = file

    def _all_names(self, kind: Kind) -> list[Any]:
        """Return the names of all files of a kind, those of formats that are not read too."""
        return sorted({name for of, name in (*self.files, *self.other_formats) if of == kind})

    def seeds(self, seeds: Seeds) -> list[int]:
        """Return the seeds that a `seeds` argument means, whether they are there or not."""
        if seeds is None:
            return self._all_names("base")
        chosen: Any = np.ravel(seeds).tolist() if isinstance(seeds, np.ndarray) else seeds
        several = isinstance(chosen, Sequence) and not isinstance(chosen, str)
        chosen = list(chosen) if several else [chosen]
        if not chosen or not all(is_whole(seed) or _is_number(seed) for seed in chosen):
            raise QueryError(
                f"seeds {seeds!r}: an integer, some integers, or None for all is allowed"
            )
        return list(dict.fromkeys(int(seed) for seed in chosen))

    def devices(self, devices: Devices) -> list[str]:
        """Return the devices that a `devices` argument means, whether they are there or not."""
        if devices is None:
            return self._all_names("bench")
        if devices is False:
            return []
        chosen = [devices] if isinstance(devices, str) else devices
        if not isinstance(chosen, Sequence) or not all(isinstance(name, str) for name in chosen):
            raise QueryError(
                f"devices {devices!r}: a name, some names, None for all or False for none is "
                "allowed"
            )
        return list(dict.fromkeys(chosen))

    def paths(self, wanted: Iterable[Content], *, check_names: bool) -> dict[Content, Path]:
        """Return the path of each content, in that order.

        Raises ReleaseMissing for those that are not there, all in one, and with `check_names`
        ReleaseMismatch for a file whose header says that it holds something else.
        """
        wanted = list(wanted)
        missing = [content for content in wanted if content not in self.files]
        if missing:
            raise self._missing(map(stem, missing), missing)
        files = {content: self.files[content] for content in wanted}
        if check_names:
            for file in files.values():
                check_name(file)
        return {content: file.path for content, file in files.items()}

    def _missing(self, names: Iterable[str], contents: Iterable[Content]) -> ReleaseMissing:
        there = ", ".join(map(stem, self.files)) or "no such file"
        message = (
            f"{self.folder} has no {', '.join(names)} as {dotted(self.formats)} (it has {there})"
        )
        unread = {self.other_formats[c]: None for c in contents if c in self.other_formats}
        if _PARQUET in unread and not _reads_parquet():
            return ReleaseMissing(
                f"{message}: there is .parquet, which needs pyarrow; in the checkout of Blox run "
                "`pip install '.[parquet]'`"
            )
        if unread:
            formats = [*self.formats, *unread]
            return ReleaseMissing(
                f"{message}: there is {dotted(unread)}, to read it give preferred_ext={formats}"
            )
        return ReleaseMissing(f"{message}: ask for what it has, or give another folder")


def _is_number(seed: Any) -> bool:
    """Whether a seed is written as in the name of its file, as the published package takes it."""
    return isinstance(seed, str) and seed.isdecimal() and seed.isascii()


def format_names(preferred_ext: Formats | None) -> tuple[str, ...]:
    """Return the names of formats without their dots; raise QueryError for unknown ones."""
    if preferred_ext is None:
        return default_formats()
    given = [preferred_ext] if isinstance(preferred_ext, str) else preferred_ext
    several = given if isinstance(given, Iterable) else ()
    names = tuple(str(name).removeprefix(".") for name in several)
    if not names or not set(names) <= set(ALL_FORMATS):
        raise QueryError(
            f"preferred_ext {preferred_ext!r}: one or more of {dotted(ALL_FORMATS)} are allowed"
        )
    return names


def dotted(formats: Iterable[str]) -> str:
    """Return the extensions of formats, for a message."""
    return ", ".join(f".{name}" for name in formats)


def _reads_parquet() -> bool:
    return find_spec("pyarrow") is not None
