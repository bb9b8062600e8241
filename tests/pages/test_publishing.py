from __future__ import annotations

import os
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jwstwatch.core.model import FileState
from jwstwatch.core.site import SiteView, WaitingPlan
from jwstwatch.errors import CancelledError, RootMissingError
from jwstwatch.pages.publishing import publish
from tests.conftest import PROJECT
from tests.pages import examples
from tests.pages.reading import list_links, read_html, read_table, resolve

KEY = "jw01345001001_03101_00001_nrca1"


@pytest.fixture
def site(tmp_path: Path) -> SiteView:
    return examples.make_site(tmp_path, examples.make_ceers(2))


def read_page(site: SiteView, name: str = "01345/index.html"):
    return read_html((site.root / name).read_bytes())


def fingerprint(root: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in root.rglob("*") if path.is_file()}


def test_a_site_has_its_index_a_page_for_each_proposal_and_its_own_assets(site):
    published = publish(site)
    written = sorted(str(path.relative_to(site.root)) for path in published.written)
    assert written == [
        "01345/index.html",
        "index.html",
        "jwstwatch-assets/icon.svg",
        "jwstwatch-assets/jwstwatch.css",
        "jwstwatch-assets/jwstwatch.js",
    ]
    assert (published.unchanged, published.removed) == (0, ())


def test_publishing_the_same_again_writes_nothing(site):
    publish(site)
    before = fingerprint(site.root)
    published = publish(site)
    assert (published.written, published.unchanged, published.removed) == ((), 5, ())
    assert fingerprint(site.root) == before


def test_the_order_in_which_the_state_lists_things_does_not_matter(site):
    publish(site)
    view = site.proposals[0]
    turned = replace(view, files=view.files[::-1], observations=view.observations[::-1])
    assert publish(replace(site, proposals=(turned,))).written == ()


def test_only_the_page_that_changed_is_written_again(site):
    publish(site)
    view = site.proposals[0]
    files = (replace(view.files[1], state=FileState.STALE), *view.files[2:])
    published = publish(replace(site, proposals=(replace(view, files=files),)))
    assert [path.parent.name for path in published.written] == ["01345"]


def test_every_link_is_relative_and_leads_to_a_file(site):
    publish(site)
    checked = 0
    for page in (site.root / "index.html", site.root / "01345" / "index.html"):
        for link in list_links(read_html(page.read_bytes())):
            if not link.startswith("#"):
                assert resolve(link, page).is_file(), (page, link)
                checked += 1
    assert checked > 300


def test_links_lead_to_files_also_where_proposals_have_no_folder(tmp_path):
    view = examples.make_ceers(1)
    files = [
        replace(
            file,
            path=f"jpg/{file.name}" if file.name.endswith(".jpg") else file.name,
            thumbnail=file.thumbnail and f"jpg/{Path(file.thumbnail).name}",
        )
        for file in view.files
    ]
    examples.fill_disk(tmp_path, files)
    publish(SiteView(root=tmp_path, proposals=(replace(view, files=tuple(files)),), index=(view.summary,)))
    page = tmp_path / "01345" / "index.html"
    (page.parent / "01345.products.txt").touch()
    links = [link for link in list_links(read_html(page.read_bytes())) if not link.startswith("#")]
    assert len(links) > 100
    assert all(resolve(link, page).is_file() for link in links)


def test_every_file_that_is_on_disk_can_be_reached_from_its_proposals_page(site):
    publish(site)
    page = site.root / "01345" / "index.html"
    reached = {resolve(link, page) for link in list_links(read_html(page.read_bytes()))}
    on_disk = {FileState.PRESENT, FileState.STALE, FileState.GONE}
    for file in site.proposals[0].files:
        assert (site.root / file.path in reached) == (file.state in on_disk), file.name


