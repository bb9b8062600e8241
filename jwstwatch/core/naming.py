"""The grammar of JWST file names, and of the observation identifiers that are such names without a suffix.

Source: the file naming pages of the JWST pipeline's documentation, checked against recorded archive names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from jwstwatch.core.instruments import INSTRUMENT_OF, INSTRUMENTS


class Form(StrEnum):
    """Which rule of the grammar a name follows."""

    EXPOSURE = "exposure"
    SEGMENT = "segment"
    """A part of a long time-series exposure."""
    STAGE3_EXPOSURE = "stage-3 exposure"
    """Output of stage 3 that is still per exposure, such as crf."""
    GUIDE_STAR_ID = "guide star identification"
    GUIDE_STAR_TIMED = "guide star timed"
    TARGET = "target"
    SOURCE = "source"
    ASSOCIATION = "association"
    POOL = "pool"
    MSA = "msa"
    OPAQUE = "opaque"
    """A name outside the grammar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductName:
    """What a file name tells. Parts that the name does not hold are None.

    Parts whose width is fixed by the grammar are numbers; the others are the text of the name, so that the
    name can be made from its parts again.
    """

    name: str
    form: Form
    proposal: int | None = None
    obsnum: int | None = None
    """The APT observation number; also that of a candidate `-oOOO`."""
    visit: int | None = None
    visit_group: str | None = None
    parallel: int | None = None
    """1 for prime, 2 to 5 for parallel sequences."""
    activity: str | None = None
    """Two digits in base 36."""
    exposure: int | None = None
    segment: int | None = None
    detector: str | None = None
    candidate: str | None = None
    """Association candidate: `o002` an observation, `c1004`, `a3001` discovered, `r0001` reserved."""
    target: str | None = None
    """`t001`."""
    source: str | None = None
    """`s000277193`, `b...` for background, `v...` for virtual slits."""
    epoch: int | None = None
    instrument: str | None = None
    """From the name's own word, its detector or its being a guide-star file; lower case."""
    optical: str | None = None
    """Optical elements and subarray, `clear-f444w-sub64`."""
    guide_function: str | None = None
    """`id`, `acq1`, `acq2`, `track` or `fg`."""
    guide_mode: str | None = None
    """`image` or `stacked`, of an identification."""
    attempt: str | None = None
    stamp: str | None = None
    """Time in the name: guide star yyyydddhhmmss, association and pool yyyymmddthhmmss."""
    association_type: str | None = None
    counter: str | None = None
    msa_number: int | None = None
    suffix: str | None = None
    thumbnail: bool = False
    """True for `..._thumb.jpg` beside a suffix."""
    extension: str | None = None

    @property
    def filetype(self) -> str:
        """The name from its last underscore (`_uncal.fits`), or all of it where there is none."""
        return self.name[max(self.name.rfind("_"), 0) :]

    @property
    def exposure_key(self) -> str | None:
        """What the files of one exposure, detector and segment have in common; None for other forms."""
        return _exposure_head(self) if self.form in _EXPOSURE_FORMS else None

    @property
    def is_guide_star(self) -> bool:
        """True for the files that guiding left behind."""
        return "_gs-" in self.name

    @property
    def logical_name(self) -> str:
        """The name without the time stamp that an association or pool gets anew at each reprocessing."""
        if self.form in (Form.ASSOCIATION, Form.POOL):
            return self.name.replace(f"_{self.stamp}_", "_", 1)
        return self.name


_EXPOSURE_FORMS = (Form.EXPOSURE, Form.SEGMENT, Form.STAGE3_EXPOSURE)

_PROGRAM = r"jw(?P<proposal>\d{5})"
_VISIT = _PROGRAM + r"(?P<obsnum>\d{3})(?P<visit>\d{3})"
_EXPOSURE = r"_(?P<visit_group>\d\d)(?P<parallel>[1-5])(?P<activity>[0-9a-z]{2})_(?P<exposure>\d{5})"
_SEGMENT = r"(?:-seg(?P<segment>\d{3}))?"
_DETECTOR = rf"_(?P<detector>{'|'.join(INSTRUMENT_OF)})"
_CANDIDATE = r"(?P<candidate>o\d{3}|[car]\d{4})"
_EPOCH = r"(?:-epoch(?P<epoch>\d))?"
_WORDS = r"[a-z0-9]+(?:-[a-z0-9]+)*"
_OPTICS = rf"_(?P<instrument>{'|'.join(INSTRUMENTS)})_(?P<optical>{_WORDS})"
_STAMP = r"_(?P<stamp>\d{8}t\d{6})"
_EXTENSION = r"\.(?P<extension>[a-z0-9]+(?:\.[a-z0-9]+)*)"
_ENDING = rf"_(?P<suffix>{_WORDS})(?P<thumbnail>_thumb)?{_EXTENSION}"

_HEADS: Mapping[Form, str] = {
    Form.STAGE3_EXPOSURE: _VISIT + _EXPOSURE + _SEGMENT + _DETECTOR + "_" + _CANDIDATE,
    Form.SEGMENT: _VISIT + _EXPOSURE + r"-seg(?P<segment>\d{3})" + _DETECTOR,
    Form.EXPOSURE: _VISIT + _EXPOSURE + _DETECTOR,
    Form.GUIDE_STAR_ID: _VISIT + r"_gs-(?P<guide_function>id)_(?P<attempt>\d{1,3})"
    r"_(?P<guide_mode>image|stacked)",
    Form.GUIDE_STAR_TIMED: _VISIT
    + r"_gs-(?P<guide_function>acq1|acq2|track|fg)_(?P<stamp>\d{13})"
    + _SEGMENT,
    Form.TARGET: _PROGRAM + "-" + _CANDIDATE + r"_(?P<target>t\d{3})" + _EPOCH + _OPTICS,
    Form.SOURCE: _PROGRAM + "-" + _CANDIDATE + r"_(?P<source>[sbv](?:\d{5}|\d{9}))" + _EPOCH + _OPTICS,
    Form.ASSOCIATION: _PROGRAM + "-" + _CANDIDATE + _STAMP + rf"_(?P<association_type>{_WORDS})"
    r"_(?P<counter>\d{3,5})",
    Form.POOL: _PROGRAM + _STAMP,
    Form.MSA: _VISIT + r"_(?P<msa_number>\d\d)",
}
_ENDINGS: Mapping[Form, str] = {
    Form.ASSOCIATION: r"_(?P<suffix>asn)" + _EXTENSION,
    Form.POOL: r"_(?P<suffix>pool)" + _EXTENSION,
    Form.MSA: r"_(?P<suffix>msa)" + _EXTENSION,
}


