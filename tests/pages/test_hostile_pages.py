from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.core.gap_words import summarise
from jwstwatch.core.gaps import Gap, GapKind
from jwstwatch.core.site import FormerPicture, FormerVersion, PageSettings, Reprocessing
from tests.pages import examples
from tests.pages.examples import Proposal
from tests.pages.reading import Element, list_links, read_html, read_script, resolve

KEY = "jw01345001001_03101_00001_nrca1"
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "//evil.example/x",
    "{{ 7 * 7 }}{% raw %}",
    "</title></table></main><h1>gone",
    "<!-- ",
    "]]>&lt;&amp;&#60;",
    "\u202egnp.exe",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\u2028line\u2029",
    "*/ </script><script>alert(1)//",
    "a\x00b\x1b[31m\r\nc",
    "\ud800 alone",
    "x" * 5000,
]
ALLOWED = {
    "html",
    "head",
    "meta",
    "title",
    "link",
    "script",
    "body",
    "a",
    "header",
    "div",
    "nav",
    "h1",
    "h2",
    "p",
}
ALLOWED |= {
    "span",
    "main",
    "section",
    "table",
    "thead",
    "tbody",
    "tfoot",
    "tr",
    "th",
    "td",
    "time",
    "img",
    "footer",
}
ALLOWED |= {"details", "summary", "label", "input", "select", "output", "ul", "ol", "li", "code"}
ALLOWED |= {"h3", "figure", "figcaption", "dl", "dt", "dd"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site")


def make_hostile(text: str) -> Proposal:
    """Return a proposal in which every text that comes from outside is `text`."""
    keywords = {"FILTER": text, "PUPIL": text, "DETECTOR": text, text: text}
    facts = {"path": text, "thumbnail": text, "picture": text, "reason": text, "note": text, "sha256": text}
    former = FormerVersion(
        revision=1,
        size=1,
        pipeline=text,
        context=text,
        began_at=examples.BEGIN,
        ended_at=examples.BEGIN,
        why=text,
    )
    change = Reprocessing(at=examples.BEGIN, pipeline=(text, f"{text} "), context=(None, text))
    exposure = examples.make_file(
        f"{KEY}_uncal.fits", reason=text, uri=text, product_type=text, keywords=keywords, versions=(former,)
    )
    preview = examples.make_file(
        f"{KEY}_uncal.jpg", **facts, obs_id=text, former_picture=FormerPicture(path=text, revision=1)
    )
    other = replace(
        examples.make_file("jw01345001001_01_msa.fits", obsnum=None), name=text, path=text, filetype=text
    )
    product = examples.make_file(
        "jw01345-o001_t021_nircam_clear-f115w_i2d.jpg", **facts, damage=text, reprocessed=change
    )
    gap = Gap(proposal=1345, obsnum=1, kind=GapKind.FAILED, what=text, names=(text,), reason=text)
    observation = examples.make_observation(
        KEY, 1, target_name=text, instrument_name=text, filters=text, columns={"target_name": text}
    )
    columns = PageSettings(
        columns=("FILTER", "dataURI", "productType", "target_name", "outfilename", "obs_id", "uncal", text),
        thumbnails=("uncal", text),
        keywords=(text,),
        sort_by=("FILTER", text),
    )
    return examples.make_proposal(
        [exposure, preview, other, product],
        [observation, examples.make_observation(text, 2)],
        settings=columns,
        gaps=summarise([gap]),
        title=text,
        principal_investigator=text,
        instruments=(text,),
        thumbnail=text,
    )


def check_site(root: Path, text: str) -> Element:
    """Publish a hostile proposal, check every file of it, and return its page."""
    proposal = make_hostile(text)
    published = examples.publish(root, proposal)
    examples.publish_index(root, proposal.summary)
    for path in (root / "index.html", published.page, *published.parts.glob("*.html")):
        check_page(path, root)
    for path in published.parts.glob("*.js"):
        read_script(path.read_bytes())
    for path in (published.parts / "obs001.csv", root / "01345" / "01345.exposures.csv"):
        check_spreadsheet(path, columns=1 + len(proposal.settings.columns))
    return read_html(published.page.read_bytes())


def check_page(path: Path, root: Path) -> None:
    page = read_html(path.read_bytes())
    for element in page.walk():
        assert element.tag in ALLOWED | {"#page"}, element.tag
        assert not [name for name in element.attributes if name.startswith("on") or name == "style"]
    for link in [*list_links(page), *list_facts(page, "data-file", "data-former")]:
        if not link.startswith("#"):
            assert re.match(r"[A-Za-z0-9._~%/?=-]+$", link), link
            assert resolve(link, path).is_relative_to(root)
    assert all(element.attributes.get("src") and not element.text for element in page.find_all("script"))
    assert len(page.find_all("h1")) == 1


def list_facts(page: Element, *names: str) -> list[str]:
    return [
        element.attributes[name] for element in page.walk() for name in names if name in element.attributes
    ]


def check_spreadsheet(path: Path, *, columns: int) -> None:
    with path.open(newline="", encoding="utf-8") as stream:
        lines = list(csv.reader(stream, strict=True))
    assert all(len(line) == columns for line in lines)
    for cell in (cell for line in lines for cell in line):
        assert not cell.startswith(("=", "@", "\t", "\r")), cell


@pytest.mark.parametrize("text", HOSTILE)
def test_what_comes_from_outside_is_text_and_never_markup(root, text):
    check_site(root, text)


@settings(max_examples=12, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text("<>&\"'/:;=`{}%!- javscriptJ\x00\n", max_size=60)))
def test_any_text_from_outside_leaves_the_site_a_site(root, text):
    check_site(root, text)


