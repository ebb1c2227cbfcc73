"""Every op of RandAugment gives the bytes that torchvision's gives on a PIL image."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torchvision.transforms import RandAugment

from blox_core.augment import Augmentation, EpochParameters, colour
from blox_core.augment.rand_ops import SIGNED, RandOp
from blox_core.data.training_data import Images
from blox_core.recipe import Recipe, preset
from tests.support.pil_augmentation import rand_augmented

CPU = torch.device("cpu")
ONE_OP = replace(
    preset("cifar100"), randaugment_ops=1, flip_probability=0.0, crop_padding=0, cutout_size=0
)
VARIANTS = [(op, negative) for op in RandOp for negative in (False, True)[: 1 + (op in SIGNED)]]
MAGNITUDES = {"published": (14, 31), "least": (0, 31), "most": (30, 31), "fewer bins": (5, 10)}


@cache
def pictures(side: int) -> Images:
    """Return noise of many ranges, single levels, two levels, and gradients, side x side."""
    generator = np.random.RandomState(side)
    shape = (side, side, 3)
    low = generator.randint(0, 255, 100)
    high = [generator.randint(least, 256) + 1 for least in low]
    noise = [generator.randint(a, b, shape) for a, b in zip(low, high, strict=True)]
    noise += [generator.randint(0, 256, shape) for _ in range(50)]
    noise += [np.uint8(generator.randint(0, 256, 3)) + np.zeros(shape) for _ in range(10)]
    constant = [np.full(shape, level) for level in (0, 1, 127, 128, 254, 255)]
    two_valued = [
        np.where(generator.rand(side, side, 1) < share, a, b) * np.ones(shape)
        for share in (0.01, 0.5, 0.99)
        for a, b in ((0, 255), (0, 1), (254, 255), (100, 103), (7, 200))
    ]
    ramp = np.linspace(0, 255, side)[:, None, None] * np.ones(shape)
    gradients = [ramp, ramp.swapaxes(0, 1), 255 - ramp, ramp // 2, np.sqrt(ramp * 255)]
    return np.stack([*noise, *constant, *two_valued, *gradients]).astype(np.uint8)


def ours(recipe: Recipe, images: Images, ops: list[int], negative: list[bool]) -> Images:
    count = len(images)
    parameters = EpochParameters(
        ops=np.tile(ops, (count, 1)),
        negative=np.tile(negative, (count, 1)),
        flipped=np.zeros(count, bool),
        offsets=np.zeros((count, 2), np.int64),
        holes=np.zeros((count, 2), np.int64),
    )
    done: Images = Augmentation(recipe, CPU).augmented(torch.from_numpy(images), parameters).numpy()
    return done


def few_and_many(few: int, many: int = 1) -> pytest.MarkDecorator:
    """Take one of `few` cases, and one of `many`, or each of them, where tests may take long."""
    return pytest.mark.parametrize("every", [few, pytest.param(many, marks=pytest.mark.slow)])


@few_and_many(17, 3)
@pytest.mark.parametrize("magnitude", MAGNITUDES)
@pytest.mark.parametrize("side", [8, 11, 32])
def test_every_variant_is_torchvisions(side: int, magnitude: str, every: int) -> None:
    value, bins = MAGNITUDES[magnitude]
    recipe = replace(ONE_OP, resolution=side, randaugment_magnitude=value, randaugment_bins=bins)
    images = pictures(side)[::every]
    for op, negative in VARIANTS:
        expected = rand_augmented(recipe, images, [op], [negative])
        assert np.array_equal(ours(recipe, images, [op], [negative]), expected), (op, negative)


@few_and_many(4)
def test_every_pair_of_variants_is_torchvisions(every: int) -> None:
    recipe = replace(ONE_OP, randaugment_ops=2)
    images = pictures(32)[::30]
    for first, first_negative in VARIANTS[::every]:
        for second, second_negative in VARIANTS[::every]:
            case = [first, second], [first_negative, second_negative]
            assert np.array_equal(
                ours(recipe, images, *case), rand_augmented(recipe, images, *case)
            ), case


def test_names_and_signs_are_torchvisions() -> None:
    space = RandAugment()._augmentation_space(31, (32, 32))
    assert [op.name.replace("_", "") for op in RandOp] == [name.upper() for name in space]
    assert [op in SIGNED for op in RandOp] == [signed for _, signed in space.values()]


def test_ops_change_images() -> None:
    images = pictures(32)
    unchanged = {
        op.name
        for op, negative in VARIANTS
        if np.array_equal(ours(ONE_OP, images, [op], [negative]), images)
    }
    assert unchanged == {"IDENTITY"}


@pytest.mark.parametrize("factor", [0.1, 0.58, 0.9, 1.0, 1.42, 1.9])
def test_blend_of_all_pairs_of_bytes(factor: float) -> None:
    first = np.repeat(np.arange(256, dtype=np.uint8), 256).reshape(256, 256)
    second = first.T.copy()
    expected = Image.blend(Image.fromarray(first), Image.fromarray(second), factor)
    blended = colour._blend(torch.from_numpy(first), torch.from_numpy(second), factor)
    assert np.array_equal(blended.numpy(), np.asarray(expected))


@few_and_many(29)
def test_auto_contrast_of_all_ranges(every: int) -> None:
    """All levels of each range from low to high, three ranges an image."""
    level = np.arange(256)
    ranges = np.array([(a, b) for a in range(256) for b in range(a, 256)])[::every]
    ranges = ranges[: len(ranges) // 3 * 3]
    clipped = np.clip(level, ranges[:, :1], ranges[:, 1:]).astype(np.uint8)
    images = np.ascontiguousarray(clipped.reshape(-1, 3, 16, 16).transpose(0, 2, 3, 1))
    stretched = colour.auto_contrast(torch.from_numpy(images)).numpy()
    expected = [np.asarray(ImageOps.autocontrast(Image.fromarray(image))) for image in images]
    assert np.array_equal(stretched, np.stack(expected))


def test_grey_of_all_levels_of_each_colour() -> None:
    colours = np.random.RandomState(0).randint(0, 256, (1, 512, 512, 3)).astype(np.uint8)
    for channel in range(3):
        colours[0, channel, :256] = 0
        colours[0, channel, :256, channel] = np.arange(256)
    expected = np.asarray(Image.fromarray(colours[0]).convert("L"))
    assert np.array_equal(colour._grey(torch.from_numpy(colours))[0].numpy(), expected)