def test_the_table_of_exposures_has_the_configured_columns_in_order(site):
    publish(site)
    rows = read_table(read_page(site), "exposures")
    assert tuple(rows[0])[1:] == examples.SETTINGS.columns
    assert len(rows) == 2 * 10 + 3
    first = rows[0]
    assert (first["obsnum"].text, first["sca"].text, first["FILTER"].text) == ("1", "nrca1", "F115W")
    assert first["size"].attributes["data-sort"] == "117452160"


def test_a_thumbnail_has_a_fixed_size_an_alternative_text_and_the_full_picture_behind_it(site):
    publish(site)
    link = read_table(read_page(site), "exposures")[0]["uncal"].find("a")
    image = link.find("img")
    assert link.attributes["href"] == f"obsnum01/{KEY}_uncal.jpg"
    assert image.attributes["src"] == f"obsnum01/{KEY}_uncal.TN.jpg"
    assert (image.attributes["width"], image.attributes["height"]) == ("120", "120")
    assert KEY in image.attributes["alt"]
    assert image.attributes["loading"] == "lazy"


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(150, None, ("150", "150")), (None, 80, ("80", "80")), (150, 80, ("150", "80"))],
)
def test_the_figure_size_is_that_of_the_settings(tmp_path, width, height, expected):
    settings = replace(examples.SETTINGS, figure_width=width, figure_height=height)
    site = examples.make_site(tmp_path, examples.make_ceers(1, settings=settings))
    publish(site)
    image = read_table(read_page(site), "exposures")[0]["uncal"].find("img")
    assert (image.attributes["width"], image.attributes["height"]) == expected


def test_each_file_of_an_exposure_shows_its_state_and_the_reason(site):
    publish(site)
    rows = {
        row["Exposure"].find("span", class_="key").text: row["Exposure"]
        for row in read_table(read_page(site), "exposures")
    }
    stale = rows[KEY].find("a", class_="stale")
    assert stale.text == "uncal stale"
    assert "newer version" in stale.attributes["title"]
    failed = rows[KEY.replace("nrca1", "nrca2")].find("span", class_="failed")
    assert failed.text == "uncal failed"
    assert "broke off" in failed.attributes["title"]
    withheld = rows["jw01345063001_02101_00001_mirimage"].find_all("span", class_="withheld")
    assert len(withheld) >= 6
    assert all(
        "exclusive access" in chip.attributes["title"] for chip in withheld if "title" in chip.attributes
    )


def test_level_3_products_guide_stars_and_the_rest_have_their_own_tables(site):
    publish(site)
    page = read_page(site)
    products = read_table(page, "products")
    assert len(products) == 4
    assert products[0]["Image"].find("img").attributes["src"].endswith("_i2d.TN.jpg")
    assert [row["Image"].find("a").attributes["href"].rpartition(".")[2] for row in products] == [
        "jpg"
    ] * 3 + ["png"]
    assert [row["Function"].text for row in read_table(page, "guide-stars")] == ["acq1", "fg", "id image"]
    assert [row["Type"].text for row in read_table(page, "others")] == ["_asn.json", "_msa.fits", "_pool.csv"]


def test_planned_and_exclusive_observations_are_shown_as_such(site):
    publish(site)
    lines = {row["Obs."].text: row for row in read_table(read_page(site), "observations")}
    assert lines["81"]["Status"].text == "planned"
    assert lines["63"]["Status"].text == "exclusive until 2027-03-01"
    assert lines["1"]["Start (UTC)"].text == "2022-06-21T04:12Z"
    assert lines["1"]["Exposure time"].text == "1,890 s"


def test_the_header_says_what_a_team_asks_first(site):
    publish(site)
    header = read_page(site).find("header").text
    for fact in (
        "01345",
        "CEERS",
        "Finkelstein, Steven L.",
        "NIRCAM/IMAGE",
        "1 stale",
        "6 withheld",
        "1 failed",
    ):
        assert fact in header
    assert read_page(site).find("header").find_all("a", href="01345.products.txt")


