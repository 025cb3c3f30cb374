from collections.abc import Mapping, Sequence

import pytest

from prep.errors import HeaderError, SettingsError
from prep.headers import HeaderMapping, check_settings, map_headers, refuse_idle_maps, refuse_problems
from prep.model import Unknown
from prep.schema import load_schema

LEAD = load_schema("lead")

Facts = list[tuple[str, str | None, str]]


def mapped(
    *headers: str,
    maps: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
    lookup_field: str = "email",
    unknown: Unknown = Unknown.ERROR,
) -> HeaderMapping:
    return map_headers(
        headers, LEAD, lookup_field=lookup_field, maps=maps or {}, constants=constants or {}, unknown=unknown
    )


def facts(mapping: HeaderMapping) -> Facts:
    return [(column.header, column.field, str(column.how)) for column in mapping.columns]


def reasons(mapping: HeaderMapping) -> list[tuple[str, str | None]]:
    return [
        (str(problem.reason), problem.column.header if problem.column else None)
        for problem in mapping.problems
    ]


@pytest.mark.parametrize(
    ("header", "field", "how"),
    [
        ("email", "email", "exact"),
        ("Email Address", "email", "exact"),
        ("First Name", "firstName", "exact"),
        ("EMAIL", "email", "folded"),
        (" first_name ", "firstName", "folded"),
        ("first\u00a0name", "firstName", "folded"),
        ("\u200bemail", "email", "folded"),
        ("Correo electrónico", "email", "alias"),
        ("correo ELECTRO\u0301NICO", "email", "alias"),
        ("Teléfono", "phone", "alias"),
    ],
)
def test_a_header_finds_its_field(header: str, field: str, how: str) -> None:
    column = mapped(header).columns[0]
    assert (column.header, column.field, str(column.how), column.is_used) == (header, field, how, True)


@pytest.mark.parametrize(
    ("headers", "maps", "found"),
    [
        (["Mail", "x"], {"Mail": "email", "x": ""}, [("Mail", "email", "map"), ("x", None, "dropped")]),
        (["WORK MAIL"], {"work mail": "email"}, [("WORK MAIL", "email", "map")]),
        (["", "email"], {"": ""}, [("", None, "dropped"), ("email", "email", "exact")]),
        (["?", "email"], {"?": "title"}, [("?", "title", "map"), ("email", "email", "exact")]),
        # A header that is there to the letter means itself and not those that look like it.
        (
            ["Email", "E-Mail", "phone"],
            {"E-Mail": ""},
            [("Email", "email", "exact"), ("E-Mail", None, "dropped"), ("phone", "phone", "exact")],
        ),
        (
            ["email", "Phone 1", "phone1"],
            {"Phone 1": "phone", "phone1": "mobilePhone"},
            [("email", "email", "exact"), ("Phone 1", "phone", "map"), ("phone1", "mobilePhone", "map")],
        ),
    ],
)
def test_maps_decide(headers: list[str], maps: dict[str, str], found: Facts) -> None:
    mapping = mapped(*headers, maps=maps)
    assert (facts(mapping), mapping.problems) == (found, ())


def test_a_map_beats_an_exact_name() -> None:
    mapping = mapped("email", "title", maps={"title": "salutation"})
    assert mapping.fields == {0: "email", 1: "salutation"}


@pytest.mark.parametrize(
    ("headers", "options", "found"),
    [
        (["email", "Shoe size"], {}, [("unknown_header", "Shoe size")]),
        (["email", ""], {}, [("empty_header", "")]),
        (["email", "  "], {}, [("empty_header", "  ")]),
        (["email", "Email"], {}, [("duplicate_header", "Email")]),
        (["email", "email", "E-mail"], {}, [("duplicate_header", "email"), ("duplicate_header", "E-mail")]),
        (["email", "createdAt"], {}, [("read_only_header", "createdAt")]),
        (["email", "id"], {}, [("read_only_header", "id")]),
        (["id"], {"lookup_field": "id"}, []),
        (["firstName"], {}, [("missing_lookup_header", None)]),
        (["foo", "bar"], {"unknown": Unknown.DROP}, [("missing_lookup_header", None)]),
        ([""], {"unknown": Unknown.DROP}, [("missing_lookup_header", None)]),
        (["email", "", "Shoe size"], {"unknown": Unknown.DROP}, []),
        (["email", "Country"], {"constants": {"country": "Spain"}}, [("duplicate_header", "Country")]),
        (["firstName"], {"constants": {"email": "a@example.com"}}, []),
        (
            ["", "Shoe size", "First Name", "firstName", "createdAt"],
            {},
            [
                ("empty_header", ""),
                ("unknown_header", "Shoe size"),
                ("duplicate_header", "firstName"),
                ("read_only_header", "createdAt"),
                ("missing_lookup_header", None),
            ],
        ),
    ],
)
def test_all_problems_at_once(
    headers: Sequence[str], options: dict[str, object], found: list[tuple[str, str | None]]
) -> None:
    assert reasons(mapped(*headers, **options)) == found  # type: ignore[arg-type]  # a table of keywords


