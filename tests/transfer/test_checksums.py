"""A checksum that is stated: it shows damage on the way, and is itself doubted where the archive insists."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from jwstwatch.core.retrying import FailureKind
from jwstwatch.errors import ContentError
from jwstwatch.transfer.fetch import OTHER_CHECKSUM
from jwstwatch.transfer.job import Failed, Fetched, Job, Mirror
from tests.transfer import server
from tests.transfer.conftest import fetch_one, lying_in
from tests.transfer.server import Depot, serve

MakeJob = Callable[..., Job]
GOOD = b"SIMPLE  " * 1000
FLIPPED = GOOD[:-1] + b"!"
OTHERWISE = GOOD[:-1] + b"?"
MD5 = hashlib.md5(GOOD, usedforsecurity=False).hexdigest()
WRONG = "0" * 32


@pytest.mark.parametrize("stated", [MD5, MD5.upper(), f" {MD5} "])
def test_content_with_the_stated_checksum_is_fetched_once(
    depot: Depot, make_job: MakeJob, stated: str
) -> None:
    depot.put("file.fits", serve(GOOD))
    outcome = fetch_one(make_job(checksum=stated))
    assert isinstance(outcome, Fetched)
    assert (outcome.note, outcome.evidence["md5"], len(depot.asked)) == (None, MD5, 1)


def test_damage_on_the_way_is_cured_by_a_second_transfer_at_once(depot: Depot, make_job: MakeJob) -> None:
    depot.put("file.fits", serve(FLIPPED), serve(GOOD))
    outcome = fetch_one(make_job(checksum=MD5))
    assert isinstance(outcome, Fetched)
    assert outcome.part.read_bytes() == GOOD
    assert (outcome.note, outcome.received) == (None, 2 * len(GOOD))
    assert outcome.evidence["md5"] == MD5


def test_what_comes_twice_the_same_is_accepted_and_noted(depot: Depot, make_job: MakeJob) -> None:
    depot.put("file.fits", serve(GOOD))
    outcome = fetch_one(make_job(checksum=WRONG))
    assert isinstance(outcome, Fetched)
    assert outcome.part.read_bytes() == GOOD
    assert (outcome.note, outcome.evidence["md5"], len(depot.asked)) == (OTHER_CHECKSUM, MD5, 2)
    noted = fetch_one(make_job(checksum=WRONG, listed_size=5, revision=2))
    assert isinstance(noted, Fetched)
    assert noted.note == f"the listing says 5 bytes, the archive sends {len(GOOD)}; {OTHER_CHECKSUM}"


def test_what_comes_twice_and_never_the_same_is_refused(depot: Depot, make_job: MakeJob) -> None:
    depot.put("file.fits", serve(FLIPPED), serve(OTHERWISE), serve(GOOD))
    job = make_job(checksum=MD5)
    outcome = fetch_one(job)
    assert isinstance(outcome, Failed)
    assert (outcome.failure.kind, len(depot.asked)) == (FailureKind.CONTENT, 2)
    assert "checksum" in outcome.failure.message
    assert lying_in(job.target.parent) == []


def test_what_comes_twice_must_be_sound_all_the_same(depot: Depot, make_job: MakeJob) -> None:
    def check(path: object, name: str) -> None:
        raise ContentError("cut off")

    depot.put("file.fits", serve(GOOD))
    outcome = fetch_one(make_job(checksum=WRONG), check=check)
    assert isinstance(outcome, Failed)
    assert outcome.failure.message == "cut off"


def test_a_mirror_is_not_asked_twice_and_never_believed_against_the_checksum(
    depot: Depot, make_job: MakeJob
) -> None:
    depot.put("file.fits", serve(GOOD))
    depot.put("there.fits", server.serve(FLIPPED, etag='"cloud"'))
    job = make_job(
        checksum=MD5,
        listed_size=len(GOOD),
        mirror=Mirror(url=f"{depot.url}/there.fits", accept=lambda path, name: None),
    )
    outcome = fetch_one(job)
    assert isinstance(outcome, Fetched)
    assert (outcome.service, outcome.part.read_bytes()) == ("http", GOOD)
    assert len(depot.asked) == 2
