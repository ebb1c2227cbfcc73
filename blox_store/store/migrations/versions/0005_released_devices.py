"""How latencies that came with a release were measured.

It restates the table instead of importing it: a migration must not change when the code does.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the table of released devices."""
    op.create_table(
        "released_devices",
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("protocol", sa.JSON, nullable=False),
        sa.Column("protocol_fingerprint", sa.String(64), nullable=False),
        sa.Column("identities", sa.JSON, nullable=False),
        sa.Column("unstable", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_released_devices"),
    )
