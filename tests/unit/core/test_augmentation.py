"""From uint8 images to the input of a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision import transforms

from blox_core.augmentation import cutout, normalise, pil_augmentation
from blox_core.randomness import Stream, seeded_torch
from blox_core.recipe import preset

RECIPE = preset("cifar100")
CPU = torch.device("cpu")
NOISE = np.random.RandomState(0).randint(0, 256, (4, 32, 32, 3)).astype(np.uint8)


def test_normalising_is_that_of_torchvision() -> None:
    reference = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize(RECIPE.mean, RECIPE.std)]
    )
    expected = torch.stack([reference(image) for image in NOISE])
    assert torch.equal(normalise(NOISE, RECIPE, CPU), expected)


@pytest.mark.parametrize("channels_last", [True, False])
def test_memory_layout(channels_last: bool) -> None:
    pixels = normalise(NOISE, replace(RECIPE, channels_last=channels_last), CPU)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert pixels.shape == (4, 3, 32, 32)
    assert pixels.dtype == torch.float32
    assert pixels.is_contiguous(memory_format=layout)


def test_augmentation_is_the_published_pipeline() -> None:
    published = transforms.Compose(
        [
            transforms.ToPILImage(),
            transforms.RandAugment(num_ops=2, magnitude=14, num_magnitude_bins=31),
            transforms.RandomHorizontalFlip(0.5),
            transforms.RandomCrop(32, padding=4),
        ]
    )
    with seeded_torch(1, Stream.AUGMENTATION, 1, 0):
        expected = np.stack([np.asarray(published(image)) for image in NOISE])
    with seeded_torch(1, Stream.AUGMENTATION, 1, 0):
        augmented = pil_augmentation(RECIPE)(NOISE)
    assert augmented.dtype == np.uint8
    assert np.array_equal(augmented, expected)
    assert not np.array_equal(augmented, NOISE)


def test_numbers_of_0_are_off() -> None:
    assert np.array_equal(pil_augmentation(preset("digits"))(NOISE), NOISE)


def test_crop_pads_with_black() -> None:
    recipe = replace(preset("digits"), crop_padding=4)
    white = np.full((64, 32, 32, 3), 255, np.uint8)
    with seeded_torch(0, Stream.AUGMENTATION):
        cropped = pil_augmentation(recipe)(white)
    black_rows = (cropped == 0).all(axis=(2, 3)).sum(axis=1)
    assert set(np.unique(cropped)) == {0, 255}
    assert set(black_rows) == set(range(5))  # an offset of 0 to 8, of which 4 is the image itself


def test_cutout_is_one_clipped_square() -> None:
    pixels = torch.ones(2_000, 3, 32, 32)
    with seeded_torch(0, Stream.AUGMENTATION):
        holes = cutout(pixels, 16) == 0
    assert torch.equal(holes[:, 0], holes[:, 1])
    assert torch.equal(holes[:, 0], holes[:, 2])
    rows, columns = holes[:, 0].any(2), holes[:, 0].any(1)  # n x 32
    assert torch.equal(holes[:, 0], rows[:, :, None] & columns[:, None, :])
    for covered in (rows, columns):
        # The centre c covers c - 8 … c + 7: one is 8 to 16 long, and 8 long only at the start.
        spans = {(int(c.nonzero()[0]), int(c.nonzero()[-1])) for c in covered}
        assert spans == {(max(c - 8, 0), min(c + 7, 31)) for c in range(32)}


def test_cutout_centres_of_rows_and_columns_differ() -> None:
    with seeded_torch(0, Stream.AUGMENTATION):
        holes = cutout(torch.ones(50, 3, 32, 32), 2)[:, 0] == 0
    assert not torch.equal(holes.any(1), holes.any(2))
