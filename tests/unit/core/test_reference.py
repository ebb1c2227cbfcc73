"""The engine against the reference trainer: step by step, and as learning curves."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import torch

from blox_core.randomness import epoch_order
from blox_core.recipe import Recipe, preset
from blox_core.space import DISTINCT_CELLS, STAGES, Architecture
from blox_core.training import train
from blox_core.training.trainer import initial_model
from tests.support.reference_trainer import ReferenceTrainer
from tests.support.synthetic import ARCHITECTURE, SEED, Observer, synthetic_data

LONE_CONV = ARCHITECTURE.index % DISTINCT_CELLS
SAME = {"rtol": 0.0, "atol": 1e-10}

# Batch normalisation of a few pixels and ReLU amplify a last bit tenfold or more in a step. At the
# digits' learning rate the trainers would be 1e-6 apart after six steps; at a hundredth of it they
# are 3e-12 apart after four. The decay is large so that it counts all the same. The second step has a momentum.
ONE_STEP_AN_EPOCH = replace(
    preset("digits"),
    precision="fp64",
    train_images=16,
    val_images=8,
    test_images=8,
    resolution=8,
    stem_channels=2,
    epochs=2,
    batch_size=16,
    eval_batch_size=8,
    lr=1e-4,
    weight_decay=0.1,
)
# Without another memory layout, hence another order of sums, the digits' learning rate will do.
SEVERAL_STEPS_AN_EPOCH = replace(
    ONE_STEP_AN_EPOCH,
    val_images=9,
    resolution=16,
    lr=preset("digits").lr,
    weight_decay=preset("digits").weight_decay,
    channels_last=False,
)


def every_cell_in_every_stage() -> list[int]:
    """Return arch indices: a third of the cells further from stage to stage."""
    step = DISTINCT_CELLS // STAGES
    return [
        sum(DISTINCT_CELLS**stage * ((first + stage * step) % DISTINCT_CELLS) for stage in range(3))
        for first in range(DISTINCT_CELLS)
    ]


def test_the_architectures_have_every_cell_in_every_stage() -> None:
    stages = zip(*(Architecture(index).cells for index in every_cell_in_every_stage()), strict=True)
    assert [len(set(cells)) for cells in stages] == [DISTINCT_CELLS] * STAGES


@pytest.mark.parametrize("cell", range(DISTINCT_CELLS))
def test_the_first_step_is_the_references_whatever_the_cell(cell: int) -> None:
    """The cell is in a stage of a network that has a lone conv in the others."""
    cells = [cell if stage == cell % STAGES else LONE_CONV for stage in range(STAGES)]
    index = sum(DISTINCT_CELLS**stage * number for stage, number in enumerate(cells))
    assert_same_training(index, replace(ONE_STEP_AN_EPOCH, epochs=1))


@pytest.mark.slow
@pytest.mark.parametrize("index", every_cell_in_every_stage())
def test_every_step_is_the_references(index: int) -> None:
    assert_same_training(index, ONE_STEP_AN_EPOCH)


@pytest.mark.parametrize(
    ("index", "images", "epochs"),
    [(ARCHITECTURE.index, 24, 1), pytest.param(69418, 40, 2, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize(
    "changes", [{}, {"momentum": 0.0}, {"nesterov": True, "weight_decay": 0.1}]
)
def test_so_are_steps_on_a_smaller_last_batch(
    changes: dict[str, float], index: int, images: int, epochs: int
) -> None:
    recipe = replace(SEVERAL_STEPS_AN_EPOCH, train_images=images, epochs=epochs)
    assert_same_training(index, replace(recipe, **changes))


def assert_same_training(index: int, recipe: Recipe) -> None:
    """Check losses, counts and the last weights of a training without augmentation."""
    architecture, data, observer = Architecture(index), synthetic_data(recipe), Observer()
    ours = train(architecture, recipe, SEED, device="cpu", data=data, on_epoch=observer)
    reference = ReferenceTrainer(
        initial_model(architecture, recipe, SEED),
        recipe,
        data,
        device="cpu",
        orders=(epoch_order(recipe.train_images, SEED, epoch) for epoch in count(1)),
    )
    theirs = reference.run()
    for split in ("train", "val"):
        for figure in ("top1", "top5", "loss"):
            got = getattr(ours.curves, f"{split}_{figure}")
            wanted = getattr(theirs.curves, f"{split}_{figure}")
            np.testing.assert_allclose(got, wanted, **SAME, err_msg=f"{split}_{figure}")
    assert ours.test is not None
    assert (ours.best_epoch, ours.test.top1, ours.test.top5) == (
        theirs.best_epoch,
        theirs.test.top1,
        theirs.test.top5,
    )
    assert ours.test.loss == pytest.approx(theirs.test.loss, abs=1e-10, rel=0)
    best, kept = reference.model.state_dict(), observer.reports[-1].checkpoint().best_model
    for name, tensor in best.items():
        torch.testing.assert_close(kept[name], tensor, **SAME, msg=name, check_stride=False)
