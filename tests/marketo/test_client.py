"""Each answer of the server, and what the client makes of it."""

import contextlib
import logging
import traceback
from urllib.parse import parse_qs

import pytest

from prep.errors import OutcomeUnknownError, PrepError, TerminalError, TransientError
from prep.marketo import (
    FieldRecord,
    JobRecord,
    ListRecord,
    Marketo,
    PartitionRecord,
    PersonRecord,
    UsageRecord,
)
from prep.model import Exchange, Format, JobStatus

from .conftest import HTML, QUEUED, RESET, SECRET, TOKEN, Answer, Clock, Script, envelope, errors

CHUNK = b"email\nada@example.com\n"


def send(client: Marketo) -> int:
    return client.import_leads("leads-0001.csv", CHUNK)


def test_an_import_goes_out_as_documented(client: Marketo, script: Script) -> None:
    script.answers = [QUEUED]

    batch_id = client.import_leads(
        "leads-0001.tsv",
        CHUNK,
        format=Format.TSV,
        lookup_field="sfdcLeadId",
        list_id=7,
        partition_name="Rest & West",
    )

    assert batch_id == 3404
    (request,) = script.api_calls
    assert (request.method, request.path) == ("POST", "/bulk/v1/leads.json")
    assert parse_qs(request.query) == {
        "format": ["tsv"],
        "lookupField": ["sfdcLeadId"],
        "listId": ["7"],
        "partitionName": ["Rest & West"],
    }
    boundary = request.headers["Content-Type"].removeprefix("multipart/form-data; boundary=")
    head, _, rest = request.body.partition(b"\r\n\r\n")
    assert b'name="file"; filename="leads-0001.tsv"' in head
    assert rest == CHUNK + b"\r\n--" + boundary.encode() + b"--\r\n"
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["Content-Length"] == str(len(request.body))
    assert request.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (RESET, "no_connection"),
        (Answer(status=408), "http_408"),
        (Answer(status=500), "http_500"),
        (Answer(status=502, body=HTML.body), "http_502"),
        (Answer(status=503), "http_503"),
        (Answer(status=504), "http_504"),
        (Answer(status=599), "http_599"),
        (Answer(status=302, headers={"Location": "/elsewhere"}), "http_302"),
        (errors("500"), "marketo_500"),
        (errors("502"), "marketo_502"),
        (HTML, "unclear_reply"),
        (Answer(), "unclear_reply"),
        (Answer(body=b'{"success":tr'), "unclear_reply"),
        (Answer(body=b"[" * 100_000), "unclear_reply"),
        (Answer(body=b"[]"), "unclear_reply"),
        (Answer(status=202, body=b"{}"), "http_202"),
        (envelope(), "unclear_reply"),
        (envelope({"status": "Queued"}), "unclear_reply"),
        (envelope({"batchId": True}), "unclear_reply"),
        (envelope({"batchId": 0}), "unclear_reply"),
        (envelope({"batchId": 2**63}), "unclear_reply"),
        (envelope({"batchId": "9" * 5000}), "unclear_reply"),
        (errors(), "unclear_reply"),
        (errors("abc"), "unclear_reply"),
        (errors("611", "abc"), "unclear_reply"),
        (errors("611", "502"), "marketo_502"),
        (envelope({"batchId": 3404}, errors=[{"code": "611"}]), "unclear_reply"),
        (envelope({"batchId": 3404}, success=False, errors=[{"code": "611"}]), "unclear_reply"),
        (envelope({"batchId": 3404}, success=False), "unclear_reply"),
        (Answer(body=QUEUED.body, declares=5000), "no_connection"),
    ],
)
def test_an_import_that_may_have_arrived_is_not_repeated(
    client: Marketo, script: Script, answer: Answer, code: str
) -> None:
    script.answers = [answer]

    with pytest.raises(OutcomeUnknownError) as caught:
        send(client)

    assert caught.value.code == code
    assert len(script.api_calls) == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (errors("603"), "marketo_603"),
        (errors(603), "marketo_603"),
        (errors("605"), "marketo_605"),
        (errors("607"), "marketo_607"),
        (errors("609"), "marketo_609"),
        (errors("610"), "marketo_610"),
        (errors("612"), "marketo_612"),
        (errors("613"), "marketo_613"),
        (errors("714"), "marketo_714"),
        (errors("799"), "marketo_799"),
        (errors("1003"), "marketo_1003"),
        (errors("1006"), "marketo_1006"),
        (errors("1013"), "marketo_1013"),
        (errors("1099"), "marketo_1099"),
        (Answer(status=404), "http_404"),
        (Answer(status=413), "http_413"),
        (Answer(status=418), "http_418"),
        (Answer(status=307, headers={"Location": "https://example.com/"}), "http_307"),
    ],
)
def test_an_import_that_is_refused_stops(client: Marketo, script: Script, answer: Answer, code: str) -> None:
    script.answers = [answer]

    with pytest.raises(TerminalError) as caught:
        send(client)

    assert caught.value.code == code
    assert len(script.api_calls) == 1


