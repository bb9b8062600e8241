"""What pages need: their parts by observation, what arrived by the hour, header values in less room."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_TIME = sa.DateTime(timezone=True)
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add what the fourth schema lacks."""
    _add_parts()
    _add_arrivals()


def _add_parts() -> None:
    op.add_column(
        "page", sa.Column("line", _JSON, comment="what the index says of it, as when it was written")
    )
    op.create_table(
        "page_part",
        sa.Column("root_id", _KEY, nullable=False),
        sa.Column("proposal", sa.BigInteger(), nullable=False),
        sa.Column(
            "obsnum", sa.BigInteger(), nullable=False, comment="0: what belongs to no single observation"
        ),
        sa.Column(
            "changes", sa.Integer(), nullable=False, comment="raised when something on the part changed"
        ),
        sa.Column(
            "written", sa.Integer(), nullable=False, comment="`changes` as it was when the part was written"
        ),
        sa.Column("settings", sa.String(64), nullable=False, comment="digest of how it was written"),
        sa.Column("line", _JSON, comment="what the proposal's page says of it, as when it was written"),
        sa.ForeignKeyConstraint(
            ["root_id"], ["root.id"], name=op.f("fk_page_part_root_id_root"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("root_id", "proposal", "obsnum", name=op.f("pk_page_part")),
        comment="the part of a proposal's page that shows one observation, due where written < changes",
    )


def _add_arrivals() -> None:
    op.create_table(
        "arrival",
        sa.Column("root_id", _KEY, nullable=False),
        sa.Column("hour", _TIME, nullable=False, comment="its beginning"),
        sa.Column("proposal", sa.BigInteger(), nullable=False, comment="0: not known"),
        sa.Column(
            "files", sa.Integer(), server_default="0", nullable=False, comment="put in place in that hour"
        ),
        sa.Column("bytes", sa.BigInteger(), server_default="0", nullable=False, comment="of these files"),
        sa.Column(
            "reprocessed",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="of them newer revisions",
        ),
        sa.Column(
            "growth",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="of what lies on disk, in bytes",
        ),
        sa.ForeignKeyConstraint(
            ["root_id"], ["root.id"], name=op.f("fk_arrival_root_id_root"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("root_id", "hour", "proposal", name=op.f("pk_arrival")),
        comment="how much arrived in an output folder, and how it grew, by the hour",
    )


def downgrade() -> None:
    """Return to the fourth schema; pages are written again."""
    op.drop_table("arrival")
    op.drop_table("page_part")
    op.drop_column("page", "line")
