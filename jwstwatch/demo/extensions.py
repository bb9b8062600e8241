"""What stands behind the primary header of a demo FITS file: the extensions of every pipeline stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jwstwatch.demo.headers import integrations, is_guide_star
from jwstwatch.demo.model import ArchivedObservation, ArchivedProduct
from jwstwatch.demo.pictures import draw, expose

if TYPE_CHECKING:
    import numpy as np

LEVEL3_SCALE = 2
"""A level-3 picture has this many times the rows and columns of an exposure's."""

_GUIDE_SHAPES = {
    "id": (2, 64, 128),
    "acq1": (12, 64, 64),
    "acq2": (10, 32, 32),
    "track": (48, 32, 32),
    "fg": (96, 8, 8),
}
_SPECTRUM_POINTS = 400

Extensions = list[Any]
"""astropy HDUs after the primary one (astropy has no types)."""


def make_extensions(
    product: ArchivedProduct, observation: ArchivedObservation, *, scene: int, noise: int
) -> Extensions:
    """Return the HDUs of a product; `scene` and `noise` are the seeds of what is seen and of its noise."""
    maker = _guide_star if is_guide_star(product) else _MAKERS.get(product.suffix, _image)
    extensions = maker(_Sight(product, observation, scene=scene, noise=noise))
    if product.padding:
        extensions.append(_padding(product.padding))
    return extensions


def scene_kind(product: ArchivedProduct, observation: ArchivedObservation) -> str:
    """Return what a picture of the product shows; a rectified spectrum is drawn as spectra."""
    if is_guide_star(product):
        return "guide"
    mode = observation.mode
    return observation.target.scene if mode.picture == "sky" else mode.picture


def dither_of(observation: ArchivedObservation) -> tuple[float, float]:
    """Return the shift of an exposure on the sky, in picture widths; none for level 3 and spectra."""
    if observation.calib_level == 3 or observation.mode.picture != "sky":
        return 0.0, 0.0
    # Another detector sees another part of the sky.
    detector = sum(observation.detector.encode()) % 7
    return 0.013 * (observation.exposure - 1) + 0.03 * (detector - 3), 0.007 * (observation.exposure - 1)


class _Sight:
    """What one product looks at: pictures with noise, in the shapes that its stage needs."""

    def __init__(
        self, product: ArchivedProduct, observation: ArchivedObservation, *, scene: int, noise: int
    ) -> None:
        self.product = product
        self.observation = observation
        self._scene = scene
        self._noise = noise

    def shape(self) -> tuple[int, int]:
        rows, columns = self.observation.mode.shape
        combined = self.observation.calib_level == 3 and self.observation.mode.picture == "sky"
        scale = LEVEL3_SCALE if combined else 1
        return rows * scale, columns * scale

    def clean(self, shape: tuple[int, int] | None = None) -> np.ndarray[Any, Any]:
        kind = scene_kind(self.product, self.observation)
        return draw(kind, shape or self.shape(), scene=self._scene, dither=dither_of(self.observation))

    def picture(self, *, depth: float = 1.0) -> np.ndarray[Any, Any]:
        picture: np.ndarray[Any, Any] = expose(self.clean(), noise=self._noise, depth=depth)[0]
        return picture

    def cube(self, planes: int, *, shape: tuple[int, int] | None = None) -> np.ndarray[Any, Any]:
        return expose(self.clean(shape), noise=self._noise, planes=planes)

    def random(self) -> np.random.Generator:
        import numpy as np

        return np.random.default_rng(self._noise)


def _uncalibrated(sight: _Sight) -> Extensions:
    """SCI with (integrations, groups, rows, columns) counts that rise from group to group."""
    import numpy as np

    nints, ngroups = integrations(sight.observation)
    rates = sight.cube(nints)
    groups = np.arange(1, ngroups + 1, dtype=np.float32)[None, :, None, None]
    counts = np.clip(11_000 + 22.0 * rates[:, None] * groups, 0, 65_535).astype(np.uint16)
    return [_hdu(counts, "SCI", unit="DN")]


