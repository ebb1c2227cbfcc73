"""Verifying: releases that are as they should be, and every kind of fault."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from blox_core.recipe import preset
from blox_store.errors import ReleaseMissing
from blox_store.export.chosen_jobs import Choice
from blox_store.export.exporter import export
from blox_store.release.columns import FloatColumn, HashColumn, MillionthsColumn, RaggedColumn
from blox_store.release.reader import read_table
from blox_store.release.writer import write_table
from blox_store.store import Store
from blox_store.verify.comparison import first_difference
from blox_store.verify.verification import verify
from tests.support.latencies import add_latencies
from tests.support.releases import add_costs, finished_run

DIGITS = replace(preset("digits"), epochs=2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A release with two seeds in three formats."""
    folder = tmp_path_factory.mktemp("whole")
    with Store(f"sqlite:///{folder}/blox.db", migrate=True) as store:
        add_costs(store)
        add_latencies(store, "pixel-4", {3: 1.25})
        for seed in (0, 1):
            export(
                store, finished_run(store, DIGITS, seed=seed), folder / "release", choice=Choice()
            )
    return folder / "release"


@pytest.fixture
def release(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "release")


@pytest.fixture
def bare(release):
    """The same without a manifest."""
    (release / "manifest.json").unlink()
    return release


def rewritten(path, change):
    table = change(read_table(path, allow_pickle=True))
    write_table(table, path, path.suffix[1:])


def test_a_release_of_ours(release):
    verified = verify(release)
    assert verified.faults == ()
    assert verified.has_manifest
    assert len(verified.files) == 24
    file = next(file for file in verified.files if file.name == "blox-base-1.csv")
    assert (file.rows, file.bytes) == (3, (release / file.name).stat().st_size)
    assert file.load_s > 0


def test_a_release_without_manifest(bare):
    verified = verify(bare)
    assert (verified.faults, verified.has_manifest, len(verified.files)) == ((), False, 24)


@pytest.mark.parametrize("name", ["release-e12", "release-e200"])
def test_a_published_release(golden, name):
    assert verify(golden / name).faults == ()


def test_params_and_flops_of_other_architectures(release):
    rewritten(release / "blox-info.csv", lambda table: table.take(np.array([0, 2])))
    for name in ("blox-info.blox", "blox-info.pickle"):
        (release / name).unlink()
    message = "blox-info has rows for 2 architectures: those that manifest.json says, or all 91125"
    assert any(fault.startswith(message) for fault in verify(release).faults)


def test_no_release(tmp_path):
    with pytest.raises(ReleaseMissing, match="no release folder"):
        verify(tmp_path / "nowhere")
    with pytest.raises(ReleaseMissing, match="holds no file of a release"):
        verify(tmp_path)


def faults(folder):
    return "\n".join(verify(folder).faults)


def test_a_byte_that_was_changed(release):
    path = release / "blox-ext-1.blox"
    data = bytearray(path.read_bytes())
    data[-20] ^= 4
    path.write_bytes(data)
    found = faults(release)
    assert f"{path}: " in found
    assert "blox-ext-1.blox has SHA-256 " in found
    assert len(found.splitlines()) == 2


def test_a_file_that_was_cut_off(release):
    path = release / "blox-base-0.csv"
    path.write_bytes(path.read_bytes()[:-3])
    assert "blox-base-0.csv has " in faults(release)
    assert f" bytes, by manifest.json {path.stat().st_size + 3}" in faults(release)


def test_files_that_are_missing_or_unknown(release):
    (release / "blox-env-0.blox").rename(release / "blox-env-5.blox")
    found = faults(release).splitlines()
    assert "blox-env-0.blox is in manifest.json, and no file in the folder" in found
    assert "blox-env-5.blox is not in manifest.json" in found
    assert "blox-env-5.blox has seed 0 in its header" in found