def test_the_index_has_a_line_for_each_proposal_and_the_total(tmp_path):
    others = [
        examples.summarise(
            2733,
            [],
            title="NGC 3132",
            counts={FileState.PRESENT: 4, FileState.WANTED: 2},
            observations=2,
            bytes_present=2_000_000,
            last_arrival=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        ),
        examples.summarise(
            12782, [], title=None, principal_investigator=None, last_arrival=None, instruments=()
        ),
    ]
    ceers = examples.make_ceers(1)
    site = examples.make_site(tmp_path, ceers, others=reversed(others))
    publish(site)
    page = read_page(site, "index.html")
    rows = read_table(page, "proposals")
    assert [row["Proposal"].text for row in rows] == ["01345", "02733", "12782"]
    assert rows[0]["Image"].find("img").attributes["src"] == ceers.summary.thumbnail
    assert rows[1]["Title"].find("a").attributes["href"] == "02733/index.html"
    assert rows[1]["Files"].text == "4 present 2 wanted"
    assert rows[1]["Last arrival"].text == "2026-01-02T03:04Z"
    assert rows[2]["Files"].text == "no files"
    total = page.find("tfoot").text
    present = ceers.summary.counts[FileState.PRESENT] + 4
    assert f"{present} present" in total
    assert str(ceers.summary.observations + 2) in total


def test_a_site_without_anything_says_so(tmp_path):
    publish(SiteView(root=tmp_path, proposals=(), index=()))
    assert "No proposal has files here yet" in read_html((tmp_path / "index.html").read_bytes()).text


def test_a_proposal_without_anything_has_a_page(tmp_path):
    view = examples.make_view([])
    publish(SiteView(root=tmp_path, proposals=(view,), index=(view.summary,)))
    assert "No exposure is listed yet" in read_html((tmp_path / "01345" / "index.html").read_bytes()).text


def test_the_page_of_a_proposal_that_the_index_dropped_is_removed_and_nothing_else(site):
    publish(site)
    data = sorted(path for path in (site.root / "01345").rglob("*") if path.name != "index.html")
    published = publish(SiteView(root=site.root, proposals=(), index=()))
    assert published.removed == (site.root / "01345" / "index.html",)
    assert not (site.root / "01345" / "index.html").exists()
    assert sorted((site.root / "01345").rglob("*")) == data


def test_a_proposal_whose_page_was_not_asked_for_this_time_keeps_it(site):
    publish(site)
    published = publish(replace(site, proposals=()))
    assert published.removed == ()
    assert (site.root / "01345" / "index.html").exists()


def test_a_page_that_somebody_else_wrote_is_never_removed(tmp_path):
    for folder, content in (("02733", b"<html>mine"), ("99999", b"")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "index.html").write_bytes(content)
    (tmp_path / "notes").mkdir()
    site = examples.make_site(tmp_path, examples.make_ceers(1))
    publish(site)
    ours = (tmp_path / "01345" / "index.html").read_bytes()
    (tmp_path / "notes" / "index.html").write_bytes(ours)  # ours, but in no proposal's folder
    (tmp_path / "04321").mkdir()
    (tmp_path / "04321" / "index.html").symlink_to(tmp_path / "notes" / "index.html")
    assert publish(site).removed == ()
    assert (tmp_path / "02733" / "index.html").read_bytes() == b"<html>mine"
    assert (tmp_path / "04321" / "index.html").is_symlink()


def test_a_foreign_page_in_our_place_is_kept_under_another_name(site):
    page = site.root / "index.html"
    for number, content in enumerate((b"<html>by hand</html>", b"<html>by the old tool</html>")):
        page.write_bytes(content)
        publish(site)
        aside = "index.before-jwstwatch.html" if number == 0 else "index.before-jwstwatch-2.html"
        assert (site.root / aside).read_bytes() == content
        assert b"Proposals" in page.read_bytes()
    publish(site)
    assert len(list(site.root.glob("index.*"))) == 3


