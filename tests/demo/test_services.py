"""The query services: MAST's filters, columns, pages and errors."""

from __future__ import annotations

from typing import Any

import pytest

from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.model import to_mjd
from jwstwatch.demo.services import answer, columns_config
from tests.demo.conftest import NOW

OBSERVATIONS = "Mast.Caom.Filtered"


def ask(catalogue: Catalogue, *filters: dict[str, Any], columns: str = "*", **more: Any) -> Any:
    params = {"columns": columns, "filters": list(filters)}
    return answer(catalogue, {"service": OBSERVATIONS, "params": params, **more})


def obs_ids(reply: Any) -> set[str]:
    assert reply["status"] == "COMPLETE"
    return {row["obs_id"] for row in reply["data"]}


def test_discrete_values_match_any_of_them_without_regard_to_case(demo: Catalogue) -> None:
    reply = ask(demo, {"paramName": "instrument_name", "values": ["miri", "FGS/FGS1"]})
    assert {row["instrument_name"] for row in reply["data"]} == {"MIRI", "FGS/FGS1"}


def test_numbers_match_their_text(demo: Catalogue) -> None:
    obsid = demo.observations[3].obsid
    reply = ask(demo, {"paramName": "obsid", "values": [str(obsid)]})
    assert obs_ids(reply) == {demo.observations[3].obs_id}
    assert len(obs_ids(ask(demo, {"paramName": "proposal_id", "values": [1410]}))) == 2
    assert len(obs_ids(ask(demo, {"paramName": "calib_level", "values": ["-1"]}))) == 1


def test_free_text_is_a_wildcard_that_finds_bare_and_full_names(demo: Catalogue) -> None:
    reply = ask(demo, {"paramName": "instrument_name", "values": [], "freeText": "MIRI%"})
    assert {row["instrument_name"] for row in reply["data"]} == {
        "MIRI", "MIRI/IMAGE", "MIRI/IFU", "MIRI/SLITLESS",
    }  # fmt: skip


def test_a_wildcard_takes_no_other_sign_for_one(demo: Catalogue) -> None:
    assert obs_ids(ask(demo, {"paramName": "obs_id", "values": [], "freeText": "jw0141*"})) == set()
    assert obs_ids(ask(demo, {"paramName": "obs_id", "values": [], "freeText": "jw0141?001%"})) == set()


def test_a_separator_lets_one_element_match(demo: Catalogue) -> None:
    one = {"paramName": "filters", "values": ["F444W"], "separator": ";"}
    assert {row["filters"] for row in ask(demo, one)["data"]} == {"F444W;CLEAR", "F444W;MASKRND"}
    assert ask(demo, {"paramName": "filters", "values": ["F444W"]})["data"] == []


def test_a_range_includes_its_ends_and_excludes_null(demo: Catalogue) -> None:
    every = ask(demo, {"paramName": "t_min", "values": [{"min": 0, "max": 99999}]})
    assert len(every["data"]) == len(demo.observations) - 1
    start = max(float(str(row["t_min"])) for row in every["data"])
    latest = ask(demo, {"paramName": "t_min", "values": [{"min": start, "max": start}]})
    assert {row["t_min"] for row in latest["data"]} == {start}


def test_filters_are_joined_by_and(demo: Catalogue) -> None:
    reply = ask(
        demo,
        {"paramName": "instrument_name", "values": [], "freeText": "NIRCAM%"},
        {"paramName": "t_min", "values": [{"min": to_mjd(NOW) - 1, "max": to_mjd(NOW)}]},
        {"paramName": "dataRights", "values": ["PUBLIC"]},
    )
    assert obs_ids(reply) == {
        "jw01345002001_02101_00001_nrca1",
        "jw01345002001_02101_00001_nrcalong",
        "jw01345-o002_t001_nircam_clear-f115w",
        "jw01345-o002_t001_nircam_clear-f444w",
        "jw01345003001_02101_00001_nrca3",
        "jw01345003001_02101_00001_nrcb4",
    }


def test_pages_partition_the_rows_and_each_states_the_whole(demo: Catalogue) -> None:
    total = len(demo.observations)
    pages = [ask(demo, page=page, pagesize=25) for page in (1, 2, 3)]
    assert [page["paging"]["rows"] for page in pages] == [25, 25, total - 50]
    assert {page["paging"]["rowsFiltered"] for page in pages} == {total}
    assert {page["paging"]["pagesFiltered"] for page in pages} == {3}
    assert set.union(*(obs_ids(page) for page in pages)) == {o.obs_id for o in demo.observations}
    assert ask(demo, page=4, pagesize=25)["data"] == []


