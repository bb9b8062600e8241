"""A product list that says what it said is left as it is; what that saves, and that it changes nothing."""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from jwstwatch.core.model import FileState, ListingRow, Observation, Trigger
from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer
from jwstwatch.sync import listing
from jwstwatch.sync.context import Options
from jwstwatch.sync.roots import open_root
from tests.store.test_listings import counted
from tests.sync.bench import Bench
from tests.sync.conftest import NOW

EXAMPLES = int(os.environ.get("JWSTWATCH_TEST_EXAMPLES", "10"))
"""Histories that are tried; many more where somebody asks for them (some take a second)."""

PARENTS = (1, 2)
NAMES = (
    "jw09001001001_02101_00001_nrca1_rate.fits",
    "jw09001001001_02101_00001_nrca1_uncal.fits",
    "jw09001001001_02101_00001_nrca1_rate.jpg",
)
KEPT = st.sampled_from([[], ["rate.fits"], ["rate.fits", "jpg"]])
Facts = tuple[int, int, str]
"""Size, a file's place among the versions of the pipeline, and its rights."""
STATED = st.tuples(st.sampled_from([5760, 8640]), st.sampled_from([1, 2]), st.sampled_from(["PUBLIC", "X"]))


@dataclass
class Side:
    """One state and its folder; `everything` judges every list anew."""

    bench: Bench
    everything: bool
    lists: dict[int, dict[str, Facts]] = field(default_factory=dict)

    def clear(self) -> None:
        """Begin anew: two observations are known, and nothing else."""
        with contextlib.closing(sqlite3.connect(self.bench.folder / "state.db")) as state, state:
            for table in ("event", "want", "file", "listing", "product", "interest", "observation", "run"):
                state.execute(f"DELETE FROM {table}")
        for place in [*self.bench.root.rglob("*.fits"), *self.bench.root.rglob("*.jpg")]:
            place.unlink()
        self.bench.clock = NOW
        self.bench.configure({"watch": {"propID": 9001}})
        self.bench.store.listings.record_observations("watch", _observations(), now=NOW, everything=False)
        self.lists = {parent: {} for parent in PARENTS}

    def ask(self, parents: Sequence[int]) -> None:
        """List these observations, whole, in a run of its own."""
        rows = [_row(name, parent, facts) for parent in parents for name, facts in self.lists[parent].items()]
        context = self.bench.context()
        profile = self.bench.settings.profiles["watch"]
        run = self.bench.store.runs.begin("watch", Trigger.MANUAL, now=self.bench.clock)
        root = open_root(context, self.bench.root)
        subject = listing.Subject(run=run, profile=profile, root=root, options=Options())
        listing.plan_batch(
            context, subject, parents, rows, heard_at=self.bench.clock, everything=self.everything
        )
        self.change("UPDATE run SET outcome = 'complete' WHERE id = ?", run.id)

    def fetch(self) -> None:
        """Bring whatever is to come."""
        with contextlib.closing(sqlite3.connect(self.bench.folder / "state.db")) as state, state:
            query = (
                "SELECT file.id, path, product.size, product.revision FROM file JOIN product"
                " ON product.id = product_id WHERE state IN ('wanted', 'stale') AND NOT declined"
            )
            for key, path, size, revision in state.execute(query).fetchall():
                place = self.bench.root / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.touch()
                os.truncate(place, size)
                state.execute(
                    "UPDATE file SET state = 'present', reason = NULL, size = ?, revision = ?, sha256 = 'x'"
                    " WHERE id = ?",
                    (size, revision, key),
                )

    def judge_gone(self) -> None:
        self.bench.store.withdrawals.mark_gone("watch", run_id=None, now=self.bench.clock)

    def forget(self, name: str) -> None:
        """Somebody takes the rows of a file away, as `prune` does."""
        self.change("DELETE FROM file WHERE product_id IN (SELECT id FROM product WHERE name = ?)", name)
        for place in self.bench.root.rglob(name):
            place.unlink()

    def drop(self, name: str) -> None:
        self.change(
            "UPDATE file SET declined = 1 WHERE product_id IN (SELECT id FROM product WHERE name = ?)", name
        )

    def change(self, statement: str, *values: object) -> None:
        with contextlib.closing(sqlite3.connect(self.bench.folder / "state.db")) as state, state:
            state.execute("PRAGMA foreign_keys = ON")
            state.execute(statement, values)

    def told(self) -> dict[str, list[tuple[Any, ...]]]:
        """What the state says, apart from when and under which numbers.

        Whether a product is exclusive is what the lists say that were judged last; where they disagree, that
        hangs on which were asked together.
        """
        return {
            "product": self.bench.ask("SELECT uri, revision, size FROM product ORDER BY 1"),
            "file": self.bench.ask(
                "SELECT path, state, file.reason, file.revision, declined, unselected FROM file ORDER BY 1"
            ),
            "want": self.bench.ask("SELECT path FROM want JOIN file ON file.id = file_id ORDER BY 1"),
            "listing": self.bench.ask(
                "SELECT uri, parent_obsid, listing.size, prvversion, missing_since IS NULL,"
                " missing_at > missing_since FROM listing JOIN product ON product.id = product_id"
                " ORDER BY 1, 2"
            ),
        }


