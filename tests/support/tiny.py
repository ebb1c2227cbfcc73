"""A training that takes a fraction of a second: real digits, few of them, and a narrow model."""

from dataclasses import replace

from blox_core.recipe import preset

TINY = replace(
    preset("digits"),
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
