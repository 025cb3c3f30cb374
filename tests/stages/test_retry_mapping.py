"""What columns became in their source, they become when rows of it are tried again."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from prep.config import CleanOptions
from prep.errors import HeaderError, SchemaError, SourceError
from prep.marketo import Marketo
from prep.pipeline import Run, clean, prepare, reconcile, retry, submit
from prep.review.answers import describe_mapping
from prep.review.desk import REASONS, Desk
from prep.sandbox import Fault, FaultKind, Sandbox

FULL_NAMES: CleanOptions = {"split_name": True}
DROPPING: CleanOptions = {"unknown": "drop"}

CASES: dict[str, tuple[list[str], CleanOptions]] = {
    "full names beside their parts": (
        [
            "Email,Name\nana(at)example.com,Ana van Dam\n",
            "Email,First Name,Last Name\nbo(at)example.com,Bo,Orr\n",
        ],
        FULL_NAMES,
    ),
    "full names beside last names": (
        ["Email,Last Name\nana(at)example.com,Dam\n", "Email,Name\nbo(at)example.com,Bo Orr\n"],
        FULL_NAMES,
    ),
    "one header for last names and full names": (
        [
            "Email;Vorname;Name\nana(at)example.com;Ana;Dam\n",
            "Email;Name\nbo(at)example.com;Bo Orr\n",
            "Email;Company\ncy(at)example.com;Acme\n",
        ],
        FULL_NAMES,
    ),
    "one header for last names and for nothing": (
        ["Email;Vorname;Name\nana(at)example.com;Ana;Dam\n", "Email;Name\nbo(at)example.com;Bo Orr\n"],
        DROPPING,
    ),
    "a header that another source would explain": (
        ["Email;Vorname\nana(at)example.com;Ana\n", "Email;Name\nbo(at)example.com;Bo Orr\n"],
        DROPPING,
    ),
    "a header that is the name of a field and was left out": (
        [
            "Email;Vorname;Name;lastName\nana(at)example.com;Ana;Dam;q\n",
            "Email;Name\nbo(at)example.com;Bo Orr\n",
        ],
        {"maps": {"lastName": ""}, **FULL_NAMES},
    ),
    "headers alike that were left out by one name": (
        ["Email,Foo\nana(at)example.com,1\n", "Email,foo\nbo(at)example.com,2\n"],
        {"maps": {"Foo": ""}},
    ),
    "headers like those that prep adds": (
        [
            "Email,_source,_row,_message\nana(at)example.com,Web,7,Acme\n",
            "Email,_line,_reasons\nbo(at)example.com,8,Dr.\n",
        ],
        {"maps": {"_row": "title", "_line": "title", "_message": "company", "_reasons": "salutation"}},
    ),
}


def clean_sources(folder: Path, texts: list[str], options: CleanOptions) -> Run:
    folder.mkdir()
    paths = [folder / f"{number}.csv" for number, _ in enumerate(texts)]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return clean(paths, folder / "leads.prep", **options)


@pytest.fixture
def client() -> Iterator[Marketo]:
    """Of an instance where every import fails as a whole."""
    faults = [Fault(kind=FaultKind.JOB_FAILED)]
    with Sandbox(faults=faults) as sandbox, Marketo(sandbox.url, "id", "secret") as client:
        yield client


def mend(path: Path) -> None:
    path.write_text(path.read_text().replace("(at)", "@"))


def ready(run: Run) -> list[dict[str, str]]:
    """What is sent of each row, without blanks."""
    (chunk,) = (run.path / "chunks").glob("*.csv")
    rows = pl.read_csv(chunk, infer_schema=False).sort("email").rows(named=True)
    return [{field: cell for field, cell in row.items() if cell is not None} for row in rows]


@pytest.mark.parametrize(("texts", "options"), CASES.values(), ids=CASES)
def test_a_corrected_row_is_sent_as_if_its_source_had_been_right(
    texts: list[str], options: CleanOptions, tmp_path: Path
) -> None:
    run = clean_sources(tmp_path / "wrong", texts, options)
    right = clean_sources(tmp_path / "right", [text.replace("(at)", "@") for text in texts], options)
    mend(run.folder.rejected)
    assert ready(retry(run)) == ready(right)


@pytest.mark.parametrize(("texts", "options"), CASES.values(), ids=CASES)
def test_the_page_of_a_review_judges_the_same_columns(
    texts: list[str], options: CleanOptions, tmp_path: Path
) -> None:
    run = clean_sources(tmp_path / "run", texts, options)
    desk = Desk.open(run.path)
    for number, address in enumerate(desk.rows["0"]):
        desk.edit(number, 0, address.replace("(at)", "@"))
    assert desk.rows[REASONS].to_list() == [""] * len(texts)
    desk.close()
    assert len(ready(retry(run))) == len(texts)


@pytest.mark.parametrize(("texts", "options"), CASES.values(), ids=CASES)
def test_a_table_in_its_folder_is_cleaned_as_its_run_read_it_or_not_at_all(
    texts: list[str], options: CleanOptions, tmp_path: Path
) -> None:
    run = clean_sources(tmp_path / "run", texts, options)
    right = clean_sources(tmp_path / "right", [text.replace("(at)", "@") for text in texts], options)
    mend(run.folder.rejected)
    again = clean_or_code(run.folder.rejected, tmp_path / "again.prep", options)
    if isinstance(again, Run):
        assert ready(again) == ready(right)
    else:
        assert again in {"other_meaning", "unknown_header"}
        assert not (tmp_path / "again.prep").exists()


def clean_or_code(path: Path, out: Path, options: CleanOptions) -> Run | str:
    try:
        return clean(path, out, **options)
    except HeaderError as error:
        return error.code


@pytest.mark.parametrize(
    ("texts", "options", "columns"),
    [
        (
            ["Email,Company\na(at)example.com,A\n", "Email,Company Name\nb(at)example.com,B\n"],
            {},
            "'Company', 'Company Name'",
        ),
        (["Email,Job\na(at)example.com,Chief\n"], {"maps": {"Job": "company"}}, "'Job'"),
        (["Email,Birthday\na(at)example.com,03.04.1980\nb@example.com,13.04.1980\n"], {}, "'Birthday'"),
    ],
)
def test_a_table_in_its_folder_is_not_read_otherwise(
    texts: list[str], options: CleanOptions, columns: str, tmp_path: Path
) -> None:
    run = clean_sources(tmp_path / "run", texts, options)
    for path in (run.folder.rejected, run.folder.rejected_workbook):
        with pytest.raises(HeaderError) as caught:
            prepare(path)
        assert (caught.value.code, caught.value.message) == (
            "other_meaning",
            f"{path}: columns that are read otherwise here than in their run: {columns}",
        )
        assert caught.value.hint == (
            f"prep retry {run.path} reads them as the run did. Else say what they are with --map, --dates or "
            "--decimal."
        )


def test_what_is_said_of_a_column_counts_for_a_table_in_its_folder(tmp_path: Path) -> None:
    text = "Email,Job,Birthday\na(at)example.com,Chief,03.04.1980\nb@example.com,,13.04.1980\n"
    run = clean_sources(tmp_path / "run", [text], {"maps": {"Job": "company"}})
    mend(run.folder.rejected)
    again = clean(run.folder.rejected, tmp_path / "again.prep", maps={"job": "company"}, dates="dmy")
    assert ready(again) == ready(retry(run))
    with pytest.raises(HeaderError, match="'Birthday'"):
        prepare(run.folder.rejected, maps={"Job": "company"}, dates="mdy")


def test_numbers_by_type_are_not_read_as_text_from_a_table_in_its_folder(tmp_path: Path) -> None:
    source = tmp_path / "leads.parquet"
    pl.DataFrame({"email": ["a(at)example.com"], "Annual Revenue": [1.234]}).write_parquet(source)
    run = clean(source, tmp_path / "leads.prep", decimal="comma")
    with pytest.raises(HeaderError, match="'Annual Revenue'"):
        prepare(run.folder.rejected, decimal="comma")


@pytest.mark.parametrize(
    ("field", "cells", "said"),
    [
        ("dateOfBirth", ("01/02/2020", "12/31/2020"), {"dates": "dmy"}),
        ("annualRevenue", ("1.234", "12.5"), {"decimal": "comma"}),
    ],
)
def test_what_the_run_was_told_of_cells_must_be_said_for_a_table_in_its_folder(
    field: str, cells: tuple[str, str], said: CleanOptions, tmp_path: Path
) -> None:
    text = f"Email,{field}\na(at)example.com,{cells[0]}\nb@example.com,{cells[1]}\n"
    run = clean_sources(tmp_path / "run", [text], said)
    mend(run.folder.rejected)
    with pytest.raises(HeaderError, match=repr(field)):
        prepare(run.folder.rejected)
    assert ready(clean(run.folder.rejected, tmp_path / "again.prep", **said)) == ready(retry(run))


def test_only_what_a_column_proved_must_be_said_for_a_table_in_its_folder(tmp_path: Path) -> None:
    text = "Email,Birthday,Annual Revenue\na(at)example.com,03.04.1980,7\nb@example.com,13.04.1980,\n"
    run = clean_sources(tmp_path / "run", [text], {})
    mend(run.folder.rejected)
    assert ready(clean(run.folder.rejected, tmp_path / "again.prep", dates="dmy")) == ready(retry(run))
    assert prepare(run.folder.rejected, maps={"Birthday": ""}).ready.height == 1


def test_a_table_of_prepared_rows_in_its_folder(tmp_path: Path) -> None:
    text = 'Email,Birthday,Annual Revenue\na@example.com,13.04.1980,"1,5"\na@example.com,03.04.1980,7\n'
    run = clean_sources(tmp_path / "run", [text], {})
    (row,) = prepare(run.folder.duplicates).ready.rows(named=True)
    assert (row["dateOfBirth"], row["annualRevenue"]) == ("1980-04-13", "1.5")
    with pytest.raises(HeaderError, match="'annualRevenue'") as caught:
        prepare(run.folder.duplicates, decimal="comma")
    assert caught.value.hint == "Say what they are with --map, --dates or --decimal."


def test_a_table_in_its_folder_and_a_schema_whose_path_counts_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text('extends = "lead"\nname = "mine"\n[fields.title]\naliases = ["Job"]\n')
    Path("leads.csv").write_text("Email,Job\na(at)example.com,Chief\n")
    run = clean("leads.csv", tmp_path / "leads.prep", schema="mine.toml")
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert prepare(run.folder.rejected, "../mine.toml").counts["rejected"] == 1


def test_a_table_beside_a_manifest_of_something_else(tmp_path: Path) -> None:
    run = clean_sources(tmp_path / "run", ["Email\na(at)example.com\n"], {})
    table = tmp_path / "rejected.csv"
    table.write_bytes(run.folder.rejected.read_bytes())
    (tmp_path / "manifest.json").write_text('{"name": "web app", "version": "1"}')
    assert prepare(table).counts["rejected"] == 1


@pytest.mark.parametrize("has_source", [True, False])
def test_a_table_of_failed_rows_in_its_folder(*, has_source: bool, tmp_path: Path, client: Marketo) -> None:
    source = tmp_path / "leads.csv"
    source.write_text("Email,Telephone,Phone\na@example.com,+49 1,+49 2\n")
    run = clean(source, tmp_path / "leads.prep", maps={"Telephone": "mobilePhone"})
    if not has_source:
        source.unlink()
    submit(run, client, poll_seconds=(0.05, 1))
    if has_source:
        with pytest.raises(HeaderError, match="'Telephone'"):
            prepare(run.folder.failed)
    else:
        assert ready(clean(run.folder.failed, tmp_path / "again.prep")) == ready(run)


def test_a_failed_row_whose_mapped_column_was_united_with_another_is_tried_once(
    tmp_path: Path, client: Marketo
) -> None:
    """The retry has no column of that name, so its settings do not speak of it any more."""
    texts = ["Email,Job Title\na@example.com,Chief\n", "Email,Rank,Birthday\nb@example.com,Vice,13.04.1980\n"]
    run = submit(
        clean_sources(tmp_path / "run", texts, {"maps": {"Rank": "title"}}), client, poll_seconds=(0.05, 1)
    )
    assert len(ready(retry(run))) == 2
    (tmp_path / "run/1.csv").unlink()
    reconcile(run, client)
    with pytest.raises(SourceError, match="are in a retry already"):
        retry(run)
    (tmp_path / "run/1.csv").write_text(texts[1])
    reconcile(run, client)
    (row,) = ready(retry(run, maps={"Rank": "company"}))
    assert row["company"] == "Vice"


def test_a_row_with_a_full_name_and_a_first_name_is_refused(tmp_path: Path) -> None:
    texts, options = CASES["full names beside their parts"]
    run = clean_sources(tmp_path / "run", texts, options)
    table = run.folder.rejected
    table.write_text(table.read_text().replace("Ana van Dam,,", "Ana van Dam,Ana,"))
    with pytest.raises(HeaderError) as caught:
        retry(run)
    assert (caught.value.code, caught.value.column) == ("two_names", "Name")
    assert caught.value.message == (
        f"{table}: rows with a full name in 'Name' and with parts of one besides "
        "('First Name', 'Last Name'): 1"
    )
    assert not run.path.with_name("leads-retry1.prep").exists()


def test_a_row_of_which_nobody_knows_what_its_column_meant_is_refused(tmp_path: Path) -> None:
    """It came back from an earlier run once before, and so its source is none of this run's."""
    texts, options = CASES["one header for last names and full names"]
    earlier = clean_sources(tmp_path / "earlier", texts[:1], options)
    (tmp_path / "full.csv").write_text(texts[1])
    run = clean([earlier.folder.rejected, tmp_path / "full.csv"], tmp_path / "both.prep", **options)
    mend(run.folder.rejected)
    with pytest.raises(HeaderError) as caught:
        retry(run)
    assert (caught.value.code, caught.value.column) == ("unclear_column", "Name")
    assert caught.value.hint == (
        "Move its cells of these rows to a column of the field that they are: 'firstName', 'lastName'. "
        "--map would give the cells of all other rows to one field as well."
    )
    rows = pl.read_csv(run.folder.rejected, separator=";", infer_schema=False)
    is_ana = pl.col("Email") == "ana@example.com"
    moved = [pl.when(is_ana).then("Name").alias("Last Name"), pl.when(~is_ana).then("Name").alias("Name")]
    rows.with_columns(moved).write_csv(run.folder.rejected, separator=";")
    assert ready(retry(run)) == [
        {"email": "ana@example.com", "firstName": "Ana", "lastName": "Dam"},
        {"email": "bo@example.com", "firstName": "Bo", "lastName": "Orr"},
    ]


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_failed_row_keeps_columns_named_like_those_that_prep_adds(
    *, is_gone: bool, tmp_path: Path, client: Marketo
) -> None:
    source = tmp_path / "leads.csv"
    source.write_text("Email,_source,_message\nbo@example.com,Web,Acme\n")
    run = clean(source, tmp_path / "leads.prep", maps={"_message": "company"})
    if is_gone:
        source.unlink()
    submit(run, client, poll_seconds=(0.05, 1))
    assert run.folder.manifest().tells_sent is is_gone
    assert (
        ready(retry(run))
        == ready(run)
        == [{"email": "bo@example.com", "leadSource": "Web", "company": "Acme"}]
    )


