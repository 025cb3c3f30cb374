"""Where settings come from, and that no secret shows."""

import socket
from pathlib import Path
from shutil import rmtree

import pytest

from docs.reference.make import all_commands
from prep.sandbox import Sandbox

from .conftest import CLEAN, Prep, connect, names, written

DATED = "email,dateOfBirth\na@example.com,03/04/2001\na@example.com,05/06/2002\n"


def test_flag_before_environment_before_file_before_default(
    prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(here / "d.csv", DATED)

    assert prep("clean", "d.csv", "-o", "none.prep").code == 1  # by default no day and month are guessed
    written(here / "prep.toml", 'dates = "dmy"\nkeep = "first"')
    assert prep("clean", "d.csv", "-o", "file.prep", "--json").code == 0
    assert (here / "file.prep/chunks/leads-0001.csv").read_text().endswith("a@example.com,2001-04-03\n")
    monkeypatch.setenv("PREP_DATES", "mdy")
    assert prep("clean", "d.csv", "-o", "env.prep").code == 0
    assert (here / "env.prep/chunks/leads-0001.csv").read_text().endswith("a@example.com,2001-03-04\n")
    assert prep("clean", "d.csv", "-o", "flag.prep", "--dates", "dmy", "--keep", "last").code == 0
    assert (here / "flag.prep/chunks/leads-0001.csv").read_text().endswith("a@example.com,2002-06-05\n")


def test_a_list_of_the_command_line_takes_no_place_of_those_in_the_file(prep: Prep, here: Path) -> None:
    written(here / "l.csv", "email\na@example.com\nb@example.com\nc@example.com\n")
    written(here / "never.csv", "a@example.com\n")
    written(here / "extra.csv", "b@example.com\n")
    written(here / "prep.toml", 'suppress = ["never.csv"]')

    def held(*options: str) -> tuple[int, list[str]]:
        report = prep("check", "l.csv", *options, "--json").json
        return report["counts"]["suppressed"], [known["path"] for known in report["suppression"]]

    assert held() == (1, ["never.csv"])
    assert held("--suppress", "extra.csv") == (2, ["never.csv", "extra.csv"])
    assert held("--suppress", "extra.csv", "--suppress", "never.csv") == (2, ["never.csv", "extra.csv"])
    (here / "prep.toml").unlink()
    assert held("--suppress", "extra.csv") == (1, ["extra.csv"])


def test_a_constant_or_rule_of_the_command_line_takes_no_place_of_others_in_the_file(
    prep: Prep, here: Path
) -> None:
    written(here / "l.csv", "email,phone,title\na@example.com,1,Dr\na@example.com,22,D\n")
    written(
        here / "prep.toml",
        'keep = "merge"\n[set]\nleadSource = "Fair"\ncountry = "ES"\n'
        '[merge]\nphone = "first"\ntitle = "longest"\n',
    )

    def sent(*options: str) -> list[str]:
        assert prep("clean", "l.csv", "-o", "r.prep", *options, "--quiet").code == 0
        (chunk,) = (here / "r.prep/chunks").iterdir()
        lines = chunk.read_text().splitlines()
        rmtree(here / "r.prep")
        return lines

    assert sent() == ["email,phone,title,leadSource,country", "a@example.com,1,Dr,Fair,ES"]
    assert sent("--set", "country=PT", "--set", "city=Faro", "--merge", "phone=longest") == [
        "email,phone,title,leadSource,country,city",
        "a@example.com,22,Dr,Fair,PT,Faro",
    ]
    assert sent("--keep", "last", "--set", "country=PT")[1] == "a@example.com,22,D,Fair,PT"


def test_a_region_of_the_environment_is_for_the_imports_that_respell_phone_numbers(
    prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "leads.csv").write_text("email,phone\nada@example.com,612 345 678\n")
    monkeypatch.setenv("PREP_REGION", "ES")
    monkeypatch.setenv("PREP_PHONES", "e164")

    assert prep("check", "leads.csv").code == 0
    assert prep("check", "leads.csv", "--phones", "keep").code == 0
    assert prep("check", "leads.csv", "--phones", "keep", "--region", "ES").code == 2


def test_a_file_with_everything(prep: Prep, here: Path) -> None:
    written(here / "l.csv", "Work mail;Zzz\na@example.com;1\n")
    written(
        here / "prep.toml",
        """
        schema = "lead"
        lookup_field = "email"
        format = "ssv"
        map = {"Work mail" = "email"}
        unknown = "drop"
        set = {leadSource = "Fair = good", unsubscribed = false, leadScore = 5}
        keep = "merge"
        partition_name = "Europe"
        list_id = 1001
        max_bytes = 2000
        memory = "1GB"
        dates = "dmy"
        timezone = "Europe/Madrid"
        max_rejected = "5%"
        allow_rejects = true
        queue_slots = 2
        poll_seconds = 0.1
        timeout = 100
        """,
    )

    ended = prep("run", "l.csv", "--sandbox", "--json")

    assert ended.code == 0
    assert (ended.json["list_id"], ended.json["partition_name"]) == (1001, "Europe")
    assert ended.err.startswith("l.prep: sent to the local sandbox, list 1001, partition Europe; finished\n")
    assert (here / "l.prep/chunks/leads-0001.ssv").read_text() == (
        "email;leadSource;unsubscribed;leadScore\na@example.com;Fair = good;false;5\n"
    )


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("list-id", "Did you mean list_id?"),
        ("max-reject", "Did you mean max_rejected?"),
        ("lookup_feild", "Did you mean lookup_field?"),
        ("nonsense", "Settings: object, schema, "),
    ],
)
def test_a_setting_that_is_none_is_told_what_it_may_be(prep: Prep, here: Path, key: str, hint: str) -> None:
    written(here / "prep.toml", f"{key} = 3\n")
    code, said = prep("check", "leads.csv").error
    assert (code, f"Hint: {hint}" in said) == (1, True)


