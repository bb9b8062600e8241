"""The status document as Prometheus reads it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch import __version__
from jwstwatch.core.model import FileState
from jwstwatch.errors import StorageError
from jwstwatch.store.news import News
from jwstwatch.store.store import Store
from jwstwatch.sync.standing import standing
from jwstwatch.telling.exposition import Family, exposition
from jwstwatch.telling.metrics import metrics_text, write_metrics
from tests.store.desk import NOW, PROFILE, Desk, file_names
from tests.telling.exposition import Metric, read
from tests.telling.things import settings

NOON = 1772366400.0
"""2026-03-01T12:00:00Z."""

RUN: dict[str, Any] = {
    "profile": "nircam",
    "run_id": 7,
    "trigger": "schedule",
    "outcome": "partial",
    "started_at": "2026-03-01T11:00:00Z",
    "finished_at": "2026-03-01T12:00:00Z",
    "observations": 3,
    "products": 30,
    "downloaded": 12,
    "unchanged": 10,
    "withheld": 5,
    "failed": 2,
    "waiting": 1,
    "bytes": 34567,
    "pages": 4,
    "error": None,
}
DOCUMENT: dict[str, Any] = {
    "daemon": {"running": True, "pid": 1, "since": "2026-03-01T10:00:00Z", "version": "1.0"},
    "profiles": [
        {
            "name": "nircam",
            "enabled": True,
            "schedule": "every 6h",
            "next_run_at": "2026-03-01T18:00:00Z",
            "last_run": RUN | {"outcome": None, "finished_at": None},
            "last_ended_run": RUN,
            "files": {"wanted": 1, "present": 22, "stale": 0, "withheld": 5, "failed": 2, "gone": 0},
            "bytes": {"present": 123456789012, "wanted": 42},
            "running": True,
            "found_nothing": False,
            "approval": {"files": 1, "bytes": 2, "text": "", "since": None},
        },
        {
            "name": "new",
            "enabled": False,
            "schedule": "off",
            "next_run_at": None,
            "last_run": None,
            "last_ended_run": None,
            "files": dict.fromkeys(FileState, 0),
            "bytes": {"present": 0, "wanted": 0},
            "running": False,
            "found_nothing": False,
            "approval": None,
        },
    ],
    "archive": {"reachable": False, "checked_at": "2026-03-01T12:00:00Z"},
    "token": {"source": "keyring", "days_left": 6, "rejected": False},
    "roots": [
        {"path": "/data", "mounted": True, "free_bytes": 1000, "files": 22},
        {"path": "/gone", "mounted": False, "free_bytes": None, "files": 5},
    ],
    "running": [
        {
            "profile": "nircam",
            "files": 10,
            "done": 4,
            "size": 1000,
            "received": 400,
            "bytes_per_second": 12,
            "seconds_left": 50,
        },
        {"profile": "elsewhere", "files": None, "done": None, "size": None, "received": None},
    ],
    "notices": [
        {"cause": "archive down", "kind": "archive", "since": "2026-03-01T12:00:00Z"},
        {"cause": "hook after_run", "kind": "hook", "since": "2026-03-01T12:00:00Z"},
        {"cause": "hook after_file", "kind": "hook", "since": "2026-03-01T12:00:00Z"},
    ],
    "configuration": {"path": None, "read_at": None, "refused": ["line 3: no"]},
    "unselected": {"files": 3, "bytes": 300},
    "at": "2026-03-01T12:00:00Z",
    "totals": {"nircam": {"runs": 9, "files": 100, "bytes": 5000}},
}


@pytest.fixture(scope="module")
def metrics() -> dict[str, Metric]:
    return read(metrics_text(DOCUMENT))


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("build_info", {"version": __version__}, 1),
        ("daemon_running", {}, 1),
        ("daemon_start_timestamp_seconds", {}, NOON - 7200),
        ("generated_timestamp_seconds", {}, NOON),
        ("configuration_refused", {}, 1),
        ("profile_enabled", {"profile": "nircam"}, 1),
        ("profile_enabled", {"profile": "new"}, 0),
        ("profile_files", {"profile": "nircam", "state": "present"}, 22),
        ("profile_files", {"profile": "nircam", "state": "gone"}, 0),
        ("profile_present_bytes", {"profile": "nircam"}, 123456789012),
        ("profile_wanted_bytes", {"profile": "nircam"}, 42),
        ("profile_running", {"profile": "nircam"}, 1),
        ("profile_next_run_timestamp_seconds", {"profile": "nircam"}, NOON + 21600),
        ("profile_next_run_timestamp_seconds", {"profile": "new"}, None),
        ("profile_waits_for_approval", {"profile": "nircam"}, 1),
        ("profile_waits_for_approval", {"profile": "new"}, 0),
        ("last_run_started_timestamp_seconds", {"profile": "nircam"}, NOON - 3600),
        ("last_run_finished_timestamp_seconds", {"profile": "nircam"}, NOON),
        ("last_run_duration_seconds", {"profile": "nircam"}, 3600),
        ("last_run_duration_seconds", {"profile": "new"}, None),
        ("last_run_outcome", {"profile": "nircam", "outcome": "partial"}, 1),
        ("last_run_outcome", {"profile": "nircam", "outcome": "complete"}, 0),
        ("last_run_files", {"profile": "nircam", "fate": "downloaded"}, 12),
        ("last_run_received_bytes", {"profile": "nircam"}, 34567),
        ("runs_total", {"profile": "nircam"}, 9),
        ("downloaded_files_total", {"profile": "nircam"}, 100),
        ("received_bytes_total", {"profile": "nircam"}, 5000),
        ("running_planned_files", {"profile": "nircam"}, 10),
        ("running_done_files", {"profile": "nircam"}, 4),
        ("running_received_bytes", {"profile": "nircam"}, 400),
        ("running_bytes_per_second", {"profile": "nircam"}, 12),
        ("running_bytes_per_second", {"profile": "elsewhere"}, None),
        ("archive_up", {}, 0),
        ("archive_checked_timestamp_seconds", {}, NOON),
        ("token_days_left", {}, 6),
        ("token_rejected", {}, 0),
        ("root_mounted", {"path": "/gone"}, 0),
        ("root_free_bytes", {"path": "/data"}, 1000),
        ("root_free_bytes", {"path": "/gone"}, None),
        ("root_files", {"path": "/gone"}, 5),
        ("unselected_files", {}, 3),
        ("notices", {"kind": "hook"}, 2),
        ("notices", {"kind": "token"}, 0),
        ("notice_since_timestamp_seconds", {"cause": "hook after_run", "kind": "hook"}, NOON),
    ],
)
def test_each_figure_is_there(
    metrics: dict[str, Metric], name: str, labels: dict[str, str], value: float | None
) -> None:
    assert metrics[f"jwstwatch_{name}"].samples.get(frozenset(labels.items())) == value


def test_what_is_not_known_is_left_out_rather_than_invented() -> None:
    unknown = {
        "archive": {"reachable": None, "checked_at": None},
        "token": {"source": None, "days_left": None, "rejected": None},
        "daemon": {"running": False, "pid": None, "since": None, "version": None},
    }
    found = read(metrics_text(DOCUMENT | unknown))

    for name in ("archive_up", "token_days_left", "daemon_start_timestamp_seconds"):
        assert f"jwstwatch_{name}" not in found
    assert found["jwstwatch_daemon_running"].samples == {frozenset(): 0}


def test_a_document_with_nothing_in_it_can_be_read() -> None:
    assert "jwstwatch_build_info" in read(metrics_text({}))


def test_a_run_that_never_ended_has_no_last_run() -> None:
    running = DOCUMENT["profiles"][0] | {"last_ended_run": None}

    assert "jwstwatch_last_run_outcome" not in read(metrics_text({"profiles": [running]}))


_TEXTS = st.text(st.characters(exclude_categories=()), max_size=30)


@given(names=st.lists(_TEXTS, unique=True, max_size=4), help_text=_TEXTS.filter(str.strip))
def test_any_text_may_stand_in_a_label_or_a_help(names: list[str], help_text: str) -> None:
    readable = {name.encode(errors="replace").decode() for name in names}
    samples = [({"path": name}, float(number)) for number, name in enumerate(names)]
    if len(readable) < len(names) or not names:
        return

    found = read(exposition([Family("root", "gauge", help_text, samples)]))

    assert {value for labels in found["jwstwatch_root"].samples for _, value in labels} == readable


@given(value=st.floats())
def test_any_number_comes_through(value: float) -> None:
    found = read(exposition([Family("some", "gauge", "Some.", [({}, value)])]))

    (read_back,) = found["jwstwatch_some"].samples.values()
    assert read_back == value or (value != value and read_back != read_back)


def test_the_real_status_document_makes_metrics(desk: Desk) -> None:
    desk.fetch(*file_names(3))
    desk.next_run()
    desk.store.notices.raise_("hook after_run", kind="hook", text="no", now=NOW)

    document = standing(settings(), desk.store, now=NOW, live=None, token=None)
    document["totals"] = News(desk.store.database).totals()
    found = read(metrics_text(document))

    mine = ("profile", PROFILE)
    assert found["jwstwatch_profile_files"].samples[frozenset({mine, ("state", "present")})] == 3
    assert found["jwstwatch_last_run_outcome"].samples[frozenset({mine, ("outcome", "complete")})] == 1
    assert found["jwstwatch_runs_total"].samples[frozenset({mine})] == 1
    assert found["jwstwatch_notices"].samples[frozenset({("kind", "hook")})] == 1


def test_the_file_is_whole_and_for_everybody_to_read(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "textfile" / "jwstwatch.prom"
    before = os.umask(0o077)
    try:
        write_metrics(path, DOCUMENT)
        write_metrics(path, DOCUMENT | {"profiles": []})
    finally:
        os.umask(before)

    assert read(path.read_text()) == read(metrics_text(DOCUMENT | {"profiles": []}))
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [entry.name for entry in path.parent.iterdir()] == ["jwstwatch.prom"], "nothing else is collected"


def test_a_disk_that_refuses_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StorageError):
        write_metrics(tmp_path / "file" / "folder" / "jwstwatch.prom", DOCUMENT)
