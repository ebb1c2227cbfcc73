"""What is in a release folder already, and whether a new export may join it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from blox_store.errors import ExportRefused, ReleaseCorrupt
from blox_store.release.names import SIMULATED_FILE, scan_folder
from blox_store.release_folder.manifest import (
    MANIFEST_FILE,
    Manifest,
    SeedEntry,
    Trainings,
    read_manifest,
)

_ADVICE = "give another folder"


@dataclass(frozen=True, kw_only=True)
class NewFiles:
    """What an export is about to put into a folder."""

    trainings: Trainings
    seed: int
    simulated: bool
    names: Sequence[str]

    def stems(self) -> set[str]:
        """Return the names without the extensions."""
        return {Path(name).stem for name in self.names}


def check_neighbours(out: Path, new: NewFiles) -> Manifest:
    """Return the manifest of what stays in `out` beside new files; ExportRefused if they clash.

    Names may not be those of folders; simulated files and real ones may not meet; older files of
    other formats may not stay beside the new ones; what stays has to be in the manifest, and
    trained in the same way.
    """
    taken = [*new.names, SIMULATED_FILE, MANIFEST_FILE]
    if blocked := [name for name in taken if (out / name).exists() and not (out / name).is_file()]:
        raise ExportRefused(f"in folder {out}, {', '.join(blocked)} is no file; {_ADVICE}")
    names = [file.path.name for file in scan_folder(out)]
    _refuse_mixture(out, names, new.simulated)
    _refuse_other_formats(out, names, new)
    try:
        manifest = read_manifest(out)
    except ReleaseCorrupt as error:
        raise ExportRefused(f"{error}; delete it and its release, or {_ADVICE}") from error
    staying = _staying(manifest, new)
    _refuse_unknown(out, names, [*new.names, *(file.name for file in staying.files)])
    _refuse_other_trainings(out, manifest, new)
    return staying


def check_architectures(out: Path, staying: Manifest, seed: SeedEntry) -> None:
    """Raise ExportRefused unless the seed has rows for the same architectures as those in `out`."""
    for other in staying.seeds:
        if other.indices != seed.indices:
            raise ExportRefused(
                f"folder {out} has {_rows(other)} architectures of seed {other.seed}, this export "
                f"{_rows(seed)} of seed {seed.seed}, and not the same: all seeds of a release have "
                f"the same ones; choose them by --start, --stop or --include-diverged, or {_ADVICE}"
            )


def _rows(seed: SeedEntry) -> int:
    return seed.counts["succeeded"] + (seed.counts["diverged"] if seed.includes_diverged else 0)


def _refuse_mixture(out: Path, names: list[str], simulated: bool) -> None:
    is_marked = (out / SIMULATED_FILE).exists()
    if is_marked and not simulated:
        raise ExportRefused(
            f"folder {out} is of a simulated release, as its file {SIMULATED_FILE} says, and these "
            f"figures are real; {_ADVICE}"
        )
    if names and simulated and not is_marked:
        raise ExportRefused(
            f"folder {out} has {names[0]} of a real release, and these figures are simulated; "
            f"{_ADVICE}"
        )


def _refuse_other_formats(out: Path, names: list[str], new: NewFiles) -> None:
    old = {name for name in names if Path(name).stem in new.stems()}
    if left := sorted(old - set(new.names)):
        raise ExportRefused(
            f"folder {out} has {', '.join(left)} of an earlier export, which these formats would "
            f"leave as they are; add their formats to --formats, delete them, or {_ADVICE}"
        )


def _staying(manifest: Manifest | None, new: NewFiles) -> Manifest:
    """Return what of a manifest is left once the new files have taken their places."""
    if manifest is None:
        return Manifest(trainings=new.trainings, seeds=(), devices=(), files=())
    return replace(
        manifest,
        seeds=tuple(seed for seed in manifest.seeds if seed.seed != new.seed),
        files=tuple(file for file in manifest.files if file.name not in new.names),
    )


def _refuse_unknown(out: Path, names: list[str], known: Iterable[str]) -> None:
    if unknown := sorted(set(names) - set(known)):
        raise ExportRefused(
            f"folder {out} has {', '.join(unknown)}, of which no {MANIFEST_FILE} says how they were "
            f"made; ingest that release by 'python -m blox_store.ingest', or {_ADVICE}"
        )


def _refuse_other_trainings(out: Path, manifest: Manifest | None, new: NewFiles) -> None:
    """Refuse to put another release in the place of one, the same seed of it included."""
    if manifest is None or manifest.trainings == new.trainings:
        return
    seeds = ", ".join(str(seed.seed) for seed in manifest.seeds)
    there, here = _facts(manifest.trainings), _facts(new.trainings)
    pairs = [(name, there.get(name), here.get(name)) for name in there | here]
    told = ", ".join(f"{name} {old!r}, here {mine!r}" for name, old, mine in pairs if old != mine)
    raise ExportRefused(
        f"folder {out} has seed {seeds}, trained otherwise than this run: {told}; {_ADVICE}"
    )


def _facts(trainings: Trainings) -> dict[str, Any]:
    recipe = {f"recipe {name}": value for name, value in sorted(trainings.recipe.items())}
    facts = ("dataset", "trainer", "trainer_revision")
    return {name: getattr(trainings, name) for name in facts} | recipe
