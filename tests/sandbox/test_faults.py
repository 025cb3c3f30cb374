from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from prep.sandbox import Behaviour, Fault, FaultKind, Sandbox, Scenario, load_scenario
from prep.sandbox.faults import Place

Start = Callable[..., tuple[Sandbox, requests.Session]]
ImportFile = Callable[..., int]

IMPORT = "/bulk/v1/leads.json"
BATCH = "/bulk/v1/leads/batch"
USAGE = "/rest/v1/stats/usage.json"
TOKEN = "/identity/oauth/token"
CREDENTIALS = {"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret"}


def observe(call: Callable[[], requests.Response]) -> str:
    """Say in a word what a client gets to see."""
    try:
        reply = call()
    except requests.ConnectionError:
        return "closed"
    if reply.status_code != 200:
        return str(reply.status_code)
    try:
        body = reply.json()
    except requests.JSONDecodeError:
        return "html" if "<html>" in reply.text else "not JSON"
    if not body["success"]:
        return str(body["errors"][0]["code"])
    return "queued" if body["result"] else "no result"


def submit(api: requests.Session, content: str = "email\nnew@example.com\n") -> requests.Response:
    files = {"file": ("leads.csv", content)}
    return api.post(IMPORT, files=files, allow_redirects=False)


UPLOAD_CASES = [
    # fault, what three uploads in a row get to see, how many were queued
    ("closed", "closed queued queued", 2),
    ("closed:2", "queued closed queued", 2),
    ("http-502:1", "502 queued queued", 2),
    ("http-503", "503 queued queued", 2),
    ("http-504:3", "queued queued 504", 2),
    ("redirect:2", "queued 307 queued", 2),
    ("lost-reply:2", "queued closed queued", 3),
    ("http-502-after", "502 queued queued", 3),
    ("http-503-after:2", "queued 503 queued", 3),
    ("http-504-after", "504 queued queued", 3),
    ("html-reply", "html queued queued", 3),
    ("broken-json", "not JSON queued queued", 3),
    ("empty-result", "no result queued queued", 3),
    ("queue-full:2", "1016 1016 queued", 1),
    ("rate-limit", "606 queued queued", 2),
    ("daily-quota:3", "607 607 607", 0),
    ("api-unavailable", "608 queued queued", 2),
    ("system-error", "611 queued queued", 2),
    ("transient-error:2", "713 713 queued", 1),
    ("token-invalid:2", "queued 601 601", 1),
    ("token-expired:3", "queued queued 602", 2),
    ("lost-reply:9", "queued queued queued", 3),
    ("file-502", "queued queued queued", 3),
]


@pytest.mark.parametrize(("fault", "seen", "queued"), UPLOAD_CASES, ids=[case[0] for case in UPLOAD_CASES])
def test_what_uploads_get_to_see(start: Start, fault: str, seen: str, queued: int) -> None:
    sandbox, api = start(faults=[fault])
    assert " ".join(observe(lambda: submit(api)) for _ in range(3)) == seen
    assert len(sandbox.jobs()) == queued
    uploads = [record for record in sandbox.requests() if record.place == "import"]
    assert len(uploads) == 3
    assert sum(record.batch_id is not None for record in uploads) == queued


def test_faults_of_one_place_follow_one_another(start: Start) -> None:
    sandbox, api = start(
        faults=["http-503", "lost-reply", "queue-full:2", Fault(kind=FaultKind.CLOSED, at=6)]
    )
    seen = " ".join(observe(lambda: submit(api)) for _ in range(7))
    assert seen == "503 1016 1016 closed queued closed queued"
    assert [record.status for record in sandbox.requests()] == [200, 503, 200, 200, None, 200, None, 200]
    assert [record.batch_id for record in sandbox.requests()[4:]] == [1001, 1002, None, 1003]


def test_a_fault_that_follows_success_waits_for_a_call_that_succeeds(start: Start) -> None:
    sandbox, api = start(faults=["lost-reply"])
    assert submit(api, "").json()["errors"][0]["code"] == "1003"
    assert observe(lambda: submit(api)) == "closed"
    assert len(sandbox.jobs()) == 1


def test_a_fault_may_strike_another_place_and_more_than_once(start: Start) -> None:
    fault = Fault(kind=FaultKind.HTTP_502, place=Place.STATUS, at=2, times=2)
    _, api = start(faults=[fault])
    submit(api)
    assert [api.get(f"{BATCH}/1001.json").status_code for _ in range(4)] == [200, 502, 502, 200]


