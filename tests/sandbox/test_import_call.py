from collections.abc import Callable

import pytest
import requests

from prep.sandbox import Behaviour, Sandbox

Start = Callable[..., tuple[Sandbox, requests.Session]]

IMPORT = "/bulk/v1/leads.json"
FILE = {"file": ("leads.csv", b"email\nnew@example.com\n", "text/csv")}


def error(reply: requests.Response) -> tuple[str, str]:
    assert reply.status_code == 200
    body = reply.json()
    assert body["success"] is False
    assert "result" not in body
    (one,) = body["errors"]
    return one["code"], one["message"]


def test_the_reply_to_an_upload_has_marketos_form(api: requests.Session) -> None:
    reply = api.post(IMPORT, params={"format": "csv"}, files=FILE)
    assert reply.headers["content-type"] == "application/json;charset=UTF-8"
    assert reply.text == (
        '{"requestId":"2#15d672f8560",'
        '"result":[{"batchId":1001,"importId":"1001","status":"Queued"}],"success":true}'
    )


def test_older_replies_lack_the_import_id(start: Start) -> None:
    _, api = start(behaviour=Behaviour(import_id=False))
    reply = api.post(IMPORT, files=FILE)
    assert reply.json()["result"] == [{"batchId": 1001, "status": "Queued"}]


@pytest.mark.parametrize("place", ["params", "data"])
def test_parameters_may_stand_in_the_query_or_the_form(
    sandbox: Sandbox, api: requests.Session, place: str
) -> None:
    parameters = {"format": "SSV", "lookupField": "eventCode", "listId": "1002", "partitionName": "Europe"}
    content = b"eventCode;city\nFAIR-7;Ghent\n"
    arguments = {place: parameters}
    reply = api.post(IMPORT, files={"file": ("leads.ssv", content)}, **arguments)  # type: ignore[arg-type]  # one of two keywords
    sandbox.advance(60)
    (job,) = sandbox.jobs()
    assert reply.json()["success"] is True
    assert (job.file_format, job.lookup_fields, job.list_id, job.partition_name) == (
        "ssv",
        ("eventCode",),
        1002,
        "Europe",
    )
    lead = sandbox.leads()[-1]
    assert {name: lead[name] for name in ("eventCode", "city", "leadPartitionId")} == {
        "eventCode": "FAIR-7", "city": "Ghent", "leadPartitionId": "2",
    }  # fmt: skip
    assert sandbox.members(1002) == [1006]


def test_the_upload_is_kept_byte_for_byte(sandbox: Sandbox, api: requests.Session) -> None:
    content = '\ufeffemail,name\r\n"a,\r\n--b",\x00ä\r\n--\r\n'.encode()
    api.post(IMPORT, files={"file": ("leads.csv", content)})
    assert sandbox.upload(1001) == content


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"format": "xls"}, ("1003", "Invalid format 'xls'")),
        ({"lookupField": "userId"}, ("1006", "Lookup field 'userId' not found")),
        ({"lookupField": "Email"}, ("1006", "Lookup field 'Email' not found")),
        ({"lookupField": "firstName"}, ("1011", "Field 'firstName' not supported")),
        ({"lookupField": "dateOfBirth"}, ("1011", "Field 'dateOfBirth' not supported")),
        ({"listId": "999"}, ("1013", "Static list not found")),
        ({"listId": "Newsletter"}, ("1013", "Static list not found")),
        ({"partitionName": "Asia"}, ("1008", "Access denied to partition 'Asia'")),
    ],
)
def test_parameters_that_cannot_be_are_refused(
    sandbox: Sandbox, api: requests.Session, parameters: dict[str, str], expected: tuple[str, str]
) -> None:
    assert error(api.post(IMPORT, params=parameters, files=FILE)) == expected
    assert sandbox.jobs() == []


@pytest.mark.parametrize(
    "lookup",
    ["id", "cookies", "email", "twitterId", "facebookId", "linkedInId", "sfdcAccountId", "sfdcContactId",
     "sfdcLeadId", "sfdcLeadOwnerId", "sfdcOpptyId", "eventCode", "loyaltyPoints", "secondEmail"],
)  # fmt: skip
def test_lookup_fields_of_the_documented_list_and_custom_fields_are_taken(
    sandbox: Sandbox, api: requests.Session, lookup: str
) -> None:
    sandbox.add_field("secondEmail", data_type="email")
    reply = api.post(IMPORT, params={"lookupField": lookup}, files=FILE)
    assert reply.json()["success"] is True


