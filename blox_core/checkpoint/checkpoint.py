"""Where a training stands after an epoch: as a value, and as a file of what torch.save writes."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final, cast

import torch
from torch import Tensor

from blox_core.checkpoint.file import Payload, foreign, new_checkpoint, read_checkpoint
from blox_core.checkpoint.host_copy import host_copies, work_so_far
from blox_core.checkpoint.identity import CheckpointIdentity
from blox_core.result.metrics import EpochMetrics, Score

MAGIC: Final = b"blox checkpoint 1\n"

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """The state of a training after its last finished epoch; nothing in it is changed again.

    `model` and `best_model` are state dicts (parameters and buffers), the latter of the best
    validation epoch so far; `momentum` has the optimizer's buffer of each parameter.
    """

    identity: CheckpointIdentity
    epochs: tuple[EpochMetrics, ...]
    model: Tensors
    momentum: Tensors
    best_model: Tensors
    _made_by: torch.cuda.Event | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Note which work of a GPU makes the tensors, in the thread that has queued it."""
        tensors = (tensor for part in self._parts() for tensor in part.values())
        object.__setattr__(self, "_made_by", work_so_far(tensors))

    @property
    def epoch(self) -> int:
        """The number of finished epochs."""
        return len(self.epochs)

    def on_cpu(self) -> Checkpoint:
        """Return the checkpoint with its tensors in main memory; any thread may ask for it.

        A GPU goes on with what was queued for it after the checkpoint was made.
        """
        model, momentum, best_model = host_copies(self._parts(), self._made_by)
        return replace(self, model=model, momentum=momentum, best_model=best_model)

    def save(self, path: str | Path) -> None:
        """Write the checkpoint; a file of that name is replaced at once or not at all."""
        checkpoint = self.on_cpu()
        with new_checkpoint(path, MAGIC) as payload:
            _encode(checkpoint, payload)

    def _parts(self) -> tuple[Tensors, Tensors, Tensors]:
        return self.model, self.momentum, self.best_model


def load_checkpoint(path: str | Path, identity: CheckpointIdentity) -> Checkpoint:
    """Read a checkpoint into main memory.

    Raises CheckpointError if the file is missing, unreadable, corrupt, or of another training.
    """
    payload = read_checkpoint(path, MAGIC)
    try:
        checkpoint = _decoded(payload)
    except (pickle.UnpicklingError, EOFError, RuntimeError, KeyError, TypeError) as error:
        raise foreign(path, error) from error
    identity.check(checkpoint.identity, f"checkpoint {path}")
    return checkpoint


def _encode(checkpoint: Checkpoint, payload: Payload) -> None:
    torch.save(
        {
            "identity": asdict(checkpoint.identity),
            "epochs": [asdict(metrics) for metrics in checkpoint.epochs],
            "model": dict(checkpoint.model),
            "momentum": dict(checkpoint.momentum),
            "best_model": dict(checkpoint.best_model),
        },
        cast(IO[bytes], payload),  # write and flush are all that torch asks for
    )


def _decoded(payload: bytes) -> Checkpoint:
    content = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    return Checkpoint(
        identity=CheckpointIdentity(**content["identity"]),
        epochs=tuple(_restored_epoch(**metrics) for metrics in content["epochs"]),
        model=content["model"],
        momentum=content["momentum"],
        best_model=content["best_model"],
    )


def _restored_epoch(
    train: Mapping[str, Any], val: Mapping[str, Any], seconds: float
) -> EpochMetrics:
    return EpochMetrics(train=Score(**train), val=Score(**val), seconds=seconds)
