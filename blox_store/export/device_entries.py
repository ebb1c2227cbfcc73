"""What an export writes into the manifest about the devices of its latencies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from blox_core.space.index_spans import spans
from blox_store.export.latencies import Prediction
from blox_store.release_folder.manifest import DeviceEntry
from blox_store.store import MeasuredDevice

_DECIMALS: Final = 2  # of an error in percent, which is an estimate


def device_entries(
    measured: Iterable[MeasuredDevice], predictions: Mapping[str, Prediction]
) -> list[DeviceEntry]:
    """Return the entries of devices of which it is known how they were measured, or predicted."""
    known = {device.name: device for device in measured}
    names = {**known, **predictions}
    return [_entry(name, known.get(name), predictions.get(name)) for name in names]


def _entry(
    name: str, measured: MeasuredDevice | None, prediction: Prediction | None
) -> DeviceEntry:
    known = measured or MeasuredDevice(
        name=name, protocol={}, protocol_fingerprint="", identities=(), unstable=()
    )
    return DeviceEntry(
        device=name,
        protocol_fingerprint=known.protocol_fingerprint,
        protocol=known.protocol,
        identities=list(known.identities),
        unstable=spans(known.unstable),
        predicted=spans(() if prediction is None else prediction.indices),
        prediction_error_percent=(
            None if prediction is None else round(prediction.error_percent, _DECIMALS)
        ),
    )
