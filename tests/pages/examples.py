"""Proposals as they are in real life: true JWST names and header values, with small files on disk."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image

from jwstwatch.core import naming
from jwstwatch.core.gap_words import GapLine
from jwstwatch.core.home import HomeView
from jwstwatch.core.model import EXCLUSIVE, PLANNED, FileState, Observation
from jwstwatch.core.site import (
    FormerPicture,
    FormerVersion,
    Keyword,
    PageFile,
    PageSettings,
    PartLine,
    PartView,
    ProposalSummary,
    ProposalView,
    Reprocessing,
    WaitingPlan,
)
from jwstwatch.pages.publishing import publish_home, publish_part, publish_proposal

SETTINGS = PageSettings(
    columns=(
        *("proposal_id", "obsnum", "visit", "obsID", "parent_obsid", "sca", "FILTER", "PUPIL", "READPATT"),
        *("uncal", "dark", "rate", "rateints", "cal", "TARG_RA", "TARG_DEC", "NINTS", "NGROUPS", "NFRAMES"),
        *("DATE-BEG", "DATE-END", "EFFINTTM", "EFFEXPTM", "size", "obs_id", "outfilename"),
    ),
    thumbnails=(
        "_uncal.jpg",
        "_dark.jpg",
        "_rate.jpg",
        "_rateints.jpg",
        "_trapsfilled.jpg",
        "_cal.jpg",
        "_crf.jpg",
    ),
    keywords=("TARG_RA", "TARG_DEC", "FILTER", "PUPIL", "READPATT", "NINTS", "NGROUPS", "NFRAMES"),
    sort_by=("proposal_id", "obsnum", "visit", "sca"),
)
BEGIN = datetime(2022, 6, 21, 4, 12, 7, 545000, tzinfo=UTC)
SIZES = {"uncal": 117_452_160, "rate": 83_966_400, "cal": 100_831_680, "crf": 117_624_960, "i2d": 734_402_880}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What the state knows of proposal 1345, in a test."""

    files: tuple[PageFile, ...]
    observations: tuple[Observation, ...] = ()
    settings: PageSettings = SETTINGS
    summary: ProposalSummary
    gaps: tuple[GapLine, ...] = ()
    """Of its parts, by their observation number, and of none."""
    waiting: tuple[WaitingPlan, ...] = ()


@dataclass(slots=True)
class Published:
    """A proposal on disk: its page, the lines of its parts, and how many files were written."""

    page: Path
    lines: list[PartLine] = field(default_factory=list)
    written: int = 0

    @property
    def parts(self) -> Path:
        """Where the files of its parts are."""
        return self.page.parent / "jwstwatch-pages"


def keywords_of(name: str, number: int) -> dict[str, Keyword]:
    """Return header values such as the exposure `name` has, a little different for each number."""
    detector = (naming.parse(name).detector or "nrca1").upper()
    long_wave = detector.endswith("LONG")
    begin = BEGIN + timedelta(minutes=17 * number)
    return {
        "INSTRUME": "NIRCAM",
        "DETECTOR": detector,
        "FILTER": "F444W" if long_wave else ("F115W", "F200W", "F150W")[number % 3],
        "PUPIL": "CLEAR",
        "READPATT": "MEDIUM8",
        "NINTS": 1,
        "NGROUPS": 9,
        "NFRAMES": 8,
        "TARG_RA": 214.9154166666667 + number * 1e-4,
        "TARG_DEC": 52.81133333333333,
        "DATE-BEG": f"{begin:%Y-%m-%dT%H:%M:%S}.545",
        "DATE-END": f"{begin + timedelta(seconds=955):%Y-%m-%dT%H:%M:%S}.120",
        "EFFINTTM": 944.836,
        "EFFEXPTM": 944.836,
        "GS_MAG": None,
    }


