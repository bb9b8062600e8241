"""A file server on loopback, and jobs for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jwstwatch.errors import ContentError, JwstwatchError
from jwstwatch.transfer.job import Failed, Fetched, Job, TransferSettings
from jwstwatch.transfer.pool import fetch_all
from tests.transfer.server import Depot, running

SETTINGS = TransferSettings(connections=2, timeout=5.0, tries=1, retry_delay=0.001)


@pytest.fixture
def depot() -> Iterator[Depot]:
    with running() as server:
        yield server


@pytest.fixture
def elsewhere() -> Iterator[Depot]:
    """Another origin."""
    with running() as server:
        yield server


@pytest.fixture
def make_job(depot: Depot, tmp_path: Path) -> Callable[..., Job]:
    keys = iter(range(1, 1000))

    def build(name: str = "file.fits", **changes: Any) -> Job:
        facts: dict[str, Any] = {
            "key": next(keys),
            "url": f"{depot.url}/{name}",
            "name": name,
            "target": tmp_path / "root" / "01345" / name,
        }
        return Job(**(facts | changes))

    return build


def no_check(path: Path, name: str) -> None:
    """Find every content good."""


def refuse_all(path: Path, name: str) -> None:
    raise ContentError(f"{name} is garbled")


def fetch(*jobs: Job, **options: Any) -> list[Fetched | Failed]:
    """Fetch `jobs` with settings for tests and return the outcomes by key."""
    settings = options.pop("settings", SETTINGS)
    given: dict[str, Any] = {
        "token": lambda: None,
        "check": no_check,
        "stop": threading.Event(),
    }
    outcomes = fetch_all(iter(jobs), settings=settings, **(given | options))
    return sorted(outcomes, key=lambda outcome: outcome.job.key)


def fetch_one(job: Job, **options: Any) -> Fetched | Failed:
    (outcome,) = fetch(job, **options)
    return outcome


def tell(outcomes: Iterator[Fetched | Failed]) -> tuple[list[Fetched | Failed], JwstwatchError | None]:
    """Return what was yielded, and what was raised after it."""
    told: list[Fetched | Failed] = []
    try:
        told.extend(outcomes)
    except JwstwatchError as error:
        return told, error
    return told, None


def lying_in(folder: Path) -> list[str]:
    """Return the names in `folder`, hidden ones too."""
    return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
