"""The real command line with `mast.cloud: prefer`, in front of a real S3 server (moto) on loopback."""

from __future__ import annotations

import http.client
import importlib.util
import os
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from jwstwatch.demo.server import ArchiveServer, Fault, FaultKind
from tests.acceptance.conftest import WATCH
from tests.acceptance.world import World, assert_as_archived

LOOKUP = "/api/v0.1/path_lookup/"
ADDRESS = re.compile(r"Running on http://(127\.0\.0\.1:[0-9]+)")


@dataclass
class Bucket:
    """A public bucket on the S3 server; every test has one of its own, by name."""

    host: str
    name: str

    @property
    def url(self) -> str:
        return f"http://{self.host}/{self.name}"

    def put(self, key: str, content: bytes | None = None) -> None:
        """Put a file that everybody may read at `key`; none of either makes the bucket itself."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.request(
                "PUT", f"/{self.name}{key}", body=content, headers={"x-amz-acl": "public-read"}
            )
            response = connection.getresponse()
            assert response.status == 200, response.read()
        finally:
            connection.close()

    def key(self, name: str) -> str:
        """Return where the archive says that a file lies."""
        return f"/jwst/public/{name[:7]}/{name.partition('_')[0]}/{name}"


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """Host and port of an S3 server; without moto these tests skip out loud."""
    if importlib.util.find_spec("moto") is None or importlib.util.find_spec("flask") is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have moto[server]")
        pytest.skip("moto[server] is not installed")
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            found = next(filter(None, map(ADDRESS.search, process.stderr)), None)
            assert found is not None, "moto did not start"
            drain = threading.Thread(target=process.stderr.read, daemon=True)
            drain.start()
            yield found[1]
        finally:
            process.terminate()


@pytest.fixture
def bucket(s3: str) -> Bucket:
    found = Bucket(s3, f"bucket-{uuid.uuid4()}")
    found.put("")
    return found


def prefer(world: World, bucket: Bucket, **more: str) -> None:
    world.mast = {"cloud": "prefer", "cloud_server": bucket.url} | more
    world.configure(WATCH)


def test_a_cloud_that_has_half_of_it_ends_like_no_cloud_at_all(
    world: World, archive: ArchiveServer, bucket: Bucket, first_run: World
) -> None:
    contents = {
        product.name: archive.catalogue.read(product.uri).content for product in archive.catalogue.products
    }
    names = sorted(contents)
    good, garbled, stale = names[:6], names[6], names[7]
    for name in good:
        bucket.put(bucket.key(name), contents[name])
    bucket.put(bucket.key(garbled), b"\xff" + contents[garbled][1:])
    bucket.put(bucket.key(stale), contents[stale] + bytes(2880))
    prefer(world, bucket)
    (run,) = world.run_now()
    assert (run["outcome"], run["downloaded"], run["failed"]) == ("complete", 12, 0)
    assert_as_archived(world.files(), archive.catalogue)
    assert world.file_rows() == first_run.file_rows(), "the same end as without the cloud"
    asked = {str(request.uri).rpartition("/")[2] for request in archive.requests.downloads()}
    assert asked == set(names) - set(good)
    assert archive.requests.count(path=LOOKUP) > 0
    assert run["bytes"] == sum(map(len, contents.values())) + len(contents[garbled])
    told = world.run("why", good[0]).out
    assert ", from the cloud" in told
    assert "(s3)" in told
    assert "etag" in told
    checks = world.run("doctor", "--json").json["checks"]
    assert [check["text"] for check in checks if check["name"] == "cloud"] == [f"{bucket.url} answers"]


def test_a_partial_of_the_archives_is_not_continued_by_a_server_that_ignores_if_range(
    world: World, archive: ArchiveServer, bucket: Bucket
) -> None:
    name, content = next(
        (product.name, archive.catalogue.read(product.uri).content)
        for product in archive.catalogue.products
        if product.name.endswith("_rate.fits")
    )
    other = content[:4000] + bytes([content[4000] ^ 0xFF]) + content[4001:]
    bucket.put(bucket.key(name), other)
    archive.faults.add(
        Fault(kind=FaultKind.TRUNCATE, uri=f"*/{name}", after=5000),
        Fault(kind=FaultKind.STATUS, uri=f"*/{name}", skip=1, times=None),
    )
    world.mast = {"keywords": "never"}
    world.configure(WATCH)
    (run,) = world.run_now(code=3)
    assert (run["downloaded"], run["failed"]) == (11, 1)
    assert [path.name for path in world.root.rglob(f".{name}.1.part")], "five thousand bytes"
    prefer(world, bucket, keywords="never")
    assert world.run("retry", name).code == 0
    (run,) = world.run_now()
    assert (run["downloaded"], run["failed"]) == (1, 0)
    (found,) = [found for path, found in world.files().items() if path.endswith(name)]
    assert found == other, "whole, and no mixture of the two"