def make_file(
    name: str, *, number: int = 0, state: FileState = FileState.PRESENT, **facts: object
) -> PageFile:
    """Return a file of the default layout; `facts` replace what is derived from the name."""
    parsed = naming.parse(name)
    folder = f"{parsed.proposal or 1345:05d}/" + (
        "" if parsed.obsnum is None else f"obsnum{parsed.obsnum:02d}/"
    )
    file = PageFile(
        name=name,
        path=folder + name,
        uri=f"mast:JWST/product/{name}",
        filetype=parsed.filetype,
        obs_id=parsed.exposure_key or name.rpartition("_")[0],
        obsid=71672220 + number,
        parent_obsid=71690010 + number // 8,
        obsnum=parsed.obsnum,
        calib_level={"uncal": 1, "i2d": 3}.get(parsed.suffix or "", 2),
        product_type="PREVIEW" if name.endswith((".jpg", ".png")) else "SCIENCE",
        size=SIZES.get(parsed.suffix or "", 20_160) if name.endswith(".fits") else 748_016,
        state=state,
        keywords=keywords_of(name, number) if name.endswith(".fits") else {},
    )
    return replace(file, **facts)


def make_exposure(
    key: str,
    number: int,
    *,
    types: Iterable[str] = ("uncal", "rate", "cal"),
    state: FileState = FileState.PRESENT,
) -> list[PageFile]:
    """Return the FITS files and previews of one exposure; previews that are there have thumbnails."""
    made = []
    for word in types:
        made.append(make_file(f"{key}_{word}.fits", number=number, state=state))
        jpg = make_file(f"{key}_{word}.jpg", number=number, state=state)
        thumbnail = jpg.path.removesuffix(".jpg") + ".TN.jpg" if state is FileState.PRESENT else None
        made.append(replace(jpg, thumbnail=thumbnail))
    return made


def nircam_exposures(proposal: int, count: int) -> list[str]:
    """Return the names of `count` exposures of ten detectors each, spread over observations of 30."""
    detectors = [f"nrc{module}{chip}" for module in "ab" for chip in ("1", "2", "3", "4", "long")]
    return [
        f"jw{proposal:05d}{1 + number // 30:03d}001_03101_{1 + number % 30:05d}_{detector}"
        for number in range(count)
        for detector in detectors
    ]


def make_observation(obs_id: str, obsid: int, **facts: object) -> Observation:
    """Return an executed imaging observation of the Extended Groth Strip."""
    observation = Observation(
        obs_id=obs_id,
        obsid=obsid,
        proposal=1345,
        instrument_name="NIRCAM/IMAGE",
        target_name="CEERS-EGS",
        filters="F115W",
        calib_level=2,
        t_min=59751.175087326,
        t_exptime=944.836,
        t_obs_release=60116.4,
        data_rights="PUBLIC",
    )
    return replace(observation, **facts)


def summarise(proposal: int, files: Iterable[PageFile], **facts: object) -> ProposalSummary:
    """Return the line of the index that fits the files."""
    files = list(files)
    summary = ProposalSummary(
        proposal=proposal,
        title="The Cosmic Evolution Early Release Science (CEERS) Survey",
        principal_investigator="Finkelstein, Steven L.",
        instruments=("NIRCAM/IMAGE",),
        observations=len({file.obsnum for file in files}),
        counts=Counter(file.state for file in files),
        bytes_present=sum(file.size or 0 for file in files if file.state is FileState.PRESENT),
        last_arrival=datetime(2026, 11, 21, 3, 12, 44, tzinfo=UTC),
        thumbnail=next((file.thumbnail for file in files if file.thumbnail), None),
    )
    return replace(summary, **facts)


def make_part(
    files: Iterable[PageFile],
    observations: Iterable[Observation] = (),
    *,
    settings: PageSettings = SETTINGS,
    obsnum: int | None = 1,
    gaps: Iterable[GapLine] = (),
) -> PartView:
    """Return a part of proposal 1345 with these files and observations, whatever they are."""
    return PartView(
        proposal=1345,
        obsnum=obsnum,
        observations=tuple(observations),
        files=tuple(files),
        settings=settings,
        gaps=tuple(gaps),
    )