BAD_FILES = [
    ("nonsense = 1", "prep.toml: 'nonsense' is not a setting"),
    ("max_bytes = 'x'", "prep.toml: max_bytes is 'x'"),
    ("memory = 500", "prep.toml: memory is 500"),
    ("memory = '500'", "prep.toml: --memory does not know '500'"),
    ("max_bytes = true", "prep.toml: max_bytes is True"),
    ("max_bytes = 5", "prep.toml: --max-bytes is 5"),
    ("allow_rejects = 'yes'", "prep.toml: allow_rejects is 'yes'"),
    ("map = ['a=b']", "prep.toml: map is ['a=b']"),
    ("set = {a = {b = 1}}", "prep.toml: set is {'a': {'b': 1}}"),
    ("keep = 'frist'", "prep.toml: --keep does not know 'frist'"),
    ("max_rejected = 'x'", "prep.toml: --max-rejected does not know 'x'"),
    ("format = 'xml'", "prep.toml: invalid value for '--format': 'xml' is not one of 'csv', 'tsv', 'ssv'"),
    ("a = [", "prep.toml: is not TOML: Invalid value (at end of document)"),
    ("client_secret = 'canary'", "prep.toml: holds a client_secret"),
    ("[marketo]\nclient_secret = 'canary'", "prep.toml: holds a client_secret"),
    ("[marketo]\nendpont = 'x'", "prep.toml: 'endpont' is not a setting of [marketo]"),
    ("[marketo]\nendpoint = 5", "prep.toml: marketo.endpoint is not a text"),
    ("marketo = 5", "prep.toml: marketo is not a table"),
    ('[map]\n"Mail" = "email"\n\nconsent = "optIn"', "prep.toml: 'consent' stands below [map], as a column"),
    (
        "[map]  # columns\nmax_rejected = 5\n[set]\nleadSource = 'x'",
        "prep.toml: 'max_rejected' stands below [map], as a column",
    ),
    ("[ map ]\nsuppress = ['never.csv']", "prep.toml: 'suppress' stands below [map], as a column"),
    ('["map"]\r\nlist = "Fair"\r\n', "prep.toml: 'list' stands below [map], as a column"),
    ('schema = "a\\u0000b"', "prep.toml: schema is 'a\\x00b'"),
    (f"a = {'[' * 100_000}", "prep.toml: is nested too deeply"),
    (
        f"list_id = {'9' * 5000}",
        "prep.toml: is not TOML: Exceeds the limit (4300 digits) for integer string conversion: value has "
        "5000 digits; use sys.set_int_max_str_digits() to increase the limit",
    ),
]


@pytest.mark.parametrize(
    "content", ['[map]\n"list" = "city"', "keep = 'merge'\n[map]\nlists = 'city'", "[map]\n[set]\ncity = 'x'"]
)
def test_a_column_may_be_called_like_a_setting(prep: Prep, leads: Path, here: Path, content: str) -> None:
    """In quotes, as `prep headers --save` writes them; other files need not have it."""
    written(here / "prep.toml", content)

    assert prep("check", "leads.csv", "--allow-rejects").code == 0


