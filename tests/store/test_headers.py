"""Header values: read of one file for each row, once for each revision, and kept in little room."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from alembic import command
from sqlalchemy import func, select, text, update

from jwstwatch.core.headers import STANDARD_KEYWORDS
from jwstwatch.core.site import Keyword
from jwstwatch.store import migrate, tables
from jwstwatch.store.engine import Database
from jwstwatch.store.headers import UnreadHeader
from tests.store.desk import NOW, RATE, Desk, row

Open = Callable[..., Database]

NAMES = frozenset(STANDARD_KEYWORDS)
STEM = RATE.removesuffix("_rate.fits")
PRODUCT = "jw01345-o001_t001_nircam_clear-f200w"
CARDS: dict[str, Keyword] = {
    "FILTER": "F200W",
    "EFFEXPTM": 311.4,
    "NINTS": 1,
    "TSOVISIT": False,
    "PUPIL": None,
}


def unread(desk: Desk, obsnum: int | None = 1, *more: str) -> list[UnreadHeader]:
    return desk.store.headers.unread(desk.root.id, 1345, obsnum, names=NAMES | set(more))


def names_of(found: list[UnreadHeader]) -> list[str]:
    return [entry.path.rpartition("/")[2] for entry in found]


def keep(
    desk: Desk, *found: UnreadHeader, cards: Mapping[str, Keyword] | None = CARDS, more: str = ""
) -> None:
    names = NAMES | {more} if more else NAMES
    desk.store.headers.keep([(entry, cards) for entry in found], names=names)


def kept(desk: Desk) -> dict[str, Any]:
    query = select(tables.product.c.name, tables.keywords.c.cards).join(tables.keywords)
    with desk.store.database.read() as connection:
        return {found.name: found.cards for found in connection.execute(query)}


def test_one_file_of_each_row_is_read_and_the_next_best_where_it_leaves(desk: Desk) -> None:
    uncal, cal = f"{STEM}_uncal.fits", f"{STEM}_cal.fits"
    desk.fetch(uncal, cal, f"{STEM}_rate.jpg", f"{PRODUCT}_segm.fits", f"{PRODUCT}_i2d.fits")
    desk.want(RATE)
    assert names_of(unread(desk)) == [f"{PRODUCT}_i2d.fits", cal]
    assert unread(desk, 2) == unread(desk, None) == []
    keep(desk, *unread(desk))
    assert unread(desk) == []
    run = desk.next_run()
    run.place(*run.claim())
    (entry,) = unread(desk)
    assert (entry.path, entry.revision) == (f"01345/{RATE}", 1)
    keep(desk, entry)
    assert unread(desk) == []
    with desk.store.database.write() as connection:
        taken = tables.file.c.path.in_([f"01345/{RATE}", f"01345/{cal}"])
        connection.execute(update(tables.file).where(taken).values(state="wanted", **tables.NO_COPY))
    assert names_of(unread(desk)) == [uncal]


def test_what_belongs_to_no_single_observation_is_a_part_of_its_own(desk: Desk) -> None:
    several = "jw01345-c1001_t001_nircam_clear-f200w_i2d.fits"
    desk.fetch(several)
    desk.fetch(RATE)
    assert names_of(unread(desk, None)) == [several]
    assert names_of(unread(desk)) == [RATE]
    assert desk.store.headers.unread(desk.root.id, 2561, 1, names=NAMES) == []


def test_a_header_is_read_once_for_each_revision(desk: Desk) -> None:
    desk.fetch(RATE)
    keep(desk, *unread(desk))
    assert kept(desk) == {RATE: CARDS}
    assert unread(desk) == []
    desk.list(row(size=2000))
    run = desk.next_run()
    run.place(*run.claim())
    (entry,) = unread(desk)
    assert entry.revision == 2
    keep(desk, entry, cards={"FILTER": "F444W"})
    assert (kept(desk), unread(desk)) == ({RATE: {"FILTER": "F444W"}}, [])


def test_it_is_read_again_only_for_keywords_that_nobody_asked_for_so_far(desk: Desk) -> None:
    desk.fetch(RATE)
    keep(desk, *unread(desk, 1, "TSOVISIT"), more="TSOVISIT")
    assert unread(desk) == unread(desk, 1, "TSOVISIT") == []
    (entry,) = unread(desk, 1, "GAINFACT")
    assert entry.extras == {"TSOVISIT"}, "who asked for it finds it again"
    keep(desk, entry, more="GAINFACT")
    assert unread(desk, 1, "TSOVISIT", "GAINFACT") == []


def test_a_copy_that_cannot_be_read_is_tried_once_and_the_next_best_speaks_for_it(desk: Desk) -> None:
    desk.fetch(RATE, f"{STEM}_uncal.fits")
    (entry,) = unread(desk)
    keep(desk, entry, cards=None)
    assert kept(desk) == {RATE: {}}
    assert names_of(unread(desk)) == [f"{STEM}_uncal.fits"]
    keep(desk, *unread(desk))
    assert unread(desk) == unread(desk, 1, "TSOVISIT")[1:] == []
    with desk.store.database.write() as connection:  # another copy of the same revision
        connection.execute(
            update(tables.file).where(tables.file.c.path == entry.path).values(sha256="0" * 64)
        )
    assert names_of(unread(desk)) == [RATE]


def test_a_picture_is_traced_to_a_copy_in_its_own_root_and_to_that_copys_observation(desk: Desk) -> None:
    several = "jw01345-c1001_t001_nircam_clear-f200w_i2d.fits"
    desk.fetch(several)
    desk.fetch(RATE)
    desk.want(f"{STEM}_cal.fits")
    asked = [several, RATE, f"{STEM}_cal.fits", "other.fits"]
    assert desk.store.inventory.lying(desk.root.id, asked) == {several: None, RATE: 1}
    assert desk.store.inventory.lying(desk.root.id + 1, asked) == {}


def test_nothing_read_is_nothing_kept(desk: Desk) -> None:
    desk.store.headers.keep([], names=NAMES)
    assert kept(desk) == {}


def test_header_values_outlive_the_upgrade_in_less_room_and_the_way_back(
    empty_url: str, open_at: Open
) -> None:
    database, count = open_at(empty_url), 1100
    config = migrate.alembic_config()
    config.attributes["engine"] = database.engine
    command.upgrade(config, "0004")
    cards = [CARDS | {"EXPOSURE": number, "TITLE": 'a "title" of \u00e9toiles'} for number in range(count)]
    product, plain = tables.product, text("INSERT INTO keywords VALUES (:product, 3, 'digest', :cards)")
    if database.is_sqlite:
        size = "SELECT sum(length(cards)) FROM keywords"
    else:
        plain = text("INSERT INTO keywords VALUES (:product, 3, 'digest', CAST(:cards AS JSONB))")
        size = "SELECT sum(octet_length(cards::text)) FROM keywords"
    with database.write() as connection:
        facts = {"filetype": "_rate.fits", "first_seen_at": NOW, "changed_at": NOW}
        ids = [3 * number + 1 for number in range(count)]
        connection.execute(
            product.insert(), [{"id": key, "uri": str(key), "name": str(key), **facts} for key in ids]
        )
        rows = [{"product": key, "cards": json.dumps(each)} for key, each in zip(ids, cards, strict=True)]
        connection.execute(plain, rows)
        before = connection.execute(text(size)).scalar_one()
        stored = connection.execute(text("SELECT cards FROM keywords ORDER BY product_id")).scalars().all()
    for _ in range(2):
        command.upgrade(config, "head")
        with database.read() as connection:
            keywords = tables.keywords
            found = connection.execute(select(keywords).order_by(keywords.c.product_id)).all()
            packed = connection.execute(select(func.sum(func.length(keywords.c.cards)))).scalar_one()
        assert [tuple(each) for each in found] == [
            (key, 3, "digest", each) for key, each in zip(ids, cards, strict=True)
        ]
        assert packed < before
        command.downgrade(config, "0004")
        with database.read() as connection:
            again = connection.execute(text("SELECT cards FROM keywords ORDER BY product_id")).scalars().all()
        assert [_value(each) for each in again] == [_value(each) for each in stored]


def _value(cards: Any) -> Any:
    return json.loads(cards) if isinstance(cards, str) else cards
