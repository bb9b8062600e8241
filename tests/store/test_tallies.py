"""Counts that are kept: whatever is done to the rows, they are what counting would find."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, and_, case, delete, func, insert, or_, select, text, update

from jwstwatch.core.model import FileState
from jwstwatch.core.retrying import FailureKind
from jwstwatch.store import bulk, tables, tallies
from jwstwatch.store.checking import check
from jwstwatch.store.engine import Database
from jwstwatch.store.profiles import Profiles
from jwstwatch.store.reports import ProfileCounts, Reports
from jwstwatch.store.reservations import Reservations
from jwstwatch.store.roots import Roots, has_copy
from jwstwatch.store.runs import Counts
from jwstwatch.store.transfers import is_kept
from tests.store.desk import NOW, OTHER, PROFILE, Desk, file_names, row

PROFILES = (PROFILE, OTHER, "third")
RUN = 7


class Within:
    """A database inside of a transaction that is never committed."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self.is_sqlite = database.is_sqlite
        self._connection = connection

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        yield self._connection


@contextlib.contextmanager
def few_rows(database: Database) -> Iterator[Connection]:
    """Yield a connection that sees two roots, four products and six files; nothing of it lasts."""
    with database.engine.connect() as connection, connection.begin() as transaction:
        for number in (1, 2):
            values = {"id": number, "uuid": f"u{number}", "path": f"/{number}", "created_at": NOW}
            connection.execute(insert(tables.root).values(values))
        for number in range(1, 5):
            values = {"id": number, "uri": f"u{number}", "name": f"n{number}", "filetype": "_rate.fits"}
            size = None if number == 4 else 10**number
            connection.execute(
                insert(tables.product).values(**values, size=size, first_seen_at=NOW, changed_at=NOW)
            )
        connection.execute(insert(tables.file), [a_file(number) for number in range(1, 7)])
        yield connection
        transaction.rollback()


def a_file(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "root_id": 1 + number % 2,
        "path": f"p{number}",
        "product_id": 1 + number % 4,
        "state": "wanted",
        "size": None,
        "revision": None,
        "changed_at": NOW,
    } | changes


files = st.integers(1, 6)
some_files = st.lists(files, min_size=1, max_size=6, unique=True)
names = st.sampled_from(PROFILES)
sizes = st.one_of(st.none(), st.integers(0, 5000), st.just(2**50))
looks = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from([state.value for state in FileState]),
        "size": sizes,
        "revision": st.sampled_from([None, 1, 2]),
        "declined": st.booleans(),
        "superseded": st.booleans(),
        "product_id": st.integers(1, 4),
        "root_id": st.integers(1, 2),
        "attempts": st.integers(0, 2),
        "attempted_by": st.sampled_from([None, RUN, RUN + 1]),
        "failure_kind": st.sampled_from([None, *(kind.value for kind in FailureKind)]),
    },
).filter(bool)
steps = st.one_of(
    st.tuples(st.just("want"), names, some_files),
    st.tuples(st.just("want all at once"), names),
    st.tuples(st.just("keep"), names, some_files, st.booleans()),
    st.tuples(st.just("do not want"), names, some_files),
    st.tuples(st.just("rename"), names, names),
    st.tuples(st.just("move want"), names, files, files),
    st.tuples(st.just("look"), some_files, looks),
    st.tuples(st.just("look, each"), some_files, looks),
    st.tuples(st.just("new"), st.integers(7, 8), looks),
    st.tuples(st.just("forget"), some_files),
    st.tuples(st.just("size"), st.lists(st.integers(1, 4), min_size=1, max_size=4), sizes),
)


