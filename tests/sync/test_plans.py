"""A plan that is larger than `max_plan` waits for a yes, and says so."""

from __future__ import annotations

import dataclasses

import pytest

from jwstwatch.core.model import Outcome, Trigger
from jwstwatch.core.parameter_table import Layer, Source
from jwstwatch.core.site import WaitingPlan, add_up
from jwstwatch.demo.server import Fault, FaultKind
from jwstwatch.errors import ExitCode
from jwstwatch.sync import story
from jwstwatch.sync.context import Options
from jwstwatch.sync.story import RunResult
from tests.sync.bench import Bench
from tests.sync.conftest import NOW

CAUSE = "plan waits watch"


@pytest.fixture
def careful(bench: Bench) -> Bench:
    """Fetches up to 50 kB unasked; there are some 100 kB."""
    bench.configure({"watch": {"propID": 9001, "max_plan": "50 kB"}})
    return bench


def page(bench: Bench, name: str = "index.html") -> str:
    return (bench.root / name).read_text()


def attempt(bench: Bench, trigger: Trigger = Trigger.SCHEDULE, **options: bool) -> RunResult:
    return story.run(
        bench.settings.profiles["watch"],
        context=bench.context(),
        trigger=trigger,
        options=Options(**options),  # type: ignore[arg-type]
    )


def test_a_large_plan_waits_and_nothing_is_fetched(careful: Bench) -> None:
    result = careful.attempt()
    record = result.record
    assert (result.exit_code, record.outcome) == (ExitCode.USAGE, Outcome.PARTIAL)
    assert record.error_kind == "plan_waits"
    assert record.error_message is not None
    assert record.error_message.startswith("12 files, ")
    assert record.error_message.endswith(" kB wait for a yes (max_plan is 50.0 kB)")
    assert record.error_hint == "`jwstwatch run-now watch --yes` fetches them."
    assert (record.counts.waiting, record.counts.downloaded, careful.fetched) == (12, 0, [])
    assert "12 files" in careful.notices()[CAUSE]
    assert "run-now watch --yes" in careful.notices()[CAUSE]


def test_a_plan_within_the_limit_or_without_one_is_carried_out(careful: Bench) -> None:
    careful.configure({"watch": {"propID": 9001, "max_plan": "1 MB"}})
    assert careful.run().counts.downloaded == 12
    careful.configure({"watch": {"propID": 9001, "max_plan": None, "filetypes": ["jpg"]}})
    careful.run()
    assert careful.notices() == {}


def test_a_yes_lets_it_go_and_is_used_up(careful: Bench) -> None:
    careful.attempt()
    assert careful.run(yes=True).counts.downloaded == 12
    assert careful.notices() == {}
    assert careful.store.runs.approved("watch") is None


def test_a_yes_holds_until_the_plan_is_carried_out(careful: Bench) -> None:
    careful.server.faults.add(Fault(kind=FaultKind.STATUS, uri="*", times=None, status=503, skip=3))
    first = careful.attempt(yes=True)
    assert first.exit_code is ExitCode.ARCHIVE
    assert careful.store.runs.approved("watch") is not None
    careful.server.faults.clear()
    careful.later(hours=6)
    careful.run()
    assert careful.store.runs.approved("watch") is None
    assert len(careful.files()) >= 12


def test_a_yes_does_not_reach_to_a_larger_plan(careful: Bench) -> None:
    careful.attempt()
    careful.store.runs.approve("watch", 60_000)
    assert careful.attempt().record.error_kind == "plan_waits"
    careful.store.runs.approve("watch", 10**9)
    assert careful.run().counts.downloaded == 12


def test_a_higher_limit_ends_the_waiting(careful: Bench) -> None:
    careful.attempt()
    careful.configure({"watch": {"propID": 9001, "max_plan": "1 MB"}})
    careful.run()
    assert careful.notices() == {}


def test_what_is_typed_once_is_never_held_unless_the_limit_is_typed_too(careful: Bench) -> None:
    profile = careful.settings.profiles["watch"]
    inherited = {name: source for name, source in profile.sources.items() if name != "max_plan"}
    careful.settings.profiles["watch"] = dataclasses.replace(profile, sources=inherited)  # type: ignore[index]
    assert attempt(careful, Trigger.ONE_OFF).record.counts.downloaded == 12
    for path in careful.root.rglob("*_uncal.fits"):
        path.unlink()
    typed = inherited | {"max_plan": Source(layer=Layer.TYPED)}
    low = dataclasses.replace(profile.parameters, max_plan=1)
    careful.settings.profiles["watch"] = dataclasses.replace(  # type: ignore[index]
        profile, sources=typed, parameters=low
    )
    record = attempt(careful, Trigger.ONE_OFF).record
    hint = "Raise max_plan, or leave it out."
    assert (record.error_kind, record.error_hint) == ("plan_waits", hint)
    assert careful.notices() == {}, "who typed it knows"


def test_the_pages_say_so_while_it_waits_and_only_then(careful: Bench) -> None:
    careful.configure({"watch": {"propID": 9001, "max_plan": "50 kB"}}, makewebpages=True)
    careful.attempt()
    for name in ("index.html", "09001/index.html"):
        assert "12 files (" in page(careful, name)
        assert "wait for a yes since" in page(careful, name)
        assert "jwstwatch run-now watch --yes" in page(careful, name)
    careful.later(hours=6)
    again = careful.attempt()
    assert again.record.counts.pages == 0, "nothing changed on them"
    careful.run(yes=True)
    for name in ("index.html", "09001/index.html"):
        assert "wait for a yes" not in page(careful, name)


def test_a_page_of_another_proposal_in_the_same_folder_says_nothing_of_it(careful: Bench) -> None:
    other = {"propID": 9001, "obsnums": [99], "filetypes": ["jpg"]}
    careful.configure({"watch": {"propID": 9001, "max_plan": "50 kB"}, "other": other}, makewebpages=True)
    careful.attempt()
    (plan,) = careful.store.sites.waiting(1)[9001]
    assert (plan.profile, plan.files, plan.since) == ("watch", 12, careful.clock)
    assert list(careful.store.sites.waiting(1)) == [9001]
    assert careful.store.sites.waiting(2) == {}


def test_pages_follow_when_the_plan_no_longer_waits_though_nothing_arrives(careful: Bench) -> None:
    careful.configure({"watch": {"propID": 9001, "max_plan": "50 kB"}}, makewebpages=True)
    careful.attempt()
    careful.server.faults.add(Fault(kind=FaultKind.STATUS, uri="*", times=None, status=503))
    careful.attempt(yes=True)
    assert "wait for a yes" not in page(careful, "09001/index.html")


def test_what_waits_in_several_proposals_is_added_up_for_each_profile() -> None:
    plans = [
        WaitingPlan(profile=name, files=files, size=10 * files, since=NOW)
        for name, files in (("b", 1), ("a", 2), ("b", 3))
    ]
    assert [(plan.profile, plan.files, plan.size) for plan in add_up(plans)] == [("a", 2, 20), ("b", 4, 40)]
