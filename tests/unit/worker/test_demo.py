import shutil
from dataclasses import replace

import pytest
from sqlalchemy import update

from blox_core.recipe import preset
from blox_core.space import OPS, Architecture
from blox_store.export.chosen_jobs import Choice
from blox_store.export.exporter import export
from blox_store.release.names import ALL_FORMATS, FORMATS
from blox_store.store import Store, schema
from blox_worker.demo import (
    DEMO_INDICES,
    _check_jobs,
    _check_release,
    _formats,
)
from blox_worker.errors import DemoFailed
from tests.support.latencies import add_latencies
from tests.support.results import claimed, made_up_result, made_up_run


def test_the_demo_covers_all_ops_and_several_connectivities():
    cells = {cell for index in DEMO_INDICES for cell in Architecture(index).cells}
    assert len(DEMO_INDICES) == len(set(DEMO_INDICES)) == 8
    assert {op for cell in cells for op in cell[:2]} == set(range(len(OPS)))
    assert len({cell[2:] for cell in cells}) >= 4


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a store and its release, and the run, which has one result."""
    folder = tmp_path_factory.mktemp("made")
    with Store(f"sqlite:///{folder}/store.db", migrate=True) as store:
        store.static.add_architectures(preset("digits").shape, [(3, 1, 2)])
        add_latencies(store, "cpu", {3: 1.2345678})
        add_latencies(store, "elsewhere", {9: 1.0})
        run = made_up_run(store, replace(preset("digits"), epochs=2), indices=(3,))
        store.results.complete(claimed(store, run, 3), made_up_result(2))
        export(store, run, folder / "release", formats=ALL_FORMATS, choice=Choice())
    return folder, run


@pytest.fixture
def exported(made, tmp_path):
    """A copy of the store, the run, and a copy of the release."""
    folder, run = made
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    with Store(f"sqlite:///{tmp_path}/store.db") as store:
        yield store, run, tmp_path / "release"


def test_a_release_that_is_what_was_trained_passes(exported):
    _check_jobs(*exported[:2])
    _check_release(*exported, ALL_FORMATS)


def test_the_demo_writes_parquet_where_it_can(monkeypatch):
    assert _formats() == ALL_FORMATS
    monkeypatch.setattr("blox_worker.demo.default_formats", lambda: ("blox", "csv"))
    assert _formats() == FORMATS


def test_formats_that_differ_fail_the_demo(exported):
    csv = exported[2] / "blox-base-0.csv"
    csv.write_bytes(csv.read_bytes().replace(b",12", b",13"))
    with pytest.raises(
        DemoFailed, match=r"faulty: blox-base-0\.csv and blox-base-0\.blox differ: train_time_s of"
    ):
        _check_release(*exported, ALL_FORMATS)


@pytest.mark.parametrize(
    "column", [schema.latencies.c.latency_ms, schema.architectures.c.flops], ids=str
)
def test_costs_that_are_not_stored_fail_the_demo(exported, column):
    store, run, release = exported
    with store._database.write() as connection:
        connection.execute(update(column.table).values({column: 3}))
    with pytest.raises(DemoFailed, match=r"not what is in the store, as \.csv"):
        _check_release(store, run, release, ["csv"])


def test_a_release_that_is_not_what_is_stored_fails_the_demo(exported):
    store, run, release = exported
    other = replace(run, recipe=replace(run.training_recipe, val_images=500))
    with pytest.raises(DemoFailed, match="release is not what is in the store"):
        _check_release(store, other, release, FORMATS)


def test_a_job_that_failed_fails_the_demo(exported):
    store, run, _ = exported
    store.runs.add_jobs(run.id, [4])
    store.jobs.fail(claimed(store, run, 4), "boom", kind="Boom", max_attempts=1, backoff_s=0)
    with pytest.raises(DemoFailed, match="1 jobs of the demo did not succeed; run 'blox status"):
        _check_jobs(store, run)
