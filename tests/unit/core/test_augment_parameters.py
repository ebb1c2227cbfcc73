"""Parameters of an epoch: distributed as those of torchvision, and reproducible.

Seeds are fixed.
"""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision.transforms import RandAugment, RandomCrop

from blox_core.augment import EpochParameters, draw_parameters
from blox_core.augment.rand_ops import SIGNED, RandOp
from blox_core.recipe import preset

RECIPE = preset("cifar100")
IMAGES = RECIPE.train_images
OPS = len(RandOp)
Values = NDArray[np.int64] | NDArray[np.bool_]


def drawn(seed: int = 1, epoch: int = 1) -> EpochParameters:
    return draw_parameters(RECIPE, seed, epoch)


def assert_uniform(values: Values, levels: int) -> None:
    """Assert that integers 0 … levels - 1 are equally frequent, by Pearson's chi-square."""
    counts = np.bincount(values.reshape(-1).astype(int), minlength=levels)
    assert len(counts) == levels
    expected = values.size / levels
    statistic = float(((counts - expected) ** 2 / expected).sum())
    assert statistic < critical(levels - 1)


def critical(freedom: int) -> float:
    """Return what chi-square exceeds by chance once in 2,000 cases, at 3.3 deviations.

    Wilson and Hilferty (1931): its cube root is nearly normal.
    """
    spread = 2 / (9 * freedom)
    return float(freedom * (1 - spread + 3.3 * spread**0.5) ** 3)


def test_shapes() -> None:
    parameters = drawn()
    assert parameters.ops.shape == parameters.negative.shape == (IMAGES, 2)
    assert parameters.offsets.shape == parameters.holes.shape == (IMAGES, 2)
    assert len(parameters) == len(parameters.flipped) == IMAGES


def test_ops_are_uniform_and_independent() -> None:
    ops = drawn().ops
    for turn in range(2):
        assert_uniform(ops[:, turn], OPS)
    assert_uniform(ops[:, 0] * OPS + ops[:, 1], OPS**2)


def test_signs_are_fair_for_every_signed_op_and_for_no_other() -> None:
    parameters = drawn()
    for op in RandOp:
        signs = parameters.negative[parameters.ops == op]
        if op in SIGNED:
            assert_uniform(signs, 2)
        else:
            assert not signs.any()


def test_signs_of_two_signed_ops_are_independent() -> None:
    parameters = drawn()
    both = np.isin(parameters.ops, SIGNED).all(axis=1)
    assert_uniform(parameters.negative[both] @ [2, 1], 4)


def test_flips_are_fair_and_independent_of_ops() -> None:
    parameters = drawn()
    assert_uniform(parameters.flipped, 2)
    assert_uniform(parameters.ops[:, 0] * 2 + parameters.flipped, 2 * OPS)


def test_flips_of_another_probability() -> None:
    recipe = replace(RECIPE, flip_probability=0.25)
    share = draw_parameters(recipe, 1, 1).flipped.mean()
    assert abs(share - 0.25) < 3.3 * (0.25 * 0.75 / IMAGES) ** 0.5
    never, always = (replace(RECIPE, flip_probability=p) for p in (0.0, 1.0))
    assert not draw_parameters(never, 1, 1).flipped.any()
    assert draw_parameters(always, 1, 1).flipped.all()


def test_crops_and_holes_are_uniform() -> None:
    parameters = drawn()
    assert_uniform(parameters.offsets @ [9, 1], 9 * 9)
    assert_uniform(parameters.holes @ [32, 1], 32 * 32)


@pytest.mark.parametrize("epochs", [1_000, pytest.param(3_000, marks=pytest.mark.slow)])
def test_parameters_of_one_image_over_epochs_are_uniform(epochs: int) -> None:
    recipe = replace(RECIPE, train_images=1)
    draws = [draw_parameters(recipe, 1, epoch) for epoch in range(1, epochs + 1)]
    assert_uniform(np.concatenate([each.ops[0] for each in draws]), OPS)
    assert_uniform(np.concatenate([each.flipped for each in draws]), 2)
    assert_uniform(np.concatenate([each.offsets[0] for each in draws]), 9)


@pytest.mark.parametrize("images", [1_500, pytest.param(5_000, marks=pytest.mark.slow)])
def test_ops_and_signs_are_distributed_as_torchvisions(images: int) -> None:
    """Pearson's chi-square of two samples: ours of an epoch, and torchvision's of some images."""
    parameters = drawn()
    ours = np.bincount((2 * parameters.ops + parameters.negative).ravel(), minlength=2 * OPS)
    theirs = np.bincount(torchvision_variants(images), minlength=2 * OPS)
    assert np.array_equal(ours == 0, theirs == 0)
    counts = np.stack([ours, theirs])[:, ours > 0]  # 2 x 23
    expected = counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()
    statistic = float(((counts - expected) ** 2 / expected).sum())
    assert statistic < critical(counts.shape[1] - 1)


def torchvision_variants(images: int) -> list[int]:
    """Return the variants, 2 · op and 1 more for a negative sign, that RandAugment draws."""
    variants: list[int] = []
    names = list(RandAugment()._augmentation_space(31, (32, 32)))

    def note(image: torch.Tensor, name: str, magnitude: float, **_: object) -> torch.Tensor:
        variants.append(2 * names.index(name) + (magnitude < 0))
        return image

    image = torch.zeros(3, 32, 32, dtype=torch.uint8)
    with (
        torch.random.fork_rng(devices=[]),
        patch("torchvision.transforms.autoaugment._apply_op", note),
    ):
        torch.default_generator.manual_seed(0)
        for _ in range(images):
            RandAugment(2, 14, 31)(image)
    return variants


def test_crops_are_drawn_from_torchvisions_range() -> None:
    with patch("torch.randint", wraps=torch.randint) as randint:
        RandomCrop.get_params(torch.zeros(3, 40, 40), (32, 32))
    ranges = [call.args[:2] for call in randint.call_args_list]
    assert ranges == [(0, 2 * RECIPE.crop_padding + 1)] * 2


def test_seed_and_epoch_count_and_nothing_else() -> None:
    first, again = drawn(), drawn()
    for name in ("ops", "negative", "flipped", "offsets", "holes"):
        values = getattr(first, name)
        assert np.array_equal(values, getattr(again, name))
        for other in (drawn(seed=2), drawn(epoch=2)):
            assert not np.array_equal(values, getattr(other, name))


def test_parameters_are_pinned() -> None:
    """Others would be another trainer revision."""
    few = draw_parameters(replace(RECIPE, train_images=3), 0, 1)
    assert few.ops.tolist() == [[2, 10], [2, 0], [6, 7]]
    assert few.negative.tolist() == [[False, False], [False, False], [False, True]]
    assert few.flipped.tolist() == [True, True, False]
    assert few.offsets.tolist() == [[4, 8], [7, 6], [3, 8]]
    assert few.holes.tolist() == [[23, 24], [24, 31], [10, 24]]