def take(connection: Connection, step: tuple[Any, ...]) -> None:
    """Do one thing to the rows, as the store may do it."""
    file, want, (what, *how) = tables.file, tables.want, step
    if what in ("want", "keep"):
        profile, ids, *keeps = how
        query = select(file.c.id, file.c.product_id).where(file.c.id.in_(ids))
        rows = [
            {"profile": profile, "file_id": key, "product_id": product}
            | dict(zip(["keeps"], keeps, strict=False))
            for key, product in connection.execute(query)
        ]
        bulk.upsert(connection, want, rows, update=("keeps",) if keeps else ())
    elif what == "want all at once":
        (profile,) = how
        known = select(want.c.file_id).where(want.c.profile == profile)
        query = select(text(f"'{profile}'"), file.c.id, file.c.product_id).where(file.c.id.not_in(known))
        connection.execute(insert(want).from_select(["profile", "file_id", "product_id"], query))
    elif what == "do not want":
        profile, ids = how
        gone = delete(want).where(want.c.profile == profile, want.c.file_id.in_(ids))
        connection.execute(gone.returning(want.c.file_id)).all()
    elif what == "rename":
        old, new = how
        taken = select(want.c.file_id).where(want.c.profile == new)
        of_old = and_(want.c.profile == old, want.c.file_id.not_in(list(connection.execute(taken).scalars())))
        connection.execute(update(want).where(of_old).values(profile=new))
    elif what == "move want":
        profile, old, new = how
        there = select(file.c.id).where(file.c.id == new)
        taken = select(want.c.file_id).where(want.c.profile == profile, want.c.file_id == new)
        if connection.execute(there).first() and not connection.execute(taken).first():
            mine = and_(want.c.profile == profile, want.c.file_id == old)
            connection.execute(update(want).where(mine).values(file_id=new, product_id=1))
    elif what == "look":
        ids, values = how
        connection.execute(update(file).where(file.c.id.in_(ids)).values(values).returning(file.c.id)).all()
    elif what == "look, each":
        ids, values = how
        statement = text(
            f"UPDATE file SET {', '.join(f'{name} = :{name}' for name in values)} WHERE id = :the_id"
        )
        connection.execute(statement, [values | {"the_id": key} for key in ids])
    elif what == "new":
        number, values = how
        if not connection.execute(select(file.c.id).where(file.c.id == number)).first():
            connection.execute(insert(file).values(a_file(number, **values)))
    elif what == "forget":
        connection.execute(delete(file).where(file.c.id.in_(how[0])))
    else:
        ids, size = how
        product = tables.product
        connection.execute(update(product).where(product.c.id.in_(ids)).values(size=size, name="n"))


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(done=st.lists(steps, min_size=1, max_size=12))
def test_whatever_is_done_the_kept_counts_are_those_that_counting_finds(
    database: Database, done: list[tuple[Any, ...]]
) -> None:
    with few_rows(database) as connection:
        for step in done:
            take(connection, step)
        assert of_key(tallies.tallies(connection)) == of_key(tallies.counted(connection))
        assert list(tallies.discrepancies(connection)) == []
        within: Any = Within(database, connection)
        assert {root.id: root.files for root in Roots(within).all()} == counted_copies(connection)
        reports = Reports(within)
        assert reports.counts() == counts_one_by_one(connection)
        for profile in PROFILES:
            assert reports.of_run(RUN, profile) == fates_one_by_one(connection, RUN, profile)


def of_key(found: list[tallies.Tally]) -> dict[tuple[Any, ...], tuple[int, ...]]:
    return {
        (each.profile, each.state, each.declined, each.superseded, each.kept): (
            each.files,
            each.present,
            each.listed,
        )
        for each in found
    }


def counted_copies(connection: Connection) -> dict[int, int]:
    query = select(tables.file.c.root_id, func.count()).where(has_copy()).group_by(tables.file.c.root_id)
    return {1: 0, 2: 0} | dict(map(tuple, connection.execute(query)))


def counts_one_by_one(connection: Connection) -> dict[str, ProfileCounts]:
    """As they were made when every file was looked at."""
    file, want, product = tables.file, tables.want, tables.product
    expected = and_(file.c.state == FileState.GONE.value, file.c.superseded)
    query = (
        select(
            want.c.profile, file.c.state, file.c.size, product.c.size.label("listed"), is_kept().label("kept")
        )
        .join(file, file.c.id == want.c.file_id)
        .join(product, product.c.id == file.c.product_id)
        .where(~file.c.declined, ~expected)
    )
    states: dict[str, dict[FileState, int]] = defaultdict(lambda: defaultdict(int))
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for one in connection.execute(query):
        states[one.profile][FileState(one.state)] += 1
        mine = sums[one.profile]
        mine["kept"] += bool(one.kept)
        mine["present"] += (one.size or 0) if one.state in tables.HAS_COPY else 0
        mine["wanted"] += (
            (one.listed or 0) if one.state in ("wanted", "stale", "failed") and not one.kept else 0
        )
    return {
        profile: ProfileCounts(
            files=dict(found),
            kept=sums[profile]["kept"],
            bytes_present=sums[profile]["present"],
            bytes_wanted=sums[profile]["wanted"],
        )
        for profile, found in states.items()
    }


