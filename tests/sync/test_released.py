"""Exclusive data are fetched within a run of their release, whatever was tried before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jwstwatch.core.model import FileState
from jwstwatch.demo.server import Fault, FaultKind
from tests.sync.bench import Bench
from tests.sync.conftest import MakeBench

TOKEN = "0123456789abcdef0123456789abcdef"
LEVEL3 = "jw05224-o007_t001_nircam_clear-f444w"


@pytest.fixture
def hidden(make_bench: MakeBench) -> Bench:
    """Watches an observation that is not public yet, with files of both levels."""
    bench = make_bench(None, token=TOKEN)
    bench.configure(
        {"deep": {"propID": 5224, "obsnums": [7], "filetypes": ["rate", "i2d"], "recheck": "3000d"}}
    )
    return bench


def withheld(bench: Bench) -> set[str]:
    return {name for name, state in bench.states().items() if state is FileState.WITHHELD}


def refuse(bench: Bench) -> None:
    """The token opens nothing of it."""
    bench.token = TOKEN
    bench.server.faults.add(Fault(kind=FaultKind.STATUS, uri="*jw05224*007*", status=401, times=None))


@pytest.mark.parametrize("token", ["none", "not authorised"])
def test_the_first_run_after_the_release_fetches_it_all(hidden: Bench, token: str) -> None:
    if token != "none":
        refuse(hidden)
    hidden.run("deep")
    names = withheld(hidden)
    assert {name.rpartition("_")[2] for name in names} == {"rate.fits", "i2d.fits"}
    hidden.later(hours=1)
    hidden.server.faults.clear()
    hidden.server.catalogue.release(LEVEL3, now=hidden.clock)
    hidden.run("deep")
    assert set(hidden.fetched) == names
    assert withheld(hidden) == set()


@pytest.mark.parametrize("token", ["none", "not authorised"])
def test_rights_that_change_a_run_after_the_date_are_heard_of_at_once(hidden: Bench, token: str) -> None:
    if token != "none":
        refuse(hidden)
    hidden.run("deep")
    names = withheld(hidden)
    dates = [found.release for found in hidden.server.catalogue.observations if found.exclusive]
    hidden.clock = max(date for date in dates if date is not None) + timedelta(minutes=1)
    hidden.run("deep")
    assert withheld(hidden) == names
    hidden.later(hours=1)
    hidden.server.faults.clear()
    hidden.server.catalogue.release(LEVEL3, now=hidden.clock)
    hidden.run("deep")
    assert set(hidden.fetched) == names