def test_a_value_that_differs_between_formats(bare):
    rewritten(
        bare / "blox-bench-pixel-4.csv",
        lambda table: replace(
            table, columns=table.columns | {"latency": FloatColumn(np.array([1.5]))}
        ),
    )
    assert "blox-bench-pixel-4.csv and blox-bench-pixel-4.blox differ: latency of " in faults(bare)
    assert ": 1.5 and 1.25" in faults(bare)


def test_rows_and_headers_that_differ_between_formats(bare):
    rewritten(bare / "blox-info.pickle", lambda table: table.take(slice(1, None)))
    rewritten(
        bare / "blox-base-0.csv", lambda table: replace(table, header=table.header | {"epochs": 3})
    )
    found = faults(bare)
    assert "blox-info.pickle and blox-info.blox differ: 2 and 3 rows" in found
    assert "blox-base-0.csv and blox-base-0.blox differ: the headers, in epochs" in found


def test_a_value_that_differs_far_down(golden, tmp_path):
    table = read_table(golden / "release-e12" / "blox-ext-0.blox")
    table = table.take(np.resize(np.arange(len(table)), 5000))
    losses = table.columns["test_loss"].floats().copy()
    losses[-1] += 0.5
    other = replace(table, columns={**table.columns, "test_loss": FloatColumn(losses)})
    assert first_difference(table, table) is None
    assert first_difference(table, other).startswith("test_loss of ")


def test_rows_in_another_order_are_equal(bare):
    rewritten(bare / "blox-ext-0.csv", lambda table: table.take(np.array([2, 0, 1])))
    assert faults(bare) == ""


def test_seeds_of_different_architectures(bare):
    for path in bare.glob("blox-*-1.*"):
        rewritten(path, lambda table: table.take(slice(0, 2)))
    found = faults(bare)
    assert "blox-base-1 and blox-base-0 have rows for different architectures" in found


def test_rows_for_nothing_and_rows_that_are_there_twice(bare):
    for format in ("csv", "pickle"):
        (bare / f"blox-env-0.{format}").unlink()
        (bare / f"blox-env-1.{format}").unlink()
    rewritten(bare / "blox-env-0.blox", lambda table: table.take(np.array([0, 0, 1])))

    def unknown(table):
        digests = table.columns["model_hash"].digests.copy()
        digests[0] = 7
        return replace(table, columns={**table.columns, "model_hash": HashColumn(digests)})

    rewritten(bare / "blox-env-1.blox", unknown)
    found = faults(bare).splitlines()
    assert "blox-env-0.blox: 1 rows for architectures that have one" in found
    assert "blox-env-1.blox: 1 model hashes of no architecture" in found


def altered(folder, change):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))
    return faults(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["files"][0].update(rows=4), "blox-base-0.blox has 3 rows, by manifest.json 4"),
        (
            lambda m: m["files"][0]["header"].update(epochs=9),
            "blox-base-0.blox has another header than manifest.json says",
        ),
        (
            lambda m: m["files"][0].update(name="../manifest.json"),
            "../manifest.json is in manifest.json, and no file in the folder",
        ),
        (
            lambda m: m["seeds"][0]["counts"].update(succeeded=2),
            "manifest.json counts 2 succeeded of seed 0 and lists 3",
        ),
        (
            lambda m: m["seeds"][1].update(failed="77"),
            "manifest.json does not have each architecture once for seed 1",
        ),
        (
            lambda m: m["seeds"][1].update(indices="3,5,9"),
            "blox-env-1 has rows for other architectures than manifest.json says",
        ),
        (
            lambda m: m["recipe"].update(lr=0.5),
            "manifest.json: its recipe is not of its fingerprint",
        ),
        (lambda m: m["recipe"].pop("lr"), "manifest.json: recipe fields missing or unknown: lr"),
        (
            lambda m: m.update(dataset="cifar10"),
            "manifest.json: its data set is cifar10, that of its recipe digits",
        ),
        (lambda m: m.update(trainer_revision=-1), "its trainer_revision is -1, 0 or more is"),
        (
            lambda m: m["seeds"].reverse(),
            "manifest.json: its seeds are [1, 0], different ones of 0 or more in order",
        ),
        (
            lambda m: m["seeds"][1].update(seed=7),
            "there are files of seeds [0, 1], by manifest.json [0, 7]",
        ),
        (
            lambda m: m["files"][0]["header"].update(epochs=9),
            "manifest.json: blox-base-0.blox has epochs 9, its recipe 2",
        ),
        (
            lambda m: m["files"][0].update(name="x" * 5000),
            "x is in manifest.json, and no file in the folder",
        ),
        (lambda m: m.update(trainer="simulated"), "there is no file SIMULATED, and manifest.json"),
        (lambda m: m.update(schema=9), "it is no manifest: schema is 9, this Blox knows 1"),
    ],
)
def test_a_manifest_that_says_something_else(release, change, message):
    assert message in altered(release, change)