def fates_one_by_one(connection: Connection, run_id: int, profile: str) -> Counts:
    """As they were told when every file was looked at."""
    file, want, state = tables.file, tables.want, tables.file.c.state
    tried = and_(file.c.attempted_by.is_not(None), file.c.attempted_by == run_id)
    absent = func.coalesce(file.c.failure_kind, "") == FailureKind.ABSENT.value
    stale = state == FileState.STALE.value
    fate = case(
        (and_(tried, state == FileState.PRESENT.value), "downloaded"),
        (is_kept(), "unchanged"),
        (and_(~tried, absent, state.in_(("failed", "stale"))), "unchanged"),
        (or_(state == "withheld", and_(stale, file.c.failure_kind == "unauthorised")), "withheld"),
        (or_(state == "failed", and_(stale, file.c.attempts > 0)), "failed"),
        (state.in_(["wanted", "stale"]), "waiting"),
        else_="unchanged",
    ).label("fate")
    query = (
        select(fate, func.count())
        .select_from(want.join(file, file.c.id == want.c.file_id))
        .where(want.c.profile == profile, ~file.c.declined)
        .group_by(fate)
    )
    return Counts(**dict(map(tuple, connection.execute(query))))


def test_sums_beyond_63_bits_break_nothing(database: Database) -> None:
    with few_rows(database) as connection:
        take(connection, ("size", [1, 2, 3, 4], 2**63 - 1))
        take(connection, ("want", PROFILE, [1, 2, 3, 4, 5, 6]))
        take(connection, ("look", [1, 2, 3, 4], {"state": "present", "size": 2**63 - 1}))
        within: Any = Within(database, connection)
        counts = Reports(within).counts()[PROFILE]
        assert counts.bytes_present == pytest.approx(4 * 2**63)
        assert counts.bytes_wanted == pytest.approx(2 * 2**63)
        tallies.recount(connection)
        assert Reports(within).counts()[PROFILE].bytes_wanted == pytest.approx(2 * 2**63)


def test_a_check_tells_wrong_counts_and_counting_anew_mends_them(desk: Desk) -> None:
    desk.fetch(*file_names(3))
    assert check(desk.store.database) == []
    with desk.store.database.write() as connection:
        connection.execute(update(tables.tally).where(tables.tally.c.files != 0).values(files=17))
        connection.execute(insert(tables.tally).values(a_tally("lost")))
        connection.execute(update(tables.root).values(copies=5))
    told = [problem.text for problem in check(desk.store.database)]
    assert told == [
        "the counts kept of lost's gone files are not those of its files",
        f"the counts kept of {desk.profile}'s present files are not those of its files",
        f"the number kept of the copies in {desk.root.path} is not that of its files",
    ]
    with desk.store.database.write() as connection:
        tallies.recount(connection)
    assert check(desk.store.database) == []
    assert desk.store.reports.counts()[desk.profile].files == {FileState.PRESENT: 3}


def a_tally(profile: str) -> dict[str, Any]:
    return {
        "profile": profile,
        "state": "gone",
        "declined": False,
        "superseded": False,
        "kept": False,
        "files": 2,
    }


def test_what_a_profile_uses_and_has_is_read_from_the_kept_counts(desk: Desk) -> None:
    desk.fetch(*file_names(3))
    desk.of(OTHER).want("jw02561001001_02101_00001_nrca1_rate.fits")
    ids = [desk.file_id(f"01345/{name}") for name in file_names(3)]
    desk.set_file(ids[:1], declined=True)
    database = desk.store.database
    assert Reservations(database).used(desk.profile) == 2000
    found = {record.name: record for record in Profiles(database).all()}
    assert (found[desk.profile].files, found[desk.profile].present, found[desk.profile].size) == (2, 2, 2000)
    assert (found[OTHER].files, found[OTHER].present, found[OTHER].size) == (1, 0, 0)
    assert row().size == 1000
