"""What an exposure, or a candidate, lacks that its sisters of the same observation and mode have.

Nothing here knows how many detectors an instrument has: an observation is judged by its own majority, so that
one with module B only, in a subarray, or with a grating that reaches one detector, is whole.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from jwstwatch.core.naming import Form, ProductName

_STAGES = (("uncal",), ("rate", "rateints"), ("cal", "calints"))
"""What the pipeline makes of one exposure and detector, in its order; one suffix of a stage will do."""
_CALIBRATED = frozenset(_STAGES[-1])
_LEVEL_3 = "3"
"""How the type of an association ends that a level-3 product is made from: image3, spec3, tso3."""


class Part(StrEnum):
    """What is lacking."""

    DETECTOR = "detector"
    SEGMENT = "segment"
    STAGE = "stage"
    PRODUCT = "product"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A product that the archive lists, as far as its sisters are concerned."""

    name: ProductName
    obsnum: int | None
    mode: str | None = None
    """CAOM's `instrument_name` of its observation, such as NIRCAM/IMAGE."""
    filters: str | None = None
    listed: bool = True
    """False for one that was listed once: it is told of as gone, and asks nothing of its sisters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """What one exposure or candidate lacks: `names` of the files, where they are known."""

    part: Part
    obsnum: int | None
    visit: int | None = None
    exposure: str | None = None
    """What the names of its files have in common, without detector and segment."""
    what: str
    count: int
    names: tuple[str, ...] = ()


@dataclass(slots=True)
class _Unit:
    """The files of one exposure, detector and segment: the suffixes of its FITS files, gone ones too."""

    key: str
    suffixes: set[str] = field(default_factory=set)
    listed_suffixes: set[str] = field(default_factory=set)
    listed: bool = False


@dataclass(slots=True)
class _Exposure:
    name: ProductName
    obsnum: int | None
    mode: str | None = None
    units: dict[tuple[str, int | None], _Unit] = field(default_factory=dict)
    filters: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        name = self.name
        visit = f"jw{name.proposal:05d}{name.obsnum:03d}{name.visit:03d}"
        return f"{visit}_{name.visit_group}{name.parallel}{name.activity}_{name.exposure:05d}"

    @property
    def activity(self) -> tuple[object, ...]:
        """The step of the observation's plan; its exposures, of every visit, are made alike."""
        name = self.name
        return self.obsnum, name.instrument, name.visit_group, name.parallel, name.activity

    @property
    def kind(self) -> tuple[object, ...]:
        """What sisters have in common; where no mode is known, only those of one activity are."""
        return self.obsnum, self.name.instrument, self.name.parallel, self.mode or self.activity

    @property
    def detectors(self) -> set[str]:
        return {detector for detector, _ in self.units}

    def lack(self, part: Part, what: Sequence[str], names: Sequence[str] = ()) -> Lack:
        return Lack(
            part=part,
            obsnum=self.obsnum,
            visit=self.name.visit,
            exposure=self.key,
            what=", ".join(what),
            count=len(what),
            names=tuple(names),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateFacts:
    """What some products of a proposal tell of the level-3 products that there should be."""

    modes: Mapping[int, tuple[str, ...]]
    """Observation number -> modes in which it has calibrated exposures."""
    made: tuple[str, ...]
    """Candidates with level-3 products, such as o003 and c1001."""
    associated: tuple[str, ...]
    """Candidates with an association that a level-3 product is made from."""
    incomplete: tuple[int, ...]
    """Observation numbers that lack something else already."""


def lacking(products: Iterable[Listed], awaited: Collection[str] = ()) -> list[Lack]:
    """Return what the products of one proposal leave to be wished for, by observation and exposure.

    `awaited` are the exposure keys whose product lists were not asked for yet: they count as there.
    """
    found, facts = lacking_in_parts(products, awaited)
    return sorted([*found, *lacking_products([facts])], key=_place)


def lacking_in_parts(
    products: Iterable[Listed], awaited: Collection[str] = ()
) -> tuple[list[Lack], CandidateFacts]:
    """Return the same but for level-3 products, and what is to be known to judge these.

    It may be asked for each observation number of a proposal apart.
    """
    exposures: dict[tuple[object, ...], _Exposure] = {}
    candidates = _Candidates()
    for product in products:
        if product.name.exposure_key is not None:
            _add(exposures, product)
        elif product.listed:
            candidates.add(product)
    found: list[Lack] = []
    groups: dict[tuple[object, ...], list[_Exposure]] = defaultdict(list)
    for exposure in exposures.values():
        groups[exposure.kind].append(exposure)
        found += _segments(exposure)
    for group in groups.values():
        for alike in _by_optics(group):
            found += _detectors(alike, awaited)
            found += _stages(alike)
    incomplete = {lack.obsnum for lack in found if lack.obsnum is not None}
    return sorted(found, key=_place), candidates.facts(exposures.values(), incomplete)


def lacking_products(parts: Iterable[CandidateFacts]) -> list[Lack]:
    """Return the candidates without a level-3 product, of kinds that most others have products of."""
    modes: dict[int, set[str]] = defaultdict(set)
    made_of: set[str] = set()
    associated: set[str] = set()
    incomplete: set[int] = set()
    for facts in parts:
        for obsnum, own in facts.modes.items():
            modes[obsnum].update(own)
        made_of.update(facts.made)
        associated.update(facts.associated)
        incomplete.update(facts.incomplete)
    return sorted(_lacking_candidates(modes, made_of, associated, incomplete), key=_place)


def _place(lack: Lack) -> tuple[bool, int, str, str]:
    return lack.obsnum is None, lack.obsnum or 0, lack.exposure or "", lack.what


def _add(exposures: dict[tuple[object, ...], _Exposure], product: Listed) -> None:
    name = product.name
    assert name.detector is not None
    key = (name.obsnum, name.visit, name.visit_group, name.parallel, name.activity, name.exposure)
    exposure = exposures.setdefault((*key, name.instrument), _Exposure(name, product.obsnum))
    exposure.mode = exposure.mode or product.mode
    if product.filters:
        exposure.filters[name.detector] = product.filters
    unit = exposure.units.setdefault((name.detector, name.segment), _Unit(_unit_key(name)))
    unit.listed = unit.listed or product.listed
    if name.extension == "fits" and name.suffix is not None and name.form is not Form.STAGE3_EXPOSURE:
        unit.suffixes.add(name.suffix)
        if product.listed:
            unit.listed_suffixes.add(name.suffix)


def _unit_key(name: ProductName) -> str:
    key = name.exposure_key
    assert key is not None
    return key


def _by_optics(group: Sequence[_Exposure]) -> Iterator[list[_Exposure]]:
    """Part exposures whose detectors share one light path by what stands in it: it may not reach them all.

    Where the detectors of one exposure see different filters, as in the two channels of NIRCam, filters say
    nothing of detectors.
    """
    optics = [set(exposure.filters.values()) for exposure in group]
    if any(len(seen) > 1 for seen in optics):
        yield list(group)
        return
    parted: dict[frozenset[str], list[_Exposure]] = defaultdict(list)
    for exposure, seen in zip(group, optics, strict=True):
        parted[frozenset(seen)].append(exposure)
    yield from parted.values()


class _Majority:
    """Which things most members have, and not every member of a whole activity lacks."""

    def __init__(self, members: Iterable[tuple[_Exposure, Collection[str]]]) -> None:
        self._total = 0
        self._having: Counter[str] = Counter()
        self._activities: Counter[Hashable] = Counter()
        self._seen: set[tuple[Hashable, str]] = set()
        for exposure, things in members:
            self._total += bool(things)
            self._activities[exposure.activity] += 1
            for thing in things:
                self._having[thing] += 1
                self._seen.add((exposure.activity, thing))

    def expects(self, exposure: _Exposure, thing: str) -> bool:
        """Return whether an exposure should have it: where its activity never does, that is its plan."""
        if 2 * self._having[thing] <= self._total:
            return False
        return self._activities[exposure.activity] < 2 or (exposure.activity, thing) in self._seen


def _detectors(group: Sequence[_Exposure], awaited: Collection[str]) -> Iterator[Lack]:
    every = sorted({detector for exposure in group for detector in exposure.detectors})
    if len(every) < 2 or len(group) < 2:
        return
    listed = [
        {detector for (detector, _), unit in exposure.units.items() if unit.listed} for exposure in group
    ]
    majority = _Majority(zip(group, listed, strict=True))
    for exposure, asks in zip(group, listed, strict=True):
        absent = [
            detector
            for detector in every
            if asks
            and detector not in exposure.detectors
            and f"{exposure.key}_{detector}" not in awaited
            and majority.expects(exposure, detector)
        ]
        if absent:
            yield exposure.lack(Part.DETECTOR, absent)


def _segments(exposure: _Exposure) -> Iterator[Lack]:
    """A segment between two others that are there: its sisters tell nothing of how many there should be."""
    there: dict[str, set[int]] = defaultdict(set)
    for detector, segment in exposure.units:
        if segment is not None:
            there[detector].add(segment)
    for detector, numbers in sorted(there.items()):
        absent = [f"seg{number:03d}" for number in range(1, max(numbers)) if number not in numbers]
        if absent:
            yield replace(exposure.lack(Part.SEGMENT, absent), what=f"{detector} {', '.join(absent)}")


def _stages(group: Sequence[_Exposure]) -> Iterator[Lack]:
    by_detector: dict[str, list[tuple[_Exposure, _Unit]]] = defaultdict(list)
    for exposure in group:
        for (detector, _), unit in exposure.units.items():
            if any(unit.suffixes.intersection(stage) for stage in _STAGES):
                by_detector[detector].append((exposure, unit))
    for _, units in sorted(by_detector.items()):
        majority = _Majority((exposure, _reached(unit)) for exposure, unit in units)
        for exposure, unit in units:
            absent = [
                suffix
                for number, stage in enumerate(_STAGES)
                if unit.listed
                and not unit.suffixes.intersection(stage)
                and majority.expects(exposure, str(number))
                for suffix in _usual(stage, units)
            ]
            if absent:
                yield exposure.lack(Part.STAGE, absent, [f"{unit.key}_{suffix}.fits" for suffix in absent])


def _reached(unit: _Unit) -> list[str]:
    return [str(number) for number, stage in enumerate(_STAGES) if unit.listed_suffixes.intersection(stage)]


def _usual(stage: Sequence[str], units: Sequence[tuple[_Exposure, _Unit]]) -> list[str]:
    """Return the suffixes at a stage that most of those have which reached it, or else the commonest."""
    counts = Counter(suffix for _, unit in units for suffix in unit.listed_suffixes.intersection(stage))
    reached = sum(1 for _, unit in units if unit.listed_suffixes.intersection(stage))
    usual = [suffix for suffix in stage if 2 * counts[suffix] > reached]
    return usual or [max(stage, key=lambda suffix: counts[suffix])]


class _Candidates:
    """Observations, and combinations of them, from which level-3 products are made."""

    def __init__(self) -> None:
        self._made: set[str] = set()
        self._associated: set[str] = set()

    def add(self, product: Listed) -> None:
        name = product.name
        if name.candidate is None:
            return
        if name.form in (Form.TARGET, Form.SOURCE) and name.extension == "fits":
            self._made.add(name.candidate)
        elif name.form is Form.ASSOCIATION and (name.association_type or "").endswith(_LEVEL_3):
            self._associated.add(name.candidate)

    def facts(self, exposures: Iterable[_Exposure], incomplete: Collection[int]) -> CandidateFacts:
        modes: dict[int, set[str]] = defaultdict(set)
        for exposure in exposures:
            calibrated = any(unit.suffixes & _CALIBRATED for unit in exposure.units.values())
            if calibrated and exposure.obsnum is not None:
                modes[exposure.obsnum].add(exposure.mode or exposure.name.instrument or "")
        return CandidateFacts(
            modes={obsnum: tuple(sorted(own)) for obsnum, own in sorted(modes.items())},
            made=tuple(sorted(self._made)),
            associated=tuple(sorted(self._associated)),
            incomplete=tuple(sorted(incomplete)),
        )


def _lacking_candidates(
    modes: Mapping[int, set[str]], made_of: set[str], associated: set[str], incomplete: set[int]
) -> Iterator[Lack]:
    made = {obsnum for obsnum in modes if f"o{obsnum:03d}" in made_of}
    totals = Counter(mode for own in modes.values() for mode in own)
    having = Counter(mode for obsnum in made for mode in modes[obsnum])
    for obsnum in sorted(modes.keys() - made - incomplete):
        # It is without a product itself, so that the others of a mode are all but one.
        if all(2 * having[mode] > totals[mode] - 1 for mode in modes[obsnum]):
            yield Lack(part=Part.PRODUCT, obsnum=obsnum, what=f"o{obsnum:03d}", count=1)
    combined = {candidate for candidate in associated if not candidate.startswith("o")}
    for candidate in sorted(combined - made_of):
        if 2 * len(combined & made_of) > len(combined) - 1:
            yield Lack(part=Part.PRODUCT, obsnum=None, what=candidate, count=1)
