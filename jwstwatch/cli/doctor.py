"""`jwstwatch doctor`: look at everything that a run or the daemon would stumble over."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jwstwatch.cli import output, session
from jwstwatch.cli.output import Look
from jwstwatch.cli.state_place import state_url_despite
from jwstwatch.errors import ConfigurationError, ExitCode, first_exit_code

if TYPE_CHECKING:
    from jwstwatch.config import Settings
    from jwstwatch.sync.examining import Check, Patient

EXAMPLE = "jwstwatch doctor"

SYSTEMD = Path("/run/systemd/system")
"""There where systemd runs the machine."""
PATIENCE = 10.0
"""Seconds that systemd may take for an answer."""
_STYLES = {"ok": "green", "warning": "yellow", "problem": "red"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the form of the answer."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Examine, tell each finding as it is made, and end with the code of the gravest problem."""
    from jwstwatch.sync.examining import Status, examine

    findings = examine(_patient(arguments))
    if arguments.json:
        found = list(findings)
        output.print_json({"checks": [_document(check) for check in found]})
    else:
        found = list(_tell(findings, output.look_of(sys.stdout)))
        print(_summary(found))
    return first_exit_code(check.code for check in found if check.status is Status.PROBLEM)


def _patient(arguments: argparse.Namespace) -> Patient:
    from jwstwatch.sync.examining import Patient

    settings: Settings | None = None
    refusal: ConfigurationError | None = None
    try:
        settings = _settings(arguments)
        state_url: str | None = settings.state_url
    except ConfigurationError as error:
        refusal, state_url = error, state_url_despite(arguments.config)
    return Patient(
        settings=settings,
        refusal=refusal,
        state_url=state_url,
        environ=os.environ,
        now=lambda: datetime.now(UTC),
        open_archive=lambda settings, token: session.open_archive(settings, token=token),
        find_token=session.find_token,
        allow_network_state=arguments.allow_network_state,
        tell_systemd=_systemctl if SYSTEMD.is_dir() else None,
    )


def _settings(arguments: argparse.Namespace) -> Settings:
    """Read the configuration; what it warns of is told with everything else."""
    from jwstwatch.config import load

    settings = load(arguments.config, environ=os.environ, folder=Path.cwd(), token_file=arguments.token_file)
    if settings.legacy_path is not None:
        raise ConfigurationError(
            f"{settings.legacy_path} is a configuration of jwst_mast_query, which has no profiles",
            hint="`jwstwatch config import` makes a jwstwatch.yaml of it.",
        )
    return settings


def _systemctl(words: list[str]) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program of the system's
            ["systemctl", *words],  # noqa: S607 - wherever the system has it
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _document(check: Check) -> dict[str, str]:
    return {"name": check.name, "status": check.status.value, "text": check.text, "hint": check.hint}


def _tell(findings: Iterable[Check], look: Look) -> Iterable[Check]:
    """Print each finding, and below it what to do."""
    from jwstwatch.cli.status_parts import wrapped

    indent = " " * 9
    for check in findings:
        lines = wrapped(f"{check.name}: {check.text}", look=look, indent=indent)
        status = check.status.value
        print(look.paint(f"{status:<9}", _STYLES[status]) + lines[0][len(indent) :])
        for line in lines[1:] + (wrapped(check.hint, look=look, indent=indent + "  ") if check.hint else []):
            print(line)
        sys.stdout.flush()
        yield check


def _summary(found: Iterable[Check]) -> str:
    statuses = [check.status.value for check in found]
    counts = [(statuses.count(name), name) for name in ("problem", "warning")]
    told = [f"{count} {name}{'' if count == 1 else 's'}" for count, name in counts if count]
    return f"\n{', '.join(told)}" if told else "\nall is well"
