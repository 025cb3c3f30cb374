"""What Marketo is asked before the first byte is sent, and what its answers do to a run."""

import re
from pathlib import Path

import pytest

from prep.config import Destination
from prep.folder import RunFolder
from prep.ledger import Ledger
from prep.marketo import Marketo
from prep.pipeline import Run, clean, submit
from prep.sandbox import Behaviour, Fault, FaultKind, Sandbox
from prep.sandbox.faults import Place

from .conftest import CLEAN, Prep, connect, written

MINE = """extends = "lead"
[fields.badge]
length = 20
[fields.shirt]
[fields.visits]
"""
LEADS = """email,badge,shirt,visits
a@example.com,12345678901,M,3
b@example.com,1234567890,L,often
c@example.com,123456789012,,
d@example.com,,S,x
"""
ASKED = ["/rest/v1/leads/describe.json", "/rest/v1/leads/describe2.json"]
DENIED = "not checked: the API user's role may not ask (permission Read-Only Lead)"


def paths(sandbox: Sandbox) -> list[str]:
    return [request.path for request in sandbox.requests() if request.place != "identity"]


def uploads(sandbox: Sandbox) -> int:
    return sum(path == "/bulk/v1/leads.json" for path in paths(sandbox))


def host(sandbox: Sandbox) -> str:
    return sandbox.url.removeprefix("http://")


@pytest.fixture
def mine(here: Path) -> Path:
    """A schema with three fields that the instance does not have, and four rows that have them."""
    written(here / "l.csv", LEADS)
    return written(here / "mine.toml", MINE)


def test_fields_are_asked_for_once_before_the_first_upload_and_noted(
    prep: Prep, here: Path, marketo: Sandbox
) -> None:
    written(here / "l.csv", CLEAN)
    ended = prep("run", "l.csv", "--json")
    assert (ended.code, ended.json["preflight"]) == (0, [])
    assert paths(marketo)[:3] == [*ASKED, "/bulk/v1/leads.json"]
    with Ledger(here / "l.prep" / "ledger.sqlite") as ledger:
        noted = [exchange.path for exchange in ledger.exchanges()]
    assert noted[:4] == ["/identity/oauth/token", *ASKED, "/bulk/v1/leads.json"]
    assert len(noted) == len(marketo.requests())
    prep("resume", "l.prep")
    assert paths(marketo).count(ASKED[0]) == 1


def test_absent_and_read_only_fields_stop_a_run_before_anything_is_sent(
    prep: Prep, here: Path, marketo: Sandbox, mine: Path
) -> None:
    marketo.add_field("visits", read_only=True)
    command = ("run", "l.csv", "--schema", "mine.toml")
    expected = (
        1,
        f"Error: {host(marketo)}: there is no field badge, shirt; imports cannot write visits\n"
        "Hint: Clean again, into another folder and without these columns, or with the schema that "
        "`prep schema pull -o instance.toml` writes.\n",
    )
    assert prep(*command).error == expected
    assert prep(*command).error == expected
    assert prep("resume", "l.prep").error == expected
    assert uploads(marketo) == 0
    assert not (here / "l.prep" / "ledger.sqlite").exists()
    assert prep("report", "l.prep", "--json").json["counts"]["ready"] == 4

    for name in ("badge", "shirt", "visits"):
        marketo.add_field(name)
    assert prep("resume", "l.prep").code == 0
    assert uploads(marketo) == 1


def test_a_field_that_the_sandbox_lacks_names_the_pull_that_works_there(
    prep: Prep, here: Path, mine: Path
) -> None:
    refused = prep("run", "l.csv", "--schema", "mine.toml", "--sandbox").error

    assert refused == (
        1,
        "Error: sandbox: there is no field badge, shirt, visits\n"
        "Hint: Clean again, into another folder and without these columns, or with the schema that "
        "`prep schema pull -o instance.toml --sandbox` writes.\n",
    )


@pytest.mark.parametrize("blanks", ["send", "omit"])  # omit: not every upload file has every field
def test_shorter_and_other_types_are_told_with_the_rows_that_do_not_fit(
    prep: Prep, here: Path, marketo: Sandbox, mine: Path, blanks: str
) -> None:
    marketo.add_field("badge", length=11)
    marketo.add_field("shirt", length=255, data_type="phone")
    marketo.add_field("visits", data_type="integer")
    ended = prep("run", "l.csv", "--schema", "mine.toml", "--max-bytes", "1000", "--blanks", blanks)
    notes = [
        "note: badge: at most 11 characters in Marketo, 20 in the schema; 1 row of the upload does not fit",
        "note: visits: integer in Marketo, string in the schema; 2 rows of the upload do not fit",
    ]
    assert ended.err.splitlines() == notes
    assert [line.strip() for line in ended.out.splitlines()[1:3]] == notes
    assert ended.code == 3
    report = prep("report", "l.prep", "--json").json
    assert report["counts"]["failed"] == 3
    assert [(one["code"], one["field"], one["rows"]) for one in report["preflight"]] == [
        ("shorter", "badge", 1),
        ("other_type", "visits", 2),
    ]


