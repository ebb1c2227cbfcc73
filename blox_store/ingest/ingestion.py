"""From the files of a release to runs in the store that have ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from blox_store.ingest.finished_rows import finished_rows
from blox_store.ingest.incoming import IncomingRelease
from blox_store.release.names import SEEDED_KINDS
from blox_store.store import Store, Taken

_SHAPE_FIELDS: Final = ("stem_channels", "classes", "resolution")


def ingest(store: Store, release: IncomingRelease) -> Iterator[Taken]:
    """Take the seeds of a release into the store, and yield what became of each.

    A seed enters whole or not at all; what is there already has to be equal and stays. Raises
    IngestRefused for a release that lacks what the store needs, and StoreError where the store has
    something else.
    """
    trainings = release.trainings
    shape = {name: trainings.recipe[name] for name in _SHAPE_FIELDS}
    store.static.add_known(shape, release.costs(), release.latencies(), release.devices())
    for seed in release.seeds:
        yield _take(store, release, seed)


def _take(store: Store, release: IncomingRelease, seed: int) -> Taken:
    """Take one seed; its tables are gone when those of the next one are read."""
    trainings = release.trainings
    base, ext, env = (release.table(kind, seed) for kind in SEEDED_KINDS)
    return store.finished_runs.take(
        {
            "dataset": trainings.dataset,
            "recipe_fingerprint": trainings.recipe_fingerprint,
            "seed": seed,
            "trainer": trainings.trainer,
            "trainer_revision": trainings.trainer_revision,
        },
        trainings.recipe,
        finished_rows(base, ext, env, trainings.recipe, release.diverged(seed)),
        without_rows=release.without_rows(seed),
    )
