"""`prep schema pull` and `prep schema diff` against an instance at the other end of HTTP."""

import os
import stat
from pathlib import Path

import pytest

from prep.sandbox import Fault, FaultKind, Sandbox, load_scenario
from tests.cli.conftest import Prep, connect, written

PULLED = """instance = "{host}"
extends = "lead"
absent = [
    "fax",
    "jigsawContactId",
    "jigsawContactStatus",
]

[fields.company]
length = 40

[fields.eventCode]
type = "string"
length = 255
display = "Event Code"

[fields.leadScore]
read_only = true

[fields.loyaltyPoints]
type = "integer"
display = "Loyalty Points"

[fields.memberSince]
type = "date"
display = "Member Since"
"""


@pytest.fixture
def custom(marketo: Sandbox) -> Sandbox:
    """An instance that differs from the standard one in every way."""
    marketo.add_field("company", display_name="Company Name", length=40)
    marketo.add_field("leadScore", display_name="Lead Score", data_type="integer", read_only=True)
    marketo.add_field("memberSince", display_name="Member Since", data_type="date")
    marketo.remove_field("fax")
    return marketo


def host(sandbox: Sandbox) -> str:
    return sandbox.url.removeprefix("http://")


def test_pull_writes_what_the_instance_says(prep: Prep, here: Path, custom: Sandbox) -> None:
    ended = prep("schema", "pull", "-o", "pulled.toml")
    where = host(custom)
    assert (ended.code, ended.err) == (0, "")
    assert (
        ended.out == f"pulled.toml: 126 fields of {where}; compared with lead 3 added, 3 removed, 2 changed\n"
    )
    comment, _, text = (here / "pulled.toml").read_text().partition("\n\n")
    assert text == PULLED.format(host=where)
    assert comment.startswith(f"# The lead fields of {where}, as it described them on 20")
    assert all(word not in comment for word in ("secret", "token"))
    assert stat.S_IMODE((here / "pulled.toml").stat().st_mode) == 0o666 & ~_umask()
    assert [path.name for path in here.iterdir()] == ["pulled.toml"]
    assert [request.path for request in custom.requests() if request.path.startswith("/rest")] == [
        "/rest/v1/leads/describe.json",
        "/rest/v1/leads/describe2.json",
    ]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_pull_leaves_a_file_alone_that_says_the_same_and_replaces_no_other(
    prep: Prep, here: Path, custom: Sandbox
) -> None:
    assert prep("schema", "pull", "-o", "pulled.toml").code == 0
    before = (here / "pulled.toml").read_bytes()

    again = prep("schema", "pull", "-o", "pulled.toml", "--json")
    assert (again.code, again.json["written"], again.json["fields"]) == (0, False, 126)
    assert (here / "pulled.toml").read_bytes() == before

    custom.remove_field("site")
    code, said = prep("schema", "pull", "-o", "pulled.toml").error
    assert (code, said) == (
        1,
        "Error: pulled.toml: is there already, and says something else\n"
        "Hint: prep schema diff pulled.toml instance shows what; --force replaces it.\n",
    )
    assert (here / "pulled.toml").read_bytes() == before

    forced = prep("schema", "pull", "-o", "pulled.toml", "--force", "--json")
    assert forced.json["written"]
    assert forced.json["removed"] == ["fax", "jigsawContactId", "jigsawContactStatus", "site"]
    assert forced.json["changed"][0] == {"field": "company", "key": "length", "before": 255, "after": 40}


def test_pull_leaves_a_file_alone_that_says_the_same_but_for_comments(prep: Prep, here: Path) -> None:
    file = here / "pulled.toml"
    assert prep("schema", "pull", "-o", file, "--sandbox").code == 0
    commented = f"# asked on Monday\n{file.read_text()}\n# and no more\n"
    file.write_text(commented)

    again = prep("schema", "pull", "-o", file, "--sandbox", "--json")

    assert (again.code, again.json["written"], file.read_text()) == (0, False, commented)


