"""The status document as metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from jwstwatch import __version__
from jwstwatch.core.dates import parse_iso
from jwstwatch.core.model import FileState, Outcome
from jwstwatch.files import write_atomically
from jwstwatch.telling.exposition import Family, Samples, exposition

MODE = 0o644
"""The node exporter is another user."""

NOTICE_KINDS: Final = ("token", "clock", "archive", "profile", "plan", "space", "hook", "message")
"""Counted also where there are none, so that an alert has something to compare."""

Document = Mapping[str, Any]


def metrics_text(document: Document) -> str:
    """Return the document of `status --json` as metrics. `totals`, where it is there, makes the counters."""
    return exposition(_families(document))


def write_metrics(path: Path, document: Document) -> None:
    """Put the metrics at `path`, whole; `StorageError` where the disk refuses."""
    write_atomically(path, metrics_text(document).encode(), mode=MODE)


def _families(document: Document) -> Iterator[Family]:
    profiles: list[Document] = document.get("profiles") or []
    yield from _of_program(document)
    yield from _of_profiles(profiles)
    yield from _of_last_runs(profiles)
    yield from _of_totals(document.get("totals") or {})
    yield from _of_running(document.get("running") or [])
    yield from _of_surroundings(document)
    yield from _of_notices(document.get("notices") or [])


def _of_program(document: Document) -> Iterator[Family]:
    daemon = document.get("daemon") or {}
    yield _gauge("build_info", "Version of jwstwatch; always 1.", [({"version": __version__}, 1.0)])
    yield _gauge("daemon_running", "1 where a daemon serves this state.", _one(daemon.get("running")))
    yield _gauge(
        "daemon_start_timestamp_seconds", "When the daemon started.", _one(_time(daemon.get("since")))
    )
    yield _gauge(
        "generated_timestamp_seconds", "When these figures were made.", _one(_time(document.get("at")))
    )
    configuration = document.get("configuration") or {}
    yield _gauge(
        "configuration_refused",
        "1 where a changed configuration is refused and the old one is in force.",
        _one(bool(configuration.get("refused"))),
    )


def _of_profiles(profiles: list[Document]) -> Iterator[Family]:
    yield _gauge(
        "profile_enabled",
        "1 for a profile that is run on its schedule.",
        _each(profiles, lambda entry: entry.get("enabled")),
    )
    yield _gauge(
        "profile_files",
        "Files that a profile selects, by state.",
        [
            ({"profile": entry["name"], "state": state.value}, float(files.get(state.value, 0)))
            for entry in profiles
            for files in [entry.get("files") or {}]
            for state in FileState
        ],
    )
    for key, text in (
        ("present", "Bytes on disk of what a profile selects."),
        ("wanted", "Bytes, as listed, that a profile still wants."),
    ):
        yield _gauge(
            f"profile_{key}_bytes",
            text,
            _each(profiles, lambda entry, key=key: (entry.get("bytes") or {}).get(key)),
        )
    yield _gauge(
        "profile_running",
        "1 while a profile is run.",
        _each(profiles, lambda entry: entry.get("running")),
    )
    yield _gauge(
        "profile_next_run_timestamp_seconds",
        "When a profile is run next.",
        _each(profiles, lambda entry: _time(entry.get("next_run_at"))),
    )
    yield _gauge(
        "profile_found_nothing",
        "1 where a query always found observations and now finds none.",
        _each(profiles, lambda entry: entry.get("found_nothing")),
    )
    yield _gauge(
        "profile_waits_for_approval",
        "1 where a plan is so large that somebody has to say yes first.",
        _each(profiles, lambda entry: "approval" in entry and entry["approval"] is not None),
    )


def _of_last_runs(profiles: list[Document]) -> Iterator[Family]:
    ended = {entry["name"]: run for entry in profiles if (run := _ended_run(entry))}
    for key, text in (("started", "When the last run that ended began."), ("finished", "When it ended.")):
        yield _gauge(
            f"last_run_{key}_timestamp_seconds",
            text,
            [
                ({"profile": name}, moment)
                for name, run in ended.items()
                if (moment := _time(run[f"{key}_at"]))
            ],
        )
    yield _gauge(
        "last_run_duration_seconds",
        "How long the last run took that ended.",
        [
            ({"profile": name}, max(0.0, end - start))
            for name, run in ended.items()
            if (start := _time(run["started_at"])) and (end := _time(run["finished_at"]))
        ],
    )
    yield _gauge(
        "last_run_outcome",
        "1 for the outcome of the last run that ended, 0 for the others.",
        [
            ({"profile": name, "outcome": outcome.value}, float(run["outcome"] == outcome.value))
            for name, run in ended.items()
            for outcome in Outcome
        ],
    )
    yield _gauge(
        "last_run_files",
        "What became of the files that the last run selected.",
        [
            ({"profile": name, "fate": fate}, float(run.get(fate) or 0))
            for name, run in ended.items()
            for fate in ("downloaded", "unchanged", "withheld", "failed", "waiting")
        ],
    )
    yield _gauge(
        "last_run_received_bytes",
        "Bytes that the last run received.",
        [({"profile": name}, float(run.get("bytes") or 0)) for name, run in ended.items()],
    )


def _ended_run(entry: Document) -> Document | None:
    """Return the last run of a profile that has an end."""
    for key in ("last_ended_run", "last_run"):
        run: Document | None = entry.get(key)
        if run and run.get("outcome"):
            return run
    return None


def _of_totals(totals: Mapping[str, Mapping[str, int]]) -> Iterator[Family]:
    for name, key, text in (
        ("runs", "runs", "Runs that ended, as long as the state remembers."),
        ("downloaded_files", "files", "Files that runs which ended have put in place."),
        ("received_bytes", "bytes", "Bytes that runs which ended have received."),
    ):
        samples: Samples = [({"profile": profile}, float(sums[key])) for profile, sums in totals.items()]
        yield Family(f"{name}_total", "counter", text, samples)


def _of_running(running: list[Document]) -> Iterator[Family]:
    for name, key, text in (
        ("planned_files", "files", "Files that a run in progress is to fetch."),
        ("done_files", "done", "Files of a run in progress that it is done with."),
        ("planned_bytes", "size", "Bytes that a run in progress is to fetch."),
        ("received_bytes", "received", "Bytes that a run in progress has received."),
        ("bytes_per_second", "bytes_per_second", "Speed of a run in progress."),
    ):
        samples: Samples = [
            ({"profile": run["profile"]}, float(run[key])) for run in running if run.get(key) is not None
        ]
        yield _gauge(f"running_{name}", text, samples)


def _of_surroundings(document: Document) -> Iterator[Family]:
    archive, token = document.get("archive") or {}, document.get("token") or {}
    yield _gauge("archive_up", "1 where the archive answered last time.", _one(archive.get("reachable")))
    yield _gauge(
        "archive_checked_timestamp_seconds",
        "When that was learned.",
        _one(_time(archive.get("checked_at"))),
    )
    yield _gauge("token_days_left", "Days that the token has left at most.", _one(token.get("days_left")))
    yield _gauge("token_rejected", "1 where the archive refused the token.", _one(token.get("rejected")))
    roots: list[Document] = document.get("roots") or []
    for name, key, text in (
        ("root_mounted", "mounted", "1 where an output folder is there and is the one that is meant."),
        ("root_free_bytes", "free_bytes", "Free space of an output folder."),
        ("root_files", "files", "Copies that the state knows in an output folder."),
    ):
        samples: Samples = [
            ({"path": root["path"]}, float(root[key])) for root in roots if root.get(key) is not None
        ]
        yield _gauge(name, text, samples)
    unselected = document.get("unselected") or {}
    yield _gauge(
        "unselected_files", "Copies that no profile selects any more.", _one(unselected.get("files"))
    )
    yield _gauge("unselected_bytes", "Bytes of those copies.", _one(unselected.get("bytes")))


def _of_notices(notices: list[Document]) -> Iterator[Family]:
    kinds = dict.fromkeys(NOTICE_KINDS, 0)
    for notice in notices:
        kinds[notice["kind"]] = kinds.get(notice["kind"], 0) + 1
    yield _gauge(
        "notices",
        "What somebody should see to, by kind.",
        [({"kind": kind}, float(count)) for kind, count in kinds.items()],
    )
    yield _gauge(
        "notice_since_timestamp_seconds",
        "Since when each of these holds.",
        [
            ({"cause": notice["cause"], "kind": notice["kind"]}, since)
            for notice in notices
            if (since := _time(notice.get("since"))) is not None
        ],
    )


def _gauge(name: str, text: str, samples: Samples) -> Family:
    return Family(name, "gauge", text, samples)


def _one(value: float | None) -> Samples:
    """Return the only sample of a metric, none where it is not known."""
    return [] if value is None else [({}, float(value))]


def _each(profiles: Iterable[Document], read: Any) -> Samples:
    values = ((entry["name"], read(entry)) for entry in profiles)
    return [({"profile": name}, float(value)) for name, value in values if value is not None]


def _time(text: str | None) -> float | None:
    return None if text is None else parse_iso(text).timestamp()
