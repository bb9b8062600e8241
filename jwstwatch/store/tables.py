"""The tables of the state. `migrations/` builds the same ones; a test compares the two."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from jwstwatch.core.model import FileState
from jwstwatch.store.types import CompressedJson, Json, Total, UtcDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# What the archive states as a whole number is BigInteger: however odd it is, it can be kept.
# SQLite only numbers rows by itself where the key is a plain INTEGER.
Key = BigInteger().with_variant(Integer(), "sqlite")

profile = Table(
    "profile",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("query_digest", String(64), nullable=False),
    Column("floor", Float, comment="MJD; null: no lower limit"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("rechecked_at", UtcDateTime),
    Column("completed_at", UtcDateTime, comment="start of the last run whose listing was whole"),
    Column("approved_bytes", BigInteger, comment="largest plan that somebody said yes to; null: none"),
    Column("batch", Integer, comment="observations in a product question that was answered in good time"),
)

run = Table(
    "run",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("profile", String(64), nullable=False),
    Column("trigger", String(16), nullable=False),
    Column("outcome", String(16), comment="null: still running"),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("heartbeat_at", UtcDateTime, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_start", Text, nullable=False, comment="tells a process from a later one with its number"),
    Column("observations", Integer, nullable=False, server_default="0"),
    Column("downloaded", Integer, nullable=False, server_default="0"),
    Column("unchanged", Integer, nullable=False, server_default="0"),
    Column("withheld", Integer, nullable=False, server_default="0"),
    Column("failed", Integer, nullable=False, server_default="0"),
    Column("waiting", Integer, nullable=False, server_default="0"),
    Column("bytes", BigInteger, nullable=False, server_default="0"),
    Column("pages", Integer, nullable=False, server_default="0"),
    Column("error_kind", String(32)),
    Column("error_message", Text),
    Column("error_hint", Text),
    Column("found", Integer, comment="observations that its query returned; null: it was not answered"),
    Column("from_floor", Boolean, comment="the query reached back to the profile's floor"),
    Index(None, "profile", "started_at"),
    Index(None, "profile", "id"),
    Index(None, "outcome", "profile"),
)

observation = Table(
    "observation",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("obs_id", Text, nullable=False, unique=True),
    Column("obsid", BigInteger, nullable=False, index=True),
    Column("proposal", BigInteger),
    Column("instrument_name", Text),
    Column("target_name", Text),
    Column("filters", Text),
    Column("dataproduct_type", Text),
    Column("calib_level", BigInteger),
    Column("t_min", Float, comment="MJD"),
    Column("t_max", Float, comment="MJD"),
    Column("t_exptime", Float, comment="seconds"),
    Column("t_obs_release", Float, comment="MJD"),
    Column("data_rights", Text),
    Column("proposal_pi", Text),
    Column("obs_title", Text),
    Column("s_ra", Float, comment="degrees"),
    Column("s_dec", Float, comment="degrees"),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("obsnum", BigInteger, comment="of APT, as the obs_id says it; null: of several"),
    Index(None, "proposal", "obsnum"),
)

interest = Table(
    "interest",
    metadata,
    Column("profile", String(64), primary_key=True),
    Column("observation_id", Key, ForeignKey("observation.id", ondelete="CASCADE"), primary_key=True),
    Column("products_checked_at", UtcDateTime, comment="null: its product list is wanted at the next run"),
    Column("digest", String(64), comment="of its product list and of what judged it; null: judge it anew"),
    Column("planned", Integer, comment="files of the profile that this list asked for"),
    Index(None, "observation_id"),
    comment="which profile's query found which observation",
)

product = Table(
    "product",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("uri", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False, index=True),
    Column("proposal", BigInteger),
    Column("obsnum", BigInteger),
    Column("filetype", Text, nullable=False),
    Column("size", BigInteger, comment="bytes, as listed"),
    Column("exclusive", Boolean, nullable=False, server_default=false()),
    Column("revision", Integer, nullable=False, server_default="1"),
    Column("facts", Json(), comment="what services other than CAOM's listing state of its content"),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("sampled_at", UtcDateTime, comment="when the archive was last asked for its validators"),
    Index(None, "proposal", "obsnum"),
    Index(None, "sampled_at", sqlite_where=text("sampled_at IS NOT NULL")),
)

version = Table(
    "version",
    metadata,
    Column("product_id", Key, ForeignKey("product.id", ondelete="CASCADE"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("size", BigInteger, comment="bytes, as listed"),
    Column("prvversion", Text, comment="as the file's own rows stated it"),
    Column("facts", Json(), comment="what the services stated of this content"),
    Column("began_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime, nullable=False),
    Column("why", Text, nullable=False, comment="the facts that contradicted it"),
    Index(None, "ended_at", sqlite_where=text("why LIKE 'http.%'")),
    comment="a former content of a product: what the archive stated of it",
)

listing = Table(
    "listing",
    metadata,
    Column("product_id", Key, ForeignKey("product.id", ondelete="CASCADE"), primary_key=True),
    Column("parent_obsid", BigInteger, primary_key=True),
    Column("obsid", BigInteger, primary_key=True),
    Column("obs_id", Text, nullable=False),
    Column("size", BigInteger),
    Column("prvversion", Text),
    Column("calib_level", BigInteger),
    Column("dataproduct_type", Text),
    Column("type", Text),
    Column("product_type", Text),
    Column("subgroup", Text),
    Column("description", Text),
    Column("data_rights", Text),
    Column("filters", Text),
    Column("project", Text),
    Column("revision", Integer, nullable=False, comment="of the product, when this row was recorded"),
    Column(
        "missing_since", UtcDateTime, comment="the first whole list of the parent without it; null: listed"
    ),
    Column("missing_at", UtcDateTime, comment="the last whole list of the parent without it"),
    Index(None, "parent_obsid"),
    # For PostgreSQL it is whole: a condition would load that dialect at every start.
    Index(None, "missing_since", sqlite_where=text("missing_since IS NOT NULL")),
    comment="a product as one observation lists it",
)

root = Table(
    "root",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("path", Text, nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("copies", BigInteger, nullable=False, server_default="0", comment="kept by triggers"),
)

file = Table(
    "file",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("root_id", Key, ForeignKey("root.id"), nullable=False),
    Column("path", Text, nullable=False, comment="relative to the root, with /"),
    Column("product_id", Key, ForeignKey("product.id"), nullable=False, index=True),
    Column("state", String(10), nullable=False),
    Column("reason", Text),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("revision", Integer, comment="of the copy on disk"),
    Column("size", BigInteger, comment="bytes of the copy on disk"),
    Column("sha256", String(64)),
    Column("modified_ns", BigInteger, comment="mtime of the copy when it was verified"),
    Column("note", Text, comment="what was odd and is accepted, such as a wrong listed size"),
    Column("thumbnail", Text, comment="which picture its thumbnail was made from, and how large"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("failure_kind", String(16)),
    Column("last_error", Text),
    Column("next_attempt_at", UtcDateTime),
    Column("declined", Boolean, nullable=False, server_default=false()),
    Column("superseded", Boolean, nullable=False, server_default=false()),
    Column("unselected", Boolean, nullable=False, server_default=false()),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("claimed_by", Key, ForeignKey("run.id")),
    Column("lease_until", UtcDateTime),
    Column("attempted_by", Key, comment="the last run that tried it"),
    Column("checked_at", UtcDateTime, comment="when `verify --deep` read it last"),
    Column("damage", Text, comment="what `verify` found wrong with the copy; null: nothing"),
    UniqueConstraint("root_id", "path"),
    CheckConstraint(
        "state IN ({})".format(", ".join(f"'{state.value}'" for state in FileState)), name="known_state"
    ),
    Index(None, "claimed_by"),
    Index(None, "state", "next_attempt_at"),
    Index(None, "attempted_by"),
    Index(None, "unselected", sqlite_where=text("unselected = 1")),
)

HAS_COPY = (FileState.PRESENT.value, FileState.STALE.value, FileState.GONE.value)
"""States in which a verified copy, of whatever revision, is taken to stand at the path."""

NO_COPY: Mapping[str, None] = dict.fromkeys(
    ("revision", "size", "sha256", "modified_ns", "note", "thumbnail", "checked_at", "damage")
)
"""What a row says of its copy where there is none."""

NEVER_TRIED: Mapping[str, int | None] = {"attempts": 0} | dict.fromkeys(
    ("failure_kind", "last_error", "next_attempt_at")
)
"""What a row says of attempts where none counts."""

want = Table(
    "want",
    metadata,
    Column("profile", String(64), primary_key=True),
    Column("file_id", Key, ForeignKey("file.id", ondelete="CASCADE"), primary_key=True),
    Column("product_id", Key, ForeignKey("product.id"), nullable=False),
    Column(
        "keeps",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="the profile does not want an older revision replaced",
    ),
    Index(None, "file_id"),
    Index(None, "profile", "product_id"),
    comment="which profile selects which file",
)

tally = Table(
    "tally",
    metadata,
    Column("profile", String(64), primary_key=True),
    Column("state", String(10), primary_key=True),
    Column("declined", Boolean, primary_key=True),
    Column("superseded", Boolean, primary_key=True),
    Column("kept", Boolean, primary_key=True, comment="the profile keeps the older revision that is there"),
    Column("files", BigInteger, nullable=False, server_default="0"),
    Column("present", Total(), nullable=False, server_default="0", comment="bytes of the copies on disk"),
    Column("listed", Total(), nullable=False, server_default="0", comment="bytes of the products"),
    sqlite_with_rowid=False,
    comment="how many files each profile wants in which state; kept by triggers (`store/triggers.py`)",
)

folder = Table(
    "folder",
    metadata,
    Column("profile", String(64), primary_key=True),
    Column("root_id", Key, ForeignKey("root.id", ondelete="CASCADE"), primary_key=True),
    Column("path", Text, primary_key=True, comment="relative to the root, empty for the root itself"),
    Column("mark", Text, comment="what a look at it said when its files were compared; null: compare them"),
    Column("looked_at", UtcDateTime, nullable=False, comment="when its files were compared last"),
    Index(None, "root_id"),
    comment="a folder in which a profile has copies, so that an unchanged one need not be listed",
)

intent = Table(
    "intent",
    metadata,
    Column("file_id", Key, ForeignKey("file.id", ondelete="CASCADE"), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("part", Text, nullable=False, comment="name of the verified partial file beside the target"),
    Column("facts", Json()),
    Column("note", Text),
    Column("run_id", Key, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    comment="a replacement that is about to happen; start-up settles what a kill left open",
)

replaced = Table(
    "replaced",
    metadata,
    Column("file_id", Key, ForeignKey("file.id", ondelete="CASCADE"), primary_key=True),
    Column("revision", Integer, primary_key=True, comment="of the copy that was replaced"),
    Column("size", BigInteger, comment="bytes of that copy"),
    Column("sha256", String(64)),
    Column("new_size", BigInteger, nullable=False, comment="bytes of the copy that took its place"),
    Column("kept_as", Text, comment="where it is kept, relative to the root; null: it is not"),
    Column("run_id", Key),
    Column("replaced_at", UtcDateTime, nullable=False),
    Index(None, "replaced_at"),
    comment="a copy that a newer revision took the place of",
)

relocation = Table(
    "relocation",
    metadata,
    Column("file_id", Key, ForeignKey("file.id", ondelete="CASCADE"), primary_key=True),
    Column("path", Text, nullable=False, comment="where the file goes, relative to the root"),
    Column("created_at", UtcDateTime, nullable=False),
    comment="a move that is about to happen; start-up settles what a kill left open",
)

verification = Table(
    "verification",
    metadata,
    Column("scope", String(200), primary_key=True, comment="what was to be verified, and how"),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime, comment="null: it goes on where it stopped"),
    comment="the last verification of each scope",
)

inquiry = Table(
    "inquiry",
    metadata,
    Column("service", String(32), primary_key=True, comment="of the JWST file keywords, such as nircam"),
    Column("proposal", BigInteger, primary_key=True),
    Column("answered_at", UtcDateTime, comment="start of the last answer"),
    Column("whole_at", UtcDateTime, comment="start of the last answer without a lower limit"),
    Column("failed_at", UtcDateTime, comment="when it did not answer; null: it did at the last question"),
    comment="when the keyword service was asked about which proposal",
)

reservation = Table(
    "reservation",
    metadata,
    Column("run_id", Key, ForeignKey("run.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("host", Text, nullable=False),
    Column("device", BigInteger, nullable=False, comment="number of the file system on its host"),
    Column("bytes", BigInteger, nullable=False, comment="still to be written"),
    comment="room on a disk that a run counts on",
)

keywords = Table(
    "keywords",
    metadata,
    Column("product_id", Key, ForeignKey("product.id", ondelete="CASCADE"), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("names", Text, nullable=False, comment="which keywords were asked for"),
    Column("cards", CompressedJson(), nullable=False, comment="values by keyword, as compressed JSON"),
)

event = Table(
    "event",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("product_id", Key, ForeignKey("product.id", ondelete="CASCADE"), nullable=False),
    Column("file_id", Key, comment="null: it concerns the product wherever it lies"),
    Column("run_id", Key),
    Column("kind", String(24), nullable=False),
    Column("detail", Text),
    Index(None, "product_id", "at"),
    Index(None, "run_id"),
    comment="the history of a product and its copies",
)

page = Table(
    "page",
    metadata,
    Column("root_id", Key, ForeignKey("root.id", ondelete="CASCADE"), primary_key=True),
    Column("proposal", BigInteger, primary_key=True),
    Column("changes", Integer, nullable=False, comment="raised when something on the page changed"),
    Column("written", Integer, nullable=False, comment="`changes` as it was when the page was written"),
    Column("settings", String(64), nullable=False, comment="digest of how it was written"),
    Column("missing", Integer, comment="what its observations lacked when it was written; null: not known"),
    Column("line", Json(), comment="what the index says of it, as when it was written"),
    comment="the page of a proposal in a root, due where written < changes",
)

page_part = Table(
    "page_part",
    metadata,
    Column("root_id", Key, ForeignKey("root.id", ondelete="CASCADE"), primary_key=True),
    Column("proposal", BigInteger, primary_key=True),
    Column("obsnum", BigInteger, primary_key=True, comment="-1: what belongs to no single observation"),
    Column("changes", Integer, nullable=False, comment="raised when something on the part changed"),
    Column("written", Integer, nullable=False, comment="`changes` as it was when the part was written"),
    Column("settings", String(64), nullable=False, comment="digest of how it was written"),
    Column("line", Json(), comment="what the proposal's page says of it, as when it was written"),
    comment="the part of a proposal's page that shows one observation, due where written < changes",
)

arrival = Table(
    "arrival",
    metadata,
    Column("root_id", Key, ForeignKey("root.id", ondelete="CASCADE"), primary_key=True),
    Column("hour", UtcDateTime, primary_key=True, comment="its beginning"),
    Column("proposal", BigInteger, primary_key=True, comment="0: not known"),
    Column("files", Integer, nullable=False, server_default="0", comment="put in place in that hour"),
    Column("bytes", BigInteger, nullable=False, server_default="0", comment="of these files"),
    Column("reprocessed", Integer, nullable=False, server_default="0", comment="of them newer revisions"),
    Column("growth", BigInteger, nullable=False, server_default="0", comment="bytes, of what lies on disk"),
    comment="how much arrived in an output folder, and how it grew, by the hour",
)

notice = Table(
    "notice",
    metadata,
    Column("cause", String(200), primary_key=True, comment="what it is about, such as `hook after_run`"),
    Column("kind", String(32), nullable=False),
    Column("profile", String(64)),
    Column("text", Text, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("times", Integer, nullable=False, server_default="1"),
    Column("cleared_at", UtcDateTime, comment="null: it still holds"),
    Column("told_at", UtcDateTime, comment="when a message about it was sent last"),
    comment="what the people who run this should know, until it is over",
)

token = Table(
    "token",
    metadata,
    Column("digest", String(64), primary_key=True, comment="SHA-256 of salt and token"),
    Column("salt", String(32), nullable=False),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("accepted_at", UtcDateTime, comment="when the archive took it last"),
    Column("rejected_at", UtcDateTime, comment="when the archive refused it last"),
    comment="the tokens that were used, so that their age is known; never a token itself",
)
