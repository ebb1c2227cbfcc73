import pytest
import torch

from blox_worker.device.torch_device import checked_device
from blox_worker.errors import DeviceMissing


@pytest.fixture
def gpus(monkeypatch):
    """Sets the number of GPUs that torch finds, and what CUDA says when it starts."""

    def found(number, error=None):
        def init():
            if error is not None:
                raise error

        monkeypatch.setattr(torch.cuda, "device_count", lambda: number)
        monkeypatch.setattr(torch.cuda, "init", init)

    return found


@pytest.mark.parametrize(
    ("count", "name", "device"),
    [
        (0, None, "cpu"),
        (2, None, "cuda"),
        (2, "cpu", "cpu"),
        (1, "cuda", "cuda"),
        (2, "cuda:1", "cuda:1"),
    ],
)
def test_a_device_that_is_there_is_taken(gpus, count, name, device):
    gpus(count)
    assert checked_device(name) == device


@pytest.mark.parametrize(
    ("count", "name", "allowed"),
    [
        (0, "cuda", "cpu"),
        (2, "cuda:2", "cpu, cuda:0, cuda:1"),
        (0, "gpu", "cpu"),
        (0, "mps", "cpu"),
        (0, "", "cpu"),
    ],
)
def test_a_device_that_is_not_there_is_one_clear_line(gpus, count, name, allowed):
    gpus(count)
    with pytest.raises(DeviceMissing) as caught:
        checked_device(name)
    assert str(caught.value) == (
        f"device {name!r}: this machine has {allowed}; choose one by --device"
    )


@pytest.mark.parametrize("name", [None, "cuda", "cuda:1"])
@pytest.mark.parametrize("kind", [RuntimeError, torch.cuda.DeferredCudaCallError])
def test_a_gpu_on_which_cuda_does_not_start_is_one_clear_line(gpus, name, kind):
    gpus(2, kind("The NVIDIA driver on your system is too old (found version 12020)\nPlease"))
    with pytest.raises(DeviceMissing) as caught:
        checked_device(name)
    assert str(caught.value) == (
        f"device {name or 'cuda'!r}: CUDA does not start: The NVIDIA driver on your system is too "
        "old (found version 12020); see what nvidia-smi says, or choose another device by --device"
    )


def test_a_cpu_needs_no_cuda(gpus):
    gpus(2, RuntimeError("no"))
    assert checked_device("cpu") == "cpu"
