"""`jwstwatch run-now`: one sync of some or all profiles now, by the daemon where there is one."""

from __future__ import annotations

import argparse
import contextlib
import os
import traceback
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from jwstwatch.cli import following, output, progress, session
from jwstwatch.cli.run_text import say
from jwstwatch.errors import ExitCode, JwstwatchError, UsageError, first_exit_code

if TYPE_CHECKING:
    from jwstwatch.config import Profile, Settings
    from jwstwatch.control.client import Conversation
    from jwstwatch.sync.context import Context

EXAMPLE = "jwstwatch run-now ers-1345"

Result = tuple[dict[str, Any], ExitCode]
"""The document of a run, and what it means for the exit code."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare which profiles, how thoroughly, and whether to wait."""
    parser.add_argument(
        "profiles", nargs="*", metavar="PROFILE", help="only these (default: all enabled ones)"
    )
    parser.add_argument("--full", action="store_true", help="ask for everything again, as at the first run")
    parser.add_argument(
        "--force", action="store_true", help="try failed files now, whenever their next attempt would be"
    )
    parser.add_argument(
        "--yes", action="store_true", help="carry out a plan that is larger than the profile's max_plan"
    )
    parser.add_argument(
        "--accept-gone",
        action="store_true",
        help="believe the archive where it lists so much no longer that it looks like a fault",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be fetched; nothing is written anywhere"
    )
    parser.add_argument(
        "--no-wait", action="store_true", help="have the daemon begin, and do not wait for the end"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Have the daemon run the profiles and follow it; where there is none, run them here, one by one."""
    settings = session.load_settings(arguments)
    profiles = chosen(settings, arguments.profiles)
    if arguments.dry_run:
        from jwstwatch.cli.rehearsal import show

        return show(arguments, settings, profiles)
    from jwstwatch.control.client import talk

    request = {
        "ask": "run-now",
        "profiles": [profile.name for profile in profiles],
        "full": arguments.full,
        "force": arguments.force,
        "yes": arguments.yes,
        "accept_gone": arguments.accept_gone,
        "follow": not arguments.no_wait,
    }
    with talk(settings.state_url, os.environ, request) as conversation:
        if conversation is not None:
            return _through_daemon(arguments, conversation)
    if arguments.no_wait:
        raise UsageError(
            "no daemon answers that could go on without this command",
            hint="Leave --no-wait out, or start one: `jwstwatch daemon`, `systemctl start jwstwatch`.",
        )
    return _here(arguments, settings, profiles)


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


# -- by the daemon


def _through_daemon(arguments: argparse.Namespace, conversation: Conversation) -> ExitCode:
    """Follow the runs that the daemon took on; Ctrl-C only stops following."""
    followed = following.Followed(accepted=conversation.first.get("accepted", []))
    if arguments.no_wait:
        _tell(arguments, [], followed.open, "the daemon runs it")
        return ExitCode.DONE
    interrupted = False
    try:
        with progress.reporter(quiet=arguments.json) as report:
            for entry in followed.accepted:
                words = "follows the run that goes on" if entry.get("joined") else "the daemon runs it"
                report.step(f"{entry['profile']}: {words}")
            following.follow(conversation, report, followed)
    except KeyboardInterrupt:
        interrupted = True
    results = [followed.ended[key] for key in sorted(followed.ended)]
    _tell(arguments, results, followed.open, "goes on without this command")
    for entry in followed.accepted:
        if entry["ticket"] in followed.dropped:
            output.complain(f"{entry['profile']}: it was taken out of the daemon's configuration")
    if followed.lost:
        return first_exit_code(code for _, code in results)
    if followed.open and not interrupted:
        output.complain(
            "the daemon ended before its runs were over", hint="They go on when it is started again."
        )
    codes = [code for _, code in results]
    if interrupted:
        return ExitCode.INTERRUPTED
    return first_exit_code([*codes, ExitCode.BUSY] if followed.open else codes)


def _tell(
    arguments: argparse.Namespace, results: Sequence[Result], still_open: Iterable[str], words: str
) -> None:
    if arguments.json:
        documents = [document for document, _ in results]
        output.print_json({"runs": [*documents, *(_begun(name) for name in still_open)]})
        return
    for document, _ in results:
        say(document)
    for name in still_open:
        print(f"{name}: {words}; `jwstwatch status` shows how far it is")


def _begun(profile: str) -> dict[str, Any]:
    """Return the document of a run of which nothing is known but that it was asked for."""
    document: dict[str, Any] = {"profile": profile, "run_id": None, "trigger": "manual", "outcome": None}
    document |= {"started_at": None, "finished_at": None}
    counted = ("observations", "products", "downloaded", "unchanged", "withheld", "failed", "waiting")
    return document | dict.fromkeys((*counted, "bytes", "pages"), 0) | {"error": None}


# -- here


def _here(arguments: argparse.Namespace, settings: Settings, profiles: Sequence[Profile]) -> ExitCode:
    """Run the profiles one after the other; one that fails does not keep the next from running."""
    with (
        session.open_state(arguments, settings, upgrade=True) as store,
        session.stoppable() as stopper,
        session.telling(settings, store, stop=stopper.event) as witness,
    ):
        with progress.reporter(quiet=arguments.json) as report:
            results = []
            for profile in profiles:
                if stopper.event.is_set():
                    break
                # Anew for each: a token may have been replaced meanwhile.
                context = session.make_context(
                    settings, store, stop=stopper.event, report=report, witness=witness
                )
                report.step(f"{profile.name}: running")
                with contextlib.closing(context.archive):
                    results.append(_run(profile, context, arguments))
        _tell(arguments, results, [], "")
        return stopper.exit_code or first_exit_code(code for _, code in results)


def _run(profile: Profile, context: Context, arguments: argparse.Namespace) -> Result:
    """Return the finished run, or why it could not begin."""
    from jwstwatch.core.model import Trigger
    from jwstwatch.sync import story
    from jwstwatch.sync.context import Options
    from jwstwatch.sync.documents import busy_document, run_document

    options = Options(
        full=arguments.full,
        force=arguments.force,
        yes=arguments.yes,
        accept_gone=arguments.accept_gone,
    )
    try:
        result = story.run(profile, context=context, trigger=Trigger.MANUAL, options=options)
    except JwstwatchError as error:
        return busy_document(profile.name, error), error.exit_code
    except Exception as error:  # noqa: BLE001 - a bug in one profile's run must not stop the others
        if arguments.verbose:
            traceback.print_exc()
        bug = JwstwatchError(
            f"this should not happen: {type(error).__name__}: {error}",
            hint="Run it again with -v and report what it prints.",
        )
        return busy_document(profile.name, bug), bug.exit_code
    return run_document(result.record), result.exit_code
