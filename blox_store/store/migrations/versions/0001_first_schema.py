"""The first schema: runs, jobs, environments, results, architectures, latencies.

It restates the tables instead of importing them: a migration must not change when the code does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

STATES = "state IN ('pending', 'queued', 'running', 'succeeded', 'diverged', 'failed')"
TOAST_TARGET_BYTES = 8160  # the largest allowed; a row below it stays in its page


def upgrade() -> None:
    """Make all tables."""
    _make_runs()
    _make_jobs()
    _make_results()
    _make_static_information()
    if op.get_bind().dialect.name == "postgresql":
        # Curves of 200 epochs (3,200 bytes) stay inline and uncompressed: one read a row.
        op.execute("ALTER TABLE results ALTER COLUMN curves SET STORAGE EXTERNAL")
        op.execute(f"ALTER TABLE results SET (toast_tuple_target = {TOAST_TARGET_BYTES})")


def _make_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("dataset", sa.String(64), nullable=False),
        sa.Column("recipe", sa.JSON, nullable=False),
        sa.Column("recipe_fingerprint", sa.String(64), nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("trainer", sa.String(32), nullable=False),
        sa.Column("trainer_revision", sa.Integer, nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("created_s", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.UniqueConstraint(
            "dataset",
            "recipe_fingerprint",
            "seed",
            "trainer",
            "trainer_revision",
            name="uq_runs_identity",
        ),
    )


def _make_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("arch_index", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("not_before_s", sa.Double),
        sa.Column("lease_token", sa.String(32)),
        sa.Column("lease_until_s", sa.Double),
        sa.Column("claimed_epoch", sa.Integer, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("worker", sa.String(255)),
        sa.Column("error", sa.Text),
        sa.Column("updated_s", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "arch_index", name="pk_jobs"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_jobs_runs"),
        sa.CheckConstraint(STATES, name="ck_jobs_state"),
        sa.CheckConstraint("arch_index BETWEEN 0 AND 91124", name="ck_jobs_arch_index"),
        sa.CheckConstraint("(state = 'running') = (lease_token IS NOT NULL)", name="ck_jobs_lease"),
    )
    op.create_index("ix_jobs_claim", "jobs", ["run_id", "state", "priority", "arch_index"])


def _make_results() -> None:
    op.create_table(
        "environments",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("strings", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_environments"),
        sa.UniqueConstraint("fingerprint", name="uq_environments_fingerprint"),
    )
    op.create_table(
        "results",
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("arch_index", sa.Integer, nullable=False),
        sa.Column("lease_token", sa.String(32), nullable=False),
        sa.Column("worker", sa.String(255), nullable=False),
        sa.Column("environment_id", sa.Integer, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("epochs", sa.Integer, nullable=False),
        sa.Column("best_epoch", sa.Integer),
        sa.Column("test_top1", sa.Integer),
        sa.Column("test_top5", sa.Integer),
        sa.Column("test_loss", sa.Double),
        sa.Column("train_time_s", sa.Double, nullable=False),
        sa.Column("curves_layout", sa.SmallInteger, nullable=False),
        sa.Column("curves", sa.LargeBinary, nullable=False),
        sa.Column("finished_s", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "arch_index", name="pk_results"),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name="fk_results_environments"
        ),
        sa.ForeignKeyConstraint(
            ["run_id", "arch_index"], ["jobs.run_id", "jobs.arch_index"], name="fk_results_jobs"
        ),
        sa.CheckConstraint("status IN ('succeeded', 'diverged')", name="ck_results_status"),
    )


def _make_static_information() -> None:
    op.create_table(
        "architectures",
        sa.Column("arch_index", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("stem_channels", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("classes", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("resolution", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("params", sa.BigInteger, nullable=False),
        sa.Column("flops", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint(
            "arch_index", "stem_channels", "classes", "resolution", name="pk_architectures"
        ),
    )
    op.create_table(
        "latencies",
        sa.Column("device", sa.String(255), nullable=False),
        sa.Column("arch_index", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("latency_ms", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("device", "arch_index", name="pk_latencies"),
    )
