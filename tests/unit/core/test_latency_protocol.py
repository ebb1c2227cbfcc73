"""What describes a latency: protocols, measurements, devices, and what they allow."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields, replace
from math import inf, nan
from typing import Any

import pytest

from blox_core.errors import LatencyError
from blox_core.latency import DeviceIdentity, LatencyMeasurement, LatencyProtocol, preset
from blox_core.latency.protocol import BACKENDS, PRESETS

# They are in stores: a change makes every measurement one of another protocol.
FINGERPRINTS = {
    "torch-cpu": "d0f5f067463385882cec49235c156edb3f5c02242b118d2f217c725129c46965",
    "torch-cuda": "d76cd0bf5e83c5335c0f8a2a7c86566a6b61fe31938336e1de5c64c74598d02e",
    "onnxruntime-cpu": "31deac834345d56f648474094610fbe5fe9689b147f3e09366c8000391420db8",
    "torch-compile-cpu": "4d447865875e091ebc0ae5997e81b28b4ce96626fba79648176dff4b69325306",
    "torch-compile-cuda": "ea770d0b85e177876850eaf2eadf727aef8816aa00de2820469300f2fb872bfb",
}
# Another allowed value of every field of the usual protocol of torch on a GPU.
OTHER_VALUES: dict[str, Any] = {
    "backend": "torch-compile-cuda",
    "precision": "fp16",
    "batch": 2,
    "resolution": 33,
    "classes": 10,
    "stem_channels": 8,
    "threads": 2,
    "channels_last": False,
    "cuda_graphs": False,
    "least_warm_up": 2,
    "most_warm_up": 20,
    "warm_up_bound": 0.01,
    "timed_runs": 1,
    "stability_bound": 0.2,
}
NO_VALUES: dict[str, list[Any]] = {
    "backend": ["torch", None, ["torch-cpu"]],
    "precision": ["fp64", None],
    "batch": [0, 1.0, True],
    "resolution": [7],
    "classes": [1],
    "stem_channels": [0, 3],
    "threads": [0],
    "channels_last": [1],
    "cuda_graphs": ["no"],
    "least_warm_up": [1],
    "most_warm_up": [1],
    "warm_up_bound": [0.0, nan, 1],
    "timed_runs": [0],
    "stability_bound": [0.0, inf],
}
MEASUREMENT = LatencyMeasurement(
    median_ms=1.25, iqr_ms=0.1, least_ms=1.2, runs=50, warm_up_runs=10, stable=True
)
DEVICE = DeviceIdentity(
    name="Some GPU",
    clock_mhz=1980,
    cores=16,
    instructions="AVX512",
    driver="570.86.15",
    cuda="13.0",
    cudnn="91900",
    torch="2.14.1",
    onnxruntime="none",
    python="3.11.7",
    system="Linux",
)


def test_every_field_has_its_cases() -> None:
    assert {field.name for field in fields(LatencyProtocol)} == OTHER_VALUES.keys()
    assert NO_VALUES.keys() == OTHER_VALUES.keys()


@pytest.mark.parametrize("backend", BACKENDS)
def test_fingerprint_is_pinned(backend: str) -> None:
    assert preset(backend).fingerprint == FINGERPRINTS[backend]
    assert preset(backend).backend == backend


@pytest.mark.parametrize("field", OTHER_VALUES)
def test_fingerprint_changes_with_every_field(field: str) -> None:
    protocol = preset("torch-cuda")
    other = replace(protocol, **{field: OTHER_VALUES[field]})
    assert other.fingerprint != protocol.fingerprint


@pytest.mark.parametrize(
    ("field", "value"), [(name, value) for name, values in NO_VALUES.items() for value in values]
)
def test_value_that_is_not_allowed(field: str, value: Any) -> None:
    with pytest.raises(LatencyError) as caught:
        replace(preset("torch-cuda"), **{field: value})
    message = str(caught.value)
    assert message.startswith(f"latency protocol field {field} = {value!r}: ")
    assert message.endswith("is allowed")


@pytest.mark.parametrize(
    ("backend", "values", "message"),
    [
        ("torch-cpu", {"precision": "tf32"}, "precision = 'tf32': one of fp32, bf16 on torch-cpu"),
        ("onnxruntime-cpu", {"precision": "bf16"}, "one of fp32 on onnxruntime-cpu"),
        ("onnxruntime-cpu", {"channels_last": True}, "False on onnxruntime-cpu is allowed"),
        ("torch-compile-cpu", {"cuda_graphs": True}, "False on torch-compile-cpu is allowed"),
        ("torch-cpu", {"most_warm_up": 9}, "an integer of least_warm_up = 10 or more is allowed"),
    ],
)
def test_values_that_do_not_go_together(backend: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(LatencyError, match=message):
        replace(preset(backend), **values)


def test_no_such_backend() -> None:
    with pytest.raises(LatencyError, match=r"latency backend 'tpu': one of torch-cpu, .* allowed"):
        preset("tpu")


@pytest.mark.parametrize("value", [*PRESETS.values(), MEASUREMENT, DEVICE], ids=repr)
def test_everything_survives_json(value: Any) -> None:
    kind = type(value)
    assert kind.from_dict(json.loads(json.dumps(value.to_dict()))) == value
    with pytest.raises(FrozenInstanceError):
        setattr(value, fields(value)[0].name, None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            MEASUREMENT,
            (
                '{"median_ms": 1.25, "iqr_ms": 0.1, "least_ms": 1.2, "runs": 50, "warm_up_runs": 10, '
                '"stable": true}'
            ),
        ),
        (
            DEVICE,
            (
                '{"name": "Some GPU", "clock_mhz": 1980, "cores": 16, "instructions": "AVX512", '
                '"driver": "570.86.15", "cuda": "13.0", "cudnn": "91900", "torch": "2.14.1", '
                '"onnxruntime": "none", "python": "3.11.7", "system": "Linux"}'
            ),
        ),
    ],
)
def test_json_is_pinned(value: Any, text: str) -> None:
    assert json.dumps(value.to_dict()) == text


@pytest.mark.parametrize("value", [preset("torch-cpu"), MEASUREMENT, DEVICE], ids=repr)
def test_unknown_and_missing_fields(value: Any) -> None:
    first, *_ = values = value.to_dict()
    del values[first]
    wrong = ", ".join(sorted([first, "more"]))
    with pytest.raises(LatencyError, match=f"fields missing or unknown: {wrong}; exactly"):
        type(value).from_dict({**values, "more": 1})


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("median_ms", -1.0, "a float of 0 or more"),
        ("iqr_ms", nan, "a float of 0 or more"),
        ("least_ms", 1, "a float of 0 or more"),
        ("runs", 0, "an integer of 1 or more"),
        ("warm_up_runs", -1, "an integer of 0 or more"),
        ("stable", 1, "True or False"),
    ],
)
def test_no_measurement(field: str, value: Any, allowed: str) -> None:
    with pytest.raises(
        LatencyError, match=rf"measurement field {field} = .*: {allowed} is allowed"
    ):
        replace(MEASUREMENT, **{field: value})


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("name", None, "a string"),
        ("clock_mhz", 0, "an integer of 1 or more, or None"),
        ("cores", 0, "an integer of 1 or more"),
    ],
)
def test_no_device(field: str, value: Any, allowed: str) -> None:
    with pytest.raises(LatencyError, match=rf"identity field {field} = .*: {allowed} is allowed"):
        replace(DEVICE, **{field: value})
    assert replace(DEVICE, clock_mhz=None).clock_mhz is None