@pytest.mark.parametrize("code", ["604", "606", "608", "611", "614", "615", "699", 606])
def test_an_import_that_was_not_executed_is_repeated(
    client: Marketo, script: Script, clock: Clock, code: object
) -> None:
    script.answers = [errors(code), errors(code), QUEUED]

    assert send(client) == 3404
    assert len(script.api_calls) == 3
    assert len(clock.slept) == 2
    if str(code) == "606":
        assert min(clock.slept) >= 20


@pytest.mark.parametrize("code", ["713", "719"])
def test_an_import_of_which_only_a_failure_is_told_is_not_repeated(
    client: Marketo, script: Script, code: str
) -> None:
    script.answers = [errors(code), QUEUED]

    with pytest.raises(OutcomeUnknownError) as caught:
        send(client)

    assert caught.value.code == f"marketo_{code}"
    assert len(script.api_calls) == 1


@pytest.mark.parametrize("code", ["1016", "1019"])
def test_a_busy_queue_is_left_to_the_scheduler(
    client: Marketo, script: Script, clock: Clock, code: str
) -> None:
    script.answers = [errors(code)]

    with pytest.raises(TransientError) as caught:
        send(client)

    assert caught.value.code == f"marketo_{code}"
    assert clock.slept == []


def test_a_body_that_did_not_leave_whole_was_not_executed(client: Marketo, script: Script) -> None:
    script.answers = [Answer(resets=True, reads=10), QUEUED]

    assert client.import_leads("leads-0001.csv", b"x" * 30_000_000) == 3404
    assert len(script.api_calls) == 2


def test_an_early_answer_to_a_large_body_is_read(client: Marketo, script: Script) -> None:
    script.answers = [Answer(status=413, reads=10)] + [Answer(resets=True, reads=10)] * 9

    with pytest.raises((TerminalError, TransientError)) as caught:
        client.import_leads("leads-0001.csv", b"x" * 30_000_000)

    assert caught.value.code in {"http_413", "no_connection"}


def test_retries_end(client: Marketo, script: Script, clock: Clock) -> None:
    script.answers = [errors("611")] * 50

    with pytest.raises(TransientError) as caught:
        send(client)

    assert caught.value.code == "marketo_611"
    assert len(script.api_calls) == 6
    assert all(seconds <= 30 for seconds in clock.slept)


def test_every_wait_for_another_attempt_is_told(client: Marketo, script: Script, clock: Clock) -> None:
    told: list[tuple[str, float]] = []
    client.on_wait = lambda error, seconds: told.append((error.code, seconds))
    script.answers = [errors("611"), Answer(status=503), errors("606"), envelope({"date": "x", "total": 5})]

    client.usage()

    assert [code for code, _ in told] == ["marketo_611", "http_503", "marketo_606"]
    assert [seconds for _, seconds in told] == clock.slept


