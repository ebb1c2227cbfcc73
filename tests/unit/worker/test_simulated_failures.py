from dataclasses import replace

import pytest

from blox_core.recipe import preset
from blox_core.space import Architecture
from blox_store.errors import SettingsError
from blox_store.settings import read_settings
from blox_worker.errors import SimulatedFailure
from blox_worker.job.blame import is_node_fault
from blox_worker.job.trainers import TRAINERS, Assignment
from blox_worker.settings import WorkerSettings


def train(index, settings):
    assignment = Assignment(
        architecture=Architecture(index),
        recipe=replace(preset("digits"), epochs=2),
        seed=0,
        device="cpu",
        settings=settings,
        on_epoch=lambda report: None,
        should_stop=lambda: False,
    )
    return TRAINERS["simulated"].train(assignment, None)


@pytest.mark.parametrize(
    ("failing", "fails"),
    [("", set()), ("7,9", {7, 9}), ("6-8", {6, 7, 8}), ("all", {6, 7, 8, 9})],
)
def test_which_simulated_trainings_fail(monkeypatch, failing, fails):
    monkeypatch.setenv("BLOX_SIMULATED_FAILURES", failing)
    settings = read_settings(WorkerSettings)
    assert {index for index in (6, 7, 8, 9) if settings.simulates_failure(index)} == fails


@pytest.mark.parametrize("failing", ["7;9", "9-7", "91125", "ALL", "7,"])
def test_what_is_no_list_of_architectures_is_refused(monkeypatch, failing):
    monkeypatch.setenv("BLOX_SIMULATED_FAILURES", failing)
    with pytest.raises(SettingsError, match=f"^BLOX_SIMULATED_FAILURES='{failing}': .*, or all$"):
        read_settings(WorkerSettings)


def test_a_simulated_training_that_is_to_fail_fails_by_its_own_fault():
    settings = WorkerSettings(simulated_failures="7", simulated_epoch_s=0)
    with pytest.raises(SimulatedFailure, match="in epoch 1, as BLOX_SIMULATED_FAILURES says") as it:
        train(7, settings)
    assert not is_node_fault(it.value)
    assert train(8, settings).status == "succeeded"
