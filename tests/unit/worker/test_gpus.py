from types import SimpleNamespace

import pynvml
import pytest

from blox_store.errors import SettingsError
from blox_worker.device.gpus import Gpu, inventory, visible, whole_gpu
from blox_worker.device.slots import chosen, slots
from blox_worker.errors import DeviceMissing
from blox_worker.settings import WorkerSettings

GPUS = [
    Gpu(number=0, name="NVIDIA H100", uuid="GPU-aaaa-1"),
    Gpu(number=1, name="NVIDIA H100", uuid="GPU-aaaa-2"),
    Gpu(number=2, name="NVIDIA H100", uuid="GPU-bbbb-3"),
]


def settings(pretended=None):
    return WorkerSettings(gpu_inventory=pretended)


@pytest.fixture
def driver(monkeypatch):
    """An NVIDIA driver that knows these names by number; an error in place of one is raised."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    state = SimpleNamespace(
        names=["NVIDIA H100", "NVIDIA H100"], init=None, shares={"MIG-a": 1}, shut_down=0
    )

    def init():
        if state.init is not None:
            raise pynvml.NVMLError(state.init)

    def handle(number):
        if not isinstance(state.names[number], str):
            raise pynvml.NVMLError(state.names[number])
        return number

    def share(uuid):
        if uuid not in state.shares:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return uuid

    def shutdown():
        state.shut_down += 1

    for name, function in {
        "nvmlInit": init,
        "nvmlShutdown": shutdown,
        "nvmlDeviceGetCount": lambda: len(state.names),
        "nvmlDeviceGetHandleByIndex": handle,
        "nvmlDeviceGetName": lambda number: state.names[number],
        "nvmlDeviceGetHandleByUUID": share,
        "nvmlDeviceGetDeviceHandleFromMigDeviceHandle": lambda uuid: state.shares[uuid],
        "nvmlDeviceGetUUID": lambda number: f"GPU-{number}",
    }.items():
        monkeypatch.setattr(pynvml, name, function)
    return state


def test_the_driver_is_asked(driver):
    assert inventory(settings()) == [
        Gpu(number=0, name="NVIDIA H100", uuid="GPU-0"),
        Gpu(number=1, name="NVIDIA H100", uuid="GPU-1"),
    ]
    assert driver.shut_down == 1


def test_a_gpu_that_is_lost_is_left_out(driver, caplog):
    driver.names[0] = pynvml.NVML_ERROR_GPU_IS_LOST
    assert [gpu.number for gpu in inventory(settings())] == [1]
    assert "GPU 0 does not answer and is left out: GPU is lost" in caplog.text


@pytest.mark.parametrize(
    "number", [pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED]
)
def test_without_a_driver_there_is_no_gpu(driver, number):
    driver.init = number
    assert inventory(settings()) == []


def test_a_driver_that_does_not_answer_is_no_machine_without_gpus(driver):
    driver.init = pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH
    with pytest.raises(DeviceMissing, match=r"the NVIDIA driver does not answer \(RM has det.*smi"):
        inventory(settings())


def test_a_share_is_of_a_gpu(driver):
    assert whole_gpu("MIG-a") == "GPU-1"
    assert driver.shut_down == 1


def test_a_share_that_the_driver_does_not_know_is_one_clear_line(driver):
    with pytest.raises(DeviceMissing, match=r"has 'MIG-b', and .* \(Not Found\); give a UUID as"):
        whole_gpu("MIG-b")
    assert driver.shut_down == 1


def test_without_a_driver_nobody_knows_of_what_a_share_is(driver):
    driver.init = pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
    assert whole_gpu("MIG-a") is None


@pytest.mark.parametrize(
    ("value", "numbers"),
    [
        (None, [0, 1, 2]),
        ("", []),
        ("-1", []),
        ("2,0", [2, 0]),
        (" 1 , 1", [1]),
        ("0,7,1", [0]),
        ("GPU-bbbb", [2]),
        ("GPU-aaaa-2,GPU-bbbb-3", [1, 2]),
        ("MIG-aaaa", []),
    ],
)
def test_cuda_visible_devices_is_respected(value, numbers):
    assert [gpu.number for gpu in visible(GPUS, value)] == numbers


def test_cuda_visible_devices_is_read_from_the_environment(driver, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert [gpu.number for gpu in inventory(settings())] == [1]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(DeviceMissing) as caught:
        slots("all", 1, settings(), "host")
    assert str(caught.value) == ("no GPU found (CUDA_VISIBLE_DEVICES='' is set); use --gpus cpu")


def test_without_a_gpu_the_cpu_is_recommended(driver):
    driver.names = []
    with pytest.raises(DeviceMissing) as caught:
        slots("all", 1, settings(), "host")
    assert str(caught.value) == "no GPU found; use --gpus cpu"
    with pytest.raises(DeviceMissing) as caught:
        slots("0", 1, settings(), "host")
    assert str(caught.value) == "--gpus '0': this machine has no GPU; --gpus allows cpu"


@pytest.mark.parametrize(("option", "numbers"), [("all", [0, 1, 2]), ("2, 0", [2, 0]), ("1", [1])])
def test_gpus_are_chosen_by_number(option, numbers):
    assert [gpu.number for gpu in chosen(option, GPUS)] == numbers


@pytest.mark.parametrize("option", ["3", "0,3", "", "0,", "cuda", "00", "-1", "0-1", "ALL"])
def test_a_gpu_that_is_not_there_is_one_clear_line(option):
    with pytest.raises(DeviceMissing) as caught:
        chosen(option, GPUS)
    assert str(caught.value) == (
        f"--gpus {option!r}: this machine has GPU 0, 1, 2; "
        "--gpus allows all, cpu or numbers such as 0,1"
    )


def test_a_gpu_that_is_named_twice_is_one_clear_line():
    with pytest.raises(DeviceMissing, match="names a GPU twice; give each once, and --jobs-per-g"):
        chosen("0,0", GPUS)


def test_a_slot_pins_its_process_to_a_gpu_by_uuid(driver):
    first, second = slots("all", 1, settings(), "host")
    assert (first.name, first.device) == ("gpu0@host", "cuda")
    assert first.environment == {"CUDA_VISIBLE_DEVICES": "GPU-0"}
    assert (second.name, second.environment) == (
        "gpu1@host",
        {"CUDA_VISIBLE_DEVICES": "GPU-1"},
    )


def test_several_jobs_share_a_gpu(driver):
    made = slots("1,0", 2, settings(), "host")
    assert [slot.name for slot in made] == [
        "gpu1-0@host",
        "gpu1-1@host",
        "gpu0-0@host",
        "gpu0-1@host",
    ]
    assert made[1].environment == {"CUDA_VISIBLE_DEVICES": "GPU-1"}


def test_slots_of_the_cpu_see_no_gpu(driver):
    driver.init = pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH  # it is not even asked
    (slot,) = slots("cpu", 1, settings(), "host")
    assert (slot.name, slot.device) == ("cpu@host", "cpu")
    assert slot.environment == {"CUDA_VISIBLE_DEVICES": ""}
    assert [slot.name for slot in slots("cpu", 2, settings(), "h")] == ["cpu-0@h", "cpu-1@h"]


def test_pretended_gpus_train_on_the_cpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    made = slots("all", 1, settings("0, 3,0"), "host")
    assert [(slot.name, slot.device) for slot in made] == [
        ("gpu0@host", "cpu"),
        ("gpu3@host", "cpu"),
    ]
    assert made[1].environment == {"CUDA_VISIBLE_DEVICES": "3"}
    assert inventory(settings("")) == []


@pytest.mark.parametrize("text", ["a", "0,,1", "-1", "0.5"])
def test_a_bad_inventory_is_one_clear_line(text):
    with pytest.raises(SettingsError) as caught:
        inventory(settings(text))
    assert str(caught.value) == (
        f"BLOX_GPU_INVENTORY={text!r}: GPU numbers such as 0,1 are allowed, or nothing for none"
    )
