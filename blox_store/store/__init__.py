"""The store of runs, jobs and results, in SQLite or PostgreSQL: the truth about a benchmark."""

from blox_store.store.store import Store
from blox_store.store.values import Job, JobState, Lease, NoClaim, ResultRow, Run

__all__ = ["Job", "JobState", "Lease", "NoClaim", "ResultRow", "Run", "Store"]
