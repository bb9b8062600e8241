"""The status document as people read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from jwstwatch.cli.output import Look
from jwstwatch.cli.status_parts import progress
from jwstwatch.cli.status_profile import one_profile
from jwstwatch.cli.status_text import whole
from tests.cli import samples
from tests.cli.samples import SINCE, profile, running, status

COLOURS = re.compile(r"\033\[\d*m")


def text(*, width: int | None = None, by_daemon: bool = True, **changes: Any) -> str:
    return whole(status(**changes), look=Look(width=width), by_daemon=by_daemon)


def of_profile(document: Mapping[str, Any], width: int | None = None) -> str:
    return one_profile(document, look=Look(width=width))


BUSY = status(
    profiles=[
        profile("watch", running=True, last_run=samples.run(outcome=None)),
        profile("everything-of-the-team-since-launch", schedule="cron 15 */6 * * 1-5 (UTC)", queued=True),
        profile("third", files={**profile()["files"], "failed": 3, "withheld": 1234}),
    ],
    running=[running()],
    roots=[{"path": "/srv/" + "long/" * 30, "mounted": False, "free_bytes": None, "problem": "is not there"}],
    notices=[{"kind": "token", "profile": None, "text": "the token " + "ends soon " * 30, "since": SINCE}],
    unselected={"files": 3, "bytes": 12_000_000},
)


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_nothing_is_wider_than_the_terminal_but_a_path(width: int) -> None:
    lines = COLOURS.sub("", whole(BUSY, look=Look(width=width, colour=True), by_daemon=True)).splitlines()
    assert max(len(line) for line in lines if not line.startswith("/srv/long")) <= width
    assert max(len(line) for line in lines if line.startswith("/srv/long") and " NO " in line) <= width


def columns_shown(width: int, document: dict[str, Any]) -> list[str]:
    shown = whole(document, look=Look(width=width), by_daemon=True).splitlines()
    return next(line for line in shown if line.startswith("profile")).split("  ")


def test_a_narrow_table_keeps_what_went_wrong() -> None:
    names = [name.strip() for name in columns_shown(80, BUSY) if name.strip()]
    assert names == ["profile", "last run", "outcome", "present", "failed"]
    assert "gone" in columns_shown(200, BUSY)


def test_a_narrow_table_leaves_out_first_what_tells_nothing() -> None:
    names = [name.strip() for name in columns_shown(90, status()) if name.strip()]
    assert names[:6] == ["profile", "schedule", "next run", "last run", "outcome", "present"]
    assert names[-1] == "on disk"
    assert not {"gone", "to fetch", "stale", "withheld"} & set(names)


# -- what runs


@pytest.mark.parametrize("width", [76, 80, 96, 200])
def test_a_transfer_is_a_bar_and_its_figures(width: int) -> None:
    line = progress(running(), width=width)
    assert len(line) <= width
    bar, figures = line.split("  ", 1)
    assert figures == " 50 %  1172 of 2345 files  2.8 of 5.6 GB  23.4 MB/s  2 min left"
    assert abs(bar.count("#") - bar.count("-")) <= 1


def test_where_there_is_no_room_the_bar_goes_first() -> None:
    assert progress(running(), width=66).startswith(" 50 %")
    assert progress(running(), width=20) == " 50 %  1172 of 2345…"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": 0, "received": 7}, " 49 %  1172 of 2345 files  7 B  23.4 MB/s"),
        ({"received": 300_000}, "  0 %  1172 of 2345 files  300 kB of 5.6 GB"),
        ({"received": 9_000_000_000}, "100 %  1172 of 2345 files  9 of 5.6 GB"),
        ({"bytes_per_second": 0, "seconds_left": None}, "2.8 of 5.6 GB"),
        ({"files": 1, "done": 0}, "0 of 1 file  "),
    ],
    ids=["sizes unknown", "just begun", "more than listed", "no speed yet", "one file"],
)
def test_a_transfer_is_told_as_far_as_it_is_known(changes: dict[str, Any], words: str) -> None:
    assert words in progress(running(**changes), width=None)


def test_a_run_elsewhere_is_told_without_figures() -> None:
    untold = dict.fromkeys(("files", "done", "size", "received", "bytes_per_second", "seconds_left"))
    shown = text(running=[running(step="in process 12 on here", **untold)])
    assert "running\n  watch: in process 12 on here (schedule, for 2 min)\n\n" in shown


def test_who_waits_for_a_turn_is_told() -> None:
    shown = text(profiles=[profile("a", queued=True), profile("b", queued=True)])
    assert "running\n  waiting for their turn: a, b\n" in shown
    assert re.search(r"^a +every 6h +waits ", shown, re.MULTILINE)


# -- the head


def test_the_daemon_is_told() -> None:
    assert "daemon    running for 3 h (process 4711, version 9.8.7)\n" in text()
    assert "it does not answer here" in text(by_daemon=False)
    nobody = {"running": False, "pid": None, "since": None, "version": None}
    assert "daemon    not running (`systemctl start jwstwatch`" in text(daemon=nobody, by_daemon=False)
    unknown = nobody | {"running": True}
    assert "daemon    running; it does not answer" in text(daemon=unknown, by_daemon=False)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ({"source": None, "days_left": None}, "none (public data need none)"),
        ({"source": "keyring", "days_left": 44}, "from keyring, at most 44 days left"),
        ({"source": "keyring", "days_left": 1}, "from keyring, at most 1 day left"),
        ({"source": "credential", "days_left": None}, "from credential"),
        ({"source": "token file", "days_left": 0, "rejected": True}, "from token file: REJECTED"),
    ],
)
def test_the_token_is_told_by_its_place_and_its_days(token: Mapping[str, Any], words: str) -> None:
    assert f"token     {words}" in text(token=token)


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        ({"reachable": None, "checked_at": None}, "not asked yet"),
        ({"reachable": True, "checked_at": SINCE}, "reachable 3 h ago"),
        ({"reachable": False, "checked_at": SINCE}, "not reachable 3 h ago"),
        (
            {"reachable": False, "down_since": SINCE, "next_probe_at": "2026-03-01T12:01:00Z"},
            "DOWN for 3 h, asked again in 60 s",
        ),
    ],
)
def test_the_archive_is_told(archive: Mapping[str, Any], words: str) -> None:
    assert f"archive   https://mast: {words}\n" in text(archive={"server": "https://mast", **archive})


def test_a_refused_configuration_is_told_with_every_reason() -> None:
    configuration = {"path": "/etc/x.yaml", "read_at": SINCE, "refused": ["x.yaml:3: one", "x.yaml:4: two"]}
    shown = text(configuration=configuration)
    assert "config    /etc/x.yaml, read 3 h ago\n" in shown
    assert "is refused" in shown
    assert "          x.yaml:3: one\n          x.yaml:4: two\n" in shown


# -- what is wrong


def notice(kind: str, text: str, **more: Any) -> dict[str, Any]:
    return {"cause": "it", "kind": kind, "profile": None, "text": text, "since": SINCE, "times": 1} | more


def test_what_people_should_know_is_told_with_what_to_do() -> None:
    query = "watch: the query finds nothing: `jwstwatch query` may tell why"
    shown = text(
        notices=[
            notice("clock", "the clock is 6 min behind the archive's."),
            notice("profile", query, profile="watch"),
            notice("plan", "7 files wait for a yes", profile="watch"),
            notice("space", "watch: 7 files, 2 TB wait for space on /data", profile="watch"),
            notice("another kind", "something"),
        ]
    )
    assert (
        "the clock is 6 min behind the archive's (for 3 h)\n  Let the machine keep its time by NTP" in shown
    )
    assert f"\n{query} (for 3 h)\n" in shown, "one that names a command gets no other hint"
    assert "\nwatch: 7 files wait for a yes (for 3 h)\n  `jwstwatch run-now watch --yes`" in shown
    assert "\nwatch: 7 files, 2 TB wait for space on /data (for 3 h)\n  Free space, lower min_free" in shown
    assert "\nsomething (for 3 h)\n" in shown


def test_why_a_run_was_not_complete_is_told_even_while_the_next_one_goes_on() -> None:
    error = {"kind": "storage", "message": "/data is full", "hint": "Free some space there."}
    shown = text(
        profiles=[
            profile(
                running=True,
                last_run=samples.run(outcome=None),
                last_ended_run=samples.run(outcome="partial", error=error),
                files={**profile()["files"], "failed": 3},
            )
        ]
    )
    assert re.search(r"^watch .* running ", shown, re.MULTILINE)
    assert "watch: /data is full\n  Free some space there.\n" in shown
    assert "watch: 3 files failed\n  `jwstwatch status watch` tells why" in shown


def test_what_a_run_ended_with_is_not_told_again_as_a_notice() -> None:
    message = "91 files wait for the quota of 6.00 MB: 5.72 MB are used"
    error = {"kind": "storage", "message": message, "hint": "Raise quota by 16.5 MB."}
    shown = text(
        profiles=[profile(last_ended_run=samples.run(outcome="partial", error=error))],
        notices=[
            notice("space", f"watch: {message}", profile="watch"),
            notice("space", "other: 3 files wait for space on /data", profile="other"),
        ],
    )
    assert shown.count("91 files wait") == 1
    assert f"watch: {message}\n  Raise quota by 16.5 MB.\n" in shown
    assert "other: 3 files wait for space on /data (for 3 h)" in shown


def test_what_an_archive_says_does_not_steer_the_terminal() -> None:
    error = {"kind": "archive", "message": "it said \033]0;hello\007", "hint": ""}
    assert "\033" not in text(profiles=[profile(last_ended_run=samples.run(error=error))])
    assert "\033" not in of_profile(samples.of_profile(failed=[samples.failed(last_error="\033[2J")]))


def test_a_profile_is_named_before_a_sentence_that_begins_like_it() -> None:
    error = {"kind": "archive", "message": "archive trouble", "hint": ""}
    shown = text(profiles=[profile("a", last_ended_run=samples.run(error=error))])
    assert "\na: archive trouble\n" in shown


def test_a_run_without_an_end_that_does_not_go_on_was_killed() -> None:
    shown = text(profiles=[profile(last_run=samples.run(outcome=None))])
    assert re.search(r"^watch .* killed ", shown, re.MULTILINE)


def test_a_profile_that_never_ran_is_told_so() -> None:
    shown = text(profiles=[profile(last_run=None, last_ended_run=None, next_run_at=None, schedule="off")])
    assert re.search(r"^watch +off +- +never +- ", shown, re.MULTILINE)


def test_a_run_that_is_due_is_due_now() -> None:
    assert re.search(r"^watch .* now +60 min ago", text(profiles=[profile(next_run_at=SINCE)]), re.MULTILINE)


def test_files_without_a_profile_are_told() -> None:
    shown = text(unselected={"files": 3, "bytes": 12_000_000})
    assert "3 files of 12 MB belong to no profile any more\n  `jwstwatch prune --unselected`" in shown
    assert "belong to no profile" not in text()


def test_a_document_of_an_older_daemon_can_be_shown() -> None:
    contract = ("daemon", "archive", "token", "profiles", "roots")
    old = {name: value for name, value in status().items() if name in contract}
    for entry in old["profiles"]:
        for name in ("running", "queued", "last_ended_run", "approval", "warnings", "found_nothing"):
            del entry[name]
    old["archive"] = {"reachable": True, "checked_at": SINCE}
    old["roots"] = [{"path": "/srv/jwst", "mounted": True, "free_bytes": 1}]
    assert "watch" in whole(old, look=Look(width=80), by_daemon=True)


# -- one profile


def test_a_profile_is_told_by_its_settings_and_its_files() -> None:
    document = samples.of_profile()
    settings = {"propID": ["9001", "9002 1 2"], "makewebpages": True, "obsnums": [], "every": "6h"}
    document["profile"]["settings"] = settings
    document["profile"]["files"]["withheld"] = 18
    lines = of_profile(document).splitlines()
    assert lines[:5] == [
        "profile   watch",
        "schedule  every 6h, next in 5 h",
        "folder    /srv/jwst",
        "asks for  propID: 9001, 9002 1 2; makewebpages: true; obsnums: -",
        "files     12 present, 18 withheld; 134 kB on disk",
    ]


def test_a_plan_that_waits_is_told_with_the_word_it_waits_for() -> None:
    document = samples.of_profile()
    document["profile"]["plan"] = {"files": 7, "bytes": 600_000_000_000}
    assert "to fetch  7 files, 600 GB as listed, at the next run\n\n" in of_profile(document)
    document["profile"]["approval"] = {"files": 7, "bytes": 6e11, "text": "it waits", "since": SINCE}
    shown = of_profile(document)
    assert "to fetch  7 files, 600 GB as listed\n" in shown
    assert "This plan waits for a yes (for 3 h).\n  `jwstwatch run-now watch --yes` carries it out." in shown


@pytest.mark.parametrize(
    ("limit", "when", "words"),
    [
        ("space", "as far as there is room", "space on its disk"),
        ("quota", "as far as there is room", "its quota"),
        ("reprocess_budget", "a part of it a day", "the reprocess budget of the coming days"),
    ],
)
def test_what_waits_for_room_is_told_beside_the_plan(limit: str, when: str, words: str) -> None:
    document = samples.of_profile()
    document["profile"]["plan"] = {"files": 7, "bytes": 600_000_000_000}
    document["profile"]["waiting"] = {"files": 4, "bytes": 500_000_000_000, "for": limit}
    shown = of_profile(document)
    assert f"to fetch  7 files, 600 GB as listed, {when}\n" in shown
    assert f"waiting   4 files, 500 GB as listed, for {words}\n" in shown


def test_failed_files_are_told_with_their_error_and_next_attempt() -> None:
    others = [samples.failed(name=f"{number}.fits") for number in range(24)]
    foreign = samples.failed(name="jw2.fits", next_attempt_at=None, last_error="a link stands there")
    due = samples.failed(name="due.fits", next_attempt_at=SINCE)
    shown = of_profile(samples.of_profile(failed=[samples.failed(), foreign, due, *others]))
    name = samples.failed()["name"]
    assert re.search(rf"^in 2 h +2  83.9 MB  {name} +HTTP 404$", shown, re.MULTILINE)
    assert re.search(r"^not by itself .* a link stands there$", shown, re.MULTILINE)
    assert re.search(r"^next run .* due.fits", shown, re.MULTILINE)
    assert "and 7 files more: `jwstwatch files --profile watch --state failed`\n" in shown
    assert "`jwstwatch retry --profile watch` tries them now." in shown


def test_withheld_files_are_told_by_their_release() -> None:
    withheld = [
        {"reason": "no token", "released_at": SINCE, "files": 1, "bytes": 1},
        {"reason": "no token", "released_at": "2026-09-01T00:00:00Z", "files": 18, "bytes": 3_000_000},
        {"reason": "no token", "released_at": None, "files": 1, "bytes": 1},
    ]
    shown = of_profile(samples.of_profile(withheld=withheld))
    assert re.search(r"^2026-03-01  asked again +1 +1 B  no token$", shown, re.MULTILINE)
    assert re.search(r"^2026-09-01  in 184 d +18  3 MB  no token$", shown, re.MULTILINE)
    assert re.search(r"^no date     - +1 +1 B  no token$", shown, re.MULTILINE)


_OUTCOMES = ("running", "failed", "complete")


def test_the_runs_are_told_newest_first_with_why_the_last_one_failed() -> None:
    error = {"kind": "archive_unreachable", "message": "https://mast cannot be reached", "hint": "Wait."}
    runs = [
        samples.run(run_id=3, outcome=None, finished_at=None, trigger="schedule"),
        samples.run(run_id=2, outcome="failed", error=error),
        samples.run(run_id=1),
    ]
    document = samples.of_profile(runs=runs, running=[running()])
    document["profile"]["running"] = True
    shown = of_profile(document, width=200)
    rows = [line.split() for line in shown.splitlines() if re.match(r"[123]  ", line)]
    assert [(row[0], next(word for word in row if word in _OUTCOMES)) for row in rows] == [
        ("3", "running"),
        ("2", "failed"),
        ("1", "complete"),
    ]
    assert "run 2: https://mast cannot be reached\n  Wait." in shown
    assert " 50 %  1172 of 2345 files" in shown
    assert of_profile(samples.of_profile(runs=[])).endswith("no run yet")


@pytest.mark.parametrize("width", [80, 200])
def test_a_profiles_page_fits_the_terminal(width: int) -> None:
    long = samples.failed(last_error="the archive sent a page instead of the file, " * 5)
    shown = of_profile(samples.of_profile(failed=[long]), width=width)
    assert max(len(line) for line in shown.splitlines()) <= width
