"""Settings of workers, from `BLOX_*` variables."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, PositiveInt, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from blox_store.settings import PREFIX


class WorkerSettings(BaseSettings):
    """Where a worker finds its data, and how it holds its jobs.

    A lease has to outlast two heartbeats. `checkpoint_every_s` is the least time between two
    checkpoints of a job; 0 makes one after every epoch.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    data_dir: Path = Path("data")
    checkpoint_dir: Path = Path("checkpoints")
    checkpoint_every_s: float = Field(default=60.0, ge=0, allow_inf_nan=False)
    lease_s: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    heartbeat_s: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    max_attempts: PositiveInt = 3
    retry_backoff_s: float = Field(default=30.0, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _lease_outlasts_heartbeats(self) -> Self:
        if self.lease_s < 2 * self.heartbeat_s:
            raise ValueError(
                f"BLOX_LEASE_S={self.lease_s:g}: at least twice BLOX_HEARTBEAT_S="
                f"{self.heartbeat_s:g} is allowed"
            )
        return self
