"""Whatever a file holds: it is loaded, or refused with a configuration error."""

from __future__ import annotations

import contextlib

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jwstwatch.core.parameters import PARAMETERS
from jwstwatch.errors import ConfigurationError
from tests.config.conftest import Desk

KEYS = st.sampled_from(
    [*PARAMETERS, "state", "mast", "defaults", "profiles", "pages", "dir", "server", "token", "<<", "x-a"]
) | st.text(max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.dates()
    | st.datetimes()
    | st.binary(max_size=5)
    | st.sampled_from(["$HOME", "${X", "6h", "nircam", "2022-06-06+", "None", "sqlite:///a", "https://a"])
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.integers(), inner, max_size=4),
    max_leaves=20,
)
OURS = st.fixed_dictionaries(
    {},
    optional={
        "state": DOCUMENTS,
        "mast": st.dictionaries(
            st.sampled_from(["server", "timeout", "bandwidth", "connections"]), DOCUMENTS
        ),
        "defaults": st.dictionaries(st.sampled_from(list(PARAMETERS)), DOCUMENTS, max_size=5),
        "profiles": st.dictionaries(
            st.sampled_from(["a", "b"]),
            st.dictionaries(st.sampled_from(list(PARAMETERS)), DOCUMENTS, max_size=5),
        ),
        "pages": DOCUMENTS,
    },
)


def load(desk: Desk, text: str) -> None:
    desk.folder.joinpath("any.yaml").write_text(text, errors="surrogatepass")
    with contextlib.suppress(ConfigurationError):
        desk.load("any.yaml")


@settings(max_examples=60)
@given(DOCUMENTS | OURS)
def test_no_yaml_document_makes_loading_fail_otherwise(shared_desk: Desk, document: object) -> None:
    load(shared_desk, yaml.dump(document))


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from([*PARAMETERS, "verbose", "token"]), DOCUMENTS, min_size=1, max_size=6))
def test_no_flat_document_makes_loading_fail_otherwise(shared_desk: Desk, document: object) -> None:
    load(shared_desk, yaml.dump(document))


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@`#,? \n\t<$\\0xU\ud800", max_size=60))
def test_no_text_makes_loading_fail_otherwise(shared_desk: Desk, text: str) -> None:
    load(shared_desk, text)
