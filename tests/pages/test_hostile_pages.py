from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.core.gaps import Gap, GapKind
from jwstwatch.core.site import PageSettings, ProposalView, Reprocessing, SiteView
from jwstwatch.pages.publishing import publish
from jwstwatch.pages.rendering import Renderer
from tests.pages import examples
from tests.pages.reading import list_links, read_html, resolve

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
ALLOWED |= {"details", "summary", "label", "input", "select", "output"}


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer()


def make_hostile(text: str) -> ProposalView:
    """Return a view in which every text that comes from outside is `text`."""
    name = f"{KEY}_uncal.fits"
    exposure = examples.make_file(
        name, reason=text, uri=text, product_type=text, keywords={"FILTER": text, text: text}
    )
    preview = examples.make_file(f"{KEY}_uncal.jpg", path=text, thumbnail=text, obs_id=text)
    other = replace(examples.make_file("jw01345001001_01_msa.fits"), name=text, path=text, filetype=text)
    change = Reprocessing(at=examples.BEGIN, pipeline=(text, f"{text} "), context=(None, text))
    product = examples.make_file(
        "jw01345-o001_t021_nircam_clear-f115w_i2d.jpg",
        path=text,
        thumbnail=text,
        reason=text,
        damage=text,
        reprocessed=change,
    )
    gap = Gap(proposal=1345, obsnum=1, kind=GapKind.FAILED, what=text, names=(text,), reason=text)
    observation = examples.make_observation(
        KEY, 1, target_name=text, instrument_name=text, filters=text, columns={"target_name": text}
    )
    odd = examples.make_observation(text, 2)
    columns = PageSettings(
        columns=("FILTER", "dataURI", "productType", "target_name", "outfilename", "obs_id", "uncal", text),
        thumbnails=("uncal", text),
        keywords=(text,),
        sort_by=("FILTER", text),
    )
    view = examples.make_view([exposure, preview, other, product], [observation, odd], settings=columns)
    view = replace(view, gaps=(gap,))
    return examples.with_summary(
        view, title=text, principal_investigator=text, instruments=(text,), thumbnail=text
    )


def check_page(content: bytes, folder: str) -> None:
    page = read_html(content)
    root = Path("/site")
    for element in page.walk():
        assert element.tag in ALLOWED | {"#page"}, element.tag
        assert not [name for name in element.attributes if name.startswith("on") or name == "style"]
    for link in list_links(page):
        if not link.startswith("#"):
            assert re.match(r"[A-Za-z0-9._~%/?=-]+$", link), link
            assert resolve(link, root / folder / "index.html").is_relative_to(root)
    assert all(element.attributes.get("src") and not element.text for element in page.find_all("script"))
    assert len(page.find_all("script")) == 1
    assert len(page.find_all("h1")) == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_what_comes_from_outside_is_text_and_never_markup(renderer, text):
    view = make_hostile(text)
    check_page(renderer.render_proposal(view), "01345")
    check_page(renderer.render_home([view.summary]), "")


@settings(max_examples=25, deadline=None)
@given(st.one_of(st.text(max_size=60), st.text("<>&\"'/:;=`{}%!- javscriptJ\x00\n", max_size=60)))
def test_any_text_from_outside_leaves_the_page_a_page(renderer, text):
    view = make_hostile(text)
    check_page(renderer.render_proposal(view), "01345")
    check_page(renderer.render_home([view.summary]), "")


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=40))
def test_a_hostile_header_value_is_shown_as_it_is(renderer, text):
    view = make_hostile(text)
    page = read_html(renderer.render_proposal(view))
    assert text in page.find("header").text
    assert page.find("table", id="exposures").find("td").text == text


@pytest.mark.parametrize(
    "path", ["javascript:alert(1)", "/etc/passwd", "../../secret", "//evil.example/x", "?q#f"]
)
def test_a_hostile_path_is_a_file_of_the_site_or_no_link_at_all(renderer, path):
    file = examples.make_file(f"{KEY}_uncal.jpg", path=path, thumbnail=path)
    view = examples.make_view([file])
    check_page(renderer.render_proposal(view), "01345")


def test_the_page_forbids_everything_that_it_does_not_need(tmp_path):
    publish(SiteView(root=tmp_path, proposals=(), index=()))
    page = read_html((tmp_path / "index.html").read_bytes())
    (policy,) = [
        meta.attributes["content"]
        for meta in page.find_all("meta")
        if meta.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert not re.search("unsafe|https?:|\\*|data:", policy)
    assert set(rules["script-src"].split()) == {"'self'", "file:"}


def test_a_hostile_title_cannot_pose_as_the_mark_of_our_pages(renderer):
    """A foreign page is told from ours by a tag, which no escaped text can be."""
    view = examples.make_view([])
    mark = '<meta name="generator" content="jwstwatch">'
    view = replace(view, summary=replace(view.summary, title=mark * 3))
    content = renderer.render_proposal(view)
    assert content.count(mark.encode()) == 1
