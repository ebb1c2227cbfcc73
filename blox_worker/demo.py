"""The demo: the whole path from arch indices to queries, on one machine, without servers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

import blox
from blox_core.latency import LATENCY_DECIMALS
from blox_core.latency import preset as preset_protocol
from blox_core.recipe import Recipe, preset
from blox_store.dataset import default_formats
from blox_store.export.chosen_jobs import Choice
from blox_store.export.exporter import export
from blox_store.release.names import FORMATS
from blox_store.settings import read_settings
from blox_store.store import JobState, ResultRow, Run, Snapshot, Store
from blox_store.verify.verification import verify
from blox_worker.device.torch_device import checked_device
from blox_worker.errors import DemoFailed
from blox_worker.job.outcome import Worker
from blox_worker.new_run import make_measuring_run, make_run
from blox_worker.settings import WorkerSettings
from blox_worker.wording import GO_ON, describe_cells
from blox_worker.worker.session import local_worker, train_run

# All three ops and several connectivities, each learning the digits well within 5 epochs.
DEMO_INDICES: Final = (18639, 19314, 20665, 19629, 22689, 30834, 504, 75339)
SEED: Final = 0
DEVICE_NAME: Final = "cpu"
# Short, so that a demo that was killed goes on soon after it is started again.
_LEASE_S: Final = 10.0
_HEARTBEAT_S: Final = 2.0


def run_demo(folder: Path, *, architectures: int, epochs: int | None, database: str | None) -> bool:
    """Train, measure, release and query small models in a folder; return False if it was interrupted.

    Raises DemoFailed if not all jobs succeed or the release is not what is in the store.
    """
    console = Console(highlight=False, markup=False)
    recipe = preset("digits")
    if epochs is not None:
        recipe = replace(recipe, epochs=epochs)
    folder.mkdir(parents=True, exist_ok=True)
    url = database or f"sqlite:///{folder}/blox.db"
    with Store(url, migrate=True) as store:
        made = make_run(store, recipe, seed=SEED, indices=DEMO_INDICES[:architectures], beside=True)
        run = made.run
        console.print(f"{'made' if made.is_new else 'found'} {run} in {store.url}", soft_wrap=True)
        if not train_run(store, run, _worker(folder)):
            console.print(GO_ON)
            return False
        _check_jobs(store, run)
        if not _measured(store, recipe, made.run, folder):
            console.print(GO_ON)
            return False
        release = folder / "release"
        formats = _formats()
        report = export(store, run, release, formats=formats, choice=Choice())
        _check_release(store, run, release, formats)
    console.print(
        f"{len(report.files)} files in {release}; all formats hold equal values, "
        "and blox.from_folder gives the numbers in the store"
    )
    console.print(_table(release))
    return True


def _measured(store: Store, recipe: Recipe, trained: Run, folder: Path) -> bool:
    """Measure the latencies of what was trained, as it was trained; return False if interrupted."""
    protocol = replace(preset_protocol("torch-cpu"), **recipe.shape.to_dict())
    indices = [job.arch_index for job in store.jobs.matching(trained.id)]
    run = make_measuring_run(store, protocol, device_name=DEVICE_NAME, indices=indices).run
    return train_run(store, run, _worker(folder, measures=True))


def _worker(folder: Path, *, measures: bool = False) -> Worker:
    own = {
        "checkpoint_dir": folder / "checkpoints",
        "checkpoint_every_s": 0.0,
        "lease_s": _LEASE_S,
        "heartbeat_s": _HEARTBEAT_S,
    }
    settings = read_settings(WorkerSettings).model_copy(update=own)
    return local_worker(checked_device("cpu"), settings, measures=measures)


def _check_jobs(store: Store, run: Run) -> None:
    bad = store.jobs.matching(run.id, JobState.FAILED, JobState.DIVERGED)
    if bad:
        raise DemoFailed(
            f"{len(bad)} jobs of the demo did not succeed; run 'blox status --database {store.url}'"
        )


def _formats() -> tuple[str, ...]:
    """Return all formats that can be written here."""
    return tuple(dict.fromkeys((*FORMATS, *default_formats())))


def _check_release(store: Store, run: Run, release: Path, formats: Sequence[str]) -> None:
    """Compare the release, in each format, with the store; raise DemoFailed if they differ."""
    if faults := verify(release).faults:
        raise DemoFailed(f"the release in {release} is faulty: {faults[0]}")
    stored = _stored(store, run)
    for format in formats:
        dataset = blox.from_folder(
            release,
            extended=True,
            include_static_info=True,
            seeds=run.seed,
            preferred_ext=[format],
        )
        if any(_released(dataset, index, facts) != facts for index, facts in stored.items()):
            raise DemoFailed(f"the release in {release} is not what is in the store, as .{format}")


def _released(dataset: blox.Dataset, index: int, names: Iterable[str]) -> dict[str, Any]:
    """Return what a release says of an architecture, by the names that `_stored` gives it."""
    info: Any = dataset.full_info(index) or {}
    latencies = {device: info.get(device) for device in dataset.devices}
    found = {**info, **(info.get("info") or {}), "latencies": latencies}
    return {name: found.get(name) for name in names}


def _stored(store: Store, run: Run) -> dict[int, dict[str, Any]]:
    """Return what a release has to say of each architecture, as it follows from the store."""
    with store.snapshot() as snapshot:
        costs = snapshot.all_costs(run.shape)
        return {
            row.arch_index: {
                **dict(zip(("params", "flops"), costs[row.arch_index], strict=True)),
                **dict(_training_facts(run, row)),
                "latencies": _latencies(snapshot, row.arch_index),
            }
            for row in list(snapshot.result_rows(run.id))
        }


def _latencies(snapshot: Snapshot, index: int) -> dict[str, Any]:
    found = snapshot.latencies_of(index)
    return {
        device: {"latency": round(found[device], LATENCY_DECIMALS)} if device in found else None
        for device in snapshot.devices()
    }


def _training_facts(run: Run, row: ResultRow) -> list[tuple[str, Any]]:
    """Return the release's columns as they follow from a row of the store."""
    names = ("train_top1", "train_top5", "val_top1", "val_top5", "test_top1", "test_top5")
    values: list[tuple[str, Any]] = []
    for name in names:
        images = run.images(name.partition("_")[0])
        counts = np.atleast_1d(getattr(row, name)).tolist()
        percent = [round(count / images * 100, 3) for count in counts]
        values.append((name, percent[0] if name.startswith("test") else percent))
    values += [("train_loss", row.train_loss.tolist()), ("val_loss", row.val_loss.tolist())]
    return [*values, ("test_loss", row.test_loss), ("train_time_s", round(row.train_time_s))]


def _table(release: Path) -> Table:
    dataset = blox.from_folder(release, include_static_info=True)
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("index", "cells", "params", "FLOPs", "ms", "val %", "test %", "seconds"):
        table.add_column(
            heading, justify="left" if heading == "cells" else "right", overflow="fold"
        )
    for arch in sorted(DEMO_INDICES):
        if arch not in dataset:
            continue
        (latency_ms,) = dataset.latency([arch], DEVICE_NAME)[0]  # type: ignore[index]
        costs = f"{dataset.params(arch):,}", f"{dataset.flops(arch):,}", f"{latency_ms:.2f}"
        accuracies = f"{dataset.val_acc(arch):.2f}", f"{dataset.test_acc(arch):.2f}"
        seconds = f"{dataset.train_time(arch)}"
        table.add_row(str(arch), describe_cells(arch), *costs, *accuracies, seconds)
    return table