def test_a_column_named_like_one_that_prep_adds_can_be_given_to_another_field(tmp_path: Path) -> None:
    run = clean_sources(tmp_path / "run", ["Email,_source\nana(at)example.com,Web\n"], {})
    desk = Desk.open(run.path)
    assert [
        (column["source"], column["field"], column["isFixed"]) for column in describe_mapping(desk)["columns"]
    ] == [("Email", "email", False), ("_source", "leadSource", False)]
    desk.remap({"_source": "company"})
    desk.edit(0, 0, "ana@example.com")
    desk.close()
    assert ready(retry(run)) == [{"email": "ana@example.com", "company": "Web"}]


def test_columns_that_prep_added_are_known_where_a_person_moved_them(tmp_path: Path) -> None:
    run = clean_sources(tmp_path / "run", ["Email,_message\nana(at)example.com,Acme\n"], {"unknown": "drop"})
    rows = pl.read_csv(run.folder.rejected, infer_schema=False)
    rows.select("_reasons", pl.exclude("_reasons")).write_csv(run.folder.rejected)
    mend(run.folder.rejected)
    again = retry(run, maps={"_message": "company"})
    assert ready(again) == [{"email": "ana@example.com", "company": "Acme"}]


MOVED: dict[str, tuple[list[str], CleanOptions, dict[str, str]]] = {
    "parts of full names": (["Email,Name\nbo@example.com,Ana Dam\n"], FULL_NAMES, {"Name": ""}),
    "one of two columns of a field": (
        [
            "Email,Company\nbo@example.com,A\n",
            "Email,Firma\ncy@example.com,B\n",
        ],
        {},
        {"Firma": "department"},
    ),
    "the other one, of which no row failed": (
        ["Email,Company\nana(at)example.com,A\n", "Email,Firma\ncy@example.com,B\n"],
        {},
        {"Company": "department"},
    ),
    "a header with two meanings": (
        [
            "Email;Vorname;Name\nbo@example.com;Ana;Dam\n",
            "Email;Name\ncy@example.com;Bo Orr\n",
        ],
        FULL_NAMES,
        {"Name": "company"},
    ),
    "a column that was not sent": (
        ["Email;Foo\nbo@example.com;Acme\n"],
        DROPPING,
        {"Foo": "company"},
    ),
}


