"""Latencies that were not measured, in a release that was asked for them."""

import numpy as np
import pytest

import blox
from blox_core.latency.predictor import fitting_sample
from blox_core.space import SPACE_SIZE
from blox_store.errors import ExportRefused
from blox_store.exporter import Choice, export
from blox_store.ingestion import IncomingRelease
from blox_store.predicted_latencies import completed
from blox_store.verification import verify
from tests.exports import finish_all, manifest_of
from tests.latencies import made_up_predictor

MEASURED = fitting_sample(2, seed=3)
LATENCIES_MS = made_up_predictor().all_ms()


@pytest.fixture
def measured(store, run):
    """A finished run, and the latencies of 90 architectures on a device."""
    finish_all(store, run)
    latencies = dict(zip(MEASURED, LATENCIES_MS[MEASURED].tolist(), strict=True))
    store.static.add_latencies("cpu", latencies)
    return {index: round(value, 6) for index, value in latencies.items()}


def test_without_asking_there_are_measured_ones_alone(store, run, out, measured):
    export(store, run, out, choice=Choice())
    d = blox.from_folder(out, devices=["cpu"])
    assert {index: d.latency(index)[0][0] for index in MEASURED} == measured
    assert len(d.bench_info.files["cpu"].indices) == len(MEASURED)
    assert "predicted" not in d.bench_info.header


def test_all_others_are_predicted_and_header_and_manifest_say_so(store, run, out, measured):
    store.static.add_latencies("gpu-all", dict.fromkeys(range(SPACE_SIZE), 2.0))
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


def test_a_store_takes_no_predictions(store, run, out, measured):
    export(store, run, out, choice=Choice(predicted=True), formats=["blox"])
    incoming = IncomingRelease(out)
    assert (incoming.predicted(), incoming.latencies()) == (["cpu"], {})


def test_too_few_measurements_are_one_line(store, run, out):
    finish_all(store, run)
    store.static.add_latencies("cpu", {3: 1.0, 5: 2.0})
    message = "latencies on cpu cannot be predicted: .* 'blox init-latency --device-name cpu"
    with pytest.raises(ExportRefused, match=message):
        export(store, run, out, choice=Choice(predicted=True))
    assert not out.exists()


def test_predictions_that_make_no_sense_are_refused():
    indices = np.array(MEASURED)
    absurd = np.where(indices % 45 < 22, 1e-6, 1e3)
    with pytest.raises(ExportRefused, match="some predictions are not above 0"):
        completed("cpu", iter([(indices, absurd)]), range(SPACE_SIZE))
