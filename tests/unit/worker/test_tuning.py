"""`blox tune-gpu`: its sweep, and what it says of measurements that are made up."""

import json
import threading
from dataclasses import replace

import pytest
from click.testing import CliRunner

from blox_core import complexity, throughput
from blox_core.errors import DeviceOutOfMemory, MeasurementFailed
from blox_core.recipe import preset
from blox_core.throughput import Load, Throughput, TrainingTime
from blox_store import command_line
from blox_worker.commands.train import tune_gpu as module
from blox_worker.commands.train.tune_gpu import tune_gpu
from blox_worker.device.lock import DeviceLock
from blox_worker.errors import DeviceBusy, DeviceMissing
from blox_worker.tuning.sweep import TuningRow, best, loads, sweep
from blox_worker.tuning.view import options_of
from tests.support.synthetic import uninterrupted

LOAD = Load(recipe=preset("cifar100"), architectures=(3, 5), device="cuda")
GIB = 2**30


def made_up(load):
    """Two jobs are best, bf16 is faster, and eight do not fit."""
    if load.processes == 8:
        raise DeviceOutOfMemory("8 processes on cuda, tf32: OutOfMemoryError: no")
    slowness = {1: 1.0, 2: 1.5, 4: 4.0}[load.processes]
    epoch_s = slowness * (0.25 if load.recipe.precision == "bf16" else 0.5)
    return Throughput(
        processes=load.processes,
        epochs=load.recipe.epochs,
        start_up_s=4.0,
        epoch_s=epoch_s,
        test_s=1.0,
        device_bytes=None if load.device == "cpu" else 3 * GIB * load.processes,
        allocated_bytes=None if load.device == "cpu" else 2 * GIB,
        resident_bytes=GIB,
        environment=uninterrupted().environment,
        trainings=(TrainingTime(arch_index=3, start_up_s=4.0, epoch_s=epoch_s, test_s=1.0),),
    )


