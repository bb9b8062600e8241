"""Which files can go to which paths, and in which order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.relocation import Move, arrange, groups

PATHS = st.sampled_from([f"p{number}" for number in range(8)])


@st.composite
def trees(draw: st.DrawFn) -> tuple[dict[int, str], list[Move]]:
    """Files at paths of their own, some of which are to go elsewhere."""
    places = draw(st.lists(PATHS, unique=True, max_size=8))
    files = dict(enumerate(places))
    moves = [
        Move(file_id=key, path=path, to=to)
        for key, path in files.items()
        if (to := draw(st.none() | PATHS)) is not None and to != path
    ]
    return files, moves


def taken(files: dict[int, str], moves: list[Move]) -> dict[str, int]:
    wanted = {move.to for move in moves}
    return {path: key for key, path in files.items() if path in wanted}


@given(trees())
def test_each_finds_its_path_free_and_nobody_is_forgotten(tree: tuple[dict[int, str], list[Move]]) -> None:
    files, moves = tree
    ordered, blocked = arrange(moves, taken(files, moves))
    assert sorted([*ordered, *blocked], key=lambda move: move.file_id) == moves
    for move in ordered:
        assert move.to not in files.values()
        files[move.file_id] = move.to
    for move in blocked:
        assert move.to in files.values(), "it could have gone"


@given(trees(), st.integers(min_value=1, max_value=4))
def test_no_group_needs_a_path_that_it_leaves_itself(
    tree: tuple[dict[int, str], list[Move]], size: int
) -> None:
    files, moves = tree
    ordered, _ = arrange(moves, taken(files, moves))
    cut = groups(ordered, size)
    assert [move for group in cut for move in group] == ordered
    for group in cut:
        assert 0 < len(group) <= size
        assert not {move.to for move in group} & {move.path for move in group}


def test_of_two_files_that_want_one_path_the_first_gets_it() -> None:
    first, second = Move(file_id=1, path="a", to="c"), Move(file_id=2, path="b", to="c")
    assert arrange([first, second], {}) == ([first], [second])


def test_two_that_would_change_places_stay() -> None:
    moves = [Move(file_id=1, path="a", to="b"), Move(file_id=2, path="b", to="a")]
    assert arrange(moves, {"a": 1, "b": 2}) == ([], moves)
