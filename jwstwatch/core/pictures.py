"""What the state keeps of a file's picture: from which revision it was made, how, and how large."""

from __future__ import annotations

import re
from dataclasses import dataclass

_THUMBNAIL = re.compile(r"(\d{1,9}):(\w+x\w+)")
_QUICKLOOK = re.compile(r"ql:(\d{1,9}):(\d{1,9}):(\w+x\w+)(?:<(\d{1,9}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureMark:
    """The picture of one revision of a file: the thumbnail of a jpg or png, or a quick-look of a FITS file.

    As text `3:120xNone`, or `ql:1:3:120xNone`, or with the predecessor that is kept `ql:1:3:120xNone<2`.
    """

    revision: int
    size: str
    """Of the thumbnail, as asked for: width x height in pixels."""
    looks: int | None = None
    """Of a quick-look: which way of drawing it was made by; None for the archive's own picture."""
    former: int | None = None
    """The revision whose quick-look is kept beside it."""

    def __str__(self) -> str:
        """Return the text that the state keeps."""
        if self.looks is None:
            return f"{self.revision}:{self.size}"
        former = "" if self.former is None else f"<{self.former}"
        return f"ql:{self.looks}:{self.revision}:{self.size}{former}"

    @property
    def is_quicklook(self) -> bool:
        """True where the picture was made from the FITS file itself."""
        return self.looks is not None


def read_mark(text: str | None) -> PictureMark | None:
    """Return what a kept text says; None where there is no picture."""
    if text is None:
        return None
    if found := _QUICKLOOK.fullmatch(text):
        looks, revision, size, former = found.groups()
        kept = None if former is None else int(former)
        return PictureMark(revision=int(revision), size=size, looks=int(looks), former=kept)
    if found := _THUMBNAIL.fullmatch(text):
        return PictureMark(revision=int(found[1]), size=found[2])
    return None
