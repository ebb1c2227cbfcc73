"""The exporter: from rows of a real store to release files, and back through `blox`."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

import blox
from blox_core.complexity import params_and_flops
from blox_core.recipe import preset
from blox_core.simulation import SIMULATED, simulated_result
from blox_core.space import Architecture, all_hashes
from blox_store.errors import ExportRefused, NotEncodable
from blox_store.exporter import export
from blox_store.release.reader import read_table
from blox_store.store import Store
from tests.results import ENVIRONMENT, claimed, made_up_result, made_up_run

DIGITS = replace(preset("digits"), epochs=2)
SHAPE = {"stem_channels": 8, "classes": 10, "resolution": 32}
COSTS = {3: (111, 222), 5: (333, 444), 7: (555, 666)}


@pytest.fixture
def store(database_url):
    with Store(database_url, migrate=True) as opened:
        opened.static.add_architectures(SHAPE, [(i, *cost) for i, cost in COSTS.items()])
        yield opened


@pytest.fixture
def out(tmp_path):
    """A release folder that does not exist yet."""
    return tmp_path / "release"


@pytest.fixture
def run(store):
    return made_up_run(store, DIGITS, indices=(3, 5, 7))


def finish(store, run, index, **changed):
    store.results.complete(claimed(store, run, index), made_up_result(**changed))


def finish_all(store, run):
    finish(store, run, 3)
    finish(store, run, 5, val_top1=np.array([250, 0]), train_time_s=100.5)
    finish(store, run, 7, environment={"gpu": "another"}, train_time_s=101.5)


def simulated_run(store, *, seed=0, indices=(3, 5, 7)):
    """Return a simulated run in which all jobs have finished."""
    run = made_up_run(store, DIGITS, seed=seed, indices=indices, trainer=SIMULATED)
    for index in indices:
        result = simulated_result(Architecture(index), DIGITS, seed)
        store.results.complete(claimed(store, run, index), result)
    return run


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_release_holds_what_is_in_the_store(store, run, out):
    finish_all(store, run)
    store.static.add_latencies("pixel-4", {3: 1.25, 7: 0.5000004})
    report = export(store, run, out, allow_partial=False)
    assert report.architectures == 3
    assert (report.diverged, report.failed, report.unfinished) == ((), (), ())
    stems = ("blox-base-0", "blox-bench-pixel-4", "blox-env-0", "blox-ext-0", "blox-info")
    expected = [f"{stem}.{format}" for stem in stems for format in ("blox", "csv", "pickle")]
    assert names(out) == sorted(expected)
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
    report = export(store, run, out, allow_partial=False)
    by_stem = {}
    for path in report.files:
        by_stem.setdefault(path.stem, []).append(read_table(path, allow_pickle=True).rows())
    assert all(len(rows) == 3 and rows[0] == rows[1] == rows[2] for rows in by_stem.values())


def test_unfinished_jobs_need_to_be_allowed(store, run, out):
    finish(store, run, 5)
    with pytest.raises(ExportRefused, match=r"2 of its 3 jobs are unfinished; .* --allow-partial"):
        export(store, run, out, allow_partial=False)
    assert not (out).exists()
    report = export(store, run, out, allow_partial=True)
    assert (report.architectures, report.unfinished) == (1, (3, 7))
    assert len(blox.from_folder(out)) == 1


def test_diverged_and_failed_architectures_are_left_out_and_named(store, run, out):
    finish(store, run, 3)
    finish(store, run, 5, status="diverged", epochs=1)
    store.jobs.fail(claimed(store, run, 7), "boom", kind="Boom", max_attempts=1, backoff_s=0)
    report = export(store, run, out, allow_partial=False)
    assert (report.diverged, report.failed, report.unfinished) == ((5,), (7,), ())
    assert list(blox.from_folder(out).indices) == [3]


def test_nothing_finished_is_nothing_exported(store, run, out):
    with pytest.raises(ExportRefused, match="none of its 3 jobs has finished"):
        export(store, run, out, allow_partial=True)
    assert not (out).exists()


def test_missing_params_and_flops_are_one_clear_line(store, out):
    run = made_up_run(store, DIGITS, indices=(9,))
    finish(store, run, 9)
    with pytest.raises(ExportRefused, match="of 1 architectures are not in the store; run 'blox"):
        export(store, run, out, allow_partial=False)
    assert not out.exists()


def test_a_second_seed_joins_the_first(store, run, out):
    finish_all(store, run)
    second = made_up_run(store, DIGITS, seed=1, indices=(3, 5, 7))
    finish_all(store, second)
    for each in (run, second):
        export(store, each, out, formats=("blox",), allow_partial=False)
    d = blox.from_folder(out)
    assert d.seeds == [0, 1]
    assert d.val_acc(5, seed=1) == 100.0


def test_another_seed_of_other_architectures_is_kept_apart(store, run, out):
    finish_all(store, run)
    export(store, run, out, allow_partial=False)
    before = contents(out)
    second = made_up_run(store, DIGITS, seed=1, indices=(7,))
    finish(store, second, 7)
    message = r"blox-base-0\.blox has 3 architectures, this export 1, and not the same"
    with pytest.raises(ExportRefused, match=message):
        export(store, second, out, allow_partial=False)
    assert contents(out) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 3}, "has epochs 2, this export 3; give another folder"),
        ({"dataset": "cifar10"}, "has dataset 'digits', this export 'cifar10'"),
        ({"stem_channels": 16}, r"blox-info\.blox describes other models than this export"),
    ],
)
def test_a_seed_of_another_recipe_is_kept_apart(store, run, out, change, message):
    finish_all(store, run)
    export(store, run, out, allow_partial=False)
    wide = SHAPE | {"stem_channels": 16}
    store.static.add_architectures(wide, [(i, 1, 2) for i in COSTS])
    second = made_up_run(store, replace(DIGITS, **change), seed=1, indices=(3, 5, 7))
    for index in (3, 5, 7):
        finish(store, second, index, epochs=second.recipe["epochs"])
    with pytest.raises(ExportRefused, match=message):
        export(store, second, out, allow_partial=False)


def test_a_folder_in_the_place_of_a_file_changes_nothing(store, run, out):
    finish_all(store, run)
    (out / "blox-info.blox").mkdir(parents=True)
    with pytest.raises(ExportRefused, match=r"blox-info\.blox is no file; give another folder"):
        export(store, run, out, allow_partial=False)
    assert names(out) == ["blox-info.blox"]


def test_a_failed_export_leaves_the_old_release_as_it_was(store, run, out):
    finish(store, run, 3)
    export(store, run, out, allow_partial=True)
    before = contents(out)
    finish(store, run, 5)
    finish(store, run, 7, train_loss=np.array([1.0, 16.777216]))
    message = r"row 2.*train_loss.*16\.777216"
    with pytest.raises(NotEncodable, match=message):
        export(store, run, out, allow_partial=False)
    assert contents(out) == before


def test_image_numbers_that_version_1_cannot_count_are_refused(store, out):
    run = made_up_run(store, replace(DIGITS, val_images=249), indices=(3,))
    finish(store, run, 3, val_top1=np.array([1, 2]))
    with pytest.raises(NotEncodable, match="val_top1"):
        export(store, run, out, allow_partial=False)
    assert not out.exists()


def test_flops_beyond_32_bits_are_refused(store, out):
    store.static.add_architectures(SHAPE, [(9, 1, 2**32)])
    run = made_up_run(store, DIGITS, indices=(9,))
    finish(store, run, 9)
    with pytest.raises(NotEncodable, match="params or FLOPs of 4294967296: 0 to 4294967295"):
        export(store, run, out, allow_partial=False)


def test_older_files_of_other_formats_are_not_left_beside_new_ones(store, run, out):
    finish_all(store, run)
    export(store, run, out, allow_partial=False)
    (out / "blox-bench-other.csv").write_text("of another device")
    message = r"has blox-base-0\.csv, blox-env-0\.csv, .* add their formats to --formats"
    with pytest.raises(ExportRefused, match=message):
        export(store, run, out, formats=("blox", "pickle"), allow_partial=False)
    export(store, run, out, allow_partial=False)


def test_a_simulated_release_says_that_it_is_one(store, out):
    run = simulated_run(store)
    report = export(store, run, out, formats=("blox",), allow_partial=False, simulated=True)
    stems = ("blox-base-0", "blox-env-0", "blox-ext-0", "blox-info")
    assert names(out) == ["SIMULATED", *(f"{stem}.blox" for stem in stems)]
    assert sorted(path.name for path in report.files) == [f"{stem}.blox" for stem in stems]
    assert (out / "SIMULATED").read_text() == (
        "The figures in this folder are made up by a simulation of Blox: nothing was trained.\n"
        f"The last export was of {run}.\n"
    )
    assert "trainer simulated 1" in str(run)
    d = blox.from_folder(out, extended=True, include_static_info=True, include_env_info=True)
    assert sorted(d.indices) == [3, 5, 7]
    assert set(d.full_info(5)["env"].values()) == {"simulated"}
    test = simulated_result(Architecture(5), DIGITS, 0).test
    assert d.test_acc(5) == round(test.top1 / 250 * 100, 3)


@pytest.mark.parametrize("trainer", [SIMULATED, "other"])
def test_a_run_that_was_not_trained_needs_to_be_asked_for(store, out, trainer):
    run = made_up_run(store, DIGITS, indices=(3,), trainer=trainer)
    finish(store, run, 3)
    message = rf"trainer {trainer} 1: nothing of it was trained, .* by --run, or .* --simulated$"
    with pytest.raises(ExportRefused, match=message):
        export(store, run, out, allow_partial=False)
    assert not out.exists()


def test_a_real_run_is_not_exported_as_a_simulated_one(store, run, out):
    finish_all(store, run)
    message = "trainer torch 1: it was really trained, and --simulated is for runs that were not"
    with pytest.raises(ExportRefused, match=message):
        export(store, run, out, allow_partial=False, simulated=True)
    assert not out.exists()


@pytest.mark.parametrize("seed", [0, 1])
def test_simulated_files_do_not_join_real_ones(store, run, out, seed):
    finish_all(store, run)
    export(store, run, out, allow_partial=False)
    before = contents(out)
    message = r"release has blox-base-0\.blox of a real release, and these figures are simulated"
    with pytest.raises(ExportRefused, match=message):
        export(store, simulated_run(store, seed=seed), out, allow_partial=False, simulated=True)
    assert contents(out) == before


@pytest.mark.parametrize("seed", [0, 1])
def test_real_files_do_not_join_simulated_ones(store, run, out, seed):
    finish_all(store, run)
    export(store, simulated_run(store, seed=seed), out, allow_partial=False, simulated=True)
    before = contents(out)
    message = "release is of a simulated release, as its file SIMULATED says, and these figures are"
    with pytest.raises(ExportRefused, match=message):
        export(store, run, out, allow_partial=False)
    assert contents(out) == before


def test_a_second_simulated_seed_joins_the_first(store, out):
    first, second = (simulated_run(store, seed=seed) for seed in (0, 1))
    for run in (first, second, second):
        export(store, run, out, allow_partial=False, simulated=True)
    assert blox.from_folder(out).seeds == [0, 1]
    assert f"The last export was of {second}." in (out / "SIMULATED").read_text()


def test_a_folder_in_the_place_of_the_mark(store, out):
    (out / "SIMULATED").mkdir(parents=True)
    with pytest.raises(ExportRefused, match="SIMULATED is no file; give another folder"):
        export(store, simulated_run(store), out, allow_partial=False, simulated=True)
    assert names(out) == ["SIMULATED"]


def test_the_mark_is_there_before_the_first_file(store, out, monkeypatch):
    run = simulated_run(store)

    replace_path = Path.replace

    def move(path, target):
        if target.parent == out and target.name != "SIMULATED":
            raise OSError("no space left on device")
        return replace_path(path, target)

    monkeypatch.setattr(Path, "replace", move)
    with pytest.raises(OSError, match="no space left"):
        export(store, run, out, allow_partial=False, simulated=True)
    assert names(out) == ["SIMULATED"]


def test_no_mark_is_left_by_an_export_that_fails_before(store, out):
    run = made_up_run(store, DIGITS, indices=(3,), trainer=SIMULATED)
    finish(store, run, 3, train_loss=np.array([1.0, 16.777216]))
    with pytest.raises(NotEncodable):
        export(store, run, out, allow_partial=False, simulated=True)
    assert not out.exists()


def test_a_folder_that_cannot_be_written_is_one_clear_line(store, run, out):
    finish_all(store, run)
    out.write_text("not a folder")
    with pytest.raises(ExportRefused, match="release cannot be written to: "):
        export(store, run, out, allow_partial=False)


def test_a_release_of_more_rows_than_one_fetch(store, out):
    params, flops = params_and_flops(10, 8, 32)
    indices = range(0, 90_000, 40)
    store.static.add_architectures(SHAPE, [(i, int(params[i]), int(flops[i])) for i in indices])
    run = made_up_run(store, DIGITS, seed=5, indices=indices)
    with store._database.write() as connection:
        fill_with_copies(connection, store, run)
    report = export(store, run, out, formats=("blox",), allow_partial=False)
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
