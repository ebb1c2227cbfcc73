"""The manifest: the same bytes for the same release, and read with suspicion."""

import json
import re
from dataclasses import replace

import pytest

from blox_core.latency import preset
from blox_core.recipe import preset as recipe_preset
from blox_core.space.index_spans import indices_of, spans
from blox_store.errors import ReleaseCorrupt
from blox_store.release_folder.contradictions import contradictions
from blox_store.release_folder.manifest import (
    DeviceEntry,
    FileEntry,
    Manifest,
    SeedEntry,
    Trainings,
    read_manifest,
)

TRAININGS = Trainings(
    dataset="digits",
    trainer="torch",
    trainer_revision=1,
    recipe_fingerprint="f" * 64,
    recipe={"lr": 0.1, "epochs": 2},
)


def seed_entry(seed, **changed):
    values = {
        "seed": seed,
        "code_version": "1",
        "environments": 1,
        "includes_diverged": False,
        "counts": {"succeeded": 1, "diverged": 0, "failed": 0, "missing": 91_124},
        "indices": "0",
        "diverged": "",
        "failed": "",
        "missing": "1-91124",
    }
    return SeedEntry(**(values | changed))


def file_entry(name, digest="0" * 64, **header):
    return FileEntry(name=name, bytes=3, sha256=digest, rows=1, header={"version": 1} | header)


def device_entry(device, **changed):
    protocol = preset("torch-cpu")
    values = {
        "device": device,
        "protocol_fingerprint": protocol.fingerprint,
        "protocol": protocol.to_dict(),
        "identities": [],
        "unstable": "",
    }
    return DeviceEntry(**(values | changed))


def manifest(seeds=(0,), files=("b",), devices=()):
    return Manifest(
        trainings=TRAININGS,
        seeds=tuple(map(seed_entry, seeds)),
        devices=tuple(map(device_entry, devices)),
        files=tuple(map(file_entry, files))
        + tuple(file_entry(f"z-{device}", device=device) for device in devices),
    )


def test_it_comes_back_as_it_was_written(tmp_path):
    written = manifest((0, 7), ("a", "b"), ("cpu", "gpu"))
    (tmp_path / "manifest.json").write_bytes(written.to_json())
    assert read_manifest(tmp_path) == written
    assert read_manifest(tmp_path).to_json() == written.to_json()


def test_a_folder_without_one(tmp_path):
    assert read_manifest(tmp_path) is None


def test_an_export_takes_the_place_of_its_seed_and_its_files():
    merged = manifest((1, 5), ("b", "d")).with_export(
        seed_entry(3, code_version="2"), [file_entry("c"), file_entry("b", "1" * 64)]
    )
    assert [seed.seed for seed in merged.seeds] == [1, 3, 5]
    assert [file.name for file in merged.files] == ["b", "c", "d"]
    assert merged.files[0].sha256 == "1" * 64


def test_devices_are_those_of_the_files_that_there_are():
    before = manifest(devices=("cpu", "gpu", "old"))
    files = [file_entry("z-old", device="old"), file_entry("z-cpu", device="cpu")]
    new = [device_entry("cpu", unstable="3"), device_entry("unmeasured")]
    after = before.with_export(seed_entry(0), files, new)
    assert after.devices == (device_entry("cpu", unstable="3"), device_entry("gpu"))


def test_a_manifest_from_before_it_had_devices(tmp_path):
    document = json.loads(manifest().to_json())
    del document["devices"]
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    assert read_manifest(tmp_path) == manifest()


def test_a_manifest_from_before_it_listed_predictions(tmp_path):
    document = json.loads(manifest(devices=("cpu",)).to_json())
    del document["devices"][0]["predicted"], document["devices"][0]["prediction_error_percent"]
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    assert read_manifest(tmp_path) == manifest(devices=("cpu",))


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        ([device_entry("gpu"), device_entry("cpu")], r"its devices are \['gpu', 'cpu'\], diff"),
        ([device_entry("tpu")], "its device tpu has no file"),
        ([device_entry("cpu", protocol={})], "of device cpu: .*backend"),
        ([device_entry("cpu", identities=[{"name": 3}])], "of device cpu: .*"),
        ([device_entry("cpu", identities=[None])], "of device cpu: device identity None: an obj"),
        ([device_entry("cpu", protocol_fingerprint="0")], "the protocol of device cpu is not of"),
    ],
)
def test_devices_that_cannot_be(devices, message):
    recipe = recipe_preset("digits")
    trainings = replace(TRAININGS, recipe=recipe.to_dict(), recipe_fingerprint=recipe.fingerprint)
    right = replace(manifest(devices=("cpu", "gpu")), trainings=trainings)
    assert list(contradictions(right)) == []
    (fault,) = contradictions(replace(right, devices=tuple(devices)))
    assert re.match(message, fault)


