"""The primary header of a demo product: the keywords that real headers have, for an invented observation.

Source: the primary headers of archived JWST files (uncal, i2d, x1d and guide star).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from jwstwatch.demo.model import ArchivedObservation, ArchivedProduct, to_mjd

Value = str | int | float | bool
Card = tuple[str, Value, str]

_GRATING_INSTRUMENT = "NIRSPEC"
_CONTEXTS = {"1.17.1": "jwst_1322.pmap", "1.20.2": "jwst_1464.pmap"}
_SDP_VERSIONS = {"1.17.1": "2025_1a", "1.20.2": "2025_4b"}
_MODELS = {
    "uncal": "Level1bModel", "rate": "ImageModel", "cal": "ImageModel", "i2d": "ImageModel",
    "rateints": "CubeModel", "calints": "CubeModel", "crfints": "CubeModel", "s2d": "SlitModel",
    "s3d": "IFUCubeModel", "x1d": "MultiSpecModel", "x1dints": "TSOMultiSpecModel",
    "segm": "SegmentationMapModel", "psfstack": "CubeModel",
}  # fmt: skip
_LEVELS = {"uncal": "1b", "rate": "2a", "rateints": "2a", "trapsfilled": "2a", "crf": "2c", "crfints": "2c"}
_GUIDE_STAR_MODES = {
    "id": ("FGS_ID-IMAGE", "ID", "2048X64", 2, 2),
    "acq1": ("FGS_ACQ1", "ACQ1", "128X128", 6, 2),
    "acq2": ("FGS_ACQ2", "ACQ2", "32X32", 5, 2),
    "track": ("FGS_TRACK", "TRACK", "32X32", 1024, 2),
    "fg": ("FGS_FINEGUIDE", "FINEGUIDE", "8X8", 3072, 8),
}


def primary_cards(product: ArchivedProduct, observation: ArchivedObservation) -> list[Card]:
    """Return the primary header's cards as (keyword, value, comment), in the order of real headers."""
    cards = [
        *_file_cards(product, observation),
        *_program_cards(observation),
        *_time_cards(observation),
        *_visit_cards(observation, guide_star=is_guide_star(product)),
    ]
    if is_guide_star(product):
        cards += _guide_cards(product)
    else:
        cards += _target_cards(observation)
        cards += _instrument_cards(observation)
        cards += _exposure_cards(observation)
    if product.version and product.level != 1:
        context = _CONTEXTS.get(product.version, "jwst_1489.pmap")
        cards += [
            ("CRDS_VER", "12.1.10", "Version of CRDS file selection software used"),
            ("CRDS_CTX", context, "CRDS context (.pmap) used to select ref files"),
        ]
    return cards


def is_guide_star(product: ArchivedProduct) -> bool:
    """True for what guiding left behind; such headers have no filter, target or exposure time."""
    return "_gs-" in product.name


def product_level(product: ArchivedProduct) -> str:
    """Return the keyword service's `productLevel`: 1b, 2a, 2b, 2c or 3."""
    return "3" if product.level == 3 else _LEVELS.get(product.suffix, "1b" if product.level == 1 else "2b")


def exposure_end(observation: ArchivedObservation) -> datetime | None:
    """Return when the exposure ended."""
    if observation.start is None:
        return None
    return observation.start + timedelta(seconds=1.02 * (observation.exposure_seconds or 0.0))


def integrations(observation: ArchivedObservation) -> tuple[int, int]:
    """Return the numbers of integrations and of groups that the demo's exposures have."""
    if observation.mode.frame == "crfints":
        return 4, 3
    return 1, 5


