"""What keeps the counts while rows come, change and go: `tally` and `root.copies`, whoever writes.

SQLite counts row by row, PostgreSQL statement by statement: there each change of a count leaves a former
version of its row behind until the transaction ends, and every further change has to pass all of them.
`migrations/` has its own, frozen words for the same; a test compares the two.
"""
# ruff: noqa: S608 - the statements are put together from what stands here

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

_KEY = "profile, state, declined, superseded, kept"
_SAME = " AND ".join(f"tally.{name} = change.{name}" for name in _KEY.split(", "))
_INSERT = f"INSERT INTO tally ({_KEY}, files, present, listed)"
_ADD = f"""ON CONFLICT ({_KEY}) DO UPDATE SET files = tally.files + excluded.files,
    present = tally.present + excluded.present, listed = tally.listed + excluded.listed"""


def _kept(want: str, file: str) -> str:
    """As `transfers.is_kept`."""
    return f"{want}.keeps AND {file}.state = 'stale' AND {file}.revision IS NOT NULL"


def _has_copy(file: str) -> str:
    """As `roots.has_copy`."""
    return f"({file}.state IN ('present', 'stale') OR ({file}.state = 'gone' AND {file}.size IS NOT NULL))"


def _one(want: str, file: str, sign: str = "") -> str:
    """What one wanted file adds to which count, or takes from it."""
    return (
        f"SELECT {want}.profile, {file}.state, {file}.declined, {file}.superseded, "
        f"{_kept(want, file)} AS kept, {sign}1 AS files, {sign}coalesce({file}.size, 0) AS present, "
        f"{sign}coalesce(product.size, 0) AS listed"
    )


# -- SQLite

_OF_WANT = "FROM file JOIN product ON product.id = file.product_id WHERE file.id = {0}.file_id"
_OF_FILE = "FROM want JOIN product ON product.id = {0}.product_id WHERE want.file_id = {0}.id"
_COUNTED = ("state", "size", "declined", "superseded", "product_id")
_CHANGED = " OR ".join(
    [
        *(f"OLD.{name} IS NOT NEW.{name}" for name in _COUNTED),
        "(OLD.revision IS NULL) <> (NEW.revision IS NULL)",
    ]
)

SQLITE: Final[Sequence[str]] = (
    f"""CREATE TRIGGER tally_want_inserted AFTER INSERT ON want BEGIN
    {_INSERT} {_one("NEW", "file")} {_OF_WANT.format("NEW")} {_ADD};
END""",
    f"""CREATE TRIGGER tally_want_deleted BEFORE DELETE ON want BEGIN
    {_INSERT} {_one("OLD", "file", "-")} {_OF_WANT.format("OLD")} {_ADD};
END""",
    f"""CREATE TRIGGER tally_want_updated AFTER UPDATE OF profile, file_id, keeps ON want
WHEN OLD.profile <> NEW.profile OR OLD.file_id <> NEW.file_id OR OLD.keeps <> NEW.keeps BEGIN
    {_INSERT} {_one("OLD", "file", "-")} {_OF_WANT.format("OLD")} {_ADD};
    {_INSERT} {_one("NEW", "file")} {_OF_WANT.format("NEW")} {_ADD};
END""",
    f"""CREATE TRIGGER tally_file_updated
AFTER UPDATE OF state, size, revision, declined, superseded, product_id ON file
WHEN {_CHANGED} BEGIN
    {_INSERT} {_one("want", "OLD", "-")} {_OF_FILE.format("OLD")} {_ADD};
    {_INSERT} {_one("want", "NEW")} {_OF_FILE.format("NEW")} {_ADD};
END""",
    # What goes with its file would go after it, when nothing tells any more how it stood.
    """CREATE TRIGGER tally_file_deleted BEFORE DELETE ON file BEGIN
    DELETE FROM want WHERE file_id = OLD.id;
END""",
    f"""CREATE TRIGGER tally_product_updated AFTER UPDATE OF size ON product
WHEN OLD.size IS NOT NEW.size BEGIN
    UPDATE tally SET listed = tally.listed
        + change.files * (coalesce(NEW.size, 0) - coalesce(OLD.size, 0))
    FROM (SELECT want.profile, file.state, file.declined, file.superseded, {_kept("want", "file")} AS kept,
            count(*) AS files
        FROM file JOIN want ON want.file_id = file.id WHERE file.product_id = NEW.id
        GROUP BY 1, 2, 3, 4, 5) AS change
    WHERE {_SAME};
END""",
    f"""CREATE TRIGGER root_file_inserted AFTER INSERT ON file WHEN {_has_copy("NEW")} BEGIN
    UPDATE root SET copies = copies + 1 WHERE id = NEW.root_id;
END""",
    f"""CREATE TRIGGER root_file_deleted AFTER DELETE ON file WHEN {_has_copy("OLD")} BEGIN
    UPDATE root SET copies = copies - 1 WHERE id = OLD.root_id;
END""",
    f"""CREATE TRIGGER root_file_updated AFTER UPDATE OF state, size, root_id ON file
WHEN {_has_copy("OLD")} <> {_has_copy("NEW")} OR OLD.root_id <> NEW.root_id BEGIN
    UPDATE root SET copies = copies - 1 WHERE id = OLD.root_id AND {_has_copy("OLD")};
    UPDATE root SET copies = copies + 1 WHERE id = NEW.root_id AND {_has_copy("NEW")};
END""",
)