def test_a_redirect_leads_to_another_host(start: Start) -> None:
    _, api = start(faults=["redirect"])
    reply = submit(api)
    assert (reply.status_code, reply.headers["location"]) == (307, f"https://elsewhere.invalid{IMPORT}")


def test_a_connection_closed_early_breaks_a_large_upload(start: Start) -> None:
    sandbox, api = start(faults=["closed"])
    with pytest.raises(requests.ConnectionError):
        submit(api, "email\n" + "a@example.com\n" * 600_000)
    assert sandbox.jobs() == []
    assert observe(lambda: submit(api)) == "queued"


def test_a_slow_reply_outlasts_the_client_and_does_not_keep_the_sandbox_from_stopping(start: Start) -> None:
    sandbox, api = start(faults=["slow-reply:3600"])
    with pytest.raises(requests.ReadTimeout):
        api.post(IMPORT, files={"file": ("leads.csv", "email\na@example.com\n")}, timeout=0.2)
    assert len(sandbox.jobs()) == 1
    with pytest.raises(requests.ReadTimeout):
        start(faults=["slow-reply:3600"])[1].post(IMPORT, files={"file": ("l.csv", "email\n")}, timeout=0.2)


def test_a_reply_that_is_a_little_slow_is_a_reply(start: Start) -> None:
    _, api = start(faults=[Fault(kind=FaultKind.SLOW_REPLY, seconds=0.001)])
    assert submit(api).json()["result"][0]["batchId"] == 1001


def test_a_job_can_end_as_failed(start: Start) -> None:
    sandbox, api = start(faults=["job-failed:2"])
    for _ in range(2):
        submit(api)
    sandbox.advance(60)
    assert [(job.status, job.processed, job.message) for job in sandbox.jobs()] == [
        ("Complete", 1, "Import succeeded, 1 records imported (1 members)"),
        ("Failed", 0, "Import failed"),
    ]
    assert api.get(f"{BATCH}/1002/failures.json").content == b""


@pytest.mark.parametrize(("fault", "code"), [("token-invalid:2", "601"), ("token-expired:2", "602")])
def test_a_token_can_die_in_the_middle_of_a_run(start: Start, fault: str, code: str) -> None:
    _, api = start(faults=[fault])
    seen = [observe(lambda: api.get(USAGE)) for _ in range(3)]
    fresh = api.get(TOKEN, params=CREDENTIALS).json()
    api.headers["Authorization"] = f"Bearer {fresh['access_token']}"
    seen.append(observe(lambda: api.get(USAGE)))
    assert seen == ["queued", code, code, "queued"]
    assert fresh["expires_in"] == 3600


def test_a_token_may_come_without_time_left() -> None:
    with Sandbox(time_scale=0, faults=["expires-in-0:2"]) as sandbox:
        replies = [requests.get(sandbox.url + TOKEN, params=CREDENTIALS, timeout=10).json() for _ in range(4)]
    assert [reply["expires_in"] for reply in replies] == [0, 0, 3600, 3600]
    assert replies[1]["access_token"] != replies[2]["access_token"] == replies[3]["access_token"]


def test_a_failure_file_can_come_at_the_second_try(start: Start, import_file: ImportFile) -> None:
    sandbox, api = start(faults=["file-502"])
    import_file(sandbox, api, 'email\n""\n')
    replies = [api.get(f"{BATCH}/1001/failures.json") for _ in range(2)]
    assert [reply.status_code for reply in replies] == [502, 200]
    assert replies[1].content.startswith(b"Import Failure Reason\n")


UPLOAD = (
    "email,firstName,dateOfBirth,urgency,leadScore\n"
    'A@example.com," Ann  Lee ",2001-02-03,2.75,x\n'
    "ok@example.com,Bo,,,1\n"
    "C@example.com,Cy,,0.5,y\n"
)
HEADER = "email,firstName,dateOfBirth,urgency,leadScore,Import Failure Reason\n"
REASON = "Invalid data type in field Lead Score"
FIRST = f"A@example.com, Ann  Lee ,2001-02-03,2.75,x,{REASON}\n"
LAST = f"C@example.com,Cy,,0.5,y,{REASON}\n"
NUMBER = "after the colon comes a whole number"
ODD = '"Invalid value: ""a,b;c\td""\nsee field"'

