"""The latencies of a release: measured ones, and predicted ones of what was not measured."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from blox_core.errors import LatencyError
from blox_core.latency import LatencyPredictor
from blox_core.space import SPACE_SIZE
from blox_core.space.index_spans import spans
from blox_store.errors import ExportRefused
from blox_store.export.chosen_jobs import ChosenJobs
from blox_store.export.tables import ReleaseTable, Source, hash_column
from blox_store.release.columns import Column, FloatColumn
from blox_store.release_folder.manifest import DeviceEntry
from blox_store.store import LatencyBlock, MeasuredDevice, Snapshot

_DECIMALS: Final = 2  # of an error in percent, which is an estimate


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """Latencies of all chosen architectures, and which arch indices of them are predicted.

    `error_percent` is as of the predictor.
    """

    latencies: LatencyBlock
    indices: NDArray[np.int64]
    error_percent: float


@dataclass(frozen=True, kw_only=True, eq=False)
class LatencySource(Source[LatencyBlock]):
    """The latencies on a device, those that were measured or all chosen ones.

    `unpredicted` says in words why predictions that were asked for could not be made.
    """

    device: str
    prediction: Prediction | None = None
    unpredicted: str = ""

    def table(self) -> ReleaseTable:
        """Return the table of these latencies."""
        predicted = {} if self.prediction is None else {"predicted": len(self.prediction.indices)}
        return ReleaseTable(self, "bench", device=self.device, **predicted)

    def blocks(self) -> Generator[LatencyBlock, None, None]:
        """Yield the latencies that get rows."""
        if self.prediction is None:
            yield from self.snapshot.latencies(self.device, self.jobs.choice.indices)
        else:
            yield self.prediction.latencies

    def columns(self, names: Sequence[str], block: LatencyBlock) -> Mapping[str, Column]:
        """Return the columns of a block of rows."""
        indices, latencies_ms = block
        return {"model_hash": hash_column(indices), "latency": FloatColumn(latencies_ms)}


def latency_sources(snapshot: Snapshot, jobs: ChosenJobs) -> list[LatencySource]:
    """Return the latencies of every device.

    Raises ExportRefused if predicted ones are asked for, and none of any device can be.
    """
    devices = snapshot.devices()
    if not jobs.choice.predicted:
        return [LatencySource(snapshot=snapshot, jobs=jobs, device=device) for device in devices]
    if not devices:
        raise ExportRefused(
            "the store has no latency from which others could be predicted; measure some, as "
            "'blox init-latency --help' says, or leave --predicted out"
        )
    here = {run.dataset for run in snapshot.runs() if run.measures}
    sources = [_completed(snapshot, jobs, device, device in here) for device in devices]
    refusals = [source.unpredicted for source in sources if source.unpredicted]
    if len(refusals) == len(sources):
        raise ExportRefused(f"{'; '.join(refusals)}; or leave --predicted out")
    return sources


def completed(measured: Iterator[LatencyBlock], chosen: range) -> Prediction | None:
    """Return the latencies of all chosen architectures; None if all of them are measured.

    Measured ones stay as they are. Raises LatencyError if too few are measured for the others, or
    if a prediction is not above 0.
    """
    indices, latencies_ms = map(np.concatenate, zip(*measured, strict=True))
    wanted = np.arange(chosen.start, chosen.stop)
    known = np.full(SPACE_SIZE, np.nan)
    known[indices] = latencies_ms
    values = known[wanted]
    missing = np.isnan(values)
    if not missing.any():
        return None
    predictor = LatencyPredictor.fit(indices.tolist(), latencies_ms)
    values[missing] = predictor.all_ms()[wanted[missing]]
    if not (values > 0).all():
        raise LatencyError("some predictions are not above 0")
    return Prediction(
        latencies=(wanted, values),
        indices=wanted[missing],
        error_percent=predictor.error_percent,
    )


def device_entries(
    measured: Iterable[MeasuredDevice], sources: Sequence[LatencySource]
) -> list[DeviceEntry]:
    """Return what the manifest has of devices whose measuring is known, or some predictions."""
    known = {device.name: device for device in measured}
    predictions = {one.device: one.prediction for one in sources if one.prediction is not None}
    names = {**known, **predictions}
    return [_entry(name, known.get(name), predictions.get(name)) for name in names]


def _completed(
    snapshot: Snapshot, jobs: ChosenJobs, device: str, measured_here: bool
) -> LatencySource:
    """Return latencies with all others predicted; measured ones alone where that cannot be."""
    measured = LatencySource(snapshot=snapshot, jobs=jobs, device=device)
    try:
        found = snapshot.latencies(device, range(SPACE_SIZE))
        return replace(measured, prediction=completed(found, jobs.choice.indices))
    except LatencyError as error:
        told = _unpredicted(device, str(error), measured_here=measured_here)
        return replace(measured, unpredicted=told)


def _unpredicted(device: str, why: str, *, measured_here: bool) -> str:
    """Return in words that latencies cannot be predicted, why, and what to do about it."""
    advice = (
        f"measure more by 'blox init-latency --device-name {device}' with the protocol's options "
        "and a --sample larger than before, or 135 at first"
        if measured_here
        else "they came with a release: ingest one that has more of them"
    )
    return f"latencies on {device} cannot be predicted: {why}; {advice}"


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
