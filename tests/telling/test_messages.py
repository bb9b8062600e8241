"""What is told when: once about what holds, once an hour about a cause at most, and nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.config.settings import NotifySettings
from jwstwatch.core.model import Outcome, Trigger
from jwstwatch.disk import markers
from jwstwatch.errors import BusyError, JwstwatchError, StorageError
from jwstwatch.store.store import Store
from jwstwatch.telling.messages import Messenger, _last_digest
from jwstwatch.telling.posting import Delivery, Message
from jwstwatch.telling.trouble import Troubles
from jwstwatch.telling.worker import Worker
from tests.store.desk import DAY, HOUR, NOW, OTHER, PROFILE, Desk, file_names, row

MINUTE = timedelta(minutes=1)
FULL = StorageError("the disk is full", hint="Free some space there.")


@dataclass
class Letters:
    """Stands in for the post: keeps what is sent, or loses it."""

    sent: list[Message] = field(default_factory=list)
    works: bool = True
    problems: tuple[str, ...] = ()

    def send(self, message: Message, *, abandoned: threading.Event) -> Delivery:
        if not self.works:
            return Delivery(sent=0, problems=("target 1 (json) did not take the message",))
        self.sent.append(message)
        return Delivery(sent=1, problems=self.problems)

    @property
    def titles(self) -> list[str]:
        """What was sent since it was asked last."""
        titles = [message.title.removeprefix("jwstwatch: ") for message in self.sent]
        self.sent.clear()
        return titles


@dataclass
class Office:
    """A messenger, its post, and the state that it watches."""

    desk: Desk
    letters: Letters = field(default_factory=Letters)
    profiles: tuple[str, ...] = (PROFILE,)
    when: tuple[str, ...] = ()
    digest: int | None = None

    def __post_init__(self) -> None:
        self.restart()

    @property
    def store(self) -> Store:
        return self.desk.store

    def restart(self, **changes: Any) -> None:
        """Another process takes over."""
        self.messenger = Messenger(
            NotifySettings(to=("json://127.0.0.1/",), when=self.when, digest=self.digest),
            self.store,
            Troubles(self.store.notices, now=lambda: self.desk.now),
            profiles=self.profiles,
            server="https://mast.stsci.edu",
            post=self.letters,  # type: ignore[arg-type]
            worker=Worker("messages", capacity=10),
            now=self.desk.now,
            **{"rest": 0.0, **changes},
        )

    def later(self, delay: timedelta) -> None:
        self.desk = self.desk.later(delay)

    def end_run(self, error: JwstwatchError | None = None) -> list[str]:
        """End the run, begin another; returns the titles of what was told at the end."""
        counts = self.store.reports.of_run(self.desk.run.id, self.desk.profile)
        outcome = Outcome.FAILED if error else Outcome.COMPLETE
        self.store.runs.finish(self.desk.run, outcome, counts=counts, error=error, now=self.desk.now)
        self.messenger.run_ended(self.desk.profile)
        titles = self.round()
        run = self.store.runs.begin(self.desk.profile, Trigger.SCHEDULE, now=self.desk.now)
        self.desk = replace(self.desk, run=run)
        return titles

    def round(self) -> list[str]:
        self.messenger.round(self.desk.now)
        return self.letters.titles

    def rest(self) -> None:
        """Close the run, so that none goes on."""
        counts = self.store.reports.of_run(self.desk.run.id, self.desk.profile)
        self.store.runs.finish(self.desk.run, Outcome.COMPLETE, counts=counts, error=None, now=self.desk.now)


@pytest.fixture
def office(desk: Desk) -> Office:
    return Office(desk, when=("new", "reprocessed", "failures", "archive", "token"))


# -- news


def test_new_files_are_told_at_the_end_of_the_run_with_their_number_size_and_proposal(office: Office) -> None:
    office.desk.fetch(*file_names(3))
    assert office.round() == [], "the run goes on"

    office.rest()
    office.messenger.run_ended(PROFILE)
    office.messenger.round(office.desk.now)

    (message,) = office.letters.sent
    assert message.title == f"jwstwatch: {PROFILE}: 3 new files"
    assert "3.00 kB" in message.body
    assert f"proposal 1345: 3 files, 3.00 kB: such as {file_names(1)[0]}" in message.body
    assert message.kind == "success"


def test_a_run_that_brings_nothing_is_not_told(office: Office) -> None:
    assert office.end_run() == []


def test_what_comes_within_the_hour_is_told_together_after_it(office: Office) -> None:
    names = file_names(6)
    office.desk.fetch(names[0])
    assert office.end_run() == [f"{PROFILE}: 1 new file"]

    for name in names[1:4]:
        office.later(10 * MINUTE)
        office.desk.fetch(name)
        assert office.end_run() == []
    office.rest()
    office.later(29 * MINUTE)
    assert office.round() == []
    office.later(MINUTE)
    assert office.round() == [f"{PROFILE}: 3 new files"]
    office.later(DAY)
    assert office.round() == []


def test_what_waits_outlives_a_restart(office: Office) -> None:
    names = file_names(3)
    office.desk.fetch(names[0])
    office.end_run()
    office.desk.fetch(names[1])
    office.end_run()
    office.rest()

    office.restart()
    office.later(59 * MINUTE)
    assert office.round() == []
    office.later(MINUTE)
    assert office.round() == [f"{PROFILE}: 1 new file"]


def test_what_a_killed_process_had_fetched_is_told_by_the_next(office: Office) -> None:
    office.desk.fetch(*file_names(2))
    office.store.runs.finish(
        office.desk.run,
        Outcome.CANCELLED,
        counts=office.store.reports.of_run(0, PROFILE),
        error=None,
        now=NOW,
    )

    office.restart()

    assert office.round() == [f"{PROFILE}: 2 new files"]


def test_what_was_there_before_anybody_listened_is_no_news(desk: Desk) -> None:
    desk.fetch(*file_names(2))
    later = desk.next_run()
    office = Office(later, when=("new",))
    later.fetch(file_names(3)[2])

    assert office.end_run() == [f"{PROFILE}: 1 new file"]


def test_new_and_reprocessed_files_and_failures_are_causes_of_their_own(office: Office) -> None:
    names = file_names(3)
    office.desk.fetch(names[0])
    assert office.end_run() == [f"{PROFILE}: 1 new file"]

    office.desk.list(row(names[0], size=2000))
    office.desk.want(names[1], names[2])
    claims = {claim.name: claim for claim in office.desk.claim()}
    office.desk.place(claims[names[0]], claims[names[1]])
    office.desk.fail(claims[names[2]], message="the archive has lost it (HTTP 404)")

    assert office.end_run() == [f"{PROFILE}: 1 reprocessed file", f"{PROFILE}: 1 file failed"], (
        "a new one came too, but new files were told a moment ago"
    )
    office.rest()
    office.later(HOUR)
    assert office.round() == [f"{PROFILE}: 1 new file"]


def test_a_reprocessed_file_is_told_with_its_versions(office: Office) -> None:
    desk, (name,) = office.desk, file_names(1)
    ids = desk.fetch(name)
    assert office.end_run() == [f"{PROFILE}: 1 new file"]
    desk = office.desk
    key = desk.row_of(ids[name]).product_id
    for version, context in (("1.20.2", "jwst_1230.pmap"), ("1.21.0", "jwst_1303.pmap")):
        facts = {"keywords.cal_ver": version, "keywords.crds_ctx": context}
        desk.store.revisions.record_facts(desk.run.id, {key: facts}, now=desk.now)
    desk.place(*desk.claim())

    office.rest()
    office.messenger.run_ended(PROFILE)
    office.messenger.round(desk.now)

    changes = "(1.20.2 -> 1.21.0, jwst_1230.pmap -> jwst_1303.pmap)"
    assert f"proposal 1345: 1 file, 1.00 kB: {name} {changes}" in office.letters.sent[-1].body


def test_two_profiles_do_not_silence_one_another(desk: Desk) -> None:
    office = Office(desk, profiles=(PROFILE, OTHER), when=("new",))
    other = desk.of(OTHER)
    desk.fetch(file_names(1)[0])
    assert office.end_run() == [f"{PROFILE}: 1 new file"]

    other.fetch(file_names(2)[1])
    office.desk = other
    assert office.end_run() == [f"{OTHER}: 1 new file"]


def test_only_what_is_asked_for_is_told(desk: Desk) -> None:
    office = Office(desk, when=("failures",))
    office.desk.fetch(*file_names(2))
    office.store.notices.raise_("token rejected", kind="token", text="it was rejected", now=NOW)
    office.store.notices.raise_("archive down", kind="archive", text="it is down", now=NOW)

    assert office.end_run() == []
    assert office.end_run(FULL) == [f"{PROFILE}: a run failed"]


def test_a_failure_is_told_with_its_reason_and_what_to_do(office: Office) -> None:
    office.desk.want(*file_names(7))
    office.desk.fail(*office.desk.claim(), message="the archive has lost it (HTTP 404)")
    office.store.runs.finish(
        office.desk.run,
        Outcome.PARTIAL,
        counts=office.store.reports.of_run(office.desk.run.id, PROFILE),
        error=FULL,
        now=NOW,
    )
    office.messenger.run_ended(PROFILE)
    office.messenger.round(NOW)

    (message,) = office.letters.sent
    assert message.title == f"jwstwatch: {PROFILE}: 7 files failed"
    assert "the disk is full\n  Free some space there." in message.body
    assert f"- {file_names(1)[0]}: the archive has lost it (HTTP 404)" in message.body
    assert "- and 2 more" in message.body
    assert message.kind == "failure"


def test_a_failure_that_goes_on_is_told_once(office: Office) -> None:
    assert office.end_run(FULL) == [f"{PROFILE}: a run failed"]
    for _ in range(3):
        office.later(2 * HOUR)
        assert office.end_run(FULL) == []
    office.later(2 * HOUR)
    assert office.end_run() == []
    office.later(2 * HOUR)
    assert office.end_run(FULL) == [f"{PROFILE}: a run failed"]


def test_a_profile_that_is_no_more_is_not_told_of(office: Office) -> None:
    office.store.notices.raise_("nothing found gone", kind="profile", profile="gone", text="nothing", now=NOW)
    office.messenger.run_ended("gone")

    assert office.round() == []


# -- what holds


@pytest.mark.parametrize(
    ("cause", "kind", "when"),
    [
        ("token rejected", "token", "token"),
        ("token expires", "token", "token"),
        ("archive down", "archive", "archive"),
        (f"nothing found {PROFILE}", "profile", "failures"),
        (f"plan waits {PROFILE}", "plan", "failures"),
        ("space /data", "space", "failures"),
        ("clock", "clock", "failures"),
        ("hook after_run", "hook", "failures"),
    ],
)
def test_what_holds_is_told_when_it_begins_and_not_again(
    desk: Desk, cause: str, kind: str, when: str
) -> None:
    office = Office(desk, when=(when,))
    deaf = Office(desk, when=tuple({"new", "token", "archive", "failures"} - {when}))

    def hold() -> None:
        office.store.notices.raise_(cause, kind=kind, text="it is so", now=office.desk.now)

    hold()
    assert deaf.round() == []
    assert office.round() == [cause]
    for _ in range(5):
        office.later(7 * HOUR)
        hold()
        assert office.round() == []

    office.store.notices.clear(cause, now=office.desk.now)
    office.later(HOUR)
    hold()
    assert office.round() == [cause], "it began anew"


def test_what_comes_and_goes_is_told_once_an_hour_at_most(office: Office) -> None:
    sent = []
    for _ in range(18):
        office.store.notices.raise_("token rejected", kind="token", text="no", now=office.desk.now)
        sent += office.round()
        office.store.notices.clear("token rejected", now=office.desk.now)
        office.later(10 * MINUTE)

    assert sent == ["token rejected"] * 3


@pytest.mark.parametrize("cause", ["notify", "heartbeat", "metrics"])
def test_trouble_with_telling_is_not_told(office: Office, cause: str) -> None:
    office.store.notices.raise_(cause, kind="message", text="it does not work", now=NOW)

    assert office.round() == []


def test_the_archives_return_is_told_to_who_heard_of_its_going(office: Office) -> None:
    office.store.notices.raise_("archive down", kind="archive", text="no answer", now=NOW)
    assert office.round() == ["archive down"]
    office.later(40 * MINUTE)
    office.store.notices.clear("archive down", now=office.desk.now)
    office.restart()
    office.later(MINUTE)

    office.messenger.round(office.desk.now)

    (message,) = office.letters.sent
    assert message.title == "jwstwatch: archive back"
    assert "https://mast.stsci.edu answers again since 2026-03-01T12:40:00Z. It was down for 0:40:00." in (
        message.body
    )
    office.letters.sent.clear()
    office.later(HOUR)
    assert office.round() == []


def test_an_archive_that_flickers_is_told_once_an_hour_in_each_direction(office: Office) -> None:
    told: list[tuple[datetime, str]] = []

    def listen() -> None:
        told.extend((office.desk.now, title) for title in office.round())

    for _ in range(40):
        office.store.notices.raise_("archive down", kind="archive", text="no answer", now=office.desk.now)
        listen()
        office.later(3 * MINUTE)
        office.store.notices.clear("archive down", now=office.desk.now)
        listen()
        office.later(4 * MINUTE)
    office.later(2 * HOUR)
    listen()

    for direction in ("archive down", "archive back"):
        times = [moment for moment, title in told if title == direction]
        assert len(times) >= 3
        assert all(second - first >= HOUR for first, second in pairwise(times))
    assert told[-1][1] == "archive back", "nobody is left with the belief that it is down"


def test_an_archive_that_was_back_before_anybody_heard_of_it_is_not_told(office: Office) -> None:
    office.store.notices.raise_("archive down", kind="archive", text="no answer", now=NOW)
    office.store.notices.clear("archive down", now=NOW)

    assert office.round() == []


# -- the digest


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2026, 3, 1, 8, 0, tzinfo=UTC), datetime(2026, 3, 1, 8, 0, tzinfo=UTC)),
        (datetime(2026, 3, 1, 7, 59, 59, tzinfo=UTC), datetime(2026, 2, 28, 8, 0, tzinfo=UTC)),
        (datetime(2026, 3, 1, 23, 0, tzinfo=UTC), datetime(2026, 3, 1, 8, 0, tzinfo=UTC)),
    ],
)
def test_a_digest_was_due_last_at_its_minute_in_utc(now: datetime, due: datetime) -> None:
    assert _last_digest(now, 8 * 60) == due


def digest_days(
    office: Office, days: int, *, each_minute: Callable[[], None] = lambda: None
) -> list[datetime]:
    """Look every hour for so many days; returns when a digest was sent."""
    times = []
    for _ in range(days * 24):
        each_minute()
        if office.round():
            times.append(office.desk.now)
        office.later(HOUR)
    return times


def test_a_digest_comes_once_a_day_at_its_minute_across_restarts(desk: Desk) -> None:
    office = Office(desk, when=(), digest=8 * 60)  # it is noon

    times = digest_days(office, 3, each_minute=office.restart)

    assert times == [datetime(2026, 3, day, 8, 0, tzinfo=UTC) for day in (2, 3, 4)]


def test_a_digest_that_was_slept_through_is_sent_once_at_waking(desk: Desk) -> None:
    office = Office(desk, when=(), digest=8 * 60)
    office.later(3 * DAY - HOUR)
    office.restart()

    assert office.round() == ["digest of 2026-03-04"]
    office.later(MINUTE)
    assert office.round() == []


def test_nothing_new_is_one_line(desk: Desk, tmp_path: Path) -> None:
    office = Office(desk, when=(), digest=13 * 60)
    (tmp_path / "data").mkdir()
    markers.establish(tmp_path / "data", expected=desk.root.uuid, files=0)
    office.end_run()
    office.later(HOUR)

    office.messenger.round(office.desk.now)

    (message,) = office.letters.sent
    first, empty, host = message.body.split("\n")
    assert first.startswith("Nothing new in 1 run; ")
    assert first.endswith(f"free in {tmp_path / 'data'}.")
    assert empty == ""
    assert host


def test_a_digest_says_what_came_what_fails_what_is_free_and_what_is_to_be_seen_to(desk: Desk) -> None:
    office = Office(desk, profiles=(PROFILE, OTHER), when=(), digest=13 * 60)
    office.later(-2 * DAY)
    office.desk.fetch(file_names(1)[0])
    office.end_run()
    office.later(2 * DAY)
    names = file_names(4)
    office.desk.fetch(names[1], names[2])
    office.desk.want(names[3])
    office.desk.fail(*office.desk.claim())
    office.end_run(FULL)
    office.store.notices.raise_("hook after_run", kind="hook", text="it ended with status 1", now=NOW)
    office.later(HOUR)

    office.messenger.round(office.desk.now)

    (message,) = office.letters.sent
    lines = message.body.split("\n")
    assert lines[:5] == [
        "The last 24 hours:",
        f"- {PROFILE}: 2 files came (0 B) in 1 run, 1 run failed, 1 file failing",
        f"- {OTHER}: no run",
        f"{desk.root.path} is not there",
        "To be seen to:",
    ]
    assert lines[5] == "- hook after_run: it ended with status 1"


def test_without_a_digest_there_is_none(office: Office) -> None:
    assert digest_days(office, 2) == []


# -- what goes wrong


def test_a_message_that_nobody_takes_is_noted_and_sent_later(office: Office) -> None:
    office.desk.fetch(file_names(1)[0])
    office.letters.works = False
    assert office.end_run() == []
    office.rest()
    assert [(notice.cause, notice.kind, notice.text) for notice in office.store.notices.holding()] == [
        ("notify", "message", "messages do not arrive: target 1 (json) did not take the message")
    ]

    office.letters.works = True
    office.later(MINUTE)
    assert office.round() == [f"{PROFILE}: 1 new file"], "the one that was lost does not count"
    assert office.store.notices.holding() == []


def test_after_a_message_that_nobody_takes_there_is_a_rest(office: Office) -> None:
    office.restart(rest=300.0)
    office.letters.works = False
    office.store.notices.raise_("token rejected", kind="token", text="no", now=NOW)
    office.round()
    office.letters.works = True

    assert office.round() == []


def test_one_target_of_several_that_does_not_take_it_is_noted_and_the_rest_is_not_bothered_again(
    office: Office,
) -> None:
    office.letters.problems = ("target 2 (mailto) did not take the message",)
    office.desk.fetch(file_names(1)[0])
    assert office.end_run() == [f"{PROFILE}: 1 new file"]
    office.rest()
    office.later(2 * HOUR)

    assert office.round() == []
    assert [notice.cause for notice in office.store.notices.holding()] == ["notify"]


def test_a_state_that_is_busy_makes_messages_wait(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.desk.fetch(file_names(1)[0])
    office.rest()
    office.messenger.run_ended(PROFILE)

    def busy(*_: object, **__: object) -> None:
        raise BusyError("the state is locked by another process")

    with monkeypatch.context() as patch:
        patch.setattr(office.messenger._news, "arrivals", busy)
        assert office.round() == []

    assert office.round() == [f"{PROFILE}: 1 new file"]


def test_two_processes_do_not_tell_the_same_twice(office: Office) -> None:
    office.desk.fetch(file_names(1)[0])
    office.rest()
    other = Office(office.desk, when=office.when)
    for messenger in (office.messenger, other.messenger):
        messenger.run_ended(PROFILE)

    assert office.round() + other.round() == [f"{PROFILE}: 1 new file"]
