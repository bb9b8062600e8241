"""Where products lie in the cloud's bucket: asked of the archive and believed only so far."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.archive import cloud
from jwstwatch.archive.cloud import read_keys
from jwstwatch.archive.mast import MastArchive
from jwstwatch.archive.replies import Answer
from jwstwatch.core.query import ObservationQuery
from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.demo.server import ArchiveServer
from jwstwatch.errors import ArchiveError
from tests.archive.server import Asked, Mast, Reply, as_reply, in_turn

BUCKET = "http://127.0.0.1:9/stpubdata"
URI = "mast:JWST/product/jw01345001001_02101_00001_nrca1_rate.fits"
NAME = URI.rpartition("/")[2]
KEY = f"jwst/public/jw01345/jw01345001001/{NAME}"

Connect = Callable[..., MastArchive]


def uris(count: int) -> list[str]:
    return [f"mast:JWST/product/jw01345001001_02101_{number:05}_nrca1_rate.fits" for number in range(count)]


def found_all(asked: Asked) -> Reply:
    """Answer as MAST does for products that are all there."""
    wanted = parse_qs(urlsplit(asked.path).query)["uri"]
    return as_reply(
        {
            uri: {"status_code": 200, "path": f"/jwst/public/jw01345/{uri.rpartition('/')[2]}"}
            for uri in wanted
        }
    )


def lookups(mast: Mast) -> list[Asked]:
    return [asked for asked in mast.asked if asked.path.startswith("/api/v0.1/path_lookup/?")]


def test_every_product_is_asked_for_once_fifty_at_a_time_without_the_token(
    mast: Mast, connect: Connect
) -> None:
    mast.lookup = found_all
    mast.whoami = lambda asked: as_reply({"anon": False, "attrib": {}})
    archive = connect(cloud=BUCKET + "/", token="s3cret-token")
    archive.log_in()
    wanted = uris(120)
    urls = archive.cloud_urls(wanted)
    assert urls == {uri: f"{BUCKET}/jwst/public/jw01345/{uri.rpartition('/')[2]}" for uri in wanted}
    asked = [parse_qs(urlsplit(entry.path).query)["uri"] for entry in lookups(mast)]
    assert [len(part) for part in asked] == [50, 50, 20]
    assert [uri for part in asked for uri in part] == wanted
    assert not any("s3cret" in repr(entry) for entry in lookups(mast))


def test_nothing_is_asked_without_a_bucket_or_a_product(mast: Mast, connect: Connect) -> None:
    assert connect().cloud_urls(uris(3)) == {}
    assert connect().probe_cloud() is None
    assert connect(cloud=BUCKET).cloud_urls([]) == {}
    assert mast.asked == []


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        7,
        ["/" + KEY],
        {"path": KEY},
        "/" + KEY.replace("rate", "cal"),
        f"/jwst/private/jw01345/{NAME}",
        f"/hst/public/{NAME}",
        f"/jwst/public/../../other/{NAME}",
        f"/jwst/public/./{NAME}",
        f"/jwst/public//{NAME}",
        f"//jwst/public/{NAME}",
        f"/jwst/public/.hidden/{NAME}",
        f"http://elsewhere.example/jwst/public/{NAME}",
        f"/jwst/public/%2e%2e/{NAME}",
        f"/jwst/public/a b/{NAME}",
        f"/jwst/public/a?b/{NAME}",
        f"/jwst/public/a\\b/{NAME}",
        f"/jwst/public/é/{NAME}",
        f"/{KEY}\n",
        "/jwst/public/" + "a/" * 600 + NAME,
    ],
)
def test_a_path_that_is_not_this_file_in_the_public_jwst_data_is_none(path: object) -> None:
    assert read_keys(answer({URI: {"status_code": 200, "path": path}}), [URI]) == {}


@pytest.mark.parametrize("path", [KEY, "/" + KEY, f"/jwst/public/{NAME}"])
def test_a_path_is_a_key_with_or_without_its_slash(path: str) -> None:
    assert read_keys(answer({URI: {"status_code": 200, "path": path}}), [URI]) == {URI: path.lstrip("/")}


def test_one_bad_entry_costs_only_its_file() -> None:
    first, second, third, fourth = uris(4)
    content = {
        first: None,
        second: {"path": f"/jwst/public/{second.rpartition('/')[2]}"},
        third: "nonsense",
        "mast:JWST/product/never_asked.fits": {"path": "/jwst/public/never_asked.fits"},
    }
    assert set(read_keys(answer(content), [first, second, third, fourth])) == {second}


def test_nothing_found_is_an_answer_also_as_404() -> None:
    content = {URI: {"status_code": 404, "path": None}}
    assert read_keys(answer(content, status=404), [URI]) == {}


@pytest.mark.parametrize(
    "bad",
    [
        Answer(server="here", status=404, body=b'{"status_code": 404, "path": null}'),
        Answer(server="here", status=404, body=b"<html>no such service</html>", content_type="text/html"),
        Answer(server="here", status=200, body=b"<html>Maintenance</html>", content_type="text/html"),
        Answer(server="here", status=200, body=b'{"something": "else"}'),
        Answer(server="here", status=200, body=b"[]"),
        Answer(server="here", status=200, body=b'{"cut": '),
        Answer(server="here", status=200, body=b""),
        Answer(server="here", status=302, body=b""),
        Answer(server="here", status=500, body=b"{}"),
    ],
)
def test_anything_else_is_no_answer(bad: Answer) -> None:
    with pytest.raises(ArchiveError):
        read_keys(bad, [URI])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from([URI, "path"]), inner),
    max_leaves=8,
)


@given(content=json_values, name=st.text(max_size=30))
def test_no_answer_leads_out_of_the_public_data(content: Any, name: str) -> None:
    for body in (content, {URI: content}, {URI: {"path": f"/jwst/public/{name}/{NAME}"}}):
        try:
            keys = read_keys(answer(body), [URI])
        except ArchiveError:
            continue
        for key in keys.values():
            assert key.startswith("jwst/public/")
            assert key.endswith("/" + NAME)
            assert not {"", ".", ".."} & set(key.split("/"))
            assert key.isascii()


def answer(content: object, *, status: int = 200) -> Answer:
    return Answer(server="here", status=status, body=json.dumps(content).encode())


# -- an archive in trouble


TROUBLES = {
    "down": Reply(b"", status=503),
    "HTML": Reply(b"<html>Maintenance</html>", headers={"Content-Type": "text/html"}),
    "reset": Reply(cut=True),
    "silence": Reply(silent=True),
    "redirect": Reply(b"", status=302, headers={"Location": "http://127.0.0.1:9/"}),
    "endless": Reply(b" " * (2 << 20)),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
@pytest.mark.parametrize("stop", [None, threading.Event()], ids=["", "with a stop"])
def test_an_unanswered_question_means_no_cloud_a_second_one_for_the_whole_run(
    mast: Mast,
    connect: Connect,
    trouble: Reply,
    stop: threading.Event | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    mast.lookup = lambda asked: trouble
    archive = connect(cloud=BUCKET, timeout=0.3, stop=stop)
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            assert archive.cloud_urls(uris(3)) == {}
    assert len(lookups(mast)) == cloud.TROUBLES
    assert len([record for record in caplog.records if record.name == cloud.__name__]) == 1


def test_an_answer_that_is_far_too_long_is_not_read_to_its_end(mast: Mast, connect: Connect) -> None:
    mast.lookup = lambda asked: as_reply(
        {"padding": "x" * (1 << 20), URI: {"status_code": 200, "path": f"/{KEY}"}}
    )
    assert connect(cloud=BUCKET).cloud_urls([URI]) == {}


def test_a_redirected_question_is_not_asked_elsewhere(mast: Mast, connect: Connect) -> None:
    there = Reply(b"", status=302, headers={"Location": f"{mast.url}/api/v0.1/path_lookup/?uri={URI}"})
    mast.lookup = in_turn(there, found_all)
    assert connect(cloud=BUCKET).cloud_urls([URI]) == {}
    assert len(lookups(mast)) == 1


def test_an_archive_that_recovers_is_asked_on(mast: Mast, connect: Connect) -> None:
    archive = connect(cloud=BUCKET)
    mast.lookup = lambda asked: Reply(b"", status=503)
    assert archive.cloud_urls(uris(1)) == {}
    mast.lookup = found_all
    assert len(archive.cloud_urls(uris(60))) == 60


def test_a_stop_ends_the_question_without_a_word(
    mast: Mast, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    stop = threading.Event()

    def silent(asked: Asked) -> Reply:
        stop.set()
        return Reply(silent=True)

    mast.lookup = silent
    archive = connect(cloud=BUCKET, timeout=600.0, stop=stop)
    assert archive.cloud_urls(uris(60)) == {}
    assert archive.cloud_urls(uris(1)) == {}
    assert len(lookups(mast)) == 1
    assert caplog.records == []


def test_looking_up_needs_no_astroquery_and_closes_its_connection(mast: Mast, connect: Connect) -> None:
    mast.lookup = found_all
    archive = connect(cloud=BUCKET)
    assert archive.cloud_urls(uris(1))
    assert "_client" not in archive.__dict__
    archive.close()
    assert archive.cloud_urls(uris(1)), "the next question opens a new one"
    archive.close()


# -- the demo archive, which answers as MAST does


def test_the_demo_archive_tells_what_lies_in_its_own_bucket() -> None:
    catalogue = scaled_catalogue(observations=2, now=datetime(2026, 3, 1, tzinfo=UTC))
    with ArchiveServer(catalogue) as server:
        archive = MastArchive(server.url, cloud=f"{server.url}/stpubdata")
        listed = [
            row.uri
            for observation in archive.observations(ObservationQuery(proposals=(9001,)))
            for row in archive.products([observation.obsid])
        ]
        urls = archive.cloud_urls([*listed, "mast:JWST/product/unknown.fits"])
        found = archive.probe_cloud()
        archive.close()
    assert set(urls) == set(listed)
    assert found is not None
    assert found.reachable


# -- is the bucket there?


@pytest.mark.parametrize(
    ("status", "reachable"), [(200, True), (403, True), (404, False), (301, False), (503, False)]
)
def test_a_bucket_is_there_also_where_nobody_may_list_it(
    mast: Mast, connect: Connect, status: int, reachable: bool
) -> None:
    mast.head = lambda asked: Reply(b"", status=status)
    found = connect(cloud=f"{mast.url}/stpubdata", token="s3cret-token").probe_cloud()
    assert found is not None
    assert found.reachable is reachable
    assert (found.problem is None) is reachable
    (asked,) = mast.asked
    assert (asked.method, asked.path) == ("HEAD", "/stpubdata/")
    assert "s3cret" not in repr(asked)


def test_a_bucket_that_is_not_there_is_told_of(connect: Connect, mast: Mast) -> None:
    found = connect(cloud=BUCKET).probe_cloud()
    assert found is not None
    assert not found.reachable
    assert found.problem == f"{BUCKET} cannot be reached"
    mast.head = lambda asked: Reply(silent=True)
    found = connect(cloud=f"{mast.url}/b", timeout=0.2).probe_cloud()
    assert found is not None
    assert found.problem is not None
    assert "0.2 s" in found.problem
