"""What a service needs to remember: notices, tokens' ages, what a query found, a yes to a large plan."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what the first schema lacks."""
    op.create_table(
        "notice",
        sa.Column(
            "cause", sa.String(200), nullable=False, comment="what it is about, such as `hook after_run`"
        ),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("profile", sa.String(64), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", sa.Integer(), server_default="1", nullable=False),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True, comment="null: it still holds"),
        sa.Column(
            "told_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when a message about it was sent last",
        ),
        sa.PrimaryKeyConstraint("cause", name=op.f("pk_notice")),
        comment="what the people who run this should know, until it is over",
    )
    op.create_table(
        "token",
        sa.Column("digest", sa.String(64), nullable=False, comment="SHA-256 of salt and token"),
        sa.Column("salt", sa.String(32), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "accepted_at", sa.DateTime(timezone=True), nullable=True, comment="when the archive took it last"
        ),
        sa.Column(
            "rejected_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when the archive refused it last",
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_token")),
        comment="the tokens that were used, so that their age is known; never a token itself",
    )
    op.add_column(
        "profile",
        sa.Column(
            "approved_bytes",
            sa.BigInteger(),
            nullable=True,
            comment="largest plan that somebody said yes to; null: none",
        ),
    )
    op.add_column(
        "run",
        sa.Column(
            "found",
            sa.Integer(),
            nullable=True,
            comment="observations that its query returned; null: it was not answered",
        ),
    )
    op.add_column(
        "run",
        sa.Column(
            "from_floor", sa.Boolean(), nullable=True, comment="the query reached back to the profile's floor"
        ),
    )

    op.create_index(op.f("ix_event_run_id"), "event", ["run_id"], unique=False)


def downgrade() -> None:
    """Take it away again."""
    op.drop_index(op.f("ix_event_run_id"), table_name="event")
    with op.batch_alter_table("run") as table:
        table.drop_column("from_floor")
        table.drop_column("found")
    with op.batch_alter_table("profile") as table:
        table.drop_column("approved_bytes")
    op.drop_table("token")
    op.drop_table("notice")