@pytest.mark.parametrize(("content", "message"), BAD_FILES)
def test_what_is_wrong_with_prep_toml(
    prep: Prep, leads: Path, here: Path, content: str, message: str
) -> None:
    written(here / "prep.toml", content)

    ended = prep("clean", "leads.csv")

    assert ended.error[0] == 1
    assert ended.err.splitlines()[0] == f"Error: {message}"
    assert ended.err.splitlines()[1].startswith("Hint: ")
    assert "canary" not in ended.err
    assert names(here) == ["leads.csv", "prep.toml"]


def test_what_is_wrong_with_the_environment_is_a_setting_and_not_usage(
    prep: Prep, leads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREP_KEEP", "frist")
    assert prep("clean", leads).error == (
        1,
        "Error: PREP_KEEP: --keep does not know 'frist'\n"
        "Hint: It takes first, last, most-complete, merge or newest:FIELD.\n",
    )
    monkeypatch.setenv("PREP_KEEP", "")
    monkeypatch.setenv("PREP_MAX_BYTES", "x")
    ended = prep("clean", leads, "--json")
    assert (ended.code, ended.json["error"]["code"]) == (1, "bad_setting")


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("PREP_SUPPRESS", "Use --suppress, or suppress in prep.toml, and unset the variable."),
        ("PREP_CONSENT_COUNTRIES", "Use --consent-countries, or consent_countries in prep.toml, and unset"),
        ("PREP_MAP", "Use --map, or map in prep.toml, and unset the variable."),
        ("PREP_NO_HEADER", "Use --no-header, or no_header in prep.toml, and unset the variable."),
        ("PREP_JSON", "Use --json, and unset the variable."),
        ("PREP_SANDBOX", "Use --sandbox, and unset the variable."),
    ],
)
def test_a_variable_that_would_do_nothing_is_refused(
    prep: Prep, leads: Path, monkeypatch: pytest.MonkeyPatch, variable: str, hint: str
) -> None:
    monkeypatch.setenv(variable, "1")

    code, said = prep("run", leads).error

    assert (code, said.splitlines()[0]) == (1, f"Error: {variable} is not read")
    assert said.splitlines()[1].startswith(f"Hint: {hint}")
    assert names(leads.parent) == ["leads.csv"]
    assert prep("run", "--help").code == 0
    monkeypatch.setenv(variable, "")
    assert prep("clean", leads).code == 3


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("PREP_MAXBYTES", "PREP_MAX_BYTES"),
        ("PREP_DATE", "PREP_DATES"),
        ("PREP_POLL_SECOND", "PREP_POLL_SECONDS"),
        ("PREP_DB_URI", "PREP_DB_URL"),
    ],
)
def test_a_misspelt_variable_is_refused(
    prep: Prep, leads: Path, monkeypatch: pytest.MonkeyPatch, variable: str, meant: str
) -> None:
    monkeypatch.setenv(variable, "5")

    assert prep("status", leads).error == (
        1,
        f"Error: {variable} is not read\nHint: Did you mean {meant}? Else unset the variable.\n",
    )
    assert prep("run", "--help").code == 0
    monkeypatch.setenv(variable, "")
    assert prep("clean", leads).code == 3


