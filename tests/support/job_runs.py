"""Real trainings of a fraction of a second, as jobs of a store."""

import threading
from pathlib import Path

import numpy as np

from blox_core.result.trainer_revision import TORCH, TRAINER_REVISION
from blox_worker.job.job import run_job
from blox_worker.job.outcome import Worker
from blox_worker.settings import WorkerSettings
from tests.support.tiny import TINY

INDEX = 14_321


def make_worker(folder: Path, **changed) -> Worker:
    settings = WorkerSettings(
        data_dir=folder,
        checkpoint_dir=folder / "checkpoints",
        **({"checkpoint_every_s": 0, "retry_backoff_s": 0} | changed),
    )
    return Worker(name="cpu@test", device="cpu", settings=settings)


def make_run(store, recipe=TINY, indices=(INDEX,)):
    return store.runs.create(
        dataset=recipe.dataset,
        recipe=recipe,
        seed=3,
        trainer=TORCH,
        trainer_revision=TRAINER_REVISION,
        indices=indices,
    ).run


def execute(store, run, worker, *, stop=None, index=None, **hooks):
    hooks = {"on_epoch": lambda *_: None} | hooks
    return run_job(store, run, index, worker=worker, stop=stop or threading.Event(), **hooks)


def stored(store, run):
    with store.snapshot() as snapshot:
        return list(snapshot.result_rows(run.id))


def assert_same_result(left, right):
    for name in ("train_top1", "train_top5", "train_loss", "val_top1", "val_top5", "val_loss"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
    for name in ("best_epoch", "test_top1", "test_top5", "test_loss", "status"):
        assert getattr(left, name) == getattr(right, name)


def checkpoint_files(worker):
    return list(worker.settings.checkpoint_dir.iterdir())


def claim_for_another(store, run):
    return store.jobs.claim(
        run,
        INDEX,
        worker="another",
        trainer_revision=TRAINER_REVISION,
        lease_s=600,
    )
