from collections.abc import Callable

import pytest
import requests

from prep.sandbox import Behaviour, Sandbox

Start = Callable[..., tuple[Sandbox, requests.Session]]

IMPORT = "/bulk/v1/leads.json"
BATCH = "/bulk/v1/leads/batch"


def submit(
    api: requests.Session, content: str = "email\nnew@example.com\n", **query: int
) -> requests.Response:
    return api.post(IMPORT, params=query, files={"file": ("leads.csv", content)})


def statuses(sandbox: Sandbox) -> str:
    return "".join(job.status[0] for job in sandbox.jobs())


def test_jobs_run_two_at_a_time_in_the_order_they_came(sandbox: Sandbox, api: requests.Session) -> None:
    for _ in range(5):
        submit(api)
    seen = [statuses(sandbox)]
    for seconds in (0.5, 0.5, 0.5, 0.6, 0.5, 0.5):
        sandbox.advance(seconds)
        seen.append(statuses(sandbox))
    assert seen == ["QQQQQ", "IIQQQ", "IIQQQ", "CCIIQ", "CCCCI", "CCCCI", "CCCCC"]


def test_the_eleventh_job_is_refused_until_one_has_ended(sandbox: Sandbox, api: requests.Session) -> None:
    assert all(submit(api).json()["success"] for _ in range(10))
    message = "There are 10 imports currently being processed. Please try again later"
    assert submit(api).json()["errors"] == [{"code": "1016", "message": message}]
    sandbox.advance(1.1)
    assert [submit(api).json()["success"] for _ in range(3)] == [True, True, False]


def test_a_static_list_takes_one_import_at_a_time(sandbox: Sandbox, api: requests.Session) -> None:
    assert submit(api, listId=1001).json()["success"]
    assert submit(api, listId=1001).json()["errors"] == [{"code": "1019", "message": "Import in progress"}]
    assert submit(api, listId=1002).json()["success"]
    assert submit(api).json()["success"]
    sandbox.advance(1.1)
    assert submit(api, listId=1001).json()["success"]


def test_busy_lists_are_a_switch(start: Start) -> None:
    _, api = start(behaviour=Behaviour(busy_list=False))
    assert [submit(api, listId=1001).json()["success"] for _ in range(2)] == [True, True]


def status(api: requests.Session, batch_id: int = 1001) -> dict[str, object]:
    (result,) = api.get(f"{BATCH}/{batch_id}.json").json()["result"]
    assert isinstance(result, dict)
    return result


def test_counts_move_while_a_job_is_importing(sandbox: Sandbox, api: requests.Session) -> None:
    rows = ["a@example.com,1", ",2", "not an address,3", "b@example.com,x"]
    submit(api, "\n".join(["email,leadScore", *rows, ""]))
    seen = []
    for seconds in (0, 0.3, 0.25, 0.25, 0.25):
        sandbox.advance(seconds)
        now = status(api)
        counts = (now["numOfLeadsProcessed"], now["numOfRowsFailed"], now["numOfRowsWithWarning"])
        seen.append((now["status"], *counts, now["message"]))
    assert seen == [
        ("Queued", 0, 0, 0, ""),
        ("Importing", 1, 0, 0, ""),
        ("Importing", 1, 1, 0, ""),
        ("Importing", 2, 1, 1, ""),
        ("Complete", 2, 2, 1,
         "Import completed with errors, 2 records imported (2 members), 2 failed, 1 warning."),
    ]  # fmt: skip


