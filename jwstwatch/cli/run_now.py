"""`jwstwatch run-now`: one sync of some or all profiles, here and now."""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jwstwatch.cli import output, progress, session
from jwstwatch.errors import ExitCode, JwstwatchError, UsageError, first_exit_code

if TYPE_CHECKING:
    from jwstwatch.config import Profile, Settings
    from jwstwatch.store.runs import RunRecord
    from jwstwatch.sync.context import Context

EXAMPLE = "jwstwatch run-now ers-1345"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare which profiles, and how thoroughly."""
    parser.add_argument(
        "profiles", nargs="*", metavar="PROFILE", help="only these (default: all enabled ones)"
    )
    parser.add_argument("--full", action="store_true", help="ask for everything again, as at the first run")
    parser.add_argument(
        "--force", action="store_true", help="try failed files now, whenever their next attempt would be"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Run the profiles one after the other; one that fails does not keep the next from running."""
    settings = session.load_settings(arguments)
    profiles = chosen(settings, arguments.profiles)
    with session.open_state(arguments, settings, upgrade=True) as store, session.stoppable() as stopper:
        with progress.reporter(quiet=arguments.json) as report:
            context = session.make_context(settings, store, stop=stopper.event, report=report)
            results = []
            for profile in profiles:
                if stopper.event.is_set():
                    break
                report.step(f"{profile.name}: running")
                results.append((profile.name, *_run(profile, context, arguments)))
        if arguments.json:
            output.print_json({"runs": [_document(name, came) for name, came, _ in results]})
        else:
            for name, came, _ in results:
                _say(name, came)
        return stopper.exit_code or first_exit_code(code for _, _, code in results)


def chosen(settings: Settings, names: Sequence[str]) -> list[Profile]:
    """Return the profiles that were named, else every enabled one, or say that there is none."""
    if names:
        return [settings.profile(name) for name in dict.fromkeys(names)]
    enabled = [profile for profile in settings.profiles.values() if profile.parameters.enabled]
    if not enabled:
        where = f"in {settings.path}" if settings.path else "(no configuration file was found)"
        raise UsageError(
            f"there is no enabled profile {where}",
            hint="Write one: see docs/configuration.md, or try `jwstwatch demo`.",
        )
    return enabled


def _run(
    profile: Profile, context: Context, arguments: argparse.Namespace
) -> tuple[RunRecord | JwstwatchError, ExitCode]:
    """Return the finished run, or why it could not begin."""
    from jwstwatch.core.model import Trigger
    from jwstwatch.sync import story
    from jwstwatch.sync.context import Options

    options = Options(full=arguments.full, force=arguments.force)
    try:
        result = story.run(profile, context=context, trigger=Trigger.MANUAL, options=options)
    except JwstwatchError as error:
        return error, error.exit_code
    except Exception as error:  # noqa: BLE001 - a bug in one profile's run must not stop the others
        if arguments.verbose:
            traceback.print_exc()
        bug = JwstwatchError(
            f"this should not happen: {type(error).__name__}: {error}",
            hint="Run it again with -v and report what it prints.",
        )
        return bug, bug.exit_code
    return result.record, result.exit_code


def _document(profile: str, came: RunRecord | JwstwatchError) -> dict[str, object]:
    from jwstwatch.sync.documents import busy_document, run_document

    return busy_document(profile, came) if isinstance(came, JwstwatchError) else run_document(came)


def _say(profile: str, came: RunRecord | JwstwatchError) -> None:
    if isinstance(came, JwstwatchError):
        _complain(profile, came.message, came.hint)
    else:
        say(came)


def _complain(profile: str, message: str, hint: str) -> None:
    output.complain(message if message.startswith(profile) else f"{profile}: {message}", hint=hint)


def say(record: RunRecord) -> None:
    """Print what a run did, and on standard error what went wrong in it."""
    print(describe(record), flush=True)
    if record.error_message:
        _complain(_label(record), record.error_message, record.error_hint or "")
    elif record.counts.failed:
        count = record.counts.failed
        _complain(
            _label(record),
            f"{count} file{'' if count == 1 else 's'} failed",
            "`jwstwatch why NAME` tells why one failed and when it is tried again.",
        )


def _label(record: RunRecord) -> str:
    return "download" if record.trigger.value == "one-off" else record.profile


def describe(record: RunRecord) -> str:
    """Say in a line what a run did."""
    counts = record.counts
    outcome = record.outcome.value if record.outcome else "running"
    if not counts.downloaded and counts.unchanged and not record.error_kind:
        did = f"nothing new; {counts.unchanged} files unchanged"
    else:
        did = f"{counts.downloaded} downloaded ({output.size(counts.bytes)}), {counts.unchanged} unchanged"
    rest = [
        f"{count} {name}"
        for name, count in (
            ("withheld", counts.withheld),
            ("failed", counts.failed),
            ("waiting", counts.waiting),
        )
        if count
    ]
    pages = f"{counts.pages} page files written" if counts.pages else "pages unchanged"
    return (
        f"{_label(record)}: {outcome}: {', '.join([did, *rest])}; {counts.observations} observations; {pages}"
    )
