"""Where the randomness of a training comes from: its seed, and nothing else.

Each purpose and each position (an epoch) has a stream of its own, so that a resumed training
needs no generator state and the process's global generators are left as they were.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import numpy as np
import torch
from numpy.typing import NDArray


class Stream(IntEnum):
    """What random numbers are for; a number of this table is never used for anything else."""

    INITIALISATION = 0
    ORDER = 1
    AUGMENTATION = 2


@contextmanager
def seeded_torch(seed: int, stream: Stream, *position: int) -> Iterator[None]:
    """Seed torch's global CPU generator for a while; afterwards it is as it was."""
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would also seed, and start, every CUDA device.
        (number,) = _sequence(seed, stream, *position).generate_state(1, np.uint64)
        torch.default_generator.manual_seed(int(number))
        yield


def epoch_order(images: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order in which an epoch (from 1) sees the training images: int64 (images,)."""
    return random_state(seed, Stream.ORDER, epoch).permutation(images).astype(np.int64)


def random_state(seed: int, stream: Stream, *position: int) -> np.random.RandomState:
    """Return a generator of numpy that gives a stream's numbers.

    `RandomState`, because numpy keeps its streams for good, as it does SeedSequence's.
    """
    return np.random.RandomState(np.random.MT19937(_sequence(seed, stream, *position)))


def _sequence(seed: int, stream: Stream, *position: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed, spawn_key=(int(stream), *position))
