"""What the runs of a host have reserved of its disks, so that two of them do not count on the same bytes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what the second schema lacks."""
    op.create_table(
        "reservation",
        sa.Column(
            "run_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            autoincrement=False,
        ),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("device", sa.BigInteger(), nullable=False, comment="number of the file system on its host"),
        sa.Column("bytes", sa.BigInteger(), nullable=False, comment="still to be written"),
        sa.ForeignKeyConstraint(
            ["run_id"], ["run.id"], name=op.f("fk_reservation_run_id_run"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_reservation")),
        comment="room on a disk that a run counts on",
    )


def downgrade() -> None:
    """Take it away again."""
    op.drop_table("reservation")
