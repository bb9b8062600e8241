"""The real client of MAST must take the demo archive for MAST."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from jwstwatch.demo.catalogue import Catalogue
from jwstwatch.demo.faults import Fault
from jwstwatch.demo.model import to_mjd
from jwstwatch.demo.server import ArchiveServer
from tests.demo.client import fetch
from tests.demo.conftest import NOW, TOKEN


def client_of(server: ArchiveServer) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from astroquery.mast.observations import ObservationsClass

    client = ObservationsClass()
    portal = client._portal_api_connection
    portal.MAST_REQUEST_URL = server.url + "/api/v0/invoke"
    portal.COLUMNS_CONFIG_URL = server.url + "/portal/Mashup/Mashup.asmx/columnsconfig"
    portal.MAST_DOWNLOAD_URL = server.url + "/api/v0.1/Download/file"
    portal._column_configs = {}
    client._auth_obj.SESSION_INFO_URL = server.url + "/whoami"
    return client


@pytest.fixture
def client(demo_server: ArchiveServer) -> Iterator[Any]:
    made = client_of(demo_server)
    yield made
    made._session.close()
    demo_server.faults.clear()


def test_criteria_with_a_wildcard_and_a_range_find_recent_observations(client: Any) -> None:
    today = to_mjd(NOW)
    table = client.query_criteria(obs_collection="JWST", instrument_name="NIRCAM*", t_min=[today - 1, today])
    assert len(table) == 9
    assert table["t_min"].dtype.kind == "f"
    assert set(table["dataRights"]) == {"PUBLIC", "EXCLUSIVE_ACCESS"}


def test_absent_values_arrive_masked_or_as_nan(client: Any) -> None:
    table = client.query_criteria(proposal_id="5224", calib_level=-1)
    assert np.isnan(table["t_min"][0])
    assert table["dataURL"].mask.tolist() == [True]
    assert table["calib_level"].tolist() == [-1]


def test_all_pages_of_a_query_are_gathered(client: Any, demo: Catalogue, demo_server: ArchiveServer) -> None:
    demo_server.requests.clear()
    table = client.query_criteria(obs_collection="JWST", pagesize=20)
    assert sorted(table["obs_id"]) == sorted(observation.obs_id for observation in demo.observations)
    assert len(demo_server.requests.queries("Mast.Caom.Filtered")) == 4


def test_a_count_is_understood(client: Any, demo: Catalogue) -> None:
    assert client.query_criteria_count(obs_collection="JWST") == len(demo.observations)


def test_the_metadata_of_both_tables_is_understood(client: Any) -> None:
    assert "t_min" in client.get_metadata("observations")["Column Name"]
    assert "dataURI" in client.get_metadata("products")["Column Name"]


def test_an_unfinished_query_is_asked_again_with_the_same_bytes(
    client: Any, demo_server: ArchiveServer
) -> None:
    demo_server.requests.clear()
    demo_server.faults.add(Fault(kind="executing", service="Mast.Caom.Filtered", times=2))
    assert len(client.query_criteria(proposal_id="1410")) == 2
    asked = demo_server.requests.queries("Mast.Caom.Filtered")
    assert len(asked) == 3
    assert len({request.question for request in asked}) == 1


def test_an_error_envelope_raises_with_the_servers_message(client: Any, demo_server: ArchiveServer) -> None:
    from astroquery.exceptions import RemoteServiceError

    demo_server.faults.add(Fault(kind="error", service="Mast.Caom.*", message="Incorrect syntax near '*'."))
    with pytest.raises(RemoteServiceError, match="Incorrect syntax"):
        client.query_criteria(proposal_id="1410")


def test_an_obs_id_in_place_of_a_number_is_refused(client: Any) -> None:
    from astroquery.exceptions import RemoteServiceError

    with pytest.raises(RemoteServiceError):
        client.get_product_list("jw01410001001_02101_00001_guider1")


def test_the_keyword_service_answers_the_general_client(client: Any) -> None:
    params = {
        "columns": "filename,checksum,ingestCompletionDate_mjd,isRestricted",
        "filters": [
            {"paramName": "program", "values": ["1345"]},
            {"paramName": "productLevel", "values": ["1b"]},
        ],
    }
    table = client._portal_api_connection.service_request("Mast.Jwst.Filtered.Nircam", params)
    assert len(table) == 12
    assert {len(checksum) for checksum in table["checksum"]} == {32}


def test_log_in_is_accepted_with_the_token_and_refused_with_another(client: Any) -> None:
    from astroquery.exceptions import LoginError

    with pytest.raises(LoginError):
        client._auth_obj.login("another")
    assert client._auth_obj.session_info()["anon"] is True
    assert client._auth_obj.login(TOKEN) is True
    assert client._auth_obj.session_info()["attrib"]["display_name"] == "Demo User"


def test_every_listed_file_downloads_with_its_stated_size_and_opens(
    client: Any, demo: Catalogue, demo_server: ArchiveServer
) -> None:
    table = client.query_criteria(obs_collection="JWST")
    products = client.get_product_list(table[table["calib_level"] != -1])
    assert set(products["dataURI"]) == set(demo.uris)
    sizes = dict(zip(products["dataURI"].tolist(), products["size"].tolist(), strict=True))
    for uri, size in sizes.items():
        answer = fetch(demo_server, uri, headers={"Authorization": f"token {TOKEN}"})
        assert answer.status == 200
        assert len(answer.body) == size == int(answer.headers["Content-Length"])
        check_opens(uri, answer.body)


def check_opens(uri: str, body: bytes) -> None:
    from astropy.io import fits
    from PIL import Image

    if uri.endswith(".fits"):
        with fits.open(io.BytesIO(body)) as opened:
            assert opened[0].header["FILENAME"] == uri.rpartition("/")[2]
            assert all(np.size(hdu.data) for hdu in opened[1:])
    elif uri.endswith((".jpg", ".png")):
        with Image.open(io.BytesIO(body)) as picture:
            picture.load()
    else:
        assert body.decode().strip()