def values_as_sent(folder: Path, texts: list[str], options: CleanOptions, client: Marketo) -> Run:
    """A run whose sources were gone when its outcome was known, and are back now."""
    run = clean_sources(folder, texts, options)
    for number, _ in enumerate(texts):
        (folder / f"{number}.csv").unlink()
    submit(run, client, poll_seconds=(0.05, 1))
    for number, text in enumerate(texts):
        (folder / f"{number}.csv").write_text(text)
    return run


@pytest.mark.parametrize(("texts", "options", "maps"), MOVED.values(), ids=MOVED)
def test_values_as_sent_that_cannot_follow_their_column_are_refused_until_its_cells_are_back(
    texts: list[str], options: CleanOptions, maps: dict[str, str], tmp_path: Path, client: Marketo
) -> None:
    (header,) = maps
    run = values_as_sent(tmp_path / "run", texts, options, client)
    with pytest.raises(HeaderError) as caught:
        retry(run, maps=maps)
    assert (caught.value.code, caught.value.column) == ("values_as_sent", header)
    assert caught.value.message == (
        f"{run.folder.failed}: holds values as sent, where the cells of {header!r} cannot be told apart"
    )
    assert caught.value.hint == (
        f"Put the sources back where they were, delete the table and give prep reconcile {run.path}, which "
        "writes it anew with their cells."
    )
    desk = Desk.open(run.path)
    with pytest.raises(HeaderError, match="values as sent"):
        desk.remap(maps)
    desk.close()
    right = clean_sources(tmp_path / "right", texts, {**options, "maps": {**options.get("maps", {}), **maps}})
    table = run.folder.failed
    table.write_bytes(table.read_bytes().replace(b"\n", b"\r\n"))
    reconcile(run, client)
    with pytest.raises(HeaderError, match="values as sent"):
        retry(run, maps=maps)
    table.unlink()
    reconcile(run, client)
    assert ready(retry(run, maps=maps)) == ready(right)


