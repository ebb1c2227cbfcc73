"""Made-up runs and results, for tests of what happens to them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from blox_core.recipe import Recipe, preset
from blox_core.result import TrainingResult
from blox_core.result.environment import Environment
from blox_core.result.metrics import Curves, Score
from blox_core.result.trainer_revision import TORCH, TRAINER_REVISION
from blox_core.simulation import SIMULATED, SIMULATION_REVISION
from blox_store.store import FinishedRow, Lease, Run, Store
from blox_store.store.results.curves import pack_many

ENVIRONMENT = {name: f"some {name}" for name in Environment.__dataclass_fields__}
_ROWS_PER_BLOCK = 1000
_ENVIRONMENTS = 16
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


def claimed(
    store: Store,
    run: Run,
    index: int | None = None,
    *,
    worker: str = "somebody",
    lease_s: float = 600.0,
) -> Lease:
    """Return the lease of a job that a worker claimed."""
    lease = store.jobs.claim(
        run,
        index,
        worker=worker,
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


def fill_with_noise(url: str, indices: Sequence[int], epochs: int) -> None:
    """Make a store with a finished run, whose curves are noise that hardly compresses."""
    recipe = replace(preset("cifar100"), epochs=epochs)
    costs = [(i, int(1e5 + 37 * i), int(1e7 + 4001 * i)) for i in indices]
    identity = {
        "dataset": recipe.dataset,
        "seed": 0,
        "trainer": SIMULATED,
        "trainer_revision": SIMULATION_REVISION,
    }
    with Store(url, migrate=True) as store:
        store.static.add_architectures(recipe.shape, costs)
        blocks = _blocks(np.random.default_rng(0), recipe, indices)
        store.finished_runs.take(identity, recipe, blocks, without_rows={})


def _blocks(
    rng: np.random.Generator, recipe: Recipe, indices: Sequence[int]
) -> Iterator[list[FinishedRow]]:
    environments = [
        {name: f"{name} of machine {machine}" for name in Environment.__dataclass_fields__}
        for machine in range(_ENVIRONMENTS)
    ]
    for start in range(0, len(indices), _ROWS_PER_BLOCK):
        chosen = indices[start : start + _ROWS_PER_BLOCK]
        shape = (len(chosen), recipe.epochs)
        counts = [
            rng.integers(images // 10, images, shape)
            for images in (recipe.train_images,) * 2 + (recipe.val_images,) * 2
        ]
        losses = [rng.integers(0, 5_000_000, shape).astype(np.uint32) for _ in range(2)]
        packed = pack_many(counts, losses)
        yield [
            FinishedRow(
                arch_index=index,
                status="succeeded",
                epochs=recipe.epochs,
                best_epoch=int(counts[2][row].argmax()) + 1,
                test_top1=int(rng.integers(0, recipe.test_images)),
                test_top5=int(rng.integers(0, recipe.test_images)),
                test_loss=round(float(rng.uniform(0, 5)), 6),
                train_time_s=int(rng.integers(1000, 20_000)),
                curves_layout=packed[row].layout,
                curves=packed[row].blob,
                environment=environments[index % _ENVIRONMENTS],
            )
            for row, index in enumerate(chosen)
        ]
