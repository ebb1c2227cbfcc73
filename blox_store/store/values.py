"""The values that the store takes and gives; rows of the database never leave it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum, StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from blox_core.errors import RecipeError
from blox_core.latency import LATENCY, LatencyProtocol
from blox_core.recipe import ModelShape, Recipe
from blox_core.rules import is_int
from blox_store.errors import StoreError

MAX_PRIORITY: Final = 9  # of a job; such are trained first, and Celery tells as many levels apart


class JobState(StrEnum):
    """The states of a job; the last three are final."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    DIVERGED = "diverged"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether the job will not change any more by itself."""
        return self in (JobState.SUCCEEDED, JobState.DIVERGED, JobState.FAILED)


class NoClaim(Enum):
    """Why a claim got no job, and so what becomes of the message that asked for it."""

    NOTHING_DUE = "no job of the run is due"
    UNKNOWN = "the run has no such job"
    DUPLICATE = "another worker holds the job"
    ENDED = "the job has ended"
    PAUSED = "the run is paused"
    NOT_DUE = "the job is not due yet"
    OTHER_RUN = "the store has another run of this number"
    OTHER_REVISION = "the run belongs to another trainer or trainer revision"


@dataclass(frozen=True, kw_only=True)
class ForeignRecipe:
    """A recipe, or protocol, of another version of Blox: its fields, as far as they are needed.

    It is enough to export finished results. `fault` says what of it this version does not know, and
    what to do; it is raised as a StoreError where a field is needed that is not there.
    """

    values: Mapping[str, Any]
    fault: str

    @property
    def epochs(self) -> int:
        """The epochs of a training, 1 if they are not known."""
        epochs = self.values.get("epochs")
        return max(1, epochs) if is_int(epochs) else 1

    @property
    def shape(self) -> ModelShape:
        """The shape of the models."""
        sizes = {size.name: self._number(size.name) for size in fields(ModelShape)}
        try:
            return ModelShape(**sizes)
        except RecipeError as error:
            raise StoreError(self.fault) from error

    def images(self, split: str) -> int:
        """Return how many images `train`, `val` or `test` has."""
        return self._number(f"{split}_images")

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as they are stored."""
        return dict(self.values)

    def _number(self, name: str) -> int:
        value = self.values.get(name)
        if not is_int(value):
            raise StoreError(self.fault)
        return value


@dataclass(frozen=True, kw_only=True)
class Run:
    """One benchmark in the making; what identifies it is fixed when it is made.

    A run `measures` if its trainer is `latency`: its `dataset` is then the name of a device, and
    its `recipe` the protocol. To train or measure by a recipe that is foreign is a StoreError.
    """

    id: int
    dataset: str
    recipe: Recipe | LatencyProtocol | ForeignRecipe
    recipe_fingerprint: str
    seed: int
    trainer: str
    trainer_revision: int
    paused: bool

    @property
    def measures(self) -> bool:
        """Whether latencies are measured, and nothing is trained."""
        return self.trainer == LATENCY

    @property
    def epochs(self) -> int:
        """The epochs of a job; a measurement is one."""
        return 1 if isinstance(self.recipe, LatencyProtocol) else self.recipe.epochs

    @property
    def training_recipe(self) -> Recipe:
        """The recipe of a run that trains."""
        assert not isinstance(self._known, LatencyProtocol), f"{self} trains nothing"
        return self._known

    @property
    def protocol(self) -> LatencyProtocol:
        """The protocol of a run that measures."""
        assert not isinstance(self._known, Recipe), f"{self} measures nothing"
        return self._known

    @property
    def shape(self) -> ModelShape:
        """The shape of its models."""
        return self.recipe.shape

    def images(self, split: str) -> int:
        """Return how many images `train`, `val` or `test` has, in a run that trains."""
        assert not isinstance(self.recipe, LatencyProtocol), f"{self} trains nothing"
        return self.recipe.images(split)

    @property
    def _known(self) -> Recipe | LatencyProtocol:
        if isinstance(self.recipe, ForeignRecipe):
            raise StoreError(self.recipe.fault)
        return self.recipe

    def __str__(self) -> str:
        if self.measures:
            return (
                f"run {self.id}: latency on {self.dataset}, protocol {self.recipe_fingerprint[:8]}"
            )
        return (
            f"run {self.id}: {self.dataset}, recipe {self.recipe_fingerprint[:8]}, "
            f"seed {self.seed}, trainer {self.trainer} {self.trainer_revision}"
        )


@dataclass(frozen=True, kw_only=True)
class MadeRun:
    """A run, whether it was made just now, and how many jobs it did not have before."""

    run: Run
    is_new: bool
    jobs_added: int


@dataclass(frozen=True, kw_only=True)
class Job:
    """One architecture to train in one run.

    `attempts` are those that count against the job. Of a running job, `lease_left_s` is negative
    once the lease has expired, and `seen_ago_s` counts from the last heartbeat; they are None of
    others. `due_in_s` is None of a job that need not wait. `avoid` is the worker, or "@" and the
    host, that is not to have it next.
    """

    run_id: int
    arch_index: int
    state: JobState
    priority: int
    attempts: int
    epoch: int
    worker: str | None
    lease_left_s: float | None
    error: str | None
    avoid: str | None
    seen_ago_s: float | None
    due_in_s: float | None


@dataclass(frozen=True, kw_only=True)
class ReapedJob(Job):
    """A job whose lease was ended, or that waited in vain; `attempt` is the number of its last."""

    attempt: int


@dataclass(frozen=True, kw_only=True)
class MeasuredDevice:
    """How the latencies of a device were measured, and on what: `DeviceIdentity` as dictionaries.

    `unstable` are the arch indices whose measurements were not stable.
    """

    name: str
    protocol: Mapping[str, Any]
    protocol_fingerprint: str
    identities: tuple[Mapping[str, Any], ...]
    unstable: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class DueJob:
    """What has to be known of a job to give it out."""

    arch_index: int
    priority: int


@dataclass(frozen=True, kw_only=True)
class CountedAttempt:
    """One attempt that counts against its job: who made it, and what kind of error ended it."""

    worker: str
    kind: str
    error: str
    ended_ago_s: float


@dataclass(frozen=True, kw_only=True)
class WorkerFigures:
    """What a worker has measured last, None where it could not: without a job, or without a GPU.

    `gpu_utilisation` is the share of the last moments in which its GPU was at work, 0 to 1; the
    memory is that of the whole GPU, whoever uses it.
    """

    images_per_s: float | None = None
    gpu_utilisation: float | None = None
    gpu_memory_used_bytes: int | None = None
    gpu_memory_total_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class WorkerState:
    """A worker as it was last seen, with the job that it runs.

    `device` and `pid` are None of one that was stopped before it had started; `stopped_reason`
    says why it claims no more. `fault` is the last of its `faults`, which were no job's.
    """

    name: str
    host: str
    device: str | None
    pid: int | None
    up_s: float
    seen_ago_s: float
    faults: int
    fault: str | None
    stopped_reason: str | None
    run_id: int | None
    arch_index: int | None
    epoch: int | None
    figures: WorkerFigures


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to train one job and to write its result, until it expires.

    `epoch` is how far earlier attempts are known to have come; what this one finishes is counted
    from there, unless `Jobs.start` says otherwise.
    """

    run_id: int
    arch_index: int
    token: str
    worker: str
    duration_s: float
    attempts: int
    epoch: int


@dataclass(frozen=True, kw_only=True, eq=False)
class ResultRow:
    """A stored result: counts as integers, losses rounded to 6 decimals.

    Curves have one element per finished epoch; `best_epoch` and the test metrics are None if there
    is none.
    """

    arch_index: int
    status: str
    worker: str
    lease_token: str
    environment_id: int
    best_epoch: int | None
    train_top1: NDArray[np.int64]
    train_top5: NDArray[np.int64]
    train_loss: NDArray[np.float64]
    val_top1: NDArray[np.int64]
    val_top5: NDArray[np.int64]
    val_loss: NDArray[np.float64]
    test_top1: int | None
    test_top5: int | None
    test_loss: float | None
    train_time_s: float