def _file_cards(product: ArchivedProduct, observation: ArchivedObservation) -> Iterator[Card]:
    version = product.version
    yield "DATE", _iso(product.modified), "UTC date file created"
    yield "ORIGIN", "JWSTWATCH-DEMO", "Organization responsible for creating file"
    yield "TIMESYS", "UTC", "principal time system for time-related keywords"
    yield "FILENAME", product.name, "Name of the file"
    yield "SDP_VER", _SDP_VERSIONS.get(version or "", "2026_1a"), "Data processing software version number"
    yield "PRD_VER", "PRDOPSSOC-068", "S&OC PRD version number used in data processing"
    if version and product.level != 1:
        yield "CAL_VER", version, "Calibration software version number"
        yield "CAL_VCS", "RELEASE", "Calibration software version control sys number"
    yield "DATAMODL", _MODELS.get(product.suffix, "ImageModel"), "Type of data model"
    yield "TELESCOP", "JWST", "Telescope used to acquire the data"
    if observation.calib_level == 3:
        yield "ASNTABLE", f"{observation.obs_id.split('_')[0]}_asn.json", "Name of the association table"


def _program_cards(observation: ArchivedObservation) -> Iterator[Card]:
    yield "TITLE", observation.proposal.title, "Proposal title"
    yield "PI_NAME", _ascii(observation.proposal.principal_investigator), "Principal investigator name"
    yield "CATEGORY", observation.proposal.category, "Program category"


def _time_cards(observation: ArchivedObservation) -> Iterator[Card]:
    start, end = observation.start, exposure_end(observation)
    if start is None or end is None:
        return
    yield "DATE-OBS", f"{start:%Y-%m-%d}", "[yyyy-mm-dd] UTC date at start of exposure"
    yield "TIME-OBS", _iso(start)[11:], "[hh:mm:ss.sss] UTC time at start of exposure"
    yield "DATE-BEG", _iso(start), "Date-time start of exposure"
    yield "DATE-END", _iso(end), "Date-time end of exposure"


def _visit_cards(observation: ArchivedObservation, *, guide_star: bool) -> Iterator[Card]:
    program, number = f"{observation.proposal.number:05d}", observation.number or 1
    visit = f"{program}{number:03d}{observation.visit:03d}"
    sequence = f"{observation.group}1{observation.activity}"
    yield "OBS_ID", f"V{visit}P00000000{sequence}", "Programmatic observation identifier"
    yield "VISIT_ID", visit, "Visit identifier"
    yield "PROGRAM", program, "Program number"
    yield "OBSERVTN", f"{number:03d}", "Observation number"
    yield "VISIT", f"{observation.visit:03d}", "Visit number"
    if not guide_star:
        yield "VISITGRP", observation.group, "Visit group identifier"
        yield "SEQ_ID", "1", "Parallel sequence identifier"
        yield "ACT_ID", observation.activity, "Activity identifier"
        yield "EXPOSURE", str(observation.exposure), "Exposure request number"
        yield "TEMPLATE", observation.mode.template, "Observation template used"
    yield "OBSLABEL", f"Demo {number}", "Proposer label for the observation"
    yield "ENG_QUAL", "OK", "Engineering data quality indicator from EngDB"
    yield "VISITYPE", "PRIME_TARGETED_FIXED", "Visit type"
    yield "VISITSTA", "SUCCESSFUL", "Status of a visit"
    yield "TSOVISIT", observation.mode.frame == "crfints", "Time Series Observation visit indicator"


def _target_cards(observation: ArchivedObservation) -> Iterator[Card]:
    target = observation.target
    yield "TARGPROP", target.name.upper(), "Proposer's name for the target"
    yield "TARGNAME", target.name, "Standard astronomical catalog name for target"
    yield "TARGTYPE", "FIXED", "Type of target (fixed, moving, generic)"
    yield "TARG_RA", target.ra, "Target RA at mid time of exposure"
    yield "TARG_DEC", target.dec, "Target Dec at mid time of exposure"


