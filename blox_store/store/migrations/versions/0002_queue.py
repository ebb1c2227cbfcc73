"""What a queue needs: workers, the attempts that count, who schedules, and the store's identity.

It restates the tables instead of importing them: a migration must not change when the code does.
"""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the new tables, two columns of jobs, and the indexes for what is asked often."""
    _make_identity()
    _make_workers()
    _make_attempts()
    _make_schedulers()
    op.add_column("jobs", sa.Column("avoid", sa.String(255)))
    op.add_column("jobs", sa.Column("furthest_epoch", sa.Integer))
    _index_jobs("ix_jobs_running", "state = 'running'")
    _index_jobs("ix_jobs_avoid", "avoid IS NOT NULL")
    op.create_index("ix_results_finished", "results", ["run_id", "finished_s"])


def _index_jobs(name: str, condition: str) -> None:
    where = sa.text(condition)
    op.create_index(
        name, "jobs", ["run_id", "arch_index"], sqlite_where=where, postgresql_where=where
    )


def _make_identity() -> None:
    identity = op.create_table(
        "identity",
        sa.Column("store_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("store_id", name="pk_identity"),
    )
    op.execute(identity.insert().values(store_id=uuid4().hex))


def _make_workers() -> None:
    op.create_table(
        "workers",
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("device", sa.String(64)),
        sa.Column("pid", sa.Integer),
        sa.Column("serves_run_id", sa.Integer),
        sa.Column("started_s", sa.Double, nullable=False),
        sa.Column("seen_s", sa.Double, nullable=False),
        sa.Column("faults", sa.Integer, nullable=False),
        sa.Column("fault", sa.Text),
        sa.Column("stopped_reason", sa.Text),
        sa.PrimaryKeyConstraint("name", name="pk_workers"),
        sa.ForeignKeyConstraint(["serves_run_id"], ["runs.id"], name="fk_workers_runs"),
    )


def _make_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("arch_index", sa.Integer, nullable=False),
        sa.Column("worker", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(255), nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("ended_s", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
        sa.ForeignKeyConstraint(
            ["run_id", "arch_index"], ["jobs.run_id", "jobs.arch_index"], name="fk_attempts_jobs"
        ),
    )
    op.create_index("ix_attempts_job", "attempts", ["run_id", "arch_index"])


def _make_schedulers() -> None:
    op.create_table(
        "schedulers",
        sa.Column("run_id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("holder", sa.String(255), nullable=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("until_s", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_schedulers"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_schedulers_runs"),
    )
