"""What the tests put into a state: observations, listing rows, plans and transfers, in few words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from jwstwatch.core import planning, products
from jwstwatch.core.dates import to_mjd
from jwstwatch.core.model import FileState, ListingRow, Observation, Trigger
from jwstwatch.core.retrying import FailureKind
from jwstwatch.store import tables
from jwstwatch.store.listings import RecordedProduct
from jwstwatch.store.plans import Adopted, PlanRow
from jwstwatch.store.reports import FileQuery, FileReport, ProductReport
from jwstwatch.store.roots import RootRecord
from jwstwatch.store.runs import RunRecord
from jwstwatch.store.store import Store
from jwstwatch.store.transfers import Claim, FailedAttempt, Intent

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LEASE = timedelta(minutes=5)

PROFILE = "nircam"
OTHER = "everything"

RATE = "jw01345001001_02101_00001_nrca1_rate.fits"
JPG = "jw01345001001_02101_00001_nrca1_rate.jpg"


def observation(number: int = 1, **changes: Any) -> Observation:
    """Return an observation, a year old, with the CAOM number 1000 + `number`."""
    facts: dict[str, Any] = {
        "obs_id": f"jw01345-o{number:03d}_t001_nircam_clear-f200w",
        "obsid": 1000 + number,
        "proposal": 1345,
        "instrument_name": "NIRCAM/IMAGE",
        "target_name": "EGS",
        "calib_level": 3,
        "t_min": to_mjd(NOW - 365 * DAY),
        "t_max": to_mjd(NOW - 365 * DAY) + 0.02,
        "t_obs_release": to_mjd(NOW - 300 * DAY),
        "data_rights": "PUBLIC",
        "proposal_pi": "Finkelstein, Steven L.",
        "obs_title": "The Cosmic Evolution Early Release Science Survey",
    }
    return Observation(**(facts | changes))


def row(name: str = RATE, *, parent: int = 1001, **changes: Any) -> ListingRow:
    """Return a row that lists `name` under one parent observation, by the file's own observation."""
    facts: dict[str, Any] = {
        "uri": f"mast:JWST/product/{name}",
        "name": name,
        "obs_id": name.rpartition("_")[0],
        "obsid": 5000,
        "parent_obsid": parent,
        "size": 1000,
        "proposal": 1345,
        "prvversion": "1.17.1",
        "calib_level": 2,
        "data_rights": "PUBLIC",
    }
    return ListingRow(**(facts | changes))


def file_names(count: int, *, suffix: str = "rate.fits") -> list[str]:
    """Return so many file names of one visit."""
    return [f"jw01345001001_02101_{number:05d}_nrca1_{suffix}" for number in range(1, count + 1)]


