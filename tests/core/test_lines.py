from __future__ import annotations

import json
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwstwatch.core.gap_words import GapLine
from jwstwatch.core.gaps import GapKind
from jwstwatch.core.lines import line_from_json, line_to_json, summary_from_json, summary_to_json
from jwstwatch.core.model import FileState
from jwstwatch.core.site import PartLine, PartPicture, ProposalSummary, SectionSize

numbers = st.integers(0, 10**15)
words = st.lists(st.text(max_size=9), max_size=3).map(tuple)
times = st.none() | st.datetimes(timezones=st.just(UTC))
counts = st.dictionaries(st.sampled_from(FileState), st.integers(1, 10**6))
sections = st.builds(
    SectionSize, name=st.text(), rows=numbers, chunks=numbers, detail_chunks=numbers, mark=st.text()
)
gaps = st.builds(
    GapLine,
    obsnum=st.none() | numbers,
    kind=st.sampled_from(GapKind),
    lacking=st.text(),
    reason=st.text(),
    next=st.text(),
    count=numbers,
    names=words,
)
lines = st.builds(
    PartLine,
    obsnum=st.none() | numbers,
    label=st.text(),
    targets=words,
    instruments=words,
    filters=words,
    detectors=words,
    start=st.text(),
    end=st.text(),
    exposure_time=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    exposures=numbers,
    counts=counts,
    bytes_on_disk=numbers,
    planned=st.booleans(),
    exclusive_until=st.text(),
    sections=st.lists(sections, max_size=4).map(tuple),
    plain_pages=numbers,
    gaps=st.lists(gaps, max_size=2).map(tuple),
    picture=st.none()
    | st.builds(PartPicture, thumbnail=st.text(), instrument=st.none() | st.text(), level=numbers),
    last_arrival=times,
)
summaries = st.builds(
    ProposalSummary,
    proposal=numbers,
    title=st.none() | st.text(),
    principal_investigator=st.none() | st.text(),
    instruments=words,
    observations=numbers,
    counts=counts,
    bytes_present=numbers,
    last_arrival=times,
    thumbnail=st.none() | st.text(),
    missing=st.none() | numbers,
)


@given(lines)
def test_a_line_comes_back_from_json_as_it_was(line):
    assert line_from_json(json.loads(json.dumps(line_to_json(line), allow_nan=False))) == line


@given(summaries)
def test_a_summary_comes_back_from_json_as_it_was(summary):
    assert summary_from_json(json.loads(json.dumps(summary_to_json(summary), allow_nan=False))) == summary


@pytest.mark.parametrize("document", [None, [], "line", 7, {}, {"form": 0}, {"form": 1}])
def test_a_document_that_is_none_of_ours_is_none(document):
    assert line_from_json(document) is None
    assert summary_from_json(document) is None


@given(lines, st.data())
def test_a_line_of_another_version_is_none_instead_of_an_error(line, data):
    document = line_to_json(line)
    lacking = data.draw(st.sampled_from(sorted(document)))
    assert line_from_json({name: value for name, value in document.items() if name != lacking}) is None
    assert line_from_json({**document, "form": document["form"] + 1}) is None
    assert line_from_json({**document, "counts": {"vanished": 1}}) is None
    assert line_from_json({**document, "sections": [["exposures", 1]]}) is None