def _instrument_cards(observation: ArchivedObservation) -> Iterator[Card]:
    yield "INSTRUME", observation.instrument, "Instrument used to acquire the data"
    yield "DETECTOR", observation.detector, "Name of detector used to acquire the data"
    if observation.instrument == "NIRCAM":
        detector = observation.detector
        yield (
            "MODULE",
            detector[3] if detector.startswith("NRC") else "MULTIPLE",
            "NIRCam module: A, B, or MULTIPLE",
        )
        yield "CHANNEL", "LONG" if (observation.filter or "") > "F240" else "SHORT", "Instrument channel"
    if observation.filter:
        yield "FILTER", observation.filter, "Name of the filter element used"
    if observation.element:
        key = "GRATING" if observation.instrument == _GRATING_INSTRUMENT else "PUPIL"
        yield key, observation.element, f"Name of the {key.lower()} element used"


def _exposure_cards(observation: ArchivedObservation) -> Iterator[Card]:
    mode, seconds = observation.mode, observation.exposure_seconds or 0.0
    nints, ngroups = integrations(observation)
    yield "EXP_TYPE", mode.exp_type, "Type of data in the exposure"
    if observation.start is not None:
        yield "EXPSTART", to_mjd(observation.start), "[d] exposure start time in MJD"
    yield "READPATT", mode.readpatt, "Readout pattern"
    yield "NINTS", nints, "Number of integrations in exposure"
    yield "NGROUPS", ngroups, "Number of groups in integration"
    yield "NFRAMES", 4, "Number of frames per group"
    yield "GROUPGAP", 1, "Number of frames dropped between groups"
    yield "TFRAME", 10.73677, "[s] Time between frames"
    yield "TGROUP", 53.68385, "[s] Time between groups"
    yield "EFFINTTM", round(seconds / nints, 3), "[s] Effective integration time"
    yield "EFFEXPTM", round(seconds, 3), "[s] Effective exposure time"
    yield "DURATION", round(seconds * 1.02, 3), "[s] Total duration of exposure"
    yield "SUBARRAY", mode.subarray, "Subarray used"
    yield "SUBSIZE1", mode.shape[1], "Number of pixels in axis 1 direction"
    yield "SUBSIZE2", mode.shape[0], "Number of pixels in axis 2 direction"
    yield "PATTTYPE", "NONE", "Primary dither pattern type"
    yield "NUMDTHPT", 2, "Total number of points in pattern"
    yield "PATT_NUM", observation.exposure, "Position number within dither pattern"
    yield "APERNAME", f"{observation.detector}_{mode.subarray}", "PRD science aperture used"
    yield "PCS_MODE", "FINEGUIDE", "Pointing Control System mode"


def _guide_cards(product: ArchivedProduct) -> Iterator[Card]:
    match = re.search(r"_gs-(id|acq1|acq2|track|fg)", product.name)
    exp_type, readpatt, subarray, nints, ngroups = _GUIDE_STAR_MODES[match.group(1) if match else "id"]
    if "_stacked_" in product.name:
        exp_type = "FGS_ID-STACK"
    yield "INSTRUME", "FGS", "Instrument used to acquire the data"
    yield "DETECTOR", "GUIDER1", "Name of detector used to acquire the data"
    yield "EXP_TYPE", exp_type, "Type of data in the exposure"
    yield "READPATT", readpatt, "Readout pattern"
    yield "NINTS", nints, "Number of integrations in exposure"
    yield "NGROUPS", ngroups, "Number of groups in integration"
    yield "NFRAMES", 1, "Number of frames per group"
    yield "EFFINTTM", 0.3843, "[s] Effective integration time"
    yield "DURATION", 165.374, "[s] Total duration of exposure"
    yield "SUBARRAY", subarray, "Subarray used"
    yield "APERNAME", "FGS1_FULL", "PRD science aperture used"
    yield "GS_ORDER", 1, "index of guide star within list of selected guide stars"
    yield "GDSTARID", "S0DEMO7717", "guide star identifier"
    yield "GS_MAG", 13.94, "guide star magnitude in FGS detector"


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


def _ascii(text: str) -> str:
    # FITS headers hold ASCII only.
    return text.replace("ø", "o").encode("ascii", "replace").decode("ascii")