def test_a_column_that_was_left_out_comes_into_values_as_sent_of_merged_rows_in_the_table(
    tmp_path: Path, client: Marketo
) -> None:
    """Their sources are there, and prep reconcile would write the same table again."""
    source = tmp_path / "l.csv"
    source.write_text("email,Foo\nshared.mailbox@example.com,A\nshared.mailbox@example.com,\n")
    run = clean(source, tmp_path / "run", keep="merge", unknown="drop")
    run = submit(run, client, poll_seconds=(0.05, 1))
    with pytest.raises(HeaderError) as caught:
        retry(run, maps={"Foo": "company"})
    assert caught.value.hint == (
        "Rows of it may be merged from several: add a column of the field to it, and leave out --map."
    )
    table = run.folder.failed
    text = table.read_text(encoding="utf-8")
    text = text.replace("email,", "email,company,").replace(
        "shared.mailbox@example.com,", "bo@example.com,A,"
    )
    table.write_text(text, encoding="utf-8")
    (sent,) = retry(run).folder.chunks.iterdir()
    assert sent.read_text() == "email,company\nbo@example.com,A\n"


def test_values_as_sent_of_a_field_become_another_one_together(tmp_path: Path, client: Marketo) -> None:
    texts = [
        "Email,Company\nbo@example.com,A\n",
        "Email,Firma,Foo\ncy@example.com,B,\n",
        "Email,Bar\nana(at)@example.com,C\n",
    ]
    run = values_as_sent(tmp_path / "run", texts, DROPPING, client)
    again = retry(run, maps={"Company": "department", "Firma": "department", "Bar": "title"})
    assert ready(again) == [
        {"email": "bo@example.com", "department": "A"},
        {"email": "cy@example.com", "department": "B"},
    ]


