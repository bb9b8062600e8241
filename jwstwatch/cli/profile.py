"""`jwstwatch profile`: which profiles there are, and another name for one."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jwstwatch.cli import output, session
from jwstwatch.cli.choices import counted
from jwstwatch.cli.common import add_common_options
from jwstwatch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from jwstwatch.config import Settings
    from jwstwatch.store.profiles import ProfileRecord
    from jwstwatch.store.store import Store

EXAMPLE = "jwstwatch profile rename ers-1345 ceers"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare `list` and `rename OLD NEW`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|rename")
    listing = actions.add_parser("list", help="show every profile that the configuration or the state knows")
    rename = actions.add_parser(
        "rename", help="call a profile otherwise; its floor, history, files and notices go with it"
    )
    rename.add_argument("old", metavar="OLD")
    rename.add_argument("new", metavar="NEW")
    for action in (listing, rename):
        action.add_argument("--json", action="store_true", help="print JSON")
        add_common_options(action)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Carry out the action."""
    settings = session.load_settings(arguments)
    renaming = arguments.action == "rename"
    if renaming:
        _require_name(arguments.old, arguments.new)
    with session.open_state(arguments, settings, upgrade=renaming) as store:
        if renaming:
            _rename(arguments, settings, store)
        else:
            _list(arguments, settings, store)
    return ExitCode.DONE


# -- list


def _list(arguments: argparse.Namespace, settings: Settings, store: Store) -> None:
    from jwstwatch.store.profiles import ProfileRecord

    known = store.profiles.all()
    saved = {record.name: record for record in known if not record.is_one_off}
    typed = [record for record in known if record.is_one_off]
    records = [
        saved.get(name, ProfileRecord(name=name)) for name in dict.fromkeys((*settings.profiles, *saved))
    ]
    if arguments.json:
        one_off = {"downloads": len(typed), **_sums(typed)}
        output.print_json(
            {"profiles": [_document(record, settings) for record in records], "one_off": one_off}
        )
        return
    now = datetime.now(UTC)
    head = ["profile", "configured", "files", "present", "on disk", "last run", "outcome"]
    print(
        output.table(head, [_row(record, settings, now) for record in records]) if records else "no profiles"
    )
    if typed:
        sums = _sums(typed)
        print(
            f"\nand {counted(len(typed), 'typed download')} with {counted(sums['files'], 'file')}, "
            f"{output.size(sums['bytes'])}"
        )


def _sums(records: list[ProfileRecord]) -> dict[str, int]:
    return {
        "files": sum(record.files for record in records),
        "bytes": sum(record.size for record in records),
    }


def _document(record: ProfileRecord, settings: Settings) -> dict[str, object]:
    from jwstwatch.sync.documents import run_document

    profile = settings.profiles.get(record.name)
    return {
        "name": record.name,
        "configured": profile is not None,
        "enabled": profile is not None and profile.parameters.enabled,
        "files": record.files,
        "present": record.present,
        "bytes": record.size,
        "last_run": run_document(record.last) if record.last else None,
    }


def _row(record: ProfileRecord, settings: Settings, now: datetime) -> list[str]:
    profile = settings.profiles.get(record.name)
    configured = "no" if profile is None else "yes" if profile.parameters.enabled else "yes, off"
    last = record.last
    outcome = "-" if last is None else last.outcome.value if last.outcome else "running"
    return [
        record.name,
        configured,
        str(record.files),
        str(record.present),
        output.size(record.size),
        output.ago(last.started_at if last else None, now),
        outcome,
    ]


# -- rename


def _require_name(old: str, new: str) -> None:
    from jwstwatch.config.sections import PROFILE_NAME

    if not PROFILE_NAME.fullmatch(new):
        raise UsageError(
            f"{new!r} is no name for a profile",
            hint="Allowed are up to 64 letters, digits, dots, hyphens and underscores; the first one is a "
            "letter or a digit.",
        )
    if old == new:
        raise UsageError(f"{old} is called so already", hint="Give the new name second.")


def _rename(arguments: argparse.Namespace, settings: Settings, store: Store) -> None:
    from jwstwatch.config.documents import suggest
    from jwstwatch.store.locks import holder

    old, new = arguments.old, arguments.new
    names = tuple(store.profiles.names())
    if old not in names:
        raise UsageError(
            f"the state knows no profile {old!r}{suggest(old, names)}",
            hint=f"It knows: {', '.join(names)}." if names else "No profile has run yet.",
        )
    record = store.profiles.rename(old, new, now=datetime.now(UTC))
    running = bool(holder(store.database, "daemon")["running"])
    if arguments.json:
        configured = {"from": old in settings.profiles, "to": new in settings.profiles}
        renamed = {"from": old, "to": new, "files": record.files, "bytes": record.size}
        output.print_json({"renamed": renamed | {"configured": configured}})
        return
    print(f"{old} is {new} now, with its history and {counted(record.files, 'file')}.")
    for line in _what_is_left(settings, old, new, running=running):
        print(line)


def _what_is_left(settings: Settings, old: str, new: str, *, running: bool) -> list[str]:
    """Say what the configuration has to say, and whether it does."""
    where = str(settings.path or "jwstwatch.yaml")
    reload = "have the daemon read it again: `systemctl reload jwstwatch`." if running else ""
    if old in settings.profiles and new in settings.profiles:
        return [f"{where} has both names: remove {old}" + (f", and {reload}" if reload else ".")]
    if old in settings.profiles:
        soon = f", and {reload} Until then it runs {old} as a new profile." if reload else "."
        return [f"{where} still says {old}: call it {new} there too{soon}"]
    if new in settings.profiles:
        return [f"{where} says {new} already." + (f" Now {reload}" if reload else "")]
    return [f"{where} has neither: write {new} there, or its files count as selected by none."]
