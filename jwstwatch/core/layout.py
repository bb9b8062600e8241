"""Where a product lies below its root: `[PPPPP][/obsnumNN][/jpg]/name`, and which names may lie there."""

from __future__ import annotations

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

_OWN_NAMES = frozenset({"index.html", "jwstwatch-assets"})

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
    stem, dot, _ = name.rpartition(".")
    return f"{stem if dot else name}.TN.jpg"


def safe_name(name: str) -> str:
    """Return `name` if it can be one file name below a folder, or raise UnsafePathError.

    Names that begin with a dot are refused too, and those of the pages: they are this program's own.
    """
    if not name or name.startswith(".") or name in _OWN_NAMES:
        raise UnsafePathError(f"{name!r} is no name for a product's file")
    if "/" in name or "\\" in name:
        raise UnsafePathError(f"{name!r} holds a path separator")
    if any(unicodedata.category(character) in _FORBIDDEN_CATEGORIES for character in name):
        raise UnsafePathError(f"{name!r} holds a control character")
    length = len(name.encode())
    if length > NAME_LIMIT - _ROOM:
        raise UnsafePathError(f"{name[:40]!r}... is {length} bytes long, too long for a file name")
    return name