@pytest.fixture
def tune(monkeypatch, tmp_path):
    """Runs the command; measurements are made up, on a machine that pretends to have a GPU 1."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # put back afterwards
    monkeypatch.setattr(complexity, "params_and_flops", lambda *shape: (None, [30, 10, 20]))
    monkeypatch.setattr(throughput, "measure", made_up)

    def run(*arguments, inventory="1,3"):
        environment = {"BLOX_GPU_INVENTORY": inventory, "BLOX_LOCK_DIR": str(tmp_path / "locks")}
        return CliRunner().invoke(tune_gpu, arguments, env=environment, catch_exceptions=False)

    return run


def test_a_load_that_does_not_fit_ends_its_precision_and_no_other():
    lists = loads(LOAD, ("tf32", "bf16"), (8, 1, 16, 8, 2))
    rows = list(sweep(lists, made_up))
    shown = [(row.load.recipe.precision, row.load.processes) for row in rows]
    assert shown == [(name, jobs) for name in ("tf32", "bf16") for jobs in (1, 2, 8)]
    assert [row.throughput is None for row in rows] == [False, False, True] * 2
    assert best(rows) is rows[4]
    assert rows[2].to_dict() == {"precision": "tf32", "jobs": 8, "out_of_memory": True}


def test_where_nothing_fits_there_is_no_best():
    with pytest.raises(DeviceOutOfMemory, match="no load fits into the memory of the device; see"):
        best([TuningRow(load=LOAD, throughput=None)])


def test_another_failure_ends_the_sweep():
    def fails(load):
        raise MeasurementFailed("1 process on cuda, tf32: it was nothing")

    with pytest.raises(MeasurementFailed, match="it was nothing"):
        list(sweep([[LOAD]], fails))


def test_the_best_row_is_marked_and_its_commands_are_said(tune):
    ended = tune("--precisions", "tf32, bf16", "--set", "lr=0.05", "--json", "tuned.json")
    assert ended.exit_code == 0
    printed = ended.stdout.splitlines()
    assert printed[0].startswith("gpu1@")
    assert printed[0].endswith(
        ": cifar100, 200 epochs; sample by FLOPs: a00001, a00002, a00000; "
        "median of 3 epochs after the first"
    )
    cells = [line.split() for line in printed if line.strip()]
    assert cells[8][:9] == ["bf16", "2", "4", "s", "0.375", "s", "1", "s", "90"]
    assert [line[-1] for line in cells].count("best") == 1
    assert [line[-3:] for line in cells if line[1:2] == ["8"]] == [["out", "of", "memory"]] * 2
    assert printed[-2:] == [
        "  blox init --recipe cifar100 --set lr=0.05 --set precision=bf16 --seed 0",
        "  blox worker --gpus all --jobs-per-gpu 2",
    ]
    assert ended.stderr.splitlines()[:2] == ["1 of 8: tf32, 1 job", "2 of 8: tf32, 2 jobs"]


def test_everything_is_written_as_json(tune, tmp_path):
    assert tune("--jobs", "1,8", "--share", "0.1", "--json", "tuned.json").exit_code == 0
    document = json.loads((tmp_path / "tuned.json").read_text())
    assert document["recipe"] == preset("cifar100").to_dict()
    assert document["architectures"] == [1, 2, 0]
    assert (document["device"], document["timed_epochs"]) == ("cpu", 4)
    assert document["scale"] == 176 / 18
    assert document["environment"]["torch_version"] == uninterrupted().environment.torch_version
    one, eight = document["rows"]
    assert eight == {"precision": "fp32", "jobs": 8, "out_of_memory": True, "best": False}
    assert one["models_per_hour"] == pytest.approx(3600 / 105)
    assert one["full_run_hours"] == pytest.approx(91_125 * 105 / 3600)
    assert (one["epoch_s"], one["resident_bytes"], one["best"]) == (0.5, GIB, True)
    assert one["trainings"][0]["arch_index"] == 3
    assert document["commands"][1] == "blox worker --gpus all --jobs-per-gpu 1"


def test_memory_of_a_gpu_is_that_of_all_and_of_one_job(tune, monkeypatch):
    monkeypatch.setattr(throughput, "measure", lambda load: made_up(replace(load, device="cuda")))
    assert "6.0 GiB      2.0 GiB" in tune("--jobs", "2").stdout


def test_no_latency_is_measured_meanwhile_and_trainings_go_on(tune, monkeypatch, tmp_path):
    stopped = threading.Event()
    stopped.set()

    def measure(load):
        lock = DeviceLock(tmp_path / "locks", load.device)
        with pytest.raises(DeviceBusy), lock.held(alone=True, stop=stopped):
            pytest.fail("it trains here")
        with lock.held(alone=False, stop=stopped):
            return made_up(load)

    monkeypatch.setattr(throughput, "measure", measure)
    assert tune("--jobs", "1").exit_code == 0
    with DeviceLock(tmp_path / "locks", "cpu").held(alone=True, stop=stopped):
        pass


def test_a_share_is_said(tune):
    said = "; on 4,608 of 45,000 training images, times of epochs and tests x 9.78"
    assert tune("--jobs", "1", "--share", "0.1").stdout.splitlines()[0].endswith(said)


@pytest.mark.parametrize(
    ("arguments", "inventory", "message"),
    [
        ([], "", "no GPU found (CUDA_VISIBLE_DEVICES='' is set); use --gpu cpu"),
        (["--gpu", "0"], "", "no GPU found (CUDA_VISIBLE_DEVICES='' is set); use --gpu cpu"),
        (
            ["--gpu", "0"],
            "1,3",
            "--gpu '0': this machine has GPU 1, 3; --gpu allows cpu or one of these numbers",
        ),
    ],
)
def test_a_gpu_that_is_not_there_is_one_line(tune, arguments, inventory, message):
    with pytest.raises(DeviceMissing) as caught:
        tune(*arguments, inventory=inventory)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--jobs", "1,,2"], "'1,,2': numbers from 1 on such as 1,2,4 are allowed"),
        (["--jobs", "0"], "'0': numbers from 1 on such as 1,2,4 are allowed"),
        (["--precisions", "fp16"], "precision = 'fp16': one of fp64, fp32, tf32, bf16 is allowed"),
        (["--epochs", "3"], "3 is not in the range x>=4"),
        (["--share", "0"], "0.0 is not in the range 0<x<=1"),
        (["--set", "epochs=0"], "recipe field epochs = 0: an integer of 1 or more is allowed"),
    ],
)
def test_bad_options_are_one_line(tune, arguments, words):
    ended = tune(*arguments)
    assert (ended.exit_code, words in ended.stderr) == (2, True), ended.stderr


def test_a_sample_that_is_too_large_is_one_line(tune, capsys):
    arguments = ["--gpu", "cpu", "--sample", "4"]
    assert command_line.run(tune_gpu, "blox", arguments) == 1
    *_, last = capsys.readouterr().err.splitlines()
    assert last == "blox: a sample of 4 architectures: 1 to 3 is allowed"


def test_options_make_the_recipe_of_a_preset():
    recipe = replace(preset("digits"), deterministic=False, mean=(0.5, 0.5, 0.5))
    assert options_of(recipe, preset("digits")) == (
        "--recipe digits --set 'mean=[0.5, 0.5, 0.5]' --set deterministic=false"
    )
    assert options_of(preset("digits"), preset("digits")) == "--recipe digits"


def test_the_command_and_the_measurement_agree_on_the_fewest_epochs():
    assert throughput.LEAST_EPOCHS == module._LEAST_EPOCHS
