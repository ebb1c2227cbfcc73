"""Recipes: what they allow, and what their fingerprints see."""

from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from blox_core.errors import RecipeError
from blox_core.recipe import PRESETS, Recipe, preset

# They are in stores and checkpoints: a change makes every run and checkpoint a foreign one.
FINGERPRINTS = {
    "cifar100": "f3249f6549bc41d494730edbec6bcff5ff6db169de1e2d4d4fd6c425353f2ade",
    "cifar10": "e9dce5c52f2b80497192482ec04d55f14e9c32fbd56cccd63be4b25c38cd69c8",
    "digits": "989b63791e215e7db239577bbb2b47b53028f59c750fd48606945e7465d6a5d3",
}
# Another allowed value of every field of the published recipe.
OTHER_VALUES: dict[str, Any] = {
    "dataset": "cifar10",
    "classes": 10,
    "train_images": 45_001,
    "val_images": 5_001,
    "test_images": 10_001,
    "split_seed": 1,
    "resolution": 33,
    "mean": (0.5070588235294119, 0.48666666666666664, 0.4407843137254902),
    "std": (0.26745098039215687, 0.2564705882352941, 0.2760784313725491),
    "stem_channels": 34,
    "epochs": 201,
    "batch_size": 255,
    "eval_batch_size": 999,
    "lr": 0.010000000000000002,
    "momentum": 0.91,
    "nesterov": True,
    "weight_decay": 5.1e-4,
    "randaugment_ops": 3,
    "randaugment_magnitude": 15,
    "randaugment_bins": 32,
    "flip_probability": 0.25,
    "crop_padding": 5,
    "cutout_size": 17,
    "precision": "fp32",
    "deterministic": False,
    "channels_last": False,
    "cuda_graphs": False,
    "compiled": True,
    "cpu_threads": 3,
}
ONLY_ONE_VALUE = {"schedule"}
NO_VALUES = {
    "dataset": ["mnist", None, ["digits"]],
    "classes": [1, 10.0, True, "10"],
    "train_images": [0],
    "val_images": [0],
    "test_images": [0],
    "split_seed": [-1, 2**32],
    "resolution": [7],
    "mean": [(0.5, 0.5), (0.5, 0.5, 1.5), (0, 0, 0), 0.5],
    "std": [(0.5, 0.5, 0.0), (0.5, 68.2, 0.5), (0.5, 0.5, math.inf), [0.5, 0.5, 0.5]],
    "stem_channels": [0, 7, -2, 8.0],
    "epochs": [0],
    "batch_size": [1],
    "eval_batch_size": [0],
    "lr": [0.0, -1.0, math.nan, math.inf, 1, "0.1"],
    "schedule": ["linear"],
    "momentum": [1.0, -0.1],
    "nesterov": [0],
    "weight_decay": [-1e-9],
    "randaugment_ops": [-1],
    "randaugment_magnitude": [-1],
    "randaugment_bins": [1],
    "flip_probability": [1.1],
    "crop_padding": [-1],
    "cutout_size": [-1],
    "precision": ["fp16"],
    "deterministic": [1],
    "channels_last": ["yes"],
    "cuda_graphs": [1],
    "compiled": ["no"],
    "cpu_threads": [0],
}


@pytest.mark.parametrize("name", PRESETS)
def test_fingerprint_is_pinned(name: str) -> None:
    assert preset(name).fingerprint == FINGERPRINTS[name]


@pytest.mark.parametrize("field", OTHER_VALUES)
def test_fingerprint_changes_with_every_field(field: str) -> None:
    recipe = preset("cifar100")
    other = replace(recipe, **{field: OTHER_VALUES[field]})
    assert other.fingerprint != recipe.fingerprint


def test_every_field_has_its_cases() -> None:
    names = {field.name for field in fields(Recipe)}
    assert names == OTHER_VALUES.keys() | ONLY_ONE_VALUE == NO_VALUES.keys()


@pytest.mark.parametrize(
    ("field", "value"), [(name, value) for name, values in NO_VALUES.items() for value in values]
)
def test_value_that_is_not_allowed(field: str, value: Any) -> None:
    with pytest.raises(RecipeError) as caught:
        replace(preset("cifar100"), **{field: value})
    message = str(caught.value)
    assert message.startswith(f"recipe field {field} = {value!r}: ")
    assert message.endswith("is allowed")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"randaugment_magnitude": 31}, "randaugment_magnitude = 31: .* randaugment_bins = 31"),
        ({"nesterov": True, "momentum": 0.0}, "nesterov = True: False where momentum is 0"),
        (
            {"train_images": 33, "batch_size": 8, "resolution": 15},
            "batch_size = 8: a size that leaves no last batch of 1 of 33 images",
        ),
    ],
)
def test_values_that_do_not_go_together(values: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        replace(preset("cifar100"), **values)


@pytest.mark.parametrize("name", PRESETS)
def test_survives_json(name: str) -> None:
    recipe = preset(name)
    again = Recipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert again == recipe
    assert again.fingerprint == recipe.fingerprint


@pytest.mark.parametrize("change", [{"lr": None}, {"warmup": 5}])
def test_missing_and_unknown_keys(change: dict[str, Any]) -> None:
    values = preset("digits").to_dict()
    (key,) = change
    if key in values:
        del values[key]
    else:
        values |= change
    with pytest.raises(RecipeError, match=f"missing or unknown: {key}; exactly these"):
        Recipe.from_dict(values)


def test_dict_with_a_value_that_is_not_allowed() -> None:
    with pytest.raises(RecipeError, match=r"mean = \(1\.0,\)"):
        Recipe.from_dict(preset("digits").to_dict() | {"mean": [1.0]})


def test_unknown_preset() -> None:
    with pytest.raises(RecipeError, match="'imagenet': one of cifar100, cifar10, digits"):
        preset("imagenet")


def test_published_numbers() -> None:
    recipe = preset("cifar100")
    assert (recipe.epochs, recipe.batch_size, recipe.lr) == (200, 256, 0.01)
    assert (recipe.momentum, recipe.nesterov, recipe.weight_decay) == (0.9, False, 0.0005)
    assert recipe.train_images % recipe.batch_size == 200
    assert recipe.augmented
    assert not preset("digits").augmented


def test_recipe_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        preset("digits").lr = 1.0  # type: ignore[misc]
    with pytest.raises(TypeError):
        PRESETS["digits"] = preset("cifar10")  # type: ignore[index]
