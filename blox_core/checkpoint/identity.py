"""Which training a checkpoint belongs to."""

from __future__ import annotations

from dataclasses import dataclass, fields

from blox_core.errors import CheckpointError


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
