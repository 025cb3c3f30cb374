"""Schema files: what they may say, what is refused, and how they judge values once compiled."""

# ruff: noqa: RUF001 (letters of several alphabets)

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest
from pandera.config import ValidationDepth, config_context

from prep.checks import NAMED_CHECKS, TYPE_CHECKS
from prep.errors import SchemaError
from prep.folding import fold
from prep.judge import find_failures
from prep.model import Reason
from prep.schema import NORMALISERS, Field, Schema
from prep.schema_file import load_schema, schema_names

DOCUMENTED_LOOKUP_FIELDS = (
    "id",
    "cookies",
    "email",
    "twitterId",
    "facebookId",
    "linkedInId",
    "sfdcAccountId",
    "sfdcContactId",
    "sfdcLeadId",
    "sfdcLeadOwnerId",
    "sfdcOpptyId",
)

READ_ONLY_IN_DESCRIBE = {
    "mktoName",
    "contactCompany",
    "personTimeZone",
    "originalSourceType",
    "originalSourceInfo",
    "originalSearchEngine",
    "originalSearchPhrase",
    "originalReferrer",
    "inferredCompany",
    "inferredCountry",
    "inferredCity",
    "inferredStateRegion",
    "inferredPostalCode",
    "inferredMetropolitanArea",
    "inferredPhoneAreaCode",
    "createdAt",
    "updatedAt",
    "leadPerson",
    "personPrimaryLeadInterest",
    "totalReferredVisits",
    "totalReferredEnrollments",
    "ecids",
}
WRITABLE_REFERENCES_IN_DESCRIBE = {
    "leadPartitionId",
    "leadRevenueCycleModelId",
    "leadRevenueStageId",
    "acquisitionProgramId",
}


@pytest.fixture(scope="module")
def lead() -> Schema:
    return load_schema()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, so that messages name files as a user would."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(text: str) -> Schema:
    Path("mine.toml").write_text(text, encoding="utf-8")
    return load_schema("mine.toml")


def load_field(body: str, name: str = "x") -> Field:
    return load(f"[fields.{name}]\n{body}\n").fields[name]


class TestPackagedSchema:
    def test_is_found_by_name_and_is_the_default(self, lead: Schema) -> None:
        assert schema_names() == ["lead", "program-member"]
        assert lead == load_schema("lead")
        assert lead.name == "lead"

    def test_holds_every_standard_field(self, lead: Schema) -> None:
        assert len(lead.fields) == 126
        assert all(name == field.name for name, field in lead.fields.items())

    def test_identifies_leads_by_the_documented_fields(self, lead: Schema) -> None:
        assert lead.lookup_fields == DOCUMENTED_LOOKUP_FIELDS

    def test_knows_what_imports_cannot_write(self, lead: Schema) -> None:
        read_only = {name for name in lead.fields if lead.is_read_only(name, "email")}
        assert read_only == READ_ONLY_IN_DESCRIBE | WRITABLE_REFERENCES_IN_DESCRIBE | {"id"}

    def test_takes_id_as_the_key_only(self, lead: Schema) -> None:
        assert not lead.is_read_only("id", lookup_field="id")
        assert lead.is_read_only("id", lookup_field="email")

    @pytest.mark.parametrize(
        ("field", "spellings"),
        [
            ("email", ["email", "Email", "Email Address"]),
            ("dateOfBirth", ["dateOfBirth", "DateofBirth", "Date of Birth"]),
            ("sicCode", ["sicCode", "SICCode", "SIC Code"]),
            ("leadRole", ["leadRole", "LeadRole", "Role"]),
            ("externalCompanyId", ["externalCompanyId", "External Company Id"]),
            ("externalSalesPersonId", ["externalSalesPersonId", "External Sales Person Id"]),
            ("sfdcLeadId", ["sfdcLeadId"]),
        ],
    )
    def test_knows_rest_soap_and_display_names(self, lead: Schema, field: str, spellings: list[str]) -> None:
        assert [name for name, owner in lead.exact_names.items() if owner == field] == list(
            dict.fromkeys([spellings[-1], *spellings[1:-1], spellings[0]])
        )

    @pytest.mark.parametrize(
        ("header", "field"),
        [
            ("E-mail", "email"),
            ("EMAIL_ADDRESS", "email"),
            ("first-name", "firstName"),
            ("lead partition id", "leadPartitionId"),
        ],
    )
    def test_knows_names_without_case_and_punctuation(self, lead: Schema, header: str, field: str) -> None:
        assert lead.folded_names[fold(header)] == field

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Número de Teléfono", "numero_de_telefono"),
            ("N° d'employés", "Nº d’employes"),
            ("Straße", "STRASSE"),
            ("SOYADI", "soyadı"),
            ("İsim", "isim"),
            ("MIEJSCOWOŚĆ", "miejscowosc"),
            ("Fødselsdato", "fodselsdato"),
            ("ﾒｰﾙｱﾄﾞﾚｽ", "メールアドレス"),
            ("Ｅメール", "eメール"),
            ("البريد الإلكتروني", "البَرِيدُ الالكترونى"),
            ("رقـم الهاتف", "رقم الهاتف"),
            ("דוא״ל", 'דוא"ל'),
            ("שֵׁם פְּרָטִי", "שם פרטי"),
            ("Ім’я", "ім\u02bcя"),
            ("Τηλέφωνο", "ΤΗΛΕΦΩΝΟ"),
            ("℡", "tel"),
            ("\u200bE\u00ad-mail\ufe0f:", "email"),
        ],
    )
    def test_folds_spellings_together(self, one: str, other: str) -> None:
        assert fold(one) == fold(other) == fold(fold(one)) != ""

    @pytest.mark.parametrize(
        ("one", "other"), [("ชื่อ", "ชอ"), ("が", "か"), ("姓", "性"), ("Имя", "Ima"), ("नाम", "नम")]
    )
    def test_keeps_letters_apart(self, one: str, other: str) -> None:
        assert fold(one) != fold(other)

    def test_holds_no_aliases_that_could_stand_in_the_way_of_custom_fields(self, lead: Schema) -> None:
        assert lead.folded_aliases == {}


