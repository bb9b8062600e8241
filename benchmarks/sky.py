"""What a made-up archive of any size holds, computed when it is asked for.

One visit is an APT observation of eight NIRCam exposures and a level-3 set: nine observations of CAOM, 194
files, 522 listing rows (the guide-star files are listed by each exposure, the exposures' files by the set,
too). Names, columns and their widths are those of real rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from jwstwatch.core.dates import to_mjd

FIRST_PROPOSAL = 9001
VISITS = 100
"""Visits in one proposal."""

FILES = 194
"""Files of one visit."""

OBSERVATIONS = 9
"""Observations of CAOM that one visit has."""

_DETECTORS = ("nrca1", "nrca2", "nrca3", "nrca4", "nrcb1", "nrcb2", "nrcb3", "nrcb4")
_SET = len(_DETECTORS)
"""The place of the level-3 set among a visit's observations."""
_SUFFIXES = ("uncal", "rate", "rateints", "cal", "i2d", "crf")
_SIZES = {"fits": 4 * 2880, "jpg": 4000, "json": 2000, "ecsv": 3000}
FIRST_OBSID = 100_000_000

_DESCRIPTIONS = {
    "uncal": "exposure (L1b): Uncalibrated 4D exposure data",
    "rate": "exposure (L2a): 2D count rate averaged over integrations",
    "rateints": "exposure (L2a): 3D countrate per integration",
    "cal": "exposure (L2b): 2D calibrated exposure average over integrations",
    "i2d": "exposure/target (L2b/L3): rectified 2D image",
    "crf": "exposure (L2c): 2D Calibrated data averaged over integrations",
    "trapsfilled": "exposure (L2a): Persistence trap state",
    "segm": "source/target (L3): segmentation map",
    "cat": "source/target (L3) : source catalog",
    "asn": "source/target (L3) : association generator",
}


