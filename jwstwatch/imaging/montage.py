"""Several small pictures in one, on shelves from the bottom upwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_GAP = 3


def arrange(pieces: Sequence[Array], *, width: int, height: int) -> tuple[Array, int]:
    """Return one array with as many of the pieces as fit, -inf between them, and how many those are.

    Each may be as large as `width` x `height` pixels; the first always fits. Row 0 is the bottom.
    """
    import numpy as np

    places: list[tuple[int, int]] = []
    left = bottom = shelf = 0
    for piece in pieces:
        rows, columns = piece.shape
        if left and left + columns > width:
            left, bottom, shelf = 0, bottom + shelf + _GAP, 0
        if bottom + rows > height:
            break
        places.append((bottom, left))
        left, shelf = left + columns + _GAP, max(shelf, rows)
    used = list(zip(places, pieces, strict=False))
    shape = (
        max(bottom + piece.shape[0] for (bottom, _), piece in used),
        max(left + piece.shape[1] for (_, left), piece in used),
    )
    whole = np.full(shape, -np.inf, np.float32)
    for (bottom, left), piece in used:
        whole[bottom : bottom + piece.shape[0], left : left + piece.shape[1]] = piece
    return whole, len(places)
