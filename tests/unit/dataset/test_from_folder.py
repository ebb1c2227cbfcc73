"""Which files of a folder are opened, and one clear line where they are not there."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blox_core.errors import BloxError
from blox_store.dataset import Dataset, StaticInfoDataset, from_folder
from blox_store.dataset.files.chosen_files import ReleaseFolder
from blox_store.errors import PickleNotAllowed, QueryError, ReleaseMismatch, ReleaseMissing
from blox_store.release.reader import read_table
from blox_store.release.writer import write_table

ARCH = [[[0], [2, 1, 0, 0]], [[2], [2, 1, 0, 1]], [[0], [2, 1, 1, 1]]]


def copied(release: Path, folder: Path, names: Iterable[str]) -> Path:
    """Copy some files of a release; a name may be a pattern."""
    folder.mkdir(exist_ok=True)
    for name in names:
        for file in release.glob(name):
            shutil.copy(file, folder)
    return folder


def one_line(error: BloxError) -> str:
    assert "\n" not in str(error)
    return str(error)


def test_everything(two_seeds: Path) -> None:
    d = from_folder(two_seeds, extended=True, include_static_info=True, include_env_info=True)
    assert (d.seeds, d.devices, d.is_extended) == ([0, 1], ["jetson", "pixel-4"], True)
    assert d.static_info is not None
    assert d.env_info is not None
    assert d.env_info.seeds == [0, 1]
    assert len(d.columns) == 11


def test_the_least(two_seeds: Path) -> None:
    d = from_folder(str(two_seeds), devices=False)
    assert (d.seeds, d.devices, d.is_extended) == ([0, 1], [], False)
    assert d.bench_info is d.static_info is d.env_info is None
    assert d.columns == ["model_hash", "val_top1", "test_top1", "train_time_s"]


@pytest.mark.parametrize(
    ("seeds", "loaded"),
    [
        (1, [1]),
        ([1], [1]),
        ([1, 0], [1, 0]),
        ((0, 0), [0]),
        (np.array(1), [1]),
        (None, [0, 1]),
        ("1", [1]),
        (["1", 1, "0"], [1, 0]),
    ],
)
def test_seeds(two_seeds: Path, seeds: Any, loaded: list[int]) -> None:
    assert from_folder(two_seeds, seeds=seeds).seeds == loaded


@pytest.mark.parametrize(
    ("devices", "loaded"),
    [
        ("jetson", ["jetson"]),
        (["pixel-4", "jetson"], ["pixel-4", "jetson"]),
        ([], []),
        (False, []),
        (None, ["jetson", "pixel-4"]),
    ],
)
def test_devices(two_seeds: Path, devices: Any, loaded: list[str]) -> None:
    assert from_folder(two_seeds, devices=devices).devices == loaded


@pytest.mark.parametrize("seeds", [[], "", "-1", "0.0", True, 0.0, ["x"], [None], np.array(0.0)])
def test_seeds_of_a_wrong_kind(two_seeds: Path, seeds: Any) -> None:
    with pytest.raises(QueryError, match="an integer, some integers, or None for all"):
        from_folder(two_seeds, seeds=seeds)


@pytest.mark.parametrize("devices", [True, 3, [3]])
def test_devices_of_a_wrong_kind(two_seeds: Path, devices: Any) -> None:
    with pytest.raises(QueryError, match="a name, some names, None for all or False for none"):
        from_folder(two_seeds, devices=devices)


@pytest.mark.parametrize("preferred_ext", [".blox", "blox", ["blox"], (".csv", "blox"), "csv"])
def test_preferred_ext_with_and_without_dot(release_e12: Path, preferred_ext: Any) -> None:
    wanted = ".csv" if "csv" in str(preferred_ext) else ".blox"
    d = from_folder(release_e12, preferred_ext=preferred_ext)
    assert d._base.first.path.suffix == wanted


@pytest.mark.parametrize("preferred_ext", ["xlsx", [], ["blox", "xlsx"], ["..blox"], [None], 5])
def test_preferred_ext_unknown(release_e12: Path, preferred_ext: Any) -> None:
    with pytest.raises(QueryError, match=r"one or more of \.blox, \.csv, .* are allowed"):
        from_folder(release_e12, preferred_ext=preferred_ext)


def test_each_file_in_the_first_format_that_is_there(release_e12: Path, tmp_path: Path) -> None:
    names = ["blox-base-0.csv", "blox-ext-0.*", "blox-info.pickle"]
    d = from_folder(
        copied(release_e12, tmp_path, names),
        extended=True,
        include_static_info=True,
        preferred_ext=["blox", "csv", "pickle"],
    )
    assert d.static_info is not None
    assert d._training.ext is not None
    groups = (d._base, d._training.ext, d.static_info)
    assert [group.first.path.suffix for group in groups] == [".csv", ".blox", ".pickle"]
    assert d.params(ARCH) == 2418628


def chosen_suffix(folder: Path, preferred_ext: Any = None) -> str:
    paths = ReleaseFolder(folder, preferred_ext).paths([("base", 0)], check_names=False)
    return paths["base", 0].suffix


def test_parquet_stands_between_blox_and_csv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("blox-base-0.csv", "blox-base-0.parquet"):
        (tmp_path / name).touch()
    assert chosen_suffix(tmp_path) == ".parquet"
    assert chosen_suffix(tmp_path, ["csv", ".parquet"]) == ".csv"
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert chosen_suffix(tmp_path) == ".csv"
    assert chosen_suffix(tmp_path, ".parquet") == ".parquet"
    (tmp_path / "blox-base-0.blox").touch()
    assert chosen_suffix(tmp_path) == ".blox"


def test_a_folder_of_parquet_without_pyarrow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "blox-base-0.parquet").touch()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ReleaseMissing, match=r"needs pyarrow; .*`pip install '\.\[parquet\]'`"):
        from_folder(tmp_path)


def test_a_folder_of_all_formats(two_seeds: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(two_seeds, tmp_path / "release"))
    for name in ("blox-base-0", "blox-info", "blox-bench-jetson"):
        table = read_table(folder / f"{name}.blox")
        (folder / f"{name}.blox").unlink()
        write_table(table, folder / f"{name}.parquet", "parquet")
    mixed, whole = (
        from_folder(path, extended=True, include_static_info=True, include_env_info=True)
        for path in (folder, two_seeds)
    )
    assert [file.path.suffix for file in mixed._base.files.values()] == [".parquet", ".csv"]
    for seed in (0, 1):
        assert [mixed.full_info(int(i), seed) for i in whole.indices] == [
            whole.full_info(int(i), seed) for i in whole.indices
        ]


def test_pickles_are_not_looked_at_unless_named(release_e12: Path, tmp_path: Path) -> None:
    folder = copied(release_e12, tmp_path, ["*.pickle"])
    with pytest.raises(
        ReleaseMissing, match=r"to read it give preferred_ext=\[.*'csv', 'pickle'\]"
    ) as error:
        from_folder(folder)
    assert "no blox-base-* file as .blox, .parquet, .csv" in one_line(error.value)
    assert from_folder(folder, preferred_ext="pickle").val_acc(ARCH) == 24.48


def test_a_pickle_in_disguise_is_not_read(release_e12: Path, tmp_path: Path) -> None:
    shutil.copy(release_e12 / "blox-base-0.pickle", tmp_path / "blox-base-0.blox")
    d = from_folder(tmp_path)
    with pytest.raises(PickleNotAllowed):
        d.val_acc(ARCH)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(ReleaseMissing, match="no release folder") as error:
        from_folder(tmp_path / "nowhere")
    assert one_line(error.value)


def test_no_folder_is_a_value_error_as_in_the_published_package(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no release folder"):
        from_folder(tmp_path / "nowhere")


def test_the_home_folder(
    release_e12: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied(release_e12, tmp_path / "release", ["blox-base-0.blox", "blox-info.blox"])
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert from_folder("~/release").val_acc(ARCH) == 24.48
    assert from_folder(Path("~") / "release").val_acc(ARCH) == 24.48
    assert Dataset("~/release/blox-base-0.blox").val_acc(ARCH) == 24.48
    assert StaticInfoDataset("~/release/blox-info.blox").params(ARCH) == 2418628


@pytest.mark.parametrize("names", [[], ["blox-info.blox", "blox-ext-0.blox", "blox-env-0.pickle"]])
def test_no_base_file(release_e12: Path, tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(ReleaseMissing, match=r"no blox-base-\* file as \.blox, ") as error:
        from_folder(copied(release_e12, tmp_path, names))
    there = "blox-ext-0, blox-info" if names else "no such file"
    assert f"(it has {there}): ask for what it has, or" in one_line(error.value)


def test_no_base_file_of_the_formats_asked_for(release_e12: Path, tmp_path: Path) -> None:
    folder = copied(release_e12, tmp_path, ["blox-base-0.blox", "*.pickle"])
    with pytest.raises(
        ReleaseMissing, match=r"there is \.blox, .* preferred_ext=\['csv', 'blox'\]"
    ):
        from_folder(folder, preferred_ext="csv")


def test_a_seed_that_is_not_there(two_seeds: Path) -> None:
    with pytest.raises(ReleaseMissing, match="no blox-base-7 as") as error:
        from_folder(two_seeds, seeds=[0, 7])
    assert "blox-base-0, blox-base-1" in one_line(error.value)


def test_a_device_that_is_not_there(two_seeds: Path) -> None:
    with pytest.raises(ReleaseMissing, match="no blox-bench-pixel-5 as") as error:
        from_folder(two_seeds, devices=["pixel-4", "pixel-5"])
    assert "blox-bench-jetson, blox-bench-pixel-4" in one_line(error.value)


def test_several_kinds_that_are_not_there(release_e12: Path, tmp_path: Path) -> None:
    folder = copied(release_e12, tmp_path, ["blox-base-0.blox", "blox-info.pickle"])
    with pytest.raises(ReleaseMissing, match="no blox-ext-0, blox-env-0, blox-info as") as error:
        from_folder(folder, extended=True, include_static_info=True, include_env_info=True)
    assert "there is .pickle, to read it give preferred_ext" in one_line(error.value)


def test_a_file_under_a_wrong_name(two_seeds: Path, tmp_path: Path) -> None:
    shutil.copy(two_seeds / "blox-base-1.csv", tmp_path / "blox-base-3.csv")
    with pytest.raises(ReleaseMismatch, match="has seed 1 in its header: rename the file"):
        from_folder(tmp_path)
    assert from_folder(tmp_path, validate_data=False).seeds == [1]
    shutil.copy(two_seeds / "blox-base-0.blox", tmp_path / "blox-base-3.csv")
    shutil.copy(two_seeds / "blox-bench-jetson.blox", tmp_path / "blox-bench-pixel.blox")
    with pytest.raises(ReleaseMismatch):
        from_folder(tmp_path)


def test_nothing_is_printed(two_seeds: Path, capfd: pytest.CaptureFixture[str]) -> None:
    d = from_folder(two_seeds, extended=True, include_static_info=True, include_env_info=True)
    d.full_info(ARCH)
    assert capfd.readouterr() == ("", "")


def test_what_is_there_in_other_formats_alone_is_not_passed_over(
    two_seeds: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(two_seeds, tmp_path / "mixed"))
    for name in ("blox-base-1.csv", "blox-bench-pixel-4.blox"):
        (folder / name).rename((folder / name).with_suffix(".pickle"))
    with pytest.raises(ReleaseMissing, match=r"no blox-base-1 as .* give preferred_ext=.*pickle"):
        from_folder(folder, devices=False)
    with pytest.raises(ReleaseMissing, match=r"no blox-bench-pixel-4 as .* give preferred_ext="):
        from_folder(folder, seeds=0)
    assert from_folder(folder, seeds=0, devices=False).seeds == [0]


@pytest.mark.parametrize(("name", "other"), [("base-0", "info"), ("base-1", "ext-0")])
def test_a_file_of_another_kind_under_a_name(
    two_seeds: Path, release_e12: Path, tmp_path: Path, name: str, other: str
) -> None:
    folder = Path(shutil.copytree(two_seeds, tmp_path / "mixed"))
    for file in folder.glob(f"blox-{name}.*"):
        file.unlink()
    shutil.copy(release_e12 / f"blox-{other}.blox", folder / f"blox-{name}.blox")
    with pytest.raises(ReleaseMismatch, match="in its header: rename the file"):
        from_folder(folder)
