"""The process-wide switches of torch on which bits and times depend."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any, Final

import torch

from blox_core.recipe import Recipe

CUBLAS_VARIABLE: Final = "CUBLAS_WORKSPACE_CONFIG"
# One of the two settings with which cuBLAS is deterministic (its documentation, "Results
# reproducibility"): eight buffers of 4,096 KiB.
CUBLAS_DETERMINISTIC: Final = ":4096:8"
# Of one function torch keeps at most so many compiled variants, by default 8. Twelve kinds of
# residual rounds share one, each in up to four batch sizes and two precisions.
COMPILED_VARIANTS: Final = 256


def weight_type(recipe: Recipe) -> torch.dtype:
    """Return the type of weights and images: float64 for fp64, else float32."""
    return torch.float64 if recipe.precision == "fp64" else torch.float32


def numerics(recipe: Recipe, device: torch.device) -> AbstractContextManager[None]:
    """Set precision, determinism and CPU threads as a recipe says, and restore them afterwards."""
    return switched(
        device,
        precision=recipe.precision,
        threads=recipe.cpu_threads,
        deterministic=recipe.deterministic,
        compiled=recipe.compiled,
    )


@contextmanager
def switched(
    device: torch.device, *, precision: str, threads: int, deterministic: bool, compiled: bool
) -> Iterator[None]:
    """Set the switches, and restore them afterwards; float32 is computed as such unless `tf32`."""
    with ExitStack() as stack:
        before = torch.get_num_threads()
        stack.enter_context(_switch(torch.set_num_threads, before, threads))
        stack.enter_context(_algorithms(deterministic=deterministic))
        if device.type == "cuda" and deterministic:
            stack.enter_context(_variable(CUBLAS_VARIABLE, CUBLAS_DETERMINISTIC))
        if compiled:
            stack.enter_context(_compiled_variants())
        on_gpu = "tf32" if precision == "tf32" else "ieee"
        backends: Any = torch.backends
        for backend in (backends.cuda.matmul, backends.cudnn.conv):
            stack.enter_context(_attribute(backend, "fp32_precision", on_gpu))
        for backend in (backends.mkldnn.matmul, backends.mkldnn.conv):
            stack.enter_context(_attribute(backend, "fp32_precision", "ieee"))
        yield


@contextmanager
def _algorithms(*, deterministic: bool) -> Iterator[None]:
    cudnn = torch.backends.cudnn
    # torch.use_deterministic_algorithms sets the same, and imports torch's compiler besides: 4 s on two cores.
    before = torch.get_deterministic_debug_mode()
    with (
        _attribute(cudnn, "deterministic", deterministic),
        _attribute(cudnn, "benchmark", not deterministic),
        # It would fill fresh memory for code that reads it before writing: ours does not.
        _attribute(torch.utils.deterministic, "fill_uninitialized_memory", False),
        _switch(
            torch.set_deterministic_debug_mode, before, "error" if deterministic else "default"
        ),
    ):
        yield


@contextmanager
def _compiled_variants() -> Iterator[None]:
    import torch._dynamo  # here, as it takes 4 s

    with torch._dynamo.config.patch(
        recompile_limit=COMPILED_VARIANTS, accumulated_recompile_limit=COMPILED_VARIANTS
    ):
        yield


def _attribute(owner: Any, name: str, value: object) -> AbstractContextManager[None]:
    return _switch(partial(setattr, owner, name), getattr(owner, name), value)


@contextmanager
def _switch(put: Callable[[Any], object], before: object, value: object) -> Iterator[None]:
    """Put a value where another one was, and that one back afterwards."""
    put(value)
    try:
        yield
    finally:
        put(before)


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
