"""How much of a plan there is room for, and why the rest waits."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.space import (
    BETWEEN,
    Budget,
    Limit,
    Need,
    admit,
    kept_free,
    no_longer_waiting,
    on_disk,
    waiting_for,
    waits_for_budget,
    waits_for_quota,
    waits_for_space,
)

GB = 10**9

sizes = st.integers(0, 1000)
needs = st.builds(Need, sizes, st.one_of(st.just(0), sizes), st.one_of(st.just(0), st.integers(0, 1200)))
plans = st.lists(needs, max_size=30)
rooms = st.integers(-500, 20_000)
blocks = st.sampled_from([1, 7, 512])


def most_taken(plan: list[Need], order: list[int], *, at_once: int, block: int) -> int:
    """Carry a plan out, as many files at once as may be, ended in any order; return the most it took."""
    taken = most = 0
    under_way: list[Need] = []
    for number, need in enumerate(plan):
        new = on_disk(need.new, block=block)
        taken += new - min(on_disk(need.there, block=block), new)
        under_way.append(need)
        most = max(most, taken)
        if len(under_way) == at_once:
            done = under_way.pop(order[number % len(order)] % len(under_way))
            taken -= on_disk(done.old, block=block)
    return most


@given(plans, rooms, st.integers(1, 6), blocks, st.lists(st.integers(0, 9), min_size=1))
def test_what_is_admitted_never_takes_more_than_there_is(
    plan: list[Need], room: int, at_once: int, block: int, order: list[int]
) -> None:
    admission = admit(plan, room=room, quota=None, at_once=at_once, block=block)
    admitted = plan[: admission.files]
    assert most_taken(admitted, order, at_once=at_once, block=block) <= admission.reserved
    if admitted:
        assert admission.reserved <= max(room, 0)
        assert room >= 0


@given(plans, rooms, st.integers(1, 6), blocks)
def test_whatever_fits_is_admitted_and_what_is_lacking_would_do(
    plan: list[Need], room: int, at_once: int, block: int
) -> None:
    limits = {"quota": None, "at_once": at_once, "block": block}
    free = admit(plan, room=None, **limits)  # type: ignore[arg-type]
    assert (free.files, free.waiting, free.limit, free.lacking) == (len(plan), 0, None, 0)
    enough = admit(plan, room=free.reserved, **limits)  # type: ignore[arg-type]
    assert enough == free
    some = admit(plan, room=room, **limits)  # type: ignore[arg-type]
    if some.limit is not None:
        assert some.lacking > 0
        assert admit(plan, room=room + some.lacking, **limits).files == len(plan)  # type: ignore[arg-type]
        assert admit(plan, room=room + some.lacking - 1, **limits).files < len(plan)  # type: ignore[arg-type]


@given(plans, rooms, st.integers(0, 3000), st.none() | rooms, st.integers(1, 6))
def test_more_room_never_admits_less_and_the_rest_is_counted(
    plan: list[Need], room: int, more: int, quota: int | None, at_once: int
) -> None:
    less = admit(plan, room=room, quota=quota, at_once=at_once)
    greater = admit(plan, room=room + more, quota=quota, at_once=at_once)
    assert greater.files >= less.files
    for admission in (less, greater):
        assert admission.files + admission.waiting == len(plan)
        assert admission.new == sum(need.new for need in plan[: admission.files])
        assert admission.waiting_bytes == sum(need.new for need in plan[admission.files :])
        assert (admission.limit is None) is (admission.waiting == 0)


@given(plans, rooms)
def test_a_quota_is_never_exceeded_by_what_stays(plan: list[Need], quota: int) -> None:
    admission = admit(plan, room=None, quota=quota, at_once=3)
    net = 0
    for need in plan[: admission.files]:
        net += need.net
        assert net <= quota
    if admission.limit is not None:
        assert admission.limit is Limit.QUOTA
        assert net + plan[admission.files].net > quota


def test_a_replacement_needs_room_for_both_copies_and_then_only_for_one() -> None:
    plan = [Need(100, old=90)] * 50
    # One old copy after the other goes, so 50 times 100 bytes are never needed.
    assert admit(plan, room=50 * 10 + 3 * 90, quota=None, at_once=3).files == 50
    assert admit(plan, room=50 * 10 + 3 * 90 - 1, quota=None, at_once=3).files == 49
    assert admit(plan, room=99, quota=None, at_once=3).files == 0
    assert admit(plan, room=None, quota=500, at_once=3).files == 50
    assert admit(plan, room=None, quota=499, at_once=3).files == 49


def test_an_old_copy_that_is_kept_aside_goes_on_taking_room_but_none_of_the_quota() -> None:
    plan = [Need(100, old=90, aside=True)] * 5
    assert admit(plan, room=500, quota=50, at_once=3).files == 5
    assert admit(plan, room=499, quota=50, at_once=3).files == 4
    assert admit(plan, room=500, quota=49, at_once=3).limit is Limit.QUOTA


def test_the_place_where_the_rest_begins_is_told() -> None:
    plan = [Need(10, place=(0, 7)), Need(10, place=(1, 3)), Need(1, place=(1, 4))]
    assert admit(plan, room=15, quota=None, at_once=1).first == (1, 3)
    assert admit(plan, room=None, quota=20, at_once=1).first == (1, 4)
    assert admit(plan, room=21, quota=21, at_once=1).first is None


def test_bytes_that_lie_there_already_need_no_room() -> None:
    assert admit([Need(1000, there=400)], room=600, quota=None, at_once=1).files == 1
    assert admit([Need(1000, there=400)], room=599, quota=None, at_once=1).files == 0
    assert admit([Need(1000, there=4000)], room=0, quota=None, at_once=1).files == 1


def test_a_disk_below_what_is_kept_free_gets_nothing_not_even_an_empty_file() -> None:
    assert admit([Need(0)], room=-1, quota=None, at_once=1).files == 0
    assert admit([Need(0)], room=0, quota=None, at_once=1).files == 1


def test_files_take_whole_blocks() -> None:
    assert [on_disk(size, block=4096) for size in (0, 1, 4096, 4097)] == [0, 4096, 4096, 8192]
    assert admit([Need(1), Need(1)], room=8191, quota=None, at_once=1, block=4096).files == 1


def test_a_gigabyte_or_a_hundredth_is_kept_free_where_nobody_says_otherwise() -> None:
    assert kept_free(None, total=8000 * GB) == GB
    assert kept_free(None, total=20 * GB) == 200 * 10**6
    assert kept_free(5 * GB, total=8000 * GB) == 5 * GB
    assert kept_free(0, total=8000 * GB) == 0


reasons = st.none() | st.sampled_from(["new", "missing on disk", "400 of 1000 bytes on disk; odd", "a; b"])
WHYS = {
    waits_for_space("/data/a; b"): Limit.SPACE,
    waits_for_space("/d"): Limit.SPACE,
    waits_for_quota("2.00 TB"): Limit.QUOTA,
    waits_for_budget("20.0 GB"): Limit.BUDGET,
}
whys = st.sampled_from(list(WHYS))


@given(reasons, whys)
def test_a_reason_keeps_what_it_said_before_and_says_why_the_file_waits(reason: str | None, why: str) -> None:
    waits = f"{reason}{BETWEEN}{why}" if reason else why
    assert no_longer_waiting(waits) == reason
    assert no_longer_waiting(reason) == reason
    assert waiting_for(waits) is WHYS[why]
    assert waiting_for(reason) is None


updates = st.builds(
    Need,
    sizes,
    st.one_of(st.just(0), sizes),
    place=st.none(),
    replaces=st.booleans(),
)


@given(
    st.lists(updates, max_size=30),
    st.builds(Budget, st.integers(1, 3000), st.integers(0, 4000)),
    st.none() | rooms,
    st.none() | rooms,
)
def test_replacements_never_take_more_than_the_budget_but_for_a_last_one_that_is_larger_than_all_of_it(
    plan: list[Need], budget: Budget, room: int | None, quota: int | None
) -> None:
    plan.sort(key=lambda need: need.replaces)
    admission = admit(plan, room=room, quota=quota, at_once=3, budget=budget)
    replaced = [need.new for need in plan[: admission.files] if need.replaces and need.new]
    if replaced:
        *former, last = replaced
        before = budget.spent + sum(former)
        too_large = last > budget.size and (before == 0 or before < budget.size)
        assert too_large or before + last <= budget.size
    without = admit(plan, room=room, quota=quota, at_once=3)
    new = sum(not need.replaces for need in plan)
    assert min(admission.files, new) == min(without.files, new), "new files are never held back by it"
    if admission.limit is Limit.BUDGET:
        following = plan[admission.files]
        assert following.replaces
        assert budget.spent + sum(replaced) + following.new > budget.size
        assert (admission.lacking, admission.waiting) == (0, len(plan) - admission.files)
    else:
        assert admission == without


def test_a_replacement_larger_than_a_day_s_budget_goes_while_any_of_it_is_left() -> None:
    plan = [Need(500, replaces=True), Need(10, replaces=True)]
    limits: dict[str, Any] = {"room": None, "quota": None, "at_once": 1}
    assert admit(plan, budget=Budget(100), **limits).files == 1
    assert admit(plan, budget=Budget(100, spent=99), **limits).files == 1, "a few bytes a day starve nothing"
    assert admit(plan, budget=Budget(100, spent=100), **limits).files == 0
    assert admit(plan[::-1], budget=Budget(100), **limits).files == 2
    assert admit(plan[1:], budget=Budget(100, spent=90), **limits).files == 1
    assert admit(plan[1:], budget=Budget(100, spent=91), **limits).limit is Limit.BUDGET
    assert admit([Need(500, old=400)], budget=Budget(100, spent=100), **limits).files == 1, "a repair"