class TestExtends:
    def test_adds_a_field(self, lead: Schema) -> None:
        schema = load('extends = "lead"\n[fields.eventCode]\ndisplay = "Event Code"\nlength = 20\n')
        assert schema.fields == {
            **lead.fields,
            "eventCode": Field("eventCode", display="Event Code", length=20),
        }
        assert schema.name == "mine"

    def test_overrides_only_what_it_says(self, lead: Schema) -> None:
        schema = load('extends = "lead"\n[fields.country]\nrequired = true\nallowed = ["ES", "PT"]\n')
        country = schema.fields["country"]
        assert (country.required, country.allowed) == (True, ("ES", "PT"))
        assert (country.soap, country.display, country.type, country.length, country.aliases) == (
            "Country",
            "Country",
            "string",
            255,
            lead.fields["country"].aliases,
        )
        assert list(schema.fields) == list(lead.fields)
        assert schema.lookup_fields == lead.lookup_fields

    @pytest.mark.parametrize("type_name", TYPE_CHECKS)
    def test_custom_fields_of_three_types_identify_leads(self, type_name: str) -> None:
        schema = load(f'extends = "lead"\n[fields.memberNo]\ntype = "{type_name}"\n')
        is_lookup = type_name in {"string", "email", "integer"}
        assert schema.lookup_fields == DOCUMENTED_LOOKUP_FIELDS + (("memberNo",) if is_lookup else ())

    def test_lists_a_custom_lookup_field_once(self) -> None:
        schema = load('extends = "lead"\nlookup_fields = ["email", "memberNo"]\n[fields.memberNo]\n')
        assert schema.lookup_fields == ("email", "memberNo")

    def test_path_is_seen_from_the_file_that_names_it(self, folder: Path) -> None:
        (folder / "team" / "own").mkdir(parents=True)
        (folder / "team" / "shared.toml").write_text('extends = "lead"\n[fields.region]\n')
        own = folder / "team" / "own" / "mine.toml"
        own.write_text('name = "Ours"\nextends = "../shared.toml"\n[fields.branch]\ntype = "integer"\n')
        schema = load_schema(own)
        assert schema.name == "Ours"
        assert list(schema.fields)[-3:] == ["sfdcType", "region", "branch"]
        assert schema.lookup_fields[-2:] == ("region", "branch")

    @pytest.mark.parametrize("detour", ["b.toml", "../{folder}/b.toml"])
    def test_loop_is_refused(self, folder: Path, detour: str) -> None:
        parent = detour.format(folder=folder.name)
        Path("a.toml").write_text(f'extends = "{parent}"\n')
        Path("b.toml").write_text(f'extends = "{parent.replace("b.toml", "a.toml")}"\n')
        with pytest.raises(SchemaError) as caught:
            load_schema("a.toml")
        assert caught.value.code == "schema_loop"
        assert caught.value.hint == "Remove one of the extends lines."
        assert "extends itself through a.toml → " in caught.value.message


