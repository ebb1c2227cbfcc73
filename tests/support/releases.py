"""Releases and stores for the tests of what reads, checks and takes in a release."""

import zlib

from blox_core.recipe import preset
from blox_store.release.header import split_header
from blox_store.store import Store
from tests.support.results import claimed, made_up_result, made_up_run

SHAPE = preset("digits").shape
COSTS = {3: (111, 222), 5: (333, 444), 7: (555, 666)}


def add_costs(store: Store) -> None:
    """Add params and FLOPs of three architectures."""
    store.static.add_architectures(SHAPE, [(i, *cost) for i, cost in COSTS.items()])


def finished_run(store: Store, recipe, *, seed=0, indices=(3, 5, 7), diverged=()):
    """Return a run in which all jobs have ended."""
    run = made_up_run(store, recipe, seed=seed, indices=(*indices, *diverged))
    for index in indices:
        result = made_up_result(recipe.epochs, train_time_s=100.5 + index)
        store.results.complete(claimed(store, run, index), result)
    for index in diverged:
        result = made_up_result(1, status="diverged")
        store.results.complete(claimed(store, run, index), result)
    return run


def payload(path):
    """Return the inflated payload of a .blox file from its number of rows on.

    What stands before is 8 times the number of bytes, which some published files have wrong.
    """
    data = path.read_bytes()
    return zlib.decompress(data[split_header(data)[1] :])[8:]


def contents(folder):
    """Return the bytes of every file in a folder, by path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
