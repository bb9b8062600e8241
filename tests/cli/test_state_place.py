"""Which state a broken configuration means."""

from __future__ import annotations

from pathlib import Path

import pytest

from jwstwatch.cli.state_place import state_url_despite


def url(folder: Path, text: str, **environ: str) -> str | None:
    path = folder / "jwstwatch.yaml"
    path.write_text(text)
    return state_url_despite(path, environ=environ, folder=folder)


@pytest.mark.parametrize(
    "text",
    [
        "state: kept/state.db\nprofiles: {x: {evry: 6h}}\n",
        "profiles: {x: {password: secret}}\nstate: kept/state.db\n",
        "state: kept/state.db  # here\nprofiles:\n\t- this is no YAML: [\n",
        'state: "kept/state.db"\nprofiles: {\n',
    ],
    ids=["a wrong key", "a credential", "no YAML", "no YAML, quoted"],
)
def test_it_is_found_whatever_else_is_wrong(tmp_path: Path, text: str) -> None:
    assert url(tmp_path, text) == f"sqlite:///{tmp_path}/kept/state.db"


def test_a_variable_in_it_counts_and_the_environment_overrides_it(tmp_path: Path) -> None:
    text = "state: $TEAM/state.db\nnonsense: 1\n"
    assert url(tmp_path, text, TEAM="/srv/team") == "sqlite:////srv/team/state.db"
    other = url(tmp_path, text, TEAM="/srv/team", JWSTWATCH_STATE="/elsewhere/state.db")
    assert other == "sqlite:////elsewhere/state.db"


def test_without_a_word_about_it_it_is_the_usual_one(tmp_path: Path) -> None:
    expected = "sqlite:////home/me/.local/state/jwstwatch/state.db"
    assert url(tmp_path, "nonsense: 1\n", HOME="/home/me") == expected
    assert url(tmp_path, "nonsense: [\n", HOME="/home/me") == expected


def test_an_old_file_names_no_state(tmp_path: Path) -> None:
    assert url(tmp_path, "instrument: nircam\nlookbacktime: 1\n") is None


def test_a_file_that_is_not_there_names_no_state(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    assert state_url_despite(tmp_path / "missing.yaml", environ=environ, folder=tmp_path) is None
