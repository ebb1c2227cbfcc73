"""`blox tune-gpu`: real measurements on the CPU, in processes of its own."""

import pytest
from click.testing import CliRunner

from blox_core import complexity
from blox_worker.commands.train.tune_gpu import tune_gpu

TINY = {
    "train_images": 20,
    "val_images": 9,
    "test_images": 7,
    "resolution": 8,
    "stem_channels": 2,
    "batch_size": 8,
    "eval_batch_size": 4,
}
TINY_OPTIONS = [part for field, value in TINY.items() for part in ("--set", f"{field}={value}")]


@pytest.mark.slow  # processes with torch
def test_real_jobs_are_measured_on_the_cpu(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(complexity, "params_and_flops", lambda *shape: (None, range(91_125)))
    options = ["--gpu", "cpu", "--recipe", "digits", "--jobs", "1", "--sample", "1", *TINY_OPTIONS]
    environment = {"BLOX_LOCK_DIR": str(tmp_path / "locks")}
    ended = CliRunner().invoke(tune_gpu, options, env=environment, catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    assert "a45562" in ended.stdout
    assert "CPU-hours for all" in ended.stdout
    assert ended.stdout.splitlines()[-1] == "  blox worker --gpus cpu --jobs-per-gpu 1"
