"""Checkpoint files: whole, of this training, or refused."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from blox_core.checkpoint import file as checkpoint_file
from blox_core.checkpoint.checkpoint import MAGIC, Checkpoint, load_checkpoint
from blox_core.checkpoint.identity import CheckpointIdentity
from blox_core.errors import CheckpointError
from blox_core.result.metrics import EpochMetrics, Score

IDENTITY = CheckpointIdentity(
    arch_index=5,
    recipe_fingerprint="ab" * 32,
    seed=1,
    trainer_revision=1,
    torch_version="2.14.1+cu130",
    device_kind="cpu",
)
OTHERS = {
    "arch_index": 6,
    "recipe_fingerprint": "cd" * 32,
    "seed": 2,
    "trainer_revision": 2,
    "torch_version": "2.14.1+cpu",
    "device_kind": "cuda",
}
EPOCH = EpochMetrics(
    train=Score(top1=3, top5=9, loss=2.0 / 3), val=Score(top1=1, top5=4, loss=1e-17), seconds=0.1
)


@pytest.fixture
def checkpoint() -> Checkpoint:
    weights = torch.arange(24.0).reshape(1, 2, 3, 4).contiguous(memory_format=torch.channels_last)
    model = {"weight": weights, "batches": torch.tensor(7)}
    return Checkpoint(
        identity=IDENTITY,
        epochs=(EPOCH, replace(EPOCH, seconds=0.2)),
        model=model,
        momentum={"weight": weights / 3},
        best_model=model,
    )


def with_payload(payload: bytes) -> bytes:
    return MAGIC + hashlib.sha256(payload).digest() + payload


def saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return with_payload(buffer.getvalue())


def test_comes_back_as_it_was(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "a.checkpoint"
    checkpoint.save(path)
    loaded = load_checkpoint(path, IDENTITY)
    assert loaded.identity == IDENTITY
    assert loaded.epochs == checkpoint.epochs
    assert loaded.epoch == 2
    for part in ("model", "momentum", "best_model"):
        before, after = getattr(checkpoint, part), getattr(loaded, part)
        assert before.keys() == after.keys()
        for name, tensor in before.items():
            assert torch.equal(after[name], tensor)
            assert after[name].dtype == tensor.dtype
            assert after[name].stride() == tensor.stride()


def test_replaces_and_leaves_no_other_file(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "a.checkpoint"
    path.write_bytes(b"older")
    checkpoint.save(path)
    assert load_checkpoint(path, IDENTITY).epoch == 2
    assert list(tmp_path.iterdir()) == [path]


def test_failed_write_leaves_the_old_file(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.checkpoint"
    path.write_bytes(b"older")

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        checkpoint.save(path)
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


class FullDisk(io.BytesIO):
    """A file on a disk with room for a number of bytes."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    def write(self, piece: Any) -> int:
        if self.tell() + len(piece) > self._room:
            raise OSError(28, "No space left on device")
        return super().write(piece)


@pytest.mark.parametrize("room", [10, 100, 800, 2_000])
def test_full_disk_is_an_error_of_the_disk(
    room: int, checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def replacing(_: Path) -> Iterator[FullDisk]:
        yield FullDisk(room)

    monkeypatch.setattr(checkpoint_file, "replacing", replacing)
    with pytest.raises(OSError, match="No space left on device"):
        checkpoint.save(tmp_path / "a.checkpoint")


def test_file_is_what_it_was_in_the_first_version(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "a.checkpoint"
    checkpoint.save(path)
    data = path.read_bytes()
    assert data == with_payload(data[len(MAGIC) + 32 :])
    path.write_bytes(saved(torch.load(io.BytesIO(data[len(MAGIC) + 32 :]), weights_only=True)))
    assert load_checkpoint(path, IDENTITY).epochs == checkpoint.epochs


def test_nothing_is_copied_to_be_written(checkpoint: Checkpoint, tmp_path: Path) -> None:
    large = {"weight": torch.zeros(1 << 21)}  # 8 MiB
    tracemalloc.start()
    try:
        replace(checkpoint, model=large).save(tmp_path / "a.checkpoint")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("field", [field.name for field in fields(CheckpointIdentity)])
def test_of_another_training(field: str, checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "a.checkpoint"
    checkpoint.save(path)
    wanted = replace(IDENTITY, **{field: OTHERS[field]})
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path, wanted)
    difference = f"{field} is {getattr(IDENTITY, field)!r}, not {OTHERS[field]!r}"
    assert str(caught.value) == (
        f"checkpoint {path} is of another training: {difference}; start without it"
    )


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="No such file or directory; start without it"):
        load_checkpoint(tmp_path / "a.checkpoint", IDENTITY)


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "longer", "other"])
def test_corrupt(damage: str, checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "a.checkpoint"
    checkpoint.save(path)
    data = path.read_bytes()
    middle = len(data) // 2
    path.write_bytes(
        {
            "empty": b"",
            "cut": data[:-1],
            "flipped": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
            "longer": data + b"\0",
            "other": b"PK" + data,
        }[damage]
    )
    with pytest.raises(CheckpointError, match=r"\d+ bytes that are no intact checkpoint"):
        load_checkpoint(path, IDENTITY)


class Hostile:
    def __reduce__(self) -> Any:
        return os.mkdir, ("made-by-a-checkpoint",)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(saved({"identity": {}}), id="fields missing"),
        pytest.param(saved([1, 2]), id="a list"),
        pytest.param(saved({"identity": {"colour": 1}}), id="unknown field"),
        pytest.param(with_payload(b""), id="nothing"),
        pytest.param(with_payload(b"noise"), id="noise"),
        pytest.param(with_payload(pickle.dumps(Hostile(), protocol=2)), id="hostile pickle"),
        pytest.param(saved(Hostile()), id="hostile archive"),
    ],
)
def test_what_blox_does_not_write(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.checkpoint"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"not what Blox writes \(\w+\)"):
        load_checkpoint(path, IDENTITY)
    assert list(tmp_path.iterdir()) == [path]
