from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from blox_store.errors import ReleaseError, ReleaseMissing
from blox_store.release.names import ReleaseFile, described, file_name, scan_folder

NAMES: list[tuple[dict[str, Any], str]] = [
    ({"kind": "base", "seed": 0, "format": "blox"}, "blox-base-0.blox"),
    ({"kind": "ext", "seed": 17, "format": "csv"}, "blox-ext-17.csv"),
    ({"kind": "env", "seed": 3, "format": "pickle"}, "blox-env-3.pickle"),
    ({"kind": "info", "format": "blox"}, "blox-info.blox"),
    ({"kind": "info", "format": "parquet"}, "blox-info.parquet"),
    ({"kind": "bench", "device": "Pixel-4-2", "format": "csv"}, "blox-bench-Pixel-4-2.csv"),
]


@pytest.mark.parametrize(("facts", "name"), NAMES)
def test_names_and_facts_say_the_same(facts: dict[str, Any], name: str) -> None:
    assert file_name(**facts) == name
    path = Path("folder") / name
    everything = {"seed": None, "device": None} | facts
    assert described(path) == ReleaseFile(path=path, **everything)


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": "base", "format": "blox"},
        {"kind": "base", "seed": -1, "format": "blox"},
        {"kind": "base", "seed": 0, "device": "a", "format": "blox"},
        {"kind": "info", "seed": 0, "format": "blox"},
        {"kind": "bench", "seed": 0, "format": "blox"},
        {"kind": "bench", "device": "a/b", "format": "blox"},
        {"kind": "bench", "device": "", "format": "blox"},
        {"kind": "info", "format": "json"},
        {"kind": "other", "format": "blox"},
    ],
)
def test_facts_of_no_file_are_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(
        ReleaseError, match=r"no release file is called 'blox-.*: base, ext and env"
    ):
        file_name(**facts)


@pytest.mark.parametrize(
    "name", ["blox-base-00.blox", "blox-base.blox", "blox-info.blox.tmp", "MANIFEST.json"]
)
def test_other_names_describe_nothing(name: str) -> None:
    assert described(Path(name)) is None


def test_scanning_finds_release_files_only(tmp_path: Path) -> None:
    for _, name in NAMES:
        (tmp_path / name).touch()
    (tmp_path / "README.md").touch()
    (tmp_path / "blox-info.csv").mkdir()
    assert [file.path.name for file in scan_folder(tmp_path)] == sorted(name for _, name in NAMES)


def test_scanning_no_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(ReleaseMissing, match=r"no release folder .*nowhere"):
        scan_folder(tmp_path / "nowhere")
