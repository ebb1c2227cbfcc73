"""How an architecture is trained: every number of it, in one value.

A recipe describes; it neither builds a model nor opens a file, and needs no torch.
`docs/explanation/training.md` has the source of every number of the presets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated, Final, TypeAlias

from blox_core.errors import RecipeError
from blox_core.recipe.fields import SEED_LIMIT, three_floats
from blox_core.recipe.shape import MIN_RESOLUTION, Classes, ModelShape, Resolution, StemChannels
from blox_core.record import Record
from blox_core.rules import Count, Flag, float_where, int_from, one_of

PerColour: TypeAlias = tuple[float, float, float]  # red, green and blue


@dataclass(frozen=True, kw_only=True)
class Recipe(Record, noun="recipe", error=RecipeError):
    """Every number of a training; RecipeError names the field, the value and what is allowed.

    Pixels are scaled to 0 … 1 before `mean` and `std` (of red, green and blue) normalise them. An
    augmentation whose number is 0 is off. `cpu_threads` counts on a CPU only, where the last bits
    of a result depend on it, and `cuda_graphs` on a GPU only, where False means eager steps.
    """

    dataset: Annotated[str, one_of("cifar100", "cifar10", "digits")]
    classes: Classes
    train_images: Count
    val_images: Count
    test_images: Count
    split_seed: Annotated[int, int_from(0, below=SEED_LIMIT)]
    resolution: Resolution
    mean: Annotated[PerColour, three_floats("from 0 to 1", lambda x: 0 <= x <= 1)]
    std: Annotated[PerColour, three_floats("above 0, at most 1", lambda x: 0 < x <= 1)]

    stem_channels: StemChannels

    epochs: Count
    batch_size: Annotated[int, int_from(2)]  # batch normalisation needs more than one image
    eval_batch_size: Count
    lr: Annotated[float, float_where("above 0", lambda x: x > 0)]
    schedule: Annotated[str, one_of("cosine")]
    momentum: Annotated[float, float_where("from 0 to below 1", lambda x: 0 <= x < 1)]
    nesterov: Flag
    weight_decay: Annotated[float, float_where("of 0 or more", lambda x: x >= 0)]

    randaugment_ops: Annotated[int, int_from(0)]
    randaugment_magnitude: Annotated[int, int_from(0)]
    randaugment_bins: Annotated[int, int_from(2)]
    flip_probability: Annotated[float, float_where("from 0 to 1", lambda x: 0 <= x <= 1)]
    crop_padding: Annotated[int, int_from(0)]
    cutout_size: Annotated[int, int_from(0)]

    precision: Annotated[str, one_of("fp64", "fp32", "tf32", "bf16")]
    deterministic: Flag
    channels_last: Flag
    cuda_graphs: Flag
    compiled: Flag
    cpu_threads: Count

    def _check_together(self) -> None:
        if self.randaugment_magnitude >= self.randaugment_bins:
            allowed = f"an integer below randaugment_bins = {self.randaugment_bins}"
            raise self._refusal("randaugment_magnitude", self.randaugment_magnitude, allowed)
        if self.nesterov and self.momentum == 0:
            raise self._refusal("nesterov", self.nesterov, "False where momentum is 0")
        # Below twice the least size the last layers see one pixel, and batch normalisation needs
        # more than one value of a channel.
        lone_image = self.train_images % self.batch_size == 1
        if lone_image and self.resolution < 2 * MIN_RESOLUTION:
            allowed = f"a size that leaves no last batch of 1 of {self.train_images} images"
            raise self._refusal("batch_size", self.batch_size, allowed)

    @property
    def augmented(self) -> bool:
        """Whether training images are changed in any way beyond being normalised."""
        return any(
            (self.randaugment_ops, self.flip_probability, self.crop_padding, self.cutout_size)
        )

    def images(self, split: str) -> int:
        """Return how many images `train`, `val` or `test` has."""
        return {"train": self.train_images, "val": self.val_images, "test": self.test_images}[split]

    @property
    def shape(self) -> ModelShape:
        """The shape of the models."""
        return ModelShape(
            stem_channels=self.stem_channels, classes=self.classes, resolution=self.resolution
        )


def preset(name: str) -> Recipe:
    """Return the preset recipe of this name; raise RecipeError if there is none."""
    if name not in PRESETS:
        raise RecipeError(f"recipe {name!r}: one of {', '.join(PRESETS)} is allowed")
    return PRESETS[name]


_CIFAR100: Final = Recipe(
    dataset="cifar100",
    classes=100,
    train_images=45_000,
    val_images=5_000,
    test_images=10_000,
    split_seed=0,
    resolution=32,
    mean=(0.5070588235294118, 0.48666666666666664, 0.4407843137254902),
    std=(0.26745098039215687, 0.2564705882352941, 0.27607843137254906),
    stem_channels=32,
    epochs=200,
    batch_size=256,
    eval_batch_size=1_000,
    lr=0.01,
    schedule="cosine",
    momentum=0.9,
    nesterov=False,
    weight_decay=5e-4,
    randaugment_ops=2,
    randaugment_magnitude=14,
    randaugment_bins=31,
    flip_probability=0.5,
    crop_padding=4,
    cutout_size=16,
    precision="tf32",
    deterministic=True,
    channels_last=True,
    cuda_graphs=True,
    compiled=False,
    cpu_threads=4,
)

_CIFAR10: Final = replace(
    _CIFAR100,
    dataset="cifar10",
    classes=10,
    mean=(0.49137254901960786, 0.4823529411764706, 0.44666666666666666),
    std=(0.24705882352941178, 0.24352941176470588, 0.2615686274509804),
)

_DIGITS: Final = replace(
    _CIFAR100,
    dataset="digits",
    classes=10,
    train_images=1_250,
    val_images=250,
    test_images=250,
    mean=(0.3057, 0.3057, 0.3057),
    std=(0.3755, 0.3755, 0.3755),
    stem_channels=8,
    epochs=5,
    batch_size=32,
    eval_batch_size=250,
    randaugment_ops=0,
    randaugment_magnitude=0,
    flip_probability=0.0,
    crop_padding=0,
    cutout_size=0,
    precision="fp32",
    cpu_threads=1,
)

PRESETS: Final[Mapping[str, Recipe]] = MappingProxyType(
    {"cifar100": _CIFAR100, "cifar10": _CIFAR10, "digits": _DIGITS}
)
