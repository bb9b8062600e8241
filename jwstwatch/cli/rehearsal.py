"""`run-now --dry-run`: what would be fetched, and why; nothing is written anywhere."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jwstwatch.cli import output, progress, session
from jwstwatch.errors import ExitCode, JwstwatchError, first_exit_code

if TYPE_CHECKING:
    from jwstwatch.config import Profile, Settings
    from jwstwatch.core.rehearsal import Rehearsal


def show(arguments: argparse.Namespace, settings: Settings, profiles: Sequence[Profile]) -> ExitCode:
    """Rehearse the profiles one after the other and print what each would do.

    What one would fetch that another wants too is counted for both: a rehearsal leaves nothing behind.
    """
    rehearsals: list[Rehearsal] = []
    errors: list[tuple[Profile, JwstwatchError]] = []
    with session.open_state(arguments, settings, upgrade=False) as store, session.stoppable() as stopper:
        from jwstwatch.sync.context import Options
        from jwstwatch.sync.rehearsing import rehearse

        options = Options(full=arguments.full, force=arguments.force, yes=arguments.yes)
        with progress.reporter(quiet=arguments.json) as report:
            context = session.make_context(settings, store, stop=stopper.event, report=report)
            for profile in profiles:
                if stopper.event.is_set():
                    break
                report.step(f"{profile.name}: rehearsing")
                try:
                    rehearsals.append(rehearse(profile, context=context, options=options))
                except JwstwatchError as error:
                    errors.append((profile, error))
    if arguments.json:
        output.print_json({"dry_run": [*map(_document, rehearsals), *(_failed(*each) for each in errors)]})
    else:
        for rehearsal in rehearsals:
            print(_text(rehearsal))
        for profile, caught in errors:
            output.complain(f"{profile.name}: {caught.message}", hint=caught.hint)
    return stopper.exit_code or first_exit_code(caught.exit_code for _, caught in errors)


def _document(rehearsal: Rehearsal) -> dict[str, Any]:
    return {
        "profile": rehearsal.profile,
        "fetch": {"files": len(rehearsal.files), "bytes": rehearsal.size},
        "reasons": {
            reason.value: {"files": tally.files, "bytes": tally.size}
            for reason, tally in rehearsal.by_reason.items()
        },
        "copied": {"files": rehearsal.copied.files, "bytes": rehearsal.copied.size},
        "unchanged": rehearsal.unchanged,
        "adopted": rehearsal.adopted,
        "withheld": rehearsal.withheld,
        "failed": rehearsal.failed,
        "busy": rehearsal.busy,
        "skipped": rehearsal.skipped,
        "observations": rehearsal.observations,
        "held": rehearsal.held,
        "waits": {
            "files": rehearsal.waits.files,
            "bytes": rehearsal.waits.size,
            "reason": rehearsal.shortage,
        }
        if rehearsal.shortage
        else None,
        "notes": list(rehearsal.notes),
        "files": [
            {
                "path": str(file.path),
                "name": file.name,
                "uri": file.uri,
                "url": file.url,
                "size": file.size,
                "reason": file.reason.value,
                "detail": file.detail,
            }
            for file in rehearsal.files
        ],
        "error": None,
    }


def _failed(profile: Profile, error: JwstwatchError) -> dict[str, Any]:
    told = {"kind": error.kind, "message": error.message, "hint": error.hint}
    return {"profile": profile.name, "fetch": None, "files": [], "error": told}


def _text(rehearsal: Rehearsal) -> str:
    """Say in a line what a run would do, then every file that it would fetch."""
    count = len(rehearsal.files)
    reasons = [
        f"{tally.files} {reason.value} ({output.size(tally.size)})"
        for reason, tally in rehearsal.by_reason.items()
    ]
    would = f"{count} file{'' if count == 1 else 's'} to fetch, {output.size(rehearsal.size)}"
    if reasons:
        would += f": {', '.join(reasons)}"
    rest = [
        f"{number} {name}"
        for number, name in (
            (rehearsal.copied.files, "copied from another folder"),
            (rehearsal.unchanged, "unchanged"),
            (rehearsal.withheld, "withheld"),
            (rehearsal.failed, "failed and not due yet"),
            (rehearsal.busy, "fetched by another run"),
            (rehearsal.skipped, "left out by the rules"),
        )
        if number
    ]
    lines = [f"{rehearsal.profile}: {'; '.join([would, *rest])}; {rehearsal.observations} observations"]
    lines += [f"  {note}" for note in (rehearsal.held, rehearsal.shortage, *rehearsal.notes) if note]
    if rehearsal.adopted:
        lines.append(
            f"  of the unchanged, {rehearsal.adopted} lie there without a record: judged by size alone"
        )
    if rehearsal.files:
        rows = [
            [file.reason.value, output.size(file.size), str(file.path), file.url] for file in rehearsal.files
        ]
        lines += ["", output.table(["reason", "size", "path", "url"], rows, least=("url",)), ""]
    return "\n".join(lines)
