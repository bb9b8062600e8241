"""Which associations and pools a newer one of the same name, but for its time stamp, took the place of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from jwstwatch.core.naming import Form, parse


@dataclass(frozen=True, slots=True)
class Edition:
    """A product, and whether the archive still lists it."""

    key: int
    name: str
    listed: bool


def logical_name(name: str) -> str | None:
    """Return what the editions of one association or pool have in common; None for every other name."""
    parsed = parse(name)
    return parsed.logical_name if parsed.form in (Form.ASSOCIATION, Form.POOL) else None


def superseded(editions: Iterable[Edition]) -> dict[int, Edition]:
    """Return, by the key of each older edition, the newest one, which supersedes it.

    The newest is that with the latest time stamp among those that are listed; only where none of them is
    listed any more, among all. An edition later than that one is superseded by nothing.
    """
    families: dict[str, list[tuple[str, Edition]]] = defaultdict(list)
    for edition in editions:
        parsed = parse(edition.name)
        if parsed.form in (Form.ASSOCIATION, Form.POOL) and parsed.stamp is not None:
            families[parsed.logical_name].append((parsed.stamp, edition))
    found: dict[int, Edition] = {}
    for family in families.values():
        listed = [entry for entry in family if entry[1].listed]
        latest, newest = max(listed or family, key=lambda entry: (entry[0], entry[1].key))
        found.update({edition.key: newest for stamp, edition in family if stamp < latest})
    return found