class TestOwnSchema:
    def test_stands_alone_with_the_lookup_fields_it_names(self) -> None:
        schema = load(
            'name = "tiny"\nlookup_fields = ["mail"]\n[fields.mail]\ntype = "email"\n[fields.note]\n'
        )
        assert schema == Schema(
            name="tiny",
            fields={"mail": Field("mail", "email"), "note": Field("note")},
            lookup_fields=("mail",),
            origin="mine.toml",
        )

    def test_every_key_of_a_field_is_read(self) -> None:
        field = load_field(
            """
            type = "phone"
            soap = "S"
            display = "D"
            length = 7
            read_only = true
            required = true
            aliases = ["A", "B"]
            normalisers = ["lower", "collapse_spaces"]
            checks = ["ascii", "single_line"]
            allowed = ["1", "2"]
            pattern = '\\d'
            """
        )
        assert field == Field(
            name="x",
            type="phone",
            soap="S",
            display="D",
            length=7,
            read_only=True,
            required=True,
            aliases=("A", "B"),
            normalisers=("lower", "collapse_spaces"),
            checks=("ascii", "single_line"),
            allowed=("1", "2"),
            pattern="\\d",
        )

    @pytest.mark.parametrize("type_name", ["formula", "reference"])
    def test_generated_types_are_read_only(self, type_name: str) -> None:
        assert load_field(f'type = "{type_name}"').read_only


FIELD_KEYS = (
    "type, soap, display, length, read_only, required, protected, aliases, normalisers, checks, allowed, "
    "pattern, truncate"
)

