"""What a schema asks for beyond types: lists of values, values that are cut, rules over several fields."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prep.errors import SchemaError, SettingsError
from prep.pipeline import Prepared, clean, prepare
from prep.schema import Field
from prep.schema_file import load_schema
from prep.values import Spelling, normalise
from prep.values.truncation import truncated
from tests.depth import examples


def write(folder: Path, rules: str, leads: str) -> tuple[Path, Path]:
    (folder / "mine.toml").write_text(f'extends = "lead"\n{rules}')
    (folder / "leads.csv").write_text(leads)
    return folder / "leads.csv", folder / "mine.toml"


def rejected(prepared: Prepared) -> dict[int, list[str]]:
    return dict(prepared.rejected.select("_row", "_reasons").rows())


LISTED = '[fields.leadStatus]\nallowed = ["New", "In  Talks", "open", "OPEN"]\n'


def test_a_listed_value_is_spelled_as_the_list_has_it(tmp_path: Path) -> None:
    """Values of the list that differ in case alone are understood as they are written only."""
    cells = ["New", " NEW", "in talks", "In  Talks", "open", "Open", "Now", ""]
    leads = "email,leadStatus\n" + "".join(f"{row}@example.com,{cell}\n" for row, cell in enumerate(cells, 1))
    path, schema = write(tmp_path, LISTED, leads)
    prepared = prepare(path, schema)
    assert prepared.ready["leadStatus"].to_list() == ["New", "New", "In  Talks", "In  Talks", "open", None]
    assert rejected(prepared) == {6: ["leadStatus:not_allowed"], 7: ["leadStatus:not_allowed"]}
    changes = clean(path, tmp_path / "leads.prep", schema=schema).report["changes"]
    assert {(change["rule"], change["cells"]) for change in changes} == {("allowed", 2), ("trim", 1)}


def test_nobody_called_null_becomes_a_listed_order_to_clear(tmp_path: Path) -> None:
    listed = (
        '[fields.lastName]\nallowed = ["NULL", "null", "Lund"]\n[fields.city]\nallowed = ["NULL", "Rom"]\n'
    )
    leads = "email,lastName,city\n1@example.com,LUND,Null\n2@example.com,Null,rom\n3@example.com,NULL,rom\n"
    prepared = prepare(*write(tmp_path, listed, leads))
    assert rejected(prepared) == {1: ["city:not_allowed"], 2: ["lastName:not_allowed"]}
    assert prepared.ready.select("lastName", "city").rows() == [(None, "Rom")]


def test_a_list_of_any_type_may_have_the_word_that_clears_a_field(tmp_path: Path) -> None:
    listed = "[fields.optIn]\ntype = 'boolean'\nallowed = ['true', 'NULL']\n"
    leads = "email,optIn\n1@example.com,yes\n2@example.com,NULL\n3@example.com,no\n"
    path, schema = write(tmp_path, listed, leads)
    prepared = prepare(path, schema, clear=["optIn"])
    assert prepared.ready["optIn"].to_list() == ["true", "NULL"]
    assert rejected(prepared) == {3: ["optIn:not_allowed"]}


def test_a_listed_value_is_no_word_for_nothing(tmp_path: Path) -> None:
    listed = (
        '[fields.country]\nallowed = ["Spain", "Unknown"]\n[fields.phone]\nallowed = ["n/a", "112"]\n'
        '[fields.state]\nallowed = ["None", "TX"]\nrequired = true\n'
    )
    leads = (
        "email,country,phone,state\n"
        "1@example.com,UNKNOWN,N/A,none\n"
        "2@example.com,n/a,unknown,TX\n"
        "3@example.com,spain,112,unknown\n"
    )
    prepared = prepare(*write(tmp_path, listed, leads))
    assert prepared.ready.drop("_source", "_row", "_line").rows() == [
        ("1@example.com", "Unknown", "n/a", "None"),
        ("2@example.com", None, None, "TX"),
    ]
    assert rejected(prepared) == {3: ["state:required"]}


def test_no_rows_merge_into_one_that_breaks_a_rule(tmp_path: Path) -> None:
    rules = """
[[rules]]
name = "closed"
if = { is = { rating = "hot" } }
then = { is = { leadStatus = "Closed" } }