def test_a_link_in_the_place_of_a_page_is_moved_and_not_written_through(site):
    target = site.root.parent / "elsewhere.html"
    target.write_bytes(b"<html>elsewhere</html>")
    (site.root / "01345" / "index.html").symlink_to(target)
    publish(site)
    assert target.read_bytes() == b"<html>elsewhere</html>"
    assert not (site.root / "01345" / "index.html").is_symlink()
    assert (site.root / "01345" / "index.before-jwstwatch.html").is_symlink()


def test_a_folder_in_the_place_of_a_page_is_moved_too(site):
    (site.root / "index.html" / "inside").mkdir(parents=True)
    publish(site)
    assert (site.root / "index.before-jwstwatch.html" / "inside").is_dir()
    assert (site.root / "index.html").is_file()


def test_a_root_that_is_not_there_is_not_made(tmp_path):
    root = tmp_path / "unmounted"
    with pytest.raises(RootMissingError):
        publish(SiteView(root=root, proposals=(), index=()))
    assert not root.exists()


def test_stopping_leaves_whole_pages_and_the_next_time_does_the_rest(site):
    answers = iter([False, False, False, False, True])
    with pytest.raises(CancelledError):
        publish(site, stop=lambda: next(answers))
    assert (site.root / "01345" / "index.html").is_file()
    assert not (site.root / "index.html").exists()
    assert publish(site).written == (site.root / "index.html",)


def test_pages_say_nothing_of_when_or_where_they_were_made(site):
    publish(site)
    text = (site.root / "01345" / "index.html").read_text()
    assert str(site.root) not in text
    assert f"{datetime.now(UTC):%Y-%m-%d}" not in text


def test_pages_can_be_read_by_the_team_and_no_temporary_file_is_left(site):
    before = os.umask(0o027)
    try:
        publish(site)
    finally:
        os.umask(before)
    assert (site.root / "index.html").stat().st_mode & 0o777 == 0o640
    assert list(site.root.rglob(".*")) == []


def test_no_folder_of_the_site_is_hidden_from_a_web_server(site):
    publish(site)
    assert not [path for path in site.root.rglob("*") if path.name.startswith(".")]


def test_the_wheel_holds_the_templates_and_the_assets(tmp_path):
    hatchling = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not installed here")
    builder = hatchling.WheelBuilder(str(PROJECT))
    with zipfile.ZipFile(next(builder.build(directory=str(tmp_path), versions=["standard"]))) as wheel:
        names = set(wheel.namelist())
    inside = {
        path
        for path in (PROJECT / "jwstwatch" / "pages").rglob("*")
        if path.suffix in (".html", ".css", ".js", ".svg")
    }
    assert len(inside) >= 10
    assert {str(path.relative_to(PROJECT)) for path in inside} <= names


WAITING = WaitingPlan(
    profile="deep", files=1234, size=1_200_000_000_000, since=datetime(2026, 3, 1, 12, tzinfo=UTC)
)


def test_what_waits_for_a_yes_stands_on_the_page_of_its_proposal_and_on_the_index(site):
    few = replace(WAITING, files=1, size=2_000_000)
    publish(replace(site, proposals=(replace(site.proposals[0], waiting=(few,)),), waiting=(WAITING,)))
    words = {"index.html": "1,234 files (1.20 TB) wait", "01345/index.html": "1 file (2.00 MB) waits"}
    for name, amount in words.items():
        text = f"{amount} for a yes since 2026-03-01T12:00Z: jwstwatch run-now deep --yes"
        (note,) = read_page(site, name).find_all("p", class_="waiting")
        assert note.text == text


def test_where_nothing_waits_nothing_is_said(site):
    publish(site)
    for name in ("index.html", "01345/index.html"):
        assert read_page(site, name).find_all("p", class_="waiting") == []
