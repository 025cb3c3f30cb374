"""What an instance tells of its fields, as a schema file that always loads and says exactly that."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prep.checks import longest
from prep.differences import FACTS, Change, compare, said_of
from prep.headers import map_headers
from prep.instance import Instance, read_instance, render_schema, schema_of
from prep.marketo.records import FieldRecord, LeadRecord
from prep.model import Unknown
from prep.schema import READ_ONLY_TYPES
from prep.schema_file import load_schema
from tests.depth import examples

LEAD = load_schema("lead")


def told(name: str, **facts: object) -> FieldRecord:
    defaults = {"display_name": name, "data_type": "string", "length": 255}
    return FieldRecord(name, **{**defaults, "is_read_only": False, "soap_name": None, **facts})  # type: ignore[arg-type]  # a mixture


STANDARD = tuple(
    told(
        field.name,
        display_name=field.display or field.name,
        data_type=field.type,
        length=field.length,
        is_read_only=field.read_only,
        soap_name=field.soap or None,
    )
    for field in LEAD.fields.values()
)


def instance(*records: FieldRecord, searchable: tuple[str, ...] | None = LEAD.lookup_fields) -> Instance:
    more = None if searchable is None else LeadRecord((), searchable)
    return read_instance("x.mktorest.com", records, more)


def otherwise(name: str, **facts: object) -> tuple[FieldRecord, ...]:
    """The standard instance, but for one field."""
    records = {record.name: record for record in STANDARD}
    return tuple({**records, name: replace(records[name], **facts)}.values())  # type: ignore[arg-type]  # a mixture


def test_a_standard_instance_has_nothing_to_add() -> None:
    assert render_schema(instance(*STANDARD), LEAD) == 'instance = "x.mktorest.com"\nextends = "lead"\n'


def test_the_file_says_what_is_otherwise_in_an_order_that_never_changes() -> None:
    records = [record for record in STANDARD if record.name not in {"fax", "sfdcLeadId"}]
    company = next(record for record in records if record.name == "company")
    records.remove(company)
    records += [
        told("Score_c", display_name='The "Score"', data_type="score", length=None, soap_name="Score"),
        told("company", display_name="Company Name", length=40, soap_name="Company", is_read_only=True),
        told("Wand", data_type="lead_function", length=None, display_name="Wand\nline"),
    ]
    lookups = tuple(name for name in LEAD.lookup_fields if name != "sfdcLeadId")
    given = instance(*records, searchable=(*lookups, "Score_c"))
    text = render_schema(given, LEAD, datetime(2026, 11, 22, 9, 30, tzinfo=UTC))
    assert text == (
        "# The lead fields of x.mktorest.com, as it described them on 2026-11-22 09:30 UTC.\n"
        "# Written by prep schema pull, which replaces it: rules of your own go into one that extends it.\n"
        "\n"
        'instance = "x.mktorest.com"\n'
        'extends = "lead"\n'
        "lookup_fields = [\n" + "".join(f'    "{name}",\n' for name in lookups) + "]\n"
        'absent = [\n    "fax",\n    "sfdcLeadId",\n]\n'
        "\n"
        '[fields.Score_c]\ntype = "score"\nsoap = "Score"\ndisplay = "The \\"Score\\""\n'
        "\n"
        '# type "lead_function" is not known to prep and taken as text\n'
        '[fields.Wand]\ntype = "text"\nlength = 30000\ndisplay = "Wand\\nline"\n'
        "\n"
        "[fields.company]\nlength = 40\nread_only = true\n"
    )
    backwards = instance(*reversed(records), searchable=("Score_c", *reversed(lookups)))
    assert render_schema(backwards, LEAD) == text.split("\n\n", 1)[1]
    schema = schema_of(given)
    assert "fax" not in schema.fields
    assert "sfdcLeadId" not in schema.lookup_fields
    assert schema.fields["company"].read_only


def test_a_changed_type_does_not_keep_the_length_of_the_old_one() -> None:
    schema = schema_of(instance(*otherwise("company", data_type="text", length=None)))
    assert said_of(schema, "company")["length"] == 30_000
    assert compare(LEAD, schema, FACTS).changed == (
        Change("company", "type", "string", "text"),
        Change("company", "length", 255, 30_000),
    )


def test_without_the_second_call_lookup_fields_stay_as_they_are_documented() -> None:
    records = [record for record in STANDARD if record.name not in {"sfdcLeadId", "fax"}]
    schema = schema_of(instance(*records, searchable=None))
    assert schema.lookup_fields == LEAD.lookup_fields
    assert LEAD.fields.keys() - schema.fields.keys() == {"fax"}


def test_a_field_that_only_the_second_call_tells_is_taken() -> None:
    more = LeadRecord((told("onlyThere", length=12, is_read_only=True),), LEAD.lookup_fields)
    field = schema_of(read_instance("x", STANDARD, more)).fields["onlyThere"]
    assert (field.length, field.read_only) == (12, True)


def test_two_calls_that_disagree_leave_a_remark_and_the_first_one_holds() -> None:
    more = LeadRecord((told("company", is_read_only=True),), LEAD.lookup_fields)
    found = read_instance("x", STANDARD, more)
    assert not found.fields["company"].read_only
    assert found.remarks == {"company": "writable says describe, not updateable says describe2"}
    assert "# writable says describe" in render_schema(found, LEAD)
    assert not compare(LEAD, schema_of(found))


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Industry", None),  # two display names
        ("industry", "industry"),
        ("INDUSTRY", None),
        ("Company Name", "company"),
        ("companyName", "companyName"),
        ("COMPANY NAME", None),  # the display name of one, the REST name of the other
        ("First_Name", "First_Name"),
        ("first-name", None),
        ("cell phone", None),  # a packaged word must not settle it
    ],
)
def test_names_that_mean_two_fields_mean_none(header: str, field: str | None) -> None:
    schema = schema_of(
        instance(
            *STANDARD,
            told("Industry_c", display_name="Industry"),
            told("companyName"),
            told("First_Name"),
            told("Cell_Phone"),
            told("cellPhone"),
        )
    )
    column = map_headers(
        [header], schema, lookup_field="email", maps={}, constants={}, unknown=Unknown.ERROR
    ).columns[0]
    assert (column.field if column.how != "suggested" else None) == field


_NAMES = st.one_of(
    st.sampled_from(
        ["company", "Company", "COMPANY", "company_name", "Email", "E-Mail", "Ünter", "a b", "_x"]
    ),
    st.text(min_size=1, max_size=8),
)
_RECORDS = st.builds(
    FieldRecord,
    name=_NAMES,
    display_name=_NAMES,
    data_type=st.sampled_from(["string", "text", "integer", "reference", "formula", "Currency", "odd\ntype"]),
    length=st.one_of(st.none(), st.integers(0, 40_000)),
    is_read_only=st.booleans(),
    soap_name=st.one_of(st.none(), _NAMES),
)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(_RECORDS, max_size=8, unique_by=lambda record: record.name), st.booleans())
def test_whatever_an_instance_tells_makes_a_schema_that_says_just_that(
    records: list[FieldRecord],
    has_second: bool,  # noqa: FBT001 (hypothesis gives it)
) -> None:
    more = LeadRecord((), ("email", *(record.name for record in records))) if has_second else None
    found = read_instance("x", records, more)
    schema = schema_of(found)
    unasked = set() if has_second else set(LEAD.lookup_fields)
    assert found.fields.keys() <= schema.fields.keys() <= found.fields.keys() | unasked | {"email"}
    for name, field in found.fields.items():
        said = schema.fields[name]
        assert said.type == field.type
        assert said.read_only == (field.read_only or field.type in READ_ONLY_TYPES)
        assert not field.length or longest(said.type, said.length) == longest(field.type, field.length)
        assert not field.display or said.display == field.display
        assert not field.soap or said.soap == field.soap
    assert render_schema(found, LEAD) == render_schema(read_instance("x", records[::-1], more), LEAD)
