"""Files that do not belong together or are broken, and when that is seen."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from blox_store.dataset import (
    BenchmarkingDataset,
    Dataset,
    EnvInfoDataset,
    StaticInfoDataset,
    from_folder,
)
from blox_store.errors import QueryError, ReleaseCorrupt, ReleaseMismatch
from blox_store.release.columns import FloatColumn, HashColumn
from blox_store.release.names import PENDING_FOLDER
from blox_store.release.reader import read_table
from blox_store.release.table import Table
from blox_store.release.writer import write_table

ARCH = [[[0], [2, 1, 0, 0]], [[2], [2, 1, 0, 1]], [[0], [2, 1, 1, 1]]]
ABSENT = [[[0], [2, 1, 1, 1]]] * 3
FIRST_HASH = "53e2fa8075c3ea1479d7116b5e8629dc"


@pytest.fixture
def release(two_seeds: Path, tmp_path: Path) -> Path:
    """A copy of the release with two seeds, to be spoilt."""
    return Path(shutil.copytree(two_seeds, tmp_path / "release"))


def keep_rows(path: Path, rows: int) -> None:
    """Leave out the last rows of a release file."""
    table = read_table(path)
    kept = {name: column.take(slice(rows)) for name, column in table.columns.items()}
    write_table(Table(header=table.header, columns=kept), path, path.suffix[1:])


def edit_csv(path: Path, old: str, new: str) -> None:
    """Replace a text that stands in a file once or more."""
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new).encode())


def test_headers_of_two_seeds_differ(release: Path) -> None:
    edit_csv(release / "blox-base-1.csv", "cifar100", "digits")
    with pytest.raises(ReleaseMismatch, match=r"dataset 'digits' and .* 'cifar100'"):
        from_folder(release)
    assert from_folder(release, validate_data=False).dataset == "cifar100"


def test_headers_of_base_and_ext_differ(release_e12: Path, golden: Path) -> None:
    files = [release_e12 / "blox-base-0.blox", golden / "release-e200" / "blox-ext-0.blox"]
    with pytest.raises(ReleaseMismatch, match=r"epochs 200 and .* 12"):
        Dataset(files)
    assert Dataset(files, validate_data=False).is_extended


def test_seeds_with_different_architectures(release: Path) -> None:
    keep_rows(release / "blox-base-1.csv", 23)
    d = from_folder(release)
    assert d.val_acc(ARCH, seed=0) == 24.48
    for _ in range(2):
        with pytest.raises(ReleaseMismatch, match=r"23 architectures and .* 24; 1 are in one"):
            d.val_acc(ARCH, seed=1)
    assert d.val_acc(ARCH, seed=0) == 24.48
    with pytest.raises(ReleaseMismatch):
        from_folder(release).load()


def test_base_and_ext_with_different_architectures(release: Path) -> None:
    keep_rows(release / "blox-ext-0.blox", 20)
    d = from_folder(release, extended=True, seeds=0)
    assert d.val_acc(ARCH) == 24.48
    with pytest.raises(ReleaseMismatch, match=r"20 architectures and .* 24; 4 are in one"):
        d.val_loss(ARCH)


def test_different_architectures_without_validation(release: Path) -> None:
    keep_rows(release / "blox-base-1.csv", 4)
    keep_rows(release / "blox-ext-0.blox", 4)
    d = from_folder(release, extended=True, validate_data=False)
    d.load()
    lacking = d[FIRST_HASH]
    assert lacking[1][1] is None
    assert d.val_acc(FIRST_HASH, seed=1) is None
    last = d.indices.tolist()[-1]
    assert d.val_loss(last, seed=0) is None
    assert d.full_info(last, seed=0)["val_loss"] is None


def test_a_random_seed_is_one_that_has_the_architecture(release: Path) -> None:
    keep_rows(release / "blox-base-1.csv", 4)
    d = from_folder(release, devices=False, validate_data=False)
    rare = Dataset(release / "blox-base-1.csv").indices
    common = d.indices[~np.isin(d.indices, rare)]
    for _ in range(20):
        assert d.val_acc(int(common[0])) == d.val_acc(int(common[0]), seed=0)
        assert d.test_acc(common).tolist() == d.test_acc(common, seed=0).tolist()
        assert d.full_info(int(common[0]))["seed"] == 0
        assert d.simulate(int(common[0])).seed == 0
    drawn = {d.val_acc(int(rare[0])) for _ in range(50)}
    assert drawn == {d.val_acc(int(rare[0]), seed=seed) for seed in (0, 1)}
    assert d.val_acc(ABSENT) is None
    assert d.to_arrow()["seed"].to_pylist() == [0] * 24 + [1] * 4


def test_a_random_seed_is_one_whose_file_has_the_column(release: Path) -> None:
    keep_rows(release / "blox-ext-0.blox", 4)
    d = from_folder(release, extended=True, devices=False, validate_data=False)
    last = d.indices.tolist()[-1]
    assert {d.val_loss(last) for _ in range(20)} == {d.val_loss(last, seed=1)} != {None}


def test_files_are_decoded_when_they_are_needed(release: Path) -> None:
    for name in ("blox-ext-0.blox", "blox-info.blox", "blox-bench-jetson.blox"):
        path = release / name
        path.write_bytes(path.read_bytes()[:-5])
    d = from_folder(release, seeds=0, extended=True, include_static_info=True)
    assert d.val_acc(ARCH) == 24.48
    assert d.latency(ARCH, "pixel-4") == [[6.143605]]
    for query in (d.val_loss, d.params, d.latency, d.full_info):
        with pytest.raises(ReleaseCorrupt, match=str(release)):
            query(ARCH)
    with pytest.raises(ReleaseCorrupt):
        d.load()


def test_a_sound_release_loads(full: Dataset) -> None:
    full.load()
    assert full.full_info(ARCH) is not None


def test_a_header_is_read_at_once(release: Path) -> None:
    (release / "blox-base-1.csv").write_bytes(b"nonsense")
    with pytest.raises(ReleaseCorrupt, match=r"blox-base-1\.csv"):
        from_folder(release)


def test_a_hash_that_no_architecture_has(release: Path) -> None:
    edit_csv(release / "blox-base-1.csv", FIRST_HASH, "0" * 32)
    d = from_folder(release, seeds=1)
    with pytest.raises(ReleaseCorrupt, match=f"row 23 has model hash {'0' * 32}, which no"):
        d.val_acc(ARCH)


def test_a_hash_that_stands_twice(release: Path) -> None:
    table = read_table(release / "blox-base-0.blox")
    hashes = table.columns["model_hash"]
    assert isinstance(hashes, HashColumn)
    digests = hashes.digests.copy()
    digests[5] = digests[2]
    spoilt = Table(
        header=table.header, columns={**table.columns, "model_hash": HashColumn(digests)}
    )
    write_table(spoilt, release / "blox-base-0.blox", "blox")
    with pytest.raises(ReleaseCorrupt, match=f"{hashes.value(2)} stands in row 2 and in another"):
        from_folder(release, seeds=0).val_acc(ARCH)


def test_curves_that_do_not_have_one_number_an_epoch(release: Path) -> None:
    edit_csv(release / "blox-base-1.csv", "epochs: 12", "epochs: 11")
    d = Dataset(release / "blox-base-1.csv")
    assert d.test_acc(ARCH) is not None
    with pytest.raises(ReleaseCorrupt, match="column val_top1 is not a list of 11 numbers a row"):
        d.val_acc(ARCH)


def test_a_column_that_is_not_there(release: Path) -> None:
    table = read_table(release / "blox-info.blox")
    columns = {name: column for name, column in table.columns.items() if name != "flops"}
    spoilt = Table(header={**table.header, "columns": list(columns)}, columns=columns)
    write_table(spoilt, release / "blox-info.blox", "blox")
    static = StaticInfoDataset(release / "blox-info.blox")
    assert static.params(ARCH) == 2418628
    with pytest.raises(ReleaseCorrupt, match="column flops: no such column, IntColumn is needed"):
        static.flops(ARCH)


def test_files_of_another_kind(release: Path) -> None:
    with pytest.raises(
        ReleaseMismatch, match="of type 'static': one of type training is needed here"
    ):
        Dataset(release / "blox-info.blox")
    with pytest.raises(
        ReleaseMismatch, match="of type 'training': one of type static is needed here"
    ):
        StaticInfoDataset(release / "blox-base-0.blox")
    with pytest.raises(ReleaseMismatch, match="one of type benchmarking is needed here"):
        BenchmarkingDataset(release / "blox-info.blox")
    with pytest.raises(ReleaseMismatch, match="one of type env is needed here"):
        EnvInfoDataset([release / "blox-info.blox"])


def test_two_files_of_one_seed(release: Path, release_e12: Path) -> None:
    with pytest.raises(ReleaseMismatch, match="both the training file of seed 0: give one"):
        Dataset([release / "blox-base-0.blox", release_e12 / "blox-base-0.csv"])
    with pytest.raises(ReleaseMismatch, match="both the static file: give one"):
        StaticInfoDataset([release / "blox-info.blox", release_e12 / "blox-info.csv"])


def test_no_files() -> None:
    with pytest.raises(QueryError, match="no training file given: one or more paths are needed"):
        Dataset([])


def test_an_ext_file_for_one_of_two_seeds(release: Path) -> None:
    names = ("base-0.blox", "base-1.csv", "ext-1.csv")
    with pytest.raises(ReleaseMismatch, match="each seed needs both, or no ext file at all"):
        Dataset([release / f"blox-{name}" for name in names])


@pytest.fixture
def diverged(release_e12: Path, tmp_path: Path) -> Dataset:
    """A release of version 2 in which one training diverged: its losses end in NaN."""
    shutil.copy(release_e12 / "blox-base-0.blox", tmp_path)
    table = read_table(release_e12 / "blox-ext-0.blox")
    losses = table.columns["val_loss"].values()
    losses[3][-4:] = [math.nan] * 4
    spoilt = Table(
        header=table.header, columns={**table.columns, "val_loss": FloatColumn(np.array(losses))}
    )
    write_table(spoilt, tmp_path / "blox-ext-0.blox", "blox")
    return from_folder(tmp_path, extended=True)


def test_nan_is_not_the_best(diverged: Dataset) -> None:
    index = int(diverged._training.file_with("val_loss", 0).indices[3])
    assert diverged.version == 1
    assert diverged._training.file_with("val_loss", 0).header["version"] == 2
    curve = diverged.full_info(index)["val_loss"]
    assert math.isnan(diverged.val_loss(index))
    for arch in (index, [index]):
        assert diverged.val_loss(arch, best=True) == min(curve[:8])
        assert diverged.val_loss(arch, epoch=10, best=True) == min(curve[:8])
    ranked = diverged.best(24, "val_loss")
    assert ranked.indices[-1] == index
    assert np.isnan(ranked.values).sum() == 1
    table = diverged.to_arrow(["val_loss"])
    assert table["val_loss"].null_count == 0
    assert np.isnan(table["val_loss"].combine_chunks().flatten()).sum() == 4


def test_a_file_that_was_replaced_is_not_mixed_with_the_others(release: Path) -> None:
    d = from_folder(release, extended=True, seeds=0)
    assert d.val_acc(ARCH) == 24.48
    other = release / "other"
    shutil.copy(release / "blox-ext-0.blox", other)
    other.rename(release / "blox-ext-0.blox")
    with pytest.raises(ReleaseMismatch, match="is not the file any more that was opened"):
        d.val_loss(ARCH)
    assert from_folder(release, extended=True, seeds=0).val_loss(ARCH) is not None


def test_a_file_that_is_gone_when_it_is_needed(release: Path) -> None:
    d = from_folder(release, extended=True, seeds=0)
    (release / "blox-ext-0.blox").unlink()
    with pytest.raises(ReleaseMismatch, match="is not the file any more that was opened"):
        d.val_loss(ARCH)


def test_the_working_directory_may_change(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(release.parent)
    d = from_folder(release.name)
    monkeypatch.chdir("/")
    assert d.val_acc(ARCH, seed=0) == 24.48


def test_a_mixture_of_two_releases_is_refused(release: Path) -> None:
    pending = release / PENDING_FOLDER
    pending.mkdir()
    assert from_folder(release).seeds == [0, 1]
    (pending / "blox-base-0.csv").touch()
    with pytest.raises(ReleaseMismatch, match="holds a mixture of two releases"):
        from_folder(release)


def test_curves_of_another_length_are_seen_by_load(release: Path) -> None:
    edit_csv(release / "blox-base-1.csv", "epochs: 12", "epochs: 13")
    d = from_folder(release, seeds=1)
    with pytest.raises(ReleaseCorrupt, match="column val_top1 is not a list of 13 numbers a row"):
        d.load()
