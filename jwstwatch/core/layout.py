"""Where a product lies below its root: `[PPPPP][/obsnumNN][/jpg]/name`, and which names may lie there."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from jwstwatch.errors import UnsafePathError

NAME_LIMIT = 255
"""Bytes in one path component, the limit of every common file system."""

# A name is lengthened for its partial (".NAME.REVISION.part") and its thumbnail ("NAME.TN.jpg").
_ROOM = 24
# Control and format characters, halves of surrogate pairs, line and paragraph separators.
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

PAGES_FOLDER = "jwstwatch-pages"
"""In a proposal's folder: what its page is made of, and the quick-looks."""

PICTURES = (".jpg", ".png")
"""How the names of the archive's pictures end."""

_OWN_NAMES = frozenset(
    {"index.html", "feed.xml", "feed.json", "jwstwatch-assets", PAGES_FOLDER, "sha256sums"}
)
_OWN_FORMS = re.compile(r"[0-9]+\.(products\.txt|exposures\.csv)|.*\.(tn|ql)\.jpg", re.DOTALL)

UNKNOWN_PROPOSAL = "unknown"
UNKNOWN_OBSERVATION = "NA"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutRules:
    """The parameters of the same names; without any, a product lies in `PPPPP/obsnumNN`."""

    skip_propID2outsubdir: bool = False  # noqa: N815 - the users' name for it
    obsnum2outsubdir: bool = True
    propIDs_obsnum2outsubdir: AbstractSet[int] = frozenset()  # noqa: N815
    """Proposals that get observation folders although `obsnum2outsubdir` is off."""
    jpg_separate_subdir: bool = False


class Named(Protocol):
    """What a product's path is made from."""

    @property
    def name(self) -> str:
        """Its file name in the archive."""

    @property
    def proposal(self) -> int | None:
        """Its proposal."""

    @property
    def obsnum(self) -> int | None:
        """Its observation number in the proposal."""


def relative_path(product: Named, rules: LayoutRules) -> str:
    """Return the product's path below its root, with `/` between the components.

    Raises UnsafePathError where the product's name cannot be a file name.
    """
    name = safe_name(product.name)
    folders: list[str] = []
    if not rules.skip_propID2outsubdir:
        folders.append(proposal_folder(product.proposal))
    if rules.obsnum2outsubdir or product.proposal in rules.propIDs_obsnum2outsubdir:
        folders.append(observation_folder(product.obsnum))
    if rules.jpg_separate_subdir and name.lower().endswith(".jpg"):
        folders.append("jpg")
    return "/".join((*folders, name))


def proposal_folder(proposal: int | None) -> str:
    """Return `01409`, or `unknown`."""
    return UNKNOWN_PROPOSAL if proposal is None or proposal < 0 else f"{proposal:05d}"


def observation_folder(obsnum: int | None) -> str:
    """Return `obsnum03`, or `NA`."""
    return UNKNOWN_OBSERVATION if obsnum is None or obsnum < 0 else f"obsnum{obsnum:02d}"


def thumbnail_name(name: str) -> str:
    """Return the name of the small copy of a preview: `x_rate.jpg` becomes `x_rate.TN.jpg`, as does a png."""
    return f"{_stem(name)}.TN.jpg"


def pages_folder(proposal: int | None) -> str:
    """Return the folder below the root where a proposal's page has what it is made of."""
    return f"{proposal_folder(proposal)}/{PAGES_FOLDER}"


def part_name(obsnum: int | None) -> str:
    """Return how the files begin that show one APT observation: `obs003`; `several` for no single one."""
    return "several" if obsnum is None else f"obs{obsnum:03d}"


def preview_folder(proposal: int | None) -> str:
    """Return the folder below the root where a proposal's quick-looks lie, with `/` between its parts."""
    return f"{proposal_folder(proposal)}/{PAGES_FOLDER}/previews"


def quicklook_name(name: str) -> str:
    """Return the name of the picture that is made of a FITS file: `x_rate.fits` becomes `x_rate.QL.jpg`."""
    return f"{_stem(name)}.QL.jpg"


def former_quicklook_name(name: str, revision: int) -> str:
    """Return the name that a quick-look keeps when a newer revision's takes its place: `x_rate.r1.QL.jpg`."""
    return f"{_stem(name)}.r{revision}.QL.jpg"


FORMER_QUICKLOOK = re.compile(r"(?P<stem>.+)\.r[0-9]+\.QL\.jpg", re.DOTALL)
"""The name of a former quick-look."""
_QUICKLOOK = re.compile(r"(?P<stem>.+)\.QL(\.TN)?\.jpg", re.DOTALL)


def source_of(picture: str) -> str | None:
    """Return the name of the FITS file that a quick-look, its thumbnail or a former one is of; else None."""
    match = FORMER_QUICKLOOK.fullmatch(picture) or _QUICKLOOK.fullmatch(picture)
    return None if match is None else f"{match['stem']}.fits"


def _stem(name: str) -> str:
    stem, dot, _ = name.rpartition(".")
    return stem if dot else name


def safe_name(name: str) -> str:
    """Return `name` if it can be one file name below a folder, or raise UnsafePathError.

    Names that begin with a dot are refused too, and those of the pages, their tables and small pictures: they
    are this program's own.
    """
    plain = name.lower()
    if not name or name.startswith(".") or plain in _OWN_NAMES or _OWN_FORMS.fullmatch(plain):
        raise UnsafePathError(f"{name!r} is no name for a product's file")
    if "/" in name or "\\" in name:
        raise UnsafePathError(f"{name!r} holds a path separator")
    plain_text = name.isascii() and name.isprintable()
    if not plain_text and any(unicodedata.category(each) in _FORBIDDEN_CATEGORIES for each in name):
        raise UnsafePathError(f"{name!r} holds a control character")
    length = len(name.encode())
    if length > NAME_LIMIT - _ROOM:
        raise UnsafePathError(f"{name[:40]!r}... is {length} bytes long, too long for a file name")
    return name
