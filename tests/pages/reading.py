"""A page as a tree, for tests that ask what is on it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

_VOID = {"meta", "link", "img", "input", "br", "hr"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element | str] = field(default_factory=list)

    def walk(self) -> Iterator[Element]:
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def find_all(self, tag: str, **attributes: str) -> list[Element]:
        """Return the elements called `tag`; `class_` is one of the words of the class attribute."""
        word = attributes.pop("class_", None)
        return [
            element
            for element in self.walk()
            if element.tag == tag
            and (word is None or word in element.attributes.get("class", "").split())
            and all(element.attributes.get(name) == value for name, value in attributes.items())
        ]

    def find(self, tag: str, **attributes: str) -> Element:
        return self.find_all(tag, **attributes)[0]

    @property
    def text(self) -> str:
        joined = "".join(child if isinstance(child, str) else child.text for child in self.children)
        return " ".join(joined.split())


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("#page")
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice in <{tag}>: {attrs}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment on the page: {data}")


def read_html(content: bytes | str) -> Element:
    """Return the tree of a page; fails where an element is not closed as it was opened."""
    builder = _Builder()
    builder.feed(content.decode() if isinstance(content, bytes) else content)
    builder.close()
    assert builder.open == [builder.root], f"<{builder.open[-1].tag}> is never closed"
    return builder.root


def read_table(page: Element, name: str) -> list[dict[str, Element]]:
    """Return the rows of the table whose id is `name`, each by the names of its columns."""
    table = page.find("table", id=name)
    heads = [cell.text for cell in table.find("thead").find_all("th")]
    rows = []
    for row in table.find("tbody").find_all("tr"):
        cells = [child for child in row.children if isinstance(child, Element)]
        assert len(cells) == len(heads), f"{len(cells)} cells under {len(heads)} heads"
        rows.append(dict(zip(heads, cells, strict=True)))
    return rows


def list_links(page: Element) -> list[str]:
    """Return every address on the page."""
    return [
        element.attributes[name]
        for element in page.walk()
        for name in ("href", "src", "action", "data", "poster", "srcset")
        if name in element.attributes
    ]


def resolve(link: str, page: Path) -> Path:
    """Return the file that a relative link of the page at `page` means."""
    parts = urlsplit(link)
    assert not parts.scheme, link
    assert not parts.netloc, link
    assert not parts.path.startswith("/"), link
    return Path(os.path.normpath(page.parent / unquote(parts.path))) if parts.path else page


def read_script(content: bytes) -> tuple[str, Any]:
    """Return the function that a data script calls, and what it is given."""
    match = re.fullmatch(rb"jwstwatch\.(rows|details)\((.*)\);\n", content)
    assert match, content[:100]
    assert content.isascii()
    assert b"<" not in content
    return match[1].decode(), json.loads(match[2])


def read_facts(page: Element) -> dict[str, Any]:
    """Return what the page tells its scripts."""
    return json.loads(page.find("main").attributes["data-page"])
