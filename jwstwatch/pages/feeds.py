"""What arrived, for feed readers: Atom (RFC 4287) and JSON Feed 1.1. Text from outside stays text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from uuid import UUID, uuid5
from xml.etree import ElementTree as Tree

from jwstwatch.core.amounts import files_text, size_text
from jwstwatch.core.home import Fate, HomeView, NewsEntry
from jwstwatch.core.layout import part_name
from jwstwatch.pages import formats

ATOM, JSON = "feed.xml", "feed.json"
"""Names of the feeds, beside index.html."""

_NAMESPACE = "http://www.w3.org/2005/Atom"
_TITLE = "JWST data: new and reprocessed files"
_AUTHOR = "jwstwatch"
_NOTHING_YET = datetime(2021, 12, 25, 12, 20, tzinfo=UTC)
"""When nothing has arrived, nothing has since the telescope was launched: a feed must have a time."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no place for."""


def render_atom(view: HomeView) -> bytes:
    """Return the Atom feed; its links are relative to its own address."""
    feed = Tree.Element("feed", {"xmlns": _NAMESPACE, "xml:lang": "en"})
    _add(feed, "id", _feed_identity(view))
    _add(feed, "title", _TITLE)
    _add(feed, "updated", _time(_updated(view)))
    _add(_add(feed, "author"), "name", _AUTHOR)
    _add(feed, "generator", "jwstwatch")
    _add(feed, "link", rel="self", type="application/atom+xml", href=ATOM)
    _add(feed, "link", rel="alternate", type="text/html", href="index.html")
    for entry in view.arrivals.news:
        _add_entry(feed, view, entry)
    Tree.indent(feed)
    written: bytes = Tree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def render_json(view: HomeView) -> bytes:
    """Return the JSON feed; its links are relative to its own address."""
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": _TITLE,
        "language": "en",
        "authors": [{"name": _AUTHOR}],
        "items": [
            {
                "id": entry.identity,
                "url": link_of(view, entry),
                "title": headline(entry),
                "content_html": _html(entry, _title_of(view, entry)),
                "summary": _summary(entry, _title_of(view, entry)),
                "date_published": _time(entry.published),
                "date_modified": _time(entry.updated),
                "tags": list(_tags(entry)),
            }
            for entry in view.arrivals.news
        ],
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def headline(entry: NewsEntry) -> str:
    """Say what an entry is about: `01345 obs. 3: 12 new files`."""
    where = formats.page_folder(entry.proposal) if entry.proposal is not None else "No proposal"
    if entry.obsnum is not None:
        where += f" obs. {entry.obsnum}"
    more = " and more" if entry.more else ""
    if entry.fate is Fate.REPROCESSED:
        return f"{where}: {files_text(entry.files)}{more} reprocessed"
    return f"{where}: {entry.files:,} new file{'' if entry.files == 1 else 's'}{more}"


def link_of(view: HomeView, entry: NewsEntry) -> str:
    """Return the address of what an entry tells of: the page of its proposal, showing its observation.

    A proposal without a page, such as one of a profile that wants none, leads to the home page.
    """
    if entry.proposal is None or all(line.proposal != entry.proposal for line in view.index):
        return "index.html"
    page = f"{formats.page_folder(entry.proposal)}/index.html"
    return page if entry.obsnum is None else f"{page}#exposures.observation={part_name(entry.obsnum)}"


def describe_changes(entry: NewsEntry) -> str:
    """Say what is known to be different since a reprocessing, or nothing."""
    return ", ".join(
        f"{change.name} {change.former} \N{RIGHTWARDS ARROW} {change.present}" for change in entry.changes
    )


def _add_entry(feed: Tree.Element, view: HomeView, entry: NewsEntry) -> None:
    title = _title_of(view, entry)
    made = _add(feed, "entry")
    _add(made, "id", entry.identity)
    _add(made, "title", headline(entry))
    _add(made, "updated", _time(entry.updated))
    _add(made, "published", _time(entry.published))
    _add(made, "link", rel="alternate", type="text/html", href=link_of(view, entry))
    for tag in _tags(entry):
        _add(made, "category", term=tag)
    _add(made, "summary", _summary(entry, title))
    _add(made, "content", _html(entry, title), type="html")


def _add(parent: Tree.Element, tag: str, text: str | None = None, **facts: str) -> Tree.Element:
    made = Tree.SubElement(parent, tag, {name: _clean(value) for name, value in facts.items()})
    made.text = None if text is None else _clean(text)
    return made


def _clean(text: str) -> str:
    """Replace what no XML can hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _feed_identity(view: HomeView) -> str:
    try:
        root = UUID(view.identity)
    except ValueError:
        root = uuid5(UUID(int=0), view.identity)
    return uuid5(root, "feed").urn


def _updated(view: HomeView) -> datetime:
    return max((entry.updated for entry in view.arrivals.news), default=_NOTHING_YET)


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


def _title_of(view: HomeView, entry: NewsEntry) -> str | None:
    return next((line.title for line in view.index if line.proposal == entry.proposal), None)


def _tags(entry: NewsEntry) -> Iterator[str]:
    yield entry.fate.value
    if entry.proposal is not None:
        yield formats.page_folder(entry.proposal)


def _summary(entry: NewsEntry, title: str | None) -> str:
    """Say it in plain text: of which proposal, how much, what changed."""
    told = [title or "", f"{files_text(entry.files)}, {size_text(entry.size)}", describe_changes(entry)]
    return "; ".join(_clean(part) for part in told if part)


def _html(entry: NewsEntry, title: str | None) -> str:
    """Return the entry's content as HTML; whatever comes from outside is text in it."""
    lines = [f"<p>{escape(_summary(entry, title))}</p>"]
    lines.append("<ul>" + "".join(f"<li>{escape(_clean(name))}</li>" for name in entry.names) + "</ul>")
    rest = entry.files - len(entry.names)
    if rest or entry.more:
        lines.append(f"<p>and {f'{files_text(rest)} more' if not entry.more else 'many more'}</p>")
    return "".join(lines)
