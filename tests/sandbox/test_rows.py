"""What an import does with single rows: outcome, message and what the lead database holds afterwards."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from prep.sandbox import Behaviour, Sandbox

Start = Callable[..., tuple[Sandbox, requests.Session]]
ImportFile = Callable[..., int]

LONG = "x" * 256

NO_KEY = "failed Value for lookup field 'email' not found"
BAD_SCORE = "failed Invalid data type in field Lead Score"
RAGGED = "failed Number of values differs from the header"


def outcomes(sandbox: Sandbox) -> list[str]:
    return [f"{row.outcome} {row.message}".strip() for row in sandbox.rows()]


FIELD_CASES = [
    # field, accepted cells, refused cells
    ("leadScore", ["0", "-7", "+7", "007", "2147483647", "-2147483648"],
     ["2147483648", "-2147483649", "14.1", "1,000", "x", " 1", "1e3", "9" * 5000, "٣"]),
    ("urgency", ["1", "-1.5", ".5", "2."], ["14c", "1,5", "€5", "1e3", "nan", "."]),
    ("annualRevenue", ["1000000.00"], ["$5", "1 000"]),
    ("unsubscribed", ["true", "False", "TRUE"], ["other", "yes", "1", "t"]),
    ("dateOfBirth", ["2010-05-07", "2024-02-29"], ["2023-02-29", "9/21/20", "20100507", "2010-5-7"]),
    ("emailSuspendedAt", ["2010-05-07T15:41:32-05:00", "2020-08-30T05:49:48.000Z", "2020-08-30T05:49:48"],
     ["yesterday", "2020-08-30T25:49:48Z", "2020-08-30", "2020-08-30 05:49:48"]),
    ("firstName", ["x" * 255, "é" * 255], [LONG]),
    ("sicCode", ["x" * 40], ["x" * 41]),
    ("address", ["x" * 30_000, "é" * 15_000], ["x" * 30_001, "é" * 15_001]),
    ("phone", ["call me"], [LONG]),
    ("website", ["www.example.com"], [LONG]),
    ("secondEmail", ["a@example.com"], ["bademail", "ä@example.com"]),
    ("rate", ["99"], ["99%", "9.9"]),
]  # fmt: skip


KEPT = {
    "+7": "7",
    "007": "7",
    ".5": "0.5",
    "2.": "2",
    "1000000.00": "1000000",
    "False": "false",
    "TRUE": "true",
    "2010-05-07T15:41:32-05:00": "2010-05-07T20:41:32Z",
    "2020-08-30T05:49:48.000Z": "2020-08-30T05:49:48Z",
    "2020-08-30T05:49:48": "2020-08-30T05:49:48Z",
}
"""Accepted cells that are kept in another spelling."""


@pytest.mark.parametrize(("field", "accepted", "refused"), FIELD_CASES, ids=[case[0] for case in FIELD_CASES])
def test_each_type_accepts_and_refuses(
    sandbox: Sandbox,
    api: requests.Session,
    import_file: ImportFile,
    *,
    field: str,
    accepted: list[str],
    refused: list[str],
) -> None:
    sandbox.add_field("secondEmail", data_type="email", display_name="Second Email", length=255)
    sandbox.add_field("rate", data_type="percent", display_name="Rate")
    cells = accepted + refused
    rows = [f'{position}@example.com,"{cell}"' for position, cell in enumerate(cells)]
    import_file(sandbox, api, "\n".join([f"email,{field}", *rows]))
    assert [row.outcome for row in sandbox.rows()] == ["created"] * len(accepted) + ["failed"] * len(refused)
    stored = {lead["email"]: lead.get(field) for lead in sandbox.leads()}
    expected = [KEPT.get(cell, cell) for cell in accepted]
    assert [stored[f"{position}@example.com"] for position in range(len(accepted))] == expected


@pytest.mark.parametrize(
    ("field", "cell", "message"),
    [
        ("leadScore", "x", "Invalid data type in field Lead Score"),
        ("numberOfEmployees", "3000000000", "Invalid data type in field Num Employees"),
        ("dateOfBirth", "x", "Invalid data type in field Date of Birth"),
        ("firstName", LONG, "Value too long for field First Name"),
    ],
)
def test_messages_name_the_field_as_people_see_it(
    sandbox: Sandbox, api: requests.Session, import_file: ImportFile, *, field: str, cell: str, message: str
) -> None:
    import_file(sandbox, api, f"email,{field}\na@example.com,{cell}\n")
    assert outcomes(sandbox) == [f"failed {message}"]
    assert len(sandbox.leads()) == 6


def test_an_added_field_is_shown_by_its_rest_name_unless_told(
    sandbox: Sandbox, api: requests.Session, import_file: ImportFile
) -> None:
    sandbox.add_field("badgeNumber", data_type="integer")
    import_file(sandbox, api, "email,badgeNumber\na@example.com,x\n")
    assert outcomes(sandbox) == ["failed Invalid data type in field badgeNumber"]


@pytest.mark.parametrize(
    "address",
    ["abcds", "a@b", "a@example.c", "_a@example.com", "a@@example.com", "a b@example.com", "á@example.com",
     "a@exämple.com", "a@example.com\u202f", "a@.com", "a@example.com.", ".a@example.com"],
)  # fmt: skip
def test_a_bad_address_is_imported_with_a_warning(
    sandbox: Sandbox, api: requests.Session, import_file: ImportFile, address: str
) -> None:
    import_file(sandbox, api, f"email\n{address}\n")
    assert outcomes(sandbox) == ["warned Invalid email address"]
    assert sandbox.leads()[-1]["email"] == address


@pytest.mark.parametrize(
    "address", ["a@b.co", "a.b+c@mail.example.co.uk", "9@9.info", "O'Neil@example.com", "a@example.xn--p1ai"]
)
def test_a_good_address_is_not_warned_about(
    sandbox: Sandbox, api: requests.Session, import_file: ImportFile, address: str
) -> None:
    import_file(sandbox, api, f"email\n{address}\n")
    assert outcomes(sandbox) == ["created"]


KEY_CASES = [
    pytest.param(
        {},
        "email,city\nnew@example.com,A\nada.winter@example.com,B\n",
        ["created", "updated"],
        id="created and updated",
    ),
    pytest.param(
        {},
        "email\nADA.winter@Example.com\nfay.moss@example.com\n",
        ["updated", "updated"],
        id="email ignores case",
    ),
    pytest.param(
        {},
        "email\nnew@example.com\nNEW@example.com\n",
        ["created", "updated"],
        id="later row finds the earlier",
    ),
    pytest.param(
        {},
        "email\nshared.mailbox@example.com\n",
        ["failed Multiple leads match the lookup criteria"],
        id="several match",
    ),
    pytest.param({}, "city,email\nA,\nB,NULL\n", [NO_KEY, NO_KEY], id="no lookup value"),
    pytest.param({}, "city,Email\nA,a@example.com\n", [NO_KEY], id="no lookup column"),
    pytest.param({}, "city, email\nA,a@example.com\n", [NO_KEY], id="blank in the header"),
    pytest.param(
        {"lookupField": "id"},
        "id,city\n1000,A\n999,B\n01001,C\nx,D\n",
        ["updated", "failed Lead not found", "updated", "failed Invalid data type in field Id"],
        id="id updates only",
    ),
    pytest.param(
        {"lookupField": "eventCode"},
        "eventCode\nFAIR-01\nfair-01\n",
        ["updated", "created"],
        id="custom key is exact",
    ),
    pytest.param(
        {"lookupField": "loyaltyPoints"},
        "loyaltyPoints\n250\n251\nx\n",
        ["updated", "created", "failed Invalid data type in field Loyalty Points"],
        id="integer key",
    ),
    pytest.param({}, "email,id\nnew@example.com,1000\n", ["created"], id="id is only a key"),
    pytest.param(
        {},
        "leadScore,priority,email\nx,y,a@example.com\nx,y,\n",
        [BAD_SCORE, NO_KEY],
        id="one reason, the first",
    ),
    pytest.param({}, "email,leadScore\nabcds,x\n", [BAD_SCORE], id="failed beats warned"),
    pytest.param(
        {},
        "email\n\na@example.com\n\n\nb@example.com\n",
        ["created", "created"],
        id="blank lines do not count",
    ),
]


@pytest.mark.parametrize(("query", "content", "expected"), KEY_CASES)
def test_how_leads_are_looked_up(
    sandbox: Sandbox,
    api: requests.Session,
    import_file: ImportFile,
    *,
    query: dict[str, str],
    content: str,
    expected: list[str],
) -> None:
    import_file(sandbox, api, content, **query)
    assert outcomes(sandbox) == expected
    assert [row.row for row in sandbox.rows()] == list(range(1, len(expected) + 1))


def test_the_later_row_of_a_key_wins_cell_by_cell(
    sandbox: Sandbox, api: requests.Session, import_file: ImportFile
) -> None:
    import_file(sandbox, api, "email,firstName,city\nnew@example.com,Ann,Rome\nNew@Example.com,Anna,\n")
    assert sandbox.leads()[-1] == {
        "id": "1006", "email": "New@Example.com", "firstName": "Anna", "city": None,
        "createdAt": "2017-07-21T22:05:54Z", "updatedAt": "2017-07-21T22:05:54Z",
    }  # fmt: skip


def test_an_update_keeps_what_the_file_does_not_name(
    sandbox: Sandbox, api: requests.Session, import_file: ImportFile
) -> None:
    before = sandbox.leads()[0]
    import_file(sandbox, api, "email,city,country\nada.winter@example.com,Graz,NULL\n")
    changed = {"city": "Graz", "country": None, "updatedAt": "2017-07-21T22:05:54Z"}
    assert sandbox.leads()[0] == before | changed


def test_members_of_the_list_are_the_rows_that_were_taken(
    sandbox: Sandbox, api: requests.Session, import_file: ImportFile
) -> None:
    import_file(sandbox, api, 'email\nnew@example.com\nabcds\nada.winter@example.com\n""\n', listId=1003)
    assert sandbox.members(1003) == [1000, 1006, 1007]
    assert sandbox.members(1001) == []


def test_read_only_columns_and_unknown_columns_are_ignored(
    sandbox: Sandbox, api: requests.Session, import_file: ImportFile
) -> None:
    import_file(sandbox, api, "_row,email,createdAt,mktoName\n1,new@example.com,2001-01-01T00:00:00Z,x\n")
    lead = sandbox.leads()[-1]
    assert lead.keys() == {"id", "email", "createdAt", "updatedAt"}
    assert lead["createdAt"] == "2017-07-21T22:05:54Z"
    assert outcomes(sandbox) == ["created"]


SWITCH_CASES = [
    # switches, file, outcomes, values of the lead with the highest id
    pytest.param(
        {"header_case": "strict"},
        "EMAIL\na@example.com\n",
        [NO_KEY],
        {"email": "Fay.Moss@example.com"},
        id="header_case=strict",
    ),
    pytest.param(
        {"header_case": "lenient"},
        "EMAIL,FIRSTNAME,MARKETOSocialGender\na@example.com,Ann,f\n",
        ["created"],
        {"email": "a@example.com", "firstName": "Ann", "gender": "f"},
        id="header_case=lenient",
    ),
    pytest.param(
        {"unknown_column": "warn"},
        "email,colour\na@example.com,red\n",
        ["warned Field 'colour' not found"],
        {},
        id="unknown_column=warn",
    ),
    pytest.param(
        {"unknown_column": "fail"},
        "email,colour\na@example.com,red\n",
        ["failed Field 'colour' not found"],
        {},
        id="unknown_column=fail",
    ),
    pytest.param(
        {"read_only_column": "warn"},
        "email,mktoName\na@example.com,A\n",
        ["warned Field 'mktoName' not supported"],
        {"email": "a@example.com"},
        id="read_only_column=warn",
    ),
    pytest.param(
        {"read_only_column": "fail"},
        "email,mktoName\na@example.com,A\n",
        ["failed Field 'mktoName' not supported"],
        {},
        id="read_only_column=fail",
    ),
    pytest.param({"bom": "keep"}, "\ufeffemail\na@example.com\n", [NO_KEY], {}, id="bom=keep"),
    pytest.param(
        {"bom": "strip"},
        "\ufeffemail\na@example.com\n",
        ["created"],
        {"email": "a@example.com"},
        id="bom=strip",
    ),
    pytest.param(
        {"quotes": "lenient"},
        'email,city\na@example.com,"Ba"th\nb@example.com,"Bo\n',
        ["created", "created"],
        {"email": "b@example.com", "city": "Bo\n"},
        id="quotes=lenient",
    ),
    pytest.param(
        {"ragged_row": "fail"},
        "email,city\na@example.com\nb@example.com,B,C\n",
        [RAGGED, RAGGED],
        {},
        id="ragged_row=fail",
    ),
    pytest.param(
        {"ragged_row": "fill"},
        "email,city\nb@example.com,B,C\na@example.com\n",
        ["created", "created"],
        {"email": "a@example.com", "city": None},
        id="ragged_row=fill",
    ),
    pytest.param({"missing_lookup_column": "job"}, "city\nA\n", [], {}, id="missing_lookup_column=job"),
    pytest.param(
        {"blank_cell": "clear"},
        "email,loyaltyPoints\nFay.Moss@example.com,\n",
        ["updated"],
        {"loyaltyPoints": None},
        id="blank_cell=clear",
    ),
    pytest.param(
        {"blank_cell": "keep"},
        "email,loyaltyPoints\nFay.Moss@example.com,\n",
        ["updated"],
        {"loyaltyPoints": "250"},
        id="blank_cell=keep",
    ),
    pytest.param(
        {"blank_cell": "keep"},
        "email,loyaltyPoints\nFay.Moss@example.com,NULL\n",
        ["updated"],
        {"loyaltyPoints": None},
        id="blank_cell=keep",
    ),
    pytest.param(
        {"null_text": False},
        "email,city\nFay.Moss@example.com,NULL\n",
        ["updated"],
        {"city": "NULL"},
        id="null_text=False",
    ),
    pytest.param(
        {"null_text": False},
        "email,loyaltyPoints\nFay.Moss@example.com,NULL\n",
        ["failed Invalid data type in field Loyalty Points"],
        {"loyaltyPoints": "250"},
        id="null_text=False",
    ),
    pytest.param(
        {"too_long": "truncate"},
        f"email,city\na@example.com,{LONG}\n",
        ["created"],
        {"city": LONG[:255]},
        id="too_long=truncate",
    ),
    pytest.param(
        {"too_long": "truncate"},
        f"email,address\na@example.com,x{'é' * 15_000}\n",
        ["created"],
        {"address": "x" + "é" * 14_999},
        id="too_long=truncate",
    ),
    pytest.param(
        {"integer_bits": 64},
        ("email,leadScore\na@example.com,3000000000\nb@example.com,9223372036854775808\n"),
        ["created", BAD_SCORE],
        {"leadScore": "3000000000"},
        id="integer_bits=64",
    ),
    pytest.param(
        {"boolean_words": True},
        "email,unsubscribed\nb@example.com,0\na@example.com,Yes\n",
        ["created", "created"],
        {"unsubscribed": "true"},
        id="boolean_words=True",
    ),
    pytest.param(
        {"several_matches": "newest"},
        "email,city\nshared.mailbox@example.com,A\n",
        ["updated"],
        {},
        id="several_matches=newest",
    ),
    pytest.param(
        {"repeated_key": "create"},
        "email,city\na@example.com,A\na@example.com,B\n",
        ["created", "created"],
        {"city": "B"},
        id="repeated_key=create",
    ),
]


@pytest.mark.parametrize(("switches", "content", "expected", "values"), SWITCH_CASES)
def test_switches(
    start: Start,
    import_file: ImportFile,
    *,
    switches: dict[str, Any],
    content: str,
    expected: list[str],
    values: dict[str, str | None],
) -> None:
    sandbox, api = start(behaviour=Behaviour(**switches))
    import_file(sandbox, api, content)
    assert outcomes(sandbox) == expected
    assert sandbox.leads()[-1].items() >= values.items()


def test_of_several_matches_the_newest_is_the_one_changed_last(start: Start, import_file: ImportFile) -> None:
    sandbox, api = start(behaviour=Behaviour(several_matches="newest"))
    import_file(sandbox, api, "id,city\n1003,first\n", lookupField="id")
    import_file(sandbox, api, "email,city\nshared.mailbox@example.com,second\n")
    assert [lead.get("city") for lead in sandbox.leads()[3:5]] == ["second", None]


@pytest.mark.parametrize(
    ("switches", "content", "message"),
    [
        ({"missing_lookup_column": "job"}, "city\nA\n", "Import failed: Lookup field 'email' not found"),
        ({}, 'email\n"a@example.com\n', "Import failed: The file could not be read"),
        ({}, 'email\n"a@example.com"x\n', "Import failed: The file could not be read"),
    ],
)
def test_a_file_that_cannot_be_imported_ends_its_job_as_failed(
    start: Start, switches: dict[str, Any], content: str, message: str
) -> None:
    sandbox, api = start(behaviour=Behaviour(**switches))
    api.post("/bulk/v1/leads.json", files={"file": ("leads.csv", content)})
    seen = []
    for seconds in (0.5, 1):
        sandbox.advance(seconds)
        (job,) = sandbox.jobs()
        seen.append((job.status, job.processed, job.failed, job.warned, job.message))
    assert seen == [("Importing", 0, 0, 0, ""), ("Failed", 0, 0, 0, message)]
    assert len(sandbox.leads()) == 6


@pytest.mark.parametrize(
    ("file_format", "content"),
    [
        ("csv", 'email,city\r\na@example.com,"Bath, ""Avon""\nUK"\r\n'),
        ("tsv", 'email\tcity\na@example.com\t"Bath, ""Avon""\nUK"'),
        ("ssv", 'email;city\na@example.com;"Bath, ""Avon""\nUK"\n'),
        ("csv", 'city,email\r"Bath, ""Avon""\nUK",a@example.com\r'),
    ],
)
def test_formats_quotes_and_line_ends(
    sandbox: Sandbox, api: requests.Session, import_file: ImportFile, file_format: str, content: str
) -> None:
    import_file(sandbox, api, content, format=file_format)
    lead = sandbox.leads()[-1]
    assert (lead["email"], lead["city"]) == ("a@example.com", 'Bath, "Avon"\nUK')
