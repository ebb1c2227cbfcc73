"""The tables of the store; `migrations` makes them, and a test compares the two.

Times are seconds since the Unix epoch by the database's own clock (`clock.now_s`), as doubles.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

NAME_LENGTH: Final = 255
FINGERPRINT_LENGTH: Final = 64  # hex digits of a sha256
TOKEN_LENGTH: Final = 32  # hex digits of a UUID
JOB_STATES: Final = ("pending", "queued", "running", "succeeded", "diverged", "failed")
RESULT_STATUSES: Final = ("succeeded", "diverged")


def _one_of(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _index_of_jobs(name: str, condition: str) -> Index:
    """Return an index of the few jobs that meet a condition.

    It is on the key, which never changes: a heartbeat touches no index on PostgreSQL.
    """
    where = text(condition)
    return Index(name, "run_id", "arch_index", sqlite_where=where, postgresql_where=where)


metadata = MetaData()

identity = Table(
    "identity",  # of this store, in one row
    metadata,
    Column("store_id", String(TOKEN_LENGTH), nullable=False),
    PrimaryKeyConstraint("store_id", name="pk_identity"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, nullable=False),
    Column("dataset", String(64), nullable=False),
    Column("recipe", JSON, nullable=False),
    Column("recipe_fingerprint", String(FINGERPRINT_LENGTH), nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("trainer", String(32), nullable=False),
    Column("trainer_revision", Integer, nullable=False),
    Column("paused", Boolean(create_constraint=False), nullable=False),
    Column("created_s", Double, nullable=False),
    PrimaryKeyConstraint("id", name="pk_runs"),
    UniqueConstraint(
        "dataset",
        "recipe_fingerprint",
        "seed",
        "trainer",
        "trainer_revision",
        name="uq_runs_identity",
    ),
)

jobs = Table(
    "jobs",
    metadata,
    Column("run_id", Integer, ForeignKey("runs.id", name="fk_jobs_runs"), nullable=False),
    Column("arch_index", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),  # those that count against the job
    Column("not_before_s", Double),
    Column("lease_token", String(TOKEN_LENGTH)),
    Column("lease_until_s", Double),
    Column("claimed_epoch", Integer, nullable=False),  # where the attempt started
    Column("epoch", Integer, nullable=False),
    Column("worker", String(NAME_LENGTH)),
    Column("error", Text),
    Column("updated_s", Double, nullable=False),
    Column("avoid", String(NAME_LENGTH)),  # a worker, or "@" and a host, that is not to have it
    Column("furthest_epoch", Integer),  # of the attempts whose lease expired, which did not count
    PrimaryKeyConstraint("run_id", "arch_index", name="pk_jobs"),
    CheckConstraint(_one_of("state", JOB_STATES), name="ck_jobs_state"),
    CheckConstraint("arch_index BETWEEN 0 AND 91124", name="ck_jobs_arch_index"),
    CheckConstraint("(state = 'running') = (lease_token IS NOT NULL)", name="ck_jobs_lease"),
    Index("ix_jobs_claim", "run_id", "state", "priority", "arch_index"),
    _index_of_jobs("ix_jobs_running", "state = 'running'"),
    _index_of_jobs("ix_jobs_avoid", "avoid IS NOT NULL"),
)

attempts = Table(
    "attempts",  # those that count against their job
    metadata,
    Column("id", Integer, nullable=False),
    Column("run_id", Integer, nullable=False),
    Column("arch_index", Integer, nullable=False),
    Column("worker", String(NAME_LENGTH), nullable=False),
    Column("kind", String(NAME_LENGTH), nullable=False),
    Column("error", Text, nullable=False),
    Column("ended_s", Double, nullable=False),
    PrimaryKeyConstraint("id", name="pk_attempts"),
    ForeignKeyConstraint(
        ["run_id", "arch_index"], ["jobs.run_id", "jobs.arch_index"], name="fk_attempts_jobs"
    ),
    Index("ix_attempts_job", "run_id", "arch_index"),
)

workers = Table(
    "workers",
    metadata,
    Column("name", String(NAME_LENGTH), nullable=False),
    Column("host", String(NAME_LENGTH), nullable=False),
    # These two are NULL of one that was stopped before it had started.
    Column("device", String(64)),
    Column("pid", Integer),
    Column("serves_run_id", Integer, ForeignKey("runs.id", name="fk_workers_runs")),  # NULL: any
    Column("started_s", Double, nullable=False),
    Column("seen_s", Double, nullable=False),
    Column("faults", Integer, nullable=False),
    Column("fault", Text),  # the last one
    Column("stopped_reason", Text),  # why it claims no more
    # Figures of the moment in which it was last seen; NULL is what nobody knows.
    Column("images_per_s", Double),
    Column("gpu_utilisation", Double),  # 0 to 1
    Column("gpu_memory_used_bytes", BigInteger),
    Column("gpu_memory_total_bytes", BigInteger),
    PrimaryKeyConstraint("name", name="pk_workers"),
)

schedulers = Table(
    "schedulers",  # the lease on the right to schedule a run
    metadata,
    Column(
        "run_id",
        Integer,
        ForeignKey("runs.id", name="fk_schedulers_runs"),
        nullable=False,
        autoincrement=False,
    ),
    Column("holder", String(NAME_LENGTH), nullable=False),
    Column("token", String(TOKEN_LENGTH), nullable=False),
    Column("until_s", Double, nullable=False),
    PrimaryKeyConstraint("run_id", name="pk_schedulers"),
)

environments = Table(
    "environments",
    metadata,
    Column("id", Integer, nullable=False),
    Column("fingerprint", String(FINGERPRINT_LENGTH), nullable=False),
    Column("strings", JSON, nullable=False),
    PrimaryKeyConstraint("id", name="pk_environments"),
    UniqueConstraint("fingerprint", name="uq_environments_fingerprint"),
)

results = Table(
    "results",
    metadata,
    Column("run_id", Integer, nullable=False),
    Column("arch_index", Integer, nullable=False),
    Column("lease_token", String(TOKEN_LENGTH), nullable=False),
    Column("worker", String(NAME_LENGTH), nullable=False),
    Column(
        "environment_id",
        Integer,
        ForeignKey("environments.id", name="fk_results_environments"),
        nullable=False,
    ),
    Column("status", String(16), nullable=False),
    Column("epochs", Integer, nullable=False),
    # These four are NULL where no epoch was finished.
    Column("best_epoch", Integer),
    Column("test_top1", Integer),
    Column("test_top5", Integer),
    Column("test_loss", Double),  # NULL beside counts is NaN, which SQLite cannot hold
    Column("train_time_s", Double, nullable=False),
    Column("curves_layout", SmallInteger, nullable=False),
    Column("curves", LargeBinary, nullable=False),
    Column("finished_s", Double, nullable=False),
    PrimaryKeyConstraint("run_id", "arch_index", name="pk_results"),
    Index("ix_results_finished", "run_id", "finished_s"),
    ForeignKeyConstraint(
        ["run_id", "arch_index"], ["jobs.run_id", "jobs.arch_index"], name="fk_results_jobs"
    ),
    CheckConstraint(_one_of("status", RESULT_STATUSES), name="ck_results_status"),
)

architectures = Table(
    "architectures",
    metadata,
    Column("arch_index", Integer, nullable=False, autoincrement=False),
    Column("stem_channels", Integer, nullable=False, autoincrement=False),
    Column("classes", Integer, nullable=False, autoincrement=False),
    Column("resolution", Integer, nullable=False, autoincrement=False),
    Column("params", BigInteger, nullable=False),
    Column("flops", BigInteger, nullable=False),
    PrimaryKeyConstraint(
        "arch_index", "stem_channels", "classes", "resolution", name="pk_architectures"
    ),
)

latencies = Table(
    "latencies",
    metadata,
    Column("device", String(NAME_LENGTH), nullable=False),
    Column("arch_index", Integer, nullable=False, autoincrement=False),
    Column("latency_ms", Double, nullable=False),
    PrimaryKeyConstraint("device", "arch_index", name="pk_latencies"),
)

released_devices = Table(
    "released_devices",  # whose latencies came with releases, and how those say they were measured
    metadata,
    Column("name", String(NAME_LENGTH), nullable=False),
    Column("protocol", JSON, nullable=False),
    Column("protocol_fingerprint", String(64), nullable=False),
    Column("identities", JSON, nullable=False),
    Column("unstable", JSON, nullable=False),  # arch indices
    PrimaryKeyConstraint("name", name="pk_released_devices"),
)

measurements = Table(
    "measurements",  # of latencies, each of a job of a run that measures
    metadata,
    Column("run_id", Integer, nullable=False),
    Column("arch_index", Integer, nullable=False),
    Column("lease_token", String(TOKEN_LENGTH), nullable=False),
    Column("worker", String(NAME_LENGTH), nullable=False),
    Column(
        "environment_id",
        Integer,
        ForeignKey("environments.id", name="fk_measurements_environments"),
        nullable=False,
    ),
    Column("median_ms", Double, nullable=False),
    Column("iqr_ms", Double, nullable=False),
    Column("least_ms", Double, nullable=False),
    Column("timed_runs", Integer, nullable=False),
    Column("warm_up_runs", Integer, nullable=False),
    Column("is_stable", Boolean(create_constraint=False), nullable=False),
    Column("finished_s", Double, nullable=False),
    PrimaryKeyConstraint("run_id", "arch_index", name="pk_measurements"),
    ForeignKeyConstraint(
        ["run_id", "arch_index"], ["jobs.run_id", "jobs.arch_index"], name="fk_measurements_jobs"
    ),
    Index("ix_measurements_finished", "run_id", "finished_s"),
)
