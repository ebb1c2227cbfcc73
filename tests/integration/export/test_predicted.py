"""Latencies that were not measured, in a release that was asked for them."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import blox
from blox_core.errors import LatencyError
from blox_core.latency import LatencyPredictor
from blox_core.latency.predictor import fitting_sample
from blox_core.space import SPACE_SIZE
from blox_core.space.index_spans import indices_of
from blox_store.errors import ExportRefused
from blox_store.export.chosen_jobs import Choice
from blox_store.export.command import command
from blox_store.export.exporter import export
from blox_store.export.latencies import completed
from blox_store.ingest.command import command as ingest_command
from blox_store.ingest.incoming import IncomingRelease
from blox_store.verify.verification import verify
from tests.support.exports import finish_all, manifest_of
from tests.support.latencies import (
    PROTOCOL,
    add_latencies,
    made_up_predictor,
    measure_all,
    measuring_run,
)

MEASURED = fitting_sample(2, seed=3)
LATENCIES_MS = made_up_predictor(deviation=0.1).all_ms()


@pytest.fixture
def measured(store, run):
    """A finished run, and the latencies of 90 architectures on a device."""
    finish_all(store, run)
    latencies = dict(zip(MEASURED, LATENCIES_MS[MEASURED].tolist(), strict=True))
    add_latencies(store, "cpu", latencies)
    return {index: round(value, 6) for index, value in latencies.items()}


def test_without_asking_there_are_measured_ones_alone(store, run, out, measured):
    export(store, run, out, choice=Choice())
    d = blox.from_folder(out, devices=["cpu"])
    assert {index: d.latency(index)[0][0] for index in MEASURED} == measured
    assert len(d.bench_info.files["cpu"].indices) == len(MEASURED)
    assert "predicted" not in d.bench_info.header


@pytest.mark.slow  # twice 91,125 rows
@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_all_others_are_predicted_and_header_and_manifest_say_so(store, run, out, measured):
    add_latencies(store, "gpu-all", dict.fromkeys(range(SPACE_SIZE), 2.0))
    export(store, run, out, choice=Choice(predicted=True), formats=["blox", "csv"])
    assert verify(out).faults == ()
    for extension in ("blox", "csv"):
        d = blox.from_folder(out, preferred_ext=[extension])
        found = d.bench_info.files["cpu"]
        assert found.header["predicted"] == SPACE_SIZE - len(MEASURED)
        assert "predicted" not in d.bench_info.files["gpu-all"].header
        assert len(found.indices) == SPACE_SIZE
        assert {index: d.latency(index, "cpu")[0][0] for index in MEASURED} == measured
        others = np.setdiff1d(np.arange(0, SPACE_SIZE, 97), MEASURED)
        errors = d.latency(others, "cpu")[0] / LATENCIES_MS[others] - 1
        assert np.abs(errors).mean() < 0.01
    (entry, *_) = [file for file in manifest_of(out)["files"] if "bench-cpu" in file["name"]]
    assert entry["header"]["predicted"] == SPACE_SIZE - len(MEASURED)
    assert "predicted, not measured" in (out / "README.md").read_text()


def test_the_manifest_says_which_are_predicted_and_how_well(store, run, out, measured):
    export(store, run, out, choice=Choice(predicted=True), formats=["blox"])
    (entry,) = manifest_of(out)["devices"]
    assert (entry["device"], entry["protocol"], entry["identities"]) == ("cpu", {}, [])
    assert set(indices_of(entry["predicted"]).tolist()) == {*range(SPACE_SIZE)} - {*MEASURED}
    fitted = LatencyPredictor.fit(MEASURED, LATENCIES_MS[MEASURED])
    assert entry["prediction_error_percent"] == round(fitted.error_percent, 2) > 0
    assert verify(out).faults == ()
    figures = ("91,125", "0", f"{SPACE_SIZE - len(MEASURED):,}", f"{fitted.error_percent:.1f} %")
    card = (out / "README.md").read_text()
    assert f"| `cpu` | unknown | unknown | {' | '.join(figures)} |" in card
    assert "The error is that of predicting each measured latency from all other" in card


def test_a_protocol_that_is_known_stands_beside_predictions(store, run, out):
    finish_all(store, run)
    sample = [*fitting_sample(1, seed=0), 7]
    measure_all(store, "cpu-1", dict.fromkeys(sample, True))
    export(store, run, out, choice=Choice(predicted=True, indices=range(9)), formats=["blox"])
    (entry,) = manifest_of(out)["devices"]
    assert entry["protocol_fingerprint"] == PROTOCOL.fingerprint
    assert {*indices_of(entry["predicted"]).tolist()} == {*range(9)} - {*sample}
    assert IncomingRelease(out).devices()["cpu-1"].protocol == PROTOCOL.to_dict()


def tampered(out, **changed):
    document = manifest_of(out)
    document["devices"][0] |= changed
    (out / "manifest.json").write_text(json.dumps(document))


def test_a_manifest_that_lists_other_predictions_is_a_fault(store, run, out, measured):
    export(store, run, out, choice=Choice(predicted=True, indices=range(9)), formats=["blox"])
    faults = {
        "7": "blox-bench-cpu.blox has 9 predicted rows, by its device's entry 1",
        "1-9": "blox-bench-cpu has no rows for architectures that manifest.json says are predicted",
    }
    for predicted, fault in faults.items():
        tampered(out, predicted=predicted)
        assert any(fault in found for found in verify(out).faults)


def test_a_store_takes_no_predictions(store, run, out, measured):
    export(store, run, out, choice=Choice(predicted=True), formats=["blox"])
    incoming = IncomingRelease(out)
    assert (incoming.predicted(), incoming.latencies()) == ([], {"cpu": measured})
    assert incoming.devices() == {}
    tampered(out, predicted="")  # as an older manifest, which does not list them
    incoming = IncomingRelease(out)
    assert (incoming.predicted(), incoming.latencies()) == (["cpu"], {})
    told = CliRunner().invoke(
        ingest_command, [str(out), "--database", f"sqlite:///{out}.db"], catch_exceptions=False
    )
    assert "left out: latencies on cpu, of which some are predicted and nobody can" in told.output


def test_a_device_without_enough_is_left_as_it_is_measured(store, run, out, measured, store_url):
    add_latencies(store, "few", {3: 1.0, 5: 2.0})
    options = ["--out", str(out), "--predicted", "--formats", "blox", "--database", store_url]
    ended = CliRunner().invoke(command, options, catch_exceptions=False)
    assert (
        "left out, predictions: latencies on few cannot be predicted: latencies of 2 architectures"
        in ended.output
    )
    d = blox.from_folder(out)
    assert d.bench_info.files["few"].indices.tolist() == [3, 5]
    assert "predicted" not in d.bench_info.files["few"].header
    assert d.bench_info.files["cpu"].header["predicted"] == SPACE_SIZE - len(MEASURED)
    assert "Those on `few` that were not measured could not" in (out / "README.md").read_text()
    assert verify(out).faults == ()


def test_what_can_be_done_depends_on_who_has_measured(store, run, out):
    finish_all(store, run)
    add_latencies(store, "ingested", {3: 1.0, 5: 2.0})
    measure_all(store, "here", {3: True})
    message = (
        r"latencies on here cannot be predicted: .* 'blox init-latency --device-name here' .*; "
        r"latencies on ingested cannot be predicted: .* with a release: ingest one that has more of "
        r"them; or leave --predicted out"
    )
    with pytest.raises(ExportRefused, match=message):
        export(store, run, out, choice=Choice(predicted=True))
    assert not out.exists()


def test_predictions_from_nothing_are_refused(store, run, out):
    finish_all(store, run)
    measuring_run(store, "not-begun")
    with pytest.raises(ExportRefused, match="the store has no latency from which others could be"):
        export(store, run, out, choice=Choice(predicted=True))


def test_predictions_that_make_no_sense_are_refused():
    indices = np.array(MEASURED)
    absurd = np.where(indices % 45 < 22, 1e-6, 1e3)
    with pytest.raises(LatencyError, match="some predictions are not above 0"):
        completed(iter([(indices, absurd)]), range(SPACE_SIZE))
