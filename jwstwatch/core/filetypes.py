"""File types as users write them (`uncal`, `jpg`, `_rate.jpg`) and the file names that they mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

ENDINGS = ("fits", "jpg", "png", "json", "csv", "ecsv")
"""Bare words that mean every file with that ending; no product has such a suffix."""


def normalise_filetypes(words: Iterable[str]) -> tuple[str, ...]:
    """Return the file-name endings that the words mean, each once and in their order.

    `uncal` is `_uncal.fits`, `asn.json` is `_asn.json`, `fits` is every `.fits`. Letters of any case.
    """
    endings = (_normalise(word) for word in words)
    return tuple(dict.fromkeys(ending for ending in endings if ending))


def matching_filetype(name: str, filetypes: Sequence[str]) -> str | None:
    """Return the first of the normalised `filetypes` that the file name ends with, or None."""
    plain = name.lower()
    return next((filetype for filetype in filetypes if plain.endswith(filetype)), None)


def _normalise(word: str) -> str:
    plain = word.strip().lower()
    if not plain:
        return ""
    if plain.lstrip(".") in ENDINGS:
        return "." + plain.lstrip(".")
    if "." not in plain:
        plain += ".fits"
    return plain if plain.startswith("_") else "_" + plain
