from types import SimpleNamespace

import pynvml
import pytest

from blox_store.store import WorkerFigures
from blox_worker.device.gpu_load import gpu_load

UUID = "GPU-aaaa-1"


@pytest.fixture
def driver(monkeypatch):
    """An NVIDIA driver with one GPU; an error's number in place of an answer is raised."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", UUID)
    state = SimpleNamespace(
        init=None,
        handle=UUID,
        rates=SimpleNamespace(gpu=97, memory=40),
        memory=SimpleNamespace(used=3 * 2**30, total=80 * 2**30, free=77 * 2**30),
        shut_down=0,
    )

    def said(answer):
        if isinstance(answer, int):
            raise pynvml.NVMLError(answer)
        return answer

    def handle(uuid):
        assert uuid == UUID
        return said(state.handle)

    def shutdown():
        state.shut_down += 1

    for name, function in {
        "nvmlInit": lambda: said(state.init),
        "nvmlShutdown": shutdown,
        "nvmlDeviceGetHandleByUUID": handle,
        "nvmlDeviceGetUtilizationRates": lambda handle: said(state.rates),
        "nvmlDeviceGetMemoryInfo": lambda handle: said(state.memory),
    }.items():
        monkeypatch.setattr(pynvml, name, function)
    return state


def test_the_driver_is_asked_for_the_gpu_of_the_process(driver):
    assert gpu_load("cuda") == WorkerFigures(
        gpu_utilisation=0.97, gpu_memory_used_bytes=3 * 2**30, gpu_memory_total_bytes=80 * 2**30
    )
    assert driver.shut_down == 1


def test_what_the_driver_does_not_know_is_none(driver):
    driver.rates = pynvml.NVML_ERROR_NOT_SUPPORTED  # of a share of a GPU (MIG)
    assert gpu_load("cuda") == WorkerFigures(
        gpu_utilisation=None, gpu_memory_used_bytes=3 * 2**30, gpu_memory_total_bytes=80 * 2**30
    )
    driver.memory = pynvml.NVML_ERROR_UNKNOWN
    assert gpu_load("cuda") == WorkerFigures()


def test_a_lost_gpu_or_driver_is_no_error(driver):
    driver.handle = pynvml.NVML_ERROR_GPU_IS_LOST
    assert gpu_load("cuda") == WorkerFigures()
    assert driver.shut_down == 1
    driver.init = pynvml.NVML_ERROR_DRIVER_NOT_LOADED
    assert gpu_load("cuda") == WorkerFigures()
    assert driver.shut_down == 1


def test_without_a_driver_there_is_no_load(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-of-nobody")
    assert gpu_load("cuda") == WorkerFigures()


@pytest.mark.parametrize("visible", [None, "", "0", "0,1", f"{UUID},GPU-bbbb-2"])
def test_a_gpu_that_is_not_named_by_its_uuid_is_not_looked_for(driver, monkeypatch, visible):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu_load("cuda") == WorkerFigures()


def test_a_worker_on_the_cpu_has_no_gpu(driver):
    assert gpu_load("cpu") == WorkerFigures()