FILE_CASES = {
    "file-no-lookup": (
        "firstName,dateOfBirth,urgency,leadScore,Import Failure Reason\n"
        f" Ann  Lee ,2001-02-03,2.75,x,{REASON}\n"
        f"Cy,,0.5,y,{REASON}\n"
    ),
    "file-reordered": HEADER + LAST + FIRST,
    "file-trimmed": HEADER + FIRST.replace(" Ann  Lee ", "Ann Lee") + LAST,
    "file-recased": (
        f"{HEADER}a@example.com, ann  lee ,2001-02-03,2.75,x,{REASON}\nc@example.com,cy,,0.5,y,{REASON}\n"
    ),
    "file-redated": HEADER + FIRST.replace("2001-02-03", "2/3/2001") + LAST,
    "file-rounded": HEADER + FIRST.replace("2.75", "3") + LAST.replace("0.5", "0"),
    "file-short": HEADER + FIRST,
    "file-twice": HEADER + FIRST + FIRST.replace(REASON, "Duplicate value") + LAST,
    "file-empty": "",
    "file-odd-reasons": HEADER + FIRST.replace(REASON, ODD) + LAST.replace(REASON, ODD),
    "file-quoted": (
        '"email","firstName","dateOfBirth","urgency","leadScore","Import Failure Reason"\n'
        f'"A@example.com"," Ann  Lee ","2001-02-03","2.75","x","{REASON}"\n'
        f'"C@example.com","Cy","","0.5","y","{REASON}"\n'
    ),
    "file-bom-crlf": ("\ufeff" + HEADER + FIRST + LAST).replace("\n", "\r\n"),
    "file-reordered file-short file-bom-crlf": ("\ufeff" + HEADER + LAST).replace("\n", "\r\n"),
    "file-short file-empty": "",
}


@pytest.mark.parametrize(("faults", "expected"), FILE_CASES.items())
def test_failure_files_can_be_changed(
    start: Start, import_file: ImportFile, faults: str, expected: str
) -> None:
    sandbox, api = start(faults=faults.split())
    import_file(sandbox, api, UPLOAD)
    replies = [api.get(f"{BATCH}/1001/failures.json").content.decode() for _ in range(2)]
    assert replies == [expected, expected]
    (job,) = sandbox.jobs()
    assert (job.processed, job.failed) == (1, 2)


def test_changes_keep_the_delimiter_and_may_be_counted_and_placed(
    start: Start, import_file: ImportFile
) -> None:
    fault = Fault(kind=FaultKind.FILE_RECASED, place=Place.WARNINGS, times=1)
    sandbox, api = start(faults=["file-odd-reasons:1", fault])
    import_file(sandbox, api, 'city\temail\nBath, Avon\tBAD\n1\t""\n', format="tsv")
    failures, warnings = f"{BATCH}/1001/failures.json", f"{BATCH}/1001/warnings.json"
    assert [api.get(failures).text for _ in range(2)] == [
        f"city\tImport Failure Reason\n1\t{ODD}\n",
        "city\tImport Failure Reason\n1\tValue for lookup field 'email' not found\n",
    ]
    assert [api.get(warnings).text for _ in range(2)] == [
        "city\temail\tImport Warning Reason\nbath, avon\tbad\tInvalid email address\n",
        "city\temail\tImport Warning Reason\nBath, Avon\tBAD\tInvalid email address\n",
    ]


def test_a_lookup_column_that_is_missing_already_stays_so(start: Start, import_file: ImportFile) -> None:
    sandbox, api = start(faults=["file-no-lookup"])
    import_file(sandbox, api, "city\nBath\n")
    assert api.get(f"{BATCH}/1001/failures.json").text.startswith("city,Import Failure Reason\nBath,")