def test_a_mark_that_does_not_belong_there(release):
    (release / "SIMULATED").write_text("made up")
    assert faults(release) == "there is a file SIMULATED, and manifest.json says trainer torch"


def test_an_export_that_was_interrupted(release):
    (release / ".export-pending").mkdir()
    assert faults(release) == ""  # all its files are in place
    (release / ".export-pending" / "manifest.json").write_text("{}")
    assert "an export was interrupted while it replaced the files" in faults(release)


def ext(golden):
    return read_table(golden / "release-e12" / "blox-ext-0.blox")


def test_every_bit_counts_but_not_which_nan_it_is(golden):
    table = ext(golden)
    column = table.columns["test_loss"]
    assert isinstance(column, MillionthsColumn)

    def changed(**columns):
        return replace(table, columns={**table.columns, **columns})

    nans = np.array([0x7FF8000000000000, 0xFFF8000000000001], np.uint64).view(np.float64)
    one, other = (np.full(len(table), nan) for nan in nans)
    left, right = changed(test_loss=FloatColumn(one)), changed(test_loss=FloatColumn(other))
    assert first_difference(left, right) is None
    assert first_difference(table, left).startswith("test_loss of ")
    floats = column.floats().copy()
    floats[3] = np.nextafter(floats[3], 9)
    assert "test_loss of " in first_difference(table, changed(test_loss=FloatColumn(floats)))


def test_lists_of_unequal_lengths(golden):
    table = ext(golden)
    curves = table.columns["train_loss"]
    rows, epochs = curves.array().shape
    offsets = np.arange(rows + 1) * epochs
    same = RaggedColumn(offsets, MillionthsColumn(curves.array().ravel()))
    ragged = replace(table, columns={**table.columns, "train_loss": same})
    assert first_difference(table, ragged) is None
    offsets = offsets.copy()
    offsets[1] += 1
    moved = RaggedColumn(offsets, MillionthsColumn(curves.array().ravel()))
    other = replace(table, columns={**table.columns, "train_loss": moved})
    assert first_difference(table, other).startswith("train_loss of ")
    short = MillionthsColumn(curves.array()[:, :-1])
    other = replace(table, columns={**table.columns, "train_loss": short})
    assert first_difference(table, other).startswith("train_loss of ")


def test_a_file_of_another_kind_under_a_name(bare):
    for file in bare.glob("blox-ext-1.*"):
        shutil.copy(file.with_name(file.name.replace("ext", "base")), file)
    assert "blox-ext-1.csv has part 'base' in its header" in faults(bare)


def test_curves_that_have_not_all_epochs(bare):
    for format in ("blox", "csv", "pickle"):
        path = bare / f"blox-base-1.{format}"

        def shortened(table):
            curve = table.columns["val_top1"].apply(lambda held: held[:, :1])
            return replace(table, columns={**table.columns, "val_top1": curve})

        rewritten(path, shortened)
    assert "blox-base-1.csv: column val_top1 is not a list of 2 numbers a row" in faults(bare)
