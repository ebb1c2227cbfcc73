"""`blox init-latency` and `blox measure`, typed in this process, and what they refuse."""

import json

import blox
from blox_core.recipe import preset
from blox_store.store import JobState, Store
from tests.support.latencies import QUICK, add_latencies, measured, measurements
from tests.support.results import claimed, made_up_result, made_up_run

EXPORT = "python -m blox_store.export"


def test_latencies_are_measured_here_and_released(typed, tmp_path):
    made = typed.succeed(f"blox init-latency --device-name cpu --indices 3,5-9 --sample 2 {QUICK}")
    assert "made run 1: latency on cpu, protocol " in made
    assert "torch-cpu, fp32, 1 thread, batch 1 of 8 x 8, 10 classes, 4 channels in stage 1" in made
    assert "2 jobs added, 0 were there" in made
    assert "blox measure --device-name cpu" in made
    typed.succeed(f"blox init-latency --device-name cpu --indices 3 --priority 5 {QUICK}")
    measured = typed.succeed("blox measure --device-name cpu")
    assert "a00003 " in measured
    assert " ms, half of 3 runs within " in measured
    status = json.loads(typed.succeed("blox status --json"))
    (run,) = status["runs"]
    assert (run["trainer"], run["dataset"], run["epochs"]) == ("latency", "cpu", 1)
    assert run["jobs"]["succeeded"] == run["total"] in (2, 3)
    with Store(f"sqlite:///{tmp_path}/blox.db") as store:
        found = measurements(store, 1)
        store.static.add_architectures(preset("digits").shape, [(3, 30, 60)])
        trained = made_up_run(store, indices=(3,))
        store.results.complete(claimed(store, trained, 3), made_up_result(5))
    typed.succeed(f"{EXPORT} --out release")
    for extension in ("blox", "csv", "pickle"):
        d = blox.from_folder(tmp_path / "release", devices=["cpu"], preferred_ext=[extension])
        assert d.latency(3) == [[round(found[3].median_ms, 6)]]


def test_one_device_has_one_protocol(typed):
    typed.succeed(f"blox init-latency --device-name cpu --indices 3 {QUICK}")
    refused = typed(f"blox init-latency --device-name cpu --indices 3 {QUICK} --set batch=2")
    assert refused.code == 1
    assert "device cpu is measured by run 1: latency on cpu, protocol " in refused.err
    assert "give another --device-name" in refused.err


def test_latencies_of_a_release_are_not_mixed_with_ones_own(typed, tmp_path):
    with Store(f"sqlite:///{tmp_path}/blox.db", migrate=True) as store:
        add_latencies(store, "pixel-4", {3: 1.25})
    refused = typed(f"blox init-latency --device-name pixel-4 --indices 3 {QUICK}")
    assert refused.code == 1
    assert "the store has latencies on pixel-4 that came with a release" in refused.err


def test_bad_input_of_init_latency(typed):
    for options, message in (
        ("--device-name a_b", "'a_b': 1 to 64 of a-z, A-Z, 0-9 and - are allowed"),
        ("--device-name cpu --indices 3 --sample 2", "2: at most the 1 of --indices are allowed"),
        ("--device-name cpu --set precision=fp16", "field precision = 'fp16': one of fp32, bf16"),
        ("--device-name cpu --set x=1", "fields missing or unknown: x"),
        ("--device-name cpu --backend tpu", "'tpu' is not one of"),
    ):
        refused = typed(f"blox init-latency {options}")
        assert refused.code == 2, refused
        assert message in " ".join(refused.err.split())


def test_a_run_that_measures_is_not_trained(typed):
    typed.succeed(f"blox init-latency --device-name cpu --indices 3 {QUICK}")
    refused = typed("blox train --local --run 1")
    assert (refused.code, "blox measure --device-name cpu" in refused.err) == (2, True)
    refused = typed(f"{EXPORT} --out release --run 1")
    assert (refused.code, "latencies go with the release of a run that trains" in refused.err) == (
        1,
        True,
    )
    unknown = typed("blox measure --device-name gpu")
    assert (unknown.code, "no run with device name gpu" in unknown.err) == (1, True)


def test_several_measuring_workers_need_several_devices(typed):
    refused = typed("blox worker --gpus cpu --measure cpu --jobs-per-gpu 2")
    assert (refused.code, "one process per GPU is allowed" in refused.err) == (2, True)


def test_a_scheduler_has_one_run(typed):
    refused = typed("blox scheduler --run 1 --measure cpu")
    assert (refused.code, "--run and --measure name a run each" in refused.err) == (2, True)
    typed.succeed("blox migrate")
    refused = typed("blox worker --gpus cpu --measure cpu")
    assert (refused.code, "no run with device name cpu" in refused.err) == (1, True)


def test_another_machine_under_the_same_name_is_refused(typed, tmp_path):
    typed.succeed(f"blox init-latency --device-name cpu --indices 3,5 {QUICK}")
    with Store(f"sqlite:///{tmp_path}/blox.db") as store:
        run = store.runs.find(measured="cpu")
        lease = store.jobs.claim(
            run, 3, worker="w", trainer_revision=run.trainer_revision, lease_s=60
        )
        store.measurements.complete(run, lease, measured(), identity={"name": "another CPU"})
    ended = typed("blox measure --device-name cpu")
    assert ended.code == 1
    assert "this machine differs from the one that was measured so far: cores " in ended.err
    with Store(f"sqlite:///{tmp_path}/blox.db") as store:
        assert store.jobs.counts(run.id)[JobState.PENDING] == 1
