"""The contents of a product: what raises the revision, what only repeats it, what is remembered."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from jwstwatch.core.model import FileState
from jwstwatch.store import tables
from jwstwatch.store.engine import Database
from jwstwatch.store.store import Store
from jwstwatch.store.tables import metadata
from tests.store.desk import DAY, JPG, RATE, Desk, file_names, observation, row


def facts(number: int, **changes: str | int) -> dict[str, str | int | None]:
    """What the keyword service states of the content with this number."""
    stated: dict[str, str | int | None] = {
        "keywords.checksum": f"{number:032x}",
        "keywords.cal_ver": f"1.{number}",
        "keywords.crds_ctx": f"jwst_{1000 + number}.pmap",
        "keywords.size": 1000,
        "keywords.ingested": f"2026-0{number + 1}-01T00:00:00Z",
    }
    return stated | changes


def product(desk: Desk, name: str = RATE) -> tuple[int, int]:
    """The number and the revision of a product."""
    with desk.store.database.read() as connection:
        query = select(tables.product.c.id, tables.product.c.revision)
        found = connection.execute(query.where(tables.product.c.name == name)).one()
    return found.id, found.revision


def hear(desk: Desk, stated: dict[str, str | int | None], name: str = RATE) -> list[int]:
    key, _ = product(desk, name)
    return desk.store.revisions.record_facts(desk.run.id, {key: stated}, now=desk.now)


def arrive(desk: Desk) -> None:
    """Fetch what is due."""
    desk.place(*desk.claim())


def test_a_checksum_that_differs_raises_the_revision_and_makes_the_copy_stale(desk: Desk) -> None:
    desk.want(RATE)
    arrive(desk)
    assert hear(desk, facts(1)) == []
    key, _ = product(desk)
    assert hear(desk.later(DAY), facts(2)) == [key]
    assert product(desk) == (key, 2)
    assert desk.file(RATE).state is FileState.STALE


def test_a_later_ingest_of_the_same_content_is_no_change(desk: Desk) -> None:
    desk.want(RATE)
    hear(desk, facts(1))
    assert hear(desk, facts(1) | {"keywords.ingested": "2027-01-01T00:00:00Z"}) == []


def test_a_service_that_repeats_the_former_content_is_no_news(desk: Desk) -> None:
    desk.want(RATE)
    hear(desk, facts(1))
    hear(desk, facts(2))
    assert hear(desk, facts(1)) == []
    assert product(desk)[1] == 2


def test_what_held_of_the_former_content_holds_where_the_same_bytes_came_again(desk: Desk) -> None:
    desk.want(RATE)
    hear(desk, facts(1))
    arrive(desk)
    desk.list(row(size=1001))  # which was no other content
    assert hear(desk, facts(1)) == []
    assert desk.product().facts == {}
    desk.place(*desk.next_run().claim())
    assert hear(desk, facts(1)) == []
    assert desk.product().facts == facts(1)
    key, _ = product(desk)
    assert hear(desk, facts(2)) == [key]
    assert hear(desk, facts(1)) == []


def test_what_was_stated_of_the_former_content_is_remembered_with_its_end(desk: Desk) -> None:
    desk.want(RATE)
    hear(desk, facts(1))
    later = desk.later(DAY)
    hear(later, facts(2))
    with desk.store.database.read() as connection:
        (former,) = connection.execute(select(tables.version)).all()
    assert (former.revision, former.size, former.prvversion) == (1, 1000, "1.17.1")
    assert former.facts == facts(1)
    assert (former.began_at, former.ended_at) == (desk.now, later.now)
    assert "keywords.checksum was" in former.why


def test_a_listing_that_catches_up_with_the_keyword_service_is_no_second_change(desk: Desk) -> None:
    desk.list(row(prvversion="1.1"))
    hear(desk, facts(1))
    hear(desk, facts(2))
    desk.list(row(prvversion="1.1"))  # the listing lags
    desk.list(row(prvversion="1.2"))
    assert product(desk)[1] == 2
    desk.list(row(prvversion="1.3"))
    assert product(desk)[1] == 3


def test_a_listed_size_that_is_put_right_is_no_change_where_the_copy_has_it(desk: Desk) -> None:
    desk.want(RATE)
    desk.place(*desk.claim(), size=1200)  # whatever the listing says
    desk.list(row(size=1200))
    assert product(desk)[1] == 1
    desk.list(row(size=1201))
    assert product(desk)[1] == 2


def test_a_storm_costs_no_more_statements_for_each_file_than_its_own_update(desk: Desk) -> None:
    names = file_names(40)
    desk.list(*[row(name) for name in names])
    few, many = names[:2], names[2:]
    counts = []
    for some in (few, many):
        heard = {product(desk, name)[0]: facts(1) for name in some}
        desk.store.revisions.record_facts(None, heard, now=desk.now)
        with statements(desk.store.database) as seen:
            heard = {key: facts(2) for key in heard}
            assert len(desk.store.revisions.record_facts(None, heard, now=desk.now)) == len(some)
        counts.append(len(seen))
    assert counts[0] == counts[1]


class statements:  # noqa: N801 - read like a function
    """The SQL statements that are sent meanwhile; many rows of one statement count once."""

    def __init__(self, database: Database) -> None:
        self._engine, self._seen = database.engine, list[str]()

    def __enter__(self) -> list[str]:
        from sqlalchemy import event

        event.listen(self._engine, "before_cursor_execute", self._note)
        return self._seen

    def __exit__(self, *_: object) -> None:
        from sqlalchemy import event

        event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(self, _c: object, _u: object, statement: str, *_: object) -> None:
        self._seen.append(statement)


@dataclass(frozen=True)
class Change:
    """A reprocessing, and in which order the services tell of it, each perhaps with the past first."""

    same_size: bool
    keywords_first: bool
    echoes: tuple[bool, bool]
    silent: bool
    """The keyword service says nothing of it."""


changes = st.lists(
    st.builds(Change, st.booleans(), st.booleans(), st.tuples(st.booleans(), st.booleans()), st.booleans()),
    max_size=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes, st.randoms(use_true_random=False))
def test_each_change_counts_once_whoever_tells_of_it_first(
    sqlite_state: Database, happened: list[Change], random: object
) -> None:
    with sqlite_state.write() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    from pathlib import Path

    desk = Desk.set_up(Store(sqlite_state), Path("/root"))
    desk.observe(observation(1))
    sizes, shown, told = [1000], 0, 0

    def listing() -> None:
        desk.list(row(size=sizes[shown], prvversion=f"1.{shown}"), row(JPG))

    def keywords() -> None:
        hear(desk, facts(told) | {"keywords.size": sizes[told]})

    listing()
    keywords()
    for number, change in enumerate(happened, start=1):
        sizes.append(sizes[-1] + (0 if change.same_size else 2880))
        listing_echo, keywords_echo = change.echoes
        tellers = ["listing", "keywords"] if not change.keywords_first else ["keywords", "listing"]
        for teller in tellers:
            if teller == "listing":
                shown = number
                listing()
                if keywords_echo and not change.silent and told != number:
                    keywords()
            elif not change.silent:
                told = number
                keywords()
                if listing_echo and shown != number:
                    listing()
        listing()
        assert product(desk)[1] == 1 + number