def digest(content: str) -> str:
    """Return a SHA-256 to stand for a content."""
    return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class Desk:
    """Does with a store what a run does with it, with one profile, one root and one run."""

    store: Store
    root: RootRecord
    run: RunRecord
    profile: str = PROFILE
    now: datetime = NOW

    @classmethod
    def set_up(cls, store: Store, root: Path) -> Desk:
        """Make a root known and begin a run."""
        return cls(
            store=store,
            root=store.roots.add(root, identity="00000000-0000-4000-8000-000000000001", now=NOW),
            run=store.runs.begin(PROFILE, Trigger.SCHEDULE, now=NOW),
        )

    def later(self, delay: timedelta) -> Desk:
        """The same desk at a later time."""
        return replace(self, now=self.now + delay)

    def of(self, profile: str) -> Desk:
        """A desk of another profile, with a run of its own."""
        run = self.store.runs.begin(profile, Trigger.SCHEDULE, now=self.now)
        return replace(self, profile=profile, run=run)

    def next_run(self) -> Desk:
        """End this run and begin another."""
        counts = self.store.reports.of_run(self.run.id, self.profile)
        from jwstwatch.core.model import Outcome

        self.store.runs.finish(self.run, Outcome.COMPLETE, counts=counts, error=None, now=self.now)
        return replace(self, run=self.store.runs.begin(self.profile, Trigger.SCHEDULE, now=self.now))

    def observe(self, *observations: Observation, everything: bool = False) -> None:
        """Record what an observation query returned."""
        self.store.listings.record_observations(
            self.profile, observations, now=self.now, everything=everything
        )

    def list(self, *rows: ListingRow) -> dict[str, RecordedProduct]:
        """Record one batch of product lists; returns products by file name."""
        listed = products.group(rows, {})
        recorded = self.store.listings.record_products(self.run.id, listed, now=self.now)
        return {product.name: recorded[product.uri] for product in listed}

    def want(
        self,
        *names: str,
        state: FileState = FileState.WANTED,
        reason: str | None = "new",
        priority: int = 300,
        folder: str = "01345",
    ) -> dict[str, int]:
        """List products and plan a file for each in `folder`; returns file numbers by name."""
        recorded = self.list(*(row(name) for name in names))
        self.plan(
            *(
                PlanRow(
                    product_id=recorded[name].id,
                    path=f"{folder}/{name}",
                    known=None,
                    state=state,
                    reason=reason,
                    priority=priority,
                )
                for name in names
            )
        )
        return {name: self.file_id(f"{folder}/{name}") for name in names}

    def plan(self, *rows: PlanRow, skipped: Sequence[int] = ()) -> None:
        """Record planned rows as they are."""
        self.store.plans.record(
            self.profile, self.root.id, rows, skipped=skipped, run_id=self.run.id, now=self.now
        )

    def replan(
        self,
        name: str = RATE,
        *,
        on_disk: planning.OnDisk | None = None,
        has_token: bool = False,
        adopted: Adopted | None = None,
        folder: str = "01345",
    ) -> planning.Decision:
        """Decide on one known product anew, as a run does, and record the decision."""
        path = f"{folder}/{name}"
        product = self.product(name)
        product_id = self.product_id(name)
        by_product, by_path = self.store.plans.known(
            self.profile, self.root.id, product_ids=[product_id], paths=[path]
        )
        known = by_product.get(product_id) or by_path.get(path)
        exclusive = any(entry.data_rights == "EXCLUSIVE_ACCESS" for entry in product.rows)
        target = planning.Target(
            revision=product.revision,
            filetype="_rate.fits",
            calib_level=2,
            exclusive=exclusive,
            listed_size=product.size,
        )
        decision = planning.plan(target, known.known if known else None, on_disk, has_token=has_token)
        state = FileState.PRESENT if adopted is not None else decision.state
        self.plan(
            PlanRow(
                product_id=product_id,
                path=known.path if known else path,
                known=known,
                state=state,
                reason=None if adopted is not None else decision.reason,
                priority=decision.priority,
                adopted=adopted,
            )
        )
        return decision

    def claim(self, limit: int = 100, *, force: bool = False) -> list[Claim]:
        """Claim what is due."""
        return self.store.transfers.claim(
            self.run.id,
            self.profile,
            limit=limit,
            now=self.now,
            lease_until=self.now + LEASE,
            force=force,
        )

    def intend(self, claim: Claim, *, size: int = 1000, content: str = "content", **changes: Any) -> Intent:
        """Open an intent for a claimed file."""
        facts: dict[str, Any] = {
            "file_id": claim.file_id,
            "product_id": claim.product_id,
            "root": claim.root,
            "path": claim.path,
            "part": f".{claim.name}.{claim.revision}.part",
            "revision": claim.revision,
            "size": size,
            "sha256": digest(content),
        }
        intent = Intent(**(facts | changes))
        self.store.transfers.open_intents(self.run.id, [intent], now=self.now)
        return intent

    def place(self, *claims: Claim, **changes: Any) -> None:
        """Let claimed files arrive."""
        intents = [self.intend(claim, **changes) for claim in claims]
        self.store.transfers.record_placed(
            self.run.id, [(intent, 1_700_000_000_000_000_001) for intent in intents], now=self.now
        )

    def fetch(self, *names: str) -> dict[str, int]:
        """List, plan, claim and place files; returns file numbers by name."""
        ids = self.want(*names)
        claims = [claim for claim in self.claim(len(names) + 100) if claim.name in names]
        assert len(claims) == len(names)
        self.place(*claims)
        return ids

    def fail(
        self,
        *claims: Claim,
        kind: FailureKind = FailureKind.ARCHIVE,
        state: FileState = FileState.FAILED,
        message: str = "the archive cannot send it at the moment (HTTP 503)",
        reason: str | None = None,
        again: datetime | None = None,
    ) -> None:
        """Let claimed files fail; tried again after an hour, or at `again`."""
        when = self.now + HOUR if again is None else again
        attempts = [
            FailedAttempt(
                file_id=claim.file_id,
                product_id=claim.product_id,
                state=state,
                kind=kind,
                reason=message if reason is None else reason,
                message=message,
                next_attempt_at=None if kind is FailureKind.LOCAL else when,
            )
            for claim in claims
        ]
        self.store.transfers.record_failed(self.run.id, attempts, now=self.now)

    def product(self, name: str = RATE) -> ProductReport:
        """Return everything the state knows of a name."""
        (report,) = self.store.reports.product(name)
        return report

    def file(self, name: str = RATE) -> FileReport:
        """Return the only copy of a name."""
        (copy,) = self.product(name).files
        return copy

    def states(self) -> dict[str, FileState]:
        """Return the state of every file, by its name."""
        return {entry.name: entry.state for entry in self.store.reports.files(FileQuery())}

    def kinds(self, name: str = RATE) -> list[str]:
        """Return what happened to a product, in order."""
        return [event.kind for event in self.product(name).events]

    def product_id(self, name: str) -> int:
        """Return the number of a product in the state."""
        return int(self.scalar(select(tables.product.c.id).where(tables.product.c.name == name)))

    def file_id(self, path: str) -> int:
        """Return the number of the file at a path of the root."""
        file = tables.file
        return int(self.scalar(select(file.c.id).where(file.c.root_id == self.root.id, file.c.path == path)))

    def scalar(self, query: Any) -> Any:
        """Return the only value of a query."""
        with self.store.database.read() as connection:
            return connection.execute(query).scalar_one()

    def rows(self, table: Any) -> Sequence[Any]:
        """Return every row of a table."""
        with self.store.database.read() as connection:
            return connection.execute(select(table).order_by(*table.primary_key)).all()

    def row_of(self, file_id: int) -> Any:
        """Return a row of the file table."""
        return next(entry for entry in self.rows(tables.file) if entry.id == file_id)

    def set_file(self, file_ids: Iterable[int], **values: Any) -> None:
        """Set what no method sets yet, such as `declined`."""
        with self.store.database.write() as connection:
            connection.execute(update(tables.file).where(tables.file.c.id.in_(list(file_ids))).values(values))
