"""What a measurement of a latency says beside its median: spread, stability, and on what.

It restates the table instead of importing it: a migration must not change when the code does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the table of measurements."""
    op.create_table(
        "measurements",
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("arch_index", sa.Integer, nullable=False),
        sa.Column("lease_token", sa.String(32), nullable=False),
        sa.Column("worker", sa.String(255), nullable=False),
        sa.Column("environment_id", sa.Integer, nullable=False),
        sa.Column("median_ms", sa.Double, nullable=False),
        sa.Column("iqr_ms", sa.Double, nullable=False),
        sa.Column("least_ms", sa.Double, nullable=False),
        sa.Column("timed_runs", sa.Integer, nullable=False),
        sa.Column("warm_up_runs", sa.Integer, nullable=False),
        sa.Column("is_stable", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("finished_s", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "arch_index", name="pk_measurements"),
        sa.ForeignKeyConstraint(
            ["run_id", "arch_index"],
            ["jobs.run_id", "jobs.arch_index"],
            name="fk_measurements_jobs",
        ),
        sa.ForeignKeyConstraint(
            ["environment_id"], ["environments.id"], name="fk_measurements_environments"
        ),
    )
    op.create_index("ix_measurements_finished", "measurements", ["run_id", "finished_s"])
