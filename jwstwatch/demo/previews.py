"""The demo's previews: about 500 pixels of asinh-stretched sky, or a plotted spectrum."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

from jwstwatch.demo.extensions import LEVEL3_SCALE, dither_of, scene_kind
from jwstwatch.demo.model import ArchivedObservation, ArchivedProduct
from jwstwatch.demo.pictures import draw, expose

if TYPE_CHECKING:
    from PIL import Image

LONGEST_SIDE = 500
"""Pixels of a preview's longer side."""

_NOISE_DEPTH = {"uncal": 0.35, "rate": 0.8, "rateints": 0.6, "cal": 1.3, "i2d": 4.0, "s2d": 3.0}


def preview_content(
    product: ArchivedProduct, observation: ArchivedObservation, *, scene: int, noise: int
) -> bytes:
    """Return the JPEG (or, for a spectrum, PNG) preview of a product."""
    stream = io.BytesIO()
    if product.extension == "png":
        picture = _plot_spectrum(scene=scene, noise=noise)
        picture.save(stream, "PNG", optimize=False, pnginfo=_comment(product.padding))
        return stream.getvalue()
    comment = b" " * product.padding if product.padding else None
    picture = _picture(product, observation, scene=scene, noise=noise)
    picture.save(stream, "JPEG", quality=85, **({"comment": comment} if comment else {}))
    return stream.getvalue()


def _comment(length: int) -> Any:
    """Return a PNG comment of so many bytes, also of none: so each is one byte of the file."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Comment", " " * length)
    return info


def _picture(
    product: ArchivedProduct, observation: ArchivedObservation, *, scene: int, noise: int
) -> Image.Image:
    import numpy as np
    from PIL import Image

    rows, columns = observation.mode.shape
    scale = LONGEST_SIDE / max(rows, columns)
    shape = (round(rows * scale), round(columns * scale))
    kind = scene_kind(product, observation)
    clean = draw(kind, shape, scene=scene, dither=dither_of(observation))
    depth = _NOISE_DEPTH.get(product.suffix, 1.0) * (LEVEL3_SCALE if observation.calib_level == 3 else 1)
    exposed = expose(clean, noise=noise, depth=depth)[0]
    # As plain numbers: a numpy scalar would make every picture twice as wide.
    low, high = (float(level) for level in np.percentile(exposed[::3, ::3], (5.0, 99.7)))
    scaled = np.clip((exposed - low) * (12.0 / max(high - low, 1e-3)), 0.0, 12.0)
    grey = (np.arcsinh(scaled) * (255.0 / math.asinh(12.0))).astype(np.uint8)
    return Image.fromarray(grey[::-1])


def _plot_spectrum(*, scene: int, noise: int) -> Image.Image:
    import numpy as np
    from PIL import Image, ImageDraw

    random = np.random.default_rng(scene)
    wave = np.linspace(0.0, 1.0, 640)
    flux = 0.35 + 0.25 * np.exp(-wave * 2.0)
    for line in random.uniform(0.05, 0.95, size=6):
        flux += random.uniform(0.05, 0.45) * np.exp(-(((wave - line) / 0.006) ** 2))
    flux += np.random.default_rng(noise).normal(0.0, 0.012, size=wave.size)
    image = Image.new("RGB", (720, 360), "white")
    pen = ImageDraw.Draw(image)
    left, top, right, bottom = 50, 20, 700, 320
    pen.rectangle((left, top, right, bottom), outline="black")
    for tick in range(1, 6):
        place = left + tick * (right - left) // 6
        pen.line((place, bottom, place, bottom - 6), fill="black")
        pen.text((place - 8, bottom + 8), f"{0.6 + tick * 0.78:.1f}", fill="black")
    pen.text((330, 342), "wavelength (micron)", fill="black")
    points: list[Any] = [
        (left + float(x) * (right - left), bottom - min(float(y), 1.0) * (bottom - top))
        for x, y in zip(wave, flux, strict=True)
    ]
    pen.line(points, fill=(31, 90, 160), width=1)
    return image