# -- PostgreSQL: `former` and `latter` are the rows that a statement changed, before and after it

_SIDE = "id, root_id, state, size, declined, superseded, product_id, revision"
_SUMS = "sum(files) AS files, sum(present) AS present, sum(listed) AS listed"
_WANTED = "FROM {0} AS want JOIN file ON file.id = want.file_id JOIN product ON product.id = file.product_id"
# Of most updates of files nothing is counted: such rows are alike before and after.
_DIFFERENT = f"SELECT {_SIDE} FROM {{0}} EXCEPT SELECT {_SIDE} FROM {{1}}"
_SIDES = f"""FROM ({_DIFFERENT}) AS side
    JOIN want ON want.file_id = side.id JOIN product ON product.id = side.product_id"""
_RESIZED = "SELECT id, size FROM {0} EXCEPT SELECT id, size FROM {1}"


def _add(*changes: str) -> str:
    each = " UNION ALL ".join(changes)
    return f"""{_INSERT} SELECT {_KEY}, {_SUMS} FROM ({each}) AS one GROUP BY {_KEY}
    HAVING sum(files) <> 0 OR sum(present) <> 0 OR sum(listed) <> 0 {_ADD};"""


def _copies(**sides: int) -> str:
    each = " UNION ALL ".join(
        f"SELECT root_id, {sign} AS files FROM {side} WHERE {_has_copy(side)}" for side, sign in sides.items()
    )
    return f"""UPDATE root SET copies = root.copies + change.files
    FROM (SELECT root_id, sum(files) AS files FROM ({each}) AS one GROUP BY root_id
        HAVING sum(files) <> 0) AS change
    WHERE root.id = change.root_id;"""


_WANT_FORMER = f"{_one('want', 'file', '-')} {_WANTED.format('former')}"
_WANT_LATTER = f"{_one('want', 'file')} {_WANTED.format('latter')}"
_FILE_FORMER = f"{_one('want', 'side', '-')} {_SIDES.format('former', 'latter')}"
_FILE_LATTER = f"{_one('want', 'side')} {_SIDES.format('latter', 'former')}"
_GROWTH = f"""UPDATE tally SET listed = tally.listed + change.listed
    FROM (SELECT want.profile, file.state, file.declined, file.superseded, {_kept("want", "file")} AS kept,
            sum(side.size) AS listed
        FROM (SELECT id, CAST(coalesce(size, 0) AS numeric) AS size
                FROM ({_RESIZED.format("latter", "former")}) AS now
            UNION ALL SELECT id, - CAST(coalesce(size, 0) AS numeric)
                FROM ({_RESIZED.format("former", "latter")}) AS once) AS side
        JOIN file ON file.product_id = side.id JOIN want ON want.file_id = file.id
        GROUP BY 1, 2, 3, 4, 5) AS change
    WHERE {_SAME};"""