@pytest.mark.parametrize(
    ("flags", "refusal"),
    [
        (("--list-id", "4711"), ("no_such_list", "Marketo has no static list 4711")),
        (("--list", "Nope"), ("no_such_list", "Marketo has no static list called 'Nope'")),
        (
            ("--partition-name", "Nope"),
            ("no_such_partition", "Marketo has no partition called 'Nope', or the API user may not use it"),
        ),
    ],
)
def test_a_list_or_partition_that_is_not_there_is_found_before_anything_is_sent(
    prep: Prep, here: Path, marketo: Sandbox, flags: tuple[str, str], refusal: tuple[str, str]
) -> None:
    written(here / "l.csv", CLEAN)
    ended = prep("run", "l.csv", *flags, "--json")
    error = ended.json["error"]
    assert (ended.code, error["code"], error["message"]) == (4, *refusal)
    assert uploads(marketo) == 0
    right = prep("submit", "l.prep", "--list-id", "1002", "--partition-name", "Europe")
    assert right.code == 0
    assert len(marketo.members(1002)) == 2


def test_the_name_of_a_list_may_have_a_comma(prep: Prep, here: Path, marketo: Sandbox) -> None:
    written(here / "l.csv", CLEAN)
    marketo.add_list("Fair")
    wanted = marketo.add_list("Fair, Berlin")
    assert prep("run", "l.csv", "--list", "Fair, Berlin").code == 0
    assert len(marketo.members(wanted)) == 2


