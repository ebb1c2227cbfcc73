"""The exporter: from rows of a real store to release files, and back through `blox`."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import text

import blox
from blox_core.complexity import params_and_flops
from blox_core.result.metrics import Score
from blox_core.space import SPACE_SIZE, all_hashes
from blox_store.errors import ExportRefused, NotEncodable, StoreError
from blox_store.export.chosen_jobs import Choice
from blox_store.export.exporter import export
from blox_store.release.names import ALL_FORMATS
from blox_store.release.reader import read_header, read_table
from blox_store.verify.verification import verify
from tests.support.exports import (
    COSTS,
    DIGITS,
    FOR_PEOPLE,
    SHAPE,
    finish,
    finish_all,
    manifest_of,
    names,
)
from tests.support.latencies import add_latencies
from tests.support.releases import contents
from tests.support.results import ENVIRONMENT, claimed, made_up_run
from tests.support.store_jobs import make_foreign


def test_a_run_whose_recipe_another_version_wrote_is_exported(store, run, out, tmp_path):
    finish_all(store, run)
    export(store, run, out, choice=Choice())
    foreign = make_foreign(store, run, DIGITS.to_dict() | {"warm_up": 5})
    export(store, foreign, tmp_path / "foreign", choice=Choice())
    for name in set(names(out)) - {*FOR_PEOPLE}:
        assert (tmp_path / "foreign" / name).read_bytes() == (out / name).read_bytes()
    assert manifest_of(tmp_path / "foreign")["recipe"]["warm_up"] == 5


def test_a_release_holds_what_is_in_the_store(store, run, out, with_picture):
    finish_all(store, run)
    add_latencies(store, "pixel-4", {3: 1.25, 7: 0.5000004})
    report = export(store, run, out, choice=Choice())
    assert report.architectures == 3
    assert (report.diverged, report.failed, report.unfinished) == ((), (), ())
    stems = ("blox-base-0", "blox-bench-pixel-4", "blox-env-0", "blox-ext-0", "blox-info")
    expected = [f"{stem}.{format}" for stem in stems for format in ("blox", "csv", "pickle")]
    assert names(out) == sorted([*expected, *FOR_PEOPLE])
    assert sorted(path.name for path in report.files) == sorted(expected)

    d = blox.from_folder(out, extended=True, include_static_info=True, include_env_info=True)
    assert (len(d), d.epochs, d.dataset, d.seeds) == (3, 2, "digits", [0])
    info = d.full_info(5)
    assert info["model_hash"] == all_hashes()[5]
    assert info["val_top1"] == [100.0, 0.0]
    assert info["train_top1"] == [round(10 / 1250 * 100, 3), round(20 / 1250 * 100, 3)]
    assert info["train_top5"] == [0.88, 1.76]
    assert info["val_top5"] == [1.2, 2.4]
    assert info["train_loss"] == [0.333333, 0.666667]
    assert info["val_loss"] == [0.142857, 0.285714]
    assert (info["test_top1"], info["test_top5"], info["test_loss"]) == (24.0, 36.0, 0.123457)
    assert [d.train_time(index) for index in (3, 5, 7)] == [12, 100, 102]  # half to even
    assert (d.params(7), d.flops(7)) == (555, 666)
    assert d.full_info(3)["env"] == ENVIRONMENT
    assert d.full_info(7)["env"] == ENVIRONMENT | {"gpu": "another"}
    assert [d.latency(index) for index in (3, 7)] == [[[1.25]], [[0.5]]]


def test_all_formats_hold_equal_values(store, run, out):
    finish_all(store, run)
    report = export(store, run, out, choice=Choice())
    by_stem = {}
    for path in report.files:
        by_stem.setdefault(path.stem, []).append(read_table(path, allow_pickle=True).rows())
    assert all(len(rows) == 3 and rows[0] == rows[1] == rows[2] for rows in by_stem.values())


def test_unfinished_jobs_need_to_be_allowed(store, run, out):
    finish(store, run, 5)
    with pytest.raises(ExportRefused, match=r"2 of its 3 jobs are unfinished; .* --allow-partial"):
        export(store, run, out, choice=Choice())
    assert not (out).exists()
    report = export(store, run, out, choice=Choice(allow_partial=True))
    assert (report.architectures, report.unfinished) == (1, (3, 7))
    assert len(blox.from_folder(out)) == 1


def test_diverged_and_failed_architectures_are_left_out_and_named(store, run, out):
    finish(store, run, 3)
    finish(store, run, 5, status="diverged", epochs=1)
    store.jobs.fail(claimed(store, run, 7), "boom", kind="Boom", max_attempts=1, backoff_s=0)
    report = export(store, run, out, choice=Choice())
    assert (report.diverged, report.failed, report.unfinished) == ((5,), (7,), ())
    assert list(blox.from_folder(out).indices) == [3]


def test_nothing_finished_is_nothing_exported(store, run, out):
    with pytest.raises(ExportRefused, match="none of its 3 jobs has finished"):
        export(store, run, out, choice=Choice(allow_partial=True))
    assert not (out).exists()


def test_missing_params_and_flops_are_one_clear_line(store, out):
    run = made_up_run(store, DIGITS, indices=(9,))
    finish(store, run, 9)
    with pytest.raises(ExportRefused, match="of 1 architectures are not in the store; run 'blox"):
        export(store, run, out, choice=Choice())
    assert not out.exists()


def test_a_second_seed_joins_the_first(store, run, out):
    finish_all(store, run)
    second = made_up_run(store, DIGITS, seed=1, indices=(3, 5, 7))
    finish_all(store, second)
    for each in (run, second):
        export(store, each, out, formats=("blox",), choice=Choice())
    d = blox.from_folder(out)
    assert d.seeds == [0, 1]
    assert d.val_acc(5, seed=1) == 100.0


def test_another_seed_of_other_architectures_is_kept_apart(store, run, out):
    finish_all(store, run)
    export(store, run, out, choice=Choice())
    before = contents(out)
    second = made_up_run(store, DIGITS, seed=1, indices=(7,))
    finish(store, second, 7)
    message = r"has 3 architectures of seed 0, this export 1 of seed 1, and not the same"
    with pytest.raises(ExportRefused, match=message):
        export(store, second, out, choice=Choice())
    assert contents(out) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 3}, "otherwise than this run: recipe epochs 2, here 3; give another folder"),
        ({"dataset": "cifar10"}, "dataset 'digits', here 'cifar10', recipe dataset"),
        (
            {"stem_channels": 16},
            "has seed 0, trained otherwise .*: recipe stem_channels 8, here 16",
        ),
    ],
)
def test_a_seed_of_another_recipe_is_kept_apart(store, run, out, change, message):
    finish_all(store, run)
    export(store, run, out, choice=Choice())
    wide = replace(SHAPE, stem_channels=16)
    store.static.add_architectures(wide, [(i, 1, 2) for i in COSTS])
    second = made_up_run(store, replace(DIGITS, **change), seed=1, indices=(3, 5, 7))
    for index in (3, 5, 7):
        finish(store, second, index, epochs=second.epochs)
    with pytest.raises(ExportRefused, match=message):
        export(store, second, out, choice=Choice())


def test_a_folder_in_the_place_of_a_file_changes_nothing(store, run, out):
    finish_all(store, run)
    (out / "blox-info.blox").mkdir(parents=True)
    with pytest.raises(ExportRefused, match=r"blox-info\.blox is no file; give another folder"):
        export(store, run, out, choice=Choice())
    assert names(out) == ["blox-info.blox"]


def test_a_failed_export_leaves_the_old_release_as_it_was(store, run, out):
    finish(store, run, 3)
    export(store, run, out, choice=Choice(allow_partial=True))
    before = contents(out)
    finish(store, run, 5)
    finish(store, run, 7, train_top1=np.array([1, 1251]))
    message = r"blox-ext-0: row 2, column train_top1: got 1251, allowed is at most 1250 correct"
    with pytest.raises(NotEncodable, match=message):
        export(store, run, out, choice=Choice())
    assert contents(out) == before


def test_image_numbers_that_version_1_cannot_count(store, out):
    run = made_up_run(store, replace(DIGITS, val_images=249), indices=(3,))
    finish(store, run, 3, val_top1=np.array([1, 2]))
    export(store, run, out, choice=Choice())
    assert read_header(out / "blox-base-0.blox")["version"] == 2
    assert blox.from_folder(out).full_info(3)["val_top1"] == [0.402, 0.803]
    assert verify(out).faults == ()


def test_flops_beyond_32_bits(store, out):
    store.static.add_architectures(SHAPE, [(9, 1, 2**32)])
    run = made_up_run(store, DIGITS, indices=(9,))
    finish(store, run, 9)
    export(store, run, out, choice=Choice())
    d = blox.from_folder(out, include_static_info=True)
    assert (d.params(9), d.flops(9)) == (1, 2**32)
    assert verify(out).faults == ()


def test_older_files_of_other_formats_are_not_left_beside_new_ones(store, run, out):
    finish_all(store, run)
    export(store, run, out, choice=Choice())
    message = r"has blox-base-0\.csv, blox-env-0\.csv, .* add their formats to --formats"
    with pytest.raises(ExportRefused, match=message):
        export(store, run, out, formats=("blox", "pickle"), choice=Choice())
    export(store, run, out, choice=Choice())


def test_a_folder_that_cannot_be_written_is_one_clear_line(store, run, out):
    finish_all(store, run)
    out.write_text("not a folder")
    with pytest.raises(ExportRefused, match="release cannot be written to: "):
        export(store, run, out, choice=Choice())


def test_a_release_of_more_rows_than_one_fetch(store, out):
    params, flops = params_and_flops(SHAPE)
    indices = range(0, 90_000, 40)
    store.static.add_architectures(SHAPE, [(i, int(params[i]), int(flops[i])) for i in indices])
    run = made_up_run(store, DIGITS, seed=5, indices=indices)
    with store._database.write() as connection:
        fill_with_copies(connection, store, run)
    report = export(store, run, out, formats=("blox",), choice=Choice())
    assert report.architectures == len(indices)
    d = blox.from_folder(out, include_static_info=True)
    assert sorted(d.indices) == list(indices)
    assert d.params(4000) == int(params[4000])


def fill_with_copies(connection, store, run):
    """End all jobs of a run with one and the same result, in few statements."""
    connection.execute(
        text("INSERT INTO environments VALUES (77, 'copies', :strings)"),
        {"strings": json.dumps(ENVIRONMENT)},
    )
    blob = bytes(2 * (4 * 2 + 2 * 4))
    connection.execute(
        text(
            "INSERT INTO results SELECT run_id, arch_index, 'token', 'w', 77, 'succeeded', 2, 1,"
            " 1, 1, 0.5, 1.5, 1, :blob, 0 FROM jobs WHERE run_id = :run_id"
        ),
        {"blob": blob, "run_id": run.id},
    )
    connection.execute(
        text("UPDATE jobs SET state = 'succeeded' WHERE run_id = :run_id"), {"run_id": run.id}
    )


@pytest.mark.parametrize("formats", [("blox", "csv", "pickle"), ("blox", "parquet")])
def test_diverged_architectures_padded_with_nan(store, run, out, formats):
    finish(store, run, 3, train_loss=np.array([20.0, 1.0]))
    lost = {"train_loss": np.array([np.nan]), "val_loss": np.array([np.inf])}
    finish(store, run, 5, status="diverged", epochs=1, **lost)
    finish(store, run, 7, status="diverged", epochs=0, test=None)
    report = export(store, run, out, formats=formats, choice=Choice(include_diverged=True))
    assert (report.architectures, report.diverged) == (3, ())
    assert verify(out).faults == ()
    (seed,) = manifest_of(out)["seeds"]
    assert (seed["indices"], seed["diverged"], seed["includes_diverged"]) == ("3,5,7", "5,7", True)
    d = blox.from_folder(out, extended=True)
    np.testing.assert_array_equal(d.full_info(3)["train_loss"], [20.0, 1.0])
    info = d.full_info(5)
    for name, curve in {
        "val_top1": [0.8, np.nan],
        "train_top1": [0.8, np.nan],
        "train_loss": [np.nan, np.nan],
        "val_loss": [np.inf, np.nan],
    }.items():
        np.testing.assert_array_equal(info[name], curve)
    assert info["test_top1"] == 24.0
    info = d.full_info(7)
    assert np.isnan([*info["val_top1"], *info["val_loss"], info["test_top1"]]).all()
    assert read_header(out / "blox-ext-0.blox")["version"] == 2
    assert "Diverged ones have rows, padded with NaN." in (out / "README.md").read_text()


def test_a_diverged_one_with_a_count_that_cannot_be(store, run, out):
    finish(store, run, 3)
    finish(store, run, 5)
    finish(store, run, 7, status="diverged", epochs=1, val_top1=np.array([251]))
    with pytest.raises(NotEncodable, match="row 2, column val_top1: got 251, allowed is at most"):
        export(store, run, out, choice=Choice(include_diverged=True))


def test_all_losses_that_the_store_holds(store, run, out):
    """A block of several layouts of curves, and test losses that are not finite."""
    finish(store, run, 3, test=Score(top1=60, top5=90, loss=np.nan))
    finish(store, run, 5, train_loss=np.array([5000.0, -1.0]))
    finish(store, run, 7)
    export(store, run, out, choice=Choice())
    assert verify(out).faults == ()
    d = blox.from_folder(out, extended=True)
    assert d.full_info(5)["train_loss"] == [5000.0, -1.0]
    assert d.full_info(7)["train_loss"] == [0.333333, 0.666667]
    assert np.isnan(d.full_info(3)["test_loss"])


def test_a_latency_above_what_version_1_holds(store, run, out):
    finish_all(store, run)
    add_latencies(store, "slow", {3: 16.7772156, 7: 1.25})
    export(store, run, out, formats=ALL_FORMATS, choice=Choice())
    assert verify(out).faults == ()
    for format in ALL_FORMATS:
        assert read_header(out / f"blox-bench-slow.{format}")["version"] == 2
        d = blox.from_folder(out, preferred_ext=[format])
        assert [d.latency(index) for index in (3, 7)] == [[[16.777216]], [[1.25]]]


def test_a_range_of_architectures(store, run, out):
    finish(store, run, 3)
    finish(store, run, 5)
    add_latencies(store, "pixel-4", {3: 1.25, 5: 2.5, 6: 3.5})
    report = export(store, run, out, choice=Choice(indices=range(5, 7)))
    assert (report.architectures, report.unfinished) == (1, ())
    d = blox.from_folder(out)
    assert list(d.indices) == [5]
    assert len(read_table(out / "blox-bench-pixel-4.csv")) == 2
    with pytest.raises(ExportRefused, match="1 of its 3 jobs are unfinished"):
        export(store, run, out, choice=Choice(indices=range(8)))
    with pytest.raises(ExportRefused, match="it has no job with an arch index from 8 to 8; choose"):
        export(store, run, out, choice=Choice(indices=range(8, 9)))


@pytest.mark.parametrize(
    ("static", "total"),
    [("finished", 3 * (1 + 4)), ("all", 3 * (1 + 3) + SPACE_SIZE)],
)
def test_progress_is_reported(store, run, out, static, total):
    finish_all(store, run)
    reports = []
    choice = Choice(static=static)
    export(
        store,
        run,
        out,
        formats=("blox",),
        choice=choice,
        report=lambda done, total: reports.append((done, total)),
    )
    assert reports[0] == (0, total)
    assert reports[-2:] == [(total, total)] * 2
    assert reports == sorted(reports)


def test_a_block_with_damaged_curves_is_one_clear_line(store, run, out):
    finish_all(store, run)
    with store._database.write() as connection:
        connection.execute(text("UPDATE results SET epochs = 3 WHERE arch_index = 5"))
    with pytest.raises(StoreError, match="curves of 3 epochs: at most 2 are allowed"):
        export(store, run, out, choice=Choice())
    assert not out.exists()
