"""The archive that the examples of jwst_mast_query's documentation ask for, and its configuration file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.model import ArchivedObservation, ArchivedProduct, Proposal, Target
from jwstwatch.demo.modes import CORONAGRAPHY, IMAGING

FILES = ("uncal.fits", "uncal.jpg", "rate.fits", "rate.jpg")
VERSION = "1.20.2"

# Every key of the documentation's table with its default there, quirks included; propID and date_select as
# its text writes them where the table has none.
OLD_CONFIGURATION = """\
instrument: nircam
propID:
obsnums:
outrootdir: $JWSTDOWNLOAD_OUTDIR
outsubdir:
skip_propID2outsubdir: False
obsnum2outsubdir: True
propIDs_obsnum2outsubdir: [1409]
skip_check_if_outfile_exists: False
Nobs_per_batch: 2
obsmode: ['image', 'wfss']
filetypes: ['uncal']
jpg_separate_subdir: False
guidestars: False
guidestar_data_only : False
lookbacktime: 1.0
date_select: []
savetables:
mastcolumns_obsTable: ['proposal_id', 'dataURL', 'obs_id', 't_min','t_exptime']
outcolumns_productTable: ['proposal_id', 'obsnum', 'obsID', 'parent_obsid', 'obs_id', 'dataproduct_type',\
 'productFilename', 'filetype', 'calib_level', 'size', 'outfilename', 'dl_code', 'dl_str']
outcolumns_obsTable: ['proposal_id', 'obsnum', 'obsid', 'obs_id', 't_min', 't_exptime', 'date_min']
sortcols_productTable: ['calib_level','filetype','obsID']
sortcols_obsTable: ['date_min','proposal_id','obsnum']
sortcols_summaryTable: ['date_start','proposal_id','obsnum']
makewebpages: False
webpage_tablefigsize_width:
webpage_tablefigsize_height:
webpage_level12_jpgs: ['_uncal.jpg','_dark.jpg','_rate.jpg','_rateints.jpg','_trapsfilled.jpg','_cal.jpg',\
'_crf.jpg']
webpage_fitskeys2table: ['TARG_RA', 'TARG_DEC', 'FILTER', 'PUPIL', 'READPATT', 'NINTS', 'NGROUPS', 'NFRAMES',\
 'DATE-BEG', 'DATE-END', 'EFFINTTM', 'EFFEXPTM']
webpage_cols4table: ['proposal_id', 'obsnum', 'visit', 'obsID', 'parent_obsid', 'sca', 'FILTER', 'PUPIL',\
 'READPATT', 'uncal', 'dark', 'rate', 'rateints', 'cal', 'TARG_RA', 'TARG_DEC', 'NINTS', 'NGROUPS',\
 'NFRAMES', 'DATE-BEG', 'DATE-END', 'EFFINTTM', 'EFFEXPTM', 'size', 'obs_id', 'outfilename']
webpage_sortcols: ['proposal_id', 'obsnum', 'visit', 'sca']
webpage_mkthumbnails: True
webpage_thumbnails_overwrite: False
webpage_thumbnails_width: 120
webpage_thumbnails_height:
"""

_TARGET = Target(name="OLD-FIELD", ra=80.5, dec=-69.5)


class OldArchive:
    """Builds a catalogue, an exposure at a time; each has the files `FILES`."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.catalogue = Catalogue((), ())
        self._numbers = count(71_672_220, 7)

    def add(
        self,
        proposal: int,
        obsnum: int,
        detectors: Iterable[str],
        *,
        start: datetime | None = None,
        days: float = 0.0,
        exposure: int = 1,
        coronagraph: bool = False,
        exclusive: bool = False,
        files: Sequence[str] = FILES,
    ) -> None:
        """Add exposures that started at `start`, or so many days ago."""
        began = start or self.now - timedelta(days=days)
        for detector in detectors:
            observation = self._observation(
                proposal, obsnum, detector, start=began, exposure=exposure, coronagraph=coronagraph
            )
            observation = replace(observation, exclusive=exclusive)
            size = 5760 + 2880 * (observation.obsid % 3)
            self.catalogue.add(observation, [_product(observation, ending, size) for ending in files])

    def _observation(
        self, proposal: int, obsnum: int, detector: str, *, start: datetime, exposure: int, coronagraph: bool
    ) -> ArchivedObservation:
        mode = CORONAGRAPHY if coronagraph else IMAGING
        return ArchivedObservation(
            obs_id=f"jw{proposal:05d}{obsnum:03d}001_02101_{exposure:05d}_{detector}",
            obsid=next(self._numbers),
            proposal=Proposal(
                number=proposal, title="Old Examples", principal_investigator="Weiß, Ada", category="COM"
            ),
            target=_TARGET,
            mode=mode,
            number=obsnum,
            instrument_name=mode.instrument_name,
            filters="F200W;CLEAR",
            filter="F200W",
            element="CLEAR",
            detector=detector.upper(),
            start=start,
            exposure_seconds=161.052,
            processed=start + timedelta(minutes=30),
            release=start,
            version=VERSION,
            exposure=exposure,
        )


def _product(observation: ArchivedObservation, ending: str, size: int) -> ArchivedProduct:
    return ArchivedProduct(
        name=f"{observation.obs_id}_{ending}",
        suffix=ending.partition(".")[0],
        level=1 if ending.startswith("uncal") else 2,
        holders=(observation.obs_id,),
        modified=observation.processed or observation.start or datetime.now(UTC),
        version=VERSION,
        plain_size=size,
    )


def day(text: str) -> datetime:
    """Read a time of the examples."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def old_catalogue(now: datetime) -> Catalogue:
    """Return what the examples ask for, and beside it what each of them must leave out."""
    archive = OldArchive(now)
    archive.add(1410, 3, ("nrca1", "nrca2", "nrcb1"), days=2)
    archive.add(1410, 4, ("nrca1",), days=3.5)
    archive.add(1410, 5, ("nrca2",), days=1, coronagraph=True)
    archive.add(1138, 3, ("nrca1",), days=0.2)
    archive.add(1138, 4, ("nrca1", "nrcb1"), days=0.25)
    archive.add(1138, 4, ("nrca1",), days=1.5, exposure=2)
    archive.add(1138, 5, ("nrca2",), days=0.3)
    archive.add(1138, 7, ("nrcb1",), days=0.4)
    archive.add(1409, 3, ("nrca1", "nrca2"), days=1.5)
    archive.add(1409, 3, ("nrca1",), days=6, exposure=2)
    archive.add(1409, 3, ("nrcb1",), start=day("2022-06-07T04:00:00"), exposure=9)
    archive.add(1409, 5, ("nrca1",), days=0.5)
    archive.add(1409, 103, ("nrcb1",), days=0.6)
    for number, start in enumerate(
        ("2021-08-03T23:59:59", "2021-08-11T10:00:00", "2021-08-11T16:49:49", "2021-08-12T03:00:00",
         "2021-08-12T16:49:49", "2021-08-13T00:00:00"), start=1
    ):  # fmt: skip
        archive.add(743, number, ("nrca1",), start=day(start), files=("uncal.fits", "uncal.jpg"))
    return archive.catalogue
