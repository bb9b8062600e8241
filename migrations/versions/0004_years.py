"""What years of data need: former contents, replaced copies, lists without a product, verification."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add what the third schema lacks."""
    op.add_column(
        "product",
        sa.Column(
            "sampled_at",
            _TIME,
            comment="when the archive was last asked for its validators",
        ),
    )
    op.add_column(
        "listing",
        sa.Column(
            "missing_since",
            _TIME,
            comment="the first whole list of the parent without it; null: listed",
        ),
    )
    op.add_column(
        "listing",
        sa.Column("missing_at", _TIME, comment="the last whole list of the parent without it"),
    )
    op.create_index(
        op.f("ix_listing_missing_since"),
        "listing",
        ["missing_since"],
        sqlite_where=sa.text("missing_since IS NOT NULL"),
    )
    op.add_column(
        "file",
        sa.Column("checked_at", _TIME, comment="when `verify --deep` read it last"),
    )
    op.add_column(
        "file",
        sa.Column("damage", sa.Text(), comment="what `verify` found wrong with the copy; null: nothing"),
    )
    op.add_column(
        "want",
        sa.Column(
            "keeps",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="the profile does not want an older revision replaced",
        ),
    )
    op.add_column(
        "page",
        sa.Column(
            "missing",
            sa.Integer(),
            comment="what its observations lacked when it was written; null: not known",
        ),
    )
    _create_history()
    _create_work()


def _create_history() -> None:
    op.create_table(
        "version",
        sa.Column("product_id", _key(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), comment="bytes, as listed"),
        sa.Column("prvversion", sa.Text(), comment="as the file's own rows stated it"),
        sa.Column("facts", _JSON, comment="what the services stated of this content"),
        sa.Column("began_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=False),
        sa.Column("why", sa.Text(), nullable=False, comment="the facts that contradicted it"),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_version_product_id_product"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_id", "revision", name=op.f("pk_version")),
        comment="a former content of a product: what the archive stated of it",
    )
    op.create_table(
        "replaced",
        sa.Column("file_id", _key(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False, comment="of the copy that was replaced"),
        sa.Column("size", sa.BigInteger(), comment="bytes of that copy"),
        sa.Column("sha256", sa.String(64)),
        sa.Column(
            "new_size", sa.BigInteger(), nullable=False, comment="bytes of the copy that took its place"
        ),
        sa.Column("kept_as", sa.Text(), comment="where it is kept, relative to the root; null: it is not"),
        sa.Column("run_id", _key()),
        sa.Column("replaced_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["file.id"], name=op.f("fk_replaced_file_id_file"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("file_id", "revision", name=op.f("pk_replaced")),
        comment="a copy that a newer revision took the place of",
    )
    op.create_index(op.f("ix_replaced_replaced_at"), "replaced", ["replaced_at"])


def _create_work() -> None:
    op.create_table(
        "relocation",
        sa.Column("file_id", _key(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False, comment="where the file goes, relative to the root"),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["file.id"], name=op.f("fk_relocation_file_id_file"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("file_id", name=op.f("pk_relocation")),
        comment="a move that is about to happen; start-up settles what a kill left open",
    )
    op.create_table(
        "verification",
        sa.Column("scope", sa.String(200), nullable=False, comment="what was to be verified, and how"),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("finished_at", _TIME, comment="null: it goes on where it stopped"),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_verification")),
        comment="the last verification of each scope",
    )
    op.create_table(
        "inquiry",
        sa.Column(
            "service", sa.String(32), nullable=False, comment="of the JWST file keywords, such as nircam"
        ),
        sa.Column("proposal", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("answered_at", _TIME, comment="start of the last answer"),
        sa.Column("whole_at", _TIME, comment="start of the last answer without a lower limit"),
        sa.Column(
            "failed_at",
            _TIME,
            comment="when it did not answer; null: it did at the last question",
        ),
        sa.PrimaryKeyConstraint("service", "proposal", name=op.f("pk_inquiry")),
        comment="when the keyword service was asked about which proposal",
    )


def _key() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def downgrade() -> None:
    """Take it away again."""
    for table in ("inquiry", "verification", "relocation", "replaced", "version"):
        op.drop_table(table)
    op.drop_column("page", "missing")
    op.drop_column("want", "keeps")
    op.drop_column("file", "damage")
    op.drop_column("file", "checked_at")
    op.drop_index(op.f("ix_listing_missing_since"), table_name="listing")
    op.drop_column("listing", "missing_at")
    op.drop_column("listing", "missing_since")
    op.drop_column("product", "sampled_at")
