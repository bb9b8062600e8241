"""A product that is on disk already is copied to its second path; what goes wrong with that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jwstwatch.core.model import Outcome
from jwstwatch.transfer import copying
from jwstwatch.transfer.job import Fetched, Job
from tests.sync.bench import Bench


@pytest.fixture
def twice(synced: Bench) -> Bench:
    """A second profile wants in another folder what the first one has fetched."""
    synced.configure({"watch": {"propID": 9001}, "second": {"propID": 9001, "outsubdir": "again"}})
    return synced


def test_a_copy_that_cannot_be_read_is_not_held_against_the_other_disk(
    twice: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open
    spoilt: list[Path] = []

    def opened(path: Path, *how: Any, **more: Any) -> Any:
        if how == ("rb",) and path.parent.parent.parent == twice.root and path.name[0] != ".":
            spoilt.append(path)
            return real(Path("/proc/self/mem"), "rb")  # its first bytes are an input/output error
        return real(path, *how, **more)

    monkeypatch.setattr(Path, "open", opened)
    twice.run("second")
    assert spoilt
    assert sorted(twice.fetched) == sorted({path.name for path in spoilt})
    assert twice.ask("SELECT DISTINCT state FROM file") == [("present",)]


def test_what_stands_in_the_way_of_one_copy_costs_only_that_file(twice: Bench) -> None:
    fits = sorted(twice.root.rglob("*.fits"))
    blocked = twice.root / "again" / fits[0].relative_to(twice.root)
    (blocked.parent / f".{blocked.name}.1.part").mkdir(parents=True)
    result = twice.attempt("second")
    assert result.record.outcome is Outcome.PARTIAL
    assert result.record.error_message is None
    assert list(twice.heard.failures) == [blocked.name]
    assert (result.record.counts.downloaded, result.record.counts.failed) == (11, 1)


def test_a_file_in_the_way_of_a_folder_costs_only_what_would_be_copied_there(twice: Bench) -> None:
    folder = twice.root / "again" / "09001"
    folder.parent.mkdir()
    folder.write_text("mine")
    result = twice.attempt("second")
    assert result.record.error_message is None
    assert result.record.counts.failed == 12
    assert all("something else stands in its way" in why for why in twice.heard.failures.values())
    assert folder.read_text() == "mine"


def test_a_stop_is_heard_between_two_copies(twice: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    real = copying.copy_verified
    copied: list[str] = []

    def copy(job: Job, source: Path, **more: Any) -> Fetched | None:
        copied.append(job.name)
        twice.stop.set()
        return real(job, source, **more)

    monkeypatch.setattr(copying, "copy_verified", copy)
    result = twice.attempt("second")
    assert result.record.outcome is Outcome.CANCELLED
    assert len(copied) == 1
    assert len(list((twice.root / "again").rglob("*.part"))) == 0
    # What was copied is kept, and the rest is nobody's: the next run has it.
    assert result.record.counts.downloaded == 1
    monkeypatch.undo()
    twice.stop.clear()
    twice.run("second")
    assert twice.fetched == []
    assert twice.ask("SELECT DISTINCT state FROM file") == [("present",)]
