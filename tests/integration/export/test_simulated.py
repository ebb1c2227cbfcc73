"""Simulated releases: marked, and kept apart from real ones."""

from pathlib import Path

import numpy as np
import pytest

import blox
from blox_core.result.trainer_revision import TRAINER_REVISION
from blox_core.simulation import SIMULATED, simulated_result
from blox_core.space import Architecture
from blox_store.errors import ExportRefused, NotEncodable
from blox_store.export.chosen_jobs import Choice
from blox_store.export.exporter import export
from blox_store.verify.verification import verify
from tests.support.exports import DIGITS, FOR_PEOPLE, finish, finish_all, names, simulated_run
from tests.support.releases import contents
from tests.support.results import made_up_run, revision_of


def test_a_simulated_release_says_that_it_is_one(store, out, with_picture):
    run = simulated_run(store)
    report = export(store, run, out, formats=("blox",), choice=Choice(simulated=True))
    stems = ("blox-base-0", "blox-env-0", "blox-ext-0", "blox-info")
    files = [f"{stem}.blox" for stem in stems]
    assert names(out) == sorted(["SIMULATED", *files, *FOR_PEOPLE])
    assert sorted(path.name for path in report.files) == [f"{stem}.blox" for stem in stems]
    assert (out / "SIMULATED").read_text() == (
        "The figures in this folder are made up by a simulation of Blox: nothing was trained.\n"
        f"The last export was of {run}.\n"
    )
    assert f"trainer simulated {revision_of(SIMULATED)}" in str(run)
    d = blox.from_folder(out, extended=True, include_static_info=True, include_env_info=True)
    assert sorted(d.indices) == [3, 5, 7]
    assert set(d.full_info(5)["env"].values()) == {"simulated"}
    test = simulated_result(Architecture(5), DIGITS, 0).test
    assert d.test_acc(5) == round(test.top1 / 250 * 100, 3)


@pytest.mark.parametrize("trainer", [SIMULATED, "other"])
def test_a_run_that_was_not_trained_needs_to_be_asked_for(store, out, trainer):
    run = made_up_run(store, DIGITS, indices=(3,), trainer=trainer)
    finish(store, run, 3)
    message = rf"trainer {trainer} {revision_of(trainer)}: nothing of it was trained, .* by --run, or .* --simulated$"
    with pytest.raises(ExportRefused, match=message):
        export(store, run, out, choice=Choice())
    assert not out.exists()


def test_a_real_run_is_not_exported_as_a_simulated_one(store, run, out):
    finish_all(store, run)
    message = f"trainer torch {TRAINER_REVISION}: it was really trained, and --simulated is for runs that were not"
    with pytest.raises(ExportRefused, match=message):
        export(store, run, out, choice=Choice(simulated=True))
    assert not out.exists()


@pytest.mark.parametrize("seed", [0, 1])
def test_simulated_files_do_not_join_real_ones(store, run, out, seed):
    finish_all(store, run)
    export(store, run, out, choice=Choice())
    before = contents(out)
    message = r"release has blox-base-0\.blox of a real release, and these figures are simulated"
    with pytest.raises(ExportRefused, match=message):
        export(store, simulated_run(store, seed=seed), out, choice=Choice(simulated=True))
    assert contents(out) == before


@pytest.mark.parametrize("seed", [0, 1])
def test_real_files_do_not_join_simulated_ones(store, run, out, seed):
    finish_all(store, run)
    export(store, simulated_run(store, seed=seed), out, choice=Choice(simulated=True))
    before = contents(out)
    message = "release is of a simulated release, as its file SIMULATED says, and these figures are"
    with pytest.raises(ExportRefused, match=message):
        export(store, run, out, choice=Choice())
    assert contents(out) == before


def test_a_second_simulated_seed_joins_the_first(store, out):
    first, second = (simulated_run(store, seed=seed) for seed in (0, 1))
    for run in (first, second, second):
        export(store, run, out, choice=Choice(simulated=True))
    assert blox.from_folder(out).seeds == [0, 1]
    assert f"The last export was of {second}." in (out / "SIMULATED").read_text()


def test_a_folder_in_the_place_of_the_mark(store, out):
    (out / "SIMULATED").mkdir(parents=True)
    with pytest.raises(ExportRefused, match="SIMULATED is no file; give another folder"):
        export(store, simulated_run(store), out, choice=Choice(simulated=True))
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
        export(store, run, out, choice=Choice(simulated=True))
    assert names(out) == [".export-pending", "SIMULATED"]
    monkeypatch.undo()
    export(store, run, out, choice=Choice(simulated=True))
    assert verify(out).faults == ()


def test_no_mark_is_left_by_an_export_that_fails_before(store, out):
    run = made_up_run(store, DIGITS, indices=(3,), trainer=SIMULATED)
    finish(store, run, 3, train_top1=np.array([1, 1251]))
    with pytest.raises(NotEncodable):
        export(store, run, out, choice=Choice(simulated=True))
    assert not out.exists()
