"""Where a training stands after an epoch: as a value, and as a file.

A file is a line that names the format, the sha256 of the rest (32 bytes), and what torch.save
writes. It is read whole and checked before anything in it is interpreted.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from blox_core.atomic_file import replace_file
from blox_core.errors import CheckpointError
from blox_core.metrics import EpochMetrics, Score

MAGIC: Final = b"blox checkpoint 1\n"
DIGEST_BYTES: Final = hashlib.sha256().digest_size

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class CheckpointIdentity:
    """Whose checkpoint it is; only the very same training resumes from it."""

    arch_index: int
    recipe_fingerprint: str
    seed: int
    trainer_revision: int
    torch_version: str
    device_kind: str

    def check(self, found: CheckpointIdentity, what: str) -> None:
        """Raise CheckpointError, naming `what` and each field that differs, unless they agree."""
        if wrong := [
            f"{field.name} is {getattr(found, field.name)!r}, not {getattr(self, field.name)!r}"
            for field in fields(self)
            if getattr(found, field.name) != getattr(self, field.name)
        ]:
            raise CheckpointError(
                f"{what} is of another training: {'; '.join(wrong)}; start without it"
            )


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

    @property
    def epoch(self) -> int:
        """The number of finished epochs."""
        return len(self.epochs)

    def on_cpu(self) -> Checkpoint:
        """Return the checkpoint with its tensors in main memory."""
        return replace(
            self,
            model=_on_cpu(self.model),
            momentum=_on_cpu(self.momentum),
            best_model=_on_cpu(self.best_model),
        )

    def save(self, path: str | Path) -> None:
        """Write the checkpoint; a file of that name is replaced at once or not at all."""
        replace_file(Path(path), [_encoded(self.on_cpu())])


def load_checkpoint(path: str | Path, identity: CheckpointIdentity) -> Checkpoint:
    """Read a checkpoint into main memory.

    Raises CheckpointError if the file is missing, unreadable, corrupt, or of another training.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"checkpoint {path}: {error.strerror}; start without it") from error
    checkpoint = _decoded(data, f"checkpoint {path}")
    identity.check(checkpoint.identity, f"checkpoint {path}")
    return checkpoint


def _on_cpu(tensors: Tensors) -> Tensors:
    return {name: tensor.cpu() for name, tensor in tensors.items()}


def _encoded(checkpoint: Checkpoint) -> bytes:
    buffer = io.BytesIO()
    torch.save(
        {
            "identity": asdict(checkpoint.identity),
            "epochs": [asdict(metrics) for metrics in checkpoint.epochs],
            "model": dict(checkpoint.model),
            "momentum": dict(checkpoint.momentum),
            "best_model": dict(checkpoint.best_model),
        },
        buffer,
    )
    payload = buffer.getvalue()
    return MAGIC + hashlib.sha256(payload).digest() + payload


def _decoded(data: bytes, what: str) -> Checkpoint:
    header = len(MAGIC) + DIGEST_BYTES
    digest, payload = data[len(MAGIC) : header], data[header:]
    if not data.startswith(MAGIC) or hashlib.sha256(payload).digest() != digest:
        raise CheckpointError(
            f"{what}: {len(data)} bytes that are no intact checkpoint; start without it"
        )
    try:
        content = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
        return _restored(content)
    except (pickle.UnpicklingError, EOFError, RuntimeError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{what}: not what Blox writes ({type(error).__name__}); start without it"
        ) from error


def _restored(content: Mapping[str, Any]) -> Checkpoint:
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