MISTAKES = [
    pytest.param(
        'extend = "lead"',
        "mine.toml: extend is not a key of a schema file",
        "Allowed: name, extends, instance, object, absent, lookup_fields, fields, rules.",
        None,
        id="unknown key",
    ),
    pytest.param(
        "[fields.x]\nsize = 3",
        "mine.toml: fields.x.size is not a key of a schema file",
        f"Allowed: {FIELD_KEYS}.",
        "x",
        id="unknown key of a field",
    ),
    pytest.param(
        '[fields.x]\ntype = "number"',
        "mine.toml: fields.x.type is 'number'",
        f"Allowed: {', '.join(TYPE_CHECKS)}.",
        "x",
        id="unknown type",
    ),
    pytest.param(
        "[fields.x]\ntype = 3",
        "mine.toml: fields.x.type is 3",
        f"Allowed: {', '.join(TYPE_CHECKS)}.",
        "x",
        id="type that is no text",
    ),
    pytest.param(
        "[fields.x]\ndisplay = 3",
        "mine.toml: fields.x.display is 3",
        "Allowed: a text in quotes.",
        "x",
        id="display that is no text",
    ),
    *(
        pytest.param(
            f"[fields.x]\nlength = {toml}",
            f"mine.toml: fields.x.length is {shown}",
            "Allowed: a whole number from 1 to 4294967295.",
            "x",
            id=f"length {toml}",
        )
        for toml, shown in (
            *(("-1", "-1"), ("0", "0"), ("2.5", "2.5"), ("true", "True"), ('"9"', "'9'")),
            ("4294967296", "4294967296"),
        )
    ),
    *(
        pytest.param(
            f'[fields.x]\n{key} = "yes"',
            f"mine.toml: fields.x.{key} is 'yes'",
            "Allowed: true, false.",
            "x",
            id=f"{key} that is no boolean",
        )
        for key in ("required", "read_only")
    ),
    pytest.param(
        '[fields.x]\naliases = "Mail"',
        "mine.toml: fields.x.aliases is 'Mail'",
        "Allowed: a list of texts in quotes.",
        "x",
        id="aliases that are no list",
    ),
    pytest.param(
        "[fields.x]\nallowed = [1, 2]",
        "mine.toml: fields.x.allowed is [1, 2]",
        "Allowed: a list of texts in quotes.",
        "x",
        id="allowed values that are no texts",
    ),
    pytest.param(
        '[fields.x]\nchecks = ["ascii", "polite"]',
        "mine.toml: fields.x.checks holds 'polite'",
        f"Allowed: {', '.join(NAMED_CHECKS)}.",
        "x",
        id="unknown check",
    ),
    pytest.param(
        '[fields.x]\nnormalisers = ["shout"]',
        "mine.toml: fields.x.normalisers holds 'shout'",
        f"Allowed: {', '.join(NORMALISERS)}.",
        "x",
        id="unknown normaliser",
    ),
    *(
        pytest.param(
            f"[fields.x]\npattern = '{pattern}'",
            "mine.toml: fields.x.pattern is not a regular expression",
            "Allowed: the syntax of Rust's regex crate.",
            "x",
            id=f"pattern {pattern}",
        )
        for pattern in ("[a-z", "(?=ahead)", "a)(b")
    ),
    pytest.param(
        "fields = 3",
        "mine.toml: fields is not a table",
        "Allowed: tables such as [fields.email].",
        None,
        id="fields that are no tables",
    ),
    pytest.param(
        'fields.x = "string"',
        "mine.toml: fields.x is not a table",
        "Allowed: a table [fields.x].",
        None,
        id="field that is no table",
    ),
    *(
        pytest.param(
            f'[fields."{name}"]',
            f"mine.toml: fields.{name} cannot be a REST name",
            "Allowed: names that begin with a letter or a digit.",
            None,
            id=f"field called {name!r}",
        )
        for name in ("_row", "", " x")
    ),
    pytest.param(
        'lookup_fields = "email"\n[fields.email]',
        "mine.toml: lookup_fields is 'email'",
        "Allowed: a list of texts in quotes.",
        None,
        id="lookup fields that are no list",
    ),
    pytest.param(
        'lookup_fields = ["email", "nick"]\n[fields.email]',
        "mine.toml: lookup_fields names 'nick', which is not a field",
        "Add a table [fields.nick] or remove the name.",
        "nick",
        id="lookup field that is no field",
    ),
    pytest.param(
        'extends = "laed"',
        "mine.toml: extends is 'laed'",
        "Allowed: lead, program-member, or the path of a .toml file.",
        None,
        id="extends an unknown name",
    ),
    pytest.param(
        "extends = 3",
        "mine.toml: extends is 3",
        "Allowed: a text in quotes.",
        None,
        id="extends a number",
    ),
    pytest.param(
        'extends = "lead"\n[fields.Email]',
        "mine.toml: email and Email both answer to the header 'email'",
        "Write [fields.email] if that is meant, else change soap, display or aliases of one of them.",
        "Email",
        id="name that differs in case only",
    ),
    pytest.param(
        'extends = "lead"\n[fields."Email Address"]',
        "mine.toml: email and Email Address both answer to the header 'emailaddress'",
        "Write [fields.email] if that is meant, else change soap, display or aliases of one of them.",
        "Email Address",
        id="display name in place of the REST name",
    ),
    pytest.param(
        'extends = "lead"\n[fields.workMail]\nsoap = "Work_Email"\ndisplay = "E-Mail"\naliases = ["City"]',
        "mine.toml: email and workMail both answer to the header 'email'",
        "Change soap, display or aliases of one of them.",
        "workMail",
        id="several clashes, the first is named",
    ),
    pytest.param(
        '[fields.x]\naliases = ["Ex", "--"]',
        "mine.toml: x answers to the header '--', which has no letter or digit",
        "Change its soap, display or aliases.",
        "x",
        id="alias without a letter",
    ),
    pytest.param(
        "[fields.x",
        "mine.toml: not valid TOML: Expected ']' at the end of a table declaration (at end of document)",
        "Correct that line.",
        None,
        id="not TOML",
    ),
    pytest.param(
        f"x = {'[' * 10_000}",
        "mine.toml: not valid TOML: it is nested too deeply",
        "Correct that line.",
        None,
        id="too deep",
    ),
    pytest.param(
        'extends = "a\\u0000.toml"',
        "mine.toml: extends is 'a\\x00.toml'",
        "Allowed: lead, program-member, or the path of a .toml file.",
        None,
        id="extends what is no name of a file",
    ),
]