def _row(name: str, parent: int, facts: Facts) -> ListingRow:
    size, version, rights = facts
    return ListingRow(
        uri=f"mast:JWST/product/{name}",
        name=name,
        obs_id="jw09001001001_02101_00001_nrca1" if parent == 1 else "jw09001-o001_t001_nircam_clear-f200w",
        obsid=parent,
        parent_obsid=parent,
        size=size,
        proposal=9001,
        prvversion=f"1.{version}",
        calib_level=2,
        data_rights="EXCLUSIVE_ACCESS" if rights == "X" else rights,
    )


def _observations() -> list[Observation]:
    names = ("jw09001001001_02101_00001_nrca1", "jw09001-o001_t001_nircam_clear-f200w")
    return [
        Observation(obs_id=name, obsid=number, proposal=9001, calib_level=2, t_min=60000.0, t_max=60000.1)
        for number, name in zip(PARENTS, names, strict=True)
    ]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Side]]:
    """Two states: one leaves settled lists alone, one judges them all."""
    with (
        ArchiveServer(scaled_catalogue(observations=1, now=NOW)) as server,
        contextlib.ExitStack() as stores,
    ):
        sides = []
        for everything in (False, True):
            folder = tmp_path_factory.mktemp("side")
            bench = Bench(folder=folder, server=server, clock=NOW)
            stores.enter_context(bench.store)
            sides.append(Side(bench=bench, everything=everything))
        yield sides


@pytest.fixture
def sides(opened: list[Side]) -> list[Side]:
    """Both, with nothing in them."""
    for side in opened:
        side.clear()
    return opened


WHAT = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from([(1,), (2,), (1, 2)])),
    st.tuples(st.just("ask"), st.just((1, 2))),
    st.tuples(st.just("state"), st.tuples(st.sampled_from(PARENTS), st.sampled_from(NAMES), STATED)),
    st.tuples(st.just("lack"), st.tuples(st.sampled_from(PARENTS), st.sampled_from(NAMES))),
    st.tuples(st.just("fetch"), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([1, 25])),
    st.tuples(st.just("gone"), st.none()),
    st.tuples(st.just("forget"), st.sampled_from(NAMES)),
    st.tuples(st.just("drop"), st.sampled_from(NAMES)),
    st.tuples(st.just("keep"), KEPT),
)


@settings(deadline=None, max_examples=EXAMPLES, phases=[Phase.generate])
@given(
    steps=st.lists(WHAT, min_size=4, max_size=14),
    shared=st.lists(st.tuples(st.sampled_from(PARENTS), st.sampled_from(NAMES)), min_size=2, max_size=6),
)
def test_leaving_settled_lists_alone_changes_nothing(
    opened: list[Side], steps: list[tuple[str, Any]], shared: list[tuple[int, str]]
) -> None:
    for side in opened:
        side.clear()
        for parent, name in shared:
            side.lists[parent][name] = (5760, 1, "PUBLIC")
    begin = [("ask", PARENTS), ("fetch", None), ("ask", PARENTS)]
    for what, value in itertools.chain(begin, steps, [("ask", PARENTS)]):
        for side in opened:
            _do(side, what, value)
        assert opened[0].told() == opened[1].told()


