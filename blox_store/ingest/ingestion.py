"""From the files of a release to runs in the store that have ended."""

from __future__ import annotations

from collections.abc import Iterator

from blox_core.recipe import Recipe
from blox_store.ingest.finished_rows import finished_rows
from blox_store.ingest.incoming import IncomingRelease
from blox_store.release.names import SEEDED_KINDS
from blox_store.store import Store, Taken


def ingest(store: Store, release: IncomingRelease) -> Iterator[Taken]:
    """Take the seeds of a release into the store, and yield what became of each.

    A seed enters whole or not at all; what is there already has to be equal and stays. Raises
    IngestRefused for a release that lacks what the store needs, and StoreError where the store has
    something else.
    """
    recipe = Recipe.from_dict(release.trainings.recipe)
    store.static.add_known(recipe.shape, release.costs(), release.latencies(), release.devices())
    for seed in release.seeds:
        yield _take(store, release, recipe, seed)


def _take(store: Store, release: IncomingRelease, recipe: Recipe, seed: int) -> Taken:
    """Take one seed; its tables are gone when those of the next one are read."""
    trainings = release.trainings
    base, ext, env = (release.table(kind, seed) for kind in SEEDED_KINDS)
    return store.finished_runs.take(
        {
            "dataset": trainings.dataset,
            "seed": seed,
            "trainer": trainings.trainer,
            "trainer_revision": trainings.trainer_revision,
        },
        recipe,
        finished_rows(base, ext, env, recipe, release.diverged(seed)),
        without_rows=release.without_rows(seed),
    )