def test_variables_that_some_command_reads_or_that_are_of_others_are_not_misspelt(
    prep: Prep, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = {str(option.envvar) for _, command in all_commands() for option in command.params if option.envvar}
    for name in {*read, "PREP_NOPE", "PREP_HOME", "PREP_VERSION", "PREP_CORPORA", "PREP_ALL_EXAMPLES"}:
        monkeypatch.setenv(name, "1")

    assert "PREP_MAX_BYTES" in read
    assert prep("schema", "list").code == 0


def test_the_run_folder_has_a_long_option_as_well(prep: Prep, leads: Path, here: Path) -> None:
    assert prep("clean", leads, "--out", "mine.prep").code == 3
    assert (here / "mine.prep/manifest.json").exists()


def test_one_row_is_one_row(prep: Prep, here: Path) -> None:
    written(here / "one.csv", "email\na@example.com\n")
    assert "1 row read" in prep("check", "one.csv").err + prep("check", "one.csv").out


def test_a_variable_of_nested_commands_and_variables_that_are_no_option(
    prep: Prep, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PREP_DEBUG", "PREP_CORPORA", "PREP_DB_URL", "PREP_VERSION", "PREP_SUPPRESS"):
        monkeypatch.setenv(name, "1")
    assert prep("schema", "list").code == 0
    monkeypatch.setenv("PREP_JSON", "1")
    ended = prep("schema", "list", "--json")
    assert (ended.code, ended.json["error"]["code"]) == (1, "bad_setting")


def test_the_nearer_of_list_and_list_id_counts(
    prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(here / "l.csv", CLEAN)
    written(here / "prep.toml", 'list = "Newsletter"')

    assert prep("run", "l.csv", "--sandbox", "--list-id", 1003, "--json").json["list_id"] == 1003
    monkeypatch.setenv("PREP_LIST_ID", "1001")
    report = prep("run", "l.csv", "-o", "2.prep", "--sandbox", "--json").json
    assert (report["list_id"], report["list_name"]) == (1001, None)
    report = prep("run", "l.csv", "-o", "3.prep", "--sandbox", "--json", "--list", "Partner Leads").json
    assert (report["list_id"], report["list_name"]) == (1003, "Partner Leads")


SANDBOX_HINT = "or try everything without an account: --sandbox."


@pytest.mark.parametrize("missing", ["MARKETO_ENDPOINT", "MARKETO_CLIENT_ID", "MARKETO_CLIENT_SECRET"])
def test_missing_credentials(prep: Prep, leads: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    connect(monkeypatch, "https://123-abc-456.mktorest.com")
    monkeypatch.setenv(missing, " ")

    assert prep("run", leads).error == (
        1,
        f"Error: {missing} is not set\nHint: Set {missing} (or {missing}_FILE), {SANDBOX_HINT}\n",
    )
    assert names(leads.parent) == ["leads.csv"]


ENDPOINT_HINT = (
    "Set MARKETO_ENDPOINT to https://<munchkin id>.mktorest.com (Admin > Web Services). "
    "Another host must be named with --allow-host; plain http works for this machine only."
)
ENDPOINTS = [
    ("https://evil.example.com", "the endpoint is not an address that prep may talk to"),
    ("https://mktorest.com.evil.example", "the endpoint is not an address that prep may talk to"),
    ("https://user:canary@123.mktorest.com", "the endpoint is not an address that prep may talk to"),
    ("ftp://123.mktorest.com", "the endpoint is not an address that prep may talk to"),
    (
        "http://123-abc-456.mktorest.com",
        "the endpoint is plain http, which would show the credentials to the network",
    ),
    ("nonsense", "the endpoint is not an address that prep may talk to"),
]


@pytest.mark.parametrize(("endpoint", "message"), ENDPOINTS)
def test_endpoints_that_are_not_talked_to(
    prep: Prep, leads: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str, message: str
) -> None:
    connect(monkeypatch, endpoint)

    assert prep("run", leads).error == (1, f"Error: {message}\nHint: {ENDPOINT_HINT}\n")
    assert names(leads.parent) == ["leads.csv"]


def test_looking_too_often_is_for_this_machine_only(
    prep: Prep, leads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, "https://123-abc-456.mktorest.com")

    assert prep("run", leads).error == (
        1,
        "Error: --poll-seconds 0.05 is too often for 123-abc-456.mktorest.com\n"
        "Hint: Marketo asks for 5 seconds or more; less is for this machine only.\n",
    )


def test_credentials_in_files(
    prep: Prep, here: Path, marketo: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(here / "l.csv", CLEAN)
    for name in ("ENDPOINT", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.delenv(f"MARKETO_{name}")
        monkeypatch.setenv(f"MARKETO_{name}_FILE", f"secrets/{name}")
    (here / "secrets").mkdir()
    written(here / "secrets/ENDPOINT", f"{marketo.url}/rest\n")
    written(here / "secrets/CLIENT_ID", "id\n")

    assert prep("run", "l.csv").error == (
        1,
        "Error: MARKETO_CLIENT_SECRET_FILE: secrets/CLIENT_SECRET cannot be read: No such file or directory\n"
        "Hint: Check path and permissions.\n",
    )
    written(here / "secrets/CLIENT_SECRET", "\n")
    assert prep("run", "l.csv").error == (
        1,
        "Error: MARKETO_CLIENT_SECRET_FILE: secrets/CLIENT_SECRET is blank\n"
        "Hint: The file holds the value and nothing else.\n",
    )
    written(here / "secrets/CLIENT_SECRET", "secret\n")
    assert prep("run", "l.csv").code == 0
    for name, value in (("ENDPOINT", marketo.url), ("CLIENT_ID", "id"), ("CLIENT_SECRET", "secret")):
        (here / "secrets" / name).write_text(value, encoding="utf-8-sig")  # as some editors save it
    assert prep("run", "l.csv", "-o", "again.prep").code == 0


def test_credentials_in_prep_toml(
    prep: Prep, here: Path, marketo: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(here / "l.csv", CLEAN)
    for name in ("ENDPOINT", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.delenv(f"MARKETO_{name}")
    written(here / "secret.txt", "secret")
    written(
        here / "prep.toml",
        f'[marketo]\nendpoint = "{marketo.url}"\nclient_id = "id"\nclient_secret_file = "secret.txt"\n',
    )

    assert prep("run", "l.csv").code == 0
    monkeypatch.setenv("MARKETO_CLIENT_SECRET", "wrong")  # the environment comes before the file
    assert prep("doctor").code == 4


CANARY = "canary-5f1c93ab"


def test_wrong_credentials_are_refused_and_shown_nowhere(
    prep: Prep, here: Path, marketo: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(here / "l.csv", CLEAN)
    connect(monkeypatch, marketo.url, CANARY)

    ended = prep("run", "l.csv", "--json")

    assert ended.code == 4
    assert ended.json["exit_code"] == 4
    assert ended.json["counts"]["ready"] == 2
    assert ended.err.count("\n") == 2
    assert ended.json["error"]["hint"].endswith("prep resume l.prep carries on.")
    assert CANARY not in ended.out + ended.err
    files = [path for path in here.rglob("*") if path.is_file()]
    assert not any(CANARY.encode() in path.read_bytes() for path in files)
    monkeypatch.setenv("MARKETO_CLIENT_SECRET", "secret")
    assert prep("resume", "l.prep").code == 0
    assert len(marketo.leads()) == 8


def test_there_is_no_option_for_a_secret(prep: Prep, leads: Path) -> None:
    for flag in ("--client-secret", "--secret", "--password", "--token", "--client-id"):
        assert prep("run", leads, flag, "x").code == 2


def test_nobody_answers(prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between the attempts are taken out: nobody waits for them here."""
    written(here / "l.csv", CLEAN)
    monkeypatch.setattr("prep.marketo.throttle._BASE_SECONDS", 0.0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        connect(monkeypatch, f"http://127.0.0.1:{taken.getsockname()[1]}")

        waiting = "POST /identity/oauth/token: no connection, or it broke off; trying again in 0.0 s\n"
        assert prep("run", "l.csv").error == (
            4,
            f"{waiting * 5}Error: POST /identity/oauth/token: no connection, or it broke off\n"
            "Hint: Check the network and MARKETO_ENDPOINT. prep resume l.prep carries on.\n",
        )
        assert prep("status", "l.prep").code == 4
        assert prep("report", "l.prep").code == 4


def test_doctor(prep: Prep, marketo: Sandbox) -> None:
    ended = prep("doctor", "--json")

    assert (ended.code, ended.json["exit_code"]) == (0, 0)
    assert [finding["name"] for finding in ended.json["findings"]] == [
        "versions",
        "schemas",
        "settings",
        "credentials",
        "quota",
        "clock",
        "fields",
        "lookup field",
    ]
    assert ended.err.count("\nok  ") == 7
    assert marketo.leads()[-1]["id"] == "1005"
    assert {request.place for request in marketo.requests()} == {"identity", "other"}


def test_doctor_names_what_is_wrong(prep: Prep, marketo: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKETO_CLIENT_SECRET", CANARY)
    ended = prep("doctor", "--json")
    assert (ended.code, ended.json["findings"][-1]["name"]) == (4, "credentials")
    assert ended.json["error"]["code"]
    assert CANARY not in ended.out + ended.err
    monkeypatch.delenv("MARKETO_ENDPOINT")
    ended = prep("doctor")
    assert ended.code == 1
    assert ended.out.splitlines()[-1] == (
        "FAIL  settings: MARKETO_ENDPOINT is not set. "
        f"Set MARKETO_ENDPOINT (or MARKETO_ENDPOINT_FILE), {SANDBOX_HINT}"
    )


def test_doctor_in_the_sandbox_leaves_nothing_behind(prep: Prep, here: Path) -> None:
    assert prep("doctor", "--sandbox").code == 0
    assert names(here) == []


def test_schema_commands(prep: Prep, here: Path) -> None:
    assert prep("schema", "list", "--json").json["schemas"][0]["name"] == "lead"
    shown = prep("schema", "show", "lead")
    assert "* email                            email " in shown.out
    assert "- createdAt " in shown.out
    assert prep("schema", "show", "lead", "--json").json["fields"][0]["name"]
    written(here / "mine.toml", 'extends = "lead"\n[fields.eventCode]\ntype = "strin"\n')
    code, said = prep("schema", "check", "mine.toml").error
    assert code == 1
    assert said.splitlines()[0] == "Error: mine.toml: fields.eventCode.type is 'strin'"
    written(here / "mine.toml", 'extends = "lead"\n[fields.eventCode]\ntype = "string"\n')
    assert prep("schema", "check", "mine.toml").code == 0
