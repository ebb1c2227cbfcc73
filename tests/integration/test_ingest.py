"""Ingesting: releases, published and ours, into the store and out again."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import func, select, text

from blox_core.recipe import preset
from blox_core.result.trainer_revision import TRAINER_REVISION, UNKNOWN_REVISION
from blox_core.space import indices_of_digests
from blox_store.errors import IngestRefused, ReleaseMissing, StoreError
from blox_store.export.chosen_jobs import Choice
from blox_store.export.exporter import export
from blox_store.ingest.incoming import IncomingRelease
from blox_store.ingest.ingestion import ingest
from blox_store.release.columns import HashColumn
from blox_store.release.names import scan_folder
from blox_store.release.reader import read_table
from blox_store.release.table import Table
from blox_store.release.writer import write_table
from blox_store.release_folder.manifest import sha256_of
from blox_store.store import JobState, Store, schema
from blox_store.verify.comparison import first_difference
from blox_store.verify.verification import verify
from tests.support.latencies import add_latencies, measure_all
from tests.support.releases import SHAPE, add_costs, contents, finished_run, payload
from tests.support.results import claimed, made_up_run

DIGITS = replace(preset("digits"), epochs=2)
CIFAR = preset("cifar100")


@pytest.fixture
def store(store_url):
    with Store(store_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    """A release of ours with two seeds, of which one has a diverged and a failed architecture."""
    folder = tmp_path_factory.mktemp("untouched")
    with Store(f"sqlite:///{folder}/first.db", migrate=True) as first:
        add_costs(first)
        add_latencies(first, "pixel-4", {3: 1.25, 7: 0.5000004})
        measure_all(first, "cpu-1", {3: True, 5: False})
        run = finished_run(first, DIGITS, indices=(3, 7))
        first.runs.add_jobs(run.id, [9, 11])
        lease = claimed(first, run, 9)
        first.jobs.fail(lease, "boom", kind="Boom", max_attempts=1, backoff_s=0)
        lost = claimed(first, run, 11)
        first.jobs.fail(lost, "boom", kind="Boom", max_attempts=1, backoff_s=0)
        for each in (run, finished_run(first, DIGITS, seed=1, indices=(3, 7), diverged=())):
            export(first, each, folder / "ours", formats=("blox", "csv"), choice=Choice())
    return folder / "ours"


@pytest.fixture
def ours(untouched, tmp_path):
    """A copy of that release, to be changed."""
    return shutil.copytree(untouched, tmp_path / "ours")


def take(store, folder, **options):
    return list(ingest(store, IncomingRelease(folder, **options)))


def rows(store):
    """Everything that ingesting may change."""
    tables = ("runs", "jobs", "results", "environments", "architectures", "latencies")
    tables += ("released_devices",)
    with store._database.read() as connection:
        return {
            name: connection.execute(select(schema.metadata.tables[name])).all() for name in tables
        }


@pytest.mark.parametrize("release", ["release-e200", "release-e12"])
def test_a_published_release_comes_out_as_it_went_in(store, golden, tmp_path, release):
    folder = golden / release
    (taken,) = take(store, folder, recipe=CIFAR)
    base = read_table(folder / "blox-base-0.blox")
    assert (taken.added, taken.there) == (len(base), 0)
    assert taken.run.trainer_revision == UNKNOWN_REVISION
    assert taken.run.epochs == base.header["epochs"]
    assert store.jobs.counts(taken.run.id)[JobState.SUCCEEDED] == len(base)

    export(store, taken.run, tmp_path / "again", choice=Choice())
    assert verify(tmp_path / "again").faults == ()
    (tmp_path / "sorted").mkdir()
    for file in scan_folder(folder):
        again = tmp_path / "again" / file.path.name
        published = read_table(file.path, allow_pickle=True)
        assert first_difference(published, read_table(again, allow_pickle=True)) is None
        if file.format == "blox":
            ordered = tmp_path / "sorted" / file.path.name
            digests = published.columns["model_hash"].digests
            by_index = published.take(np.argsort(indices_of_digests(digests)))
            write_table(by_index, ordered, "blox")
            assert payload(ordered) == payload(again)


def test_our_release_comes_out_as_it_went_in(store, ours, tmp_path, with_picture):
    taken = take(store, ours)
    assert [(each.run.seed, each.added, each.there) for each in taken] == [(0, 2, 0), (1, 2, 0)]
    assert [each.run.trainer_revision for each in taken] == [TRAINER_REVISION] * 2
    counts = store.jobs.counts(taken[0].run.id)
    assert (counts[JobState.SUCCEEDED], counts[JobState.FAILED]) == (2, 2)
    for each in taken:
        export(store, each.run, tmp_path / "again", formats=("blox", "csv"), choice=Choice())
    assert contents(tmp_path / "again") == contents(ours)


@pytest.mark.parametrize("formats", [("blox",), ("csv",)])
def test_diverged_ones_come_out_as_they_went_in(store, tmp_path, formats):
    choice = Choice(include_diverged=True)
    with Store(f"sqlite:///{tmp_path}/first.db", migrate=True) as first:
        add_costs(first)
        run = finished_run(first, DIGITS, indices=(3,), diverged=(5, 7))
        export(first, run, tmp_path / "theirs", formats=formats, choice=choice)
    (taken,) = take(store, tmp_path / "theirs")
    counts = store.jobs.counts(taken.run.id)
    assert (counts[JobState.SUCCEEDED], counts[JobState.DIVERGED]) == (1, 2)
    export(store, taken.run, tmp_path / "again", formats=formats, choice=choice)
    assert contents(tmp_path / "again") == contents(tmp_path / "theirs")


def test_ingesting_twice_changes_nothing(store, ours):
    take(store, ours)
    before = rows(store)
    again = take(store, ours)
    assert [(each.added, each.there) for each in again] == [(0, 2), (0, 2)]
    assert rows(store) == before


def test_an_ingest_that_was_cut_off_goes_on(store, ours):
    cut_off = ingest(store, IncomingRelease(ours))
    assert next(cut_off).added == 2
    cut_off.close()
    assert [(each.added, each.there) for each in take(store, ours)] == [(0, 2), (2, 0)]


def test_a_release_enters_the_store_that_it_came_from(tmp_path, store_url):
    with Store(store_url) as store:
        add_costs(store)
        run = finished_run(store, DIGITS)
        export(store, run, tmp_path / "r", formats=("blox",), choice=Choice())
        before = rows(store)
        (taken,) = take(store, tmp_path / "r")
        assert (taken.run, taken.added, taken.there) == (run, 0, 3)
        assert rows(store) == before


def test_jobs_that_wait_are_ended_and_others_are_kept(store, ours):
    run = made_up_run(store, DIGITS, indices=(3, 30))
    take(store, ours)
    states = {job.arch_index: job.state for job in store.jobs.matching(run.id)}
    assert states == {
        3: JobState.SUCCEEDED,
        7: JobState.SUCCEEDED,
        9: JobState.FAILED,
        11: JobState.FAILED,
        30: JobState.PENDING,
    }


def test_a_new_seed_joins_an_ingested_one(store, ours, tmp_path):
    take(store, ours)
    add_costs(store)
    third = finished_run(store, DIGITS, seed=2, indices=(3, 7))
    export(store, third, ours, formats=("blox", "csv"), choice=Choice())
    assert verify(ours).faults == ()
    manifest = json.loads((ours / "manifest.json").read_text())
    assert [seed["seed"] for seed in manifest["seeds"]] == [0, 1, 2]


def refused(store, folder, message, error=IngestRefused, **options):
    """Ingesting is refused by one line and changes nothing."""
    before = rows(store)
    with pytest.raises(error, match=message) as caught:
        take(store, folder, **options)
    assert "\n" not in str(caught.value)
    assert rows(store) == before


def test_a_job_that_a_worker_has_in_hand_is_left_to_it(store, ours):
    run = made_up_run(store, DIGITS, indices=(3,))
    claimed(store, run, 3)
    message = r"a worker trains architecture 3; pause the run by 'blox pause'"
    with pytest.raises(StoreError, match=message):
        take(store, ours)
    assert store.jobs.counts(run.id)[JobState.RUNNING] == 1


@pytest.mark.parametrize("change", ["test_top1 = 7", "train_time_s = 1", "epochs = 1"])
def test_another_result_in_the_store_is_kept(store, ours, change):
    take(store, ours)
    with store._database.write() as connection:
        connection.execute(text(f"UPDATE results SET {change} WHERE arch_index = 7"))
    refused(store, ours, "has another result of architecture 7 than the release", StoreError)


def test_other_costs_and_latencies_in_the_store_are_kept(store, ours):
    store.static.add_architectures(SHAPE, [(3, 1, 2)])
    refused(store, ours, r"params and FLOPs \(1, 2\) of architecture 3", StoreError)
    (ours / "blox-info.blox").unlink()
    (ours / "blox-info.csv").unlink()
    refused(store, ours, "has no blox-info, which the store needs")


def test_other_latencies_in_the_store_are_kept(store, ours):
    add_latencies(store, "pixel-4", {7: 3.0})
    refused(store, ours, "a latency of 3.0 ms of architecture 7 on pixel-4", StoreError)


@pytest.mark.parametrize("kind", ["ext", "env"])
def test_a_release_without_what_the_store_needs(store, ours, kind):
    for format in ("blox", "csv"):
        (ours / f"blox-{kind}-1.{format}").unlink()
    with pytest.raises(IngestRefused, match=f"has no blox-{kind}-1, which the store needs"):
        take(store, ours)


def test_no_release(store, tmp_path):
    refused(store, tmp_path / "nowhere", "no release folder", ReleaseMissing)
    refused(store, tmp_path, "has no blox-base-SEED: there is nothing to ingest")


def test_what_has_no_manifest_needs_a_recipe(store, golden):
    refused(store, golden / "release-e12", "name the recipe by --recipe, such as cifar100")
    message = "is of the data set 'cifar100', the recipe of 'digits'"
    refused(store, golden / "release-e12", message, recipe=DIGITS)


def test_what_has_a_manifest_needs_none(store, ours):
    refused(store, ours, "leave out --recipe and --trainer-revision", recipe=DIGITS)
    refused(store, ours, "leave out --recipe and --trainer-revision", trainer_revision=1)


def test_the_revision_may_be_given(store, golden):
    (taken,) = take(store, golden / "release-e12", recipe=CIFAR, trainer_revision=1)
    assert taken.run.trainer_revision == 1


def test_pickles_are_read_on_request(store, golden, tmp_path):
    for path in (golden / "release-e12").glob("*.pickle"):
        shutil.copy(path, tmp_path)
    with pytest.raises(IngestRefused, match="blox-info as a pickle only; allow it by"):
        take(store, tmp_path, recipe=CIFAR)
    (taken,) = take(store, tmp_path, recipe=CIFAR, allow_pickle=True)
    assert taken.added > 0


def test_a_simulated_release_without_manifest(store, golden, tmp_path):
    shutil.copytree(golden / "release-e12", tmp_path / "r")
    (tmp_path / "r" / "SIMULATED").write_text("made up")
    refused(store, tmp_path / "r", "is of a simulated release and has no manifest", recipe=CIFAR)


def test_a_mixture_of_two_releases(store, ours):
    (ours / ".export-pending").mkdir()
    (ours / ".export-pending" / "manifest.json").write_text("{}")
    refused(store, ours, "holds a mixture of two releases")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda m: m["recipe"].update(lr=0.5),
            "manifest.json: its recipe is not of its fingerprint",
        ),
        (
            lambda m: m.update(dataset="cifar10"),
            "its data set is cifar10, that of its recipe digits",
        ),
        (lambda m: m.update(trainer="simulated"), "no file SIMULATED, and its manifest.json says"),
        (lambda m: m["files"].pop(0), "blox-base-0.blox is not the file that manifest.json descri"),
        (lambda m: m["seeds"].pop(), r"has seeds \[0, 1\], its manifest.json \[0\]"),
    ],
)
def test_a_manifest_that_was_altered(store, ours, change, message):
    altered(ours, change)
    refused(store, ours, message)


def altered(folder, change):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_made_up_figures_never_enter_as_real_ones(store, ours):
    (ours / "SIMULATED").write_text("made up")
    refused(store, ours, "has a file SIMULATED, and its manifest.json says trainer torch")


def rewritten(path, change):
    """Write a .blox file again with other rows, and its digest into the manifest, if there is one."""
    table = read_table(path)
    write_table(change(table), path, "blox")
    if (path.parent / "manifest.json").exists():
        altered(path.parent, lambda manifest: described_again(manifest, path))


def described_again(manifest, path):
    (entry,) = [file for file in manifest["files"] if file["name"] == path.name]
    entry["sha256"] = sha256_of(path)


def test_a_file_that_its_manifest_does_not_describe(store, ours):
    table = read_table(ours / "blox-ext-1.blox")
    write_table(table.take(np.array([0])), ours / "blox-ext-1.blox", "blox")
    refused(store, ours, "blox-ext-1.blox is not the file that manifest.json describes; see what")


def test_rows_of_nothing_or_twice(store, ours):
    rewritten(ours / "blox-base-0.blox", lambda table: table.take(np.array([0, 0])))
    with pytest.raises(IngestRefused, match="has two rows of one architecture"):
        take(store, ours)
    rewritten(ours / "blox-base-0.blox", lambda table: table.take(np.array([0])))
    with pytest.raises(IngestRefused, match="base, ext and env of seed 0 have rows for different"):
        take(store, ours)


def test_a_hash_of_no_architecture(store, ours):
    def unknown(table):
        hashes = HashColumn(np.full((len(table), 16), 7, np.uint8))
        return replace(table, columns={**table.columns, "model_hash": hashes})

    rewritten(ours / "blox-info.blox", unknown)
    refused(store, ours, "has a model hash that no architecture has")


def test_an_accuracy_that_is_no_count_of_the_recipes_images(store, golden):
    few = replace(CIFAR, val_images=499)
    message = "column val_top1 has an accuracy of architecture .* out of the recipe's 499"
    with pytest.raises(IngestRefused, match=message):
        take(store, golden / "release-e12", recipe=few)


def test_curves_of_another_length(store, golden, tmp_path):
    shutil.copytree(golden / "release-e12", tmp_path / "r")

    def shorter(table):
        curves = table.columns["val_top1"].apply(lambda held: held[:, :11])
        return replace(table, columns={**table.columns, "val_top1": curves})

    rewritten(tmp_path / "r" / "blox-base-0.blox", shorter)
    with pytest.raises(IngestRefused, match="lists that are not of 12 items, the recipe's epochs"):
        take(store, tmp_path / "r", recipe=CIFAR)


def test_a_column_that_is_left_out(store, golden, tmp_path):
    shutil.copytree(golden / "release-e12", tmp_path / "r")

    def without(table):
        columns = {n: c for n, c in table.columns.items() if n != "val_loss"}
        return replace(table, header={**table.header, "columns": list(columns)}, columns=columns)

    rewritten(tmp_path / "r" / "blox-ext-0.blox", without)
    with pytest.raises(IngestRefused, match="has no column val_loss, which the store needs"):
        take(store, tmp_path / "r", recipe=CIFAR)


def test_results_are_counted_once(store, ours):
    take(store, ours)
    with store._database.read() as connection:
        count = connection.execute(select(func.count()).select_from(schema.results)).scalar_one()
    assert count == 4


def test_a_file_under_a_wrong_name_is_refused(golden, tmp_path):
    folder = shutil.copytree(golden / "release-e12", tmp_path / "renamed")
    for kind in ("base", "ext", "env"):
        shutil.copy(folder / f"blox-{kind}-0.blox", folder / f"blox-{kind}-1.blox")
    with pytest.raises(IngestRefused, match=r"blox-base-1.blox has seed 0 in its header; see what"):
        IncomingRelease(folder, recipe=CIFAR)


def test_columns_that_the_store_needs_are_named(store, golden, tmp_path):
    folder = shutil.copytree(golden / "release-e12", tmp_path / "less")
    for name, left_out in (("info", "params"), ("bench-pixel-4", "latency")):
        for file in folder.glob(f"blox-{name}.*"):
            without(file, left_out)
        with pytest.raises(IngestRefused, match=f"has a blox-{name} without {left_out}"):
            take(store, folder, recipe=CIFAR)
        shutil.rmtree(folder)
        shutil.copytree(golden / "release-e12", folder)
    assert store.runs.all() == []


def without(file, column):
    """Leave a column out of a release file."""
    table = read_table(file, allow_pickle=True)
    columns = {name: held for name, held in table.columns.items() if name != column}
    header = {**table.header, "columns": list(columns)}
    write_table(Table(header=header, columns=columns), file, file.suffix[1:])