def with_predicted(value):
    """Return what puts a number of predicted rows into the manifest's first file."""

    def change(document):
        first, *others = document["files"]
        header = first["header"] | {"predicted": value}
        return document | {"files": [first | {"header": header}, *others]}

    return change


def with_device(**changed):
    """Return what changes the manifest's device."""
    return lambda document: document | {"devices": [document["devices"][0] | changed]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d | {"devices": {}}, "devices is no list"),
        (lambda d: d | {"devices": [d["devices"][0] | {"identities": {}}]}, "identities is {}, no"),
        (
            lambda d: d | {"devices": [d["devices"][0] | {"unstable": "x"}]},
            "'x' must be arch indices",
        ),
        (with_device(predicted="9-7"), "'9-7' must be arch indices from 0"),
        (with_device(predicted=None), "predicted is None, no str"),
        (with_device(unstable="3-5", predicted="5"), "5 of cpu are unstable and predicted"),
        (with_device(prediction_error_percent="2"), "prediction_error_percent is '2', no float"),
        (with_device(prediction_error_percent=-1.0), "percent is -1.0, a number of 0 or more is"),
        (with_device(prediction_error_percent=float("nan")), "percent is nan, a number of 0 or"),
        (lambda d: [], "the document is no object"),
        (lambda d: d | {"schema": 2}, "schema is 2, this Blox knows 1"),
        (lambda d: d | {"search_space": 3}, "search_space is 3, no 91125"),
        (lambda d: d | {"units": {}}, "units is {}, no {'flops'"),
        (lambda d: d | {"recipe": 3}, "recipe is 3, no dict"),
        (lambda d: d | {"trainer_revision": True}, "trainer_revision is True, no int"),
        (lambda d: d | {"seeds": {}}, "seeds is no list"),
        (lambda d: d | {"files": ["a"]}, "'a' is no object"),
        (with_predicted("many"), "predicted is 'many', a number of the 1 rows of b is allowed"),
        (with_predicted(2), "predicted is 2, a number of the 1 rows of b is allowed"),
        (with_predicted(True), "predicted is True, a number of the 1 rows"),
        (
            lambda d: d | {"seeds": [d["seeds"][0] | {"failed": "x"}]},
            "'x' must be arch indices such as",
        ),
    ],
)
def test_what_is_no_manifest(tmp_path, change, message):
    document = change(json.loads(manifest(devices=["cpu"]).to_json()))
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(ReleaseCorrupt, match=message) as caught:
        read_manifest(tmp_path)
    assert caught.value.path == str(tmp_path / "manifest.json")


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\xff"])
def test_what_is_no_json(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text, "latin-1")
    with pytest.raises(ReleaseCorrupt, match="it is no manifest: "):
        read_manifest(tmp_path)


def test_one_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr("blox_store.release_folder.manifest._MAX_BYTES", 10)
    (tmp_path / "manifest.json").write_bytes(manifest().to_json())
    with pytest.raises(ReleaseCorrupt, match="over 10 bytes"):
        read_manifest(tmp_path)


def test_a_folder_in_its_place(tmp_path):
    (tmp_path / "manifest.json").mkdir()
    with pytest.raises(ReleaseCorrupt, match="it cannot be read: Is a directory"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("indices", "text"),
    [([], ""), ([5], "5"), ([3, 1, 2, 77, 2], "1-3,77"), (range(91_125), "0-91124")],
)
def test_sets_of_indices_as_text(indices, text):
    assert spans(indices) == text
    assert indices_of(text).tolist() == sorted(set(indices))


@pytest.mark.parametrize("text", ["1,1", "5-3", "7,1-2", "91125", "1,", " 1", "a", "1-2-3", "٣"])
def test_text_that_is_no_set(text):
    with pytest.raises(ValueError, match="arch indices"):
        indices_of(text)
