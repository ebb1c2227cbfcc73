"""The contract of the store: runs, jobs and static information, on every database."""

from dataclasses import replace

import pytest

from blox_core.latency import preset as protocol_of
from blox_core.recipe import preset
from blox_store.errors import RunNotFound, StoreError
from blox_store.store import JobState, Store
from tests.support.latencies import add_latencies, measuring_run
from tests.support.results import made_up_result
from tests.support.store_jobs import claim, make_foreign, make_run, stored


def test_a_run_is_made_once(store):
    first, made = make_run(store)
    again, made_again = make_run(store)
    other, made_other = make_run(store, seed=1)
    assert (made, made_again, made_other) == (True, False, True)
    assert first == again != other
    assert other.id == first.id + 1  # finding one uses no number up
    assert first.recipe == first.training_recipe == preset("digits")
    assert store.runs.all() == [first, other]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"warm_up": 5}, "recipe fields missing or unknown: warm_up; exactly these are allowed: "),
        ({"precision": "fp8"}, "recipe field precision = 'fp8': one of fp64, "),
    ],
)
def test_a_recipe_of_another_version_is_told_where_it_is_needed(store, change, fault):
    recipe = preset("digits").to_dict() | change
    run = make_foreign(store, make_run(store)[0], recipe)
    assert store.runs.all() == [run]
    assert make_run(store)[0] == run
    assert (run.epochs, str(run)) == (5, str(replace(run, recipe=preset("digits"))))
    assert (run.shape, run.images("val")) == (preset("digits").shape, preset("digits").val_images)
    message = rf"^run 1: {fault}.*; use the version of Blox that made it$"
    with pytest.raises(StoreError, match=message):
        _ = run.training_recipe


def test_a_protocol_of_another_version_is_told_where_it_is_needed(store):
    run = make_foreign(store, measuring_run(store, "cpu"), {"backend": "tpu"})
    assert store.runs.find(measured="cpu") == run
    assert (run.measures, run.epochs) == (True, 1)
    with pytest.raises(StoreError, match=r"^run 1: latency protocol fields miss"):
        _ = run.protocol


SIZES = {"stem_channels": 3, "classes": 10, "resolution": 32}


@pytest.mark.parametrize("recipe", [[], 5, {}, {"epochs": None}, {"epochs": 0}, SIZES])
def test_a_recipe_of_another_version_without_epochs(store, recipe):
    run = make_foreign(store, make_run(store)[0], recipe)
    assert run.epochs == 1
    with pytest.raises(
        StoreError, match=r"^run 1: recipe .*; use the version of Blox that made it$"
    ):
        _ = run.shape
    with pytest.raises(StoreError, match=r"^run 1: recipe"):
        run.images("val")


def test_a_run_is_found_by_what_is_known_of_it(store):
    with pytest.raises(RunNotFound, match="the store has no run; make one by 'blox init'"):
        store.runs.find()
    first, _ = make_run(store)
    assert store.runs.find() == first
    second, _ = make_run(store, seed=1)
    assert store.runs.find(second.id) == second
    assert store.runs.find(seed=0) == first
    with pytest.raises(RunNotFound, match=r"several runs fit, choose one by --run ID: run 1: .*; "):
        store.runs.find()
    with pytest.raises(RunNotFound, match=r"no run with id 9 and seed 1; the store has run 1: "):
        store.runs.find(9, seed=1)


def test_two_runs_of_one_device_are_not_to_be_chosen_from(store):
    """As two commands make them that begin at once."""
    for backend in ("torch-cpu", "onnxruntime-cpu"):
        measuring_run(store, "cpu", protocol_of(backend))
    message = (
        r"several runs measure on cpu, where one is allowed: run 1: latency on cpu, .*; run 2: .*; begin anew by "
        r"'blox init-latency' with another --device-name$"
    )
    with pytest.raises(RunNotFound, match=message):
        store.runs.find(measured="cpu")


def test_jobs_are_added_once(store, run):
    assert store.runs.add_jobs(run.id, [3, 4, 4]) == 1
    assert [job.arch_index for job in store.jobs.matching(run.id)] == [3, 4, 5, 7]
    assert store.jobs.counts(run.id)[JobState.PENDING] == 4


def test_a_run_and_its_jobs_are_made_together(store):
    identity = {
        "dataset": "digits",
        "recipe": preset("digits"),
        "seed": 0,
        "trainer": "torch",
        "trainer_revision": 1,
    }

    def indices():
        yield 3
        raise KeyboardInterrupt  # the process ends here

    with pytest.raises(KeyboardInterrupt):
        store.runs.create(**identity, indices=indices())
    assert store.runs.all() == []
    made = store.runs.create(**identity, indices=[3, 7], priority=2)
    assert (made.is_new, made.jobs_added) == (True, 2)
    again = store.runs.create(**identity, indices=[7, 9])
    assert (again.run, again.is_new, again.jobs_added) == (made.run, False, 1)
    jobs = store.jobs.matching(made.run.id)
    assert {job.arch_index: job.priority for job in jobs} == {3: 2, 7: 2, 9: 0}


def test_all_jobs_of_the_search_space_are_added(store):
    run, _ = make_run(store)
    assert store.runs.add_jobs(run.id, range(91_125)) == 91_125
    assert store.jobs.counts(run.id)[JobState.PENDING] == 91_125


def test_a_snapshot_sees_one_state(store, run):
    with store.snapshot() as snapshot:
        assert list(snapshot.result_rows(run.id)) == []
        store.results.complete(claim(store, run, 3), made_up_result())
        assert list(snapshot.result_rows(run.id)) == []
    assert len(stored(store, run)) == 1


def test_static_information_is_kept_by_model_shape(store):
    shape = preset("digits").shape
    store.static.add_architectures(shape, [(0, 100, 2**33), (5, 200, 300)])
    store.static.add_architectures(shape, [(5, 200, 300), (6, 1, 2)])
    assert store.static.architecture_count(shape) == 3
    assert store.static.architecture_count(replace(shape, classes=100)) == 0
    with store.snapshot() as snapshot:
        assert snapshot.all_costs(shape) == {0: (100, 2**33), 5: (200, 300), 6: (1, 2)}


def test_latencies_are_kept_by_device(store):
    add_latencies(store, "pixel-4", {3: 1.5, 1: 2.5})
    add_latencies(store, "cpu", {3: 10.0})
    with store.snapshot() as snapshot:
        assert snapshot.devices() == ["cpu", "pixel-4"]
        assert snapshot.latencies_of(3) == {"cpu": 10.0, "pixel-4": 1.5}
        ((indices, latencies_ms),) = snapshot.latencies("pixel-4", range(9))
        assert (indices.tolist(), latencies_ms.tolist()) == ([1, 3], [2.5, 1.5])
        ((indices, _),) = snapshot.latencies("pixel-4", range(3))
        assert indices.tolist() == [1]


def test_a_store_has_an_identity_of_its_own(store, store_url, tmp_path):
    assert len(store.id) == 32
    with Store(store_url) as again, Store(f"sqlite:///{tmp_path}/o.db", migrate=True) as other:
        assert store.id == again.id != other.id