AMOUNTS = pl.DataFrame(
    {"email": ["ana(at)example.com", "bo@example.com"], "Rev Amount": [1.234, 2.5], "Note": ["1.234", ""]}
)
COMMAS: CleanOptions = {"decimal": "comma", "unknown": "drop"}


@pytest.mark.parametrize("in_review", [True, False])
def test_numbers_by_type_are_numbers_in_a_column_that_is_mapped_when_rows_are_tried_again(
    *, in_review: bool, tmp_path: Path
) -> None:
    maps = {"Rev Amount": "annualRevenue"}
    run = clean(AMOUNTS, tmp_path / "leads.prep", **COMMAS)
    mend(run.folder.rejected)
    if in_review:
        desk = Desk.open(run.path)
        desk.remap(maps)
        desk.close()
    again = retry(run, maps=None if in_review else maps)
    assert ready(again) == [{"email": "ana@example.com", "annualRevenue": "1.234"}]
    (convention,) = again.folder.manifest().conventions
    assert (convention.source, convention.field, convention.value) == ("frame 1", "annualRevenue", "point")


def test_text_beside_numbers_by_type_is_read_as_the_settings_say(tmp_path: Path) -> None:
    run = clean(AMOUNTS, tmp_path / "leads.prep", **COMMAS)
    mend(run.folder.rejected)
    again = retry(run, maps={"Note": "annualRevenue"})
    assert ready(again) == [{"email": "ana@example.com", "annualRevenue": "1234"}]


