"""Rule 1: between the rename and the commit a process may die; the bytes on disk decide what was done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.core.model import FileState
from jwstwatch.store.transfers import Transfers
from jwstwatch.transfer import placing
from tests.sync.bench import Bench

DeathAt = Callable[[object, str], None]


class Death(BaseException):
    """The process ends here."""


@pytest.fixture
def death_at(monkeypatch: pytest.MonkeyPatch) -> DeathAt:
    """Make a function end the process when it is called."""

    def prepare(owner: object, name: str) -> None:
        def die(*arguments: object, **options: object) -> None:
            raise Death

        monkeypatch.setattr(owner, name, die)

    return prepare


def die_in_run(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run until death, then forget that a dying process still closes its run in good order."""
    with pytest.raises(Death):
        bench.attempt()
    monkeypatch.undo()


def open_intents(bench: Bench) -> int:
    ((count,),) = bench.ask("SELECT count(*) FROM intent")
    return int(count)


def assert_whole(bench: Bench) -> None:
    """Every file is as archived, nothing is left behind, nothing is open."""
    for path, content in bench.files().items():
        assert content == bench.server.catalogue.read(path.rpartition("/")[2]).content
    assert len(bench.files()) == 12
    assert not list(bench.root.rglob("*.part*"))
    assert set(bench.states().values()) == {FileState.PRESENT}
    assert open_intents(bench) == 0


@pytest.mark.parametrize(
    ("owner", "name"),
    [(placing, "sync_folders"), (Transfers, "record_placed")],
    ids=["after the rename", "before the commit"],
)
def test_files_that_were_renamed_are_settled_and_not_fetched_again(
    bench: Bench, death_at: DeathAt, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    death_at(owner, name)
    die_in_run(bench, monkeypatch)
    there = set(bench.files())
    settled = open_intents(bench)
    assert settled == len(there) > 0
    record = bench.run()
    assert record.counts.downloaded == 12 - settled
    assert not {path.rpartition("/")[2] for path in there} & set(bench.fetched)
    assert_whole(bench)


def test_a_verified_part_takes_its_place_without_being_fetched_again(
    bench: Bench, death_at: DeathAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    death_at(placing, "place")
    die_in_run(bench, monkeypatch)
    settled = open_intents(bench)
    assert settled > 0
    assert not any(path.endswith((".fits", ".jpg")) for path in bench.files())
    assert bench.run().counts.downloaded == 12 - settled
    assert_whole(bench)


def test_a_part_that_lost_bytes_is_fetched_anew(
    bench: Bench, death_at: DeathAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    death_at(placing, "place")
    die_in_run(bench, monkeypatch)
    for part in bench.root.rglob("*.part"):
        content = part.read_bytes()
        part.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    bench.run()
    assert_whole(bench)


@pytest.mark.parametrize(
    ("owner", "name"),
    [(placing, "place"), (placing, "note_of"), (Transfers, "record_placed")],
    ids=["before the rename", "after the rename", "before the commit"],
)
def test_a_replacement_that_was_not_committed_is_known_by_its_bytes(
    synced: Bench, death_at: DeathAt, monkeypatch: pytest.MonkeyPatch, owner: object, name: str
) -> None:
    catalogue = synced.server.catalogue
    product = catalogue.product("jw09001001001_02101_00001_nrca1_rate.fits")
    old = catalogue.read(product.uri).content
    catalogue.reprocess(product.uri, now=synced.clock)
    death_at(owner, name)
    die_in_run(synced, monkeypatch)
    (standing,) = (content for path, content in synced.files().items() if path.endswith(f"/{product.name}"))
    assert standing == (old if name == "place" else catalogue.read(product.uri).content)
    assert synced.states()[product.name] is FileState.STALE
    synced.run()
    assert synced.fetched == []
    report = synced.reports()[product.name]
    assert (report.state, report.revision) == (FileState.PRESENT, 2)
    assert_whole(synced)


def test_an_intent_whose_bytes_are_nowhere_is_dropped(
    bench: Bench, death_at: DeathAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    death_at(placing, "place")
    die_in_run(bench, monkeypatch)
    for part in bench.root.rglob("*.part*"):
        part.unlink()
    assert bench.run().counts.downloaded == 12
    assert_whole(bench)


def test_a_death_while_a_death_is_settled_leaves_no_note_behind(
    bench: Bench, death_at: DeathAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    death_at(Transfers, "record_placed")
    die_in_run(bench, monkeypatch)
    for placed in [path for path in bench.root.rglob("jw*.*") if path.is_file()]:
        # As if the process had died between the rename and the end of the partial's note.
        placed.with_name(f".{placed.name}.1.part.json").write_text("{}")
    death_at(placing, "remove_parts")
    die_in_run(bench, monkeypatch)
    bench.run()
    assert_whole(bench)


def test_a_rename_that_a_death_cut_off_is_made_durable_before_it_is_recorded(
    bench: Bench, death_at: DeathAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    death_at(placing, "sync_folders")
    die_in_run(bench, monkeypatch)
    (folder,) = {path.parent for path in bench.root.rglob("jw*.*")}
    synced: list[Path] = []
    known_at: list[bool] = []
    sync_folders, record_placed = placing.sync_folders, Transfers.record_placed

    def note_sync(folders: Iterable[Path]) -> None:
        synced.extend(folders)
        sync_folders(synced)

    def note_record(self: Transfers, *arguments: Any, **options: Any) -> None:
        known_at.append(folder in synced)
        record_placed(self, *arguments, **options)

    monkeypatch.setattr(placing, "sync_folders", note_sync)
    monkeypatch.setattr(Transfers, "record_placed", note_record)
    bench.run()
    assert known_at[0]


def test_a_link_at_the_path_of_an_open_intent_is_left_alone_and_costs_the_partial(
    bench: Bench, death_at: DeathAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    death_at(placing, "place")
    die_in_run(bench, monkeypatch)
    part = next(path for path in bench.root.rglob("*_rate.fits.1.part"))
    target = part.with_name(part.name.removeprefix(".").removesuffix(".1.part"))
    target.symlink_to("elsewhere")
    assert bench.attempt().record.counts.failed == 1
    assert target.is_symlink()
    assert not list(bench.root.rglob("*.part*"))
