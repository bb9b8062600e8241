"""`jwstwatch gaps`: what observations should have and lack, each gap with its reason."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jwstwatch.cli import output, proposals, session
from jwstwatch.core.dates import iso
from jwstwatch.errors import ExitCode

if TYPE_CHECKING:
    from jwstwatch.core.gap_words import GapLine
    from jwstwatch.core.gaps import Gap, GapKind
    from jwstwatch.store.store import Store

EXAMPLE = "jwstwatch gaps --propID 1345 1 2"

_NOTHING_LISTED = "Nothing has been listed so far: `jwstwatch run-now` asks the archive."
_NONE = "Nothing is missing: what the archive lists and the profiles select is here."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare what narrows the report."""
    proposals.add_option(parser, "a proposal")
    parser.add_argument("--profile", metavar="NAME", help="of this profile: its observations and files")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Tell the gaps, one proposal after the other; the archive is not asked."""
    settings = session.load_settings(arguments)
    asked = {choice.proposal: choice.obsnums for choice in proposals.read(arguments.propID)}
    if arguments.profile is not None:
        settings.profile(arguments.profile)
    with session.open_state(arguments, settings, upgrade=False) as store:
        known = store.gaps.proposals(profile=arguments.profile)
        found = _find(store, known, asked, arguments.profile)
        if arguments.json:
            arguments.document = document = output.JsonRows("gaps")
            for gap in (gap for _, gaps in found for gap in gaps):
                document.write(_document(gap))
            document.end()
        else:
            if not known and not asked:
                print(_NOTHING_LISTED)
            elif not asked or set(asked) & set(known):
                _print(found)
            _tell_unknown(asked, known)
    return ExitCode.DONE


def _find(
    store: Store, known: Sequence[int | None], asked: Mapping[int, Collection[int]], profile: str | None
) -> Iterator[tuple[int | None, list[Gap]]]:
    from jwstwatch.store.gaps import Scope

    now = datetime.now(UTC)
    for proposal in known:
        if asked and proposal not in asked:
            continue
        gaps = store.gaps.of_proposal(proposal, now=now, scope=Scope(profile=profile))
        numbers = asked.get(proposal, ()) if proposal is not None else ()
        yield proposal, [gap for gap in gaps if not numbers or gap.obsnum in numbers]


def _document(gap: Gap) -> dict[str, object]:
    return {
        "proposal": gap.proposal,
        "obsnum": gap.obsnum,
        "visit": gap.visit,
        "exposure": gap.exposure,
        "kind": gap.kind.value,
        "what": gap.what,
        "count": gap.count,
        "names": list(gap.names),
        "reason": gap.reason,
        "queued": gap.queued,
        "next_at": iso(gap.next_at),
    }


def _print(found: Iterator[tuple[int | None, list[Gap]]]) -> None:
    from jwstwatch.core.gap_words import count_by_kind, summarise

    totals: Counter[GapKind] = Counter()
    places: set[tuple[int | None, int | None]] = set()
    for proposal, gaps in found:
        if not gaps:
            continue
        title = "files of unknown proposals" if proposal is None else f"proposal {proposal}"
        print(f"{output.emphasised(title)}\n{_table(summarise(gaps))}\n", flush=True)
        totals.update(count_by_kind(gaps))
        places.update((proposal, gap.obsnum) for gap in gaps)
    print(_totals(totals, places) if totals else _NONE)


def _table(lines: Sequence[GapLine]) -> str:
    rows = [
        [
            "-" if line.obsnum is None else str(line.obsnum),
            line.kind.value,
            line.lacking,
            line.reason,
            line.next,
        ]
        for line in lines
    ]
    return output.table(["obs", "gap", "lacking", "reason", "next"], rows, least=["next"])


def _totals(totals: Counter[GapKind], places: Collection[tuple[int | None, int | None]]) -> str:
    from jwstwatch.core.gaps import GapKind

    proposals = len({proposal for proposal, _ in places})
    counts = ", ".join(f"{totals[kind]:,} {kind.value}" for kind in GapKind if totals[kind])
    return (
        f"{counts}; in {len(places)} {_many(len(places), 'observation')} "
        f"of {proposals} {_many(proposals, 'proposal')}"
    )


def _many(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"


def _tell_unknown(asked: Collection[int], known: Collection[int | None]) -> None:
    unknown = [str(proposal) for proposal in asked if proposal not in known]
    if unknown:
        what = f"{_many(len(unknown), 'proposal')} {', '.join(unknown)}"
        output.complain(
            f"no profile's query has found anything of {what}",
            hint="`jwstwatch run-now` asks the archive again.",
        )
