"""What an export writes for people and for `verify`: the manifest, the dataset card, its picture."""

import hashlib
import json
import sys

import pytest

import blox
from blox_core.result.trainer_revision import TRAINER_REVISION
from blox_store.errors import ExportRefused
from blox_store.export.chosen_jobs import Choice
from blox_store.export.exporter import export
from blox_store.verify.verification import verify
from tests.support.exports import DIGITS, finish, finish_all, manifest_of
from tests.support.releases import contents
from tests.support.results import claimed, made_up_run


def test_the_manifest_says_what_is_there(store, run, out):
    finish(store, run, 3)
    finish(store, run, 5, status="diverged", epochs=1)
    store.jobs.fail(claimed(store, run, 7), "boom", kind="Boom", max_attempts=1, backoff_s=0)
    export(store, run, out, formats=("blox", "csv"), choice=Choice())
    manifest = manifest_of(out)
    assert manifest["schema"] == 1
    assert manifest["recipe"] == DIGITS.to_dict()
    assert manifest["recipe_fingerprint"] == DIGITS.fingerprint
    assert (manifest["dataset"], manifest["trainer"]) == ("digits", "torch")
    assert (manifest["units"]["latency"], manifest["units"]["train_time_s"]) == ("ms", "s")
    (seed,) = manifest["seeds"]
    assert seed["counts"] == {"succeeded": 1, "diverged": 1, "failed": 1, "missing": 91_122}
    assert (seed["indices"], seed["diverged"], seed["failed"]) == ("3", "5", "7")
    assert seed["missing"] == "0-2,4,6,8-91124"
    assert (seed["code_version"], seed["environments"]) == (blox.__version__, 1)
    stems = ("blox-base-0", "blox-env-0", "blox-ext-0", "blox-info")
    expected = [f"{stem}.{format}" for stem in stems for format in ("blox", "csv")]
    assert [file["name"] for file in manifest["files"]] == expected
    for file in manifest["files"]:
        data = (out / file["name"]).read_bytes()
        assert (file["bytes"], file["rows"]) == (len(data), 1)
        assert file["sha256"] == hashlib.sha256(data).hexdigest()
    assert manifest["files"][0]["header"]["epochs"] == 2


def test_seeds_exported_one_after_the_other_have_one_manifest(store, run, out):
    finish_all(store, run)
    second = made_up_run(store, DIGITS, seed=1, indices=(3, 5, 7))
    finish_all(store, second)
    export(store, run, out, choice=Choice())
    export(store, second, out, choice=Choice())
    both = contents(out)
    manifest = manifest_of(out)
    assert [seed["seed"] for seed in manifest["seeds"]] == [0, 1]
    assert len(manifest["files"]) == 4 * 3 + 3 * 3
    assert verify(out).faults == ()
    export(store, second, out, choice=Choice())
    assert contents(out) == both  # the same release is the same bytes


@pytest.mark.parametrize(
    ("name", "other"), [("trainer_revision", TRAINER_REVISION + 1), ("trainer", "other")]
)
@pytest.mark.parametrize("seed", [0, 9])
def test_another_trainer_is_kept_apart(store, run, out, name, other, seed):
    finish_all(store, run)
    export(store, run, out, choice=Choice())
    manifest = manifest_of(out) | {name: other}
    manifest["seeds"][0]["seed"] = seed
    (out / "manifest.json").write_text(json.dumps(manifest))
    message = rf"has seed {seed}, trained otherwise than this run: {name} {other!r}, here"
    with pytest.raises(ExportRefused, match=message):
        export(store, run, out, choice=Choice())


def test_files_that_no_manifest_knows_are_kept_apart(store, run, out):
    finish_all(store, run)
    export(store, run, out, choice=Choice())
    (out / "blox-base-4.csv").write_text("of somebody")
    with pytest.raises(ExportRefused, match=r"has blox-base-4\.csv, of which no manifest\.json"):
        export(store, run, out, choice=Choice())
    (out / "manifest.json").write_text("{}")
    with pytest.raises(ExportRefused, match=r"it is no manifest: .*; delete it and its release"):
        export(store, run, out, choice=Choice())


def test_the_card_is_for_people(store, run, out, with_picture):
    finish_all(store, run)
    report = export(store, run, out, choice=Choice())
    assert report.has_picture
    assert (out / "accuracy.png").read_bytes().startswith(b"\x89PNG")
    card = (out / "README.md").read_text()
    for part in (
        "# Blox on digits",
        "3 of the 91,125 architectures",
        "![accuracy, FLOPs and parameters](accuracy.png)",
        "| 0 | 3 | 0 | 0 | 91,122 | 2 |",
        "| 5 | 100.000 | 24.000 | 333 | 444 | `[[[",
        "| `blox-info.csv` | parameters, FLOPs, arch vectors | 3 |",
        f"Fingerprint `{DIGITS.fingerprint}`",
        "Licence: (to be stated here by whoever publishes this release)",
    ):
        assert part in card
    (out / "README.md").write_text("Licence: CC BY 4.0\n")
    second = made_up_run(store, DIGITS, seed=1, indices=(3, 5, 7))
    finish_all(store, second)
    export(store, second, out, choice=Choice())
    card = (out / "README.md").read_text()
    assert card.endswith("\nLicence: CC BY 4.0\n")
    assert "Accuracies are means of 2 seeds." in card
    assert " epochs with 2 seeds. " in card
    assert "| 5 | 100.000 | 24.000 | 333 | 444 |" in card


def test_a_card_without_a_picture(store, run, out, no_picture):
    finish_all(store, run)
    assert not export(store, run, out, choice=Choice()).has_picture
    assert "accuracy.png" not in (out / "README.md").read_text()
    assert not (out / "accuracy.png").exists()


def test_an_old_picture_goes_with_the_old_release(store, run, out, monkeypatch, with_picture):
    finish_all(store, run)
    export(store, run, out, choice=Choice())
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    export(store, run, out, choice=Choice())
    assert not (out / "accuracy.png").exists()
