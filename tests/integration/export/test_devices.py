"""How latencies were measured, and on what, in the manifest and the card of a release."""

import json
from dataclasses import replace

import pytest

from blox_store.export.chosen_jobs import Choice
from blox_store.export.exporter import export
from blox_store.report.page import report_page
from blox_store.verify.verification import verify
from tests.support.exports import finish_all, manifest_of
from tests.support.latencies import IDENTITY, PROTOCOL, add_latencies, measure_all


@pytest.fixture
def device(store):
    """A device on which two architectures were measured, the second of them without calm."""
    measure_all(store, "cpu-1", {3: True, 5: False})
    return "cpu-1"


def test_the_manifest_and_the_card_have_protocol_and_hardware(
    store, run, out, device, with_picture
):
    finish_all(store, run)
    add_latencies(store, "ingested", {3: 1.0})
    export(store, run, out, choice=Choice(), formats=["blox"])
    assert manifest_of(out)["devices"] == [
        {
            "device": device,
            "protocol_fingerprint": PROTOCOL.fingerprint,
            "protocol": PROTOCOL.to_dict(),
            "identities": [IDENTITY],
            "unstable": "5",
            "predicted": "",
            "prediction_error_percent": None,
        }
    ]
    assert verify(out).faults == ()
    card = (out / "README.md").read_text()
    assert f"| `cpu-1` | a CPU | {PROTOCOL} | 2 | 1 | 0 | - |" in card
    assert "| `ingested` | unknown | unknown | 1 | 0 | 0 | - |" in card
    page = report_page(out).decode()
    assert f'<td class="words">a CPU</td><td class="words">{PROTOCOL}</td>' in page
    assert '<td class="words">ingested</td><td class="words">unknown</td>' in page
    assert "error is that of" not in card + page  # nothing is predicted


def test_a_chosen_range_has_its_own_unstable_ones(store, run, out, device):
    finish_all(store, run)
    export(store, run, out, choice=Choice(indices=range(5)), formats=["blox"])
    assert manifest_of(out)["devices"][0]["unstable"] == ""
    assert verify(out).faults == ()


def test_a_release_without_latencies_has_no_devices(store, run, out):
    finish_all(store, run)
    export(store, run, out, choice=Choice(), formats=["blox"])
    assert manifest_of(out)["devices"] == []
    assert "## Latency" not in (out / "README.md").read_text()


def test_unstable_ones_without_rows_are_a_fault(store, run, out, device):
    finish_all(store, run)
    export(store, run, out, choice=Choice(), formats=["blox"])
    document = manifest_of(out)
    document["devices"][0]["unstable"] = "5,8"
    (out / "manifest.json").write_text(json.dumps(document))
    assert verify(out).faults == (
        "blox-bench-cpu-1 has no rows for architectures that manifest.json says are unstable",
    )


def test_the_protocol_in_words_has_the_sizes_of_the_network():
    assert str(PROTOCOL) == (
        "torch-cpu, fp32, 1 thread, batch 1 of 32 x 32, 100 classes, 32 channels in stage 1"
    )
    assert ", 2 threads, " in str(replace(PROTOCOL, threads=2))
