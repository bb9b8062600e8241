"""The files of a part, put together as the page shows them: exposures, level-3 products, the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from jwstwatch.core import naming
from jwstwatch.core.model import FileState, Observation
from jwstwatch.core.naming import Form, ProductName
from jwstwatch.core.site import Keyword, PageFile

READABLE = (FileState.PRESENT, FileState.STALE, FileState.GONE)
"""States of files that are on disk."""
_TELLING = ("_rate.fits", "_cal.fits", "_uncal.fits")
_STAGES = ("uncal", "dark", "ramp", "rate", "rateints", "cal", "calints", "crf", "i2d", "s2d", "s3d", "x1d")
_LEADING = ("_uncal.fits", "_rate.fits", "_cal.fits", "_i2d.fits", "_s2d.fits", "_x1d.fits")


def is_on_disk(file: PageFile) -> bool:
    """True where a reader can open the file now, be it of this revision or an older one."""
    return file.state in READABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Files that differ in their type only: one exposure of one detector, or one level-3 product.

    A name outside the grammar, an association or the like is a bundle of its own.
    """

    key: str
    name: ProductName
    files: tuple[PageFile, ...]
    """Data before previews, each in the order of the pipeline's stages."""
    labels: tuple[str, ...]
    """What tells each file from the others: `cal`, `cal.jpg`, `o002_crf`."""
    leading: PageFile
    """The file that stands for all: the uncal, else the next stage, one on disk first."""
    observation: Observation | None = None
    by_type: Mapping[str, PageFile] = field(default_factory=dict, repr=False, compare=False)
    """The first file of each type, one that is on disk where there is any."""
    keywords: Mapping[str, Keyword] = field(default_factory=dict, repr=False, compare=False)
    """Header keywords of the rate file; what it lacks of the cal, the uncal, then any other."""

    @property
    def obsnum(self) -> int | None:
        """The APT observation number, from the name or, where it holds none, as the state knows it."""
        return self.files[0].obsnum if self.name.obsnum is None else self.name.obsnum

    @property
    def bytes_on_disk(self) -> int:
        """What the files take on disk, in bytes."""
        return sum(file.size or 0 for file in self.files if is_on_disk(file))


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """All files of a part, each in exactly one place."""

    exposures: tuple[Bundle, ...]
    products: tuple[Bundle, ...]
    """Level-3 products, by target or source."""
    guide_stars: tuple[Bundle, ...]
    others: tuple[Bundle, ...]
    """Associations, pools, MSA files, and names outside the grammar."""


_Groups = dict[str, list[tuple[PageFile, ProductName]]]


def arrange(files: Iterable[PageFile], observations: Iterable[Observation]) -> Arrangement:
    """Sort files into exposures, level-3 products, guide stars and others."""
    groups: dict[str, _Groups] = {name: defaultdict(list) for name in _SECTIONS}
    for file in sorted(files, key=lambda file: (file.name, file.path)):
        name = naming.parse(file.name)
        section, key = _place(name)
        groups[section][key].append((file, name))
    known = _Observations(observations)
    exposures, products, guide_stars, others = (
        tuple(_bundle(groups[name], known, whole=name == "others")) for name in _SECTIONS
    )
    return Arrangement(exposures=exposures, products=products, guide_stars=guide_stars, others=others)


_SECTIONS = ("exposures", "products", "guide-stars", "others")


def _place(name: ProductName) -> tuple[str, str]:
    """Return the section of a file and the key of its row there."""
    if name.exposure_key is not None:
        return "exposures", name.exposure_key
    if name.form in (Form.GUIDE_STAR_ID, Form.GUIDE_STAR_TIMED):
        return "guide-stars", _without_suffix(name)
    if name.form in (Form.TARGET, Form.SOURCE):
        return "products", _without_suffix(name)
    return "others", name.name


class _Observations:
    """Finds the observation that a file belongs to: by its own name first, then by CAOM's numbers."""

    def __init__(self, observations: Iterable[Observation]) -> None:
        self._by_name = {observation.obs_id: observation for observation in observations}
        self._by_number = {observation.obsid: observation for observation in self._by_name.values()}

    def find(self, key: str, file: PageFile) -> Observation | None:
        for name in (key, file.obs_id):
            if name in self._by_name:
                return self._by_name[name]
        for number in (file.obsid, file.parent_obsid):
            if number is not None and number in self._by_number:
                return self._by_number[number]
        return None


def _bundle(groups: _Groups, observations: _Observations, *, whole: bool) -> Iterator[Bundle]:
    for key, members in sorted(groups.items()):
        members.sort(key=_reading_order)
        files = tuple(file for file, _ in members)
        by_type: dict[str, PageFile] = {}
        for file in sorted(files, key=lambda file: not is_on_disk(file)):
            by_type.setdefault(file.filetype, file)
        yield Bundle(
            key=key,
            # A stage-3 file of an exposure names its candidate; the plain name says what they all share.
            name=min((name for _, name in members), key=lambda name: name.form is Form.STAGE3_EXPOSURE),
            files=files,
            labels=tuple(file.name if whole else _label(file, name) for file, name in members),
            leading=min(files, key=lambda file: (not is_on_disk(file), _rank(_LEADING, file), file.name)),
            observation=observations.find(key, files[0]),
            by_type=by_type,
            keywords=_merge_keywords(files),
        )


def _merge_keywords(files: Iterable[PageFile]) -> dict[str, Keyword]:
    merged: dict[str, Keyword] = {}
    for file in sorted(files, key=lambda file: (_rank(_TELLING, file), file.name)):
        for name, value in file.keywords.items():
            if merged.get(name) is None:
                merged[name] = value
    return merged


def _label(file: PageFile, name: ProductName) -> str:
    ending = file.filetype.removeprefix("_").removesuffix(".fits")
    return f"{name.candidate}_{ending}" if name.form is Form.STAGE3_EXPOSURE else ending


def _reading_order(member: tuple[PageFile, ProductName]) -> tuple[bool, int, str]:
    file, name = member
    stage = _STAGES.index(name.suffix) if name.suffix in _STAGES else len(_STAGES)
    return not file.name.endswith(".fits"), stage, file.name


def _without_suffix(name: ProductName) -> str:
    return name.name.rpartition(f"_{name.suffix}")[0]


def _rank(order: tuple[str, ...], file: PageFile) -> int:
    return order.index(file.filetype) if file.filetype in order else len(order)
