"""Files whose size and pipeline stay the same although their content changed: found by their validators."""

from __future__ import annotations

from typing import Any

import pytest

from jwstwatch.core.model import FileState, Outcome, Trigger
from jwstwatch.demo.server import Fault, FaultKind, LoggedRequest
from jwstwatch.errors import ExitCode
from jwstwatch.sync import sampling, story
from jwstwatch.sync.context import Options
from tests.sync.bench import Bench
from tests.sync.conftest import MakeBench

VERSION = "1.20.2"
"""Of the pipeline, before and after: the listing tells nothing."""


def pictures(bench: Bench, **parameters: Any) -> Bench:
    """Watch pictures only: the keyword service knows none of them; the lists are not asked for again."""
    quiet = {"recheck": "400d", "settle": "1s", "filetypes": ["jpg"]}
    bench.configure({"watch": {"propID": 9001} | quiet | parameters})
    return bench


@pytest.fixture
def watched(make_bench: MakeBench) -> Bench:
    """Six pictures that were fetched eight days ago."""
    bench = pictures(make_bench(6))
    assert bench.run().counts.downloaded == 6
    bench.later(days=8)
    return bench


def asked(bench: Bench) -> list[LoggedRequest]:
    """What the last run asked for without fetching it."""
    return list(bench.server.requests.downloads(method="HEAD"))


def change(bench: Bench, index: int, *, version: str = VERSION) -> str:
    """Give a picture another content of the same size, which no listing tells of; returns its name."""
    catalogue = bench.server.catalogue
    name = sorted(product.name for product in catalogue.products if product.extension == "jpg")[index]
    size = catalogue.size(name)
    catalogue.reprocess(name, now=bench.clock, version=version)
    assert catalogue.size(name) == size
    return name


def test_new_content_of_the_same_size_is_found_and_replaced_once(watched: Bench) -> None:
    name = change(watched, 2)
    old = watched.path(name).read_bytes()
    record = watched.run()
    assert len(asked(watched)) == 6
    assert watched.fetched == [name]
    assert watched.path(name).read_bytes() == watched.server.catalogue.read(name).content != old
    assert (record.counts.downloaded, record.counts.unchanged) == (1, 5)
    assert watched.reports()[name].revision == 2
    assert watched.history(name) == ["wanted", "fetched", "revised", "fetched"]
    watched.later(days=8)
    watched.run()
    assert (len(asked(watched)), watched.fetched) == (6, [])
    assert watched.notices() == {}


def test_a_listing_that_tells_of_the_same_change_later_fetches_nothing_again(watched: Bench) -> None:
    name = change(watched, 2, version="1.21.0")
    watched.run()
    assert watched.fetched == [name]
    watched.later(days=1)
    watched.run(full=True)
    assert (watched.asked_products > 0, watched.fetched) == (True, [])
    assert watched.reports()[name].revision == 2


def test_a_run_right_after_another_asks_nothing_and_neither_does_a_one_off(watched: Bench) -> None:
    watched.run()
    assert len(asked(watched)) == 6
    watched.later(minutes=2)
    watched.run()
    assert asked(watched) == []
    watched.later(days=3)
    watched.run()
    assert asked(watched) == []
    watched.later(days=8)
    profile = watched.settings.profiles["watch"]
    story.run(profile, context=watched.context(), trigger=Trigger.ONE_OFF, options=Options())
    assert asked(watched) == []


def test_new_files_and_a_profile_that_wants_no_sampling_cost_no_question(watched: Bench) -> None:
    pictures(watched, sample=0)
    watched.run()
    assert asked(watched) == []
    bench = pictures(watched, filetypes=["_rate.fits", "jpg"], sample=200)
    bench.run()
    assert {str(request.uri)[-4:] for request in asked(bench)} == {".jpg"}


def test_the_questions_of_a_day_keep_to_the_budget_and_are_spread_over_its_runs(
    make_bench: MakeBench,
) -> None:
    bench = pictures(make_bench(16), sample=8)
    bench.run()
    bench.later(days=8)
    counts = []
    for _ in range(8):
        bench.run()
        counts.append(len(asked(bench)))
        bench.later(hours=6)
    assert counts == [8, 0, 0, 0, 2, 2, 2, 2]
    assert bench.ask("SELECT count(*) FROM product WHERE sampled_at IS NOT NULL") == [(16,)]


