"""The demo archive's rows under the names and types of CAOM (all columns that the real rows have)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta

from jwstwatch.demo.model import ArchivedObservation, ArchivedProduct, to_mjd

Row = dict[str, object]
Fields = tuple[tuple[str, str], ...]

OBSERVATION_FIELDS: Fields = (
    ("intentType", "string"),
    ("obs_collection", "string"),
    ("provenance_name", "string"),
    ("instrument_name", "string"),
    ("project", "string"),
    ("filters", "string"),
    ("wavelength_region", "string"),
    ("target_name", "string"),
    ("target_classification", "string"),
    ("obs_id", "string"),
    ("s_ra", "float"),
    ("s_dec", "float"),
    ("dataproduct_type", "string"),
    ("proposal_pi", "string"),
    ("calib_level", "int"),
    ("t_min", "float"),
    ("t_max", "float"),
    ("t_exptime", "float"),
    ("em_min", "float"),
    ("em_max", "float"),
    ("obs_title", "string"),
    ("t_obs_release", "float"),
    ("proposal_id", "string"),
    ("proposal_type", "string"),
    ("sequence_number", "int"),
    ("s_region", "string"),
    ("jpegURL", "string"),
    ("dataURL", "string"),
    ("dataRights", "string"),
    ("mtFlag", "boolean"),
    ("srcDen", "float"),
    ("obsid", "string"),
    ("objID", "string"),
    ("distance", "float"),
    ("_selected_", "boolean"),
)

PRODUCT_FIELDS: Fields = (
    ("obsID", "string"),
    ("obs_collection", "string"),
    ("dataproduct_type", "string"),
    ("obs_id", "string"),
    ("description", "string"),
    ("type", "string"),
    ("dataURI", "string"),
    ("productType", "string"),
    ("productGroupDescription", "string"),
    ("productSubGroupDescription", "string"),
    ("productDocumentationURL", "string"),
    ("project", "string"),
    ("prvversion", "string"),
    ("proposal_id", "string"),
    ("productFilename", "string"),
    ("size", "int"),
    ("parent_obsid", "string"),
    ("dataRights", "string"),
    ("calib_level", "int"),
    ("filters", "string"),
    ("_selected_", "boolean"),
)

_DESCRIPTIONS = {
    "uncal": "exposure (L1b): Uncalibrated 4D exposure data",
    "rate": "exposure (L2a): 2D count rate averaged over integrations",
    "rateints": "exposure (L2a): 3D countrate per integration",
    "trapsfilled": "exposure (L2a): Persistence trap state",
    "cal": "exposure (L2b): 2D calibrated exposure average over integrations",
    "calints": "exposure (L2b): 3D calibrated exposure data per integration",
    "crf": "exposure (L2c): 2D Calibrated data averaged over integrations",
    "crfints": "exposure (L2c): 3D calibrated data per integration",
    "i2d": "exposure/target (L2b/L3): rectified 2D image",
    "s2d": "exposure/target (L2b/L3): 2D image of spectrum avg integrations",
    "s3d": "exposure/target (L2b/L3): 3D rectified spectral cube",
    "x1d": "exposure/target (L2b/L3): 1D extracted spectrum",
    "x1dints": "exposure/target (L2b/L3): 1D extracted spectra per integration",
    "segm": "source/target (L3): segmentation map",
    "cat": "source/target (L3) : source catalog",
    "whtlt": "target (L3): white-light curve",
    "psfstack": "target (L3): stacked PSF reference images",
    "psfalign": "target (L3): aligned PSF reference images",
    "psfsub": "target (L3): PSF-subtracted images",
    "asn": "source/target (L3) : association generator",
    "pool": "source/target (L3) : association pool",
    "msa": "MSA metadata",
    "stream": "Guide star stream data",
}

# Pass bands in nanometres.
_PASS_BANDS = {
    "F115W": (1013.0, 1282.0), "F150W": (1331.0, 1668.0), "F187N": (1863.0, 1884.0),
    "F200W": (1755.0, 2226.0), "F444W": (3880.0, 4986.0), "F356W": (3140.0, 3980.0),
    "F770W": (6600.0, 8800.0), "F1130W": (10950.0, 11650.0), "F1065C": (10190.0, 10940.0),
    "CLEAR": (600.0, 5300.0), "PRISM": (600.0, 5300.0), "P750L": (5000.0, 14000.0),
    "GR700XD": (600.0, 2800.0), "CH1": (4900.0, 7650.0), "F322W2": (2430.0, 4010.0),
}  # fmt: skip


def observation_row(observation: ArchivedObservation, products: Iterable[ArchivedProduct]) -> Row:
    """Return the `Mast.Caom.Filtered` row of `observation`; `products` are its own files."""
    planned = observation.calib_level < 0
    own = [product for product in products if product.listed]
    band = _PASS_BANDS.get(observation.filter or "", (None, None))
    start, seconds = observation.start, observation.exposure_seconds
    end = start + timedelta(seconds=(seconds or 0.0) * 1.06) if start else None
    release = observation.release
    proposal, target = observation.proposal, observation.target
    return {
        "intentType": "science",
        "obs_collection": "JWST",
        "provenance_name": None if planned else "CALJWST",
        "instrument_name": observation.instrument_name,
        "project": "JWST",
        "filters": observation.filters,
        "wavelength_region": "INFRARED",
        "target_name": target.name,
        "target_classification": target.classification,
        "obs_id": observation.obs_id,
        "s_ra": target.ra,
        "s_dec": target.dec,
        "dataproduct_type": observation.mode.kind,
        "proposal_pi": proposal.principal_investigator,
        "calib_level": observation.calib_level,
        "t_min": to_mjd(start) if start else None,
        "t_max": to_mjd(end) if end else None,
        "t_exptime": seconds,
        "em_min": band[0],
        "em_max": band[1],
        "obs_title": proposal.title,
        "t_obs_release": to_mjd(release) if release else None,
        "proposal_id": str(proposal.number),
        "proposal_type": proposal.category,
        "sequence_number": None,
        "s_region": _footprint(observation),
        "jpegURL": _first_uri(own, (".jpg", ".png")),
        "dataURL": _first_uri(own, (".fits",)),
        "dataRights": _rights(observation),
        "mtFlag": False,
        "srcDen": None,
        "obsid": observation.obsid,
        "objID": None if planned else observation.obsid * 4 + 3,
        "distance": None,
        "_selected_": None,
    }


def product_row(
    product: ArchivedProduct, holder: ArchivedObservation, *, parent: ArchivedObservation, size: int
) -> Row:
    """Return the `Mast.Caom.Products` row of `product` as `parent` lists it through `holder`."""
    level3 = holder.calib_level == 3
    level = holder.calib_level if product.level is None else product.level
    own = product.name.startswith(holder.obs_id + "_")
    version = product.version if own else holder.version
    recommended = level3 and product_type(product) != "PREVIEW"
    return {
        "obsID": holder.obsid,
        "obs_collection": "JWST",
        "dataproduct_type": holder.mode.kind,
        "obs_id": holder.obs_id,
        "description": describe(product),
        "type": "D" if level3 else "S",
        "dataURI": product.uri,
        "productType": product_type(product),
        "productGroupDescription": "Minimum Recommended Products" if recommended else None,
        "productSubGroupDescription": _subgroup(product, holder),
        "productDocumentationURL": None,
        "project": "CALJWST",
        "prvversion": None if level == 1 else version,
        "proposal_id": str(holder.proposal.number),
        "productFilename": product.name,
        "size": size if product.stated_size is None else product.stated_size,
        "parent_obsid": parent.obsid,
        "dataRights": _rights(holder),
        "calib_level": level,
        "filters": holder.filters,
        "_selected_": None,
    }


def product_type(product: ArchivedProduct) -> str:
    """Return the CAOM `productType` of a file."""
    if product.extension in ("jpg", "png"):
        return "PREVIEW"
    if product.suffix in ("asn", "pool"):
        return "INFO"
    if product.suffix == "msa" or "_gs-" in product.name:
        return "AUXILIARY"
    return "SCIENCE"


def describe(product: ArchivedProduct) -> str:
    """Return the CAOM `description` of a file."""
    if product_type(product) == "PREVIEW":
        return "Preview-Full"
    if "_gs-" in product.name:
        return f"FGS guide star data ({_guide_function(product)})"
    return _DESCRIPTIONS[product.suffix]


def _subgroup(product: ArchivedProduct, holder: ArchivedObservation) -> str | None:
    if product_type(product) == "PREVIEW":
        return None
    if "_gs-" in product.name:
        return "GS-" + _guide_function(product).upper()
    source_based = holder.calib_level == 3 and holder.mode.picture == "spectra"
    prefix = "ANNNN_" if source_based and product.suffix in ("crf", "s2d", "x1d") else ""
    return prefix + product.suffix.upper()


def _guide_function(product: ArchivedProduct) -> str:
    return product.name.partition("_gs-")[2].partition("_")[0]


def _rights(observation: ArchivedObservation) -> str:
    return "EXCLUSIVE_ACCESS" if observation.exclusive else "PUBLIC"


def _first_uri(products: Iterable[ArchivedProduct], endings: tuple[str, ...]) -> str | None:
    found = [product for product in products if product.name.endswith(endings) and product.level != 1]
    return (
        max(found, key=lambda product: (product.suffix in ("i2d", "s2d"), product.name)).uri
        if found
        else None
    )


def _footprint(observation: ArchivedObservation) -> str | None:
    if observation.calib_level < 0:
        return None
    half = 0.018
    target = observation.target
    stretch = half / math.cos(math.radians(target.dec))
    corners = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    points = " ".join(f"{target.ra + stretch * x:.9f} {target.dec + half * y:.9f}" for x, y in corners)
    return f"POLYGON {points}"
