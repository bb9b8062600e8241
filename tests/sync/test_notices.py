"""What a run makes known of the archive: empty answers, clocks, tokens; and that it is over."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jwstwatch.core.model import Outcome, Trigger
from jwstwatch.demo.server import Fault, FaultKind
from jwstwatch.errors import ExitCode
from jwstwatch.store.runs import Counts
from jwstwatch.sync import story
from jwstwatch.sync.context import Options
from tests.sync.bench import Bench
from tests.sync.conftest import MakeBench

TOKEN = "0123456789abcdef0123456789abcdef"
OLD_TOKEN = "f" * 32
EMPTY = "nothing found watch"


def renamed(bench: Bench) -> None:
    """MAST gives the instrument another name from now on."""
    catalogue = bench.server.catalogue
    rows = catalogue.observation_rows
    catalogue.observation_rows = lambda: [row | {"instrument_name": "NRC"} for row in rows()]  # type: ignore[method-assign]


def last_counts(bench: Bench) -> Counts:
    return bench.store.runs.last(["watch"])["watch"].counts


def test_a_run_records_how_much_its_query_found_and_how_far_back_it_asked(bench: Bench) -> None:
    bench.configure({"watch": {"instrument": "nircam", "lookbacktime": 2}})
    bench.run()
    assert (last_counts(bench).found, last_counts(bench).from_floor) == (4, True)
    bench.later(days=3)
    bench.run()
    assert (last_counts(bench).found, last_counts(bench).from_floor) == (4, False), "stretched"
    bench.later(days=3)
    bench.run()
    assert (last_counts(bench).found, last_counts(bench).from_floor) == (0, False)


def test_a_query_that_was_not_answered_found_nothing_that_counts(bench: Bench) -> None:
    bench.server.faults.add(
        Fault(kind=FaultKind.STATUS, service="Mast.Caom.Filtered*", times=None, status=500)
    )
    bench.attempt()
    assert (last_counts(bench).found, last_counts(bench).from_floor) == (None, None)


def test_a_query_whose_products_were_not_listed_was_answered_all_the_same(bench: Bench) -> None:
    bench.server.faults.add(
        Fault(kind=FaultKind.STATUS, service="Mast.Caom.Products", times=None, status=500)
    )
    bench.attempt()
    assert last_counts(bench).found == 4


def test_a_profile_that_suddenly_finds_nothing_is_flagged_until_it_finds_something(synced: Bench) -> None:
    for _ in range(2):
        synced.later(hours=6)
        synced.run()
    assert synced.notices() == {}
    rows = synced.server.catalogue.observation_rows
    renamed(synced)
    synced.later(hours=6)
    synced.run()
    assert "another name at MAST" in synced.notices()[EMPTY]
    assert any("another name" in warning for warning in synced.heard.warnings)
    synced.later(hours=6)
    synced.run()
    assert EMPTY in synced.notices(), "it still holds"
    synced.server.catalogue.observation_rows = rows  # type: ignore[method-assign]
    synced.later(hours=6)
    synced.run()
    assert synced.notices() == {}


def test_an_empty_answer_from_the_floor_is_flagged_at_once(bench: Bench) -> None:
    bench.configure({"watch": {"instrument": "nircam", "lookbacktime": 2}})
    bench.run()
    renamed(bench)
    bench.later(days=4)
    bench.run()
    assert bench.notices() == {}, "nothing new in a window of days is no news"
    bench.later(days=4)
    bench.run()
    assert EMPTY in bench.notices()


def test_a_query_that_finds_nothing_from_the_first_is_told_once_and_not_flagged(bench: Bench) -> None:
    bench.configure({"watch": {"propID": 9099}})
    bench.run()
    assert bench.heard.warnings == ["nothing matches: NIRCAM, proposal 9099"]
    for _ in range(4):
        bench.later(days=4)
        bench.run()
    assert len(bench.heard.warnings) == 1
    assert bench.notices() == {}


def test_another_query_begins_anew(synced: Bench) -> None:
    for _ in range(3):
        synced.run()
    renamed(synced)
    synced.run()
    assert EMPTY in synced.notices()
    synced.configure({"watch": {"propID": 9099}})
    for _ in range(4):
        synced.later(days=4)
        synced.run()
        assert synced.notices() == {}


def test_what_is_only_planned_is_told_as_such(make_bench: MakeBench) -> None:
    bench = make_bench(None)
    planned = [row for row in bench.server.catalogue.observation_rows() if row["calib_level"] == -1]
    rows = bench.server.catalogue.observation_rows
    bench.server.catalogue.observation_rows = lambda: [  # type: ignore[method-assign]
        row for row in rows() if row["calib_level"] == -1
    ]
    bench.configure({"watch": {"propID": int(str(planned[0]["proposal_id"])), "instrument": "all"}})
    bench.run()
    assert bench.heard.warnings[0].startswith(f"no data yet: {len(planned)} planned observations match")
    for _ in range(4):
        bench.later(days=3)
        bench.run()
    assert bench.notices() == {}


@pytest.mark.parametrize(("ahead", "word"), [(6, "behind"), (-90, "ahead of")])
def test_a_clock_that_is_wrong_is_told_until_it_is_right(bench: Bench, ahead: int, word: str) -> None:
    bench.server.clock_offset = timedelta(minutes=ahead)
    bench.run()
    assert word in bench.notices()["clock"]
    assert any("clock" in warning for warning in bench.heard.warnings)
    bench.server.clock_offset = timedelta(minutes=-4)
    bench.run()
    assert bench.notices() == {}


@pytest.fixture
def deep(make_bench: MakeBench) -> Bench:
    """Watches a proposal of which one observation is not public yet; the archive knows `TOKEN`."""
    bench = make_bench(None, token=TOKEN)
    bench.configure({"watch": {"propID": 5224, "obsnums": [7], "filetypes": ["rate"]}})
    return bench


def test_a_token_that_was_replaced_meanwhile_is_looked_up_once_and_used(deep: Bench) -> None:
    deep.token, deep.stored_token = OLD_TOKEN, TOKEN
    record = deep.run()
    assert record.counts.withheld == 0
    assert {request.token for request in deep.server.requests.downloads()} == {TOKEN}
    assert deep.notices() == {}
    refused, taken = deep.store.tokens.age(OLD_TOKEN), deep.store.tokens.age(TOKEN)
    assert refused is not None
    assert taken is not None
    assert (refused.accepted_at, refused.rejected_at) == (None, deep.clock)
    assert (taken.accepted_at, taken.rejected_at) == (deep.clock, None)


@pytest.mark.parametrize("stored", [None, OLD_TOKEN, "e" * 32])
def test_a_rejected_token_is_told_until_another_is_accepted(deep: Bench, stored: str | None) -> None:
    deep.token, deep.stored_token = OLD_TOKEN, stored
    result = deep.attempt()
    assert (result.exit_code, result.record.outcome) == (ExitCode.AUTHENTICATION, Outcome.PARTIAL)
    assert "token set" in deep.notices()["token rejected"]
    asked = len([request for request in deep.server.requests.all() if "whoami" in request.path])
    assert asked == (2 if stored == "e" * 32 else 1)
    deep.token, deep.stored_token = TOKEN, None
    deep.run()
    assert deep.notices() == {}


def test_a_token_that_is_taken_away_is_no_rejected_one(deep: Bench) -> None:
    deep.token = OLD_TOKEN
    deep.attempt()
    assert "token rejected" in deep.notices()
    deep.token = None
    deep.run()
    assert deep.notices() == {}


def test_a_token_near_its_end_is_told_a_week_ahead(deep: Bench) -> None:
    deep.token = TOKEN
    deep.run()
    for days, told in ((52, False), (1, True), (6, True)):
        deep.later(days=days)
        deep.run()
        assert ("token expires" in deep.notices()) is told
    assert "at most 1 more day:" in deep.notices()["token expires"]
    deep.server.token = deep.token = "a" * 32
    deep.run()
    assert deep.notices() == {}


def test_a_one_off_question_that_finds_nothing_raises_no_flag(synced: Bench) -> None:
    for _ in range(3):
        synced.run()
    renamed(synced)
    result = story.run(
        synced.settings.profiles["watch"],
        context=synced.context(),
        trigger=Trigger.ONE_OFF,
        options=Options(),
    )
    assert result.exit_code is ExitCode.DONE
    assert synced.notices() == {}
