from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jwstwatch.core.model import FileState
from jwstwatch.core.site import PageFile, WaitingPlan
from jwstwatch.errors import RootMissingError
from jwstwatch.pages.bundles import arrange
from jwstwatch.pages.plain import paginate
from jwstwatch.pages.publishing import is_written, publish_part
from jwstwatch.pages.rendering import SCRIPTS, STYLES
from jwstwatch.pages.sections import make_sections
from tests.conftest import PROJECT
from tests.pages import examples
from tests.pages.examples import Proposal, Published
from tests.pages.reading import (
    Element,
    list_links,
    read_facts,
    read_html,
    read_script,
    read_table,
    resolve,
)

KEY = "jw01345001001_03101_00001_nrca1"
SEVERAL_PAGES = 250
"""Rows that do not fit on one page without script."""


@dataclass
class Site:
    root: Path
    proposal: Proposal
    published: Published | None = None

    def publish(self, **changes: object) -> Published:
        """Write the proposal, with some of its facts replaced, and the index."""
        published = examples.publish(self.root, replace(self.proposal, **changes))
        published.written += examples.publish_index(self.root, self.proposal.summary)
        return published

    def read(self, name: str = "01345/index.html") -> Element:
        return read_html((self.root / name).read_bytes())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path, examples.make_ceers(1))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A published site that tests only look at."""
    site = make_site(tmp_path_factory.mktemp("seen"), examples.make_ceers(1))
    site.published = site.publish()
    return site


def make_site(root: Path, proposal: Proposal) -> Site:
    examples.fill_disk(root, proposal.files)
    folder = root / "01345"
    folder.mkdir(exist_ok=True)
    (folder / "01345.products.txt").write_text("the table room's\n")
    return Site(root, proposal)


def many_exposures(count: int) -> list[PageFile]:
    return [
        examples.make_file(f"jw01345001001_03101_{number:05d}_nrca1_rate.fits", number=number)
        for number in range(count)
    ]


def fingerprint(root: Path) -> dict[Path, tuple[int, int]]:
    return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in root.rglob("*") if path.is_file()}


def test_a_site_has_its_index_its_feeds_a_page_for_each_proposal_and_its_own_assets(site):
    before = set(fingerprint(site.root))
    published = site.publish()
    names = {str(path.relative_to(site.root)) for path in set(fingerprint(site.root)) - before}
    assert published.written == len(names)
    assert {"index.html", "feed.xml", "feed.json", "01345/index.html", "01345/01345.exposures.csv"} <= names
    assert {f"jwstwatch-assets/{name}" for name in (*STYLES, *SCRIPTS, "icon.svg")} <= names
    assert {
        f"01345/jwstwatch-pages/obs001.{name}"
        for name in ("html", "csv", "exposures.1.js", "exposures.details.1.js", "products.1.js")
    } <= names


def test_publishing_the_same_again_writes_nothing(site):
    site.publish()
    before = fingerprint(site.root)
    assert site.publish().written == 0
    assert fingerprint(site.root) == before


def test_the_order_in_which_the_state_lists_things_does_not_matter(site):
    site.publish()
    turned = {"files": site.proposal.files[::-1], "observations": site.proposal.observations[::-1]}
    assert site.publish(**turned).written == 0


def test_only_what_changed_is_written_again_and_scripts_get_another_mark(site):
    published = site.publish()
    before = fingerprint(site.root)
    changed = site.proposal.files[0]
    again = site.publish(files=(replace(changed, state=FileState.GONE), *site.proposal.files[1:]))
    after = fingerprint(site.root)
    assert sorted(path.name for path in after if after[path] != before[path]) == [
        *("index.html", "obs001.exposures.1.js", "obs001.exposures.details.1.js", "obs001.html")
    ]
    marks = [
        {section.name: section.mark for section in done.lines[0].sections} for done in (published, again)
    ]
    assert {name for name in marks[0] if marks[0][name] != marks[1][name]} == {"exposures"}


def test_an_interrupted_publish_leaves_everything_that_the_old_page_names(tmp_path):
    site = Site(tmp_path, examples.make_proposal(many_exposures(SEVERAL_PAGES)))
    site.publish()
    (part,) = examples.split(examples.make_proposal(many_exposures(1)))
    publish_part(tmp_path, part)  # and here it dies
    old = read_facts(site.read())
    for part in old["parts"]:
        assert (site.root / "01345" / part["plain"]).is_file()
        for section in set(part) & {"exposures", "products", "guide-stars", "others"}:
            _, chunks, details, _ = part[section]
            names = [f"{section}.{number}" for number in range(1, chunks + 1)]
            names += [f"{section}.details.{number}" for number in range(1, details + 1)]
            for name in names:
                assert (site.root / "01345" / "jwstwatch-pages" / f"{part['id']}.{name}.js").is_file()


def test_what_no_part_needs_any_more_is_removed_and_nothing_else(site):
    many = examples.make_proposal(many_exposures(SEVERAL_PAGES))
    published = examples.publish(site.root, many)
    mine = published.parts / "notes.txt"
    mine.write_text("by hand")
    preview = published.parts / "previews" / f"{KEY}_rate.QL.jpg"
    preview.parent.mkdir()
    preview.touch()
    assert {"obs001.html", "obs001.2.html", "obs001.exposures.details.3.js"} <= names_in(published.parts)
    examples.publish(site.root, examples.make_proposal(many_exposures(2)))
    assert names_in(published.parts) == {
        *("notes.txt", "previews", "obs001.html", "obs001.csv"),
        *("obs001.exposures.1.js", "obs001.exposures.details.1.js"),
    }
    assert preview.is_file()
    examples.publish(site.root, examples.make_proposal([]))
    assert names_in(published.parts) == {"notes.txt", "previews"}
    assert not (site.root / "01345" / "01345.exposures.csv").exists()


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_part_is_known_to_be_written_by_its_script_its_page_and_its_table(site):
    published = site.publish()
    line = published.lines[0]
    assert is_written(site.root, 1345, line)
    assert not is_written(site.root, 1345, None)
    assert not is_written(site.root, 1345, replace(line, obsnum=5))
    for name in ("obs001.exposures.1.js", "obs001.html", "obs001.csv"):
        content = (published.parts / name).read_bytes()
        (published.parts / name).unlink()
        assert not is_written(site.root, 1345, line)
        (published.parts / name).write_bytes(content)
    planned = next(line for line in published.lines if line.planned)
    assert is_written(site.root, 1345, planned)


def test_no_page_and_no_script_is_larger_than_two_megabytes(tmp_path):
    files = [
        file
        for number in range(520)
        for file in examples.make_exposure(
            f"jw01345001001_03101_{number:05d}_nrca1",
            number,
            types=["uncal", "rate", "cal", "crf"],
        )
    ]
    wide = {f"KEY{number:05d}": 3.14159 * number for number in range(60)}
    files = [
        examples.reprocess(examples.with_keywords(file, wide)) if file.name.endswith("_rate.fits") else file
        for file in files
    ]
    published = examples.publish(tmp_path, examples.make_proposal(files))
    line = published.lines[0]
    assert (line.plain_pages, line.sections[0].chunks, line.sections[0].detail_chunks) == (3, 2, 6)
    sizes = {path.name: path.stat().st_size for path in [*published.parts.iterdir(), published.page]}
    assert max(sizes.values()) < 1_500_000, sizes
    rows = [
        (published.parts / name).read_bytes().count(b'<th scope="row" data-sort')
        for name in ("obs001.html", "obs001.2.html", "obs001.3.html")
    ]
    assert rows == [200, 200, 120]


def test_rows_of_very_many_files_make_fewer_rows_a_page():
    files = [examples.make_file(f"{KEY}_{'x' * number}.fits") for number in range(1, 1600)]
    others = [replace(file, name=file.name.replace("nrca1", "nrca2")) for file in files]
    section = make_sections(arrange([*files, *others], ()), examples.SETTINGS)
    pages = paginate(section)
    assert [[len(part.rows) for part in page] for page in pages] == [[1], [1]]


def test_every_link_is_relative_and_leads_to_a_file(seen):
    published = seen.published
    checked = 0
    for page in (seen.root / "index.html", published.page, *published.parts.glob("*.html")):
        for link in list_links(read_html(page.read_bytes())):
            if not link.startswith("#"):
                assert resolve(link, page).is_file(), (page, link)
                checked += 1
    assert checked > 500


def test_links_lead_to_files_also_where_proposals_have_no_folder(tmp_path):
    ceers = examples.make_ceers(1)
    files = [
        replace(
            file,
            path=f"jpg/{file.name}" if file.name.endswith(".jpg") else file.name,
            thumbnail=file.thumbnail and f"jpg/{Path(file.thumbnail).name}",
        )
        for file in ceers.files
    ]
    site = make_site(tmp_path, replace(ceers, files=tuple(files)))
    published = site.publish()
    for page in (published.page, published.parts / "obs001.html"):
        links = [link for link in list_links(read_html(page.read_bytes())) if not link.startswith("#")]
        assert len(links) > 100
        assert all(resolve(link, page).is_file() for link in links)


def test_every_file_that_is_on_disk_can_be_reached_with_and_without_script(seen):
    published = seen.published
    in_page, in_plain_pages, in_scripts = set(), set(), set()
    in_page |= {resolve(link, published.page) for link in list_links(seen.read())}
    for page in published.parts.glob("*.html"):
        in_plain_pages |= {resolve(link, page) for link in list_links(read_html(page.read_bytes()))}
    for script in published.parts.glob("*.js"):
        function, document = read_script(script.read_bytes())
        for key, files, *_ in document["rows"] if function == "rows" else ():
            for _, _, _, folder, name, _ in files:
                if folder >= 0:
                    name = key + name[1:] if name.startswith("~") else name
                    in_scripts.add(seen.root / document["folders"][folder] / name)
    on_disk = {FileState.PRESENT, FileState.STALE, FileState.GONE}
    for file in seen.proposal.files:
        for reached in (in_page, in_plain_pages, in_scripts):
            assert (seen.root / file.path in reached) == (file.state in on_disk), file.name


def test_the_details_of_every_row_tell_of_every_file(seen):
    published = seen.published
    told = set()
    for script in published.parts.glob("*.details.*.js"):
        rows, _ = (read_script(path.read_bytes())[1] for path in (sibling(script), script))
        _, details = read_script(script.read_bytes())
        assert list(details["rows"]) == [row[0] for row in rows["rows"]]
        told |= {file["name"] for detail in details["rows"].values() for file in detail["files"]}
    assert told == {file.name for file in seen.proposal.files}


def sibling(details: Path) -> Path:
    return details.with_name(details.name.replace(".details", ""))


def test_the_table_of_exposures_has_the_configured_columns_in_order(seen):
    rows = read_table(seen.read(), "exposures")
    assert tuple(rows[0])[1:] == examples.SETTINGS.columns
    assert len(rows) == 10 + 3
    first = rows[0]
    assert (first["obsnum"].text, first["sca"].text, first["FILTER"].text) == ("1", "nrca1", "F115W")
    assert first["size"].attributes["data-sort"] == "117452160"


def test_a_thumbnail_has_a_fixed_size_an_alternative_text_and_the_full_picture_behind_it(seen):
    link = read_table(seen.read(), "exposures")[0]["uncal"].find("a")
    image = link.find("img")
    assert (link.attributes["data-kind"], link.attributes["data-group"]) == ("uncal", KEY)
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
    site = Site(tmp_path, examples.make_proposal(examples.make_exposure(KEY, 0), settings=settings))
    site.publish()
    image = read_table(site.read(), "exposures")[0]["uncal"].find("img")
    assert read_facts(site.read())["thumb"] == [width, height]
    assert (image.attributes["width"], image.attributes["height"]) == expected


def test_each_file_of_an_exposure_shows_its_state_and_the_reason(seen):
    rows = {
        row["Exposure"].find("span", class_="key").text: row["Exposure"]
        for row in read_table(seen.read(), "exposures")
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


def test_level_3_products_guide_stars_and_the_rest_have_their_own_tables(seen):
    page = seen.read()
    products = read_table(page, "products")
    assert len(products) == 4
    assert products[0]["Image"].find("img").attributes["src"].endswith("_i2d.TN.jpg")
    *images, spectrum = products
    assert all(row["Image"].find("a").attributes["href"].endswith(".jpg") for row in images)
    assert spectrum["Spectrum"].find("a").attributes["href"].endswith("_x1d.png")
    assert [row["Image" if row is spectrum else "Spectrum"].text for row in products] == [""] * 4
    assert [row["Function"].text for row in read_table(page, "guide-stars")] == ["acq1", "fg", "id image"]
    assert [row["Type"].text for row in read_table(page, "others")] == ["_asn.json", "_msa.fits", "_pool.csv"]


def test_planned_and_exclusive_observations_are_shown_as_such(seen):
    lines = {row["Obs."].text: row for row in read_table(seen.read(), "observations")}
    assert lines["81"]["Access"].text == "planned"
    assert lines["63"]["Access"].text == "exclusive until 2027-03-01"
    assert lines["1"]["Dates (UTC)"].text == "2022-06-21T04:12Z"
    assert lines["1"]["Exposure time"].text == "944.8 s"
    assert lines["1"]["Obs."].find("a").attributes["href"] == "jwstwatch-pages/obs001.html"
    assert lines["63"]["Files"].text == "6 withheld"


def test_the_header_says_what_a_team_asks_first(seen):
    header = seen.read().find("header").text
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
    assert seen.read().find("header").find_all("a", href="01345.products.txt")


def test_a_site_without_anything_says_so(tmp_path):
    examples.publish_index(tmp_path)
    assert "No proposal has files here yet" in read_html((tmp_path / "index.html").read_bytes()).text


def test_a_proposal_without_anything_has_a_page(tmp_path):
    published = examples.publish(tmp_path, examples.make_proposal([]))
    assert "No exposure is listed yet" in read_html(published.page.read_bytes()).text


def test_the_pages_of_a_proposal_that_the_index_dropped_are_removed_and_nothing_else(site):
    mine = site.root / "01345" / "jwstwatch-pages" / "mine.html"
    preview = mine.parent / "previews" / f"{KEY}_rate.QL.jpg"
    before = set(fingerprint(site.root)) - {site.root / "01345" / "01345.products.txt"}
    site.publish()
    preview.parent.mkdir()
    preview.touch()
    mine.touch()
    examples.publish_index(site.root)
    assert set(fingerprint(site.root / "01345")) == {*(path for path in before), mine}
    mine.unlink()
    site.publish()
    examples.publish_index(site.root)
    assert not mine.parent.exists()


def test_a_proposal_whose_page_was_not_asked_for_this_time_keeps_it(site):
    published = site.publish()
    examples.publish_index(site.root, site.proposal.summary)
    assert published.page.exists()
    assert is_written(site.root, 1345, published.lines[0])


def test_a_page_that_somebody_else_wrote_is_never_removed(tmp_path):
    for folder, content in (("02733", b"<html>mine"), ("99999", b"")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "index.html").write_bytes(content)
        (tmp_path / folder / f"{folder}.products.txt").write_bytes(content)
    (tmp_path / "notes").mkdir()
    site = Site(tmp_path, examples.make_proposal(many_exposures(1)))
    site.publish()
    ours = (tmp_path / "01345" / "index.html").read_bytes()
    (tmp_path / "notes" / "index.html").write_bytes(ours)  # ours, but in no proposal's folder
    (tmp_path / "04321").mkdir()
    (tmp_path / "04321" / "index.html").symlink_to(tmp_path / "notes" / "index.html")
    (tmp_path / "04322").symlink_to(tmp_path / "01345")
    before = fingerprint(tmp_path)
    site.publish()
    assert fingerprint(tmp_path) == before
    assert (tmp_path / "04321" / "index.html").is_symlink()


@pytest.mark.parametrize("name", ["index.html", "feed.xml", "01345/index.html"])
def test_a_foreign_page_in_our_place_is_kept_under_another_name(tmp_path, name):
    site = make_site(tmp_path, examples.make_proposal(many_exposures(1)))
    page = site.root / name
    for number, content in enumerate((b"<html>by hand</html>", b"<html>by the old tool</html>")):
        page.write_bytes(content)
        site.publish()
        aside = f"{page.stem}.before-jwstwatch{'' if number == 0 else '-2'}{page.suffix}"
        assert (page.parent / aside).read_bytes() == content
        assert content not in page.read_bytes()
    site.publish()
    assert len(list(page.parent.glob(f"{page.stem}.before*"))) == 2


def test_a_link_in_the_place_of_a_page_is_moved_and_not_written_through(site):
    target = site.root.parent / "elsewhere.html"
    target.write_bytes(b"<html>elsewhere</html>")
    (site.root / "01345" / "index.html").symlink_to(target)
    site.publish()
    assert target.read_bytes() == b"<html>elsewhere</html>"
    assert not (site.root / "01345" / "index.html").is_symlink()
    assert (site.root / "01345" / "index.before-jwstwatch.html").is_symlink()


def test_a_folder_in_the_place_of_a_page_is_moved_too(site):
    (site.root / "index.html" / "inside").mkdir(parents=True)
    site.publish()
    assert (site.root / "index.before-jwstwatch.html" / "inside").is_dir()
    assert (site.root / "index.html").is_file()


def test_a_root_that_is_not_there_is_not_made(tmp_path):
    root = tmp_path / "unmounted"
    with pytest.raises(RootMissingError):
        examples.publish(root, examples.make_proposal(many_exposures(1)))
    with pytest.raises(RootMissingError):
        examples.publish(root, examples.make_proposal([]))
    with pytest.raises(RootMissingError):
        examples.publish_index(root)
    assert not root.exists()


def test_pages_say_nothing_of_when_they_were_made(seen):
    published = seen.published
    for path in (published.page, *published.parts.iterdir()):
        assert f"{datetime.now(UTC):%Y-%m-%d}" not in path.read_text()


def test_a_page_tells_its_scripts_what_they_must_know(seen):
    published = seen.published
    facts = read_facts(seen.read())
    assert (facts["proposal"], facts["folder"]) == ("01345", "jwstwatch-pages")
    assert (facts["root"], facts["host"]) == (str(seen.root), "archive.example")
    assert facts["columns"]["exposures"] == list(examples.SETTINGS.columns)
    parts = {part["id"]: part for part in facts["parts"]}
    assert list(parts) == ["obs001", "obs062", "obs063", "obs081", "several"]
    assert parts["obs001"]["label"] == "Obs. 1"
    assert parts["obs001"]["title"] == "CEERS-EGS · NIRCAM/IMAGE · F115W"
    assert parts["obs001"]["exposures"] == [10, 1, 1, published.lines[0].sections[0].mark]
    assert parts["several"]["obsnum"] is None
    assert "exposures" not in parts["obs081"]


def test_a_small_proposal_has_its_tables_in_the_page_and_a_large_one_links_to_them(tmp_path):
    small = Site(tmp_path, examples.make_proposal(many_exposures(200)))
    small.publish()
    assert len(read_table(small.read(), "exposures")) == 200
    large = Site(tmp_path, examples.make_proposal(many_exposures(201)))
    large.publish()
    page = large.read()
    assert page.find_all("table", id="exposures") == []
    section = page.find("section", id="exposures-section")
    (link,) = section.find("div", class_="plain").find_all("a")
    assert (link.text, link.attributes["href"]) == ("Obs. 1", "jwstwatch-pages/obs001.html")
    plain = large.read("01345/jwstwatch-pages/obs001.html")
    assert [each.attributes["href"] for each in plain.find("nav", class_="pager").find_all("a")] == [
        "obs001.2.html"
    ]
    assert len(read_table(large.read("01345/jwstwatch-pages/obs001.2.html"), "exposures")) == 1


def test_every_script_of_the_program_is_loaded_by_every_page_in_a_working_order(seen):
    assets = {path.name for path in (PROJECT / "jwstwatch/pages/assets").iterdir()}
    assert assets == {*STYLES, *SCRIPTS, "icon.svg"}
    for name in ("index.html", "01345/index.html", "01345/jwstwatch-pages/obs001.html"):
        scripts = [element.attributes["src"] for element in seen.read(name).find_all("script")]
        assert [Path(script.partition("?")[0]).name for script in scripts] == list(SCRIPTS)


def test_pages_can_be_read_by_the_team_and_no_temporary_file_is_left(site):
    before = os.umask(0o027)
    try:
        site.publish()
    finally:
        os.umask(before)
    assert (site.root / "index.html").stat().st_mode & 0o777 == 0o640
    assert list(site.root.rglob(".*")) == []


def test_no_folder_of_the_site_is_hidden_from_a_web_server(seen):
    assert not [path for path in seen.root.rglob("*") if path.name.startswith(".")]


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


def test_what_waits_for_a_yes_stands_on_the_page_of_its_proposal(site):
    site.publish()
    assert site.read().find_all("p", class_="waiting") == []
    site.publish(waiting=(WAITING, replace(WAITING, files=1, size=2_000_000)))
    notes = [note.text for note in site.read().find_all("p", class_="waiting")]
    rest = "for a yes since 2026-03-01T12:00Z: jwstwatch run-now deep --yes"
    assert notes == [f"1,234 files (1.20 TB) wait {rest}", f"1 file (2.00 MB) waits {rest}"]