def _compile(form: Form, ending: str) -> re.Pattern[str]:
    return re.compile(_HEADS[form] + ending, re.ASCII)


_NAMES = {form: _compile(form, _ENDINGS.get(form, _ENDING)) for form in _HEADS}
_IDENTIFIERS = {form: _compile(form, "") for form in _HEADS if form not in _ENDINGS}

# What an unreadable name may still tell by its beginning.
_BEGINNING = re.compile(
    _PROGRAM + r"(?:(?P<obsnum>\d{3})(?P<visit>\d{3})(?!\d)|-" + _CANDIDATE + r"(?![0-9a-z]))?", re.ASCII
)
_NUMBERS = frozenset(
    {"proposal", "obsnum", "visit", "parallel", "exposure", "segment", "epoch", "msa_number"}
)


# A page asks for the few hundred names of one observation again and again.
@lru_cache(maxsize=2048)
def parse(name: str) -> ProductName:
    """Read a product's file name; one outside the grammar is `Form.OPAQUE` with what can still be told."""
    return _read(name, _NAMES)


def parse_obs_id(obs_id: str) -> ProductName:
    """Read an observation's `obs_id`, which is a file name without suffix and extension."""
    return _read(obs_id, _IDENTIFIERS)


def _read(text: str, patterns: Mapping[Form, re.Pattern[str]]) -> ProductName:
    for form, pattern in patterns.items():
        if match := pattern.fullmatch(text):
            return ProductName(name=text, form=form, **_facts(match.groupdict()))
    return _read_beginning(text)


def _facts(groups: Mapping[str, str | None]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        part: int(text) if part in _NUMBERS else text for part, text in groups.items() if text is not None
    }
    candidate = facts.get("candidate")
    if candidate and candidate.startswith("o"):
        facts.setdefault("obsnum", int(candidate[1:]))
    if "detector" in facts:
        facts["instrument"] = INSTRUMENT_OF[facts["detector"]]
    elif "guide_function" in facts:
        facts["instrument"] = "fgs"
    if "thumbnail" in facts:
        facts["thumbnail"] = True
    return facts


def _read_beginning(text: str) -> ProductName:
    match = _BEGINNING.match(text)
    if match is None:
        return ProductName(name=text, form=Form.OPAQUE)
    facts = _facts(match.groupdict())
    words = re.split(r"[_.]", text)
    detectors = [word for word in words if word in INSTRUMENT_OF]
    instruments = [word for word in words if word in INSTRUMENTS]
    if "_gs-" in text:
        facts["instrument"] = "fgs"
    elif detectors:
        facts |= {"detector": detectors[0], "instrument": INSTRUMENT_OF[detectors[0]]}
    elif instruments:
        facts["instrument"] = instruments[0]
    return ProductName(name=text, form=Form.OPAQUE, **facts)


def format_name(parts: ProductName) -> str:
    """Write the name that the parts stand for; of an opaque name that is the name itself."""
    if parts.form is Form.OPAQUE:
        return parts.name
    ending = "" if parts.suffix is None else f"_{parts.suffix}{'_thumb' * parts.thumbnail}.{parts.extension}"
    return _head(parts) + ending


def _head(parts: ProductName) -> str:
    form = parts.form
    if form in _EXPOSURE_FORMS:
        return _exposure_head(parts) + (f"_{parts.candidate}" if parts.candidate else "")
    if form is Form.GUIDE_STAR_ID:
        return f"{_visit_head(parts)}_gs-id_{parts.attempt}_{parts.guide_mode}"
    if form is Form.GUIDE_STAR_TIMED:
        return f"{_visit_head(parts)}_gs-{parts.guide_function}_{parts.stamp}{_segment(parts)}"
    if form is Form.MSA:
        return f"{_visit_head(parts)}_{parts.msa_number:02d}"
    if form is Form.POOL:
        return f"jw{parts.proposal:05d}_{parts.stamp}"
    program = f"jw{parts.proposal:05d}-{parts.candidate}"
    if form is Form.ASSOCIATION:
        return f"{program}_{parts.stamp}_{parts.association_type}_{parts.counter}"
    epoch = "" if parts.epoch is None else f"-epoch{parts.epoch}"
    return f"{program}_{parts.target or parts.source}{epoch}_{parts.instrument}_{parts.optical}"


def _exposure_head(parts: ProductName) -> str:
    activity = f"{parts.visit_group}{parts.parallel}{parts.activity}"
    exposure = f"{parts.exposure:05d}{_segment(parts)}"
    return f"{_visit_head(parts)}_{activity}_{exposure}_{parts.detector}"


def _visit_head(parts: ProductName) -> str:
    return f"jw{parts.proposal:05d}{parts.obsnum:03d}{parts.visit:03d}"


def _segment(parts: ProductName) -> str:
    return "" if parts.segment is None else f"-seg{parts.segment:03d}"
