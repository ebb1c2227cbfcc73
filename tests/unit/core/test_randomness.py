"""Streams of random numbers: separate, reproducible, and private."""

from __future__ import annotations

import numpy as np
import torch

from blox_core.randomness import Stream, epoch_order, seeded_torch


def draw(seed: int, stream: Stream, *position: int) -> list[float]:
    with seeded_torch(seed, stream, *position):
        return list(torch.rand(4).tolist())


def test_same_stream_gives_the_same_numbers() -> None:
    assert draw(1, Stream.AUGMENTATION, 2, 3) == draw(1, Stream.AUGMENTATION, 2, 3)


def test_streams_differ() -> None:
    draws = [
        draw(1, Stream.INITIALISATION),
        draw(2, Stream.INITIALISATION),
        draw(1, Stream.AUGMENTATION, 1, 0),
        draw(1, Stream.AUGMENTATION, 0, 1),
        draw(1, Stream.AUGMENTATION, 2, 0),
        draw(2, Stream.AUGMENTATION, 1, 0),
    ]
    assert len({tuple(numbers) for numbers in draws}) == len(draws)


def test_global_generator_goes_on_as_if_nothing_had_been() -> None:
    before = torch.get_rng_state()
    draw(1, Stream.AUGMENTATION)
    assert torch.equal(torch.get_rng_state(), before)


def test_order_is_a_permutation_of_its_own_for_every_epoch() -> None:
    orders = [epoch_order(50, 1, epoch) for epoch in (1, 2)] + [epoch_order(50, 2, 1)]
    for order in orders:
        assert sorted(order) == list(range(50))
        assert order.dtype == np.int64
    assert len({order.tobytes() for order in orders}) == 3


def test_order_is_pinned() -> None:
    """Another order would be another trainer revision."""
    assert epoch_order(8, 0, 1).tolist() == [5, 6, 3, 4, 7, 0, 2, 1]