class TestMistakes:
    @pytest.mark.parametrize(("text", "message", "hint", "column"), MISTAKES)
    def test_is_refused_with_file_field_and_what_is_allowed(
        self, text: str, message: str, hint: str, column: str | None
    ) -> None:
        with pytest.raises(SchemaError) as caught:
            load(text)
        error = caught.value
        assert (error.message, error.hint, error.source, error.column) == (message, hint, "mine.toml", column)
        assert (error.code, error.exit_code) == ("bad_schema", 1)

    def test_in_a_number_of_thousands_of_digits(self) -> None:
        with pytest.raises(SchemaError, match=r"^mine\.toml: not valid TOML: Exceeds the limit "):
            load(f"[fields.x]\nlength = {'9' * 5000}")

    def test_in_a_parent_names_the_parent(self) -> None:
        Path("parent.toml").write_text("[fields.x]\nlength = 0\n")
        with pytest.raises(SchemaError) as caught:
            load('extends = "parent.toml"')
        assert caught.value.message == "parent.toml: fields.x.length is 0"

    def test_unknown_name(self) -> None:
        with pytest.raises(SchemaError) as caught:
            load_schema("laed")
        error = caught.value
        assert (error.message, error.hint, error.code) == (
            "there is no schema called 'laed'",
            "Known: lead, program-member. A file of your own is given as a path to a .toml.",
            "unknown_schema",
        )

    def test_a_mark_of_its_encoding_is_none(self) -> None:
        Path("marked.toml").write_bytes(b"\xef\xbb\xbf[fields.x]\nlength = 5\n")
        assert load_schema("marked.toml").fields == {"x": Field("x", length=5)}

    @pytest.mark.parametrize(
        ("path", "why"),
        [
            ("absent.toml", "No such file or directory"),
            ("folder.toml", "Is a directory"),
            ("latin.toml", "it is not UTF-8 text"),
        ],
    )
    def test_unreadable_file(self, path: str, why: str) -> None:
        Path("folder.toml").mkdir()
        Path("latin.toml").write_bytes('name = "Compañía"'.encode("latin-1"))
        with pytest.raises(SchemaError) as caught:
            load_schema(path)
        error = caught.value
        assert (error.message, error.hint, error.code, error.source) == (
            f"{path}: cannot be read: {why}",
            "Give the path of a .toml file that can be read; a packaged schema has a name and no path.",
            "unreadable_schema",
            path,
        )


class TestFingerprint:
    BASE = 'name = "a"\nlookup_fields = ["b", "a"]\n[fields.a]\ntype = "email"\n[fields.b]\nlength = 5\n'

    @pytest.mark.parametrize(
        "text",
        [
            BASE,
            BASE.replace('name = "a"', "# a comment"),
            BASE.replace('"b", "a"', '"a", "b"'),
            'lookup_fields = ["a", "b"]\n[fields.b]\nlength = 5\n[fields.a]\ntype = "email"\n',
        ],
        ids=["the same", "another name", "other order of lookup fields", "other order of fields"],
    )
    def test_stays_when_the_content_stays(self, text: str) -> None:
        assert load(text).fingerprint == load(self.BASE).fingerprint

    @pytest.mark.parametrize(
        "text",
        [
            BASE.replace("5", "6"),
            BASE.replace('"b", "a"', '"a"'),
            BASE + "required = true",
            BASE + 'aliases = ["C"]',
            BASE + "pattern = 'x'",
            BASE + "[fields.c]",
        ],
    )
    def test_changes_with_the_content(self, text: str) -> None:
        assert load(text).fingerprint != load(self.BASE).fingerprint

    def test_is_a_sha256(self, lead: Schema) -> None:
        assert len(bytes.fromhex(lead.fingerprint)) == 32


def reasons(schema: pa.DataFrameSchema, values: Sequence[str | None], name: str = "x") -> list[list[str]]:
    """The codes that each value of a column gets, in the order of the rules."""
    failures = find_failures(schema, pl.DataFrame({name: values}, schema={name: pl.String}))
    assert set(failures["column"]) <= {name}
    return [failures.filter(pl.col("index") == row)["check"].to_list() for row in range(len(values))]


LONG = "e" * 255

