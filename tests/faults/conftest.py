"""An archive with faults, a bench that runs against it, and somebody who watches that a run ends."""

from __future__ import annotations

import faulthandler
import functools
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from jwstwatch.core.model import Trigger
from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.content import make_content
from jwstwatch.demo.scaled import scaled_catalogue
from jwstwatch.sync import fetching, story
from jwstwatch.sync.context import Options
from jwstwatch.transfer.job import TransferSettings
from tests.faults.fault import Sent
from tests.faults.ledger import Ledger
from tests.sync.bench import Bench, Listener
from tests.transfer.server import Depot, running

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TOKEN = "a-token-that-is-good"
TOO_LONG = 120.0
"""Seconds after which a run hangs; the longest takes a tenth of it."""
WHOLE = functools.partial(scaled_catalogue, now=NOW)
"""Makes an archive of so many observations."""


@pytest.fixture
def elsewhere() -> Iterator[Depot]:
    """Another origin."""
    with running() as depot:
        yield depot


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the short waits between two tries shorter; what the archive asks for is still waited for."""
    monkeypatch.setattr(fetching, "TransferSettings", functools.partial(TransferSettings, retry_delay=0.002))


def part_of(whole: Catalogue, observations: int) -> Catalogue:
    """Return an archive that has only the first observations of another yet."""
    first = whole.observations[:observations]
    names = {observation.obs_id for observation in first}
    products = [product for product in whole.products if product.holders[0] in names]
    return Catalogue(first, products, seed=whole.seed)


def complete(archive: Catalogue, whole: Catalogue) -> None:
    """Let the rest of `whole` arrive in the archive."""
    known = set(archive.uris)
    for observation in whole.observations[len(archive.observations) :]:
        own = [product for product in whole.products if product.holders[0] == observation.obs_id]
        archive.add(observation, [product for product in own if product.uri not in known])


def sent_of(
    bench: Bench, ledger: Ledger, name: str, *, elsewhere: Depot, folder: Path = Path("nowhere")
) -> Sent:
    """Return what a fault may make of a file; `folder` is where it belongs, for who tampers with it."""
    catalogue = bench.server.catalogue
    stored, product = catalogue.read(name), catalogue.product(name)
    other = replace(product, revision=product.revision + 100)
    return Sent(
        name=name,
        content=stored.content,
        etag=stored.etag,
        other=make_content(other, catalogue.observation(product.holders[0])),
        target=folder / name,
        elsewhere=elsewhere,
        revise=lambda: ledger.revise(name, now=bench.clock),
        restate_size=lambda size: catalogue.restate_size(product.uri, size),
    )


def watched(bench: Bench, folder: Path, *, timeout: float) -> story.RunResult:
    """Run the bench's profile; a run that hangs fails, with what each thread does."""
    bench.server.requests.clear()
    bench.heard = Listener()
    context = replace(bench.context(), mast=replace(bench.settings.mast, timeout=timeout))
    profile = bench.settings.profiles["watch"]
    ended: list[story.RunResult] = []

    def work() -> None:
        ended.append(story.run(profile, context=context, trigger=Trigger.SCHEDULE, options=Options()))

    thread = threading.Thread(target=work, name="the run", daemon=True)
    thread.start()
    thread.join(TOO_LONG)
    if thread.is_alive():
        with (folder / "stacks").open("w+") as stacks:
            faulthandler.dump_traceback(stacks, all_threads=True)
            stacks.seek(0)
            told = stacks.read()
        bench.stop.set()
        pytest.fail(f"a run hangs:\n{told}")
    assert ended, "the run broke off; pytest tells of the exception in its thread"
    return ended[0]