@pytest.mark.parametrize("data_type", ["boolean", "date", "float", "text", "url", "phone"])
def test_custom_fields_of_other_types_are_no_lookup_fields(
    sandbox: Sandbox, api: requests.Session, data_type: str
) -> None:
    sandbox.add_field("custom", data_type=data_type)
    reply = api.post(IMPORT, params={"lookupField": "custom"}, files=FILE)
    assert error(reply) == ("1011", "Field 'custom' not supported")


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\r\n"])
def test_an_empty_file_is_refused(api: requests.Session, content: bytes) -> None:
    assert error(api.post(IMPORT, files={"file": ("leads.csv", content)})) == ("1003", "Empty file")


def test_switches_change_texts_and_codes(start: Start) -> None:
    _, api = start(
        behaviour=Behaviour(
            empty_file_message="Empty File", unknown_partition_code="1013", numeric_codes=True
        )
    )
    empty = api.post(IMPORT, files={"file": ("leads.csv", b"")}).json()
    partition = api.post(IMPORT, params={"partitionName": "Asia"}, files=FILE).json()
    assert empty["errors"] == [{"code": 1003, "message": "Empty File"}]
    assert partition["errors"][0]["code"] == 1013


FORM = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="l.csv"\r\n\r\nemail\n\r\n'


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        (FORM, PART + b"--b--\r\n", None),
        (FORM.replace("=b", '="b"'), PART + b"--b--", None),
        ("Multipart/Form-Data; boundary=b", PART.replace(b"Content-Disp", b"content-disp") + b"--b--", None),
        (FORM, b"--b\r\nContent-Disposition: form-data; name=other\r\n\r\nx\r\n--b--", ("1002", "file")),
        (FORM, PART, ("613", "Multipart")),
        (FORM, PART[:40], ("613", "Multipart")),
        (FORM, b"email\n", ("613", "Multipart")),
        (FORM, b"", ("613", "Multipart")),
        ("multipart/form-data", PART + b"--b--", ("613", "Multipart")),
        ("multipart/form-data; boundary=" + "b" * 300, PART + b"--b--", ("613", "Multipart")),
        ("text/csv", b"email\n", ("612", "Content Type")),
        ("application/json", b"{}", ("612", "Content Type")),
        ("", b"email\n", ("612", "Content Type")),
    ],
)
def test_what_counts_as_multipart(
    api: requests.Session, content_type: str, body: bytes, expected: tuple[str, str] | None
) -> None:
    reply = api.post(IMPORT, data=body, headers={"Content-Type": content_type})
    if expected is None:
        assert reply.json()["success"] is True
    else:
        code, message = error(reply)
        assert code == expected[0]
        assert expected[1] in message


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/nowhere", ("610", "Requested resource not found")),
        ("POST", "/rest/bulk/v1/leads.json", ("610", "Requested resource not found")),
        ("GET", "/bulk/v1/leads/batch/abc.json", ("610", "Requested resource not found")),
        ("GET", IMPORT, ("605", "HTTP Method not supported")),
        ("DELETE", "/bulk/v1/leads/batch/1001.json", ("605", "HTTP Method not supported")),
    ],
)
def test_unknown_paths_and_methods(
    api: requests.Session, method: str, path: str, expected: tuple[str, str]
) -> None:
    reply = api.request(method, path)
    assert error(reply) == expected
    assert ("warnings" in reply.json()) is (expected[0] == "610")


def body_of(size: int) -> bytes:
    head, tail = PART[: -len(b"\n\r\n")] + b"\n", b"\r\n--b--"
    return head + b"a" * (size - len(head) - len(tail)) + tail


@pytest.mark.parametrize(("size", "status"), [(10_000_000, 200), (10_000_001, 413), (12_000_000, 413)])
def test_the_whole_body_counts_towards_ten_megabytes(
    sandbox: Sandbox, api: requests.Session, size: int, status: int
) -> None:
    reply = api.post(IMPORT, data=body_of(size), headers={"Content-Type": FORM})
    assert reply.status_code == status
    assert len(sandbox.jobs()) == (status == 200)
    assert sandbox.requests()[-1].status == status


def test_the_limit_is_a_switch(start: Start) -> None:
    _, api = start(behaviour=Behaviour(max_body_bytes=500))
    statuses = [
        api.post(IMPORT, data=body_of(size), headers={"Content-Type": FORM}).status_code
        for size in (500, 501)
    ]
    assert statuses == [200, 413]
