"""The demo's JWST file-keyword service: one row per FITS file, header keywords and archive facts.

Source: a portal export of `Mast.Jwst.Filtered.Nircam`; its dates travel as `/Date(milliseconds)/`.
"""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta

from jwstwatch.demo.headers import exposure_end, is_guide_star, primary_cards, product_level
from jwstwatch.demo.model import ArchivedObservation, ArchivedProduct, to_mjd
from jwstwatch.demo.rows import Fields, Row

SERVICE_PREFIX = "Mast.Jwst.Filtered."

SERVICES = ("nircam", "nirspec", "niriss", "miri", "fgs", "guidestar")
"""What may follow the prefix, in lower case (MAST does not care about case here)."""

# fmt: off
_TEXT = (
    "filename", "fileSetName", "productLevel", "act_id", "apername", "category", "dataURI", "datamodl",
    "date", "date_beg", "date_end", "date_obs", "detector", "channel", "eng_qual", "exp_type",
    "expcount", "exposure", "filter", "pupil", "grating", "gdstarid", "instrume", "module", "obs_id",
    "obslabel", "observtn", "origin", "pcs_mode", "patttype", "pi_name", "prd_ver", "program",
    "readpatt", "sdp_ver", "seq_id", "subarray", "targname", "targprop", "targtype", "telescop",
    "template", "timesys", "title", "visit", "visit_id", "visitgrp", "visitsta", "visitype", "cal_ver",
    "cal_vcs", "crds_ctx", "crds_ver", "checksum", "ingestStartDate", "ingestCompletionDate",
    "publicReleaseDate", "tsovisit",
)
_FLOATS = (
    "date_mjd", "date_beg_mjd", "date_end_mjd", "date_obs_mjd", "duration", "effexptm", "effinttm",
    "expstart", "gs_mag", "targ_dec", "targ_ra", "tframe", "tgroup", "ingestStartDate_mjd",
    "ingestCompletionDate_mjd", "publicReleaseDate_mjd",
)
_INTEGERS = (
    "ArchiveFileID", "FileSetId", "fileSize", "gs_order", "groupgap", "nframes", "ngroups", "nints",
    "numdthpt", "patt_num", "subsize1", "subsize2",
)
# fmt: on
_FLAGS = ("isRestricted", "isItar", "isStale")

KEYWORD_FIELDS: Fields = (
    ("ArchiveFileID", "int"),
    *((name, "string") for name in _TEXT),
    *((name, "float") for name in _FLOATS),
    *((name, "int") for name in _INTEGERS if name != "ArchiveFileID"),
    *((name, "boolean") for name in _FLAGS),
)

_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def keyword_service(product: ArchivedProduct, observation: ArchivedObservation) -> str:
    """Return the service's last word (lower case) that speaks of `product`."""
    return "guidestar" if is_guide_star(product) else observation.instrument.lower()


def keyword_row(product: ArchivedProduct, observation: ArchivedObservation) -> Row:
    """Return the row of one FITS file, its size and checksum not filled in; a missing keyword is None."""
    cards = {
        keyword.lower().replace("-", "_"): value for keyword, value, _ in primary_cards(product, observation)
    }
    row: Row = {name: cards.get(name) for name, _ in KEYWORD_FIELDS}
    ingested = product.modified + timedelta(minutes=3)
    identity = zlib.crc32(product.name.encode())
    row |= _moment("date", product.modified)
    row |= _moment("date_obs", observation.start)
    row |= _moment("date_beg", observation.start)
    row |= _moment("date_end", exposure_end(observation))
    row |= _moment("ingestStartDate", product.modified + timedelta(minutes=2))
    row |= _moment("ingestCompletionDate", ingested)
    row |= _moment("publicReleaseDate", observation.release)
    return row | {
        "ArchiveFileID": identity,
        "filename": product.name,
        "fileSetName": "_".join(product.name.split("_")[:3]),
        "productLevel": product_level(product),
        "tsovisit": "t" if cards.get("tsovisit") else "f",
        "program": str(observation.proposal.number),
        "observtn": str(observation.number or 1),
        "isRestricted": observation.exclusive,
        "isItar": False,
        "isStale": False,
        "FileSetId": identity >> 4,
        "dataURI": product.uri,
    }


def _moment(name: str, moment: datetime | None) -> Row:
    if moment is None:
        return {name: None, f"{name}_mjd": None}
    milliseconds = (moment - _UNIX_EPOCH) // timedelta(milliseconds=1)
    return {name: f"/Date({milliseconds})/", f"{name}_mjd": to_mjd(moment)}