@pytest.mark.parametrize("text", ["no schema", 'extends = "lead"\n'])
def test_pull_from_the_sandbox_names_the_command_that_works_there(prep: Prep, here: Path, text: str) -> None:
    (here / "mine.toml").write_text(text)

    assert prep("schema", "pull", "-o", "mine.toml", "--sandbox").error == (
        1,
        "Error: mine.toml: is there already, and says something else\n"
        "Hint: prep schema diff mine.toml instance --sandbox shows what; --force replaces it.\n",
    )


def test_rules_of_ones_own_extend_what_was_pulled_from_another_folder(
    prep: Prep, here: Path, custom: Sandbox
) -> None:
    (here / "schemas").mkdir()
    assert prep("schema", "pull", "-o", "schemas/pulled.toml").code == 0
    mine = 'extends = "./pulled.toml"\n[fields.eventCode]\naliases = ["Messe"]\nrequired = true\n'
    written(here / "schemas" / "mine.toml", mine)
    written(here / "l.csv", "email,Messe,Company Name\na@example.com,X1,Winter\n,,Sommer\n")
    written(here / "wide.csv", f"email,Messe,Company Name\nb@example.com,X1,{'w' * 41}\n")

    assert prep("schema", "diff", "schemas/mine.toml", "instance").out == (
        "schemas/mine.toml and instance: no differences\n"
    )
    assert prep("schema", "diff", "schemas/pulled.toml", "schemas/mine.toml").out == (
        "~ eventCode                        required false → true\n"
        "~ eventCode                        aliases none → Messe\n"
        "schemas/pulled.toml and schemas/mine.toml: 0 added, 0 removed, 1 changed\n"
    )
    ended = prep("check", "l.csv", "wide.csv", "--schema", "schemas/mine.toml", "--json")
    assert ended.json["counts"]["ready"] == 1
    assert {(reason["code"], reason["field"]) for reason in ended.json["reasons"]} == {
        ("too_long", "company"),
        ("missing_lookup", "email"),
        ("required", "eventCode"),
    }
    ended = prep("headers", "l.csv", "--schema", "schemas/mine.toml", "--json")
    assert [column["field"] for column in ended.json["mapping"]] == ["email", "eventCode", "company"]


def test_diff_tells_rules_over_several_fields(prep: Prep, here: Path) -> None:
    rule = '[[rules]]\nname = "{}"\nif = {{ filled = "city" }}\nthen = {{ filled = "{}" }}\n'
    written(
        here / "a.toml", 'extends = "lead"\n' + rule.format("Old", "state") + rule.format("Both", "state")
    )
    written(
        here / "b.toml", 'extends = "lead"\n' + rule.format("Both", "country") + rule.format("New", "state")
    )

    assert prep("schema", "diff", "a.toml", "a.toml").code == 0
    ended = prep("schema", "diff", "a.toml", "b.toml", "--json")
    assert (ended.code, ended.err) == (
        3,
        "- rule Both: if city is filled, then state is filled\n"
        "+ rule Both: if city is filled, then country is filled\n"
        "+ rule New: if city is filled, then state is filled\n"
        "- rule Old: if city is filled, then state is filled\n"
        "a.toml and b.toml: 0 added, 0 removed, 0 changed, rules: 3\n",
    )
    assert ended.json["rules"][1] == {
        "name": "New", "before": None, "after": "New: if city is filled, then state is filled"
    }  # fmt: skip
    assert prep("schema", "diff", "a.toml", "instance", "--sandbox", "--json").json["rules"] == []


