import pytest
import torch

from blox_core.errors import DatasetMissing, ExtraMissing, RecipeError
from blox_store.errors import StoreUnavailable
from blox_worker.job.blame import is_node_fault


@pytest.mark.parametrize(
    "error",
    [
        DatasetMissing("no data"),
        ExtraMissing("no library"),
        StoreUnavailable("no database"),
        OSError(28, "No space left on device"),
        MemoryError(),
        torch.AcceleratorError("CUDA error: device-side assert triggered"),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("CUDA error: unspecified launch failure"),
        RuntimeError("No CUDA GPUs are available"),
        RuntimeError("Found no NVIDIA driver on your system. Please check that you have one"),
        RuntimeError("The NVIDIA driver on your system is too old (found version 12020)"),
        RuntimeError("CUDA driver initialization failed, you might not have a CUDA gpu"),
        RuntimeError("Unexpected error from cudaGetDeviceCount(). Error 802: system not yet init"),
        RuntimeError("CUDA unknown error - this may be due to an incorrectly set up environment"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_what_would_meet_any_job_is_the_nodes_fault(error):
    assert is_node_fault(error)


@pytest.mark.parametrize("error", [ValueError("x"), RuntimeError("y"), RecipeError("z")])
def test_anything_else_is_the_jobs_fault(error):
    assert not is_node_fault(error)
