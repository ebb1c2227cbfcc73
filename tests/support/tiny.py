"""A training that takes a fraction of a second: real digits, few of them, and a narrow model."""

from dataclasses import replace

from blox_core.recipe import Recipe, preset

_DIGITS = preset("digits")
TINY = replace(
    _DIGITS,
    train_images=64,
    val_images=20,
    test_images=20,
    stem_channels=2,
    resolution=8,
    epochs=3,
    batch_size=32,
    eval_batch_size=20,
    cpu_threads=1,
)


def init_options(recipe: Recipe = TINY) -> str:
    """Return the options that make `blox init --recipe digits` one of this recipe."""
    usual = _DIGITS.to_dict()
    changed = {name: value for name, value in recipe.to_dict().items() if value != usual[name]}
    return " ".join(f"--set {name}={value}" for name, value in changed.items())
