"""The requests of a client that nobody here wrote: `marketorestpython`, the Python client on PyPI.

The client itself does not run here: PyPI has it as a source distribution only, and nothing is installed that
runs its own code to be built. These are the requests it makes, after its published source
(github.com/jepcastelein/marketo-rest-python, `client.py` and `helper/http_lib.py`). That they are the same is
not tested.
"""

import mimetypes
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from prep.sandbox import Behaviour, Sandbox

LEADS = "email,firstName,leadScore\nann@example.com,Ann,1\nben@example.com,Ben,one\nnobody,Cy,2\n"
JOB_SECONDS = 0.2


class Client:
    """Puts the token where the client does: into the query, or, since October 2025, into the header."""

    def __init__(self, host: str, *, token_in: str) -> None:
        self._host = host
        self._session = requests.Session()
        self._session.trust_env = False
        query = {"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret"}
        self.identity = self._get("/identity/oauth/token", query).json()
        self._query: dict[str, Any] = {}
        if token_in == "query":
            self._query["access_token"] = self.identity["access_token"]
        else:
            self._session.headers["Authorization"] = f"Bearer {self.identity['access_token']}"

    def import_lead(self, file_format: str, path: Path, **options: object) -> dict[str, Any]:
        with path.open("rb") as content:
            files: Any = {"file": (str(path), content, mimetypes.guess_type(path)[0])}
            query: Any = self._query | {"format": file_format} | options
            return _result(
                self._session.post(self._host + "/bulk/v1/leads.json", params=query, json=None, files=files)
            )

    def status(self, batch_id: int) -> dict[str, Any]:
        return _result(self._get(f"/bulk/v1/leads/batch/{batch_id}.json", self._query))

    def row_file(self, batch_id: int, kind: str) -> str:
        return self._get(f"/bulk/v1/leads/batch/{batch_id}/{kind}.json", self._query).text

    def leads(self, filter_type: str, values: list[str]) -> dict[str, Any]:
        form = self._query | {
            "_method": "GET",
            "filterValues": ",".join(values),
            "filterType": filter_type,
            "fields": "firstName",
        }
        headers = {"Content-type": "application/x-www-form-urlencoded; charset=utf-8"}
        return _result(self._session.post(self._host + "/rest/v1/leads.json", data=form, headers=headers))

    def _get(self, path: str, query: dict[str, Any]) -> requests.Response:
        return self._session.get(self._host + path, params=query, headers={"Accept-Encoding": "gzip"})

    def close(self) -> None:
        self._session.close()


def _result(reply: requests.Response) -> dict[str, Any]:
    body = reply.json()
    assert body["success"], body["errors"]
    (result,) = body["result"]
    return dict(result)


@pytest.fixture(params=["query", "header"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    behaviour = Behaviour(legacy_token=request.param == "query")
    with Sandbox(job_seconds=JOB_SECONDS, behaviour=behaviour) as sandbox:
        client = Client(sandbox.url, token_in=request.param)
        yield client
        client.close()


def test_it_imports_a_file_and_reads_what_became_of_it(client: Client, tmp_path: Path) -> None:
    assert set(client.identity) == {"access_token", "token_type", "expires_in", "scope"}
    path = tmp_path / "leads.csv"
    path.write_text(LEADS)
    submitted = client.import_lead("csv", path, lookupField="email", listId=1001, partitionName="Europe")
    assert submitted["status"] == "Queued"

    batch_id, patience = submitted["batchId"], time.monotonic() + 10
    while (job := client.status(batch_id))["status"] != "Complete":
        assert time.monotonic() < patience
        time.sleep(JOB_SECONDS / 4)
    assert job == submitted | {
        "status": "Complete",
        "numOfLeadsProcessed": 2,
        "numOfRowsFailed": 1,
        "numOfRowsWithWarning": 1,
        "message": "Import completed with errors, 2 records imported (2 members), 1 failed, 1 warning.",
    }
    assert client.row_file(batch_id, "failures") == (
        "email,firstName,leadScore,Import Failure Reason\n"
        "ben@example.com,Ben,one,Invalid data type in field Lead Score\n"
    )
    assert client.row_file(batch_id, "warnings") == (
        "email,firstName,leadScore,Import Warning Reason\nnobody,Cy,2,Invalid email address\n"
    )
    assert client.leads("email", ["ann@example.com"])["firstName"] == "Ann"
