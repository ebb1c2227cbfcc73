"""The store of runs, jobs and results, in SQLite or PostgreSQL: the truth about a benchmark."""

from blox_store.store.results.blocks import (
    CostBlock,
    EnvironmentBlock,
    LatencyBlock,
    ResultBlock,
    Selection,
)
from blox_store.store.results.finished import FinishedRow, Taken
from blox_store.store.snapshot import Snapshot
from blox_store.store.store import Store
from blox_store.store.values import (
    CountedAttempt,
    DueJob,
    ForeignRecipe,
    Job,
    JobState,
    Lease,
    MadeRun,
    MeasuredDevice,
    NoClaim,
    ReapedJob,
    ResultRow,
    Run,
    WorkerFigures,
    WorkerState,
)
from blox_store.store.workers import ALIVE_S

__all__ = [
    "ALIVE_S",
    "CostBlock",
    "CountedAttempt",
    "DueJob",
    "EnvironmentBlock",
    "FinishedRow",
    "ForeignRecipe",
    "Job",
    "JobState",
    "LatencyBlock",
    "Lease",
    "MadeRun",
    "MeasuredDevice",
    "NoClaim",
    "ReapedJob",
    "ResultBlock",
    "ResultRow",
    "Run",
    "Selection",
    "Snapshot",
    "Store",
    "Taken",
    "WorkerFigures",
    "WorkerState",
]
