import json
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import pytest
import requests

from prep.sandbox import Sandbox

Start = Callable[..., tuple[Sandbox, requests.Session]]

LEADS = "/rest/v1/leads.json"


def result(reply: requests.Response) -> list[dict[str, Any]]:
    body = reply.json()
    assert list(body)[:3] == ["requestId", "result", "success"]
    assert body["success"] is True
    rows: list[dict[str, Any]] = body["result"]
    return rows


def test_describe_lists_every_field(api: requests.Session) -> None:
    fields = result(api.get("/rest/v1/leads/describe.json"))
    shipped = json.loads(resources.files("prep.sandbox").joinpath("fields.json").read_text("utf-8"))
    assert [field["rest"]["name"] for field in fields] == [
        *(field["restName"] for field in shipped), "eventCode", "loyaltyPoints",
    ]  # fmt: skip
    described = {field["rest"]["name"]: field for field in fields}
    assert described["dateOfBirth"] == {
        "id": described["dateOfBirth"]["id"],
        "displayName": "Date of Birth",
        "dataType": "date",
        "rest": {"name": "dateOfBirth", "readOnly": False},
        "soap": {"name": "DateofBirth", "readOnly": False},
    }
    assert described["mktoName"] == {
        "id": described["mktoName"]["id"],
        "displayName": "Full Name",
        "dataType": "string",
        "length": 255,
        "rest": {"name": "mktoName", "readOnly": True},
    }


def test_describe2_names_searchable_fields_and_what_can_be_updated(
    sandbox: Sandbox, api: requests.Session
) -> None:
    sandbox.add_field("badge", data_type="string", display_name="Badge", length=40)
    (lead,) = result(api.get("/rest/v1/leads/describe2.json"))
    assert lead["name"] == "API Lead"
    assert sorted(name for (name,) in lead["searchableFields"]) == [
        "badge", "cookies", "email", "eventCode", "facebookId", "id", "linkedInId", "loyaltyPoints",
        "sfdcAccountId", "sfdcContactId", "sfdcLeadId", "sfdcLeadOwnerId", "sfdcOpptyId", "twitterId",
    ]  # fmt: skip
    assert lead["fields"][-1] == {
        "name": "badge",
        "displayName": "Badge",
        "dataType": "string",
        "length": 40,
        "updateable": True,
        "crmManaged": False,
    }
    read_only = {field["name"] for field in lead["fields"] if not field["updateable"]}
    assert {"mktoName", "createdAt", "ecids"} <= read_only
    assert "email" not in read_only


def test_only_long_replies_are_compressed_and_only_when_the_client_can_read_that(
    api: requests.Session,
) -> None:
    path = "/rest/v1/leads/describe.json"
    plain = api.get(path, headers={"Accept-Encoding": "identity"})
    packed = api.get(path, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json()["result"] == plain.json()["result"]
    short = api.get("/rest/v1/leads/partitions.json", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in short.headers


def test_partitions(api: requests.Session) -> None:
    assert result(api.get("/rest/v1/leads/partitions.json")) == [
        {"id": 1, "name": "Default", "description": "Initial system lead partition"},
        {"id": 2, "name": "Europe", "description": "People who live in Europe"},
    ]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", [1001, 1002, 1003, 1004]),
        ("?name=Newsletter", [1002]),
        ("?name=Newsletter,Webinar", [1002, 1004]),
        ("?id=1003,1001", [1001, 1003]),
        ("?id=1003&id=1001", [1001, 1003]),
        ("?name=newsletter", []),
        ("?programName=Trade%20Fair%202026", [1001]),
        ("?workspaceName=Default&id=1004", [1004]),
        ("?workspaceName=Other", []),
    ],
)
def test_lists_can_be_searched(sandbox: Sandbox, api: requests.Session, query: str, ids: list[int]) -> None:
    assert sandbox.add_list("Webinar") == 1004
    assert [row["id"] for row in result(api.get(f"/rest/v1/lists.json{query}"))] == ids


def test_one_list(api: requests.Session) -> None:
    assert result(api.get("/rest/v1/lists/1001.json")) == [
        {
            "id": 1001,
            "name": "Trade Fair 2026",
            "description": "Everybody who came to the stand",
            "programName": "Trade Fair 2026",
            "workspaceId": 1,
            "workspaceName": "Default",
            "createdAt": "2026-01-05T09:00:00Z",
            "updatedAt": "2026-01-05T09:00:00Z",
        }
    ]
    errors = api.get("/rest/v1/lists/77.json").json()["errors"]
    assert errors == [{"code": "1013", "message": "Static list not found"}]


def test_pages_follow_one_another(api: requests.Session) -> None:
    first = api.get("/rest/v1/lists.json", params={"batchSize": "2"}).json()
    assert ([row["id"] for row in first["result"]], first["moreResult"]) == ([1001, 1002], True)
    query = {"batchSize": "2", "nextPageToken": first["nextPageToken"]}
    second = api.get("/rest/v1/lists.json", params=query).json()
    assert [row["id"] for row in second["result"]] == [1003]
    assert "nextPageToken" not in second


