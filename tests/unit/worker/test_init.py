import shutil
from dataclasses import replace

import pytest
from click.testing import CliRunner

from blox_core.recipe import preset
from blox_core.result.trainer_revision import TRAINER_REVISION, UNKNOWN_REVISION
from blox_core.simulation import SIMULATION_REVISION
from blox_core.space import SPACE_SIZE
from blox_core.space.index_spans import parse_indices
from blox_store.errors import SettingsError, StoreError
from blox_store.store import Store
from blox_worker.commands.make.init import init
from blox_worker.new_run import make_run

NEXT = (
    "no scheduler is active; train it by 'blox train --local --run 1', or on a cluster by "
    "'blox scheduler --run 1' and 'blox worker'"
)


@pytest.fixture(scope="module")
def costed(tmp_path_factory):
    """The file of a store that has params and FLOPs of all models, which take a second."""
    path = tmp_path_factory.mktemp("costed") / "blox.db"
    with Store(f"sqlite:///{path}", migrate=True) as store:
        store.static.add_architectures(
            preset("digits").shape, [(i, 1, 2) for i in range(SPACE_SIZE)]
        )
    return path


@pytest.fixture
def url(costed, tmp_path, monkeypatch):
    monkeypatch.delenv("BLOX_TRAINER", raising=False)
    shutil.copy(costed, tmp_path / "blox.db")
    return f"sqlite:///{tmp_path}/blox.db"


def make(url, *options, **environment):
    """Run `blox init` and return the lines of its output."""
    arguments = ["--recipe", "digits", "--seed", "4", "--database", url, *options]
    ended = CliRunner().invoke(init, arguments, env=environment, catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended.output.splitlines()


def only_run(url):
    with Store(url) as store:
        return store.runs.find()


def priorities(url):
    with Store(url) as store:
        return {job.arch_index: job.priority for job in store.jobs.matching(1)}


def test_a_run_is_made_and_what_to_do_next_is_said(url):
    recipe = preset("digits").fingerprint[:8]
    assert make(url, "--indices", "7") == [
        f"made run 1: digits, recipe {recipe}, seed 4, trainer torch {TRAINER_REVISION}",
        "1 job added, 0 were there",
        NEXT,
    ]
    assert make(url, "--indices", "7")[0].startswith("found run 1: ")
    assert make(url, "--indices", "7")[1] == "0 jobs added, 1 was there"
    assert make(url, "--indices", "7-9")[1] == "2 jobs added, 1 was there"


@pytest.mark.slow
def test_a_run_of_all_architectures_is_made(url):
    make(url, "--indices", "7-9")
    assert make(url)[1] == "91,122 jobs added, 3 were there"


def test_jobs_that_a_scheduler_gives_out_need_nothing_more(url):
    make(url, "--indices", "7")
    with Store(url) as store:
        store.schedulers.hold(1, holder="head:7", token="t", lease_s=600)
    assert make(url, "--indices", "8")[-1] == "scheduler head:7 looks after it"


@pytest.mark.parametrize(
    ("options", "variable", "trainer"),
    [
        ((), None, "torch"),
        ((), "torch", "torch"),
        ((), "simulated", "simulated"),
        (("--trainer", "simulated"), None, "simulated"),
        (("--trainer", "simulated"), "torch", "simulated"),
        (("--trainer", "torch"), "simulated", "torch"),
    ],
)
def test_the_trainer_is_of_the_option_then_of_the_variable(url, options, variable, trainer):
    environment = {} if variable is None else {"BLOX_TRAINER": variable}
    lines = make(url, "--indices", "7", *options, **environment)
    revisions = {"torch": TRAINER_REVISION, "simulated": SIMULATION_REVISION}
    run = only_run(url)
    assert (run.trainer, run.trainer_revision) == (trainer, revisions[trainer])
    warning = "a simulation: all of the run is real but its figures, which are made up"
    assert (warning in lines) == (trainer == "simulated")


def test_a_simulation_is_a_run_of_its_own(url):
    make(url, "--indices", "7")
    assert "made run 2: " in make(url, "--indices", "7", "--trainer", "simulated")[0]


@pytest.mark.parametrize("recipe", [replace(preset("digits"), lr=0.5), preset("digits")])
def test_an_upgrade_begins_no_second_benchmark_by_itself(url, recipe):
    with Store(url, migrate=True) as store:
        for revision in (UNKNOWN_REVISION, TRAINER_REVISION - 1):
            store.runs.create(
                dataset="digits",
                recipe=recipe,
                seed=4,
                trainer="torch",
                trainer_revision=revision,
            )
    arguments = ["--recipe", "digits", "--database", url, "--indices", "7", "--seed"]
    with pytest.raises(
        StoreError, match=r"run 2: .* is there already, .* or begin anew by --beside"
    ):
        CliRunner().invoke(init, [*arguments, "4"], catch_exceptions=False)
    with Store(url) as store:
        assert len(store.runs.all()) == 2
    assert CliRunner().invoke(init, [*arguments, "5"]).exit_code == 0  # another seed
    assert "made run 4: " in make(url, "--indices", "7", "--beside")[0]
    assert "found run 4: " in make(url, "--indices", "7-9")[0]  # as every `up` does


def test_a_changed_recipe_is_a_run_of_its_own(url):
    make(url, "--indices", "7")
    changes = ("--set", "precision=bf16", "--set", "epochs=2")
    recipe = replace(preset("digits"), precision="bf16", epochs=2)
    made = make(url, "--indices", "7", *changes)[0]
    assert made.startswith(f"made run 2: digits, recipe {recipe.fingerprint[:8]}, seed 4")
    assert make(url, "--indices", "7", *changes)[0].startswith("found run 2: ")
    assert make(url, "--indices", "7", "--set", "epochs=5")[0].startswith("found run 1: ")
    with Store(url) as store:
        assert store.runs.find(2).recipe == recipe


def test_a_variable_that_is_not_allowed(url):
    message = "BLOX_TRAINER='magic': Input should be 'torch' or 'simulated'"
    with pytest.raises(SettingsError, match=message):
        make(url, BLOX_TRAINER="magic")
    with Store(url) as store:
        assert store.runs.all() == []


def test_the_variable_is_nothing_to_other_makers_of_runs(url, monkeypatch):
    monkeypatch.setenv("BLOX_TRAINER", "simulated")
    with Store(url) as store:
        made = make_run(store, preset("digits"), seed=0, indices=[3])
    assert made.run.trainer == "torch"


def test_the_priority_is_that_of_the_jobs_that_are_added(url):
    make(url, "--indices", "7")
    make(url, "--indices", "7,8", "--priority", "9")
    make(url, "--indices", "9", "--priority", "2")
    assert priorities(url) == {7: 0, 8: 9, 9: 2}


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        ("7", [7]),
        ("0-3,77", [0, 1, 2, 3, 77]),
        ("5, 3 ,4-5", [3, 4, 5]),
        ("91124", [91_124]),
        ("0-91124", list(range(91_125))),
    ],
)
def test_indices_are_numbers_and_ranges(text, indices):
    assert parse_indices(text) == indices


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "1,,2", "1.5", "1-2-3"])
def test_other_text_is_refused(text):
    with pytest.raises(ValueError, match="must be arch indices such as 0-9,77"):
        parse_indices(text)


@pytest.mark.parametrize("text", ["91125", "5-3", "0-91125", "99999999999999999999"])
def test_indices_outside_the_space_are_refused(text):
    with pytest.raises(ValueError, match="must be arch indices from 0 to 91124, the smaller first"):
        parse_indices(text)