def test_a_role_that_may_not_ask_can_import_all_the_same(
    prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(here / "l.csv", CLEAN)
    with Sandbox(job_seconds=0, faults=["access-denied:9"]) as marketo:
        connect(monkeypatch, marketo.url)
        ended = prep("run", "l.csv", "--list-id", "1002", "--partition-name", "Europe", "--json")
        assert len(marketo.members(1002)) == 2
    assert ended.code == 0
    assert [(one["code"], one["message"]) for one in ended.json["preflight"]] == [
        ("not_checked", f"the list: {DENIED}"),
        ("not_checked", f"the partition: {DENIED}"),
        ("not_checked", f"the fields of the upload: {DENIED}"),
    ]


@pytest.mark.parametrize("kind", [FaultKind.HTTP_502, FaultKind.BROKEN_JSON, FaultKind.SYSTEM_ERROR])
@pytest.mark.parametrize("call", [1, 2])
def test_a_passing_fault_of_a_question_is_waited_for(
    here: Path, kind: FaultKind, call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = clean(written(here / "l.csv", CLEAN))
    with Sandbox(job_seconds=0, faults=[Fault(kind=kind, at=call, place=Place.OTHER)]) as marketo:
        with Marketo(marketo.url, "id", "secret", sleep=lambda _: None) as client:
            done = submit(run, client, poll_seconds=(0.05, 0.05))
        assert (done.counts["imported"], uploads(marketo)) == (2, 1)


def test_a_quota_that_is_used_up_leaves_every_row_ready(
    prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(here / "l.csv", CLEAN)
    with Sandbox(job_seconds=0, faults=["daily-quota:1"]) as marketo:
        connect(monkeypatch, marketo.url)
        ended = prep("run", "l.csv", "--json")
        assert (ended.code, ended.json["error"]["code"]) == (4, "marketo_607")
        assert ended.json["counts"]["ready"] == 2
        assert uploads(marketo) == 0
        assert prep("resume", "l.prep").code == 0
        assert uploads(marketo) == 1


def test_whatever_stops_it_before_the_first_upload_leaves_the_folder_as_it_was(here: Path) -> None:
    run = clean(written(here / "l.csv", CLEAN))
    before = (run.path / "manifest.json").read_bytes()

    def stop(_: object) -> None:
        raise RuntimeError

    with Sandbox() as marketo, Marketo(marketo.url, "id", "secret") as client:
        with pytest.raises(RuntimeError):
            submit(run, client, on_ready=stop)
        assert uploads(marketo) == 0
    assert (run.path / "manifest.json").read_bytes() == before
    assert not (run.path / "ledger.sqlite").exists()


def test_the_lookup_field_is_looked_up_not_written(prep: Prep, here: Path, marketo: Sandbox) -> None:
    marketo.add_field("id", data_type="integer", read_only=True)
    written(here / "l.csv", "id,firstName\n1000,Adele\n")
    assert prep("run", "l.csv", "--lookup-field", "id").code == 0
    assert marketo.leads()[0]["firstName"] == "Adele"


def test_a_lookup_field_that_the_instance_has_otherwise_is_refused(
    prep: Prep, here: Path, marketo: Sandbox
) -> None:
    written(here / "mine.toml", 'extends = "lead"\n[fields.badge]\n')
    written(here / "l.csv", "badge,firstName\n1,Ada\n")
    marketo.add_field("badge", data_type="boolean")
    ended = prep("run", "l.csv", "--schema", "mine.toml", "--lookup-field", "badge")
    assert ended.code == 1
    assert "leads cannot be looked up by badge, which is of type boolean" in ended.err
    assert uploads(marketo) == 0


def test_a_folder_of_an_older_version_is_sent_without_comparing_types(here: Path) -> None:
    run = clean(written(here / "l.csv", CLEAN), destination=Destination("sandbox"))
    manifest = run.folder.manifest()
    raw = manifest.to_json()
    del raw["schema"]["fields"], raw["preflight"]
    old = type(manifest).from_json(raw)
    run.folder.write_manifest(old)
    with Sandbox(job_seconds=0, behaviour=Behaviour()) as marketo:
        marketo.add_field("firstName", length=2)
        with Marketo(marketo.url, "id", "secret") as client:
            done = submit(Run(RunFolder(run.path)), client, poll_seconds=(0.05, 0.05))
    assert done.report["preflight"] == []
    assert done.report["state"] == "reconciled"


def test_doctor_looks_at_fields_lookup_field_list_and_partition(
    prep: Prep, here: Path, marketo: Sandbox
) -> None:
    marketo.add_field("badge", data_type="boolean")
    marketo.remove_field("fax")
    written(here / "prep.toml", 'list = "Newsletter"\npartition_name = "Nope"\n')
    written(here / "mine.toml", 'extends = "lead"\n[fields.badge]\ntype = "string"\n')
    ended = prep("doctor", "--schema", "mine.toml", "--lookup-field", "badge", "--json")
    assert ended.code == 1
    assert [(one["name"], one["ok"], one["text"]) for one in ended.json["findings"][6:]] == [
        (
            "fields",
            True,
            "2 added, 3 removed, 1 changed in Marketo; prep schema diff mine.toml instance tells which",
        ),
        ("lookup field", False, "leads cannot be looked up by badge, which is of type boolean"),
        ("list", True, "Newsletter 1002"),
        (
            "partition",
            False,
            "Marketo has no partition called 'Nope', or the API user may not use it. "
            "It may use: Default, Europe.",
        ),
    ]
    assert ended.json["error"] == {
        "code": "not_in_instance",
        "message": "leads cannot be looked up by badge, which is of type boolean",
        "hint": "",
        "source": None,
        "row": None,
        "column": None,
    }


@pytest.mark.parametrize(
    ("arguments", "name", "error"),
    [
        (("--lookup-field", "firstName"), "lookup field", "bad_lookup_field"),
        (("--lookup-field", "eventCode"), "lookup field", "unknown_field"),
        (("--program", "9999"), "program", "no_program"),
        (("--program-status", "Member"), "program", "no_program"),
        (("--program", "9999", "--program-status", "Member"), "program", "no_such_program"),
        (("--list", "Nope"), "list", "no_such_list"),
    ],
)
def test_doctor_fails_what_other_commands_refuse_and_names_it_as_error(
    prep: Prep, arguments: tuple[str, ...], name: str, error: str
) -> None:
    answer = prep("doctor", "--sandbox", *arguments, "--json").json

    assert [finding["name"] for finding in answer["findings"] if not finding["ok"]] == [name]
    assert (answer["exit_code"], answer["error"]["code"]) == (1, error)


def test_doctor_asks_for_the_custom_object_that_a_schema_describes(prep: Prep, here: Path) -> None:
    prep("schema", "pull", "--object", "customobjects/service_c", "-o", "service_c.toml", "--sandbox")
    ended = prep("doctor", "--sandbox", "--schema", "service_c.toml")
    assert (ended.code, ended.out.splitlines()[6:]) == (
        0,
        ["ok    fields: as the schema says", "ok    lookup field: vin,servicedOn"],
    )
    other = (here / "service_c.toml").read_text().replace("service_c", "nope_c")
    written(here / "nope_c.toml", other)
    answer = prep("doctor", "--sandbox", "--schema", "nope_c.toml", "--json").json
    assert [finding["name"] for finding in answer["findings"] if not finding["ok"]] == ["fields"]
    assert (answer["exit_code"], answer["error"]["code"]) == (1, "no_such_object")
    answer = prep("doctor", "--sandbox", "--schema", "service_c.toml", "--lookup-field", "vin", "--json").json
    assert (answer["exit_code"], answer["error"]["message"]) == (
        1,
        "--lookup-field: Marketo looks service_c records up by vin and servicedOn alone",
    )


def test_doctor_asks_for_program_members_where_the_schema_is_of_these(prep: Prep, here: Path) -> None:
    prep("schema", "pull", "--object", "program-members", "-o", "members.toml", "--sandbox")
    written(here / "mine.toml", 'extends = "./members.toml"\n[fields.firstName]\nrequired = true\n')
    for schema in ("members.toml", "mine.toml"):
        ended = prep("doctor", "--sandbox", "--schema", schema)
        assert (ended.code, ended.out.splitlines()[6:]) == (
            0,
            ["ok    fields: as the schema says", "ok    lookup field: email"],
        )
    answer = prep("doctor", "--sandbox", "--schema", "mine.toml", "--lookup-field", "id", "--json").json
    assert answer["error"]["message"] == (
        "--lookup-field: Marketo looks members of a program up by email alone"
    )


def test_doctor_in_the_sandbox_names_the_command_that_works_there(prep: Prep) -> None:
    (shown,) = re.findall(r"prep (schema diff .*) tells which", prep("doctor", "--sandbox").out)

    assert shown == "schema diff lead instance --sandbox"
    assert prep(*shown.split()).code == 3


def test_doctor_goes_on_where_the_role_may_not_ask(prep: Prep, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = Fault(kind=FaultKind.ACCESS_DENIED, at=2, times=9)
    with Sandbox(faults=[fault]) as marketo:
        connect(monkeypatch, marketo.url)
        ended = prep("doctor", "--list-id", "1002", "--json")
    assert ended.code == 0
    assert [(one["name"], one["text"]) for one in ended.json["findings"][6:]] == [
        ("fields", DENIED),
        ("list", f"the list: {DENIED}"),
    ]


@pytest.mark.parametrize(
    ("aim", "told"),
    [
        (
            ("77", "On List"),
            (
                "marketo_1013",
                "Check --list-id, or --program: the number stands in the address of the list or program in "
                "Marketo; the list must be a static one.",
            ),
        ),
        (
            ("1014", "Nope"),
            ("marketo_1025", "Check --program-status: it must be a status of the program's channel."),
        ),
    ],
)
def test_a_program_that_could_not_be_asked_for_is_named_where_it_is_refused(
    prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch, aim: tuple[str, str], told: tuple[str, str]
) -> None:
    written(here / "l.csv", CLEAN)
    with Sandbox(job_seconds=0, faults=["access-denied:9"]) as marketo:
        connect(monkeypatch, marketo.url)
        into = ("--object", "program-members", "--program", aim[0], "--program-status", aim[1])
        ended = prep("run", "l.csv", *into, "--json")
    assert (ended.code, ended.json["error"]["code"]) == (4, told[0])
    assert ended.json["error"]["hint"].startswith(told[1])


def test_a_custom_object_that_may_not_be_imported_names_its_own_permission(
    prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(here / "c.csv", "vin,make\nV1,Opel\n")
    denied = Fault(kind=FaultKind.ACCESS_DENIED, place=Place.IMPORT)
    with Sandbox(job_seconds=0, faults=[denied]) as marketo:
        connect(monkeypatch, marketo.url)
        assert prep("schema", "pull", "--object", "customobjects/car_c", "-o", "car.toml").code == 0
        ended = prep("run", "c.csv", "--object", "customobjects/car_c", "--schema", "car.toml", "--json")
    assert (ended.code, ended.json["error"]["code"]) == (4, "marketo_603")
    assert ended.json["error"]["hint"].startswith(
        "The API user's role needs the permission Read-Write Lead, or Read-Write Custom Object for a custom "
        "object, and this machine's address must be on the instance's allow-list, if it has one."
    )
