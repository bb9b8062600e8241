"""Ask the archive and plan what its answers mean, a batch at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from jwstwatch.archive.batching import Pace, product_batches
from jwstwatch.config.settings import Profile
from jwstwatch.core import asking, layout, lists, planning, products, selection, superseding
from jwstwatch.core.asking import Asking, ProfileMemory
from jwstwatch.core.model import FileState, ListingRow, Observation
from jwstwatch.core.parameters import Parameters
from jwstwatch.core.products import Product
from jwstwatch.core.query import ObservationQuery
from jwstwatch.core.status import Answer
from jwstwatch.disk import looking
from jwstwatch.errors import ArchiveError, CancelledError, UnsafePathError
from jwstwatch.store.listings import RecordedProduct
from jwstwatch.store.plans import KnownFile, PlanRow
from jwstwatch.store.roots import RootRecord
from jwstwatch.store.runs import RunRecord
from jwstwatch.sync import adopting, rules
from jwstwatch.sync.context import Context, Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What every part of one run is about."""

    run: RunRecord
    profile: Profile
    root: RootRecord
    options: Options
    adopt: adopting.Adopt = adopting.adopt
    """How what lies at a wanted path without a record is judged."""


@dataclass(slots=True)
class Heard:
    """What the archive answered so far in one run."""

    answer: Answer | None = None
    """None until the whole observation query was answered."""
    planned: int = 0
    """Observations without data that were found."""
    question: str = ""
    """What was asked, in short."""
    new_query: bool = False
    """It is the first one, or another one than at the last run."""
    numbers_at: datetime | None = None
    """When the query was last asked that would tell of another number of any observation it covers."""
    covering: Sequence[ObservationQuery] = ()
    """That query; what an earlier one of the profile found it may not cover."""
    skipped: set[int] | None = None
    """Listed products that the rules leave out, where somebody wants to know."""


def list_and_plan(context: Context, subject: Subject, heard: Heard) -> None:
    """Ask for observations, then for the product lists that are wanted; cursors move once all were whole."""
    memory = context.store.runs.memory(subject.profile.name)
    digest = rules.query_digest(subject.profile)
    asked = asking.ask(
        rules.time_rules(subject.profile),
        memory,
        digest=digest,
        now=subject.run.started_at,
        full=subject.options.full,
    )
    heard.new_query = memory is None or memory.query_digest != digest
    _list_observations(context, subject, asked, heard)
    heard.covering = rules.queries(subject.profile.parameters, replace(asked, minimum=asked.floor))
    if asked.minimum is None or (asked.floor is not None and asked.minimum <= asked.floor):
        heard.numbers_at = subject.run.started_at
    elif memory is not None:
        heard.numbers_at = memory.rechecked_at
    pace = Pace(memory.batch) if memory is not None and memory.batch else Pace()
    try:
        _list_products(context, subject, _due(context, subject, memory, heard), heard, pace)
    except ArchiveError:
        # Else each run would begin with questions that time out, and none of them come to an end.
        context.store.runs.keep_batch(subject.profile.name, pace.size)
        raise
    if subject.profile.parameters.clobber:
        context.store.plans.fetch_again(subject.profile.name, now=context.now())
    context.store.runs.remember(
        subject.profile.name,
        asking.remembered(asked, memory, digest=digest, started=subject.run.started_at, batch=pace.size),
        now=context.now(),
    )


def _list_observations(context: Context, subject: Subject, asked: Asking, heard: Heard) -> None:
    context.report.step("asking for observations")
    executed = 0
    queries = rules.queries(subject.profile.parameters, asked)
    heard.question = "; ".join(map(str, queries))
    for query in queries:
        found = context.archive.observations(query)
        context.store.listings.record_observations(
            subject.profile.name, found, now=context.now(), everything=asked.everything
        )
        planned = sum(observation.planned for observation in found)
        heard.planned += planned
        executed += len(found) - planned
    heard.answer = Answer(found=executed, from_floor=asked.from_floor)


def _due(context: Context, subject: Subject, memory: ProfileMemory | None, heard: Heard) -> list[int]:
    """Return the observations whose product lists are wanted now."""
    listings, name, now = context.store.listings, subject.profile.name, context.now()
    time_rules = rules.time_rules(subject.profile)
    quota = asking.recheck_quota(
        listings.count_observations(name, executed=True),
        recheck=time_rules.recheck,
        completed_at=memory.completed_at if memory else None,
        now=subject.run.started_at,
    )
    due = listings.due_observations(
        name, now=now, settle=time_rules.settle, recheck=time_rules.recheck, quota=quota
    )
    return list(dict.fromkeys([*due, *_to_confirm(context, subject, heard)]))


