"""What tests of the exporter have in common."""

import json
from dataclasses import replace

import numpy as np

from blox_core.recipe import preset
from blox_core.simulation import SIMULATED, simulated_result
from blox_core.space import Architecture
from tests.support.results import claimed, made_up_result, made_up_run

DIGITS = replace(preset("digits"), epochs=2)
SHAPE = DIGITS.shape
FOR_PEOPLE = ("README.md", "accuracy.png", "manifest.json")
# sha256 of the published params and FLOPs of all architectures, each as u32 little-endian.
PARAMS_DIGEST = "6347c9e400327c628cb55b2c19f57218d4d8b79a682bb7a84a6ab25e5910ba78"
FLOPS_DIGEST = "f7c79c9d1c3bcbd86aa4aaca60f8d1c69a698520244c47c0daec32eff083466a"
COSTS = {3: (111, 222), 5: (333, 444), 7: (555, 666)}


def finish(store, run, index, **changed):
    store.results.complete(claimed(store, run, index), made_up_result(**changed))


def finish_all(store, run):
    finish(store, run, 3)
    finish(store, run, 5, val_top1=np.array([250, 0]), train_time_s=100.5)
    finish(store, run, 7, environment={"gpu": "another"}, train_time_s=101.5)


def simulated_run(store, *, seed=0, indices=(3, 5, 7)):
    """Return a simulated run in which all jobs have finished."""
    run = made_up_run(store, DIGITS, seed=seed, indices=indices, trainer=SIMULATED)
    for index in indices:
        result = simulated_result(Architecture(index), DIGITS, seed)
        store.results.complete(claimed(store, run, index), result)
    return run


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text())
