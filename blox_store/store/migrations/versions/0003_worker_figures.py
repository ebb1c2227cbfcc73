"""What workers measure: images per second, and how their GPUs are used.

It restates the columns instead of importing them: a migration must not change when the code does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the figures of workers; NULL is what nobody knows."""
    for column in (
        sa.Column("images_per_s", sa.Double),
        sa.Column("gpu_utilisation", sa.Double),
        sa.Column("gpu_memory_used_bytes", sa.BigInteger),
        sa.Column("gpu_memory_total_bytes", sa.BigInteger),
    ):
        op.add_column("workers", column)