[[rules]]
name = "seen"
if = { filled = "title" }
then = { filled = ["updatedAt", "phone"] }
"""
    leads = (
        "email,rating,leadStatus,title,phone,updatedAt\n"
        "ana@example.com,hot,Closed,,,\n"
        "ana@example.com,,Open,,112,\n"
        "bo@example.com,hot,Closed,,112,\n"
        "bo@example.com,,,,,\n"
        "cy@example.com,,,CEO,112,2026-01-01T00:00:00Z\n"
        "cy@example.com,,New,,,\n"
        "di@example.com,,,CEO,112,2026-01-01T00:00:00Z\n"
        "di@example.com,hot,Closed,NULL,,2026-01-01T00:00:00Z\n"
        "ed@example.com,,,CEO,112,2026-01-01T00:00:00Z\n"
        "ed@example.com,,New,NULL,NULL,\n"
    )
    path, schema = write(tmp_path, rules, leads)
    run = clean(
        path,
        tmp_path / "leads.prep",
        schema=schema,
        keep="merge",
        merge={"rating": "newest:updatedAt"},
        clear=["title", "phone"],
    )
    assert (run.path / "chunks" / "leads-0001.csv").read_text() == (
        "email,rating,leadStatus,title,phone\n"
        "ana@example.com,,Open,,112\n"
        "bo@example.com,hot,Closed,,112\n"
        "cy@example.com,,New,,\n"
        "di@example.com,hot,Closed,NULL,112\n"
        "ed@example.com,,New,NULL,NULL\n"
    )
    assert (run.path / "merged.csv").read_text("utf-8-sig") == (
        "field,value,_source,_row,_kept_source,_kept_row\n"
        f"rating,hot,{path},1,{path},2\n"
        f"leadStatus,Closed,{path},1,{path},2\n"
        f"title,CEO,{path},5,{path},6\n"
        f"phone,112,{path},5,{path},6\n"
        f"title,CEO,{path},7,{path},8\n"
        f"title,CEO,{path},9,{path},10\n"
        f"phone,112,{path},9,{path},10\n"
    )


RULES = """
[[rules]]
name = "state"
if = { is = { country = ["us", "Ca"] } }
then = { filled = "state" }

[[rules]]
name = "closed"
if = { is = { unsubscribed = "true" }, filled = ["leadStatus", "title"] }
then = { is = { leadStatus = ["Closed", "Won"] }, blank = ["mobilePhone"] }

