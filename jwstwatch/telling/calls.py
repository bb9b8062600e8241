"""What a hook is told: variables for its environment, and a document for its standard input."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jwstwatch.core.model import Outcome
from jwstwatch.core.naming import parse
from jwstwatch.sync.documents import run_document

if TYPE_CHECKING:
    from jwstwatch.store.runs import RunRecord
    from jwstwatch.sync.context import ArrivedFile, CompletedObservation

SCHEMA = 1

AFTER_FILE = "after_file"
AFTER_OBSERVATION = "after_observation"
AFTER_RUN = "after_run"
ON_ERROR = "on_error"

LONGEST_VALUE = 4096
"""Characters of a variable: the kernel refuses a command whose environment is too large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a hook."""

    event: str
    profile: str
    run_id: int
    facts: Mapping[str, str | int | None]
    """Beside profile and run, by the ends of their variables' names."""
    document: Mapping[str, Any]

    def variables(self) -> dict[str, str]:
        """Return the variables of this call; what is unknown is an empty one."""
        facts = {"EVENT": self.event, "PROFILE": self.profile, "RUN_ID": self.run_id, **self.facts}
        return {f"JWSTWATCH_{name}": _text(value) for name, value in facts.items()}

    def given(self) -> bytes:
        """Return the document of this call as one line of JSON."""
        head = {"schema": SCHEMA, "event": self.event, "profile": self.profile, "run_id": self.run_id}
        return json.dumps({**head, **self.document}).encode() + b"\n"


def _text(value: str | int | None) -> str:
    text = "" if value is None else str(value)
    text = text.replace("\0", "")  # it would end the variable
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        text = text.encode(errors="replace").decode()
    return text[:LONGEST_VALUE]


def of_file(file: ArrivedFile) -> Call:
    """Return the call for a file that arrived; proposal and observation are those of its name."""
    name = parse(file.name)
    return Call(
        event=AFTER_FILE,
        profile=file.profile,
        run_id=file.run_id,
        facts={
            "PATH": str(file.path),
            "NAME": file.name,
            "URI": file.uri,
            "PROPOSAL": name.proposal,
            "OBSNUM": name.obsnum,
            "REVISION": file.revision,
            "SIZE": file.size,
            "SHA256": file.sha256,
            "REPLACED": int(file.replaced),
        },
        document={
            "file": {
                "path": str(file.path),
                "name": file.name,
                "uri": file.uri,
                "proposal": name.proposal,
                "obsnum": name.obsnum,
                "revision": file.revision,
                "size": file.size,
                "sha256": file.sha256,
                "replaced": file.replaced,
            }
        },
    )


def of_observation(observation: CompletedObservation) -> Call:
    """Return the call for an observation of which everything selected is there."""
    return Call(
        event=AFTER_OBSERVATION,
        profile=observation.profile,
        run_id=observation.run_id,
        facts={
            "OBS_ID": observation.obs_id,
            "PROPOSAL": observation.proposal,
            "OBSNUM": observation.obsnum,
            "FILES": observation.files,
        },
        document={
            "observation": {
                "obs_id": observation.obs_id,
                "proposal": observation.proposal,
                "obsnum": observation.obsnum,
                "files": observation.files,
            }
        },
    )


def of_run(event: str, record: RunRecord) -> Call:
    """Return the call for a run that ended, for either event that it can be."""
    counts = record.counts
    return Call(
        event=event,
        profile=record.profile,
        run_id=record.id,
        facts={
            "TRIGGER": record.trigger.value,
            "OUTCOME": record.outcome.value if record.outcome else None,
            "DOWNLOADED": counts.downloaded,
            "WITHHELD": counts.withheld,
            "FAILED": counts.failed,
            "WAITING": counts.waiting,
            "BYTES": counts.bytes,
            "ERROR": record.error_message or _failed_files(counts.failed),
            "ERROR_KIND": record.error_kind or ("files_failed" if counts.failed else None),
        },
        document={"run": run_document(record)},
    )


def _failed_files(count: int) -> str | None:
    if not count:
        return None
    return f"{count} file{'' if count == 1 else 's'} failed"


def went_wrong(record: RunRecord) -> bool:
    """Return whether a run is an error: it was stopped by one, or files failed. A cancelled one is none."""
    if record.outcome is Outcome.CANCELLED:
        return False
    return record.error_kind is not None or record.counts.failed > 0
