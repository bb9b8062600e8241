"""Several questions at once through the real client: what they share, and what each has for itself."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from jwstwatch.archive import session
from jwstwatch.archive.batching import AT_ONCE, product_batches
from jwstwatch.archive.mast import MastArchive
from jwstwatch.archive.protocol import LogInStatus
from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer, Fault, FaultKind
from jwstwatch.errors import ArchiveError
from tests.archive.server import Asked, Mast, Reply, as_reply, envelope, in_turn, paged

Connect = Callable[..., MastArchive]
PATIENCE = 20.0
TOKEN = "5ecret-t0ken-0f-ours"


def one_row_for_each(asked: Asked) -> Reply:
    obsids = asked.request["params"]["obsid"].split(",")
    rows = [
        {"dataURI": f"mast:a/{obsid}", "obsID": int(obsid), "parent_obsid": int(obsid)} for obsid in obsids
    ]
    return as_reply(envelope(rows))


class Meeting:
    """Answers the first `before` questions at once, and `parties` more only once all of them are there."""

    def __init__(self, *, before: int, parties: int) -> None:
        self._waiting = iter([False] * before + [True] * parties)
        self._barrier = threading.Barrier(parties)
        self._lock = threading.Lock()
        self._there = 0
        self.most = 0

    def __call__(self, asked: Asked) -> Reply:
        with self._lock:
            self._there += 1
            self.most = max(self.most, self._there)
            waits = next(self._waiting, False)
        if waits:
            self._barrier.wait(PATIENCE)
        with self._lock:
            self._there -= 1
        return one_row_for_each(asked)


def test_so_many_questions_reach_the_archive_at_once_and_no_more(mast: Mast, connect: Connect) -> None:
    mast.invoke = meeting = Meeting(before=2, parties=AT_ONCE)
    archive = connect(stop=threading.Event())
    listed = [row.obsid for _, rows in product_batches(archive, range(1, 61), limit=5) for row in rows]
    assert listed == [*range(1, 61)]
    assert meeting.most == AT_ONCE
    assert len(mast.questions) == 12


def test_every_client_has_the_token_and_the_columns_and_no_setting_of_astroquerys_is_touched(
    mast: Mast, connect: Connect
) -> None:
    from astroquery.query import cache_conf

    meeting = Meeting(before=2, parties=AT_ONCE)
    settings = set()

    def answer(asked: Asked) -> Reply:
        settings.add(cache_conf.cache_active)
        return meeting(asked)

    mast.invoke = answer
    mast.whoami = lambda asked: as_reply({"anon": False})
    archive = connect(token=TOKEN)
    assert archive.log_in().status is LogInStatus.ACCEPTED
    list(product_batches(archive, range(60), limit=5))
    assert {asked.headers["Authorization"] for asked in mast.questions} == {f"token {TOKEN}"}
    assert settings == {cache_conf.cache_active} == {True}
    archive.use_token(None)
    archive.log_in()
    list(product_batches(archive, range(60), limit=5))
    assert not any("Authorization" in asked.headers for asked in mast.questions[12:])


def test_a_client_that_is_opened_beside_others_touches_no_warnings_but_its_own(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect().products([1])

    class Switched(warnings.catch_warnings):  # type: ignore[type-arg]
        """What two threads do with it at a time may never be undone."""

        def __enter__(self) -> None:
            frame = sys._getframe(1)
            assert frame.f_globals["__name__"] != session.__name__
            super().__enter__()

    monkeypatch.setattr(warnings, "catch_warnings", Switched)
    connect().products([2])


def test_questions_one_after_another_share_a_connection_and_closing_ends_all(
    mast: Mast, connect: Connect
) -> None:
    archive = connect()
    mast.invoke = Meeting(before=2, parties=AT_ONCE)
    list(product_batches(archive, range(60), limit=5))
    assert len(archive._idle) == AT_ONCE
    opened = [client.astroquery._session for client in archive._idle]
    closed = []
    for one in opened:
        one.close = lambda one=one: closed.append(one)
    archive.products([1])
    archive.close()
    assert closed == opened
    assert archive._idle == []
    archive.products([1])
    archive.products([1])
    assert len(archive._idle) == 1


@pytest.mark.parametrize(
    ("reply", "times"),
    [
        (Reply(b"", status=429), 2),
        (Reply(b"", status=503, headers={"Retry-After": "20"}), 2),
        (Reply(b"", status=503), 0),
        (Reply(cut=True), 0),
    ],
)
def test_that_the_archive_wants_to_be_asked_less_is_counted(
    mast: Mast, connect: Connect, reply: Reply, times: int
) -> None:
    archive = connect()
    mast.invoke = in_turn(reply, reply, paged([]))
    archive.products([1])
    assert archive.limited == times


def test_a_long_wish_for_rest_ends_the_listing_after_what_is_on_its_way(mast: Mast, connect: Connect) -> None:
    mast.invoke = in_turn(Reply(b"", status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(ArchiveError, match="limiting"):
        list(product_batches(connect(), range(100), limit=1))
    assert len(mast.questions) <= 2


def test_a_listing_in_batches_says_what_one_question_for_all_says(mast: Mast) -> None:
    with ArchiveServer(scaled_catalogue(observations=60, now=datetime(2026, 1, 1, tzinfo=UTC))) as server:
        archive = MastArchive(server.url, timeout=5.0, sleep=lambda seconds: None)
        obsids = sorted({row["obsid"] for row in server.catalogue.observation_rows()})  # type: ignore[type-var]
        whole = archive.products([int(str(obsid)) for obsid in obsids])
        service: dict[str, Any] = {"service": "Mast.Caom.Products"}
        server.faults.add(Fault(kind=FaultKind.ERROR, skip=1, times=2, **service))
        server.faults.add(Fault(kind=FaultKind.EXECUTING, skip=5, times=2, **service))
        listed = [row for _, rows in product_batches(archive, obsids) for row in rows]
        assert server.errors == []
    assert len(whole) > len(obsids)
    assert sorted(map(repr, listed)) == sorted(map(repr, whole))