[[rules]]
name = "reachable"
if = { blank = ["phone"] }
then = { filled = ["mobilePhone", "website"] }
"""
LEADS = """email,country,state,unsubscribed,leadStatus,title,phone,mobilePhone,website
1@example.com,US,TX,no,,,1,,
2@example.com,us,,no,,,1,,
3@example.com,ES,,yes,closed,Boss,1,,
4@example.com,,,yes,Open,Boss,1,2,
5@example.com,,,yes,Open,,1,2,
6@example.com,,,no,Open,Boss,1,2,
7@example.com,CA,,,,,,,www.example.com
8@example.com,,,yes,,Boss,,2,www.example.com
"""


def test_what_must_hold_if_something_else_does(tmp_path: Path) -> None:
    path, schema = write(tmp_path, RULES, LEADS)
    assert rejected(prepare(path, schema, allow_protected=["unsubscribed"])) == {
        2: ["state:required"],
        4: ["leadStatus:not_allowed", "mobilePhone:not_allowed"],
        7: ["state:required", "mobilePhone:required"],
    }
    report = clean(path, tmp_path / "leads.prep", schema=schema, allow_protected=["unsubscribed"]).report
    assert {
        (f"{reason['field']}:{reason['code']}", *reason.get("rules", ())) for reason in report["reasons"]
    } == {
        ("state:required", "state"),
        ("leadStatus:not_allowed", "closed"),
        ("mobilePhone:not_allowed", "closed"),
        ("mobilePhone:required", "reachable"),
    }


def test_rules_see_values_as_they_would_be_sent(tmp_path: Path) -> None:
    path, schema = write(tmp_path, RULES, "email,country,phone\n1@example.com,Estados Unidos,1\n")
    assert prepare(path, schema).counts["ready"] == 1
    assert rejected(prepare(path, schema, countries="iso2")) == {1: ["state:required"]}


def test_a_field_that_the_file_lacks_is_blank(tmp_path: Path) -> None:
    path, schema = write(tmp_path, RULES, "email,country\n1@example.com,ES\n2@example.com,US\n")
    reasons = ["mobilePhone:required", "website:required"]
    assert rejected(prepare(path, schema)) == {1: reasons, 2: ["state:required", *reasons]}


def test_a_child_adds_rules_and_replaces_those_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "parent.toml").write_text(f'extends = "lead"\n{RULES}')
    child = tmp_path / "child.toml"
    child.write_text(
        'extends = "parent.toml"\n[[rules]]\nname = "state"\nif.filled = "city"\nthen.filled = "state"\n'
    )
    parent = load_schema(tmp_path / "parent.toml")
    schema = load_schema(child)
    assert [str(rule) for rule in schema.rules] == [
        "state: if city is filled, then state is filled",
        "closed: if unsubscribed is true and leadStatus is filled and title is filled, "
        "then leadStatus is Closed or Won and mobilePhone is blank",
        "reachable: if phone is blank, then mobilePhone is filled and website is filled",
    ]
    assert len({schema.fingerprint, parent.fingerprint, load_schema("lead").fingerprint}) == 3


REST, TEXTS = "fields by their REST names", "true for fields of type string, text"
SENT = "values as they are sent, by the type of the field, such as true, 5, 2026-01-31"
TAKEN = f"{SENT}, that its length, pattern and checks let pass"
RUST = "the syntax of Rust's regex crate"
NAMED = '[[rules]]\nname = "x"\n'


@pytest.mark.parametrize(
    ("text", "found", "allowed"),
    [
        ("rules = 3", "rules is not an array of tables", "tables such as [[rules]]"),
        ("[[rules]]\nif.filled = 'city'", "rules 1.name is ''", "a text in quotes that no other rule has"),
        (f"{NAMED}then.filled = 'city'", "rules 1.if says nothing", "is, filled, blank"),
        (f"{NAMED}if.filled = 'city'", "rules 1.then says nothing", "is, filled, blank"),
        (f"{NAMED}if.full = 'city'", "rules 1.if.full is not a key of a schema file", "is, filled, blank"),
        (f"{NAMED}if = 'city'", "rules 1.if is 'city'", "a table, such as if = { … }"),
        (f"{NAMED}else.filled = 'city'", "rules 1.else is not a key of a schema file", "name, if, then"),
        (f"{NAMED}if.is.city = 3", "rules 1.if.is.city is 3", "a list of texts in quotes"),
        (f"{NAMED}if.is.city = []", "rules 1.if.is.city is []", "a text or a list of texts in quotes"),
        (f"{NAMED}if.is.town = 'x'", "rules 1.if.is.town is not a field of the schema", REST),
        (f"{NAMED}if.is.isLead = 'yes'", "rules 1.if.is.isLead holds 'yes', which no cell becomes", SENT),
        (f"{NAMED}if.is.priority = '5.0'", "rules 1.if.is.priority holds '5.0', which no cell becomes", SENT),
        (f"{NAMED}if.is.city = ' '", "rules 1.if.is.city holds ' ', which no cell becomes", SENT),
        (
            f"{NAMED}if.is.isLead = ['TRUE']\nif.is.mktoAcquisitionDate = '2026-01-31t12:00:00Z'\n"
            "then.is.dateOfBirth = '31/01/2026'",
            "rules 1.then.is.dateOfBirth holds '31/01/2026', which no cell becomes",
            SENT,
        ),
        (
            "[fields.isLead]\nallowed = ['true', 'no']",
            "fields.isLead.allowed holds 'no', which no cell becomes",
            TAKEN,
        ),
        (
            "[fields.dateOfBirth]\nallowed = ['31/01/2026']",
            "fields.dateOfBirth.allowed holds '31/01/2026', which no cell becomes",
            TAKEN,
        ),
        (
            "[fields.isLead]\nallowed = ['TRUE']",
            "fields.isLead.allowed holds 'TRUE', which no cell becomes",
            TAKEN,
        ),
        (
            "[fields.city]\nallowed = ['', 'Rom']",
            "fields.city.allowed holds '', which no cell becomes",
            TAKEN,
        ),
        (
            "[fields.city]\nlength = 2\nallowed = ['Rom']",
            "fields.city.allowed holds 'Rom', which no cell becomes",
            TAKEN,
        ),
        (
            "[fields.city]\nchecks = ['ascii']\nallowed = ['Köln']",
            "fields.city.allowed holds 'Köln', which no cell becomes",
            TAKEN,
        ),
        (
            "[fields.city]\npattern = '[a-z]+'\nallowed = ['rom', 'Rom']",
            "fields.city.allowed holds 'Rom', which no cell becomes",
            TAKEN,
        ),
        ("[fields.email]\ntruncate = true", "fields.email.truncate is true", TEXTS),
        ("[fields.title]\npattern = '(a)\\1'", "fields.title.pattern is not a regular expression", RUST),
        ("[fields.title]\npattern = '(?x)a # b'", "fields.title.pattern is not a regular expression", RUST),
    ],
)  # fmt: skip
def test_mistakes_name_file_place_and_what_is_allowed(
    tmp_path: Path, text: str, found: str, allowed: str
) -> None:
    _, schema = write(tmp_path, text, "")
    with pytest.raises(SchemaError) as caught:
        load_schema(schema)
    assert caught.value.message == f"{schema}: {found}"
    assert caught.value.hint == f"Allowed: {allowed}."


def test_a_pattern_may_narrow_what_a_parent_allows(tmp_path: Path) -> None:
    write(tmp_path, "[fields.city]\nallowed = ['Rom', 'Bonn']", "")
    (tmp_path / "some.toml").write_text("extends = './mine.toml'\n[fields.city]\npattern = 'B.*'\n")
    assert load_schema(tmp_path / "some.toml").fields["city"].allowed == ("Rom", "Bonn")


def test_a_value_is_cut_where_that_is_asked_for(tmp_path: Path) -> None:
    rows = [(1, "x" * 10), (2, "Chief of all buyers"), (3, "Chief of a " + "\U0001f1ea\U0001f1f8" * 2)]
    leads = "email,title,city\n" + "".join(f"{row}@example.com,{cell},{cell}\n" for row, cell in rows)
    path, schema = write(tmp_path, "[fields.title]\nlength = 12\n[fields.city]\nlength = 12\n", leads)
    assert prepare(path, schema).counts["rejected"] == 2
    prepared = prepare(path, schema, truncate=["title"])
    assert rejected(prepared) == {2: ["city:too_long"], 3: ["city:too_long"]}
    run = clean(path, tmp_path / "leads.prep", schema=schema, truncate=["title", "city"])
    assert (run.path / "chunks/leads-0001.csv").read_text() == (
        "email,title,city\n"
        "1@example.com,xxxxxxxxxx,xxxxxxxxxx\n"
        "2@example.com,Chief of all,Chief of all\n"
        "3@example.com,Chief of a,Chief of a\n"
    )
    assert [(note["code"], note["field"], note["cells"]) for note in run.report["notes"]] == [
        ("truncated", "city", 2),
        ("truncated", "title", 2),
    ]
    assert run.report["changes"] == [
        {"field": "city", "rule": "truncate", "cells": 2},
        {"field": "title", "rule": "truncate", "cells": 2},
    ]
    schema.write_text(schema.read_text().replace("length = 12", "length = 12\ntruncate = true"))
    assert prepare(path, schema).counts["ready"] == 3


def test_half_a_state_is_never_read_as_another(tmp_path: Path) -> None:
    states = "[fields.state]\nlength = 2\ntruncate = true\n"
    leads = "email,state,country\n1@example.com,Mississippi,US\n2@example.com,Bayern,DE\n"
    path, schema = write(tmp_path, states, leads)
    assert prepare(path, schema).ready["state"].to_list() == ["Mi", "Ba"]
    prepared = prepare(path, schema, states="code")
    assert prepared.ready["state"].to_list() == ["MS"]
    assert rejected(prepared) == {2: ["state:too_long"]}
    with pytest.raises(SettingsError, match="--truncate state: half the name of a state that"):
        prepare(path, schema, states="code", truncate=["state"])


def test_half_a_country_is_never_read_as_another(tmp_path: Path) -> None:
    countries = "[fields.country]\nlength = 2\ntruncate = true\n[fields.optIn]\ntype = 'boolean'\n"
    leads = (
        "email,country,phone,optIn\n"
        "1@example.com,Germany,030 123456,no\n"
        "2@example.com,Atlantis,01 234567,no\n"
        "3@example.com,DE,030 123456,yes\n"
    )
    path, schema = write(tmp_path, countries, leads)
    for options in ({}, {"consent": "optIn", "consent_countries": ["DE"]}):
        prepared = prepare(path, schema, phones="e164", **options)  # type: ignore[arg-type]  # any of them
        assert prepared.ready.select("country", "phone").rows() == [("DE", "+4930123456")]
        assert rejected(prepared) == {1: ["country:too_long"], 2: ["country:too_long"]}
    with pytest.raises(SettingsError, match="--truncate country: half the name of a country may be another"):
        prepare(path, schema, truncate=["country"])


@pytest.mark.parametrize("name", ["email", "phone", "nope", "sfdcLeadId"])
def test_half_a_key_or_number_is_never_sent(tmp_path: Path, name: str) -> None:
    path, schema = write(tmp_path, "", "Salesforce Lead Id\n1\n")
    with pytest.raises(SettingsError, match=f"--truncate {name}: ") as caught:
        prepare(
            path,
            schema,
            lookup_field="sfdcLeadId",
            maps={"Salesforce Lead Id": "sfdcLeadId"},
            truncate=[name],
        )
    assert caught.value.code == "bad_truncate"
    text = "[fields.sfdcLeadId]\ntype = 'string'\nlength = 3\ntruncate = true\n"
    path, schema = write(tmp_path, text, "Salesforce Lead Id\n1234\n")
    prepared = prepare(path, schema, lookup_field="sfdcLeadId", maps={"Salesforce Lead Id": "sfdcLeadId"})
    assert rejected(prepared) == {1: ["sfdcLeadId:too_long"]}


@pytest.mark.parametrize(
    ("text", "most", "in_bytes", "after"),
    [
        ("abcd", 3, False, "abc"),
        ("ab cd", 3, False, "ab"),
        ("aé", 2, True, "a"),
        ("Nullity", 4, False, "Null"),
        ("NULLITY", 4, False, "NULLITY"),
        ("null and void", 5, True, "null and void"),
        ("ae\u0301x", 2, False, "a"),
        ("a\U0001f44d\U0001f3fdx", 2, False, "a"),
        ("a\U0001f469\u200d\U0001f467x", 3, False, "a"),
        ("\U0001f1ea\U0001f1f8\U0001f1eb\U0001f1f7", 3, False, "\U0001f1ea\U0001f1f8"),
        ("\U0001f1ea\U0001f1f8", 1, False, "\U0001f1ea\U0001f1f8"),
        ("\U0001f469\u200d\U0001f467", 2, False, "\U0001f469\u200d\U0001f467"),
    ],
)
def test_nothing_that_a_reader_sees_is_split(text: str, most: int, in_bytes: bool, after: str) -> None:  # noqa: FBT001
    assert truncated(text, most, in_bytes=in_bytes) == after


PIECES = st.sampled_from(["a", " ", "é", "e\u0301", "日", "\U0001f1ea", "\U0001f44d\U0001f3fd", "\u200d"])


@given(
    cells=st.lists(st.lists(PIECES, max_size=9).map("".join), min_size=1, max_size=4),
    type_name=st.sampled_from(["string", "text"]),
)
@settings(max_examples=examples(150), deadline=None)
def test_cutting_twice_is_cutting_once(cells: list[str], type_name: str) -> None:
    field = Field("x", type_name, length=5, truncate=True)
    numbers = range(len(cells))
    frame = pl.DataFrame(
        {"_source": "a", "_row": numbers, "_line": numbers, "x": pl.Series(cells, dtype=pl.String)}
    )
    once = normalise(frame, {"x": field}, Spelling()).frame
    whole = normalise(frame, {"x": Field("x", type_name)}, Spelling()).frame["x"]
    for before, after in zip(whole, once["x"], strict=True):
        assert (before or "").startswith(after or "")
        assert after == before or len((after or "").encode() if type_name == "text" else (after or "")) <= 5
    assert normalise(once, {"x": field}, Spelling()).frame.equals(once)
