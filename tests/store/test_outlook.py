"""What goes on and what is awaited, as the state has it."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from jwstwatch.core.dates import to_mjd
from jwstwatch.core.model import FileState, Outcome
from jwstwatch.errors import ArchiveError
from jwstwatch.store import tables
from jwstwatch.store.outlook import Outlook
from jwstwatch.store.runs import SILENCE, Counts
from tests.store.desk import DAY, HOUR, JPG, NOW, OTHER, PROFILE, RATE, Desk, file_names, observation, row

NOBODY = 2**22 + 1
"""A number that no process of Linux can have."""


def outlook(desk: Desk) -> Outlook:
    return Outlook(desk.store.database)


def set_run(desk: Desk, **values: Any) -> None:
    """Let the desk's run be another process's."""
    with desk.store.database.write() as connection:
        connection.execute(update(tables.run).where(tables.run.c.id == desk.run.id).values(values))


def test_a_run_of_this_process_goes_on_until_it_is_finished(desk: Desk) -> None:
    (run,) = outlook(desk).open_runs(now=NOW)
    assert (run.id, run.profile, run.started_at, run.lives) == (desk.run.id, PROFILE, NOW, True)
    assert run.host == socket.gethostname()
    desk.store.runs.finish(desk.run, Outcome.COMPLETE, counts=Counts(), error=None, now=NOW)
    assert outlook(desk).open_runs(now=NOW) == []


def test_a_run_whose_process_is_gone_does_not_live(desk: Desk) -> None:
    set_run(desk, pid=NOBODY)
    (run,) = outlook(desk).open_runs(now=NOW)
    assert (run.pid, run.lives) == (NOBODY, False)


def test_a_run_of_this_host_lives_however_long_it_is_silent(desk: Desk) -> None:
    (run,) = outlook(desk).open_runs(now=NOW + 30 * DAY)
    assert run.lives


def test_a_run_of_another_host_lives_as_long_as_it_is_heard_of(desk: Desk) -> None:
    set_run(desk, host="elsewhere", pid=NOBODY)
    assert [run.lives for run in outlook(desk).open_runs(now=NOW + SILENCE - timedelta(seconds=1))] == [True]
    assert [run.lives for run in outlook(desk).open_runs(now=NOW + SILENCE)] == [False]


def test_the_last_run_that_ended_is_found_behind_one_that_goes_on(desk: Desk) -> None:
    error = ArchiveError("it is down", hint="Wait.")
    failed = desk.store.runs.finish(desk.run, Outcome.FAILED, counts=Counts(), error=error, now=NOW)
    other = desk.of(OTHER)
    desk.later(HOUR).of(PROFILE)
    ended = outlook(desk).last_ended([PROFILE, OTHER, "no such"])
    assert ended == {PROFILE: failed}
    desk.store.runs.finish(other.run, Outcome.COMPLETE, counts=Counts(), error=None, now=NOW)
    assert set(outlook(desk).last_ended([PROFILE, OTHER])) == {PROFILE, OTHER}
    assert outlook(desk).last_ended([]) == {}


def withhold(desk: Desk, *names: str, reason: str = "no token") -> None:
    desk.want(*names, state=FileState.WITHHELD, reason=reason)


def test_withheld_files_are_counted_by_their_release_the_next_first(desk: Desk) -> None:
    later, sooner = NOW + 90 * DAY, NOW + 10 * DAY
    desk.observe(
        observation(1, t_obs_release=to_mjd(later)),
        observation(2, t_obs_release=to_mjd(sooner)),
        observation(3, t_obs_release=None),
    )
    names = file_names(4)
    desk.list(row(names[0]), row(names[1]), row(names[2], parent=1002), row(names[3], parent=1003))
    withhold_known(desk, names)
    found = outlook(desk).withheld(PROFILE, now=NOW)
    assert [(each.released_at, each.files, each.size) for each in found] == [
        (sooner, 1, 1000),
        (later, 2, 2000),
        (None, 1, 1000),
    ]
    assert {each.reason for each in found} == {"no token"}


def withhold_known(desk: Desk, names: list[str]) -> None:
    """Plan files of products that have been listed already."""
    from jwstwatch.store.plans import PlanRow

    desk.plan(
        *(
            PlanRow(
                product_id=desk.product_id(name),
                path=f"01345/{name}",
                known=None,
                state=FileState.WITHHELD,
                reason="no token",
                priority=1,
            )
            for name in names
        )
    )


def test_a_file_of_several_observations_waits_for_the_next_release(desk: Desk) -> None:
    past, sooner, later = NOW - DAY, NOW + DAY, NOW + 9 * DAY
    for number, when in enumerate((past, later, sooner), start=1):
        desk.observe(observation(number, t_obs_release=to_mjd(when)))
    desk.list(row(), row(parent=1002), row(parent=1003))
    withhold_known(desk, [RATE])
    (found,) = outlook(desk).withheld(PROFILE, now=NOW)
    assert found.released_at == sooner
    (found,) = outlook(desk).withheld(PROFILE, now=NOW + 30 * DAY)
    assert (found.released_at, found.files) == (later, 1), "the last that passed"


def test_what_is_unlisted_declined_or_another_profiles_is_handled(desk: Desk) -> None:
    withhold(desk, RATE)  # its observation is not known
    assert [(each.released_at, each.files) for each in outlook(desk).withheld(PROFILE, now=NOW)] == [
        (None, 1)
    ]
    assert outlook(desk).withheld(OTHER, now=NOW) == []
    desk.want(JPG)
    assert sum(each.files for each in outlook(desk).withheld(PROFILE, now=NOW)) == 1, "a wanted one is none"
    desk.set_file([desk.file_id(f"01345/{RATE}")], declined=True)
    assert outlook(desk).withheld(PROFILE, now=NOW) == []


def test_a_release_that_no_calendar_has_is_no_date(desk: Desk) -> None:
    desk.observe(observation(1, t_obs_release=1e12))
    desk.list(row())
    withhold_known(desk, [RATE])
    assert [each.released_at for each in outlook(desk).withheld(PROFILE, now=NOW)] == [None]
