"""What `blox train --gpus` refuses, typed in this process."""

import pytest

from blox_store import command_line
from blox_store.store import Store
from blox_worker.commands import command
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
def test_bad_input_is_one_line(
    sqlite_store_url, monkeypatch, capsys, options, inventory, code, message
):
    with Store(sqlite_store_url) as store:
        made_up_run(store)
    monkeypatch.setenv("BLOX_GPU_INVENTORY", inventory)
    line = f"train --local --database {sqlite_store_url} {options}"
    ended = command_line.run(command, "blox", line.split())
    out, err = capsys.readouterr()
    assert (ended, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1
