"""Settings of workers, from `BLOX_*` variables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, PositiveInt, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from blox_core.home import expanded
from blox_core.space.index_spans import parse_indices
from blox_store.settings import BloxSettings

_ALL: Final = "all"
TEXT: Final = "text"
JSON: Final = "json"

_BROKER_SCHEMES: Final = ("redis://", "rediss://", "unix://")
_HOST_AND_PORT: Final = re.compile(r"(?P<host>[\w.-]+|\[[\w.:%]+\]):(?P<port>[0-9]{1,5})")
_MAX_PORT: Final = 65_535


Folder = Annotated[Path, AfterValidator(expanded)]  # no shell has expanded what is in a .env file


class WorkerSettings(BloxSettings):
    """Where a worker finds its data, how it holds its jobs, and when it is given up.

    `lock_dir` is where processes that use one device see each other, None for the system's folder
    of temporary files. A lease has to outlast two heartbeats. `checkpoint_every_s` is the least
    time between two checkpoints of a job; 0 makes one after every epoch.
    """

    data_dir: Folder = Path("data")
    checkpoint_dir: Folder = Path("checkpoints")
    lock_dir: Folder | None = None
    checkpoint_every_s: float = Field(default=60.0, ge=0, allow_inf_nan=False)
    lease_s: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    heartbeat_s: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    max_attempts: PositiveInt = 3
    retry_backoff_s: float = Field(default=30.0, ge=0, allow_inf_nan=False)
    max_faults_in_a_row: PositiveInt = 3
    restart_backoff_s: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    gpu_inventory: str | None = None
    simulated_epoch_s: float = Field(default=0.1, ge=0, allow_inf_nan=False)
    simulated_failures: str = ""

    def simulates_failure(self, arch_index: int) -> bool:
        """Return whether simulated trainings of an architecture are to fail, to rehearse that."""
        failing = self.simulated_failures
        return failing == _ALL or (bool(failing) and arch_index in parse_indices(failing))

    @field_validator("simulated_failures")
    @classmethod
    def _are_indices_or_all(cls, failing: str) -> str:
        try:
            if failing not in ("", _ALL):
                parse_indices(failing)
        except ValueError as error:
            raise ValueError(f"{error}, or {_ALL}") from error
        return failing

    @model_validator(mode="after")
    def _lease_outlasts_heartbeats(self) -> Self:
        if self.lease_s < 2 * self.heartbeat_s:
            raise ValueError(
                f"BLOX_LEASE_S={self.lease_s:g}: at least twice BLOX_HEARTBEAT_S="
                f"{self.heartbeat_s:g} is allowed"
            )
        return self


class BrokerSettings(BloxSettings):
    """Where the queue is, when it is given up, and how often the scheduler looks after it."""

    broker_url: str = "redis://localhost:6379/0"
    broker_timeout_s: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    scheduler_poll_s: float = Field(default=1.0, gt=0, allow_inf_nan=False)

    @field_validator("broker_url")
    @classmethod
    def _is_redis(cls, url: str) -> str:
        if not url.startswith(_BROKER_SCHEMES):
            raise ValueError("redis://HOST:PORT/NUMBER, rediss:// or unix:///PATH is allowed")
        return url


class RunSettings(BloxSettings):
    """What a run is made with; read where one is made, and never by a worker."""

    trainer: Literal["torch", "simulated"] = "torch"


class MetricsSettings(BloxSettings):
    """Where a scheduler serves metrics: HOST:PORT, or nowhere if it is empty."""

    metrics_address: str = ""

    @property
    def listens_on(self) -> tuple[str, int] | None:
        """Host and port, None if nothing is to be served."""
        found = _HOST_AND_PORT.fullmatch(self.metrics_address)
        return None if found is None else (found["host"].strip("[]"), int(found["port"]))

    @field_validator("metrics_address")
    @classmethod
    def _is_host_and_port(cls, address: str) -> str:
        found = _HOST_AND_PORT.fullmatch(address)
        if address and (found is None or not 1 <= int(found["port"]) <= _MAX_PORT):
            raise ValueError("HOST:PORT is allowed, such as 127.0.0.1:9540 or [::1]:9540")
        return address


class LogSettings(BloxSettings):
    """For whom logs are: lines for people, or JSON for programs."""

    log: Literal["text", "json"] = TEXT


class FlowerSettings(BaseSettings):
    """Who may look at Flower: `user:password`, or several by commas, in Flower's own variable."""

    model_config = SettingsConfigDict(env_prefix="FLOWER_", frozen=True)

    basic_auth: SecretStr = SecretStr("")