def test_likeness_only_suggests() -> None:
    mapping = mapped("email", "Compny Name")
    assert facts(mapping)[1] == ("Compny Name", "company", "suggested")
    assert mapping.fields == {0: "email"}
    assert mapping.problems[0].text == "'Compny Name' is not a field of the schema; 'company' looks like it"
    assert mapping.problems[0].hint == (
        'Map it with --map "Compny Name=company" or leave unknown columns out with --unknown drop.'
    )


@pytest.mark.parametrize(
    ("headers", "hint"),
    [
        (["Email", "E-mail"], 'Leave one out with --map "E-mail=".'),
        (["email", "email"], "Rename or remove one of the two columns in the file."),
        (["email", "createdAt"], 'Leave it out with --map "createdAt=".'),
    ],
)
def test_the_hint_settles_the_problem(headers: list[str], hint: str) -> None:
    mapping = mapped(*headers)
    assert [problem.hint for problem in mapping.problems] == [hint]
    if "--map" in hint:
        assert mapped(*headers, maps={headers[1]: ""}).problems == ()


def test_columns_that_were_left_out_are_named_when_the_lookup_is_missing() -> None:
    (problem,) = mapped("Adresse", "foo", unknown=Unknown.DROP).problems
    assert problem.text == "no column maps to 'email'; saw 'Adresse', 'foo'"


def test_constants_come_first_and_have_no_place() -> None:
    mapping = mapped("email", constants={"country": "Spain"})
    assert facts(mapping) == [("--set country", "country", "set"), ("email", "email", "exact")]
    assert mapping.fields == {0: "email"}


def test_refusal_names_every_source_and_problem() -> None:
    with pytest.raises(HeaderError) as caught:
        refuse_problems(
            {"a.csv": mapped("x1", "").problems, "b.csv": (), "c.csv": mapped("email", "id").problems}
        )
    error = caught.value
    assert error.message == (
        "a.csv: 'x1' is not a field of the schema; column 2 has no name; no column maps to 'email'; "
        "saw 'x1', ''; c.csv: 'id' maps to 'id', which imports cannot write"
    )
    assert (error.code, error.source, error.column) == ("unknown_header", "a.csv", "x1")


def test_a_map_of_no_column_is_refused() -> None:
    with pytest.raises(SettingsError, match="--map: no source has a column 'Mial'") as caught:
        refuse_idle_maps({"Mial": "email"}, [["Mail", "x"], ["Mail", "y"]])
    assert caught.value.hint == "Columns: 'Mail', 'x', 'y'."
    refuse_idle_maps({"MAIL": "email"}, [["Mail"]])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lookup_field": "emial"}, "--lookup-field: 'emial' is not a field of schema 'lead'"),
        ({"maps": {"x": "nope"}}, "--map: 'nope' is not a field of schema 'lead'"),
        ({"constants": {"nope": "x"}}, "--set: 'nope' is not a field of schema 'lead'"),
        ({"lookup_field": "firstName"}, "--lookup-field: Marketo does not look leads up by 'firstName'"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, object], message: str) -> None:
    chosen: dict[str, object] = {"lookup_field": "email", "maps": {}, "constants": {}, **settings}
    with pytest.raises(SettingsError) as caught:
        check_settings(LEAD, **chosen)  # type: ignore[arg-type]  # a table of keywords
    assert caught.value.message == message
