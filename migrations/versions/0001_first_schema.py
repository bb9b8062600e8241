"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite only numbers rows by itself where the key is a plain INTEGER.
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Build every table."""
    op.create_table(
        "observation",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("obs_id", sa.Text(), nullable=False),
        sa.Column("obsid", sa.BigInteger(), nullable=False),
        sa.Column("proposal", sa.BigInteger(), nullable=True),
        sa.Column("instrument_name", sa.Text(), nullable=True),
        sa.Column("target_name", sa.Text(), nullable=True),
        sa.Column("filters", sa.Text(), nullable=True),
        sa.Column("dataproduct_type", sa.Text(), nullable=True),
        sa.Column("calib_level", sa.BigInteger(), nullable=True),
        sa.Column("t_min", sa.Float(), nullable=True, comment="MJD"),
        sa.Column("t_max", sa.Float(), nullable=True, comment="MJD"),
        sa.Column("t_exptime", sa.Float(), nullable=True, comment="seconds"),
        sa.Column("t_obs_release", sa.Float(), nullable=True, comment="MJD"),
        sa.Column("data_rights", sa.Text(), nullable=True),
        sa.Column("proposal_pi", sa.Text(), nullable=True),
        sa.Column("obs_title", sa.Text(), nullable=True),
        sa.Column("s_ra", sa.Float(), nullable=True, comment="degrees"),
        sa.Column("s_dec", sa.Float(), nullable=True, comment="degrees"),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observation")),
        sa.UniqueConstraint("obs_id", name=op.f("uq_observation_obs_id")),
    )
    op.create_index(op.f("ix_observation_obsid"), "observation", ["obsid"], unique=False)
    op.create_index(op.f("ix_observation_proposal"), "observation", ["proposal"], unique=False)
    op.create_table(
        "product",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("proposal", sa.BigInteger(), nullable=True),
        sa.Column("obsnum", sa.BigInteger(), nullable=True),
        sa.Column("filetype", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True, comment="bytes, as listed"),
        sa.Column("exclusive", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column(
            "facts",
            _JSON,
            nullable=True,
            comment="what services other than CAOM's listing state of its content",
        ),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
        sa.UniqueConstraint("uri", name=op.f("uq_product_uri")),
    )
    op.create_index(op.f("ix_product_name"), "product", ["name"], unique=False)
    op.create_index(op.f("ix_product_proposal"), "product", ["proposal"], unique=False)
    op.create_table(
        "profile",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("query_digest", sa.String(length=64), nullable=False),
        sa.Column("floor", sa.Float(), nullable=True, comment="MJD; null: no lower limit"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rechecked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "completed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="start of the last run whose listing was whole",
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_profile")),
    )
    op.create_table(
        "root",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_root")),
        sa.UniqueConstraint("path", name=op.f("uq_root_path")),
        sa.UniqueConstraint("uuid", name=op.f("uq_root_uuid")),
    )
    op.create_table(
        "run",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("profile", sa.String(length=64), nullable=False),
        sa.Column("trigger", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True, comment="null: still running"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column(
            "process_start",
            sa.Text(),
            nullable=False,
            comment="tells a process from a later one with its number",
        ),
        sa.Column("observations", sa.Integer(), server_default="0", nullable=False),
        sa.Column("downloaded", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unchanged", sa.Integer(), server_default="0", nullable=False),
        sa.Column("withheld", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("waiting", sa.Integer(), server_default="0", nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("pages", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error_kind", sa.String(length=32), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("error_hint", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
    )
    op.create_index(op.f("ix_run_profile_started_at"), "run", ["profile", "started_at"], unique=False)
    op.create_table(
        "event",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("product_id", _KEY, nullable=False),
        sa.Column("file_id", _KEY, nullable=True, comment="null: it concerns the product wherever it lies"),
        sa.Column("run_id", _KEY, nullable=True),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_event_product_id_product"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        comment="the history of a product and its copies",
    )
    op.create_index(op.f("ix_event_product_id_at"), "event", ["product_id", "at"], unique=False)
    op.create_table(
        "file",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("root_id", _KEY, nullable=False),
        sa.Column("path", sa.Text(), nullable=False, comment="relative to the root, with /"),
        sa.Column("product_id", _KEY, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("revision", sa.Integer(), nullable=True, comment="of the copy on disk"),
        sa.Column("size", sa.BigInteger(), nullable=True, comment="bytes of the copy on disk"),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column(
            "modified_ns", sa.BigInteger(), nullable=True, comment="mtime of the copy when it was verified"
        ),
        sa.Column(
            "note",
            sa.Text(),
            nullable=True,
            comment="what was odd and is accepted, such as a wrong listed size",
        ),
        sa.Column(
            "thumbnail",
            sa.Text(),
            nullable=True,
            comment="which picture its thumbnail was made from, and how large",
        ),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failure_kind", sa.String(length=16), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("declined", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("superseded", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("unselected", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_by", _KEY, nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempted_by", _KEY, nullable=True, comment="the last run that tried it"),
        sa.CheckConstraint(
            "state IN ('wanted', 'present', 'stale', 'withheld', 'failed', 'gone')",
            name=op.f("ck_file_known_state"),
        ),
        sa.ForeignKeyConstraint(["claimed_by"], ["run.id"], name=op.f("fk_file_claimed_by_run")),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_file_product_id_product")),
        sa.ForeignKeyConstraint(["root_id"], ["root.id"], name=op.f("fk_file_root_id_root")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file")),
        sa.UniqueConstraint("root_id", "path", name=op.f("uq_file_root_id_path")),
    )
    op.create_index(op.f("ix_file_claimed_by"), "file", ["claimed_by"], unique=False)
    op.create_index(op.f("ix_file_product_id"), "file", ["product_id"], unique=False)
    op.create_index(op.f("ix_file_state_next_attempt_at"), "file", ["state", "next_attempt_at"], unique=False)
    op.create_table(
        "interest",
        sa.Column("profile", sa.String(length=64), nullable=False),
        sa.Column("observation_id", _KEY, nullable=False),
        sa.Column(
            "products_checked_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="null: its product list is wanted at the next run",
        ),
        sa.ForeignKeyConstraint(
            ["observation_id"],
            ["observation.id"],
            name=op.f("fk_interest_observation_id_observation"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("profile", "observation_id", name=op.f("pk_interest")),
        comment="which profile's query found which observation",
    )
    op.create_index(op.f("ix_interest_observation_id"), "interest", ["observation_id"], unique=False)
    op.create_table(
        "keywords",
        sa.Column("product_id", _KEY, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("names", sa.Text(), nullable=False, comment="digest of the keywords asked for"),
        sa.Column("cards", _JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_keywords_product_id_product"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_keywords")),
    )
    op.create_table(
        "listing",
        sa.Column("product_id", _KEY, nullable=False),
        sa.Column("parent_obsid", sa.BigInteger(), nullable=False),
        sa.Column("obsid", sa.BigInteger(), nullable=False),
        sa.Column("obs_id", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("prvversion", sa.Text(), nullable=True),
        sa.Column("calib_level", sa.BigInteger(), nullable=True),
        sa.Column("dataproduct_type", sa.Text(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("product_type", sa.Text(), nullable=True),
        sa.Column("subgroup", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("data_rights", sa.Text(), nullable=True),
        sa.Column("filters", sa.Text(), nullable=True),
        sa.Column("project", sa.Text(), nullable=True),
        sa.Column(
            "revision", sa.Integer(), nullable=False, comment="of the product, when this row was recorded"
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_listing_product_id_product"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("product_id", "parent_obsid", "obsid", name=op.f("pk_listing")),
        comment="a product as one observation lists it",
    )
    op.create_index(op.f("ix_listing_parent_obsid"), "listing", ["parent_obsid"], unique=False)
    op.create_table(
        "page",
        sa.Column("root_id", _KEY, nullable=False),
        sa.Column("proposal", sa.BigInteger(), nullable=False),
        sa.Column(
            "changes", sa.Integer(), nullable=False, comment="raised when something on the page changed"
        ),
        sa.Column(
            "written", sa.Integer(), nullable=False, comment="`changes` as it was when the page was written"
        ),
        sa.Column("settings", sa.String(length=64), nullable=False, comment="digest of how it was written"),
        sa.ForeignKeyConstraint(
            ["root_id"], ["root.id"], name=op.f("fk_page_root_id_root"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("root_id", "proposal", name=op.f("pk_page")),
        comment="the page of a proposal in a root, due where written < changes",
    )
    op.create_table(
        "intent",
        sa.Column("file_id", _KEY, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column(
            "part", sa.Text(), nullable=False, comment="name of the verified partial file beside the target"
        ),
        sa.Column("facts", _JSON, nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("run_id", _KEY, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["file.id"], name=op.f("fk_intent_file_id_file"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("file_id", name=op.f("pk_intent")),
        comment="a replacement that is about to happen; start-up settles what a kill left open",
    )
    op.create_table(
        "want",
        sa.Column("profile", sa.String(length=64), nullable=False),
        sa.Column("file_id", _KEY, nullable=False),
        sa.Column("product_id", _KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["file_id"], ["file.id"], name=op.f("fk_want_file_id_file"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["product_id"], ["product.id"], name=op.f("fk_want_product_id_product")),
        sa.PrimaryKeyConstraint("profile", "file_id", name=op.f("pk_want")),
        comment="which profile selects which file",
    )
    op.create_index(op.f("ix_want_file_id"), "want", ["file_id"], unique=False)
    op.create_index(op.f("ix_want_profile_product_id"), "want", ["profile", "product_id"], unique=False)


def downgrade() -> None:
    """Drop every table."""
    op.drop_index(op.f("ix_want_profile_product_id"), table_name="want")
    op.drop_index(op.f("ix_want_file_id"), table_name="want")
    op.drop_table("want")
    op.drop_table("intent")
    op.drop_table("page")
    op.drop_index(op.f("ix_listing_parent_obsid"), table_name="listing")
    op.drop_table("listing")
    op.drop_table("keywords")
    op.drop_index(op.f("ix_interest_observation_id"), table_name="interest")
    op.drop_table("interest")
    op.drop_index(op.f("ix_file_state_next_attempt_at"), table_name="file")
    op.drop_index(op.f("ix_file_product_id"), table_name="file")
    op.drop_index(op.f("ix_file_claimed_by"), table_name="file")
    op.drop_table("file")
    op.drop_index(op.f("ix_event_product_id_at"), table_name="event")
    op.drop_table("event")
    op.drop_index(op.f("ix_run_profile_started_at"), table_name="run")
    op.drop_table("run")
    op.drop_table("root")
    op.drop_table("profile")
    op.drop_index(op.f("ix_product_proposal"), table_name="product")
    op.drop_index(op.f("ix_product_name"), table_name="product")
    op.drop_table("product")
    op.drop_index(op.f("ix_observation_proposal"), table_name="observation")
    op.drop_index(op.f("ix_observation_obsid"), table_name="observation")
    op.drop_table("observation")
