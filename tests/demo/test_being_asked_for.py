"""The demo archive's clock and troubles, as jwstwatch's own archive client sees them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from jwstwatch.archive.mast import MastArchive
from jwstwatch.archive.protocol import LogInStatus
from jwstwatch.core.query import ObservationQuery
from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.faults import Fault, FaultKind
from jwstwatch.demo.server import ArchiveServer
from tests.demo.client import ask
from tests.demo.conftest import TOKEN

DAY = timedelta(days=1)
ABOUT = timedelta(minutes=1)


def test_a_probe_is_one_request_that_finds_nothing(server: ArchiveServer) -> None:
    found = MastArchive(server.url).probe()
    assert (found.reachable, found.problem) == (True, None)
    assert found.skew is not None
    assert abs(found.skew) < ABOUT
    (request,) = server.requests.all()
    assert request.bytes < 1000


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind=FaultKind.MAINTENANCE, times=None),
        Fault(kind=FaultKind.HTML, times=None),
        Fault(kind=FaultKind.STATUS, status=500, times=None),
        Fault(kind=FaultKind.RESET, times=None),
        Fault(kind=FaultKind.LATENCY, seconds=60, times=None),
        Fault(kind=FaultKind.STALL, seconds=60, times=None),
        Fault(kind=FaultKind.GARBLED_JSON, times=None),
        Fault(kind=FaultKind.ERROR, times=None),
        Fault(kind=FaultKind.STATUS, service="Mast.Caom.*", times=None),
    ],
    ids=lambda fault: f"{fault.kind} {fault.service or ''}",
)
def test_every_fault_of_an_archive_shows_in_one_request(server: ArchiveServer, fault: Fault) -> None:
    server.faults.add(fault)
    archive = MastArchive(server.url, timeout=0.5)
    assert not archive.probe().reachable
    assert len(server.requests) == 1
    server.faults.clear()
    assert archive.probe().reachable


@pytest.mark.parametrize("offset", [timedelta(minutes=10), -3 * DAY])
def test_the_archives_clock_may_be_another(small: Catalogue, offset: timedelta) -> None:
    with ArchiveServer(small, token=TOKEN, clock_offset=offset) as server:
        stated = parsedate_to_datetime(ask(server, "/whoami").headers["Date"])
        assert abs(stated - datetime.now(UTC) - offset) < ABOUT
        archive = MastArchive(server.url, token=TOKEN)
        found = archive.probe()
        assert found.skew is not None
        assert abs(found.skew - offset) < ABOUT
        server.clock_offset = timedelta(0)
        assert archive.log_in().status is LogInStatus.ACCEPTED
        assert archive.clock_skew is not None
        assert abs(archive.clock_skew) < ABOUT


def test_a_clock_that_is_off_changes_nothing_else(server: ArchiveServer) -> None:
    server.clock_offset = 400 * DAY
    assert len(MastArchive(server.url).observations(ObservationQuery(proposals=(9001,)))) == 2