def test_a_dead_server_is_soon_left_alone(client: Marketo, script: Script) -> None:
    script.answers = [Answer(status=503)] * 500

    for _ in range(20):
        with pytest.raises(TransientError):
            client.usage()

    assert len(script.api_calls) == 20 + 20, "one attempt for each call, and the budget of retries"


def test_no_more_calls_are_made_than_our_share(client: Marketo, script: Script, clock: Clock) -> None:
    script.answers = [envelope({"date": "2026-11-21", "total": 5})] * 51

    for _ in range(51):
        client.usage()

    assert clock.slept == [20], "the token was not counted"


def test_nobody_listening_is_not_executed(clock: Clock) -> None:
    client = Marketo("http://127.0.0.1:1", "id", SECRET, clock=clock, sleep=clock.sleep)

    with pytest.raises(TransientError) as caught:
        send(client)

    assert caught.value.code == "no_connection"
    assert len(clock.slept) == 5


@pytest.mark.parametrize(
    ("script_answers", "announced", "withdrawn"),
    [
        ([QUEUED], 1, 0),
        ([errors("611"), QUEUED], 2, 1),
        ([errors("602"), QUEUED], 2, 1),
        ([errors("603")], 1, 1),
        ([errors("1016")], 1, 1),
        ([RESET], 1, 0),
        ([HTML], 1, 0),
    ],
)
def test_each_attempt_is_announced_and_withdrawn_if_nothing_came_of_it(
    client: Marketo, script: Script, script_answers: list[Answer], announced: int, withdrawn: int
) -> None:
    script.answers = script_answers
    calls: list[str] = []

    def announce() -> None:
        assert "/identity/oauth/token" in script.calls[0], "the token is fetched before the intent"
        calls.append("announce")

    with contextlib.suppress(PrepError):
        client.import_leads(
            "leads-0001.csv", CHUNK, announce=announce, withdraw=lambda: calls.append("withdraw")
        )

    assert (calls.count("announce"), calls.count("withdraw")) == (announced, withdrawn)


def test_an_import_uses_a_fresh_connection(client: Marketo, script: Script) -> None:
    usage = envelope({"date": "2026-11-21", "total": 5})
    script.answers = [usage, usage, QUEUED]
    client.usage()
    client.usage()

    send(client)

    token, first, second, upload = (request.port for request in script.requests)
    assert token == first == second != upload


def test_the_status_of_a_job(client: Marketo, script: Script) -> None:
    script.answers = [
        envelope(
            {
                "batchId": 3404,
                "importId": "3404",
                "status": "Complete",
                "numOfLeadsProcessed": 2,
                "numOfRowsFailed": "1",
                "numOfRowsWithWarning": 0,
                "message": "Import completed with errors,\x1b[2J 2 records imported (2 members), 1 failed",
            }
        ),
        envelope({"batchId": 3404, "status": "importing"}),
    ]

    assert client.job(3404) == JobRecord(
        3404,
        JobStatus.COMPLETE,
        2,
        1,
        0,
        "Import completed with errors, [2J 2 records imported (2 members), 1 failed",
    )
    assert client.job(3404) == JobRecord(3404, JobStatus.IMPORTING, None, None, None, "")
    assert script.calls[1] == "GET /bulk/v1/leads/batch/3404.json"


@pytest.mark.parametrize(
    "answer",
    [
        HTML,
        RESET,
        Answer(status=503),
        Answer(body=b"{"),
        envelope(),
        envelope({"batchId": 3404, "status": "Completed"}),
        envelope({"batchId": 3405, "status": "Complete"}),
        errors("602"),
        errors("611"),
    ],
)
def test_a_status_call_is_repeated(client: Marketo, script: Script, answer: Answer) -> None:
    script.answers = [answer, envelope({"batchId": 3404, "status": "Queued"})]

    assert client.job(3404).status is JobStatus.QUEUED


