"""THE table of every profile parameter: validation, options, reference page, `config show` come from it.

A parameter is a field of `Parameters`: the attribute's name is the name that users write, its default the
built-in one, and its metadata holds everything else that is known about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from jwstwatch.core.dates import parse_date_select
from jwstwatch.core.layout import PICTURES
from jwstwatch.core.parameter_kinds import Maybe, Plain, Several
from jwstwatch.core.parameter_priority import PriorityWord
from jwstwatch.core.parameter_reactions import ReactionChoice
from jwstwatch.core.parameter_scalars import Boolean, Choice, Folder, Integer, Number, RelativeName, Word
from jwstwatch.core.parameter_sizes import Size
from jwstwatch.core.parameter_table import Group, Specification, parameter, specifications
from jwstwatch.core.parameter_units import Cron, Duration, TimeZone
from jwstwatch.core.parameter_words import (
    OBSERVATION,
    PROPOSAL,
    Detector,
    Instruments,
    ProposalChoice,
    Proposals,
    Range,
)
from jwstwatch.core.planning import DEFAULT_PRIORITY
from jwstwatch.core.ranges import parse_int_range
from jwstwatch.core.reactions import REPLACE_ALL, Reactions

OUTPUT_VARIABLE: Final = "JWSTDOWNLOAD_OUTDIR"
"""The environment variable that `outrootdir` names by default."""


_PROPOSAL_IDS = Several(PROPOSAL)
_OBSNUMS = Several(OBSERVATION)
_MODES = Several(Word("an observing mode such as image or wfss", lower=True, placeholder_word="MODE"))
_FILE_TYPES = Several(Word("a file type such as uncal, _rate.fits or jpg", placeholder_word="TYPE"))
_LEVELS = Several(Integer(-1, 4, "a calibration level", "LEVEL"))
_DETECTORS = Several(Detector())
_OBSIDS = Several(Integer(0, 10**12, "an obsID", "OBSID"))
_OBSID_RANGE = Range("one obsID, a limit such as 71672220+, or two obsIDs", "OBSID[+|-]", parse_int_range)
_DATES = Range(
    "one date (MJD or ISO), a limit such as 2022-06-06+, or two dates", "DATE[+|-]", parse_date_select
)
_COLUMNS = Several(Word("a column's name", placeholder_word="COLUMN"), at_least_one=True)
_ANY_COLUMNS = Several(Word("a column's name", placeholder_word="COLUMN"))
_KEYWORDS = Several(Word("a FITS keyword", placeholder_word="KEYWORD"))
_PIXELS = Maybe(Integer(1, 10000, "a number of pixels", "PIXELS"))
_SWITCH = Boolean()

EVERY_RUN: Final = "every-run"
RECHECK: Final = "recheck"
"""How a run compares the disk with the state: every file, or those in folders that changed."""

_FETCHES_AGAIN = "every run of the daemon would fetch all files again; type it where it is needed once"
_TRUSTS_FILES = "the daemon would never notice a file that is cut or missing; type it where it is needed once"
_FETCHES_NOTHING = "the daemon would never fetch anything; enabled: false rests a profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The effective values of one profile or one-off command, under the names that users write."""

    instrument: tuple[str, ...] = parameter(
        Instruments(),
        ("nircam",),
        "Instruments to ask for, or all five.",
        group=Group.WHAT,
        short="-i",
    )
    obsmode: tuple[str, ...] = parameter(
        _MODES,
        (),
        "Observing modes to ask for; none means every mode. "
        "Older archive rows without a mode are not found by one.",
        group=Group.WHAT,
    )
    propID: tuple[ProposalChoice, ...] = parameter(
        Proposals(),
        (),
        "Proposals to ask for, with or without leading zeros; none means every proposal. "
        "As an option, the numbers after the first are its observations, and it may be repeated.",
        group=Group.WHAT,
    )
    obsnums: tuple[int, ...] = parameter(
        _OBSNUMS,
        (),
        "Observation numbers within each proposal that propID names without its own; none means all.",
        group=Group.WHAT,
    )
    filetypes: tuple[str, ...] = parameter(
        _FILE_TYPES,
        ("uncal",),
        "File types to keep: uncal stands for _uncal.fits, a type with a dot keeps its ending, "
        "fits and jpg mean every such file; none means everything.",
        group=Group.WHAT,
        short="-f",
    )
    calib_levels: tuple[int, ...] = parameter(
        _LEVELS,
        (),
        "Calibration levels of the products to keep; none means all.",
        group=Group.WHAT,
    )
    sca: tuple[str, ...] = parameter(
        _DETECTORS,
        (),
        "Detectors to keep, in full (nrca1) or NIRCam's in short (a1; a5 is along); none means all.",
        group=Group.WHAT,
    )
    obsid_select: tuple[str, ...] = parameter(
        _OBSID_RANGE,
        (),
        "Range of MAST's obsID or parent_obsid: one exact, V+ a lower limit, V- an upper limit, two a range.",
        group=Group.WHAT,
        short="-e",
    )
    obsid_list: tuple[int, ...] = parameter(
        _OBSIDS,
        (),
        "Keep only products with one of these numbers as obsID or parent_obsid; none means all.",
        group=Group.WHAT,
    )
    guidestars: bool = parameter(
        _SWITCH,
        False,
        "Keep guide-star products too; there are very many of them.",
        group=Group.WHAT,
    )
    guidestar_data_only: bool = parameter(
        _SWITCH,
        False,
        "Keep guide-star products and nothing else; implies guidestars.",
        group=Group.WHAT,
    )
    Nobs_per_batch: int | None = parameter(
        Maybe(Integer(1, 10000, "a number of observations", "N")),
        2,
        "Most observations whose products one question asks for. "
        "Where nobody set it, and where it is empty, the archive's answers decide.",
        group=Group.WHAT,
    )
    lookbacktime: float = parameter(
        Number(0, 100000, "a number of days", "DAYS"),
        1.0,
        "Days before now in which an observation must have started; 0 means no lower limit. "
        "A whole proposal is asked for where only propID is given.",
        group=Group.WHEN,
        short="-l",
    )
    date_select: tuple[str, ...] = parameter(
        _DATES,
        (),
        "Range of the observation's start, each value MJD or ISO: one exact, V+ a lower limit, "
        "V- an upper limit, two a range. Overrides lookbacktime.",
        group=Group.WHEN,
        short="-d",
    )
    outrootdir: Path = parameter(  # noqa: RUF009
        Folder(),
        Path(f"${OUTPUT_VARIABLE}"),
        f"Output folder; where ${OUTPUT_VARIABLE} is not set, the current folder stands in for it.",
        group=Group.WHERE,
    )
    outsubdir: str | None = parameter(
        Maybe(RelativeName()),
        None,
        "Folder below outrootdir that everything goes to.",
        group=Group.WHERE,
    )
    skip_propID2outsubdir: bool = parameter(
        _SWITCH,
        False,
        "Leave out the folder with the five-digit proposal number.",
        group=Group.WHERE,
    )
    obsnum2outsubdir: bool = parameter(
        _SWITCH,
        True,
        "Put files in a folder for their observation number, such as obsnum03.",
        group=Group.WHERE,
    )
    propIDs_obsnum2outsubdir: tuple[int, ...] = parameter(
        _PROPOSAL_IDS,
        (),
        "Proposals that get observation folders although obsnum2outsubdir is false.",
        group=Group.WHERE,
    )
    jpg_separate_subdir: bool = parameter(
        _SWITCH,
        False,
        "Put jpg files in a folder jpg beside the other files.",
        group=Group.WHERE,
    )
    skipdownload: bool = parameter(
        _SWITCH,
        False,
        "Fetch nothing, only ask and write the tables.",
        group=Group.WHERE,
        one_off_only=_FETCHES_NOTHING,
        short="-n",
    )
    clobber: bool = parameter(
        _SWITCH,
        False,
        "Fetch files again although they are there; each old one stays until its successor is verified.",
        group=Group.WHERE,
        one_off_only=_FETCHES_AGAIN,
    )
    skip_check_if_outfile_exists: bool = parameter(
        _SWITCH,
        False,
        "Do not look on the disk for the files that are known to be there.",
        group=Group.WHERE,
        one_off_only=_TRUSTS_FILES,
    )
    skip_check_filesize: bool = parameter(
        _SWITCH,
        False,
        "Look on the disk for files but do not compare their sizes.",
        group=Group.WHERE,
        one_off_only=_TRUSTS_FILES,
    )
    savetables: str | None = parameter(
        Maybe(RelativeName(single=True)),
        None,
        "Write the tables NAME.selprod.txt, NAME.obs.txt and NAME.summary.txt to the output folder; "
        "empty: write none.",
        group=Group.TABLES,
        short="-s",
    )
    mastcolumns_obsTable: tuple[str, ...] = parameter(
        _COLUMNS,
        ("proposal_id", "dataURL", "obs_id", "t_min", "t_exptime"),
        "Columns of the archive's observation rows to ask for; all of them are, so this changes nothing.",
        group=Group.TABLES,
    )
    outcolumns_productTable: tuple[str, ...] = parameter(
        _COLUMNS,
        (
            "proposal_id", "obsnum", "obsID", "parent_obsid", "obs_id", "sca", "dataproduct_type",
            "productFilename", "filetype", "calib_level", "size", "outfilename", "dl_code", "dl_str",
        ),
        "Columns of the product table.",
        group=Group.TABLES,
    )  # fmt: skip
    outcolumns_obsTable: tuple[str, ...] = parameter(
        _COLUMNS,
        ("proposal_id", "obsnum", "obsid", "obs_id", "t_min", "t_exptime", "date_min"),
        "Columns of the observation table; one more for each file type counts its files.",
        group=Group.TABLES,
    )
    sortcols_productTable: tuple[str, ...] = parameter(
        _ANY_COLUMNS,
        ("calib_level", "filetype", "obsID"),
        "Columns that the product table is sorted by.",
        group=Group.TABLES,
    )
    sortcols_obsTable: tuple[str, ...] = parameter(
        _ANY_COLUMNS,
        ("date_min", "proposal_id", "obsnum"),
        "Columns that the observation table is sorted by.",
        group=Group.TABLES,
    )
    sortcols_summaryTable: tuple[str, ...] = parameter(
        _ANY_COLUMNS,
        ("date_start", "proposal_id", "obsnum"),
        "Columns that the summary is sorted by.",
        group=Group.TABLES,
    )
    makewebpages: bool = parameter(
        _SWITCH,
        False,
        "Keep a web page for each proposal and an index of them in the output folder.",
        group=Group.PAGES,
        short="-w",
    )
    webpage_tablefigsize_width: int | None = parameter(
        _PIXELS,
        None,
        "Width of the figures in the pages' tables; empty: that of the thumbnails.",
        group=Group.PAGES,
    )
    webpage_tablefigsize_height: int | None = parameter(
        _PIXELS,
        None,
        "Height of the figures in the pages' tables; empty: that of the thumbnails.",
        group=Group.PAGES,
    )
    webpage_level12_jpgs: tuple[str, ...] = parameter(
        _FILE_TYPES,
        (
            "_uncal.jpg", "_dark.jpg", "_rate.jpg", "_rateints.jpg",
            "_trapsfilled.jpg", "_cal.jpg", "_crf.jpg",
        ),
        "File types whose thumbnails the pages show.",
        group=Group.PAGES,
    )  # fmt: skip
    webpage_fitskeys2table: tuple[str, ...] = parameter(
        _KEYWORDS,
        (
            "TARG_RA", "TARG_DEC", "FILTER", "PUPIL", "READPATT", "NINTS",
            "NGROUPS", "NFRAMES", "DATE-BEG", "DATE-END", "EFFINTTM", "EFFEXPTM",
        ),
        "FITS keywords that are read from the files for the pages.",
        group=Group.PAGES,
    )  # fmt: skip
    webpage_cols4table: tuple[str, ...] = parameter(
        _COLUMNS,
        (
            "proposal_id", "obsnum", "visit", "obsID", "parent_obsid", "sca", "FILTER", "PUPIL", "READPATT",
            "uncal", "dark", "rate", "rateints", "cal", "TARG_RA", "TARG_DEC", "NINTS", "NGROUPS", "NFRAMES",
            "DATE-BEG", "DATE-END", "EFFINTTM", "EFFEXPTM", "size", "obs_id", "outfilename",
        ),
        "Columns of the pages' tables: product columns, FITS keywords, file types with thumbnails.",
        group=Group.PAGES,
    )  # fmt: skip
    webpage_sortcols: tuple[str, ...] = parameter(
        _ANY_COLUMNS,
        ("proposal_id", "obsnum", "visit", "sca"),
        "Columns that the pages' tables are sorted by at first.",
        group=Group.PAGES,
    )
    webpage_mkthumbnails: bool = parameter(
        _SWITCH,
        True,
        "Make thumbnails of the jpgs that webpage_level12_jpgs names, and quick-looks of FITS files without.",
        group=Group.PAGES,
    )
    webpage_thumbnails_overwrite: bool = parameter(
        _SWITCH,
        False,
        "Make thumbnails again although they are there.",
        group=Group.PAGES,
    )
    webpage_thumbnails_width: int | None = parameter(
        _PIXELS,
        120,
        "Width of thumbnails in pixels; empty: it follows from the height.",
        group=Group.PAGES,
    )
    webpage_thumbnails_height: int | None = parameter(
        _PIXELS,
        None,
        "Height of thumbnails in pixels; empty: it follows from the width.",
        group=Group.PAGES,
    )
    enabled: bool = parameter(
        _SWITCH,
        True,
        "False rests the profile: the daemon leaves it alone, and what it knows is kept.",
        group=Group.SCHEDULE,
        legacy=False,
    )
    every: timedelta | None = parameter(  # noqa: RUF009
        Maybe(Duration(timedelta(seconds=1)), inherited=True),
        timedelta(hours=6),
        "How often the daemon runs the profile; not together with cron.",
        group=Group.SCHEDULE,
        legacy=False,
    )
    cron: str | None = parameter(
        Maybe(Cron()),
        None,
        "When the daemon runs the profile, as five crontab fields; replaces every.",
        group=Group.SCHEDULE,
        legacy=False,
    )
    timezone: str = parameter(
        TimeZone(),
        "UTC",
        "Time zone that cron is meant in.",
        group=Group.SCHEDULE,
        legacy=False,
    )
    jitter: timedelta = parameter(  # noqa: RUF009
        Duration(),
        timedelta(0),
        "Longest random delay of a scheduled start, so that many sites do not ask in the same second.",
        group=Group.SCHEDULE,
        legacy=False,
    )
    run_on_start: bool = parameter(
        _SWITCH,
        False,
        "Run the profile whenever the daemon starts, also where it is not due.",
        group=Group.SCHEDULE,
        legacy=False,
    )
    recheck: timedelta = parameter(  # noqa: RUF009
        Duration(),
        timedelta(days=7),
        "How often everything the profile has ever covered is asked for again, "
        "so that late and reprocessed data are found.",
        group=Group.SCHEDULE,
        legacy=False,
    )
    settle: timedelta = parameter(  # noqa: RUF009
        Duration(),
        timedelta(days=14),
        "Age up to which an observation is asked for in every run.",
        group=Group.SCHEDULE,
        legacy=False,
    )
    sample: int = parameter(
        Integer(0, 100_000, "a number of files", "FILES"),
        200,
        "Present files a day whose ETag or Last-Modified is compared with the archive's, each at most once a "
        "week, so that new content of the same size is found; 0: none.",
        group=Group.SCHEDULE,
        legacy=False,
    )
    disk_check: str = parameter(
        Choice((EVERY_RUN, RECHECK)),
        EVERY_RUN,
        "Which files a run looks for on the disk: every-run all that are known there, recheck those in "
        "folders whose times changed since, and all of them once a day (or each recheck, if that is "
        "shorter). With recheck a missing file is found at once too, one that was cut or changed in its "
        "place within a day; the file system has to keep its folders' times.",
        group=Group.SCHEDULE,
        legacy=False,
    )
    max_plan: int | None = parameter(
        Maybe(Size()),
        500 * 10**9,
        "Largest plan that a run fetches without a yes (`run-now --yes`); empty: no limit.",
        group=Group.SCHEDULE,
        legacy=False,
    )
    priority: tuple[str, ...] = parameter(
        Several(PriorityWord()),
        DEFAULT_PRIORITY,
        "The order in which files are fetched, also where not all of them fit: file types, level1 to level4, "
        "and others for what no other word means. A file goes by the first word that means it, and new "
        "revisions of files that are there come after all new files.",
        group=Group.SCHEDULE,
        legacy=False,
    )
    min_free: int | None = parameter(
        Maybe(Size(least=0)),
        None,
        "What is kept free on the disk of the output folder; what would not fit waits. "
        "Empty: 1 GB or 1 % of the disk, whichever is less.",
        group=Group.SCHEDULE,
        legacy=False,
    )
    quota: int | None = parameter(
        Maybe(Size()),
        None,
        "Most bytes that the profile's files may take, those that it shares with other profiles in full; "
        "what would exceed it waits. Empty: no limit.",
        group=Group.SCHEDULE,
        legacy=False,
    )
    on_reprocessed: Reactions = parameter(  # noqa: RUF009
        ReactionChoice(),
        REPLACE_ALL,
        "What becomes of files that the archive has reprocessed: replace fetches the new revision, keep "
        "leaves the copy that is there. For each file type uncal=keep, and others=... for the rest; "
        "the first type that means a file counts.",
        group=Group.SCHEDULE,
        legacy=False,
    )
    reprocess_budget: int | None = parameter(
        Maybe(Size()),
        None,
        "Most bytes a day that new revisions of files that are there may take; the rest waits for the next "
        "day, new files never do. A revision larger than that goes while some is left. Empty: no limit.",
        group=Group.SCHEDULE,
        legacy=False,
    )
    keep_replaced: int = parameter(
        Integer(0, 100, "a number of copies", "COPIES"),
        0,
        "Earlier copies of a reprocessed file that are kept under .replaced/ in the output folder; of a "
        "picture one at least where makewebpages is on: the pages compare it with the new one.",
        group=Group.SCHEDULE,
        legacy=False,
    )

    def kept_copies(self, name: str) -> int:
        """Return how many replaced copies are kept of a file with this name."""
        compared = self.makewebpages and name.lower().endswith(PICTURES)
        return max(self.keep_replaced, 1) if compared else self.keep_replaced

    def observations_of(self, choice: ProposalChoice) -> tuple[int, ...]:
        """Return the observation numbers wanted of a chosen proposal; none: all of them."""
        return choice.obsnums or self.obsnums


PARAMETERS: Final[Mapping[str, Specification]] = specifications(Parameters)
"""Every parameter by the name that users write."""


def written(parameters: Parameters) -> dict[str, Plain]:
    """Return every value as YAML and JSON can write it, by name (`config show`, a query's identity)."""
    return {
        name: specification.kind.write(getattr(parameters, name))
        for name, specification in PARAMETERS.items()
    }
