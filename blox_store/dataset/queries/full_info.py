"""All that is known of one training of an architecture, as a dict or as a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blox_store.dataset.file_group import Record, listed


@dataclass(frozen=True, kw_only=True)
class FullInfo:
    """The parts of `full_info`; a part is None where its file leaves the architecture out.

    `latencies` is by device; `attached` has `info` and `env` where they were asked for.
    """

    model_hash: str
    seed: int
    training: Mapping[str, Any]
    latencies: Mapping[str, Record | None]
    attached: Mapping[str, Record | None]

    def as_dict(self) -> dict[str, Any]:
        """Return columns → values, `model_hash`, `seed`, device → dict, `info` and `env` → dict."""
        return {
            **self.training,
            "model_hash": self.model_hash,
            "seed": self.seed,
            **self.latencies,
            **self.attached,
        }

    def as_list(self) -> list[Any]:
        """Return the hash, the values of the columns, the seed, and a list for each other part."""
        parts = (*self.latencies.values(), *self.attached.values())
        return [self.model_hash, *self.training.values(), self.seed, *map(listed, parts)]
