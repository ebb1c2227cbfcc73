"""What `blox train --gpus` refuses, typed in this process."""

import pytest

from blox_store.store import Store
from tests.support.results import made_up_run


@pytest.mark.parametrize(
    ("options", "inventory", "code", "message"),
    [
        ("--gpus all", "", 1, "no GPU found; use --gpus cpu"),
        ("--gpus 2", "0,1", 1, "--gpus '2': this machine has GPU 0, 1; --gpus allows all, cpu or"),
        ("--gpus 0,0", "0,1", 1, "--gpus '0,0': names a GPU twice"),
        ("--gpus all", "a", 1, "BLOX_GPU_INVENTORY='a': GPU numbers such"),
        ("--gpus all --run 7", "0,1", 1, "7"),
        ("--gpus all --device cpu", "0", 2, "--device and --gpus: only one of them is allowed"),
        ("--jobs-per-gpu 2", "0,1", 2, "--jobs-per-gpu needs --gpus"),
        ("--gpus all --jobs-per-gpu 0", "0,1", 2, "0 is not in the range x>=1"),
    ],
)
def test_bad_input_is_one_line(typed, own_store_url, options, inventory, code, message):
    with Store(own_store_url) as store:
        made_up_run(store)
    ended = typed(f"blox train --local {options}", BLOX_GPU_INVENTORY=inventory)
    assert (ended.code, ended.out) == (code, "")
    assert message in ended.err
    assert ended.err.count("\n") == 1