def test_columns_are_chosen_in_the_asked_order_with_their_types(demo: Catalogue) -> None:
    reply = ask(demo, columns="obs_id, t_min")
    assert reply["fields"] == [{"name": "obs_id", "type": "string"}, {"name": "t_min", "type": "float"}]
    assert all(list(row) == ["obs_id", "t_min"] for row in reply["data"])


def test_a_count_is_one_row(demo: Catalogue) -> None:
    reply = ask(demo, {"paramName": "calib_level", "values": ["3"]}, columns="COUNT_BIG(*)")
    assert reply["data"] == [{"Column1": sum(o.calib_level == 3 for o in demo.observations)}]


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"service": "Mast.Nothing", "params": {}}, "not known"),
        ({"params": {}}, "needs a service"),
        ({"service": "Mast.Caom.Products", "params": {"obsid": "jw01345001001_02101_00001_nrca1"}}, "bigint"),
        ({"service": OBSERVATIONS, "params": {"columns": "obs_id,nope"}}, "nope"),
        ({"service": OBSERVATIONS, "params": {"filters": [{"paramName": "nope", "values": ["1"]}]}}, "nope"),
        ({"service": OBSERVATIONS, "params": {}, "page": 0.2}, "begin at 1"),
        (
            {
                "service": OBSERVATIONS,
                "params": {"filters": [{"paramName": "obs_id", "values": [{"min": 1, "max": 2}]}]},
            },
            "holds text",
        ),
    ],
)
def test_a_bad_question_gets_the_error_envelope(
    demo: Catalogue, question: dict[str, Any], message: str
) -> None:
    reply: Any = answer(demo, question)
    assert reply["status"] == "ERROR"
    assert message in reply["msg"]
    assert reply["data"] == []


def test_product_lists_know_no_unknown_observation(demo: Catalogue) -> None:
    obsid = demo.observations[0].obsid
    reply: Any = answer(demo, {"service": "Mast.Caom.Products", "params": {"obsid": f"{obsid},12"}})
    assert {row["parent_obsid"] for row in reply["data"]} == {obsid}


def test_the_keyword_service_states_what_the_file_is(demo: Catalogue) -> None:
    name = "jw01345001001_02101_00001_nrca1_cal.fits"
    params = {"columns": "*", "filters": [{"paramName": "filename", "values": [name]}]}
    reply: Any = answer(demo, {"service": "Mast.Jwst.Filtered.Nircam", "params": params})
    (row,) = reply["data"]
    stored = demo.read(name)
    assert (row["fileSize"], row["checksum"]) == (len(stored.content), stored.md5)
    assert (row["productLevel"], row["cal_ver"], row["filter"]) == ("2b", "1.17.1", "F115W")
    assert row["date"].startswith("/Date(")
    assert row["ingestCompletionDate_mjd"] > row["date_mjd"] > row["date_obs_mjd"]
    assert row["isRestricted"] is False
    assert row["isStale"] is False
    assert row.keys() == {field["name"] for field in reply["fields"]}


def test_keyword_columns_are_those_of_the_real_service(demo: Catalogue, reference: Any) -> None:
    lines = (reference / "real" / "keyword_service_nircam.csv").read_text("utf-8-sig").splitlines()
    real = set(next(line for line in lines if not line.startswith("#")).split(","))
    ours = set(columns_config("Mast.Jwst.Filtered.Nircam"))
    # A NIRSpec export was not recorded.
    assert ours - real == {"grating"}


def test_each_keyword_service_speaks_of_its_instrument_only(demo: Catalogue) -> None:
    counts = {}
    for service in ("NIRCam", "Nirspec", "Niriss", "Miri", "Fgs", "GuideStar"):
        params = {
            "columns": "filename,instrume",
            "filters": [{"paramName": "productLevel", "values": ["1b"]}],
        }
        reply: Any = answer(demo, {"service": f"Mast.Jwst.Filtered.{service}", "params": params})
        assert {row["instrume"] for row in reply["data"]} <= {service.upper(), "FGS"}
        counts[service] = {row["filename"] for row in reply["data"]}
    assert all(counts.values())
    assert all("_gs-" in name for name in counts["GuideStar"])
    assert not set.intersection(counts["Fgs"], counts["GuideStar"])


def test_times_are_continuous_and_names_discrete_for_the_client() -> None:
    config = columns_config("Mast.Caom.Cone")
    assert config["t_min"]["vot.datatype"] == "double"
    for column in ("obsid", "proposal_id", "instrument_name", "calib_level"):
        assert config[column]["vot.datatype"] in ("char", "int", "long")
    assert columns_config("Mast.Nothing") == {}
