"""An existing tree becomes part of the state: what lies there is checked and recorded, nothing is moved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from jwstwatch.core import planning
from jwstwatch.core.model import FileState
from jwstwatch.core.products import Product
from jwstwatch.errors import CancelledError
from jwstwatch.store.plans import Adopted, KnownFile, PlanRow
from jwstwatch.store.roots import RootRecord
from jwstwatch.sync import roots, rules
from jwstwatch.sync.context import Context
from jwstwatch.sync.judging import Finding, Place, Verdict, judge, judge_unread
from jwstwatch.sync.surveying import Survey

GROUP = 64
"""Files that are recorded together."""

_Standing = Mapping[str, tuple[KnownFile, str]]


def take_in(context: Context, survey: Survey, *, dry_run: bool) -> list[Finding]:
    """Check the files of a survey and record those that the archive lists; returns what was made of each.

    A file's root is the deepest output folder, of the state or of a profile, that it lies in; for want of any
    the surveyed folder becomes one. With `dry_run` nothing is recorded and no file is read as a whole.
    Raises what `open_root` raises before any file is read, and `CancelledError` between two files.
    """
    findings: list[Finding] = []
    to_read: dict[Path, list[Place]] = defaultdict(list)
    for place in _places(survey, _output_folders(context)):
        finding = judge_unread(place, survey.listed.get(place.found.name))
        if finding is None:
            to_read[place.root].append(place)
        else:
            findings.append(finding)
    known = {root: context.store.roots.get(root) for root in to_read}
    if not dry_run and to_read:
        known = {root: roots.open_root(context, root) for root in to_read}
        context.store.listings.record_observations(
            None, survey.observations, now=context.now(), everything=False
        )
    count, done = sum(map(len, to_read.values())), 0
    for root, places in to_read.items():
        for start in range(0, len(places), GROUP):
            group = places[start : start + GROUP]
            findings += _take_in_group(context, survey.listed, known[root], group, dry_run=dry_run)
            done += len(group)
            context.report.checked(files=count, done=done)
    return sorted(findings, key=lambda finding: finding.place.full)


def _output_folders(context: Context) -> list[Path]:
    """Return every output folder that the state or a profile has, the deepest first."""
    used = {root.path for root in context.store.roots.all()}
    configured = {rules.root_of(profile.parameters) for profile in context.profiles.values()}
    return sorted(used | configured, key=lambda path: (-len(path.parts), path))


def _places(survey: Survey, output_folders: Sequence[Path]) -> Iterator[Place]:
    """Yield each file of the survey with its root."""
    folder = _as_known(survey.folder, output_folders)
    roots_of: dict[Path, Path] = {}
    for found in survey.files:
        path = folder / found.path
        if path.parent not in roots_of:
            around = (root for root in output_folders if path.is_relative_to(root))
            roots_of[path.parent] = next(around, folder)
        root = roots_of[path.parent]
        yield Place(root=root, path=str(path.relative_to(root)), found=found)


def _as_known(folder: Path, output_folders: Sequence[Path]) -> Path:
    """Return a folder as it is called below an output folder, where links give it another name."""
    if any(folder.is_relative_to(root) for root in output_folders):
        return folder
    resolved = folder.resolve()
    for root in output_folders:
        if resolved.is_relative_to(root.resolve()):
            return root / resolved.relative_to(root.resolve())
    return folder


def _take_in_group(
    context: Context,
    listed: Mapping[str, Product],
    root: RootRecord | None,
    group: Sequence[Place],
    *,
    dry_run: bool,
) -> list[Finding]:
    standing: _Standing = {}
    if root is not None:
        standing = context.store.plans.standing(root.id, [place.path for place in group])
    findings = []
    for place in group:
        if context.stop.is_set():
            raise CancelledError(
                "stopped before every file was read",
                hint="What was adopted is kept; the same command goes on from there.",
            )
        product = listed[place.found.name]
        findings.append(judge(place, product, standing.get(place.path), hashed=not dry_run))
    if dry_run or root is None:
        return findings
    return _record(context, root, findings, standing)


def _record(
    context: Context, root: RootRecord, findings: Sequence[Finding], standing: _Standing
) -> list[Finding]:
    """Keep what is adopted; what a run did to a path meanwhile stands."""
    taken = [
        (finding, finding.product)
        for finding in findings
        if finding.verdict in (Verdict.ADOPTED, Verdict.STALE) and finding.product is not None
    ]
    products = list({product.uri: product for _, product in taken}.values())
    recorded = context.store.listings.record_products(None, products, now=context.now())
    # A new revision may just have made what was present stale.
    current = context.store.plans.standing(root.id, [finding.place.path for finding, _ in taken])
    rows = [
        _plan_row(
            finding,
            product_id=recorded[product.uri].id,
            known=current[path][0] if path in standing and path in current else None,
            target=_target(product, revision=recorded[product.uri].revision),
        )
        for finding, product in taken
        for path in [finding.place.path]
        if path not in standing or path not in current or _is_untouched(standing[path][0], current[path][0])
    ]
    kept = context.store.plans.adopt(root.id, rows, now=context.now())
    overtaken = {finding.place.path for finding, _ in taken} - kept
    return [
        replace(finding, verdict=Verdict.KNOWN, reason="a run has recorded it meanwhile")
        if finding.place.path in overtaken
        else finding
        for finding in findings
    ]


def _is_untouched(before: KnownFile, now: KnownFile) -> bool:
    """True where no run has put anything at the path since it was looked at."""
    states = (before.known.state, FileState.STALE)
    return now.known.size == before.known.size and now.known.state in states


def _target(product: Product, *, revision: int) -> planning.Target:
    levels = [row.calib_level for row in product.rows if row.calib_level is not None]
    return planning.Target(
        revision=revision,
        filetype=product.filetype,
        calib_level=max(levels, default=None),
        exclusive=product.exclusive,
        listed_size=product.size,
    )


def _plan_row(
    finding: Finding, *, product_id: int, known: KnownFile | None, target: planning.Target
) -> PlanRow:
    assert finding.fingerprint is not None
    current = finding.verdict is Verdict.ADOPTED
    return PlanRow(
        product_id=product_id,
        path=finding.place.path,
        known=known,
        state=FileState.PRESENT if current else FileState.STALE,
        reason=finding.reason,
        priority=planning.priority(target),
        adopted=Adopted(
            size=finding.fingerprint.size,
            sha256=finding.fingerprint.sha256,
            modified_ns=finding.fingerprint.modified_ns,
            revision=target.revision if current else None,
            note=finding.note,
            detail=finding.history,
        ),
    )