def test_leads_by_email_with_the_usual_fields(api: requests.Session) -> None:
    rows = result(
        api.get(
            LEADS, params={"filterType": "email", "filterValues": "ADA.WINTER@example.com,no@example.com"}
        )
    )
    assert rows == [
        {"id": 1000, "email": "ada.winter@example.com", "updatedAt": "2017-07-21T22:05:53Z",
         "createdAt": "2017-07-21T22:05:53Z", "lastName": "Winter", "firstName": "Ada"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("filter_type", "values", "ids"),
    [
        ("email", "shared.mailbox@example.com", [1003, 1004]),
        ("email", "ada.winter@example.com,Ada.Winter@example.com,fay.moss@example.com", [1000, 1005]),
        ("id", "1002,1000,x,5", [1000, 1002]),
        ("eventCode", "FAIR-01,fair-01", [1000]),
        ("loyaltyPoints", "250", [1005]),
    ],
)
def test_leads_can_be_found_by_each_lookup_field(
    api: requests.Session, filter_type: str, values: str, ids: list[int]
) -> None:
    query = {"filterType": filter_type, "filterValues": values, "fields": "email"}
    assert [row["id"] for row in result(api.get(LEADS, params=query))] == ids


def test_values_come_back_in_the_type_of_their_field(sandbox: Sandbox, api: requests.Session) -> None:
    sandbox.add_lead(email="t@example.com", leadScore="5", urgency="1.5", unsubscribed="true", phone="012")
    fields = "leadScore,urgency,unsubscribed,phone,city"
    query = {"filterType": "email", "filterValues": "t@example.com", "fields": fields}
    assert result(api.get(LEADS, params=query)) == [
        {"id": 1006, "leadScore": 5, "urgency": 1.5, "unsubscribed": True, "phone": "012", "city": None}
    ]


def test_long_filters_go_by_post(sandbox: Sandbox, api: requests.Session) -> None:
    addresses = [f"{'x' * 30}{number}@example.com" for number in range(300)]
    for address in addresses[:3]:
        sandbox.add_lead(email=address)
    form = {"filterType": "email", "filterValues": ",".join(addresses)}
    assert api.get(LEADS, params=form).status_code == 414
    assert len(result(api.post(LEADS, params={"_method": "GET"}, data=form))) == 3
    assert len(result(api.post(LEADS, data=form | {"_method": "GET"}))) == 3
    assert api.post(LEADS, data=form).json()["errors"][0]["code"] == "605"


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ({}, "1003", "filterType not specified"),
        ({"filterType": "email"}, "1003", "filterValues not specified"),
        ({"filterType": "nickname", "filterValues": "x"}, "1003", "Invalid filterType 'nickname'"),
        ({"filterType": "firstName", "filterValues": "x"}, "1011", "Field 'firstName' not supported"),
        ({"filterType": "id", "filterValues": "1", "fields": "email,nope"}, "1006", "Field 'nope' not found"),
        ({"filterType": "id", "filterValues": "1", "batchSize": "x"}, "1001",
         "Invalid value 'x'. Required of type 'Integer'"),
        ({"filterType": "id", "filterValues": ",".join("1" * 301)}, "1003",
         "Too many values in filterValues, at most 300 are allowed"),
    ],
)  # fmt: skip
def test_filters_that_cannot_be(
    api: requests.Session, query: dict[str, str], code: str, message: str
) -> None:
    assert api.get(LEADS, params=query).json()["errors"] == [{"code": code, "message": message}]


def test_more_than_a_thousand_matches_are_refused_and_fewer_come_in_pages(
    sandbox: Sandbox, api: requests.Session
) -> None:
    query = {"filterType": "eventCode", "filterValues": "many", "fields": "id"}
    for _ in range(1000):
        sandbox.add_lead(eventCode="many")
    ids: list[int] = []
    token = "0"
    while token:
        body = api.get(LEADS, params=query | {"nextPageToken": token}).json()
        ids += [row["id"] for row in body["result"]]
        token = body.get("nextPageToken", "")
    assert ids == list(range(1006, 2006))
    sandbox.add_lead(eventCode="many")
    errors = api.get(LEADS, params=query).json()["errors"]
    assert errors == [{"code": "1003", "message": "Too many results match the filter"}]


def test_the_day_of_usage_is_the_one_whose_calls_count(start: Start) -> None:
    _, api = start(started_at=datetime(2026, 1, 10, 5, 59, tzinfo=UTC).timestamp())
    (usage,) = result(api.get("/rest/v1/stats/usage.json"))
    assert (usage["date"], usage["total"]) == ("2026-01-09", 0)


def test_usage_counts_the_calls_of_the_day(api: requests.Session) -> None:
    api.get("/nowhere")
    assert result(api.get("/rest/v1/stats/usage.json")) == [
        {"date": "2017-07-21", "total": 1, "users": [{"userId": "sandbox@example.com", "count": 1}]}
    ]