@settings(max_examples=6, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=40))
def test_a_hostile_header_value_is_shown_as_it_is(root, text):
    page = check_site(root, text)
    assert text in page.find("header").text
    assert page.find("table", id="exposures").find("td").text == text
    _, document = read_script((root / "01345/jwstwatch-pages/obs001.exposures.1.js").read_bytes())
    ((key, _, cells, _),) = document["rows"]
    assert (key, cells[0]) == (KEY, text)


@pytest.mark.parametrize(
    "path", ["javascript:alert(1)", "/etc/passwd", "../../secret", "//evil.example/x", "?q#f", "~x.jpg"]
)
def test_a_hostile_path_is_a_file_of_the_site_or_no_link_at_all(root, path):
    file = examples.make_file(f"{KEY}_uncal.jpg", path=path, thumbnail=path)
    published = examples.publish(root, examples.make_proposal([file]))
    for page in (published.page, published.parts / "obs001.html"):
        check_page(page, root)
    _, document = read_script((published.parts / "obs001.exposures.1.js").read_bytes())
    ((_, ((_, _, _, folder, name, _),), *_),) = document["rows"]
    leads_out = path.startswith(("/", "..")) or name.startswith("~")
    assert folder == -1 if leads_out else "/".join(filter(None, [document["folders"][folder], name])) == path


def test_every_page_forbids_everything_that_it_does_not_need(root):
    published = examples.publish(root, examples.make_ceers(1))
    examples.publish_index(root, examples.summarise(1345, []))
    for path in (root / "index.html", published.page, published.parts / "obs001.html"):
        (policy,) = [
            meta.attributes["content"]
            for meta in read_html(path.read_bytes()).find_all("meta")
            if meta.attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules["default-src"] == "'none'"
        assert not re.search("unsafe|https?:|\\*|data:", policy)
        assert set(rules["script-src"].split()) == {"'self'", "file:"}


def test_a_hostile_title_cannot_pose_as_the_mark_of_our_pages(root):
    """A foreign page is told from ours by a tag, which no escaped text can be."""
    mark = '<meta name="generator" content="jwstwatch">'
    published = examples.publish(root, examples.make_proposal([], title=mark * 3))
    assert published.page.read_bytes().count(mark.encode()) == 1