def _image(sight: _Sight) -> Extensions:
    """SCI, ERR and DQ with (rows, columns)."""
    import numpy as np

    data = sight.picture(depth=3.0 if sight.observation.calib_level == 3 else 1.0)
    unit = "DN/s" if sight.product.suffix == "rate" else "MJy/sr"
    quality = np.zeros(data.shape, dtype=np.uint32)
    quality.flat[sight.random().integers(0, data.size, size=40)] = 1
    return [
        _hdu(data, "SCI", unit=unit, sky=sight.observation),
        _hdu(np.sqrt(np.abs(data)) * np.float32(0.1), "ERR", unit=unit),
        _hdu(quality, "DQ"),
    ]


def _cube(sight: _Sight) -> Extensions:
    """SCI, ERR and DQ with (integrations, rows, columns)."""
    import numpy as np

    planes = max(integrations(sight.observation)[0], 2)
    data = sight.cube(planes)
    return [
        _hdu(data, "SCI", unit="DN/s", sky=sight.observation),
        _hdu(np.sqrt(np.abs(data)) * np.float32(0.1), "ERR", unit="DN/s"),
        _hdu(np.zeros(data.shape, dtype=np.uint32), "DQ"),
    ]


def _rectified(sight: _Sight) -> Extensions:
    """SCI, ERR, CON (one plane, a bit for each exposure) and WHT of a resampled image."""
    import numpy as np

    data = sight.picture(depth=4.0)
    return [
        _hdu(data, "SCI", unit="MJy/sr", sky=sight.observation),
        _hdu(np.sqrt(np.abs(data)) * np.float32(0.05), "ERR", unit="MJy/sr"),
        _hdu(np.ones((1, *data.shape), dtype=np.int32), "CON"),
        _hdu(np.full(data.shape, 0.9, dtype=np.float32), "WHT"),
    ]


def _rectified_spectrum(sight: _Sight) -> Extensions:
    """SCI, WHT and WAVELENGTH with (rows, columns)."""
    import numpy as np

    data = sight.picture(depth=3.0)
    wave = np.broadcast_to(np.linspace(0.6, 5.3, data.shape[1], dtype=np.float32), data.shape)
    return [
        _hdu(data, "SCI", unit="MJy"),
        _hdu(np.full(data.shape, 0.9, dtype=np.float32), "WHT"),
        _hdu(np.ascontiguousarray(wave), "WAVELENGTH", unit="um"),
    ]


def _spectral_cube(sight: _Sight) -> Extensions:
    """SCI, ERR, DQ and WMAP with (wavelengths, rows, columns)."""
    import numpy as np

    data = sight.cube(40, shape=(24, 24))
    return [
        _hdu(data, "SCI", unit="MJy/sr", sky=sight.observation),
        _hdu(np.abs(data) * np.float32(0.1), "ERR", unit="MJy/sr"),
        _hdu(np.zeros(data.shape, dtype=np.uint32), "DQ"),
        _hdu(np.ones(data.shape, dtype=np.int16), "WMAP"),
    ]


def _spectra(sight: _Sight) -> Extensions:
    """One EXTRACT1D table, or one per integration, with wavelength (um), flux and its error (Jy)."""
    import numpy as np
    from astropy.io import fits

    random = sight.random()
    tables = []
    for number in range(integrations(sight.observation)[0] if sight.product.suffix == "x1dints" else 1):
        wave = np.linspace(0.6, 5.3, _SPECTRUM_POINTS)
        flux = 1e-6 * (1.0 + np.exp(-wave)) + random.normal(0.0, 2e-8, size=wave.size)
        columns = [
            fits.Column(name="WAVELENGTH", format="D", unit="um", array=wave),
            fits.Column(name="FLUX", format="D", unit="Jy", array=flux),
            fits.Column(name="FLUX_ERROR", format="D", unit="Jy", array=np.full(wave.size, 2e-8)),
            fits.Column(name="DQ", format="J", array=np.zeros(wave.size, dtype=np.int32)),
        ]
        tables.append(fits.BinTableHDU.from_columns(columns, name="EXTRACT1D", ver=number + 1))
    return tables


