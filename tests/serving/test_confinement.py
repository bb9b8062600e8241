"""What is served, and what is not, whatever a request names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.serving.addresses import names_us, read_target
from jwstwatch.serving.confining import Site, is_public, open_below
from jwstwatch.serving.server import SiteServer
from tests.serving.asking import FITS, ask, make_root, serving


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serving")
    make_root(folder)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[SiteServer]:
    root = folder / "data"
    with serving(root, private=(root / "odd-state",)) as server:
        yield server


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/01345/", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        ("/feed.xml", "application/atom+xml"),
        ("/feed.json", "application/feed+json"),
        ("/jwstwatch-assets/site.js", "text/javascript; charset=utf-8"),
        ("/jwstwatch-assets/jwstwatch.css?v=12", "text/css; charset=utf-8"),
        ("/jwstwatch-assets/icon.svg", "image/svg+xml"),
        ("/01345/01345.exposures.csv", "text/csv; charset=utf-8"),
        ("/01345/01345.products.txt", "text/plain; charset=utf-8"),
        ("/01345/jw01345_rate.fits", "application/fits"),
        ("/01345/jw01345_rate.jpg", "image/jpeg"),
        ("/01345/jw01345%5Frate.jpg", "image/jpeg"),
        ("/01345/jw01345_asn.json", "application/json"),
        ("/01345/jwstwatch-pages/obs003.html", "text/html; charset=utf-8"),
        ("/01345/jwstwatch-pages/obs003.exposures.1.js?v=ab", "text/javascript; charset=utf-8"),
        ("/02733/no%20page.txt", "text/plain; charset=utf-8"),
        ("/SHA256SUMS", "text/plain; charset=utf-8"),
        ("/odd-states.txt", "text/plain; charset=utf-8"),
        ("/.replaced/01345/r1/jw01345_rate.jpg", "image/jpeg"),
        ("/01345/within.jpg", "image/jpeg"),
        ("/01346/", "text/html; charset=utf-8"),
        # What the archive sent is no part of the site, whatever it calls itself.
        ("/01345/jw01345_evil.html", "text/plain; charset=utf-8"),
        ("/01345/jw01345_evil.js", "text/plain; charset=utf-8"),
        ("/01345/jw01345_evil.svg", "text/plain; charset=utf-8"),
    ],
)
def test_pages_and_data_are_sent_with_their_type(server: SiteServer, target: str, kind: str) -> None:
    answer = ask(server, target)

    assert (answer.status, answer.headers["content-type"]) == (200, kind)
    assert len(answer.body) == int(answer.headers["content-length"])


@pytest.mark.parametrize(
    "target",
    [
        *(
            "/..",
            "/../",
            "/../outside-data/secret.txt",
            "/01345/../../outside-data/secret.txt",
            "/./index.html",
        ),
        *("/%2e%2e/outside-data/secret.txt", "/..%2Foutside-data%2Fsecret.txt", "/01345%2Findex.html"),
        *("//etc/passwd", "/%2Fetc/passwd", "/01345//", "/01345/%00", "/%", "/%zz", "/a%00.jpg"),
        *("etc/passwd", "*", "http://localhost/index.html", "/..\\outside-data\\secret.txt"),
        *("/01345/leaves.txt", "/away/", "/away/secret.txt", "/away", "/01345/circle.txt"),
        *("/.jwstwatch-root", "/01345/marker.txt", "/%2ejwstwatch-root", "/01345/.hidden.jpg"),
        *(
            "/.replaced/01345/r1/jw01345_rate.fits",
            "/.replaced/01345/r1/.jw.jpg",
            "/01345/.replaced/other.jpg",
        ),
        *("/.replaced/", "/.replaced", "/.replaced/../state.db"),
        *("/01345/.jw01345_cal.fits.2.part", "/01345/jw01345_cal.fits.part"),
        *("/state.db", "/STATE.DB", "/state.db-wal", "/state.db.2.2026.bak", "/team.sqlite3"),
        *("/jwstwatch.yaml", "/jwst_query.cfg", "/odd-state", "/odd-state-wal"),
        *(
            "/02733/",
            "/02733",
            "/jwstwatch-assets/",
            "/nothing",
            "/index.html/",
            "/index.html/x",
            "/" + "a" * 999,
        ),
    ],
)
def test_everything_else_is_not_found(server: SiteServer, target: str) -> None:
    answer = ask(server, target)

    assert answer.status == 404
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.body.count(b"\n") == 1, "one sentence"
    assert not any(word in answer.body for word in (b"outside", b"secret", b"SQLite", b"half"))


def test_a_folder_leads_to_its_page_and_nowhere_else(server: SiteServer) -> None:
    answer = ask(server, "/01345?x=1")

    assert (answer.status, answer.headers["location"]) == (301, "/01345/")


def test_a_pipe_in_the_place_of_a_file_holds_nobody_up(folder: Path, server: SiteServer) -> None:
    os.mkfifo(folder / "data" / "pipe.txt")

    assert ask(server, "/pipe.txt").status == 404


def test_a_component_that_becomes_a_link_after_it_was_looked_at_is_not_followed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder / "data"
    swapped = root / "swapped"
    swapped.mkdir()
    (swapped / "secret.txt").write_text("harmless")
    look = os.path.realpath

    def look_then_swap(path: Path, *, strict: bool = False) -> str:
        found = look(path, strict=strict)
        if str(path).endswith("secret.txt"):
            swapped.rename(root / "former")
            swapped.symlink_to(folder / "outside-data")
        return found

    monkeypatch.setattr("os.path.realpath", look_then_swap)
    with pytest.raises(OSError):
        open_below(Site(root=root), ("swapped", "secret.txt"))


def test_a_folder_that_is_not_there_is_no_error_of_the_program(tmp_path: Path) -> None:
    with serving(tmp_path / "unmounted") as server:
        assert ask(server, "/").status == 404


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_forbidden(tmp_path: Path) -> None:
    (tmp_path / "closed.txt").write_text("x")
    (tmp_path / "closed.txt").chmod(0)
    with serving(tmp_path) as server:
        assert ask(server, "/closed.txt").status == 403


@pytest.mark.parametrize(
    ("host", "code"),
    [
        *((host, 200) for host in ("localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000", "127.0.0.2")),
        *((host, 421) for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8000")),
        *(
            (host, 421)
            for host in ("0.0.0.0:8000", "", "user@localhost", "localhost:80:80", "[::1", "192.0.2.1")
        ),
        (None, 400),
    ],
)
def test_only_names_of_this_machine_are_answered_to(server: SiteServer, host: str | None, code: int) -> None:
    assert ask(server, "/", host=host).status == code


def test_two_hosts_in_one_request_are_refused(server: SiteServer) -> None:
    assert ask(server, "/", "Host: evil.example").status == 400


def test_who_listens_for_others_is_reached_by_any_name(folder: Path) -> None:
    with serving(folder / "data", host="0.0.0.0") as server:
        assert not server.is_private
        assert server.url.startswith("http://127.0.0.1:")
        assert ask(server, "/", host="jwst.example.org").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "get"])
def test_no_method_changes_anything(server: SiteServer, method: str) -> None:
    answer = ask(server, "/index.html", method=method)

    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_what_is_no_request_is_refused_in_one_sentence(server: SiteServer) -> None:
    answer = ask(server, "/ <script>alert(1)</script> HTTP/1.1")

    assert answer.status == 400
    assert b"script" not in answer.body


names = st.sampled_from(
    ["01345", "index.html", "..", ".", "", ".jwstwatch-root", "away", "secret.txt", "01346"]
)
separators = st.sampled_from(["/", "%2F", "//", "/./", "\\"])


@given(st.lists(st.tuples(separators, names), max_size=6))
def test_no_address_leads_out_of_the_folder(folder: Path, words: list[tuple[str, str]]) -> None:
    target = read_target("".join(separator + name for separator, name in words))
    if target is None:
        return
    assert not {"", ".", ".."} & set(target.parts)
    root = folder / "data"
    try:
        stream, _ = open_below(Site(root=root), target.parts)
    except OSError:
        return
    with stream:
        opened = Path(f"/proc/self/fd/{stream.fileno()}").readlink()
    assert opened.is_relative_to(root.resolve())
    assert is_public(opened.relative_to(root.resolve()).parts)


@given(st.text(max_size=40))
def test_a_host_that_is_answered_to_is_loopback_or_ours(host: str) -> None:
    if names_us(host, bound={"our.name"}):
        name = host.strip().lower()
        assert name.startswith(("127.", "localhost", "[::1]", "[", "our.name", "::1"))


def test_the_whole_of_a_large_file_arrives(server: SiteServer) -> None:
    assert ask(server, "/01345/jw01345_rate.fits").body == FITS