@pytest.mark.parametrize("answer", [*map(errors, ("610", "702", "1003", "1004", "1013")), Answer(status=404)])
def test_a_batch_that_marketo_does_not_know(client: Marketo, script: Script, answer: Answer) -> None:
    script.answers = [answer]

    with pytest.raises(TerminalError) as caught:
        client.job(3404)

    assert caught.value.code == "unknown_batch"
    assert "3404" in caught.value.message


FILE = b'\xef\xbb\xbfemail,Import Failure Reason\r\n"a"b",{x}\r\n'


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([Answer(body=FILE, headers={"Content-Type": "text/csv;charset=UTF-8"})], FILE),
        ([Answer(body=FILE, headers={"Content-Type": "application/json"})], FILE),
        ([Answer(body=b'{"email"},reason\n')], b'{"email"},reason\n'),
        ([Answer(status=404)], b""),
        ([Answer()], b""),
        ([envelope()], b""),
        ([Answer(status=502), Answer(body=FILE)], FILE),
        ([HTML, Answer(body=FILE)], FILE),
        ([Answer(body=b"\r\n<!-- busy --><p>Try later"), Answer(body=FILE)], FILE),
        ([errors("611"), Answer(body=FILE)], FILE),
        ([errors("601"), Answer(body=FILE)], FILE),
        ([Answer(body=FILE, declares=len(FILE) + 9), Answer(body=FILE)], FILE),
    ],
)
@pytest.mark.parametrize("kind", ["failures", "warnings"])
def test_files_come_exactly_as_received(
    client: Marketo, script: Script, kind: str, answers: list[Answer], expected: bytes
) -> None:
    script.answers = list(answers)

    assert getattr(client, kind)(3404) == expected
    assert script.api_calls[-1].path == f"/bulk/v1/leads/batch/3404/{kind}.json"


@pytest.mark.parametrize(("code", "name"), [("603", "marketo_603"), ("1013", "unknown_batch")])
def test_an_error_in_place_of_a_file_is_an_error(
    client: Marketo, script: Script, code: str, name: str
) -> None:
    script.answers = [errors(code)]

    with pytest.raises(TerminalError) as caught:
        client.failures(3404)

    assert caught.value.code == name


def test_describe(client: Marketo, script: Script) -> None:
    script.answers = [
        envelope(
            {
                "id": 2,
                "displayName": "Company Name",
                "dataType": "string",
                "length": 255,
                "rest": {"name": "company", "readOnly": False},
                "soap": {"name": "Company", "readOnly": False},
            },
            {
                "id": 3,
                "displayName": "Created At",
                "dataType": "datetime",
                "rest": {"name": "createdAt", "readOnly": True},
            },
            {"id": 4, "displayName": "No REST name", "dataType": "string"},
        )
    ]

    assert client.describe() == (
        FieldRecord("company", "Company Name", "string", 255, False, "Company"),
        FieldRecord("createdAt", "Created At", "datetime", None, True, None),
    )


def test_lists_are_paged(client: Marketo, script: Script) -> None:
    script.answers = [
        envelope(
            {"id": 1, "name": "Expo", "programName": "P", "workspaceName": "Default"}, nextPageToken="a=="
        ),
        envelope({"id": 2, "name": "Expo"}),
    ]

    assert client.lists(name="Expo") == (
        ListRecord(1, "Expo", "P", "Default"),
        ListRecord(2, "Expo", None, None),
    )
    assert [request.query for request in script.api_calls] == ["name=Expo", "name=Expo&nextPageToken=a%3D%3D"]