def make_proposal(
    files: Iterable[PageFile],
    observations: Iterable[Observation] = (),
    *,
    settings: PageSettings = SETTINGS,
    gaps: Iterable[GapLine] = (),
    **facts: object,
) -> Proposal:
    """Return proposal 1345 with these files and observations; `facts` are of its summary."""
    files = tuple(files)
    return Proposal(
        files=files,
        observations=tuple(observations),
        settings=settings,
        summary=summarise(1345, files, **facts),
        gaps=tuple(gaps),
    )


def split(proposal: Proposal) -> list[PartView]:
    """Return the parts of a proposal, by observation number, what belongs to none last."""
    numbers = {file.obsnum for file in proposal.files}
    numbers |= {naming.parse_obs_id(seen.obs_id).obsnum for seen in proposal.observations}
    numbers |= {gap.obsnum for gap in proposal.gaps if gap.obsnum is not None}
    return [
        make_part(
            (file for file in proposal.files if file.obsnum == number),
            (seen for seen in proposal.observations if naming.parse_obs_id(seen.obs_id).obsnum == number),
            settings=proposal.settings,
            obsnum=number,
            gaps=(gap for gap in proposal.gaps if gap.obsnum == number and number is not None),
        )
        for number in sorted(numbers, key=lambda number: (number is None, number or 0))
    ]


def publish(root: Path, proposal: Proposal) -> Published:
    """Write a proposal as a run does: its parts, then its page; a small one has its tables in the page."""
    parts = split(proposal)
    published = Published(root / "01345" / "index.html")
    for part in parts:
        done = publish_part(root, part)
        published.lines.append(done.line)
        published.written += done.written
    rows = sum(section.rows for line in published.lines for section in line.sections)
    view = ProposalView(
        summary=proposal.summary,
        lines=tuple(published.lines),
        settings=proposal.settings,
        waiting=proposal.waiting,
        gaps=tuple(gap for gap in proposal.gaps if gap.obsnum is None),
        inline=tuple(parts) if rows <= 200 else (),
        root=root,
        host="archive.example",
    )
    published.written += publish_proposal(root, view)
    return published


def publish_index(root: Path, *summaries: ProposalSummary) -> int:
    """Write the page of all proposals."""
    return publish_home(HomeView(root=root, identity="6a9be0c4-1111-4222-8333-444455556666", index=summaries))


def make_ceers(exposures: int = 4, *, settings: PageSettings = SETTINGS) -> Proposal:
    """Return proposal 1345 with every state, a time series, level-3 products, guide stars and the rest."""
    files: list[PageFile] = []
    keys = nircam_exposures(1345, exposures)
    for number, key in enumerate(keys):
        files += make_exposure(key, number)
    files[0] = replace(files[0], state=FileState.STALE, reason="the archive has a newer version", revision=2)
    files[2] = reprocess(files[2])
    files[3] = replace(
        files[3],
        revision=2,
        former_picture=FormerPicture(path=f"01345/replaced/{files[3].name}", revision=1),
    )
    files[6] = replace(files[6], state=FileState.FAILED, reason="the transfer broke off three times")
    files[9] = replace(files[9], thumbnail=None)
    files[12] = replace(files[12], state=FileState.GONE, reason="not listed since 2026-11-02")
    files[16] = replace(files[16], state=FileState.WANTED)
    files.append(make_file(f"{keys[0]}_o001_crf.fits"))
    files += make_exposure("jw01345062001_03101_00001-seg001_nrs2", 50, types=["uncal", "rateints"])
    files += make_exposure("jw01345062001_03101_00001-seg002_nrs2", 51, types=["uncal", "rateints"])
    files += make_exposure("jw01345063001_02101_00001_mirimage", 60, state=FileState.WITHHELD)
    files = [
        replace(file, reason="exclusive access until 2027-03-01; no token")
        if file.state is FileState.WITHHELD
        else file
        for file in files
    ]
    for optics in ("clear-f115w", "clear-f200w", "f444w-f470n"):
        files += make_exposure(f"jw01345-o001_t021_nircam_{optics}", 70, types=["i2d"])
    files.append(make_file("jw01345-o062_s000012345_nirspec_clear-prism_x1d.fits"))
    spectrum = make_file("jw01345-o062_s000012345_nirspec_clear-prism_x1d.png")
    files.append(replace(spectrum, thumbnail=spectrum.path.removesuffix(".png") + ".TN.jpg"))
    for rest in (
        "gs-acq1_2022172031154_cal.fits",
        "gs-id_1_image_cal.fits",
        "gs-fg_2022172041154-seg001_cal.fits",
    ):
        files.append(make_file(f"jw01345001001_{rest}"))
    files.append(make_file("jw01345-o001_20260721t201156_image3_00001_asn.json", size=12_345))
    files.append(make_file("jw01345_20260721t201156_pool.csv", size=63_672))
    files.append(make_file("jw01345062001_01_msa.fits", changed_at=datetime(2026, 8, 1, tzinfo=UTC)))
    observations = [make_observation(key, 71672220 + number) for number, key in enumerate(keys)]
    observations += [
        make_observation(
            "jw01345062001_03101_00001-seg001_nrs2", 4, instrument_name="NIRSPEC/SLIT", t_exptime=3063.67
        ),
        make_observation(
            "jw01345063001_02101_00001_mirimage",
            5,
            instrument_name="MIRI/IMAGE",
            data_rights=EXCLUSIVE,
            t_obs_release=61465.0,
            filters="F770W",
        ),
        make_observation(
            "jw01345081001_xxxxx_00001",
            6,
            calib_level=PLANNED,
            t_min=None,
            t_exptime=1868.2,
            target_name="CEERS-EPOCH-2",
        ),
    ]
    instruments = ("MIRI/IMAGE", "NIRCAM/IMAGE", "NIRSPEC/SLIT")
    made = make_proposal(files, observations, settings=settings, instruments=instruments)
    return replace(made, summary=replace(made.summary, observations=5))


