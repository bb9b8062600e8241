"""Which files can go to which paths, and in which order, so that no two ever meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A file that goes from one path to another, both relative to its root, with `/`."""

    file_id: int
    path: str
    to: str


def arrange(moves: Iterable[Move], taken: Mapping[str, int]) -> tuple[list[Move], list[Move]]:
    """Return the moves in an order in which each finds its path free, and those whose path never is.

    `taken` has, for every path that is moved to, the file that the state has there (if any). Of two files
    that want one path the first gets it.
    """
    occupied = dict(taken)
    ordered: list[Move] = []
    waiting = list(moves)
    while waiting:
        blocked: list[Move] = []
        for move in waiting:
            if move.to in occupied:
                blocked.append(move)
                continue
            occupied.pop(move.path, None)
            occupied[move.to] = move.file_id
            ordered.append(move)
        if len(blocked) == len(waiting):
            break
        waiting = blocked
    return ordered, waiting


def groups(ordered: Iterable[Move], size: int) -> list[list[Move]]:
    """Cut moves into groups of at most `size`, none of which needs a path that it itself leaves."""
    found: list[list[Move]] = []
    left: set[str] = set()
    for move in ordered:
        if not found or len(found[-1]) >= size or move.to in left:
            found.append([])
            left = set()
        found[-1].append(move)
        left.add(move.path)
    return found