def test_people_are_looked_up_page_by_page_with_the_keys_in_the_body(client: Marketo, script: Script) -> None:
    found = {"id": 7, "email": "ada@example.com", "leadScore": 3, "rate": 1e16, "optIn": False, "city": ""}
    script.answers = [envelope(found, nextPageToken="b=="), envelope({"id": 8}, {"email": "no id"})]
    fields = ["email", "leadScore", "rate", "optIn", "city", "company"]

    people = client.people("email", ["ada@example.com", "bo+x@example.org"], fields)

    assert people == (
        PersonRecord(
            7, {"email": "ada@example.com", "leadScore": "3", "rate": "10000000000000000", "optIn": "false"}
        ),
        PersonRecord(8, {}),
    )
    assert "ada@example.com" not in repr(people)
    assert [(r.method, r.path, r.query) for r in script.api_calls] == [
        ("POST", "/rest/v1/leads.json", "_method=GET")
    ] * 2
    asked = {
        "filterType": ["email"],
        "filterValues": ["ada@example.com,bo+x@example.org"],
        "fields": [",".join(fields)],
    }
    assert [parse_qs(r.body.decode()) for r in script.api_calls] == [
        asked,
        asked | {"nextPageToken": ["b=="]},
    ]


def test_partitions_and_usage(client: Marketo, script: Script) -> None:
    script.answers = [
        envelope({"id": 1, "name": "Default", "description": "Initial"}),
        envelope({"date": "2026-11-21", "total": 5, "users": []}),
    ]

    assert client.partitions() == (PartitionRecord(1, "Default", "Initial"),)
    assert client.usage() == UsageRecord("2026-11-21", 5)


def test_the_daily_quota_says_when_it_starts_anew(client: Marketo, script: Script) -> None:
    script.answers = [errors("607")]

    with pytest.raises(TerminalError) as caught:
        client.usage()

    assert caught.value.message == (
        "GET /rest/v1/stats/usage.json: Marketo answered with code 607: the daily quota of API "
        "calls is used up; it starts anew at 2026-11-19 00:00 CST (2026-11-19 06:00 UTC)"
    )


def test_exchanges_are_told_in_brief(client: Marketo, script: Script, exchanges: list[Exchange]) -> None:
    script.answers = [errors("611"), QUEUED]

    send(client)

    assert [(e.method, e.path, e.status, e.code) for e in exchanges] == [
        ("POST", "/identity/oauth/token", 200, ""),
        ("POST", "/bulk/v1/leads.json", 200, "marketo_611"),
        ("POST", "/bulk/v1/leads.json", 200, ""),
    ]


CANARIES = [
    [QUEUED],
    [RESET],
    [HTML],
    [Answer(status=503, body=TOKEN.encode() + SECRET.encode())],
    [Answer(status=302, headers={"Location": f"https://example.com/?{SECRET}"})],
    [errors("603")],
    [errors("601")] * 9,
    [envelope({"batchId": 1, "status": "Complete", "message": f"{TOKEN} {SECRET}"})],
]


@pytest.mark.parametrize("answers", CANARIES)
def test_secrets_show_nowhere(
    client: Marketo,
    script: Script,
    exchanges: list[Exchange],
    caplog: pytest.LogCaptureFixture,
    answers: list[Answer],
) -> None:
    caplog.set_level(logging.DEBUG)
    seen = [repr(client), str(client), repr(vars(client))]
    for call in (lambda: send(client), lambda: client.job(1)):
        script.answers = list(answers)
        try:
            seen.append(repr(call()))
        except PrepError as error:
            seen += [_own_frames(error), repr(error), error.hint, repr(error.__context__)]
        except IndexError:
            pass
    seen += [caplog.text, repr(exchanges), *(request.query for request in script.requests)]

    text = "\n".join(seen)
    assert len(text) > 100
    assert SECRET not in text
    assert TOKEN not in text


def _own_frames(error: PrepError) -> str:
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(f"{frame.name} {frame.locals}" for frame in trace.stack if "/prep/" in frame.filename)


def test_a_redirect_is_not_followed(client: Marketo, script: Script) -> None:
    script.answers = [Answer(status=307, headers={"Location": f"{script.url}/stolen"})]

    with pytest.raises(TerminalError):
        client.usage()

    assert "GET /stolen" not in script.calls


def test_a_netrc_file_does_not_replace_the_token(
    client: Marketo, script: Script, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    client._transport._session.trust_env = True
    script.answers = [QUEUED]

    send(client)

    assert script.api_calls[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert "Authorization" not in script.requests[0].headers