def test_diff_tells_what_the_instance_has_less_more_and_otherwise(prep: Prep, custom: Sandbox) -> None:
    ended = prep("schema", "diff", "lead", "instance")
    assert (ended.code, ended.out) == (
        3,
        "+ eventCode                        string        255  Event Code\n"
        "+ loyaltyPoints                    integer            Loyalty Points\n"
        "+ memberSince                      date               Member Since\n"
        "- fax                              phone         255  Fax Number\n"
        "- jigsawContactId                  string             Marketo Data.com ID\n"
        "- jigsawContactStatus              string             Marketo Data.com Status\n"
        "~ company                          length 255 → 40\n"
        "~ leadScore                        read_only false → true\n"
        "lead and instance: 3 added, 3 removed, 2 changed\n",
    )
    answer = prep("schema", "diff", "instance", "lead", "--json").json
    assert answer["added"] == ["fax", "jigsawContactId", "jigsawContactStatus"]
    assert answer["changed"][-1] == {
        "field": "leadScore", "key": "read_only", "before": True, "after": False
    }  # fmt: skip
    assert answer["exit_code"] == 3
    assert prep("schema", "diff", "instance", "instance").code == 0


def test_a_role_that_may_not_ask_is_told(prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(faults=[Fault(kind=FaultKind.ACCESS_DENIED)]) as marketo:
        connect(monkeypatch, marketo.url)
        code, said = prep("schema", "pull", "-o", "pulled.toml").error
    assert code == 4
    assert said.startswith(
        "Error: GET /rest/v1/leads/describe.json: Marketo answered with code 603: access den"
    )
    assert list(here.iterdir()) == []


def test_the_second_call_may_be_missing(prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(faults=[Fault(kind=FaultKind.ACCESS_DENIED, at=2)]) as marketo:
        connect(monkeypatch, marketo.url)
        assert prep("schema", "pull", "-o", "pulled.toml").code == 0
        assert prep("schema", "diff", "pulled.toml", "instance").code == 0
    assert "lookup_fields" not in (here / "pulled.toml").read_text()


def test_a_schema_of_program_members_is_compared_with_their_fields(prep: Prep, here: Path) -> None:
    prep("schema", "pull", "--object", "program-members", "-o", "members.toml", "--sandbox")
    ended = prep("schema", "diff", "instance", "members.toml", "--sandbox")
    assert (ended.code, ended.out) == (0, "instance and members.toml: no differences\n")
    packaged = prep("schema", "diff", "program-member", "instance", "--sandbox", "--json").json
    assert not {"leadId", "membershipDate"} & {*packaged["removed"]}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("pull -o pulled.txt", 2, "-o pulled.txt does not end with .toml"),
        ("pull --sandbox", 2, "missing option '-o'"),
        ("pull -o none/pulled.toml --sandbox", 1, "No such file or directory"),
        ("diff lead nothing", 1, "there is no schema called 'nothing'"),
        ("diff lead instance", 1, "MARKETO_ENDPOINT is not set"),
    ],
)
def test_what_cannot_be_done_is_told(prep: Prep, here: Path, arguments: str, code: int, message: str) -> None:
    ended = prep("schema", *arguments.split())
    assert ended.code == code
    assert message in ended.err
    assert list(here.iterdir()) == []


def test_a_scenario_gives_the_stand_in_other_fields(here: Path) -> None:
    path = written(
        here / "scenario.toml",
        'absent = ["fax"]\n[[field]]\nrest_name = "company"\ndisplay_name = "Company Name"\nlength = 40\n'
        '[[field]]\nrest_name = "x"\ndata_type = "integer"\n',
    )
    with Sandbox(**load_scenario(path)._asdict()) as sandbox:
        sandbox.add_lead(email="a@example.com", x="1")
        with pytest.raises(ValueError, match="no such field: fax"):
            sandbox.add_lead(fax="1")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("absent = 'x'", "absent is a list of fields"),
        ("[[field]]", "not a REST name: ''"),
        ("[[field]]\nrest_name = 'x'\nlength = '1'", "length is of type int, not '1'"),
        ("[[field]]\nrest_name = 'x'\ndata_type = 'odd'", "unknown type 'odd'; there are boolean"),
        ("[[field]]\nname = 'x'", "unknown setting of a field 'name'; there are rest_name"),
    ],
)
def test_a_bad_field_in_a_scenario_is_told(prep: Prep, here: Path, content: str, message: str) -> None:
    written(here / "scenario.toml", content)
    code, said = prep("sandbox", "--scenario", "scenario.toml").error
    assert code == 1
    assert message in said
