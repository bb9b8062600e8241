"""What pages need: their parts by observation, what arrived by the hour, header values in less room."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_TIME = sa.DateTime(timezone=True)
_NUMBER = re.compile(
    r"jw[0-9]{5}(?:(?P<exposure>[0-9]{3})[0-9]{3}(?![0-9])|-o(?P<candidate>[0-9]{3})(?![0-9a-z]))"
)
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_LOT = 1000
"""Rows of header values in memory at one time."""
_KEPT = ("product_id", "revision", "names")


class _Form(NamedTuple):
    """How header values are kept: the type of `cards`, and what it and `names` are said to be."""

    type: sa.types.TypeEngine[Any]
    cards: str | None
    names: str


_PLAIN = _Form(_JSON, None, "digest of the keywords asked for")
_PACKED = _Form(sa.LargeBinary(), "values by keyword, as compressed JSON", "which keywords were asked for")


def upgrade() -> None:
    """Add what the fourth schema lacks."""
    _number_observations()
    _add_parts()
    _add_arrivals()
    _fill_arrivals()
    _rewrite_cards(_PLAIN, _PACKED, _pack)


def _number_observations() -> None:
    """Observations get the number in their name; what a page shows is found by proposal and number."""
    op.add_column(
        "observation",
        sa.Column("obsnum", sa.BigInteger(), comment="of APT, as the obs_id says it; null: of several"),
    )
    observation = sa.table("observation", sa.column("id"), sa.column("obs_id"), sa.column("obsnum"))
    connection = op.get_bind()
    rows = connection.execute(sa.select(observation.c.id, observation.c.obs_id)).all()
    numbered = [
        {"key": key, "number": int(match["exposure"] or match["candidate"])}
        for key, obs_id in rows
        if (match := _NUMBER.match(obs_id))
    ]
    if numbered:
        change = observation.update().where(observation.c.id == sa.bindparam("key"))
        connection.execute(change.values(obsnum=sa.bindparam("number")), numbered)
    for table in ("observation", "product"):
        op.drop_index(op.f(f"ix_{table}_proposal"), table_name=table)
        op.create_index(op.f(f"ix_{table}_proposal_obsnum"), table, ["proposal", "obsnum"])


def _add_parts() -> None:
    op.add_column(
        "page", sa.Column("line", _JSON, comment="what the index says of it, as when it was written")
    )
    op.create_table(
        "page_part",
        sa.Column("root_id", _KEY, nullable=False),
        sa.Column("proposal", sa.BigInteger(), nullable=False),
        sa.Column(
            "obsnum", sa.BigInteger(), nullable=False, comment="-1: what belongs to no single observation"
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
    # Every page is written anew, in parts.
    op.execute(sa.text("UPDATE page SET settings = ''"))
    op.execute(
        sa.text(
            "INSERT INTO page_part (root_id, proposal, obsnum, changes, written, settings)"
            " SELECT DISTINCT file.root_id, product.proposal, COALESCE(product.obsnum, -1), 1, 0, ''"
            " FROM file JOIN product ON product.id = file.product_id WHERE product.proposal IS NOT NULL"
        )
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
            comment="bytes, of what lies on disk",
        ),
        sa.ForeignKeyConstraint(
            ["root_id"], ["root.id"], name=op.f("fk_arrival_root_id_root"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("root_id", "hour", "proposal", name=op.f("pk_arrival")),
        comment="how much arrived in an output folder, and how it grew, by the hour",
    )


def _fill_arrivals() -> None:
    """Count the copies that are there, in the hour of their last change; what was adopted is no arrival."""
    hour = (
        "substr(file.changed_at, 1, 13) || ':00:00.000000'"
        if op.get_bind().dialect.name == "sqlite"
        else "date_trunc('hour', file.changed_at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
    )
    came = (
        "EXISTS (SELECT 1 FROM event WHERE event.product_id = file.product_id"
        " AND event.file_id = file.id AND event.kind IN ('fetched', 'settled'))"
    )
    op.execute(
        sa.text(  # made of two texts that stand above, no values
            "INSERT INTO arrival (root_id, hour, proposal, files, bytes, reprocessed, growth)"  # noqa: S608
            " SELECT root_id, hour, proposal, SUM(came), SUM(CASE WHEN came = 1 THEN size ELSE 0 END),"
            " SUM(CASE WHEN came = 1 AND revision > 1 THEN 1 ELSE 0 END), SUM(size)"
            f" FROM (SELECT file.root_id, {hour} AS hour, COALESCE(product.proposal, 0) AS proposal,"
            f" CASE WHEN {came} THEN 1 ELSE 0 END AS came, file.size, COALESCE(file.revision, 0) AS revision"
            " FROM file JOIN product ON product.id = file.product_id"
            " WHERE file.state IN ('present', 'stale', 'gone') AND file.size IS NOT NULL) AS present"
            " GROUP BY root_id, hour, proposal"
        )
    )


def downgrade() -> None:
    """Return to the fourth schema; pages are written again."""
    _rewrite_cards(_PACKED, _PLAIN, _unpack)
    op.drop_table("arrival")
    op.drop_table("page_part")
    op.drop_column("page", "line")
    for table in ("observation", "product"):
        op.drop_index(op.f(f"ix_{table}_proposal_obsnum"), table_name=table)
        op.create_index(op.f(f"ix_{table}_proposal"), table, ["proposal"])
    op.drop_column("observation", "obsnum")


def _rewrite_cards(old: _Form, new: _Form, convert: Callable[[Any], Any]) -> None:
    """Keep header values in another form; some rows at a time, for there may be 100,000 of them."""
    connection = op.get_bind()
    former = sa.table("keywords", *(sa.column(name) for name in _KEPT), sa.column("cards", old.type))
    made = _create_keywords(new, sign="" if connection.dialect.name == "sqlite" else "_converted")
    key, last = former.c.product_id, -1
    while True:
        some = sa.select(former).where(key > last).order_by(key).limit(_LOT)
        rows = [dict(row) for row in connection.execute(some).mappings()]
        if not rows:
            break
        connection.execute(made.insert(), [row | {"cards": convert(row["cards"])} for row in rows])
        last = rows[-1]["product_id"]
    op.drop_table("keywords")
    op.rename_table("keywords_converted", "keywords")
    if connection.dialect.name != "sqlite":  # there the names of constraints are those of one table
        for constraint in ("pk_keywords{}", "fk_keywords{}_product_id_product"):
            names = f"{constraint.format('_converted')} TO {constraint.format('')}"
            op.execute(sa.text(f"ALTER TABLE keywords RENAME CONSTRAINT {names}"))


def _create_keywords(form: _Form, *, sign: str) -> sa.Table:
    return op.create_table(
        "keywords_converted",
        sa.Column("product_id", _KEY, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("names", sa.Text(), nullable=False, comment=form.names),
        sa.Column("cards", form.type, nullable=False, comment=form.cards),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["product.id"],
            name=op.f(f"fk_keywords{sign}_product_id_product"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("product_id", name=op.f(f"pk_keywords{sign}")),
    )


def _pack(cards: Any) -> bytes:
    return zlib.compress(json.dumps(cards, separators=(",", ":")).encode(), 9)


def _unpack(cards: bytes) -> Any:
    return json.loads(zlib.decompress(cards))
