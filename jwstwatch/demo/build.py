"""Makes the demo archive out of its plan: a pure function of the seed and of `now`."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.model import ArchivedObservation, ArchivedProduct
from jwstwatch.demo.plan import CANDIDATES, VISITS, Candidate, Visit

OLD_VERSION = "1.17.1"
NEW_VERSION = "1.20.2"

_PREVIEWED = frozenset({"uncal", "rate", "rateints", "cal", "calints", "i2d", "s2d", "s3d", "psfsub"})
_TABLES = {"cat": "ecsv", "whtlt": "ecsv"}
_GUIDE_FILES = (
    ("gs-id_1_image", ("uncal", "cal"), None),
    ("gs-id_1_stacked", ("uncal", "cal"), None),
    ("gs-acq1", ("uncal", "cal"), timedelta(minutes=14)),
    ("gs-acq2", ("uncal", "cal"), timedelta(minutes=13)),
    ("gs-track", ("uncal", "cal", "stream"), timedelta(minutes=11)),
    ("gs-fg", ("uncal", "cal"), timedelta(0)),
)


def demo_catalogue(now: datetime, *, seed: int = 0) -> Catalogue:
    """Return the demo archive as it stands at `now` (aware): about 60 observations, 500 files."""
    builder = _Builder(now=now.replace(microsecond=0), seed=seed)
    for visit in VISITS:
        builder.add_visit(visit)
    for candidate in CANDIDATES:
        builder.add_candidate(candidate)
    return Catalogue(builder.observations, builder.finished_products(), seed=seed)


class _Builder:
    def __init__(self, *, now: datetime, seed: int) -> None:
        self.now = now
        self.observations: list[ArchivedObservation] = []
        self._products: dict[str, ArchivedProduct] = {}
        self._counters: Counter[str] = Counter()
        self._obsids = itertools.count(254_198_000 + 1000 * (seed % 1000), 7)

    def finished_products(self) -> list[ArchivedProduct]:
        """Return the products, with the names that pools and associations speak of."""
        return [self._with_members(product) for product in self._products.values()]

    def add_visit(self, visit: Visit) -> None:
        """Add the exposures of `visit`, their files, and the level-3 sets made of them."""
        if visit.planned:
            self._add_planned(visit)
            return
        exposures = list(self._exposures(visit))
        for exposure in exposures:
            self.observations.append(exposure)
            self._add_exposure_files(exposure, visit)
        if visit.guide_star:
            self._add_guide_star_files(exposures, visit)
        if visit.mode.exp_type == "NRS_MSASPEC":
            self._add(_visit_name(visit) + "_01_msa.fits", "msa", 1, exposures)
        candidate = visit.candidate or f"o{visit.number:03d}"
        for identity in (visit.sources or ("t001",)) if visit.optical else ():
            self._add_level3(exposures, candidate=candidate, identity=identity, optical=visit.optical)

    def add_candidate(self, candidate: Candidate) -> None:
        """Add a level-3 set over several observations that were added before."""
        members = [
            observation
            for observation in self.observations
            if observation.proposal == candidate.proposal
            and observation.number in candidate.numbers
            and observation.filter == candidate.filter
            and observation.calib_level == 2
        ]
        self._add_level3(members, candidate=candidate.name, identity="t001", optical=candidate.optical)

    def _exposures(self, visit: Visit) -> Iterator[ArchivedObservation]:
        start = self.now - visit.age
        processed = min(start + timedelta(hours=6), self.now - timedelta(minutes=20))
        if visit.age > timedelta(days=60):
            processed = start + timedelta(days=45, hours=visit.number)
        parts = itertools.product(
            range(1, visit.exposures + 1), range(1, visit.segments + 1) or (0,), visit.detectors
        )
        for exposure, segment, detector in parts:
            before = visit.seconds * 1.1 * (exposure - 1 + max(segment - 1, 0))
            begin = start + timedelta(seconds=before)
            yield self._exposure(
                visit, exposure=exposure, segment=segment, detector=detector, start=begin, at=processed
            )

    def _exposure(
        self, visit: Visit, *, exposure: int, segment: int, detector: str, start: datetime, at: datetime
    ) -> ArchivedObservation:
        sequence = f"{visit.group}1{visit.activity}_{exposure:05d}"
        part = f"-seg{segment:03d}" if segment else ""
        elements = [name for name in (visit.filter, visit.element) if name]
        return ArchivedObservation(
            obs_id=f"{_visit_name(visit)}_{sequence}{part}_{detector}",
            obsid=next(self._obsids),
            proposal=visit.proposal,
            target=visit.target,
            mode=visit.mode,
            number=visit.number,
            instrument_name=visit.instrument_name or visit.mode.instrument_name,
            filters=";".join(elements) or None,
            filter=visit.filter or None,
            element=visit.element,
            detector=detector.upper(),
            calib_level=1 if visit.raw else 2,
            start=start,
            exposure_seconds=visit.seconds,
            processed=at,
            release=start + timedelta(days=365) if visit.exclusive else start,
            exclusive=visit.exclusive,
            version=None if visit.raw else OLD_VERSION if visit.age > timedelta(days=60) else NEW_VERSION,
            group=visit.group,
            activity=visit.activity,
            exposure=exposure,
        )

    def _add_planned(self, visit: Visit) -> None:
        self.observations.append(
            ArchivedObservation(
                obs_id=f"{_visit_name(visit)}_xx101_00001_{visit.detectors[0]}",
                obsid=next(self._obsids),
                proposal=visit.proposal,
                target=visit.target,
                mode=visit.mode,
                number=visit.number,
                instrument_name=visit.mode.instrument_name,
                filters=";".join(name for name in (visit.filter, visit.element) if name),
                filter=visit.filter,
                element=visit.element,
                calib_level=-1,
                exposure_seconds=visit.seconds,
                exclusive=True,
            )
        )

    def _add_exposure_files(self, exposure: ArchivedObservation, visit: Visit) -> None:
        suffixes = ("uncal",) if visit.raw else visit.mode.exposure_suffixes
        for suffix in suffixes:
            self._add_with_preview(exposure, suffix, 1 if suffix == "uncal" else 2)
        if not visit.raw:
            self._add_association(exposure, candidate=f"o{visit.number:03d}", kind=visit.mode.association)
            self._add_pool(exposure)

    def _add_level3(
        self, members: list[ArchivedObservation], *, candidate: str, identity: str, optical: str
    ) -> None:
        first = members[0]
        starts = [member.start for member in members if member.start]
        seconds = sum(
            member.exposure_seconds or 0.0 for member in members if member.detector == first.detector
        )
        identity_is_target = identity.startswith("t")
        parent = replace(
            first,
            obs_id=f"jw{first.proposal.number:05d}-{candidate}_{identity}_{first.instrument.lower()}_{optical}",
            obsid=next(self._obsids),
            number=first.number if candidate.startswith("o") else None,
            detector="MULTIPLE",
            calib_level=3,
            start=min(starts),
            exposure_seconds=seconds,
            processed=max(member.processed for member in members if member.processed),
            version=NEW_VERSION,
            members=tuple(member.obs_id for member in members),
        )
        self.observations.append(parent)
        if identity_is_target and first.mode.frame:
            for member in members:
                name = f"{member.obs_id}_{candidate}_{first.mode.frame}.fits"
                self._add(name, first.mode.frame, 2, [member])
        for suffix in first.mode.level3_suffixes:
            self._add_with_preview(parent, suffix, 3)
        self._add_association(parent, candidate=candidate, kind=first.mode.level3_association)
        self._add_pool(parent)

    def _add_with_preview(self, holder: ArchivedObservation, suffix: str, level: int) -> None:
        self._add(f"{holder.obs_id}_{suffix}.{_TABLES.get(suffix, 'fits')}", suffix, level, [holder])
        if suffix == "x1d":
            self._add(f"{holder.obs_id}_x1d.png", suffix, level, [holder])
        elif suffix in _PREVIEWED:
            self._add(f"{holder.obs_id}_{suffix}.jpg", suffix, level, [holder])

    def _add_association(self, holder: ArchivedObservation, *, candidate: str, kind: str) -> None:
        prefix = f"jw{holder.proposal.number:05d}-{candidate}_{_stamp(holder)}_{kind}"
        self._counters[prefix] += 1
        self._add(f"{prefix}_{self._counters[prefix]:05d}_asn.json", "asn", None, [holder])

    def _add_pool(self, holder: ArchivedObservation) -> None:
        self._add(f"jw{holder.proposal.number:05d}_{_stamp(holder)}_pool.csv", "pool", None, [holder])

    def _add_guide_star_files(self, exposures: list[ArchivedObservation], visit: Visit) -> None:
        start = exposures[0].start or self.now
        for function, suffixes, before in _GUIDE_FILES:
            stamp = "" if before is None else f"_{start - before:%Y%j%H%M%S}"
            part = "-seg001" if function == "gs-fg" and visit.segments else ""
            for suffix in suffixes:
                name = f"{_visit_name(visit)}_{function}{stamp}{part}_{suffix}.fits"
                self._add(name, suffix, 1 if suffix == "uncal" else 2, exposures)

    def _add(self, name: str, suffix: str, level: int | None, holders: Iterable[ArchivedObservation]) -> None:
        holders = list(holders)
        known = self._products.get(name)
        if known is not None:
            more = tuple(holder.obs_id for holder in holders if holder.obs_id not in known.holders)
            self._products[name] = replace(known, holders=known.holders + more)
            return
        self._products[name] = ArchivedProduct(
            name=name,
            suffix=suffix,
            level=level,
            holders=tuple(holder.obs_id for holder in holders),
            modified=holders[0].processed or self.now,
            version=holders[0].version,
        )

    def _with_members(self, product: ArchivedProduct) -> ArchivedProduct:
        if product.suffix not in ("asn", "pool"):
            return product
        by_id = {observation.obs_id: observation for observation in self.observations}
        suffix = "cal" if by_id[product.holders[0]].calib_level == 3 else "rate"
        exposures = {
            exposure: None for holder in product.holders for exposure in by_id[holder].members or (holder,)
        }
        return replace(product, members=tuple(f"{exposure}_{suffix}.fits" for exposure in exposures))


def _visit_name(visit: Visit) -> str:
    return f"jw{visit.proposal.number:05d}{visit.number:03d}001"


def _stamp(observation: ArchivedObservation) -> str:
    if observation.processed is None:
        raise ValueError(f"{observation.obs_id} was never processed, so nothing of it has a time stamp")
    return f"{observation.processed:%Y%m%dt%H%M%S}"
