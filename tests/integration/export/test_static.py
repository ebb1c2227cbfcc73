"""Params and FLOPs in a release: of the finished architectures, or of all."""

import hashlib

import numpy as np
import pytest

import blox
from blox_core.complexity import params_and_flops
from blox_core.recipe import preset
from blox_core.space import SPACE_SIZE, Architecture, all_hashes
from blox_store.export.chosen_jobs import Choice
from blox_store.export.exporter import export
from blox_store.release.reader import read_table
from blox_store.verify.verification import verify
from tests.support.exports import COSTS, DIGITS, FLOPS_DIGEST, PARAMS_DIGEST, finish, finish_all
from tests.support.results import made_up_run


@pytest.fixture
def store_url(sqlite_store_url):
    """One kind is enough: the other one is asked the same in test_files.py."""
    return sqlite_store_url


@pytest.mark.slow  # 91,125 rows in each format
def test_params_and_flops_of_all_in_several_formats(store, run, out):
    finish_all(store, run)
    choice = Choice(static="all", indices=range(4, 6))
    export(store, run, out, formats=("blox", "csv"), choice=choice)
    assert verify(out).faults == ()
    params, flops = params_and_flops(DIGITS.shape)
    for index, (known_params, known_flops) in COSTS.items():  # the store's are made up
        params[index], flops[index] = known_params, known_flops
    d = blox.from_folder(out, include_static_info=True)  # verify has compared the formats
    np.testing.assert_array_equal(d.params(range(SPACE_SIZE)), params)
    np.testing.assert_array_equal(d.flops(range(SPACE_SIZE)), flops)
    assert d.arch_vec(12_345) == Architecture(12_345).arch_vec
    assert list(d.indices) == [5]
    assert (d.val_acc(12_345), d.full_info(12_345)) == (None, None)
    assert list(d.best(3, "params").indices) == [5]
    assert "FLOPs, arch vectors of all architectures, trained or not | 91,125 |" in card_of(out)
    assert "| 5 | 100.000 | 24.000 | 333 | 444 |" in card_of(out)


def test_published_params_and_flops_of_all_with_one_result(store, out):
    run = made_up_run(store, preset("cifar100"), indices=(7,))
    finish(store, run, 7, epochs=200)
    export(store, run, out, formats=("blox",), choice=Choice(static="all"))
    d = blox.from_folder(out, include_static_info=True)
    assert digest(d.params(range(SPACE_SIZE))) == PARAMS_DIGEST
    assert digest(d.flops(range(SPACE_SIZE))) == FLOPS_DIGEST
    digests = read_table(out / "blox-info.blox").columns["model_hash"].values()
    assert digests == all_hashes()


def digest(counts):
    return hashlib.sha256(counts.astype("<u4").tobytes()).hexdigest()


def card_of(out):
    return (out / "README.md").read_text()


def test_a_later_seed_says_anew_whose_params_and_flops_there_are(store, run, out):
    finish_all(store, run)
    second = made_up_run(store, DIGITS, seed=1, indices=(3, 5, 7))
    finish_all(store, second)
    rows = []
    for each, static in ((run, "finished"), (second, "all"), (run, "finished")):
        export(store, each, out, formats=("blox",), choice=Choice(static=static))
        assert verify(out).faults == ()
        rows.append(len(read_table(out / "blox-info.blox")))
    assert rows == [3, SPACE_SIZE, 3]