def test_what_has_struck_does_not_strike_again_after_a_restart(start: Start, tmp_path: Path) -> None:
    path, faults = tmp_path / "sandbox.sqlite", ["lost-reply:2", "queue-full:3"]
    first, api = start(path=path, faults=faults)
    seen = [observe(lambda: submit(api)) for _ in range(2)]
    first.stop()
    _, api = start(path=path, faults=faults)
    seen += [observe(lambda: submit(api)) for _ in range(4)]
    assert seen == ["1016", "1016", "1016", "closed", "queued", "queued"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("closed", Fault(kind=FaultKind.CLOSED)),
        ("lost-reply:2", Fault(kind=FaultKind.LOST_REPLY, at=2)),
        ("queue-full:3", Fault(kind=FaultKind.QUEUE_FULL, times=3)),
        ("slow-reply:5", Fault(kind=FaultKind.SLOW_REPLY, seconds=5)),
        ("file-short:1", Fault(kind=FaultKind.FILE_SHORT, times=1)),
    ],
)
def test_faults_have_a_short_form(text: str, fault: Fault) -> None:
    assert Fault.parse(text) == fault


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("", "unknown fault ''"),
        ("lost", "unknown fault 'lost'"),
        ("lost-reply:", "'lost-reply:': after the colon comes a whole number, which request for lost-reply"),
        (
            "queue-full:x",
            "'queue-full:x': after the colon comes a whole number, how many requests for queue-full",
        ),
        ("slow-reply:-1", "'slow-reply:-1': after the colon comes a whole number, seconds for slow-reply"),
        ("closed:0", "'closed:0': after the colon comes a whole number"),
        ("closed:1:2", "'closed:1:2': after the colon comes a whole number"),
    ],
)
def test_a_bad_fault_is_told_with_what_there_is(text: str, beginning: str) -> None:
    with pytest.raises(ValueError, match="the faults are closed, http-502") as caught:
        Sandbox(faults=[text])
    assert str(caught.value).startswith(beginning)
    assert str(caught.value).endswith(", ".join(FaultKind))


@pytest.mark.parametrize("kind", FaultKind)
def test_every_kind_has_a_line_for_people(kind: FaultKind) -> None:
    assert 10 < len(kind.description) < 70
    assert kind.description.isprintable()


def test_a_scenario_file_holds_switches_and_faults(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(
        """
        [behaviour]
        blank_cell = "keep"
        integer_bits = 64
        null_text = false
        window_seconds = 5

        [[fault]]
        kind = "lost-reply"
        at = 2

        [[fault]]
        kind = "slow-reply"
        seconds = 3
        place = "status"
        times = 4
        """
    )
    assert load_scenario(path) == Scenario(
        Behaviour(blank_cell="keep", integer_bits=64, null_text=False, window_seconds=5),
        (
            Fault(kind=FaultKind.LOST_REPLY, at=2),
            Fault(kind=FaultKind.SLOW_REPLY, seconds=3, place=Place.STATUS, times=4),
        ),
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[[faults]]", "unknown table 'faults'; there are behaviour, fault"),
        ("behaviour = 1", "behaviour is a table"),
        ("fault = [1]", "fault is a list of tables"),
        ("[[fault]]\nkind = 'lost'", "unknown fault 'lost'; the faults are closed"),
        ("[[fault]]\nat = 1", "unknown fault ''; the faults are closed"),
        ("[[fault]]\nkind = 'closed'\nwhen = 1", "unknown setting of a fault 'when'; there are kind, at"),
        ("[[fault]]\nkind = 'closed'\nat = '1'", "at is of type int, not '1'"),
        ("[[fault]]\nkind = 'closed'\nplace = 'x'", "place is one of identity, import, status"),
        ("[behaviour]\nblank = 1", "unknown switch 'blank'; there are header_case, unknown_column"),
        ("[behaviour]\nblank_cell = 'x'", "blank_cell is one of clear, keep, not 'x'"),
        ("[behaviour]\nnull_text = 1", "null_text is of type bool, not 1"),
        ("[behaviour]\ninteger_bits = true", "integer_bits is one of 32, 64, not True"),
        ("[behaviour]\nqueue_jobs = true", "queue_jobs is of type int, not True"),
        ("[behaviour", "Expected ']'"),
        (f"a = {'[' * 10_000}", "recursion"),
    ],
)
def test_a_bad_scenario_file_is_told_by_name(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"scenario\.toml: ") as caught:
        load_scenario(path)
    assert message in str(caught.value)


def test_a_scenario_file_may_begin_with_the_mark_of_its_encoding(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text('absent = ["company"]', encoding="utf-8-sig")
    assert load_scenario(path) == Scenario(absent=("company",))


def test_a_scenario_runs(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text("[behaviour]\nimport_id = false\n[[fault]]\nkind = 'closed'\n")
    settings: dict[str, Any] = load_scenario(path)._asdict()
    _, api = start(**settings)
    assert observe(lambda: submit(api)) == "closed"
    assert submit(api).json()["result"] == [{"batchId": 1001, "status": "Queued"}]
