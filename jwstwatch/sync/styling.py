"""How the page of a proposal is made: the wishes of every profile that contributes to it, united."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from jwstwatch import __version__
from jwstwatch.core.filetypes import normalise_filetypes
from jwstwatch.core.parameters import Parameters
from jwstwatch.core.site import PageSettings, WaitingPlan
from jwstwatch.sync.picturing import PictureStyle


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How the page of one proposal is made."""

    settings: PageSettings
    pictures: PictureStyle

    @property
    def digest(self) -> str:
        """Tell this style, as this version carries it out, from any other."""
        return digest_of([repr(self), __version__])


def page_digest(style: Style, waiting: Sequence[WaitingPlan], place: str) -> str:
    """Return what the page itself depends on besides the state: its style, files that wait, its root."""
    return digest_of([style.digest, repr(tuple(waiting)), place])


def style_of(names: Iterable[str], known: Mapping[str, Parameters]) -> Style | None:
    """Return how the page is made to which these profiles contribute; None where none of them wants pages."""
    contributing = set(names)
    wanting = [entry for name, entry in known.items() if name in contributing and entry.makewebpages]
    return _unite(wanting) if wanting else None


def _unite(parameters: Sequence[Parameters]) -> Style:
    """Unite differing column settings in configuration order; sizes are the first profile's."""
    first = parameters[0]
    settings = PageSettings(
        columns=_united(entry.webpage_cols4table for entry in parameters),
        thumbnails=_united(normalise_filetypes(_as_jpgs(entry.webpage_level12_jpgs)) for entry in parameters),
        keywords=_united(entry.webpage_fitskeys2table for entry in parameters),
        sort_by=first.webpage_sortcols,
        figure_width=first.webpage_tablefigsize_width or first.webpage_thumbnails_width,
        figure_height=first.webpage_tablefigsize_height,
    )
    return Style(
        settings=settings,
        pictures=PictureStyle(
            wanted=any(entry.webpage_mkthumbnails for entry in parameters),
            shown=settings.thumbnails,
            width=first.webpage_thumbnails_width,
            height=first.webpage_thumbnails_height,
            overwrite=any(entry.webpage_thumbnails_overwrite for entry in parameters),
        ),
    )


def _as_jpgs(words: Collection[str]) -> list[str]:
    """Both spellings work: `uncal` and `_uncal.jpg`."""
    return [word if "." in word else f"{word}.jpg" for word in words]


def _united(lists: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for words in lists for word in words))


def digest_of(words: Sequence[str]) -> str:
    """Return a digest that tells these words from any others."""
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()
