"""Exclusive data: withheld, released, opened by a token, and a token that opens nothing."""

from __future__ import annotations

import pytest

from jwstwatch.core.model import FileState, Outcome
from jwstwatch.demo.server import Fault, FaultKind
from jwstwatch.errors import ExitCode
from tests.sync.bench import Bench
from tests.sync.conftest import MakeBench

TOKEN = "0123456789abcdef0123456789abcdef"
LEVEL3 = "jw05224-o007_t001_nircam_clear-f444w"
A_RATE = "jw05224007001_02101_00001_nrcalong_rate.fits"


@pytest.fixture
def deep(make_bench: MakeBench) -> Bench:
    """Watches a proposal of which one observation is not public yet."""
    bench = make_bench(None, token=TOKEN)
    bench.configure({"deep": {"propID": 5224, "obsnums": [7, 12], "filetypes": ["rate", "i2d"]}})
    return bench


def exclusive(bench: Bench) -> list[str]:
    """The names that the profile selects and that are not public."""
    catalogue = bench.server.catalogue
    return sorted(
        product.name
        for product in catalogue.products
        if catalogue.exclusive(product.uri) and product.name.endswith(("_rate.fits", "_i2d.fits"))
        if product.name.startswith(("jw05224007", "jw05224-o007"))
    )


def withheld(bench: Bench) -> list[str]:
    return sorted(name for name, state in bench.states().items() if state is FileState.WITHHELD)


def test_without_a_token_exclusive_files_are_withheld_and_not_asked_for(deep: Bench) -> None:
    record = deep.run("deep")
    assert withheld(deep) == exclusive(deep)
    assert (record.outcome, record.counts.withheld) == (Outcome.COMPLETE, len(exclusive(deep)))
    assert not set(deep.fetched) & set(exclusive(deep))


def test_a_released_observation_is_fetched_by_the_next_run(deep: Bench) -> None:
    deep.run("deep")
    wanted = exclusive(deep)
    deep.later(hours=1)
    deep.server.catalogue.release(LEVEL3, now=deep.clock)
    deep.run("deep")
    assert sorted(deep.fetched) == wanted
    assert withheld(deep) == []
    assert deep.path(A_RATE).read_bytes() == deep.server.catalogue.read(A_RATE).content


def test_an_old_observation_is_fetched_once_its_release_date_has_passed(deep: Bench) -> None:
    deep.run("deep")
    wanted = exclusive(deep)
    # Long settled, and not due for its weekly look.
    deep.later(days=400)
    deep.run("deep")
    deep.later(days=1)
    deep.server.catalogue.release(LEVEL3, now=deep.clock)
    deep.run("deep")
    assert sorted(deep.fetched) == wanted


def test_a_token_opens_what_was_withheld(deep: Bench) -> None:
    deep.run("deep")
    deep.token = TOKEN
    deep.run("deep")
    assert sorted(deep.fetched) == exclusive(deep)
    assert withheld(deep) == []
    assert all(request.token == TOKEN for request in deep.server.requests.downloads())


def test_with_a_rejected_token_public_data_arrive_and_it_is_not_sent_again(deep: Bench) -> None:
    deep.token = "f" * 32
    result = deep.attempt("deep")
    assert (result.exit_code, result.record.outcome) == (ExitCode.AUTHENTICATION, Outcome.PARTIAL)
    assert result.record.error_kind == "authentication"
    assert result.record.counts.downloaded > 0
    assert withheld(deep) == exclusive(deep)
    assert {report.reason for name, report in deep.reports().items() if name in exclusive(deep)} == {
        "token rejected"
    }
    assert {request.token for request in deep.server.requests.downloads()} == {None}


def test_a_token_that_does_not_reach_a_file_withholds_it_until_tomorrow(deep: Bench) -> None:
    deep.token = TOKEN
    deep.server.faults.add(Fault(kind=FaultKind.STATUS, uri=f"*{A_RATE}", status=401, times=None))
    record = deep.run("deep")
    assert withheld(deep) == [A_RATE]
    assert deep.reports()[A_RATE].reason == "not authorised"
    assert record.outcome is Outcome.COMPLETE
    deep.later(hours=1)
    deep.run("deep")
    assert deep.fetched == []
    deep.server.faults.clear()
    deep.later(days=1)
    deep.run("deep")
    assert deep.fetched == [A_RATE]


def test_a_listing_that_hides_the_exclusive_access_ends_as_withheld_too(deep: Bench) -> None:
    deep.server.faults.add(Fault(kind=FaultKind.STATUS, uri="*", status=403, times=None))
    record = deep.run("deep")
    assert record.counts.failed == 0
    assert record.counts.withheld == record.counts.products > len(exclusive(deep))
