"""The bytes of any product of the demo archive: a pure function of the seed, the product and its revision."""

from __future__ import annotations

import hashlib
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from jwstwatch.demo.model import ArchivedObservation, ArchivedProduct

_KEPT_BYTES = 128 * 1024 * 1024

_Key = tuple[str, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the archive sends for one product: its bytes and the validators of this revision."""

    content: bytes
    md5: str
    modified: datetime

    @property
    def etag(self) -> str:
        """The strong validator, quoted as in the header."""
        return f'"{self.md5}"'


class ContentCache:
    """Keeps the latest contents, up to a bound, and the size and MD5 of all; the owner does the locking."""

    def __init__(self, *, seed: int) -> None:
        self._seed = seed
        self._kept: OrderedDict[_Key, Stored] = OrderedDict()
        self._kept_bytes = 0
        self._sizes: dict[_Key, tuple[int, str]] = {}

    def read(self, product: ArchivedProduct, observation: ArchivedObservation) -> Stored:
        """Return the content of a product, made now if need be; `observation` is its first holder."""
        key = _key(product)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        content = make_content(product, observation, seed=self._seed)
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        stored = Stored(content=content, md5=digest, modified=product.modified)
        self._sizes[key] = (len(content), digest)
        self._kept[key] = stored
        self._kept_bytes += len(content)
        while self._kept_bytes > _KEPT_BYTES and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._kept_bytes -= len(dropped.content)
        return stored

    def size_and_md5(self, product: ArchivedProduct, observation: ArchivedObservation) -> tuple[int, str]:
        """Return the size in bytes and the checksum as 32 hex digits."""
        if _key(product) not in self._sizes:
            self.read(product, observation)
        return self._sizes[_key(product)]


def make_content(product: ArchivedProduct, observation: ArchivedObservation, *, seed: int = 0) -> bytes:
    """Return the file's bytes; `observation` is the product's own (its first holder).

    FITS files open in astropy, pictures in Pillow; a plain product has valid framing of exactly
    `plain_size` bytes and nothing to see.
    """
    noise = zlib.crc32(f"{seed}/{product.name}/{product.revision}".encode())
    if product.plain_size is not None:
        from jwstwatch.demo.plain import plain_content

        return plain_content(product.extension, product.plain_size, noise=noise)
    scene = scene_seed(observation, seed=seed)
    if product.extension == "fits":
        from jwstwatch.demo.fits import fits_content

        return fits_content(product, observation, scene=scene, noise=noise)
    if product.extension in ("jpg", "png"):
        from jwstwatch.demo.previews import preview_content

        return preview_content(product, observation, scene=scene, noise=noise)
    from jwstwatch.demo.texts import text_content

    return text_content(product, observation, noise=noise)


def scene_seed(observation: ArchivedObservation, *, seed: int) -> int:
    """Return the seed of what an observation sees: the same for every exposure with one filter."""
    return zlib.crc32(f"{seed}/{observation.target.name}/{observation.filter}".encode())


def _key(product: ArchivedProduct) -> _Key:
    return product.uri, product.revision, product.padding