@dataclass(frozen=True)
class Sky:
    """`visits` visits, the last of which ended at `newest`, the first one `span` before."""

    visits: int
    newest: datetime
    span: timedelta

    def obsids(self, visit: int) -> range:
        """Return the CAOM numbers of a visit's observations."""
        first = FIRST_OBSID + 10 * visit
        return range(first, first + _SET + 1)

    def observations(
        self,
        *,
        proposals: set[int] | None,
        begun: tuple[float | None, float | None],
        first: int = 0,
    ) -> Iterator[str]:
        """Yield the rows of `Mast.Caom.Filtered`, as JSON, of visits that start (MJD) within bounds."""
        lower, upper = begun
        for visit in range(first, self.visits):
            start = self._start(visit)
            if proposals is not None and FIRST_PROPOSAL + visit // VISITS not in proposals:
                continue
            if (lower is None or start >= lower) and (upper is None or start <= upper):
                for place in range(_SET + 1):
                    yield json.dumps(self._observation(visit, place, start), separators=(",", ":"))

    def products(self, obsid: int) -> list[str]:
        """Return the rows of `Mast.Caom.Products` of one observation, as JSON."""
        visit, place = divmod(obsid - FIRST_OBSID, 10)
        if not (0 <= visit < self.visits and place <= _SET):
            return []
        if place < _SET:
            return [self._row(visit, place, place, name) for name in self._own(visit, place)] + [
                self._row(visit, place, place, name) for name in self._guide_stars(visit)
            ]
        rows = [self._row(visit, _SET, _SET, name) for name in self._of_set(visit)]
        for member in range(_SET):
            rows += [self._row(visit, member, _SET, name) for name in self._own(visit, member)]
        return rows

    @cached_property
    def step(self) -> float:
        """Days from one visit to the next."""
        return self.span / timedelta(days=1) / max(1, self.visits)

    def _start(self, visit: int) -> float:
        return to_mjd(self.newest) - self.step * (self.visits - visit)

    def _names(self, visit: int) -> tuple[str, str]:
        proposal, number = FIRST_PROPOSAL + visit // VISITS, 1 + visit % VISITS
        return f"jw{proposal:05d}{number:03d}001", f"jw{proposal:05d}-o{number:03d}"

    def _obs_id(self, visit: int, place: int) -> str:
        stem, candidate = self._names(visit)
        if place == _SET:
            return f"{candidate}_t001_nircam_clear-f200w"
        return f"{stem}_02101_00001_{_DETECTORS[place]}"

    def _own(self, visit: int, place: int) -> list[str]:
        obs_id = self._obs_id(visit, place)
        endings = (".fits", ".jpg", "_thumb.jpg")
        names = [f"{obs_id}_{suffix}{ending}" for suffix in _SUFFIXES for ending in endings]
        return [*names, f"{obs_id}_trapsfilled.fits", f"{obs_id}_trapsfilled.jpg"]

    def _guide_stars(self, visit: int) -> list[str]:
        stem, _ = self._names(visit)
        return [
            f"{stem}_gs-fg_20241230{minute:02d}5513_{kind}"
            for minute in range(8)
            for kind in ("cal.fits", "uncal.fits", "stream.fits")
        ]

    def _of_set(self, visit: int) -> list[str]:
        obs_id = self._obs_id(visit, _SET)
        _, candidate = self._names(visit)
        names = [f"{obs_id}_{suffix}{end}" for suffix in ("i2d", "segm") for end in (".fits", ".jpg")]
        names += [f"{obs_id}_i2d_thumb.jpg", f"{obs_id}_segm_thumb.jpg", f"{obs_id}_cat.ecsv"]
        return (
            names
            + [f"{candidate}_20251221t142913_image{n}_00001_asn.json" for n in (2, 3)]
            + [f"{obs_id}_cat.jpg"]
        )

    def size(self, name: str) -> int:
        """Return the bytes of a file."""
        return _SIZES[name.rpartition(".")[2]]

    def _row(self, visit: int, holder: int, parent: int, name: str) -> str:
        first = FIRST_OBSID + 10 * visit
        suffix = name.rpartition(".")[0].removesuffix("_thumb").rpartition("_")[2]
        fits = name.endswith(".fits")
        kind = "AUXILIARY" if "_gs-" in name else "SCIENCE" if fits else "PREVIEW"
        if name.endswith((".json", ".ecsv")):
            kind = "INFO" if suffix == "asn" else "SCIENCE"
        level = 3 if holder == _SET else 1 if suffix in ("uncal", "stream") else 2
        described = _DESCRIPTIONS.get(suffix, "FGS guide star data (FG)")
        version = "null" if level == 1 else '"1.20.2"'
        return (
            f'{{"obsID":{first + holder},"obs_collection":"JWST","dataproduct_type":"image",'
            f'"obs_id":"{self._obs_id(visit, holder)}","description":"{described}",'
            f'"type":"{"D" if holder == _SET else "S"}","dataURI":"mast:JWST/product/{name}",'
            f'"productType":"{kind}","productGroupDescription":null,'
            f'"productSubGroupDescription":"{suffix.upper()}","productDocumentationURL":null,'
            f'"project":"CALJWST","prvversion":{version},"proposal_id":"{FIRST_PROPOSAL + visit // VISITS}",'
            f'"productFilename":"{name}","size":{self.size(name)},"parent_obsid":{first + parent},'
            f'"dataRights":"PUBLIC","calib_level":{level},"filters":"F200W;CLEAR","_selected_":null}}'
        )

    def _observation(self, visit: int, place: int, start: float) -> dict[str, object]:
        obs_id = self._obs_id(visit, place)
        corners = "10.0180 -20.0180 10.0191 -19.9820 9.9809 -19.9820 9.9820 -20.0180"
        return {
            "intentType": "science",
            "obs_collection": "JWST",
            "provenance_name": "CALJWST",
            "instrument_name": "NIRCAM/IMAGE",
            "project": "JWST",
            "filters": "F200W;CLEAR",
            "wavelength_region": "INFRARED",
            "target_name": f"FIELD-{visit}",
            "target_classification": "Galaxy; Galaxy clusters",
            "obs_id": obs_id,
            "s_ra": 10.0 + visit * 1e-3,
            "s_dec": -20.0,
            "dataproduct_type": "image",
            "proposal_pi": "Ekberg, Nils",
            "calib_level": 3 if place == _SET else 2,
            "t_min": start,
            "t_max": start + 0.004,
            "t_exptime": 311.366,
            "em_min": 1755.0,
            "em_max": 2226.0,
            "obs_title": "A Deep Field of the Size that a Survey Has",
            "t_obs_release": start + 1.0,
            "proposal_id": str(FIRST_PROPOSAL + visit // VISITS),
            "proposal_type": "GO",
            "sequence_number": None,
            "s_region": f"POLYGON {corners}",
            "jpegURL": f"mast:JWST/product/{obs_id}_i2d.jpg",
            "dataURL": f"mast:JWST/product/{obs_id}_i2d.fits",
            "dataRights": "PUBLIC",
            "mtFlag": False,
            "srcDen": None,
            "obsid": FIRST_OBSID + 10 * visit + place,
            "objID": 4 * (FIRST_OBSID + 10 * visit + place) + 3,
            "distance": None,
            "_selected_": None,
        }