def _do(side: Side, what: str, value: Any) -> None:
    if what == "ask":
        side.ask(value)
    elif what == "state":
        parent, name, facts = value
        side.lists[parent][name] = facts
    elif what == "lack":
        parent, name = value
        side.lists[parent].pop(name, None)
    elif what == "fetch":
        side.fetch()
    elif what == "wait":
        side.bench.clock += timedelta(hours=value)
    elif what == "gone":
        side.judge_gone()
    elif what == "forget":
        side.forget(value)
    elif what == "drop":
        side.drop(value)
    else:
        side.bench.configure({"watch": {"propID": 9001, "filetypes": value}})


def test_a_settled_list_has_its_say_where_another_one_of_its_batch_changed(sides: list[Side]) -> None:
    for side in sides:
        side.lists = {parent: {NAMES[0]: (5760, 1, "X")} for parent in PARENTS}
        side.ask(PARENTS)
        side.change("UPDATE file SET state = 'wanted'")
        side.fetch()
        side.ask(PARENTS)
        side.lists[1] = {NAMES[0]: (8640, 1, "PUBLIC")}
        side.ask(PARENTS)
        # Lists that disagree state nothing; one that spoke for itself would tell of another content.
        assert side.bench.ask("SELECT revision, exclusive FROM product") == [(1, 1)]
        assert side.bench.ask("SELECT state FROM file") == [("present",)]
        side.lists[2] = {NAMES[0]: (8640, 1, "PUBLIC")}
        side.ask(PARENTS)
        assert side.bench.ask("SELECT revision, exclusive FROM product") == [(2, 0)]
    assert sides[0].told() == sides[1].told()


def test_what_nobody_wants_is_gone_as_well_once_a_second_list_lacks_it(sides: list[Side]) -> None:
    for side in sides:
        side.lists[1] = dict.fromkeys(NAMES, (5760, 1, "PUBLIC"))
        side.ask([1])
        side.fetch()
        side.bench.configure({"watch": {"propID": 9001, "filetypes": ["rate.fits"]}})
        side.ask([1])
        del side.lists[1][NAMES[1]]
        for _ in range(2):
            side.ask([1])
            side.bench.clock += timedelta(hours=25)
        side.judge_gone()
        assert side.bench.ask("SELECT path LIKE '%uncal.fits' FROM file WHERE state = 'gone'") == [(1,)]


def test_a_number_that_two_observations_have_is_settled_for_neither_alone(sides: list[Side]) -> None:
    side = sides[0]
    side.lists[1] = dict.fromkeys(NAMES, (5760, 1, "PUBLIC"))
    side.ask([1])
    side.fetch()
    side.ask([1])
    said = {1: side.bench.ask("SELECT digest FROM interest WHERE digest IS NOT NULL")[0][0]}
    assert side.bench.store.listings.settled("watch", said) == {1}
    other = [replace(_observations()[1], obsid=1)]
    side.bench.store.listings.record_observations("watch", other, now=NOW, everything=False)
    assert side.bench.store.listings.settled("watch", said) == frozenset()


def test_a_settled_list_costs_the_same_few_statements_however_long_it_is(sides: list[Side]) -> None:
    costs = []
    for number in (1, 600):
        for side in sides:
            side.lists[1] = {
                f"jw09001001001_02101_{exposure:05d}_nrca1_rate.fits": (5760, 1, "PUBLIC")
                for exposure in range(number)
            }
            side.ask([1])
            side.fetch()
            side.ask([1])
            with counted(side.bench.store.database) as statements:
                side.ask([1])
            costs.append(len(statements))
    settled_short, judged_short, settled_long, judged_long = costs
    assert settled_short == settled_long < judged_short < judged_long


@pytest.mark.parametrize("state", [FileState.WANTED, FileState.FAILED, FileState.STALE])
def test_a_list_is_judged_again_while_a_file_of_it_is_not_there(sides: list[Side], state: FileState) -> None:
    side = sides[0]
    side.lists[1] = dict.fromkeys(NAMES, (5760, 1, "PUBLIC"))
    side.ask([1])
    side.fetch()
    side.ask([1])
    digests = side.bench.ask(
        "SELECT obsid, interest.digest FROM interest JOIN observation ON id = observation_id"
    )
    said = {obsid: digest for obsid, digest in digests if digest}
    listings = side.bench.store.listings
    assert listings.settled("watch", said) == {1}
    assert listings.settled("watch", {1: "0" * 64}) == frozenset()
    assert listings.settled("other", said) == frozenset()
    side.change("UPDATE file SET state = ? WHERE path LIKE '%rate.jpg'", state.value)
    assert listings.settled("watch", said) == frozenset()
