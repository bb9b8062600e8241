"""What the archive lists no longer: two whole lists, a day apart, and not too much at once."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from jwstwatch.core.model import FileState
from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.errors import StorageError
from jwstwatch.store.withdrawals import Withdrawals, Withdrawn
from jwstwatch.sync import withdrawing
from tests.sync.bench import Bench
from tests.sync.conftest import MakeBench

GONE = FileState.GONE
_PRODUCTS = "Mast.Caom.Products"


def catalogue(bench: Bench) -> Catalogue:
    found = bench.server.catalogue
    assert isinstance(found, Catalogue)
    return found


def withdraw(bench: Bench, *names: str) -> None:
    for name in names:
        catalogue(bench).withdraw(f"mast:JWST/product/{name}")


def gone(bench: Bench) -> list[str]:
    return sorted(name for name, state in bench.states().items() if state is GONE)


def test_a_withdrawn_file_is_gone_after_two_whole_lists_a_day_apart_and_its_copy_stays(synced: Bench) -> None:
    name = sorted(synced.states())[0]
    content = synced.path(name).read_bytes()
    withdraw(synced, name)
    for hours in (1, 12, 10):
        synced.later(hours=hours)
        synced.run()
        assert gone(synced) == []
    synced.later(hours=2)
    record = synced.run()
    assert gone(synced) == [name]
    assert synced.reports()[name].reason == "the archive no longer lists it (since 2026-03-01)"
    assert synced.path(name).read_bytes() == content
    assert synced.history(name)[-1] == "gone"
    assert (record.counts.failed, record.counts.waiting) == (0, 0)
    # Listed again, it is as it was.
    catalogue(synced).restore(f"mast:JWST/product/{name}")
    synced.later(hours=1)
    synced.run()
    assert synced.states()[name] is FileState.PRESENT
    assert synced.fetched == []
    assert synced.ask("SELECT count(*) FROM listing WHERE missing_since IS NOT NULL") == [(0,)]


def test_one_that_comes_back_with_other_content_is_fetched_anew(synced: Bench) -> None:
    name = next(name for name in sorted(synced.states()) if name.endswith("_rate.fits"))
    withdraw(synced, name)
    synced.run()
    synced.later(days=1)
    synced.run()
    assert gone(synced) == [name]
    catalogue(synced).restore(f"mast:JWST/product/{name}")
    catalogue(synced).reprocess(name, now=synced.clock, grow=1)
    synced.later(hours=1)
    synced.run()
    assert synced.fetched == [name]
    assert synced.path(name).read_bytes() == catalogue(synced).read(name).content


def test_the_second_look_comes_although_nothing_else_is_due(synced: Bench) -> None:
    synced.configure({"watch": {"propID": 9001, "settle": "1h", "recheck": "30d"}})
    name = sorted(synced.states())[0]
    withdraw(synced, name)
    synced.later(days=31)
    synced.run()
    assert synced.ask("SELECT count(*) FROM listing WHERE missing_since IS NOT NULL") == [(1,)]
    synced.later(hours=23)
    synced.run()
    assert len(asked(synced)) <= 1, "a small share of the long period"
    assert gone(synced) == []
    synced.later(hours=1)
    synced.run()
    assert gone(synced) == [name]
    synced.later(hours=1)
    synced.run()
    assert asked(synced) == set()


def asked(bench: Bench) -> set[int]:
    """The observations whose product lists the last run asked for."""
    questions = [json.loads(str(each.question)) for each in bench.server.requests.queries(_PRODUCTS)]
    return {int(number) for question in questions for number in question["params"]["obsid"].split(",")}


def test_too_much_at_once_is_told_and_marked_only_by_somebody_s_word(synced: Bench) -> None:
    names = sorted(synced.states())[:3]
    withdraw(synced, *names)
    synced.run()
    synced.later(days=1)
    record = synced.run()
    assert gone(synced) == []
    assert record.error_kind is None
    (text,) = synced.notices().values()
    assert list(synced.notices()) == ["gone watch"]
    assert "3 of 12 files" in text
    assert "run-now watch --accept-gone" in text
    assert names[0] in text
    assert synced.heard.warnings[-1] == text
    synced.run(accept_gone=True)
    assert gone(synced) == names
    assert synced.notices() == {}


@pytest.mark.parametrize(
    ("confirmed", "missing", "files", "too_much"),
    [
        (1, 0, 1, False),
        (2, 0, 39, True),
        (2, 0, 40, False),
        (50, 0, 1000, False),
        (51, 0, 1000, True),
        # A fault that lasts shows a few observations a run.
        (20, 30, 1000, False),
        (20, 31, 1000, True),
        (0, 500, 1000, False),
        (1, 9, 12, False),
        (1, 10, 12, True),
    ],
)
def test_more_than_one_file_and_a_twentieth_is_too_much(
    confirmed: int, missing: int, files: int, too_much: bool
) -> None:
    found = Withdrawn(confirmed=confirmed, missing=missing, files=files)
    assert withdrawing.is_too_much(found) is too_much


def test_a_fault_that_passes_marks_nothing_and_is_forgotten(synced: Bench) -> None:
    names = sorted(synced.states())
    withdraw(synced, *names)
    synced.run()
    synced.later(days=1)
    synced.run()
    assert list(synced.notices()) == ["gone watch"]
    for name in names:
        catalogue(synced).restore(f"mast:JWST/product/{name}")
    synced.later(hours=1)
    synced.run()
    assert (gone(synced), synced.notices(), synced.fetched) == ([], {}, [])


def test_a_list_that_nobody_asks_for_keeps_a_file_until_it_is_asked_from_the_floor(synced: Bench) -> None:
    name = sorted(synced.states())[0]
    first = catalogue(synced).observation(name.rpartition("_")[0])
    proposal = replace(first.proposal, number=9002)
    several = "jw09002-c1001_t001_nircam_clear-f444w"
    parent = replace(first, obs_id=several, obsid=7, members=(first.obs_id,), proposal=proposal)
    catalogue(synced).add(parent)
    watch: dict[str, Any] = {"propID": 9001, "recheck": "4d"}
    synced.configure({"watch": watch, "sets": {"propID": 9002}})
    synced.run("sets")
    assert synced.fetched == []
    synced.configure({"watch": watch})
    its_own = replace(catalogue(synced).product(name), name=f"{several}_i2d.fits", holders=(several,))
    catalogue(synced).add(parent, [its_own])
    withdraw(synced, name)
    for _ in range(3):
        synced.run()
        synced.later(days=1)
        assert (gone(synced), 7 in asked(synced)) == ([], False)
    synced.later(days=1)
    synced.run()
    assert (gone(synced), 7 in asked(synced)) == ([], True)
    synced.later(days=4)
    synced.run()
    assert (gone(synced), 7 in asked(synced)) == ([name], True)
    # What else is listed there is not for this profile, whose query does not find it.
    assert its_own.name not in synced.states()
    synced.later(days=4)
    synced.run()
    assert 7 not in asked(synced)


def test_an_observation_with_another_number_keeps_its_files(synced: Bench) -> None:
    renumber(synced)
    for _ in range(3):
        synced.later(days=1)
        synced.run()
        assert synced.fetched == []
    assert gone(synced) == []
    assert synced.ask("SELECT count(*) FROM listing WHERE missing_since IS NOT NULL") == [(0,)]
    assert synced.ask("SELECT count(*), min(parent_obsid), min(obsid) FROM listing") == [(12, 900, 900)]


def renumber(bench: Bench) -> None:
    for number, observation in enumerate(catalogue(bench).observations):
        del catalogue(bench)._by_obsid[observation.obsid]
        catalogue(bench).add(replace(observation, obsid=900 + number))


def test_an_observation_whose_new_number_is_not_heard_of_yet_is_not_taken_for_gone(bench: Bench) -> None:
    bench.configure({"watch": {"propID": 9001, "lookbacktime": 1, "recheck": "7d"}})
    bench.run()
    bench.later(days=3)
    bench.run()
    # The window is past them: only a query from the floor tells of their numbers.
    renumber(bench)
    for _ in range(3):
        bench.later(days=1)
        bench.run()
    assert bench.ask("SELECT count(*) FROM listing WHERE missing_since IS NOT NULL") == [(12,)]
    assert (gone(bench), bench.notices()) == ([], {})
    bench.later(days=2)
    bench.run()
    assert bench.ask("SELECT count(*) FROM listing WHERE missing_since IS NOT NULL") == [(0,)]
    assert (gone(bench), bench.fetched) == ([], [])


def test_an_observation_that_another_query_found_is_neither_gone_nor_asked_for_all_the_time(
    synced: Bench,
) -> None:
    narrow = {"propID": 9001, "date_select": ["2026-03-02", "2026-04-01"], "recheck": "20d", "settle": "1s"}
    synced.configure({"watch": narrow})
    synced.run()
    renumber(synced)
    synced.later(days=21)
    synced.run()
    for _ in range(2):
        synced.later(days=2)
        synced.run()
        assert synced.asked_products == 0
    synced.later(days=20)
    synced.run()
    assert (gone(synced), synced.notices()) == ([], {})


def test_a_pair_of_an_observation_that_nobody_knows_keeps_nothing_and_proves_nothing(synced: Bench) -> None:
    name, other = sorted(synced.states())[:2]
    for pair, since in ((name, "NULL"), (other, "'2026-01-01 00:00:00.000000'")):
        execute(
            synced,
            "INSERT INTO listing (product_id, parent_obsid, obsid, obs_id, revision, missing_since, "
            f"missing_at) SELECT id, 1, 1, 'nobody', 1, {since}, {since.replace('01-01', '01-09')}"
            " FROM product WHERE name = ?",
            pair,
        )
    withdraw(synced, name)
    synced.run()
    synced.later(days=1)
    synced.run()
    assert gone(synced) == [name]


def execute(bench: Bench, words: str, *values: object) -> None:
    with bench.store.database.write() as connection:
        connection.exec_driver_sql(words, tuple(values))


# -- superseded


@pytest.fixture
def sets(make_bench: MakeBench) -> Bench:
    """Watches the associations of one observation of the demo archive."""
    bench = make_bench(None)
    bench.configure({"watch": {"propID": 1345, "obsnums": [2], "filetypes": ["_asn.json"]}})
    bench.run()
    return bench


def flagged(bench: Bench) -> set[str]:
    query = "SELECT name FROM file JOIN product ON product.id = product_id WHERE superseded"
    return {name for (name,) in bench.ask(query)}


def test_an_association_with_a_newer_stamp_supersedes_the_older_one(sets: Bench) -> None:
    old = set(sets.states())
    assert old
    observation = next(product.holders[0] for product in catalogue(sets).products if product.name in old)
    sets.later(days=1)
    mine = {product.name for product in catalogue(sets).products if product.holders[0] == observation} & old
    catalogue(sets).reprocess_observation(observation, now=sets.clock)
    sets.run()
    new = set(sets.states()) - old
    assert len(new) == len(mine) > 0
    assert flagged(sets) == mine
    assert sorted(sets.fetched) == sorted(new)
    assert all(sets.history(name)[-1] == "superseded" for name in mine)
    # What they took the place of is gone in time, however much of everything that is.
    sets.later(days=1)
    sets.run()
    assert set(gone(sets)) == mine
    assert sets.notices() == {}
    # The newer ones are withdrawn, and the older ones listed again.
    withdraw(sets, *new)
    for name in mine:
        catalogue(sets).restore(f"mast:JWST/product/{name}")
    sets.run()
    assert flagged(sets) == mine
    sets.later(days=1)
    sets.run(accept_gone=True)
    assert flagged(sets) == set()
    assert set(gone(sets)) == new
    assert all(sets.states()[name] is FileState.PRESENT for name in mine)


def test_the_only_copy_that_is_left_counts_again_once_its_disk_is_back(synced: Bench) -> None:
    name = sorted(synced.states())[0]
    path = synced.path(name)
    withdraw(synced, name)
    for _ in range(2):
        synced.later(hours=25)
        synced.run()
    assert gone(synced) == [name]
    size, away = path.stat().st_size, synced.folder / "unmounted"
    path.rename(away)
    synced.run()
    assert synced.reports()[name].size is None
    path.write_bytes(b"another file")
    synced.run()
    assert synced.reports()[name].size is None
    away.rename(path)
    synced.run()
    assert (gone(synced), synced.reports()[name].size) == ([name], size)
    assert synced.history(name)[-2:] == ["lost", "found"]


def test_what_is_superseded_is_told_although_a_run_ended_before_it_could(
    sets: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = set(sets.states())
    observation = next(product.holders[0] for product in catalogue(sets).products if product.name in old)
    catalogue(sets).reprocess_observation(observation, now=sets.clock)

    def end(*_: object, **__: object) -> None:
        raise StorageError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Withdrawals, "supersede", end)
        sets.attempt()
    assert flagged(sets) == set() < set(sets.states()) - old
    sets.run()
    assert flagged(sets) == {name for name in old if name not in asn_names(sets)}


def asn_names(bench: Bench) -> set[str]:
    """The associations that the archive lists now."""
    return {product.name for product in catalogue(bench).products if product.suffix == "asn"}