def _segments(sight: _Sight) -> Extensions:
    """SCI with source labels, (rows, columns)."""
    import numpy as np

    bright = sight.clean() > 2.0
    return [_hdu(np.where(bright, np.cumsum(bright, axis=1) // 8 + 1, 0).astype(np.int32), "SCI")]


def _shutters(sight: _Sight) -> Extensions:
    """The MSA metafile: a shutter image and the tables of shutters and sources."""
    import numpy as np
    from astropy.io import fits

    random, target, count = sight.random(), sight.observation.target, 30
    shutters = [
        fits.Column(name="slitlet_id", format="I", array=np.arange(1, count + 1)),
        fits.Column(name="shutter_row", format="I", array=random.integers(1, 366, size=count)),
        fits.Column(name="shutter_column", format="I", array=random.integers(1, 172, size=count)),
        fits.Column(name="source_id", format="J", array=np.arange(277_000, 277_000 + count)),
    ]
    sources = [
        fits.Column(name="source_id", format="J", array=np.arange(277_000, 277_000 + count)),
        fits.Column(name="ra", format="D", array=target.ra + random.normal(0, 0.01, size=count)),
        fits.Column(name="dec", format="D", array=target.dec + random.normal(0, 0.01, size=count)),
    ]
    return [
        _hdu(random.random((73, 86), dtype=np.float32), "SHUTTER_IMAGE"),
        fits.BinTableHDU.from_columns(shutters, name="SHUTTER_INFO"),
        fits.BinTableHDU.from_columns(sources, name="SOURCE_INFO"),
    ]


def _guide_star(sight: _Sight) -> Extensions:
    """SCI with (frames, rows, columns); calibrated files add the star's positions."""
    import numpy as np
    from astropy.io import fits

    function = sight.product.name.partition("_gs-")[2].partition("_")[0]
    planes, rows, columns = _GUIDE_SHAPES[function]
    data = sight.cube(planes, shape=(rows, columns))
    if sight.product.suffix == "uncal":
        counts = np.clip(900 + 20 * data, 0, 65_535).astype(np.uint16)
        stream = function in ("track", "fg")
        return [_hdu(counts[None] if stream else counts[:, None], "SCI", unit="DN")]
    found = [_hdu(data, "SCI", unit="DN/s")]
    if function in ("track", "fg"):
        places = sight.random().normal(4.0, 0.01, size=planes)
        table = [fits.Column(name="centroid_x", format="D", array=places)]
        found.append(fits.BinTableHDU.from_columns(table, name="POINTING"))
    return found


def _padding(blocks: int) -> Any:
    """Return an extension of exactly `blocks` FITS blocks, header included."""
    import numpy as np
    from astropy.io import fits

    blanks = np.zeros(2880 * (blocks - 1), dtype=np.uint8)
    return fits.ImageHDU(blanks if blanks.size else None, name="PADDING")


def _hdu(data: Any, name: str, *, unit: str = "", sky: ArchivedObservation | None = None) -> Any:
    from astropy.io import fits

    hdu = fits.ImageHDU(data, name=name)
    if unit:
        hdu.header["BUNIT"] = (unit, "physical units of the array values")
    if sky is not None:
        _add_sky_coordinates(hdu.header, data.shape, sky)
    return hdu


def _add_sky_coordinates(header: Any, shape: tuple[int, ...], observation: ArchivedObservation) -> None:
    rows, columns = shape[-2:]
    scale = 0.036 / columns
    header["WCSAXES"] = (2, "number of World Coordinate System axes")
    header["CRPIX1"] = ((columns + 1) / 2, "axis 1 coordinate of the reference pixel")
    header["CRPIX2"] = ((rows + 1) / 2, "axis 2 coordinate of the reference pixel")
    header["CRVAL1"] = (observation.target.ra, "first axis value at the reference pixel")
    header["CRVAL2"] = (observation.target.dec, "second axis value at the reference pixel")
    header["CTYPE1"] = ("RA---TAN", "first axis coordinate type")
    header["CTYPE2"] = ("DEC--TAN", "second axis coordinate type")
    header["CUNIT1"] = ("deg", "first axis units")
    header["CUNIT2"] = ("deg", "second axis units")
    header["CDELT1"] = (-scale, "[deg/pixel] first axis increment")
    header["CDELT2"] = (scale, "[deg/pixel] second axis increment")
    header["RADESYS"] = ("ICRS", "name of the coordinate reference frame")


_MAKERS = {
    "uncal": _uncalibrated,
    "rateints": _cube,
    "calints": _cube,
    "crfints": _cube,
    "trapsfilled": _cube,
    "psfstack": _cube,
    "psfalign": _cube,
    "psfsub": _cube,
    "i2d": _rectified,
    "s2d": _rectified_spectrum,
    "s3d": _spectral_cube,
    "x1d": _spectra,
    "x1dints": _spectra,
    "segm": _segments,
    "msa": _shutters,
}
