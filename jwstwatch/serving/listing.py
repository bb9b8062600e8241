"""The page in front of several sites: which there are, and where."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from jwstwatch.serving.addresses import write_target
from jwstwatch.serving.confining import PAGE, Site

STYLE_NAME = "list.css"
STYLE = """\
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }
li { margin: 0.75rem 0; overflow-wrap: anywhere; }
p { opacity: 0.75; }
"""


def prefixes(sites: tuple[Site, ...]) -> dict[str, Site]:
    """Return the sites by the first component of their addresses."""
    return {f"{number}-{site.root.name or 'root'}": site for number, site in enumerate(sites, start=1)}


def list_page(sites: Mapping[str, Site]) -> str:
    """Return the page that lists the sites; one that has no page yet is named without a link."""
    entries = "\n".join(f"<li>{_entry(prefix, site)}</li>" for prefix, site in sites.items())
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n<title>jwstwatch</title>\n'
        f'<link rel="stylesheet" href="/{STYLE_NAME}">\n</head>\n<body>\n<main>\n'
        f"<h1>Output folders</h1>\n<ul>\n{entries}\n</ul>\n</main>\n</body>\n</html>\n"
    )


def _entry(prefix: str, site: Site) -> str:
    # Names on disk may hold bytes that are no text.
    shown = escape(str(site.root).encode("utf-8", "replace").decode())
    if (site.root / PAGE).is_file():
        return f'<a href="{escape(write_target([prefix]))}">{shown}</a>'
    return f"{shown} (no page is there)"