def _to_confirm(context: Context, subject: Subject, heard: Heard) -> list[int]:
    """Return the observations of which another list would tell whether files are gone."""
    store, name, now = context.store, subject.profile.name, context.now()
    configured = {*context.profiles, name}
    listed = store.withdrawals.due(name, configured, now=now, heard_at=None)
    if heard.numbers_at is None:
        return listed
    empty = {*store.withdrawals.due(name, configured, now=now, heard_at=heard.numbers_at)} - {*listed}
    unheard = _unheard(empty, store.listings.observations(empty), heard.covering)
    return [*listed, *sorted(empty - unheard)]


def _unheard(
    numbers: Collection[int], known: Mapping[int, Observation], covering: Sequence[ObservationQuery]
) -> set[int]:
    """Return those of the observations of whose other number the query would not tell."""
    return {
        number
        for number in numbers
        if number not in known or not any(query.covers(known[number]) for query in covering)
    }


def _list_products(context: Context, subject: Subject, due: Sequence[int], heard: Heard, pace: Pace) -> None:
    if due:
        context.report.step("asking for products")
    done = count = 0
    limit = rules.batch_limit(subject.profile)
    for obsids, rows in product_batches(context.archive, due, limit=limit, stop=context.stop, pace=pace):
        dropped = plan_batch(
            context,
            subject,
            obsids,
            rows,
            heard_at=heard.numbers_at,
            covering=heard.covering,
            everything=heard.skipped is not None,
        )
        if heard.skipped is not None:
            heard.skipped.update(dropped)
        done += len(obsids)
        count += len(rows)
        context.report.listed(observations=len(due), done=done, products=count)


def plan_batch(
    context: Context,
    subject: Subject,
    obsids: Sequence[int],
    rows: Sequence[ListingRow],
    *,
    heard_at: datetime | None = None,
    covering: Sequence[ObservationQuery] = (),
    everything: bool = False,
) -> list[int]:
    """Record the whole product lists of some observations, and plan what they ask for.

    A list that says what it said, to the same rules, of files that are all there is left as it is, but with
    `everything`. Returns the products that the rules leave out of the others. `heard_at` is when the query
    was last asked that would tell of another number of an observation that it is `covering`.
    """
    store, profile = context.store, subject.profile
    concerned = {*obsids, *(row.obsid for row in rows), *(row.parent_obsid for row in rows)}
    known = store.listings.observations(concerned)
    digests = lists.list_digests(obsids, rows, known, rules=rules.judging_digest(profile, subject.root.id))
    settled = frozenset() if everything else store.listings.settled(profile.name, digests)
    store.listings.mark_checked(profile.name, settled, now=context.now())
    obsids = [obsid for obsid in obsids if obsid not in settled]
    if not obsids and all(row.parent_obsid in settled for row in rows):
        return []
    listed = _not_settled(products.group(rows, known), settled)
    recorded = store.listings.record_products(
        subject.run.id,
        listed,
        now=context.now(),
        parents=obsids,
        heard_at=heard_at,
        unheard=_unheard(obsids, known, covering),
    )
    listed = [replace(product, obsnum=recorded[product.uri].obsnum) for product in listed]
    chosen = selection.select(listed, rules.selection_rules(profile.parameters))
    kept = selection.resolve_same_path(chosen.kept)
    plan, contested = _plan(context, subject, kept.kept, recorded)
    dropped = [recorded[product.uri].id for product, _ in (*chosen.skipped, *kept.skipped)]
    skipped = _no_longer_wanted(context, subject, dropped)
    store.plans.record(
        profile.name, subject.root.id, plan, skipped=skipped, run_id=subject.run.id, now=context.now()
    )
    _supersede(context, subject, plan)
    unsure = {row.parent_obsid for product in contested for row in product.rows}
    judged = {obsid: digests[obsid] for obsid in obsids if obsid in digests and obsid not in unsure}
    store.listings.mark_checked(profile.name, obsids, now=context.now(), digests=judged)
    return dropped


def _not_settled(listed: Sequence[Product], settled: Collection[int]) -> list[Product]:
    """Return the products of lists that are not settled, each with its rows of all lists, and their rivals.

    Part of what is stated of a product would be read as all of it, where lists disagree.
    """
    names = {entry.name for entry in listed if any(row.parent_obsid not in settled for row in entry.rows)}
    return [entry for entry in listed if entry.name in names]


def _supersede(context: Context, subject: Subject, plan: Sequence[PlanRow]) -> None:
    """Flag what an association or pool that is new here, or listed again, takes the place of.

    One that has not come yet may be new to a run that was killed before it could do this.
    """
    arrived = [
        row.product_id
        for row in plan
        if (row.known is None or row.known.known.state in (FileState.GONE, FileState.WANTED))
        and superseding.logical_name(row.path.rpartition("/")[2]) is not None
    ]
    if arrived:
        context.store.withdrawals.supersede(arrived, run_id=subject.run.id, now=context.now())


