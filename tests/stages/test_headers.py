# ruff: noqa: RUF001 (letters of several alphabets)

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from prep.errors import HeaderError, SettingsError
from prep.headers import (
    HeaderMapping,
    check_settings,
    dump_mapping,
    load_mapping,
    map_headers,
    refuse_idle_maps,
    refuse_problems,
)
from prep.model import Unknown
from prep.schema import Schema
from prep.schema_file import load_schema

LEAD = load_schema("lead")

Facts = list[tuple[str, str | None, str]]


def mapped(
    *headers: str,
    maps: Mapping[str, str] | None = None,
    constants: Mapping[str, str] | None = None,
    lookup_field: str = "email",
    unknown: Unknown = Unknown.ERROR,
    schema: Schema = LEAD,
    split_name: bool = False,
) -> HeaderMapping:
    return map_headers(
        headers,
        schema,
        lookup_field=lookup_field,
        maps=maps or {},
        constants=constants or {},
        unknown=unknown,
        split_name=split_name,
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
        ("Ｅ－ｍａｉｌ", "email", "folded"),
        ("email *", "email", "folded"),
        ("Email:", "email", "folded"),
        ("firstName", "firstName", "exact"),
        ("FirstNAME", "firstName", "folded"),
        ("ZIP/Postal Code", "postalCode", "alias"),
        ("First Name (required)", "firstName", "folded"),
        ("【必須】メールアドレス", "email", "alias"),
        ("Firma [Pflichtfeld]", "company", "alias"),
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


def test_a_field_that_another_column_has_is_not_suggested() -> None:
    assert facts(mapped("email", "Buyer Email", "Emial"))[1:] == [
        ("Buyer Email", None, "unknown"),
        ("Emial", None, "unknown"),
    ]
    assert facts(mapped("id", "Buyer Email", "Emial", lookup_field="id"))[1:] == [
        ("Buyer Email", "email", "suggested"),
        ("Emial", "email", "suggested"),
    ]


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


@pytest.mark.parametrize("headers", [["Email", "Work mail"], ["Work mail", "Email"]])
def test_of_two_columns_the_one_that_nobody_chose_is_to_be_left_out(headers: list[str]) -> None:
    chosen = {"Work mail": "email"}
    (problem,) = mapped(*headers, maps=chosen).problems
    assert problem.hint == 'Leave one out with --map "Email=".'
    assert mapped(*headers, maps={**chosen, "Email": ""}).problems == ()


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


def test_of_very_many_problems_the_rare_kinds_are_named() -> None:
    questions = [f"Question {number}" for number in range(3_000)]
    with pytest.raises(HeaderError) as caught:
        refuse_problems({"a.csv": mapped(*questions, "id", "").problems, "b.csv": mapped("x1").problems})
    error = caught.value
    first = "; ".join(f"'Question {number}' is not a field of the schema" for number in range(16))
    seen = ", ".join(f"'Question {number}'" for number in range(20))
    assert error.message == (
        f"a.csv: {first}; 'id' maps to 'id', which imports cannot write; column 3002 has no name; "
        f"no column maps to 'email'; saw {seen} and 2,982 more; "
        "b.csv: no column maps to 'email'; saw 'x1'; and 2,985 more"
    )
    assert error.hint == (
        'Add --map "Question 0=FIELD" --map "Question 1=FIELD" --map "Question 2=FIELD" and so on, '
        "or leave unknown columns out with --unknown drop. "
        "Name it, or leave nameless and unknown columns out with --unknown drop. "
        'Say which one it is with --map "COLUMN=email", or choose another --lookup-field. '
        "prep headers lists every column."
    )
    assert (error.code, error.source, error.column) == ("unknown_header", "a.csv", "Question 0")


def test_of_very_many_unknown_columns_those_that_look_like_a_field_are_named() -> None:
    questions = [f"Question {number}" for number in range(40)]
    with pytest.raises(HeaderError) as caught:
        refuse_problems({"a.csv": mapped(*questions, "emial", "Compny Name").problems})
    named = [text for text in caught.value.message.split("; ") if "looks like it" in text]
    assert named == ["'email' looks like it", "'company' looks like it"]
    assert caught.value.hint.startswith(
        'Add --map "emial=email" --map "Compny Name=company" --map "Question 0=FIELD" '
        '--map "Question 1=FIELD" --map "Question 2=FIELD" and so on, or leave'
    )


def test_flags_are_all_named_where_only_nameless_columns_are_many() -> None:
    with pytest.raises(HeaderError) as caught:
        refuse_problems({"a.csv": mapped("email", *[""] * 25, "Phon", "Colour").problems})
    assert caught.value.message.endswith("; and 7 more")
    flags = 'Add --map "Phon=phone" --map "Colour=FIELD", or leave unknown columns out'
    assert caught.value.hint.startswith(flags)


@pytest.mark.parametrize(
    "header",
    ["Shoe\nsize", "Shoe\r\n size", "Shoe\u00a0size", "Price $USD", "a `b` c", "a\\b", 'a "b" c', "\u200bx1"],
)
def test_a_hint_can_be_pasted_into_a_shell(header: str) -> None:
    (problem,) = mapped("email", header).problems
    assert problem.flag in problem.hint
    assert problem.flag.isprintable()
    typed = subprocess.run(
        ["bash", "-c", f"printf %s {problem.flag.removeprefix('--map ')}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    name, _, _ = typed.rpartition("=")
    refuse_idle_maps({name: "title"}, [["email", header]])
    assert facts(mapped("email", header, maps={name: "title"}))[-1] == (header, "title", "map")


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
        ({"lookup_field": "email,id"}, "--lookup-field: Marketo does not look leads up by 'email,id'"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, object], message: str) -> None:
    chosen: dict[str, object] = {"lookup_field": "email", "maps": {}, "constants": {}, **settings}
    with pytest.raises(SettingsError) as caught:
        check_settings(LEAD, **chosen)  # type: ignore[arg-type]  # a table of keywords
    assert caught.value.message == message
    if "'nope'" in message:
        assert caught.value.hint == "prep schema show lead lists the fields."


def own_schema(tmp_path: Path, text: str) -> Schema:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load_schema(path)


def test_a_schema_of_ones_own_beats_the_packaged_words(tmp_path: Path) -> None:
    schema = own_schema(
        tmp_path,
        'extends = "lead"\n[fields.branch]\ndisplay = "Branche"\n[fields.place]\naliases = ["Ort", "Name"]\n',
    )
    assert facts(mapped("email", "Branche", "ORT", "Vorname", "Name", schema=schema)) == [
        ("email", "email", "exact"),
        ("Branche", "branch", "exact"),
        ("ORT", "place", "alias"),
        ("Vorname", "firstName", "alias"),
        ("Name", "place", "alias"),
    ]


def test_words_for_fields_that_a_schema_lacks_are_unknown(tmp_path: Path) -> None:
    schema = own_schema(tmp_path, 'lookup_fields = ["email"]\n[fields.email]\ntype = "email"\n')
    mapping = mapped("Correo", "Vorname", "Name", "Titel", schema=schema, split_name=True)
    assert facts(mapping) == [
        ("Correo", "email", "alias"),
        ("Vorname", None, "unknown"),
        ("Name", None, "unknown"),
        ("Titel", None, "unknown"),
    ]


class TestWordsThatOthersSettle:
    def test_a_field_that_is_taken_is_left_alone(self) -> None:
        assert facts(mapped("email", "Vorname", "Name", constants={"lastName": "x"}))[-1] == (
            "Name",
            "mktoName",
            "suggested",
        )
        mapping = mapped("email", "Vorname", "Name", "x", maps={"x": "lastName"})
        assert mapping.fields == {0: "email", 1: "firstName", 3: "lastName"}

    def test_a_column_that_is_left_out_still_tells_the_language(self) -> None:
        mapping = mapped("email", "Vorname", "Name", maps={"Vorname": ""})
        assert mapping.fields == {0: "email", 2: "lastName"}

    def test_two_of_one_meaning_are_a_problem(self) -> None:
        assert reasons(mapped("email", "Vorname", "Name", "name")) == [("duplicate_header", "name")]

    def test_what_is_settled_is_not_dropped(self) -> None:
        mapping = mapped("email", "Vorname", "Name", "Titel", unknown=Unknown.DROP)
        assert facts(mapping)[2:] == [("Name", "lastName", "alias"), ("Titel", None, "dropped")]


class TestFullNames:
    @pytest.mark.parametrize("header", ["Name", "Nombre completo", "ФИО", "氏名", "Ad Soyad"])
    def test_without_being_asked_they_are_a_problem(self, header: str) -> None:
        (problem,) = mapped("email", header).problems
        assert (problem.reason, problem.text) == ("unknown_header", f"{header!r} looks like a full name")
        assert problem.hint == f'Split it with --split-name, or leave it out with --map "{header}=".'
        assert problem.flag == "--split-name"

    def test_marketos_own_field_cannot_be_written(self) -> None:
        (problem,) = mapped("email", "Full Name").problems
        assert (problem.reason, problem.flag) == ("read_only_header", "--split-name")

    def test_beside_its_parts_it_can_only_be_left_out(self) -> None:
        (problem,) = mapped("email", "First Name", "Name").problems
        assert (problem.hint, problem.flag) == ('Leave it out with --map "Name=".', '--map "Name="')
        assert reasons(mapped("email", "First Name", "Name", split_name=True)) == [("unknown_header", "Name")]

    @pytest.mark.parametrize("header", ["Name", "Full Name", "Nombre", "Nombre y apellidos", "ФИО", "氏名"])
    def test_when_asked_they_are_taken(self, header: str) -> None:
        mapping = mapped("email", header, split_name=True)
        assert (mapping.fields, mapping.problems) == ({0: "email", 1: "mktoName"}, ())

    def test_a_map_may_name_one(self) -> None:
        mapping = mapped("email", "Who", maps={"Who": "mktoName"}, split_name=True)
        assert (mapping.fields, mapping.problems) == ({0: "email", 1: "mktoName"}, ())

    def test_a_given_name_beside_a_last_name_is_no_full_name(self) -> None:
        mapping = mapped("email", "Nombre", "Apellidos", split_name=True)
        assert mapping.fields == {0: "email", 1: "firstName", 2: "lastName"}

    @pytest.mark.parametrize(
        "headers", [["email", "Full Name", "First Name"], ["email", "Last Name", "Full Name"]]
    )
    def test_its_parts_must_not_come_from_two_columns(self, headers: list[str]) -> None:
        assert reasons(mapped(*headers, split_name=True)) == [("duplicate_header", headers[2])]

    def test_two_full_names_are_a_problem(self) -> None:
        found = reasons(mapped("email", "Name", "Contact Name", split_name=True))
        assert set(found) == {("duplicate_header", "Contact Name")}


class TestSavedMappings:
    MAPS: ClassVar = {
        "Correo": "email",
        'He said "x"\n\x7f\u2028': "title",
        "Notas": "",
        "": "",
        "a.b": "city",
    }

    def test_what_is_written_is_read_again(self, tmp_path: Path) -> None:
        mapping = mapped(*self.MAPS, maps=self.MAPS)
        path = tmp_path / "mapping.toml"
        path.write_text(dump_mapping(mapping.columns), encoding="utf-8")
        assert load_mapping(path) == self.MAPS
        assert facts(mapped(*self.MAPS, maps=load_mapping(path))) == facts(mapping)

    def test_how_it_looks(self) -> None:
        columns = mapped("Correo", "Compny", "?!", "x", maps={"x": ""}, constants={"country": "ES"}).columns
        assert dump_mapping(columns) == (
            '[map]\n"Correo" = "email"  # alias\n# "Compny" = "company"  # suggested\n'
            '# "?!" = ""  # unknown\n"x" = ""  # dropped\n'
        )

    def test_columns_of_one_name_are_one_line(self, tmp_path: Path) -> None:
        path = tmp_path / "mapping.toml"
        path.write_text(dump_mapping([*mapped("email", "email").columns]), encoding="utf-8")
        assert load_mapping(path) == {"email": "email"}

    @pytest.mark.parametrize(
        "text",
        [
            '[map]\nCorreo = "email"\n"x" = ""\n',
            '\ufeff[map]\nCorreo = "email"\nx = ""\n[marketo]\nendpoint = "e"\n',
            '{"map": {"Correo": "email", "x": ""}}',
        ],
    )
    def test_toml_and_json_are_read(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "mapping"
        path.write_text(text, encoding="utf-8")
        assert load_mapping(path) == {"Correo": "email", "x": ""}

    def test_an_answer_of_prep_headers_is_read(self, tmp_path: Path) -> None:
        columns = mapped("Correo", "Compny", "?!", "x", maps={"x": ""}, constants={"country": "ES"}).columns
        path = tmp_path / "answer.json"
        path.write_text(json.dumps({"mapping": [column.facts for column in columns]}), encoding="utf-8")
        assert load_mapping(path) == {"Correo": "email"}

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"[map", "mapping: is not TOML: "),
            (b"{", "mapping: is not JSON: "),
            (b"x = 1", "mapping: has no table [map]"),
            (b"map = 1", "mapping: has no table [map]"),
            (b'{"map": []}', "mapping: has no table [map]"),
            (b"[map]\nx = 1", "mapping: the field of 'x' is not a text"),
            (b'{"map": {"x": null}}', "mapping: the field of 'x' is not a text"),
            (b'{"map": {"x": "email", "x": "title"}}', "mapping: holds 'x' twice"),
            (b'{"mapping": [{"source": "x"}]}', "mapping: has an entry of mapping without source and field"),
            (
                b'{"mapping": [{"source": "x", "field": "a"}, {"source": "x", "field": "b"}]}',
                "mapping: maps 'x' to two fields",
            ),
            (b"\xff\xfe", "mapping: is not UTF-8 text"),
            (None, "mapping: cannot be read: No such file or directory"),
        ],
    )
    def test_mistakes_are_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, message: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        if content is not None:
            Path("mapping").write_bytes(content)
        with pytest.raises(SettingsError) as caught:
            load_mapping("mapping")
        error = caught.value
        assert error.message.startswith(message)
        assert (error.code, error.source) == ("bad_mapping", "mapping")
        assert "[map]" in error.hint