_FORMER, _LATTER = "OLD TABLE AS former", "NEW TABLE AS latter"


def _counting(name: str, event: str, sides: str, *body: str) -> tuple[str, str]:
    """A plan is kept for the session, and made for the first statement: it must fit one row and a million."""
    words = "\n    ".join(body)
    return (
        f"""CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
BEGIN
    {words}
    RETURN NULL;
END $$""",
        f"""CREATE TRIGGER {name} AFTER {event} REFERENCING {sides}
FOR EACH STATEMENT EXECUTE FUNCTION {name}()""",
    )


POSTGRESQL: Final[Sequence[str]] = (
    *_counting("tally_want_inserted", "INSERT ON want", _LATTER, _add(_WANT_LATTER)),
    *_counting("tally_want_deleted", "DELETE ON want", _FORMER, _add(_WANT_FORMER)),
    *_counting(
        "tally_want_updated",
        "UPDATE ON want",
        f"{_FORMER} {_LATTER}",
        _add(_WANT_FORMER, _WANT_LATTER),
    ),
    *_counting(
        "tally_file_updated",
        "UPDATE ON file",
        f"{_FORMER} {_LATTER}",
        f"IF NOT EXISTS ({_DIFFERENT.format('latter', 'former')}) THEN RETURN NULL; END IF;",
        _add(_FILE_FORMER, _FILE_LATTER),
        _copies(latter=1, former=-1),
    ),
    """CREATE FUNCTION tally_file_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM want WHERE file_id = OLD.id;
    RETURN OLD;
END $$""",
    """CREATE TRIGGER tally_file_deleted BEFORE DELETE ON file
FOR EACH ROW EXECUTE FUNCTION tally_file_deleted()""",
    *_counting("tally_product_updated", "UPDATE ON product", f"{_FORMER} {_LATTER}", _GROWTH),
    *_counting("root_file_inserted", "INSERT ON file", _LATTER, _copies(latter=1)),
    *_counting("root_file_deleted", "DELETE ON file", _FORMER, _copies(former=-1)),
)


def create(connection: Connection) -> None:
    """Let the database keep the counts from now on; of what is there already nothing is counted."""
    for statement in _statements(connection):
        connection.exec_driver_sql(statement)


def missing(connection: Connection) -> list[str]:
    """Return the triggers that are not there, or off: without them the counts stay as they are.

    A table that somebody copied or built anew has lost its own.
    """
    query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    if connection.dialect.name != "sqlite":
        query = """SELECT tgname FROM pg_trigger
            WHERE NOT tgisinternal AND tgenabled IN ('O', 'A') AND pg_table_is_visible(tgrelid)"""
    there = set(connection.exec_driver_sql(query).scalars())
    return [name for kind, name in _made(connection) if kind == "TRIGGER" and name not in there]


def put_back(connection: Connection) -> None:
    """Make all of them anew where one is missing; what happened without it is to be counted afterwards."""
    if not missing(connection):
        return
    for kind, name in _made(connection):
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
        elif kind == "FUNCTION":
            connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {name} CASCADE")  # with its trigger
    create(connection)


def _statements(connection: Connection) -> Sequence[str]:
    return SQLITE if connection.dialect.name == "sqlite" else POSTGRESQL


def _made(connection: Connection) -> list[tuple[str, str]]:
    """Return what the statements make: TRIGGER or FUNCTION, and its name."""
    words = (statement.split(maxsplit=3) for statement in _statements(connection))
    return [(kind, name.removesuffix("()")) for _, kind, name, _ in words]
