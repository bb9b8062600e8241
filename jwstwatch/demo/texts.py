"""The demo's text products: associations (JSON), pools (pipe-delimited), catalogues (ECSV)."""

from __future__ import annotations

import json
import random

from jwstwatch.demo.model import ArchivedObservation, ArchivedProduct

_POOL_COLUMNS = (
    "filename", "program", "obs_num", "visit", "targetid", "targname", "exp_type", "detector", "filter",
    "pupil", "asn_candidate", "expcount",
)  # fmt: skip


def text_content(product: ArchivedProduct, observation: ArchivedObservation, *, noise: int) -> bytes:
    """Return the text of an association, a pool, a source catalogue or a white-light curve."""
    if product.suffix == "asn":
        text = _association(product, observation)
    elif product.suffix == "pool":
        text = _pool(product, observation)
    elif product.suffix == "whtlt":
        text = _table(("MJD", "whitelight_flux"), _light_curve(noise))
    else:
        text = _table(("label", "xcentroid", "ycentroid", "aper_total_flux"), _sources(noise))
    return (text + " " * product.padding).encode()


def _association(product: ArchivedProduct, observation: ArchivedObservation) -> str:
    parts = product.name.split("_")
    pool = f"{parts[0].split('-')[0]}_{parts[1]}_pool.csv"
    content = {
        "asn_type": parts[2],
        "asn_rule": f"candidate_Asn_{parts[2].capitalize()}",
        "version_id": parts[1],
        "code_version": product.version,
        "program": f"{observation.proposal.number:05d}",
        "asn_id": parts[0].partition("-")[2],
        "asn_pool": pool,
        "revision": product.revision,
        "products": [
            {
                "name": observation.obs_id,
                "members": [{"expname": name, "exptype": "science"} for name in product.members],
            }
        ],
    }
    return json.dumps(content, indent=4) + "\n"


def _pool(product: ArchivedProduct, observation: ArchivedObservation) -> str:
    lines = ["|".join(_POOL_COLUMNS)]
    for count, name in enumerate(product.members, start=1):
        visit = name[7:]
        detector = name.split("_")[3] if name.count("_") > 3 else "null"
        values = (
            name,
            str(observation.proposal.number),
            visit[:3],
            visit[3:6],
            "1",
            observation.target.name.lower(),
            observation.mode.exp_type.lower(),
            detector,
            (observation.filter or "null").lower(),
            (observation.element or "null").lower(),
            f"@!fmt_cand([('o{visit[:3]}', 'OBSERVATION')])",
            str(count),
        )
        lines.append("|".join(values))
    return "\n".join(lines) + "\n"


def _light_curve(noise: int) -> list[tuple[str, ...]]:
    source = random.Random(noise)  # noqa: S311  no secret
    depth = [0.985 if 60 < step < 140 else 1.0 for step in range(200)]
    return [
        (f"{60000 + step / 1000:.6f}", f"{level + source.gauss(0.0, 0.0006):.6f}")
        for step, level in enumerate(depth)
    ]


def _sources(noise: int) -> list[tuple[str, ...]]:
    source = random.Random(noise)  # noqa: S311  no secret
    return [
        (
            str(label),
            f"{source.uniform(0, 256):.3f}",
            f"{source.uniform(0, 256):.3f}",
            f"{source.expovariate(0.2):.5e}",
        )
        for label in range(1, 41)
    ]


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["# %ECSV 1.0", "# ---", "# datatype:"]
    lines += [
        f"# - {{name: {name}, datatype: {'int64' if name == 'label' else 'float64'}}}" for name in columns
    ]
    lines += ["# schema: astropy-2.0", " ".join(columns)]
    return "\n".join([*lines, *(" ".join(row) for row in rows)]) + "\n"
