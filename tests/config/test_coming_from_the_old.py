"""The page for users of jwst_mast_query is whole, and what it says of options is so."""

from __future__ import annotations

import re

from jwstwatch.core.parameters import PARAMETERS
from tests.conftest import PROJECT

PAGE = PROJECT / "docs" / "from-jwst_mast_query.md"
OPTIONS_ONLY = {"configfile": "-c", "verbose": "-v", "token": "", "login": ""}


def rows() -> dict[str, tuple[str, str]]:
    """The short option and the difference of every name in the page's table."""
    found = re.findall(r"^\| `(\w+)`[^|]*\| *(?:`(-\w)`)? *\| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    return {name: (short, difference) for name, short, difference in found}


def test_every_parameter_of_the_old_program_is_on_the_page_with_its_short_option() -> None:
    expected = {name: each.short or "" for name, each in PARAMETERS.items() if each.legacy}
    assert {name: short for name, (short, _) in rows().items()} == expected | OPTIONS_ONLY


def test_what_a_saved_profile_must_not_have_is_marked() -> None:
    marked = {name for name, (_, difference) in rows().items() if "one-off only" in difference}
    assert marked == {name for name, each in PARAMETERS.items() if each.one_off_only}


def test_the_front_page_leads_there() -> None:
    assert "(docs/from-jwst_mast_query.md)" in (PROJECT / "README.md").read_text()
