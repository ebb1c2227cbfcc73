"""Made-up runs and results, for tests of what happens to them."""

import numpy as np

from blox_core.recipe import preset
from blox_core.result import TrainingResult
from blox_core.result.environment import Environment
from blox_core.result.metrics import Curves, Score
from blox_core.result.trainer_revision import TORCH, TRAINER_REVISION
from blox_core.simulation import SIMULATED, SIMULATION_REVISION
from blox_store.store import Lease, Run, Store

ENVIRONMENT = {name: f"some {name}" for name in Environment.__dataclass_fields__}
TEST_SCORE = Score(top1=60, top5=90, loss=0.1234567)


def revision_of(trainer: str) -> int:
    """Return the installed revision of a trainer."""
    return SIMULATION_REVISION if trainer == SIMULATED else TRAINER_REVISION


def made_up_run(
    store: Store, recipe=None, *, seed: int = 0, indices=(), trainer: str = TORCH
) -> Run:
    """Return a run of a recipe, digits by default, with jobs."""
    recipe = recipe or preset("digits")
    return store.runs.create(
        dataset=recipe.dataset,
        recipe=recipe,
        seed=seed,
        trainer=trainer,
        trainer_revision=revision_of(trainer),
        indices=indices,
    ).run


def claimed(store: Store, run: Run, index: int | None = None, *, lease_s: float = 600.0) -> Lease:
    """Return the lease of a job that somebody claimed."""
    lease = store.jobs.claim(
        run,
        index,
        worker="somebody",
        trainer_revision=run.trainer_revision,
        lease_s=lease_s,
    )
    assert isinstance(lease, Lease)
    return lease


def made_up_result(
    epochs=2, *, status="succeeded", test=TEST_SCORE, train_time_s=12.25, environment=(), **curves
):
    """Return a result whose curves rise and whose losses need rounding."""
    curve = np.arange(1, epochs + 1)
    rising = {
        "train_top1": curve * 10,
        "train_top5": curve * 11,
        "train_loss": curve / 3,
        "val_top1": curve * 2,
        "val_top5": curve * 3,
        "val_loss": curve / 7,
    }
    return TrainingResult(
        arch_index=3,
        recipe_fingerprint=preset("digits").fingerprint,
        seed=0,
        trainer_revision=TRAINER_REVISION,
        status=status,
        curves=Curves(**(rising | curves)),
        best_epoch=epochs or None,
        test=test,
        train_time_s=train_time_s,
        environment=Environment(**(ENVIRONMENT | dict(environment))),
    )
