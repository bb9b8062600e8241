"""Reading a picture's worth of a FITS array: averaged to the size that is shown, within bounded memory.

Read with plain reads, a band of rows at a time. A memory map would end the process (SIGBUS) where a file is
cut while it is read, and pulls whole arrays through the memory of a small machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from jwstwatch.errors import ContentError
from jwstwatch.imaging.units import ImageUnit

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_BAND = 512 * 1024
"""Bytes that are read and averaged at a time: within the processor's cache that takes half as long."""
_LONGEST_ROW = 16 * 1024 * 1024
_MOST_READ = 1024 * 1024 * 1024
"""Bytes of one plane; of a larger one only the first rows of each block are read."""
_DO_NOT_USE = 1
"""The flag in DQ. Source: the data quality flags of the JWST pipeline's documentation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """How an array becomes the picture's: blocks of rows x columns, each averaged over its rows `taken`."""

    rows: int
    columns: int
    block: tuple[int, int]
    taken: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the picture."""
        return -(-self.rows // self.block[0]), -(-self.columns // self.block[1])


def choose_grid(image: ImageUnit, *, longest: int) -> Grid:
    """Return the grid that makes a plane fit into `longest` x `longest` pixels, sides kept in proportion.

    Only a strip is reduced along its length alone: it would be a few pixels high.
    """
    rows, columns = image.shape[-2:]
    step = max(-(-rows // longest), -(-columns // longest), 1)
    block = [min(step, rows), min(step, columns)]
    for side, length in enumerate((rows, columns)):
        if length / step < longest / 8:
            block[side] = max(1, -(-length * 8 // longest))
    size = rows * columns * int(image.kind[-1])
    taken = max(1, int(block[0] * min(1.0, _MOST_READ / size)))
    return Grid(rows=rows, columns=columns, block=(block[0], block[1]), taken=taken)


def read_plane(
    stream: BinaryIO, image: ImageUnit, number: int, *, grid: Grid, quality: ImageUnit | None = None
) -> Array:
    """Return plane `number` (from 0) as 32-bit floats in the grid's shape, NaN where no pixel is good.

    Of a block the mean of its good pixels is taken: finite, not blank, and without DO_NOT_USE in `quality`,
    which must have the image's shape. `ContentError` (without the name) where the file ends too early.
    """
    import numpy as np

    result = np.empty(grid.shape, np.float32)
    blocks = _blocks_at_a_time(image, grid)
    flags = None if quality is None else _bands(stream, quality, number, grid=grid, blocks=blocks)
    done = 0
    for raw in _bands(stream, image, number, grid=grid, blocks=blocks):
        good = None
        if flags is not None:
            good = next(flags) & _DO_NOT_USE == 0
        part = _average(_to_floats(raw, image), good, grid=grid)
        result[done : done + len(part)] = part
        done += len(part)
    # The mean of scaled values is the scaled mean.
    with np.errstate(over="ignore", invalid="ignore"):
        if image.scale != 1.0:
            result *= np.float32(image.scale)
        if image.zero != 0.0:
            result += np.float32(image.zero)
    result[~np.isfinite(result)] = np.nan
    return result


def _blocks_at_a_time(image: ImageUnit, grid: Grid) -> int:
    row_bytes = grid.columns * int(image.kind[-1])
    if row_bytes > _LONGEST_ROW:
        raise ContentError(f"its rows of {grid.columns} pixels are too long")
    return max(1, _BAND // (grid.taken * row_bytes)) if grid.taken == grid.block[0] else 1


def _bands(stream: BinaryIO, image: ImageUnit, number: int, *, grid: Grid, blocks: int) -> Iterator[Array]:
    """Yield bands of whole blocks: raw rows, of each block those that are taken."""
    import numpy as np

    row_bytes = grid.columns * int(image.kind[-1])
    start = image.start + number * grid.rows * row_bytes
    height, taken = grid.block[0], grid.taken
    for first in range(0, grid.rows, height * blocks):
        rows = min(taken if taken < height else height * blocks, grid.rows - first)
        stream.seek(start + first * row_bytes)
        content = stream.read(rows * row_bytes)
        if len(content) < rows * row_bytes:
            raise ContentError("it ends in the middle of its data")
        yield np.frombuffer(content, image.kind).reshape(rows, grid.columns)


def _to_floats(raw: Array, image: ImageUnit) -> Array:
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        values = raw.astype(np.float32)
    if image.blank is not None:
        values[raw == image.blank] = np.nan
    return values


def _average(values: Array, good: Array | None, *, grid: Grid) -> Array:
    """Return the means of the blocks in a band; the last block of a side may be smaller."""
    import numpy as np

    usable = np.isfinite(values)
    if good is not None:
        usable &= good
    if grid.block == (1, 1):
        return np.where(usable, values, np.float32(np.nan))
    np.copyto(values, 0, where=~usable)
    # In the smallest numbers that hold them: half of the time goes into counting.
    kind = np.uint8 if grid.taken * grid.block[1] < 256 else np.uint32
    count = _sum_blocks(usable.view(np.uint8), grid, kind=kind)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        means: Array = _sum_blocks(values, grid, kind=np.float32) / count
    return means


def _sum_blocks(values: Array, grid: Grid, *, kind: Any) -> Array:
    """Add up rows, then columns: whole slices at a time, which is what numpy is fast at."""
    import numpy as np

    height = grid.taken
    blocks = -(-len(values) // height)
    rows = np.zeros((blocks, values.shape[1]), kind)
    for offset in range(min(height, len(values))):
        piece = values[offset::height]
        rows[: len(piece)] += piece
    width = grid.block[1]
    result = np.zeros((blocks, grid.shape[1]), kind)
    for offset in range(min(width, values.shape[1])):
        piece = rows[:, offset::width]
        result[:, : piece.shape[1]] += piece
    return result


def spread(count: int, most: int) -> list[int]:
    """Return at most `most` of the numbers below `count`, evenly spread over them."""
    if count <= most:
        return list(range(count))
    return [int((2 * number + 1) * count / (2 * most)) for number in range(most)]


def median(planes: Sequence[Array]) -> Array:
    """Return the median of planes of one shape, of the values that are there; NaN where none is."""
    import numpy as np

    if len(planes) == 1:
        return planes[0]
    ordered = np.sort(np.stack(planes), axis=0)  # NaN comes last
    valid = np.isfinite(ordered).sum(axis=0)
    lower = np.take_along_axis(ordered, np.maximum(valid - 1, 0)[None] // 2, axis=0)[0]
    upper = np.take_along_axis(ordered, np.minimum(valid // 2, len(planes) - 1)[None], axis=0)[0]
    middle: Array = lower / np.float32(2) + upper / np.float32(2)
    middle[valid == 0] = np.nan
    return middle