@pytest.mark.parametrize(
    "faults",
    [
        [Fault(kind=kind, times=None) for kind in (FaultKind.NO_VALIDATORS, FaultKind.WEAK_ETAG)],
        [
            Fault(kind=FaultKind.STATUS, method="HEAD", status=status, times=None)
            for status in (404, 401, 503)
        ],
        [Fault(kind=FaultKind.HTML, method="HEAD", times=None)],
    ],
    ids=["silent", "refused", "web page"],
)
def test_an_answer_that_proves_nothing_changes_nothing(watched: Bench, faults: list[Fault]) -> None:
    for fault in faults:
        watched.server.faults.clear()
        watched.server.faults.add(fault)
        result = watched.attempt()
        assert (result.exit_code, result.record.outcome) == (ExitCode.DONE, Outcome.COMPLETE)
        assert 1 <= len(asked(watched)) <= 6
        assert watched.fetched == []
        watched.later(days=8)
    assert {report.revision for report in watched.reports().values()} == {1}
    assert set(watched.states().values()) == {FileState.PRESENT}


def test_where_head_is_refused_a_byte_tells(watched: Bench) -> None:
    watched.server.faults.add(Fault(kind=FaultKind.STATUS, method="HEAD", status=405, times=None))
    name = change(watched, 0)
    watched.run()
    assert len(asked(watched)) == 1
    pieces = [request for request in watched.server.requests.downloads() if request.range == "bytes=0-0"]
    assert (len(pieces), sum(request.bytes for request in pieces)) == (6, 6)
    assert watched.reports()[name].revision == 2


def test_etags_that_lie_are_found_out_and_no_good_file_is_lost(watched: Bench) -> None:
    before = watched.files()
    watched.server.faults.add(Fault(kind=FaultKind.NEW_ETAG, times=None))
    fetched = []
    for _ in range(4):
        watched.run()
        fetched.append(len(watched.fetched))
        watched.later(days=7)
    assert fetched == [3, 0, 0, 0]
    assert watched.files() == before
    assert "ETag" in watched.notices()["sampling http.etag"]
    # Last-Modified is believed still.
    name = change(watched, 1)
    watched.run()
    assert watched.fetched == [name]
    watched.later(days=31)
    watched.server.faults.clear()
    watched.run()
    assert watched.notices() == {}


def test_many_true_changes_are_believed_once_the_first_came_true(watched: Bench) -> None:
    names = {change(watched, index) for index in range(6)}
    found: list[str] = []
    for _ in range(2):
        watched.run()
        found += watched.fetched
        watched.later(days=1)
    assert (len(found), set(found)) == (6, names)


def test_a_stop_ends_it_at_once(watched: Bench) -> None:
    watched.server.faults.add(Fault(kind=FaultKind.LATENCY, method="HEAD", seconds=60.0, times=None))
    context = watched.context()
    original = context.report.step

    def step(text: str) -> None:
        original(text)
        if text.startswith("comparing"):
            watched.stop.set()

    watched.heard.step = step  # type: ignore[method-assign]
    result = watched.attempt()
    assert result.record.outcome is Outcome.CANCELLED
    assert len(asked(watched)) <= 1
    assert watched.ask("SELECT count(*) FROM product WHERE sampled_at IS NOT NULL") == [(0,)]


def test_the_token_is_sent_for_what_it_opened(make_bench: MakeBench) -> None:
    bench = pictures(make_bench(2, token="secret"))
    bench.token = "secret"
    bench.run()
    bench.later(days=8)
    bench.run()
    assert {request.token for request in asked(bench)} == {"secret"}


def test_answers_are_recorded_in_groups_and_what_fails_later_costs_none(
    watched: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "GROUP", 2)
    watched.mast = {"connections": 1}
    pictures(watched)
    fault = Fault(kind=FaultKind.STATUS, method="HEAD", status=429, retry_after=60, skip=4, times=None)
    watched.server.faults.add(fault)
    watched.run()
    assert len(asked(watched)) == 5
    assert watched.ask("SELECT count(*) FROM product WHERE sampled_at IS NOT NULL") == [(5,)]
    watched.server.faults.clear()
    watched.later(days=1)
    watched.run()
    assert len(asked(watched)) == 1