def test_a_source_of_typed_cells_that_is_gone_is_asked_for_where_a_column_becomes_a_number(
    tmp_path: Path,
) -> None:
    source = tmp_path / "leads.parquet"
    AMOUNTS.write_parquet(source)
    run = clean(source, tmp_path / "leads.prep", **COMMAS)
    source.unlink()
    mend(run.folder.rejected)
    with pytest.raises(SourceError) as caught:
        retry(run, maps={"Rev Amount": "annualRevenue"})
    assert (caught.value.code, caught.value.message) == ("no_such_file", f"{source}: is gone")
    assert caught.value.hint == (
        "Only the source tells which cells of a column that is to become a number are numbers already: "
        "put it back where it was."
    )


OWN_SCHEMA = 'extends = "lead"\n[fields.branch]\naliases = ["{}"]\n'


def test_a_schema_by_which_columns_become_something_else_is_refused(tmp_path: Path) -> None:
    schema = tmp_path / "own.toml"
    schema.write_text(OWN_SCHEMA.format("Filiale"))
    (tmp_path / "leads.csv").write_text("Email,Filiale\nana(at)example.com,Ost\n")
    run = clean(tmp_path / "leads.csv", tmp_path / "leads.prep", schema=schema, unknown="drop")
    mend(run.folder.rejected)
    schema.write_text(OWN_SCHEMA.format("Niederlassung"))
    with pytest.raises(SchemaError) as caught:
        retry(run)
    assert (caught.value.code, caught.value.column) == ("schema_changed", "Filiale")
    assert caught.value.message == (
        f"{schema}: changed since the run was made, and so did what columns become: 'Filiale'"
    )
    assert caught.value.hint == (
        "Restore the schema as it was, or clean the sources again with the one that is there now."
    )
    with pytest.raises(SchemaError, match="changed since the run was made"):
        Desk.open(run.path)
    schema.write_text(OWN_SCHEMA.format('Filiale", "Niederlassung'))
    assert ready(retry(run)) == [{"email": "ana@example.com", "branch": "Ost"}]


def test_a_source_without_a_rejected_row_need_not_be_there(tmp_path: Path) -> None:
    texts = ["Email,Company\nana(at)example.com,Acme\n", "Email,Title\nbo@example.com,Cook\n"]
    run = clean_sources(tmp_path / "run", texts, {})
    (tmp_path / "run/1.csv").unlink()
    desk = Desk.open(run.path)
    desk.edit(0, 0, "ana@example.com")
    desk.close()
    assert ready(retry(run)) == [{"email": "ana@example.com", "company": "Acme"}]


def test_a_table_that_came_back_must_be_there_whatever_sources_its_rows_have(tmp_path: Path) -> None:
    earlier = clean_sources(tmp_path / "earlier", ["Email\nana(at)example.com\n"], {})
    run = clean(earlier.folder.rejected, tmp_path / "leads.prep")
    earlier.folder.rejected.unlink()
    mend(run.folder.rejected)
    with pytest.raises(SourceError) as caught:
        retry(run)
    assert caught.value.message == f"{earlier.folder.rejected}: is gone"
