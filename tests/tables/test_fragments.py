"""A text table in pieces reads as the one that is written at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.tables import fragments
from jwstwatch.tables.columns import Cell
from jwstwatch.tables.write import to_text

COLUMNS = ("name", "size", "t_min")
_NUMBERS = st.integers(-(10**9), 10**9) | st.floats(allow_nan=True)
_CELLS = st.none() | _NUMBERS | st.text(max_size=12)
_ROWS = st.lists(st.fixed_dictionaries(dict.fromkeys(COLUMNS, _CELLS)), max_size=5)


@given(st.lists(_ROWS, min_size=1, max_size=4))
def test_pieces_put_together_are_the_whole_table(groups: list[list[dict[str, Cell]]]) -> None:
    pieces, common = [], None
    for rows in groups:
        piece, common = fragments.to_piece(rows, COLUMNS, others=common)
        pieces.append(piece)
    assert common is not None
    padded = [fragments.pad_again(piece, common).encode() for piece in pieces]
    joined = padded[0] + b"".join(fragments.without_head(piece) for piece in padded[1:])
    assert joined.decode() == to_text([row for rows in groups for row in rows], COLUMNS)


@given(_ROWS, _ROWS)
def test_a_piece_that_is_made_again_beside_the_others_needs_no_padding(
    one: list[dict[str, Cell]], other: list[dict[str, Cell]]
) -> None:
    _, first = fragments.to_piece(one, COLUMNS)
    piece, both = fragments.to_piece(other, COLUMNS, others=first)
    assert fragments.pad_again(piece, both) == piece
    assert fragments.to_piece(one, COLUMNS, others=both)[1] == both == fragments.unite([both, first])