TYPES: dict[str, dict[str | None, list[str]]] = {
    "boolean": {
        "true": [],
        "false": [],
        None: [],
        "True": ["not_boolean"],
        "yes": ["not_boolean"],
        "": ["not_boolean"],
    },
    "currency": {
        "12": [],
        "-0.50": [],
        "1,5": ["not_number"],
        "9 EUR": ["not_number"],
        "٣.٣": ["not_number"],
    },
    "date": {
        "2024-02-29": [],
        None: [],
        "0001-01-01": [],
        "2023-02-29": ["not_date"],
        "2024-2-9": ["not_date"],
        "09/02/2024": ["not_date"],
        "٢٠٢٤-02-09": ["not_date"],
        "2024-02-09T00:00:00Z": ["not_date"],
        "2024-02-09\n": ["not_date"],
    },
    "datetime": {
        "2026-05-07T15:41:32-05:00": [],
        "2026-05-07T15:41:32Z": [],
        None: [],
        "2026-05-07T15:41:32.123Z": [],
        "2026-05-07T15:41:32": ["no_timezone"],
        "2026-05-07 15:41:32Z": ["not_datetime"],
        "2026-05-07": ["not_datetime"],
        "2026-02-30T15:41:32Z": ["not_datetime"],
        "2026-02-28T24:00:00Z": ["not_datetime"],
        "2026-02-28T23:59:60Z": ["not_datetime"],
        "2026-02-28T23:59:59+0٣:00": ["not_datetime"],
        "2026-02-30T15:41:32": ["not_datetime", "no_timezone"],
        "2026-05-07T15:41:32+15:00": ["not_datetime"],
        "yesterday": ["not_datetime"],
    },
    "email": {
        "ana@example.com": [],
        "_ana.o'neil+x@mail.example.org": [],
        "ana@xn--exmple-cua.example.net": [],
        "ana@exämple.example.net": [],
        None: [],
        "ana": ["invalid_email"],
        "ana@example": ["invalid_email"],
        "ana@@example.com": ["invalid_email"],
        "a..na@example.com": ["invalid_email"],
        " ana@example.com": ["invalid_email"],
        "ana@example.com\n": ["invalid_email"],
        "ana@example.test": ["invalid_email"],
        "añ@example.com": ["email_not_ascii"],
        "añ..a@example.com": ["email_not_ascii", "invalid_email"],
        f"{LONG}@example.com": ["invalid_email", "too_long"],
    },
    "float": {"1.5": [], "007": [], ".5": ["not_number"], "5.": ["not_number"], "1e3": ["not_number"]},
    "formula": {"anything": []},
    "integer": {
        "9223372036854775807": [],
        "-9223372036854775808": [],
        "0042": [],
        None: [],
        "9223372036854775808": ["not_integer"],
        "1.0": ["not_integer"],
        "+5": ["not_integer"],
        "1 000": ["not_integer"],
        "٤٢": ["not_integer"],
        "many": ["not_integer"],
    },
    "percent": {"85": [], "85%": ["not_integer"]},
    "phone": {"0171 555 0134 ext. 7": [], LONG: [], LONG + "5": ["too_long"]},
    "reference": {"anything": []},
    "score": {"-3": [], "3.5": ["not_integer"]},
    "string": {LONG: [], "ñ" * 255: [], LONG + "e": ["too_long"]},
    "text": {"ñ" * 15_000: [], "ñ" * 15_000 + "e": ["too_long"]},
    "url": {
        "https://www.example.com/a?b#c": [],
        "www.example.com": [],
        "brochure": ["not_url"],
        "see example.com": ["not_url"],
        f"{LONG}.com": ["too_long"],
    },
}


