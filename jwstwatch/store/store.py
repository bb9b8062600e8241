"""The one object through which everything else asks and tells the state."""

from __future__ import annotations

from types import TracebackType

from jwstwatch.store.completions import Completions
from jwstwatch.store.drops import Drops
from jwstwatch.store.engine import Database, open_database
from jwstwatch.store.folders import Folders
from jwstwatch.store.gaps import Gaps
from jwstwatch.store.headers import Headers
from jwstwatch.store.histories import Histories
from jwstwatch.store.inquiries import Inquiries
from jwstwatch.store.inventory import Inventory
from jwstwatch.store.listings import Listings
from jwstwatch.store.newsfeed import Newsfeed
from jwstwatch.store.notices import Notices
from jwstwatch.store.parts import Parts
from jwstwatch.store.plans import Plans
from jwstwatch.store.profiles import Profiles
from jwstwatch.store.pruning import Pruning
from jwstwatch.store.reactions import Reactions
from jwstwatch.store.relocations import Relocations
from jwstwatch.store.reports import Reports
from jwstwatch.store.reservations import Reservations
from jwstwatch.store.retries import Retries
from jwstwatch.store.revisions import Revisions
from jwstwatch.store.roots import Roots
from jwstwatch.store.runs import Runs
from jwstwatch.store.sampling import Sampling
from jwstwatch.store.sites import Sites
from jwstwatch.store.tokens import Tokens
from jwstwatch.store.transfers import Transfers
from jwstwatch.store.verifications import Verifications
from jwstwatch.store.withdrawals import Withdrawals


class Store:
    """The state, by subject: `runs`, `profiles`, `listings`, `plans`, `transfers`, `reservations`,
    `drops`, `pruning`, `roots`, `sites`, `reports`, `notices`, `tokens`.

    Every method is one short transaction; times are aware UTC and come from the caller.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.runs = Runs(database)
        self.profiles = Profiles(database)
        self.listings = Listings(database)
        self.plans = Plans(database)
        self.transfers = Transfers(database)
        self.reservations = Reservations(database)
        self.reactions = Reactions(database)
        self.drops = Drops(database)
        self.pruning = Pruning(database)
        self.roots = Roots(database)
        self.folders = Folders(database)
        self.sites = Sites(database)
        self.parts = Parts(database)
        self.headers = Headers(database)
        self.gaps = Gaps(database)
        self.reports = Reports(database)
        self.notices = Notices(database)
        self.tokens = Tokens(database)
        self.completions = Completions(database)
        self.withdrawals = Withdrawals(database)
        self.relocations = Relocations(database)
        self.retries = Retries(database)
        self.histories = Histories(database)
        self.revisions = Revisions(database)
        self.verifications = Verifications(database)
        self.inventory = Inventory(database)
        self.inquiries = Inquiries(database)
        self.sampling = Sampling(database)
        self.arrivals = Newsfeed(database)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.database.close()


def open_store(
    url: str, *, upgrade: bool, allow_network_state: bool = False, busy_timeout: float | None = None
) -> Store:
    """Open the state at `url`; with `upgrade` an older schema is brought up to date (after a copy).

    Raises `StateError` for a state that is newer than this program, or older where `upgrade` is off.
    """
    from jwstwatch.store import engine, locks, migrate

    timeout = engine.BUSY_TIMEOUT if busy_timeout is None else busy_timeout
    database = open_database(url, allow_network_state=allow_network_state, busy_timeout=timeout)
    try:
        database.kept.enter_context(locks.in_use(database))
        if upgrade:
            migrate.upgrade(database)
        else:
            migrate.require_current(database)
    except BaseException:
        database.close()
        raise
    return Store(database)


def open_to_look(url: str, *, allow_network_state: bool = False) -> Store:
    """Open the state at `url` for somebody who only looks: to them a state never used is an empty one."""
    from jwstwatch.store import migrate
    from jwstwatch.store.engine import parse_url, sqlite_path
    from jwstwatch.store.sqlite_files import is_there

    path = sqlite_path(parse_url(url))
    if path is not None and not is_there(path):
        return _empty()
    database = open_database(url, allow_network_state=allow_network_state, look=True)
    try:
        if path is None and _was_never_used(database):
            database.close()
            return _empty()
        migrate.require_current(database)
    except BaseException:
        database.close()
        raise
    return Store(database)


def _was_never_used(database: Database) -> bool:
    """Return whether a PostgreSQL database holds nothing of ours yet."""
    from sqlalchemy import text

    query = "SELECT to_regclass('alembic_version') IS NULL AND to_regclass('run') IS NULL"
    with database.read() as connection:
        return bool(connection.execute(text(query)).scalar_one())


def _empty() -> Store:
    from jwstwatch.store import tables, triggers

    database = open_database("sqlite://")
    tables.metadata.create_all(database.engine)
    with database.write() as connection:
        triggers.create(connection)
    return Store(database)