def test_a_status_reply_has_marketos_form(sandbox: Sandbox, api: requests.Session) -> None:
    submit(api)
    sandbox.advance(2)
    assert api.get(f"{BATCH}/1001.json").text == (
        '{"requestId":"3#15d672f8d30","result":[{"batchId":1001,"importId":"1001","status":"Complete",'
        '"numOfLeadsProcessed":1,"numOfRowsFailed":0,"numOfRowsWithWarning":0,'
        '"message":"Import succeeded, 1 records imported (1 members)"}],"success":true}'
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", "Import succeeded, 0 records imported (0 members)"),
        ("a@example.com\nb@example.com\nc@example.com\n", "Import succeeded, 3 records imported (3 members)"),
        ('a@example.com\nb@example.com\n""\n',
         "Import completed with errors, 2 records imported (2 members), 1 failed"),
        ('""\n""\n""\n', "Import completed with errors, 0 records imported (0 members), 3 failed"),
        ("abcds\n", "Import succeeded, 1 records imported (1 members), 1 warning."),
    ],
)  # fmt: skip
def test_the_sentence_of_a_finished_job(
    sandbox: Sandbox, api: requests.Session, rows: str, message: str
) -> None:
    submit(api, "email\n" + rows)
    sandbox.advance(2)
    assert (status(api)["status"], status(api)["message"]) == ("Complete", message)


def test_a_job_of_no_time_is_queued_first_and_complete_when_anybody_asks(start: Start) -> None:
    sandbox, api = start(job_seconds=0)
    assert submit(api).json()["result"][0]["status"] == "Queued"
    assert statuses(sandbox) == "C"


def test_long_files_take_longer(sandbox: Sandbox, api: requests.Session) -> None:
    submit(api, "email\n" + "a@example.com\n" * 40_000)
    (job,) = sandbox.jobs()
    assert job.ends_at - job.starts_at == pytest.approx(2)


def test_rows_enter_the_lead_database_when_their_job_ends(sandbox: Sandbox, api: requests.Session) -> None:
    submit(api, "email,city\n" + "\n" * 40_000 + "new@example.com,first\n")
    submit(api, "email,city\nnew@example.com,second\n")
    cities = []
    for _ in range(3):
        sandbox.advance(1.1)
        cities.append([lead["city"] for lead in sandbox.leads() if lead["email"] == "new@example.com"])
    assert cities == [["second"], ["first"], ["first"]]
    assert [(row.batch_id, row.outcome) for row in sandbox.rows()] == [(1002, "created"), (1001, "updated")]


def test_jobs_that_are_due_at_once_are_taken_in_by_their_ends(
    sandbox: Sandbox, api: requests.Session
) -> None:
    submit(api, "email\n" + "\n" * 40_000 + "new@example.com\n")
    submit(api, "email\nnew@example.com\n")
    sandbox.advance(60)
    assert [(row.batch_id, row.outcome) for row in sandbox.rows()] == [(1002, "created"), (1001, "updated")]


def test_a_job_is_out_of_the_queue_at_the_moment_it_ends(start: Start) -> None:
    _, api = start(job_seconds=0)
    assert all(submit(api, listId=1001).json()["success"] for _ in range(12))


def test_batch_ids_are_known_for_seven_days(sandbox: Sandbox, api: requests.Session) -> None:
    submit(api)
    sandbox.advance(7 * 86_400)
    api.headers["Authorization"] = fresh_token(sandbox)
    assert status(api)["status"] == "Complete"
    sandbox.advance(1)
    for path in ("1001.json", "1001/failures.json", "1001/warnings.json", "999.json"):
        assert api.get(f"{BATCH}/{path}").json()["errors"] == [
            {"code": "1013", "message": "Object not found"}
        ]
    assert [job.status for job in sandbox.jobs()] == ["Complete"]


def test_the_code_of_unknown_batches_and_their_days_are_switches(start: Start) -> None:
    sandbox, api = start(behaviour=Behaviour(unknown_batch_code="1003", batch_days=0.01))
    submit(api)
    sandbox.advance(865)
    assert api.get(f"{BATCH}/1001.json").json()["errors"][0]["code"] == "1003"


def fresh_token(sandbox: Sandbox) -> str:
    query = {"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret"}
    reply = requests.get(f"{sandbox.url}/identity/oauth/token", params=query, timeout=10)
    return f"Bearer {reply.json()['access_token']}"
