"""Is the configuration fit for use, and does it ask for anything?"""

from __future__ import annotations

from collections.abc import Iterator

from jwstwatch.sync.examining.check import Check, Patient, ok, problem, warning

NAME = "configuration"


def check(patient: Patient) -> Iterator[Check]:
    """Yield every mistake in the file, its warnings, and whether any profile is enabled."""
    refusal = patient.refusal
    if refusal is not None:
        for text in refusal.problems:
            yield problem(
                NAME, text, hint="`jwstwatch config check` reads the file again.", code=refusal.exit_code
            )
        if not refusal.problems:
            yield problem(NAME, refusal.message, hint=refusal.hint, code=refusal.exit_code)
    settings = patient.settings
    if settings is None:
        return
    if settings.path is None:
        yield warning(NAME, "no file was found", hint="Write jwstwatch.yaml (docs/configuration.md).")
        return
    enabled = [name for name, profile in settings.profiles.items() if profile.parameters.enabled]
    count = f"{len(settings.profiles)} profile{'' if len(settings.profiles) == 1 else 's'}"
    if enabled:
        yield ok(NAME, f"{settings.path}: {count}, {len(enabled)} enabled")
    else:
        yield warning(
            NAME,
            f"{settings.path}: {count}, none enabled",
            hint="Write one (docs/configuration.md), or take `enabled: false` out.",
        )
    for text in settings.warnings:
        yield warning(NAME, text, hint="`jwstwatch config show` tells what is in effect.")
