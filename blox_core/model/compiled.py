"""Compiling what networks are made of, once for all of them.

Rounds of ops, reductions and the stem are compiled, each on its own; every further network of the
process finds them. `docs/explanation/training.md` says under "Compiled blocks" what
that costs and saves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from torch import Tensor, nn

from blox_core.errors import CompilationFailed
from blox_core.model.network import Network

Call = Callable[[Tensor], Tensor]

_ADVICE: Final = (
    "compiled blocks take a C++ compiler (g++, or what CXX names), Python's headers, and on a GPU "
    "Triton: install them on this node, or set the recipe field compiled to False, and choose "
    "another backend for latencies"
)


def compile_blocks(model: Network, *, deterministic: bool) -> None:
    """Have the blocks of a network compiled when they are first called; its state keeps its names.

    Shapes are fixed: each block is compiled once per batch size, mode (training, evaluation) and
    precision. A call for which a block cannot be compiled raises CompilationFailed.
    """
    for block in blocks_of(model):
        _compile_block(block, deterministic=deterministic)


def blocks_of(model: Network) -> Iterator[nn.Module]:
    """Yield what is compiled: stem, rounds of ops, reductions.

    An op is a sequence of rounds of which several are alike: a `conv` is one unit four times. Each
    kind of round is compiled once, at a fraction of what it takes to compile whole ops.
    """
    yield model.stem
    for cell in model.cells:
        for op in cell.children():
            yield from op.children()
    yield from model.reductions


def _compile_block(block: nn.Module, *, deterministic: bool) -> None:
    block.compile(
        fullgraph=True,  # an error where a block would silently run uncompiled
        dynamic=False,
        options={
            # No choice of torch's compiler that changes bits may depend on a timing.
            "deterministic": deterministic,
            # The trainer captures whole steps; graphs of single blocks would be in its way.
            "triton.cudagraphs": False,
        },
    )
    compiled: Call = block._compiled_call_impl  # type: ignore[assignment]  # what compile() sets
    block._compiled_call_impl = _explaining(compiled)


def _explaining(compiled: Call) -> Call:
    """Return the call with what keeps a block from being compiled said as an error of ours.

    Asked beforehand, no check is reliable: a cache may make compilers needless, and one that is
    found may lack its headers.
    """
    from torch._dynamo.exc import BackendCompilerFailed
    from torch._inductor.exc import GPUTooOldForTriton, TritonMissing

    def call(x: Tensor) -> Tensor:
        try:
            return compiled(x)
        except (BackendCompilerFailed, GPUTooOldForTriton, TritonMissing) as error:
            raise CompilationFailed(f"{_first_line(error)}; {_ADVICE}") from error

    return call


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
