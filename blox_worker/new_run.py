"""Making a run: the run itself, its jobs, and what is known of its models without training."""

from __future__ import annotations

from collections.abc import Sequence

from blox_core.complexity import params_and_flops
from blox_core.latency import LATENCY, LATENCY_REVISION, LatencyProtocol
from blox_core.recipe import ModelShape, Recipe
from blox_core.result.trainer_revision import TORCH, UNKNOWN_REVISION
from blox_core.space import SPACE_SIZE
from blox_store.errors import StoreError
from blox_store.store import MadeRun, Run, Store
from blox_worker.job.trainers import TRAINERS


def make_run(
    store: Store,
    recipe: Recipe,
    *,
    seed: int,
    indices: Sequence[int],
    trainer: str = TORCH,
    priority: int = 0,
    beside: bool = False,
) -> MadeRun:
    """Make the run of a recipe, a seed and a trainer of `TRAINERS`, or find it, and add jobs.

    Jobs that are there keep their priority. Params and FLOPs of all 91,125 architectures in the
    recipe's shape are stored with the run. Raises StoreError for a seed of a data set that another
    revision of the trainer has begun, unless this one is to be made `beside` it.
    """
    if not beside:
        _refuse_other_revision(store, recipe, seed=seed, trainer=trainer)
    _store_complexity(store, recipe.shape)
    return store.runs.create(
        dataset=recipe.dataset,
        recipe=recipe,
        seed=seed,
        trainer=trainer,
        trainer_revision=TRAINERS[trainer].revision,
        indices=indices,
        priority=priority,
    )


def _refuse_other_revision(store: Store, recipe: Recipe, *, seed: int, trainer: str) -> None:
    """Keep an upgraded cluster, which types the command again, from a second benchmark.

    Where the run of this revision was begun beside the other, it is the one that goes on.
    """
    ours, identity = TRAINERS[trainer].revision, (recipe.dataset, seed, trainer)
    same = [run for run in store.runs.all() if (run.dataset, run.seed, run.trainer) == identity]
    if any(run.trainer_revision == ours for run in same):
        return
    for run in same:
        if run.trainer_revision != UNKNOWN_REVISION:
            raise StoreError(
                f"{run} is there already, and this version of Blox trains by revision {ours}, whose "
                "results may differ: go on with the version that began it, on the store as it was "
                "before the upgrade, or begin anew by --beside"
            )


def make_measuring_run(
    store: Store,
    protocol: LatencyProtocol,
    *,
    device_name: str,
    indices: Sequence[int],
    priority: int = 0,
) -> MadeRun:
    """Make the run that measures latencies on a device by a protocol, or find it, and add jobs.

    Raises StoreError if the device is measured by another protocol or revision already, for the
    latencies of a device name are all of one; and if they came with a release that was ingested.
    """
    for run in store.runs.all():
        if run.measures and run.dataset == device_name:
            _refuse_another_way(run, protocol)
    _refuse_latencies_of_others(store, device_name)
    return store.runs.create(
        dataset=device_name,
        recipe=protocol,
        seed=0,
        trainer=LATENCY,
        trainer_revision=LATENCY_REVISION,
        indices=indices,
        priority=priority,
    )


def _refuse_latencies_of_others(store: Store, device_name: str) -> None:
    with store.snapshot() as snapshot:
        known, runs = device_name in snapshot.devices(), snapshot.runs()
    if known and not any(run.measures and run.dataset == device_name for run in runs):
        raise StoreError(
            f"the store has latencies on {device_name} that came with a release; measure under "
            "another --device-name"
        )


def _refuse_another_way(run: Run, protocol: LatencyProtocol) -> None:
    """Keep the latencies of a device to one protocol, and to one revision of what measures."""
    if run.trainer_revision != LATENCY_REVISION:
        raise StoreError(
            f"device {run.dataset} is measured by {run}, of revision {run.trainer_revision}, and "
            f"this version of Blox measures by revision {LATENCY_REVISION}, whose latencies may "
            "differ: go on with the version that began it, or give another --device-name"
        )
    if run.recipe_fingerprint != protocol.fingerprint:
        raise StoreError(
            f"device {run.dataset} is measured by {run} with another protocol; give another "
            "--device-name, or the same options as then"
        )


def _store_complexity(store: Store, shape: ModelShape) -> None:
    if store.static.architecture_count(shape) == SPACE_SIZE:
        return
    params, flops = params_and_flops(shape)
    rows = zip(range(SPACE_SIZE), params.tolist(), flops.tolist(), strict=True)
    store.static.add_architectures(shape, rows)
