"""A token that dies in mid-run: the file that it could not open is tried again with another one."""

from __future__ import annotations

import contextvars
import functools
import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from jwstwatch.core.retrying import FailureKind
from jwstwatch.transfer.job import Failed, Fetched, Job, TransferSettings
from tests.transfer import server
from tests.transfer.conftest import fetch, fetch_one
from tests.transfer.server import Behaviour, Depot, Handler, serve

MakeJob = Callable[..., Job]
CONTENT = bytes(range(256)) * 40


def for_token(accepted: str) -> Behaviour:
    """Send the file to who has the token."""

    def behave(handler: Handler) -> None:
        good = handler.headers.get("Authorization") == f"token {accepted}"
        (serve(CONTENT) if good else server.refuse(401))(handler)

    return behave


class Keeper:
    """Has one token after the other, and keeps what it was told."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.told: list[tuple[int, str]] = []
        self.lock = threading.Lock()

    def token(self) -> str | None:
        with self.lock:
            return self.tokens[0]

    def refused(self, job: Job, token: str) -> bool:
        with self.lock:
            self.told.append((job.key, token))
            if token != self.tokens[0]:
                return True
            if len(self.tokens) == 1:
                return False
            del self.tokens[0]
            return True


def test_a_refused_file_is_tried_again_at_once_with_another_token(depot: Depot, make_job: MakeJob) -> None:
    depot.put("file.fits", for_token("new"))
    keeper = Keeper("old", "new")
    job = make_job(authorised=True)
    outcome = fetch_one(job, token=keeper.token, refused=keeper.refused)
    assert isinstance(outcome, Fetched)
    assert keeper.told == [(job.key, "old")]
    assert len(depot.asked) == 2


def test_without_another_token_a_refused_file_is_asked_once(depot: Depot, make_job: MakeJob) -> None:
    depot.put("file.fits", for_token("new"))
    keeper = Keeper("old")
    outcome = fetch_one(make_job(authorised=True), token=keeper.token, refused=keeper.refused)
    assert isinstance(outcome, Failed)
    assert outcome.failure.kind is FailureKind.UNAUTHORISED
    assert (len(depot.asked), len(keeper.told)) == (1, 1)


def test_every_worker_goes_on_with_the_other_token(depot: Depot, make_job: MakeJob) -> None:
    depot.put("file.fits", for_token("new"))
    keeper = Keeper("old", "new")
    jobs = [make_job(revision=number, authorised=True) for number in range(30)]
    outcomes = fetch(
        *jobs,
        token=keeper.token,
        refused=keeper.refused,
        settings=TransferSettings(connections=4, timeout=5.0, tries=1),
    )
    assert all(isinstance(outcome, Fetched) for outcome in outcomes)
    # Each worker may have had one request under way.
    assert len(depot.asked) <= 34


def test_a_refusal_without_a_token_asks_for_none(depot: Depot, make_job: MakeJob) -> None:
    depot.put("file.fits", for_token("new"))
    keeper = Keeper("old", "new")
    outcome = fetch_one(make_job(), token=keeper.token, refused=keeper.refused)
    assert isinstance(outcome, Failed)
    assert keeper.told == []


def test_what_the_threads_do_carries_the_variables_of_the_run(
    depot: Depot, make_job: MakeJob, caplog: pytest.LogCaptureFixture
) -> None:
    run = contextvars.ContextVar[int | None]("run", default=None)
    seen: list[int | None] = []

    class Stamp(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            record.run = run.get()
            return True

    def check(path: Path, name: str) -> None:
        seen.append(run.get())

    def token() -> str:
        seen.append(run.get())
        return "new"

    patient = TransferSettings(connections=2, timeout=5.0, tries=3, retry_delay=0.001)
    stamp = Stamp()
    caplog.handler.addFilter(stamp)
    caplog.set_level(logging.INFO)
    depot.put("file.fits", server.refuse(503), for_token("new"))
    try:
        for number in (7, 8):
            given = contextvars.copy_context()
            given.run(run.set, number)
            jobs = [make_job(revision=revision, authorised=True) for revision in range(3)]
            given.run(functools.partial(fetch, *jobs, token=token, check=check, settings=patient))
    finally:
        caplog.handler.removeFilter(stamp)
    assert seen == [7] * 7 + [8] * 6
    assert [vars(record)["run"] for record in caplog.records] == [7]
    assert run.get() is None