def fill_disk(root: Path, files: Iterable[PageFile]) -> None:
    """Write a small file for each one that is on disk, and a picture for each thumbnail."""
    picture = make_star_field(1)
    for file in files:
        if file.state in (FileState.PRESENT, FileState.STALE, FileState.GONE):
            path = root / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture if file.name.endswith((".jpg", ".png")) else b"data")
        former = file.former_picture.path if file.former_picture else None
        for path in (file.thumbnail, file.picture, former):
            if path and not (root / path).is_file():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_bytes(picture)


def make_star_field(seed: int, side: int = 120) -> bytes:
    """Return a JPEG with a hundred stars on noise."""
    random = np.random.default_rng(seed)
    field = random.normal(18, 6, (side, side))
    y, x = np.mgrid[:side, :side]
    for _ in range(side):
        column, row = random.uniform(0, side, 2)
        field += (
            random.pareto(1.5) * 25 * np.exp(-((x - column) ** 2 + (y - row) ** 2) / random.uniform(1, 5))
        )
    buffer = io.BytesIO()
    Image.fromarray(field.clip(0, 255).astype("u1")).save(buffer, "JPEG")
    return buffer.getvalue()


def reprocess(file: PageFile) -> PageFile:
    """Return the file as it is after a reprocessing."""
    former = FormerVersion(
        revision=1,
        size=file.size,
        pipeline="1.14.0",
        context="jwst_1230.pmap",
        began_at=BEGIN,
        ended_at=BEGIN + timedelta(days=90),
        why="keywords.cal_ver",
    )
    change = Reprocessing(
        at=former.ended_at, pipeline=("1.14.0", "1.15.0"), context=("jwst_1230.pmap", "jwst_1241.pmap")
    )
    return replace(file, revision=2, reprocessed=change, versions=(former,), sha256="ab" * 32)


def give_quicklook(file: PageFile) -> PageFile:
    """Return the FITS file with a quick-look and its thumbnail."""
    stem = f"01345/jwstwatch-pages/previews/{file.name.removesuffix('.fits')}.QL"
    return replace(file, picture=f"{stem}.jpg", thumbnail=f"{stem}.TN.jpg")


def with_keywords(file: PageFile, keywords: Mapping[str, Keyword]) -> PageFile:
    """Return the file with other header values."""
    return replace(file, keywords={**file.keywords, **keywords})
