"""From uint8 images to the input of a model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision import transforms

from blox_core.augment import Augmentation, draw_parameters, pipeline
from blox_core.augment.model_input import ModelInput
from blox_core.data.training_data import Images
from blox_core.randomness import epoch_order
from blox_core.recipe import Recipe, preset
from blox_core.training.batches import Batches
from tests.support import pil_augmentation
from tests.support.synthetic import AUGMENTED, SEED, synthetic_data

CPU = torch.device("cpu")
RECIPE = replace(preset("cifar100"), train_images=60)
OFF = replace(RECIPE, randaugment_ops=0, flip_probability=0.0, crop_padding=0, cutout_size=0)
NOISE = np.random.RandomState(0).randint(0, 256, (60, 32, 32, 3)).astype(np.uint8)


def augmented(recipe: Recipe, images: Images) -> Images:
    """Return the images of a first epoch."""
    parameters = draw_parameters(recipe, SEED, 1)
    return np.asarray(Augmentation(recipe, CPU).augmented(torch.from_numpy(images), parameters))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"flip_probability": 0.0, "crop_padding": 0},
        {"randaugment_ops": 0, "crop_padding": 0},
        {"randaugment_ops": 0, "flip_probability": 0.0},
        {"randaugment_ops": 5, "crop_padding": 9},
        {"resolution": 9, "crop_padding": 2},
    ],
)
@pytest.mark.parametrize("chunk", [7, 1_024])
def test_an_epoch_is_torchvisions(
    changes: dict[str, float], chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "CPU_CHUNK", chunk)
    recipe = replace(RECIPE, **changes)
    images = np.ascontiguousarray(NOISE[:, : recipe.resolution, : recipe.resolution])
    before = images.copy()
    expected = pil_augmentation.augmented(recipe, images, draw_parameters(recipe, SEED, 1))
    done = augmented(recipe, images)
    assert done.dtype == np.uint8
    assert np.array_equal(done, expected)
    assert np.array_equal(images, before)
    assert not np.array_equal(done, images)


def test_an_epoch_goes_where_it_is_told_to() -> None:
    images, parameters = torch.from_numpy(NOISE), draw_parameters(RECIPE, SEED, 1)
    augmentation, out = Augmentation(RECIPE, CPU), torch.zeros_like(images)
    assert augmentation.augmented(images, parameters, out) is out
    assert torch.equal(out, augmentation.augmented(images, parameters))


def test_numbers_of_0_are_off() -> None:
    assert np.array_equal(augmented(OFF, NOISE), NOISE)


def test_crop_pads_with_black() -> None:
    recipe = replace(OFF, crop_padding=4)
    cropped = augmented(recipe, np.full_like(NOISE, 255))
    black_rows = (cropped == 0).all(axis=(2, 3)).sum(axis=1)
    assert set(np.unique(cropped)) == {0, 255}
    assert set(black_rows) == set(range(5))  # an offset of 0 to 8, of which 4 is the image itself


def test_batches_are_the_published_pipeline() -> None:
    """Same order, PIL images one by one, tensors, normalisation, and then a hole."""
    data = synthetic_data(AUGMENTED)
    expected = pil_augmentation.epoch_input(AUGMENTED, data.train_images, SEED, 2)
    order = epoch_order(len(expected), SEED, 2)
    source = Batches(AUGMENTED, data, CPU)
    batches = [source.training_batch(chosen) for chosen in source.training(SEED, 2)]
    assert [len(labels) for _, labels in batches] == [8, 8, 4]
    assert torch.equal(torch.cat([pixels for pixels, _ in batches]), expected)
    labels = torch.cat([labels for _, labels in batches])
    assert np.array_equal(labels.numpy(), data.train_labels[order])


def test_normalising_is_that_of_torchvision() -> None:
    reference = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize(RECIPE.mean, RECIPE.std)]
    )
    expected = torch.stack([reference(image) for image in NOISE])
    assert torch.equal(ModelInput(RECIPE, CPU)(torch.from_numpy(NOISE)), expected)


@pytest.mark.parametrize("channels_last", [True, False])
def test_memory_layout(channels_last: bool) -> None:
    recipe = replace(RECIPE, channels_last=channels_last)
    pixels = ModelInput(recipe, CPU)(torch.from_numpy(NOISE))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert pixels.shape == (60, 3, 32, 32)
    assert pixels.dtype == torch.float32
    assert pixels.is_contiguous(memory_format=layout)


def test_cutout_is_one_clipped_square() -> None:
    centres = torch.cartesian_prod(torch.arange(32), torch.arange(32))
    white = torch.full((len(centres), 32, 32, 3), 255, dtype=torch.uint8)
    holes = ModelInput(RECIPE, CPU)(white, centres) == 0
    for (row, column), hole in zip(centres.tolist(), holes, strict=True):
        expected = torch.zeros(32, 32, dtype=torch.bool)
        # The centre c covers c - 8 … c + 7, as far as that is within the image.
        expected[max(row - 8, 0) : row + 8, max(column - 8, 0) : column + 8] = True
        assert torch.equal(hole, expected.expand(3, 32, 32))
