"""The columns that release files have, by kind of file and by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blox_store.errors import NotEncodable
from blox_store.release.columns.column_type import ColumnType
from blox_store.release.columns.column_type import Kind as TypeKind
from blox_store.release.names import Kind as FileKind

HASH = "model_hash"
COLUMNS: Mapping[FileKind, tuple[str, ...]] = {
    "base": (HASH, "val_top1", "test_top1", "train_time_s"),
    "ext": (
        HASH,
        "train_top1",
        "train_loss",
        "train_top5",
        "val_loss",
        "val_top5",
        "test_loss",
        "test_top5",
    ),
    "env": (
        HASH,
        "codebase_commit",
        "codebase_version",
        "cuda",
        "driver",
        "gpu",
        "platform",
        "ptflops_version",
        "python",
        "torch_commit",
        "torch_cuda_version",
        "torch_version",
        "torchvision_version",
    ),
    "info": (HASH, "params", "flops", "arch_vec"),
    "bench": (HASH, "latency"),
}
DATASET_TYPES: Mapping[FileKind, str] = {
    "base": "training",
    "ext": "training",
    "env": "env",
    "info": "static",
    "bench": "benchmarking",
}


# The types of version 2 that a column may have in place of its own.
_WIDER: Mapping[TypeKind, tuple[TypeKind, ...]] = {
    "hash": (),
    "arch": (),
    "int": ("u8",),
    "float": ("f8",),
    "str": ("text",),
    "b": ("n", "f8"),
}


@dataclass(frozen=True, kw_only=True)
class ColumnShape:
    """What a column holds: one item a row, or a list of them."""

    kind: TypeKind
    is_list: bool = False

    def fits(self, column_type: ColumnType) -> bool:
        """Return whether values of this type may stand in the column."""
        kinds = (self.kind, *_WIDER[self.kind])
        return column_type.kind in kinds and column_type.is_list == self.is_list

    def holds_numbers(self, *, is_list: bool) -> bool:
        """Return whether the column holds doubles, as lists or one a row."""
        return self.kind in ("b", "float") and self.is_list == is_list

    def __str__(self) -> str:
        item = "b_MIN_MAX_BITS" if self.kind == "b" else self.kind
        return f"list[{item}]" if self.is_list else item


_CURVE, _ACCURACY = ColumnShape(kind="b", is_list=True), ColumnShape(kind="b")
_LOSS_CURVE, _FLOAT = ColumnShape(kind="float", is_list=True), ColumnShape(kind="float")
_INT = ColumnShape(kind="int")
_HASH_SHAPE = ColumnShape(kind="hash")
_TEXT = ColumnShape(kind="str")
_SHAPES: Mapping[str, Mapping[str, ColumnShape]] = {
    "training": {
        "train_top1": _CURVE,
        "train_top5": _CURVE,
        "train_loss": _LOSS_CURVE,
        "val_top1": _CURVE,
        "val_top5": _CURVE,
        "val_loss": _LOSS_CURVE,
        "test_top1": _ACCURACY,
        "test_top5": _ACCURACY,
        "test_loss": _FLOAT,
        "train_time_s": _INT,
    },
    "env": dict.fromkeys(COLUMNS["env"][1:], _TEXT),
    "static": {"params": _INT, "flops": _INT, "arch_vec": ColumnShape(kind="arch")},
    "benchmarking": {"latency": _FLOAT},
}


def is_curve(column: str) -> bool:
    """Return whether a column of a training file has a number for each epoch."""
    shape = _SHAPES["training"].get(column)
    return shape is not None and shape.is_list


def shape_of(dataset_type: str, column: str) -> ColumnShape | None:
    """Return what a column of a kind of file holds, or None if such files have no such column."""
    return _HASH_SHAPE if column == HASH else _SHAPES[dataset_type].get(column)


def known_shape(dataset_type: str, column: str) -> ColumnShape:
    """Return what a column of a kind of file holds; `NotEncodable` if such files have none."""
    shape = shape_of(dataset_type, column)
    if shape is None:
        raise NotEncodable(f"a file of type {dataset_type} has no column {column}")
    return shape