class TestCompiled:
    def test_every_type_is_tried(self) -> None:
        assert TYPES.keys() == TYPE_CHECKS.keys()

    @pytest.mark.parametrize("type_name", TYPES)
    def test_type_gives_its_reasons(self, type_name: str) -> None:
        schema = load(f'[fields.x]\ntype = "{type_name}"\n').to_pandera()
        assert (
            dict(zip(TYPES[type_name], reasons(schema, list(TYPES[type_name])), strict=True))
            == (TYPES[type_name])
        )

    @pytest.mark.parametrize(
        ("rules", "expected"),
        [
            ("length = 3", {"ñññ": [], "four": ["too_long"]}),
            ('type = "text"\nlength = 3', {"abc": [], "ññ": ["too_long"]}),
            ("required = true", {"x": [], None: ["required"]}),
            ('allowed = ["ES", "PT"]', {"ES": [], "es": ["not_allowed"], None: []}),
            (
                "pattern = 'a|b'",
                {"a": [], "b": [], "ab": ["not_allowed"], "b\n": ["not_allowed"], None: []},
            ),
            ('checks = ["ascii"]', {"Jose": [], "José": ["not_allowed"]}),
            ('checks = ["has_letter"]', {"7b": [], "ж": [], "77": ["not_allowed"]}),
            ('checks = ["single_line"]', {"a b": [], "a\nb": ["not_allowed"], "a\rb": ["not_allowed"]}),
            (
                'type = "integer"\nchecks = ["positive"]',
                {"1": [], "007": [], "0": ["not_positive"], "-7": ["not_positive"]},
            ),
            ('type = "float"\nchecks = ["positive"]', {"1.5": [], "-1.5": ["not_positive"]}),
            (
                """
                type = "integer"
                allowed = ["1", "11"]
                pattern = "1+"
                checks = ["positive"]
                required = true
                """,
                {
                    "11": [],
                    "111": ["not_allowed"],
                    "-1.5": ["not_integer", "not_allowed", "not_allowed", "not_positive"],
                    None: ["required"],
                },
            ),
        ],
    )
    def test_rules_of_a_field_give_their_reasons(
        self, rules: str, expected: dict[str | None, list[str]]
    ) -> None:
        schema = load(f"[fields.x]\n{rules}\n").to_pandera()
        assert dict(zip(expected, reasons(schema, list(expected)), strict=True)) == expected

    def test_lookup_field_must_be_filled(self, lead: Schema) -> None:
        schema = lead.to_pandera(lookup_field="email")
        assert reasons(schema, ["ana@example.com", None, "ana"], "email") == [
            [],
            ["missing_lookup"],
            ["invalid_email"],
        ]
        assert reasons(lead.to_pandera(lookup_field="sfdcLeadId"), [None], "email") == [[]]

    def test_id_as_lookup_field_must_be_positive(self, lead: Schema) -> None:
        values = ["1", "0", "-1", "1.5", None]
        assert reasons(lead.to_pandera(lookup_field="id"), values, "id") == [
            [],
            ["not_positive"],
            ["not_positive"],
            ["not_integer"],
            ["missing_lookup"],
        ]
        assert reasons(lead.to_pandera(), values, "id") == [[], [], [], ["not_integer"], []]

    def test_all_reasons_of_all_columns_are_collected(self, lead: Schema) -> None:
        rows = {
            "email": ["ana", "eva@example.com", None],
            "numberOfEmployees": ["many", "5", "5.5"],
            "unsubscribed": ["maybe", "true", "false"],
        }
        failures = find_failures(lead.to_pandera(lookup_field="email"), pl.DataFrame(rows))
        assert failures.rows() == [
            ("numberOfEmployees", "not_integer", 0),
            ("numberOfEmployees", "not_integer", 2),
            ("email", "missing_lookup", 2),
            ("email", "invalid_email", 0),
            ("unsubscribed", "not_boolean", 0),
        ]

    def test_sound_rows_leave_an_empty_table(self, lead: Schema) -> None:
        failures = find_failures(lead.to_pandera(), pl.DataFrame({"email": ["ana@example.com"]}))
        assert failures.is_empty()
        assert failures.columns == ["column", "check", "index"]

    def test_every_reason_is_a_known_code(self, lead: Schema) -> None:
        checks = [check.error for column in lead.to_pandera().columns.values() for check in column.checks]
        assert set(checks) <= set(Reason)

    def test_judges_the_named_fields_only(self, lead: Schema) -> None:
        schema = lead.to_pandera(lookup_field="email", fields=["email", "city"])
        assert list(schema.columns) == ["email", "city"]

    def test_needs_no_column_but_judges_each_that_is_there(self, lead: Schema) -> None:
        frame = pl.DataFrame({"title": ["Buyer"], "_row": [1]})
        assert find_failures(lead.to_pandera(lookup_field="email"), frame).is_empty()

    @pytest.mark.parametrize(
        "setting", [{"validation_enabled": False}, {"validation_depth": ValidationDepth.SCHEMA_ONLY}]
    )
    def test_judges_whatever_pandera_is_set_to(self, lead: Schema, setting: dict[str, Any]) -> None:
        with config_context(**setting):
            assert find_failures(lead.to_pandera(), pl.DataFrame({"email": ["ana"]})).height == 1

    def test_lazy_frame_is_a_trap(self, lead: Schema) -> None:
        """Pandera looks at no value of a LazyFrame and raises nothing: collect first."""
        schema, bad = lead.to_pandera(), pl.DataFrame({"email": ["ana"]})
        schema.validate(bad.lazy(), lazy=True)
        with pytest.raises(pa.errors.SchemaErrors):
            schema.validate(bad, lazy=True)