def _plan(
    context: Context, subject: Subject, kept: Sequence[Product], recorded: dict[str, RecordedProduct]
) -> tuple[list[PlanRow], list[Product]]:
    """Decide for each kept product what its path needs; the other products have no path of their own."""
    layout_rules = rules.layout_rules(subject.profile.parameters)
    ranking = planning.Ranking(subject.profile.parameters.priority)
    candidates: dict[str, str] = {}
    contested: list[Product] = []
    for product in kept:
        try:
            candidates[product.uri] = layout.relative_path(product, layout_rules)
        except UnsafePathError as error:
            contested.append(product)
            context.report.warned(f"{product.uri} is skipped: {error.message}")
    by_product, by_path = context.store.plans.known(
        subject.profile.name,
        subject.root.id,
        product_ids=[entry.id for entry in recorded.values()],
        paths=list(candidates.values()),
    )
    spare = _spare_copies(context, subject, {recorded[uri].id for uri in candidates} - by_product.keys())
    settled = [
        (product, recorded[product.uri], known, known.path if known else candidates[product.uri])
        for product in kept
        if product.uri in candidates
        for known in [_known_file(recorded[product.uri], candidates[product.uri], by_product, by_path, spare)]
    ]
    on_disk = looking.look(subject.root.path, [path for _, _, _, path in settled])
    plan = []
    taken: dict[str, str] = {}
    for product, entry, known, path in settled:
        rival = taken.setdefault(path, product.uri)
        if rival != product.uri or (known is not None and known.product_id != entry.id):
            context.report.warned(f"{product.uri} is skipped: another product has its path {path}")
            contested.append(product)
            continue
        target = planning.Target(
            revision=entry.revision,
            filetype=product.filetype,
            calib_level=max(
                (row.calib_level for row in product.rows if row.calib_level is not None), default=None
            ),
            exclusive=product.exclusive,
            listed_size=None if subject.profile.parameters.skip_check_filesize else product.size,
        )
        found = _believed(known, on_disk.get(path), subject.profile.parameters)
        decision = planning.plan(
            target,
            known.known if known else None,
            found,
            has_token=context.token is not None,
            ranking=ranking,
        )
        if context.token_rejected and decision.reason == planning.NO_TOKEN:
            decision = replace(decision, reason=planning.TOKEN_REJECTED)
        row = PlanRow(
            product_id=entry.id,
            path=path,
            known=known,
            state=decision.state,
            reason=decision.reason,
            priority=decision.priority,
        )
        if decision.action is planning.Action.ADOPT:
            _check_stop(context)
            row = subject.adopt(
                row,
                subject.root.path / path,
                product,
                revision=entry.revision,
                sizes=not subject.profile.parameters.skip_check_filesize,
            )
        plan.append(row)
    return plan, contested


def _spare_copies(context: Context, subject: Subject, product_ids: Collection[int]) -> dict[int, KnownFile]:
    """Return copies in the root that nobody wants yet, such as adopted ones, as far as they are on disk."""
    found = context.store.plans.unwanted_copies(subject.root.id, product_ids)
    on_disk = looking.look(subject.root.path, [copy.path for copy in found.values()])
    files = {path for path, entry in on_disk.items() if entry.kind is planning.DiskKind.FILE}
    return {product_id: copy for product_id, copy in found.items() if copy.path in files}


def _believed(
    known: KnownFile | None, found: planning.OnDisk | None, parameters: Parameters
) -> planning.OnDisk | None:
    """Return what counts as found: the state is believed where the user said not to look, or to compare."""
    if known is None or known.known.size is None:
        return found
    there = found is not None and found.kind is planning.DiskKind.FILE
    if parameters.skip_check_if_outfile_exists or (parameters.skip_check_filesize and there):
        return planning.OnDisk(planning.DiskKind.FILE, known.known.size)
    return found


def _known_file(
    entry: RecordedProduct,
    candidate: str,
    by_product: dict[int, KnownFile],
    by_path: dict[str, KnownFile],
    spare: dict[int, KnownFile],
) -> KnownFile | None:
    """A path is decided once: what this profile has stays where it is, and so does what nobody wanted yet."""
    here = by_path.get(candidate)
    if entry.id in by_product:
        return by_product[entry.id]
    return here if here is not None and here.product_id == entry.id else spare.get(entry.id, here)


def _check_stop(context: Context) -> None:
    if context.stop.is_set():
        raise CancelledError("stopped while files were taken in", hint="The next run goes on from here.")


def _no_longer_wanted(context: Context, subject: Subject, product_ids: Sequence[int]) -> list[int]:
    """Return the products that no row of any parent lets pass: this batch may hold only some of them."""
    again = context.store.listings.wanted_products(subject.profile.name, product_ids)
    selection_rules = rules.selection_rules(subject.profile.parameters)
    return [key for key, product in again.items() if not selection.judge(product, selection_rules).kept]
