"""The home page of a root and what the end of every run tells its readers."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.core.model import Outcome
from jwstwatch.sync import homing
from tests.sync.bench import Bench
from tests.sync.conftest import MakeBench

TOKEN = "0123456789abcdef0123456789abcdef"


def told(bench: Bench) -> dict[str, Any]:
    """Return what the script says that the page loads."""
    text = (bench.root / homing.STANDING).read_text()
    assert text.startswith("jwstwatch.standing(")
    assert text.endswith(");\n")
    document: dict[str, Any] = json.loads(text.removeprefix("jwstwatch.standing(").removesuffix(");\n"))
    return document


def stamps(bench: Bench) -> dict[Path, tuple[int, int]]:
    return {
        path: (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in bench.root.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def paged(make_bench: MakeBench) -> Bench:
    """A bench whose two profiles make pages; one of them has run and brought three files."""
    bench = make_bench(1)
    bench.configure(
        {"watch": {"propID": 9001, "every": "6h"}, "rare": {"propID": {9001: [1, 2]}, "instrument": "all"}},
        makewebpages=True,
    )
    bench.run()
    return bench


def test_a_run_that_finds_nothing_new_rewrites_nothing_but_the_standing(paged: Bench) -> None:
    before = stamps(paged)
    paged.later(hours=3)
    record = paged.run()
    assert record.counts.pages == 0
    changed = {
        path.relative_to(paged.root) for path, stamp in stamps(paged).items() if before.get(path) != stamp
    }
    assert changed == {Path(homing.STANDING)}


def test_the_standing_tells_of_every_profile_of_the_root(paged: Bench) -> None:
    document = told(paged)
    watch, rare = document["profiles"]
    assert (watch["name"], watch["outcome"]) == ("watch", "complete")
    assert watch["files"] == {"downloaded": 3, "unchanged": 0, "waiting": 0, "withheld": 0, "failed": 0}
    assert (watch["finished_at"], watch["error"]) == ("2026-03-01T12:00:00Z", None)
    assert watch["next_run_at"] is None  # nobody starts it
    assert rare == {"name": "rare", "outcome": None}
    assert document["archive"] == {"reachable": True, "checked_at": "2026-03-01T12:00:00Z"}


def test_a_failed_run_is_told_of_too_and_nothing_secret(paged: Bench) -> None:
    paged.later(hours=6)
    paged.token = TOKEN
    paged.server.close()
    result = paged.attempt()
    assert result.record.outcome is Outcome.FAILED
    watch = told(paged)["profiles"][0]
    assert watch["outcome"] == "failed"
    assert watch["error"]
    assert told(paged)["archive"]["reachable"] is False
    assert TOKEN not in (paged.root / homing.STANDING).read_text()


def test_what_an_error_holds_of_secrets_reaches_no_page() -> None:
    message = f"https://user:password@proxy.example:3128 refused\n the token {TOKEN}" + " and on" * 100
    sentence = homing._sentence(message, TOKEN)
    assert sentence is not None
    assert sentence.startswith("https://proxy.example:3128 refused the token [token] and on")
    assert len(sentence) == 300


def test_a_root_that_cannot_be_written_is_no_error_of_the_run(
    paged: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: Path, content: bytes) -> None:
        raise OSError(30, os.strerror(30), str(path))

    monkeypatch.setattr(homing, "write_atomically", refuse)
    with caplog.at_level("INFO"):
        record = paged.run()
    assert record.outcome is Outcome.COMPLETE
    assert "cannot be told" in caplog.text
    assert [entry.levelname for entry in caplog.records if "cannot be told" in entry.message] == ["INFO"]


def test_a_root_without_pages_gets_no_standing(synced: Bench) -> None:
    assert not (synced.root / "jwstwatch-assets").exists()


def test_the_view_says_in_words_what_profiles_select(paged: Bench) -> None:
    root = paged.store.roots.get(paged.root)
    assert root is not None
    view = homing.home_view(paged.context(), root, (), ())
    watch, rare = view.profiles
    assert (watch.schedule, watch.selects) == (
        "every 6h",
        (("Instruments", "NIRCAM"), ("Proposals", "09001"), ("File types", "all")),
    )
    assert dict(rare.selects)["Instruments"] == "all"
    assert dict(rare.selects)["Proposals"] == "09001 (obs. 1, 2)"
    assert sum(entry.files for entry in view.arrivals.days) == 3
    paged.clock += timedelta(days=1)
    assert homing.home_view(paged.context(), root, (), ()) == view


def test_profiles_that_write_elsewhere_are_left_out(make_bench: MakeBench, tmp_path: Path) -> None:
    bench = make_bench()
    bench.configure(
        {"watch": {"propID": 9001}, "far": {"propID": 9001, "outrootdir": str(tmp_path / "far")}},
        makewebpages=True,
    )
    bench.run()
    assert [profile["name"] for profile in told(bench)["profiles"]] == ["watch"]
    before = homing.digest(["a"], {name: each.parameters for name, each in bench.settings.profiles.items()})
    bench.configure({"watch": {"propID": 9001, "every": "1h"}}, makewebpages=True)
    after = homing.digest(["a"], {name: each.parameters for name, each in bench.settings.profiles.items()})
    assert before != after
