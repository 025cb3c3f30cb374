"""The frame stages over several sources, in memory and on the disk."""

import csv
import math
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from prep import preparation
from prep.blanks import Groups
from prep.chunks import largest_line_bytes
from prep.config import CleanOptions
from prep.decision import Places
from prep.duplicates import ORDINAL
from prep.errors import BalanceError, HeaderError, SettingsError, SourceError
from prep.intake import Given, Query, default_folder
from prep.memory import Memory
from prep.model import Chunk, Format, Reason
from prep.pipeline import Prepared, clean, prepare, read
from prep.preparation import HASH

Rows = list[tuple[Any, ...]]


def write(folder: Path, **files: str) -> list[Path]:
    paths = [folder / f"{name}.csv" for name in files]
    for path, content in zip(paths, files.values(), strict=True):
        path.write_text(content)
    return paths


def ready(prepared: Prepared) -> Rows:
    """Survivors with the stem of their source and their row."""
    return [
        (*row[:-3], Path(row[-3]).stem, row[-2])
        for row in prepared.ready.rows()  # fields, _source, _row, _line
    ]


def test_sources_with_different_columns(tmp_path: Path) -> None:
    paths = write(
        tmp_path,
        a="Email,First Name\nana@example.com,Ana\nbo@example.com,Bo\n",
        b="City,Mail\nParis,Bo@example.com\nRome,cy@example.com\n",
    )
    prepared = prepare(paths, maps={"mail": "email"})
    assert prepared.ready.columns == ["email", "firstName", "city", "_source", "_row", "_line"]
    assert ready(prepared) == [
        ("ana@example.com", "Ana", None, "a", 1),
        ("Bo@example.com", None, "Paris", "b", 1),
        ("cy@example.com", None, "Rome", "b", 2),
    ]
    assert prepared.duplicates.rows() == [
        ("bo@example.com", "Bo", None, str(paths[0]), 2, 3, str(paths[1]), 1)
    ]


def test_merging_across_sources(tmp_path: Path) -> None:
    paths = write(
        tmp_path,
        a="email,firstName,title\nana@example.com,Ana,Buyer\nana@example.com,,Chief\n",
        b="email,city\nANA@example.com,Rome\n",
    )
    prepared = prepare(paths, keep="merge")
    assert ready(prepared) == [("ANA@example.com", "Ana", "Chief", "Rome", "b", 1)]
    run = clean(paths, tmp_path / "out.prep", keep="merge")
    with run.folder.merged.open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [
            ["field", "value", "_source", "_row", "_kept_source", "_kept_row"],
            ["email", "ana@example.com", str(paths[0]), "1", str(paths[1]), "1"],
            ["title", "Buyer", str(paths[0]), "1", str(paths[1]), "1"],
            ["email", "ana@example.com", str(paths[0]), "2", str(paths[1]), "1"],
        ]


def test_constants_fill_every_row_and_are_judged(tmp_path: Path) -> None:
    paths = write(tmp_path, a="email\nana@example.com\n", b="email\nbo@example.com\n")
    prepared = prepare(paths, constants={"country": " Spain ", "leadScore": "07"})
    assert ready(prepared) == [
        ("ana@example.com", "Spain", "7", "a", 1),
        ("bo@example.com", "Spain", "7", "b", 1),
    ]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("leadScore", "many", "--set leadScore: not a whole number of at most 64 bits"),
        ("dateOfBirth", "soon", "--set dateOfBirth: not a calendar date"),
        ("city", "x" * 256, "--set city: longer than the field holds"),
        ("unsubscribed", "perhaps", "--set unsubscribed: neither true nor false"),
    ],
)
def test_a_constant_that_no_row_may_have_is_refused(
    tmp_path: Path, field: str, value: str, message: str
) -> None:
    (path,) = write(tmp_path, a="email\nana@example.com\n")
    with pytest.raises(SettingsError, match=message) as raised:
        prepare(path, constants={field: value})
    assert (raised.value.code, raised.value.column) == ("bad_set", field)


@pytest.mark.parametrize(
    "options",
    [
        {"constants": {"dateOfBirth": "13/02/2001"}},  # the order that it proves itself
        {"constants": {"city": "x" * 256}, "truncate": ["city"]},
        {"constants": {"dateOfBirth": "NULL"}, "clear": ["dateOfBirth"]},
        {"constants": {"leadScore": " "}},
    ],
)
def test_a_constant_that_rows_may_have_is_none_of_these(tmp_path: Path, options: CleanOptions) -> None:
    (path,) = write(tmp_path, a="email\nana@example.com\n")
    assert prepare(path, **options).rejected.is_empty()


def test_a_column_that_meets_a_constant_is_refused_in_any_source(tmp_path: Path) -> None:
    paths = write(tmp_path, a="email\nana@example.com\n", b="email,Country\nbo@example.com,Italy\n")
    with pytest.raises(HeaderError, match="'Country' maps to 'country', and so does '--set country'"):
        prepare(paths, constants={"country": "Spain"})


def test_dropped_columns_stay_in_the_table_of_rejected_rows(tmp_path: Path) -> None:
    (path,) = write(tmp_path, a="email,Shoe size,,x,x\nnobody,44,c,d,e\nana@example.com,45,,,\n")
    prepared = prepare(path, unknown="drop")
    assert prepared.ready.columns == ["email", "_source", "_row", "_line"]
    assert prepared.rejected.columns == [
        *("email", "Shoe size", "", "x", "x_2", "_source", "_row", "_line", "_reasons", "_raw"),
    ]
    assert prepared.rejected.rows() == [
        ("nobody", "44", "c", "d", "e", str(path), 1, 2, ["email:invalid_email"], None)
    ]


def test_names_that_are_taken_get_a_number(tmp_path: Path) -> None:
    (path,) = write(tmp_path, a="email,a,a,a_2,_row,_raw\nnobody,1,2,3,4,5\n")
    assert read(path).columns == ["email", "a", "a_3", "a_2", "_row_2", "_raw", "_source", "_row", "_line"]
    assert prepare(path, unknown="drop").rejected.columns == [
        *("email", "a", "a_3", "a_2", "_row_2", "_raw_2", "_source", "_row", "_line", "_reasons", "_raw"),
    ]


def test_fields_may_have_the_names_of_our_own_columns(tmp_path: Path) -> None:
    names = ["key", "rank", "row", "line", "field", "value", "index", "chunk", "fate", "carried"]
    schema = tmp_path / "mine.toml"
    schema.write_text('extends = "lead"\n' + "".join(f"[fields.{name}]\n" for name in names))
    lines = [["email", *names], ["a@example.com", *names], ["A@example.com", *map(str.upper, names)]]
    (path,) = write(tmp_path, a="".join(",".join(line) + "\n" for line in lines))
    for keep, winner in (("last", 2), ("first", 1), ("merge", 2)):
        prepared = prepare(path, schema, keep=keep)
        assert [list(row[:-3]) for row in prepared.ready.rows()] == [lines[winner]]
        run = clean(path, tmp_path / f"{keep}.prep", schema=schema, keep=keep)
        sent = (run.path / "chunks" / "leads-0001.csv").read_text().splitlines()
        assert sent == [",".join(lines[0]), ",".join(lines[winner])]
        assert run.rows["key"].to_list() == ["a@example.com"] * 2


def test_unreadable_rows_take_their_place(tmp_path: Path) -> None:
    (path,) = write(
        tmp_path,
        a="email,title\n\na@example.com,x,extra\nnobody,y\nb@example.com\n"
        'c@example.com,"never closed\nd@example.com,z\n',
    )
    prepared = prepare(path)
    assert prepared.rejected.rows() == [
        (None, None, str(path), 1, 3, ["unreadable_row"], "a@example.com,x,extra"),
        ("nobody", "y", str(path), 2, 4, ["email:invalid_email"], None),
        (None, None, str(path), 3, 5, ["unreadable_row"], "b@example.com"),
        (None, None, str(path), 4, 6, ["unreadable_row"], 'c@example.com,"never closed'),
    ]
    assert ready(prepared) == [("d@example.com", "z", "a", 5)]
    with pytest.raises(SourceError, match="3 records cannot be read, the first on line 3"):
        read(path)


def test_read_gives_cells_as_written(tmp_path: Path) -> None:
    (path,) = write(tmp_path, a='Email,x\n" A@Example.com ",\n"two\nlines",=1\n')
    assert read(path).rows() == [
        (" A@Example.com ", None, str(path), 1, 2),
        ("two\nlines", "=1", str(path), 2, 3),
    ]
    assert read(path).schema == {
        **dict.fromkeys(("Email", "x", "_source"), pl.String),
        **dict.fromkeys(("_row", "_line"), pl.UInt32),
    }


def test_a_row_that_is_too_large_is_rejected_after_its_values_were_judged(tmp_path: Path) -> None:
    long = "x" * 900
    (path,) = write(
        tmp_path, a=f"email,mktoPersonNotes\na@example.com,{long}\nnobody,{long}\nb@example.com,y\n"
    )
    prepared = prepare(path, max_bytes=1000)
    assert prepared.rejected.select("_row", "_reasons").rows() == [
        (1, ["too_large"]),
        (2, ["email:invalid_email"]),
    ]
    assert ready(prepared) == [("b@example.com", "y", "a", 3)]


@pytest.mark.parametrize(("mark", "size", "quotes"), [("x", 1, 0), ("é", 2, 0), ('"', 2, 2), ("\n", 1, 2)])
def test_the_largest_row_is_taken_and_the_next_larger_one_is_not(
    tmp_path: Path, mark: str, size: int, quotes: int
) -> None:
    """A quote is written twice, a letter with an accent takes two bytes, a line break needs quotes."""
    room = (
        largest_line_bytes(["email", "mktoPersonNotes"], Format.CSV, 1000)
        - len("a@example.com,x.\n")
        - quotes
    )
    found = []
    path = tmp_path / "a.csv"
    for marks in (room // size, room // size + 1):
        cell = f"x{mark * marks}.".replace('"', '""')
        path.write_text(f'email,mktoPersonNotes\na@example.com,"{cell}"\n')
        found.append(prepare(path, max_bytes=1000).counts["ready"])
    assert found == [1, 0]
    run = clean(path, tmp_path / "out.prep", max_bytes=1000)
    assert run.report["reasons"] == [{"code": "too_large", "field": None, "rows": 1, "shapes": []}]


def test_a_merge_that_would_be_too_large_is_not_made(tmp_path: Path) -> None:
    notes, address = "n" * 400, "a" * 400
    (path,) = write(
        tmp_path,
        a=f"email,mktoPersonNotes,address\na@example.com,{notes},\na@example.com,,{address}\n"
        "b@example.com,x,\nb@example.com,,y\n",
    )
    run = clean(path, tmp_path / "out.prep", keep="merge", max_bytes=1000)
    assert ready(prepare(path, keep="merge", max_bytes=1000)) == [
        ("a@example.com", None, address, "a", 2),
        ("b@example.com", "x", "y", "a", 4),
    ]
    with run.folder.merged.open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file))[1:] == [["mktoPersonNotes", notes, str(path), "1", str(path), "2"]]
    assert run.counts["duplicate"] == 2


@pytest.mark.parametrize(
    ("lookup_field", "cells", "kept"),
    [
        ("email", ["a@example.com", " A@EXAMPLE.COM"], [2]),
        ("id", ["7", "007", "7.0"], [3]),
        ("sfdcContactId", ["00Q30000001AbcD", "00Q30000001abcD", " 00Q30000001AbcD"], [2, 3]),
        ("externalKey", ["K1", "k1", "K1\u200b"], [2, 3]),
        ("externalNumber", ["1", "01"], [2]),
    ],
)
def test_keys_are_compared_as_their_field_asks(
    tmp_path: Path, lookup_field: str, cells: list[str], kept: list[int]
) -> None:
    schema = tmp_path / "mine.toml"
    schema.write_text('extends = "lead"\n[fields.externalKey]\n[fields.externalNumber]\ntype = "integer"\n')
    (path,) = write(tmp_path, a="\n".join([f"{lookup_field},title", *(f"{cell},x" for cell in cells)]))
    assert prepare(path, schema, lookup_field=lookup_field).ready["_row"].to_list() == kept


def test_a_word_for_nothing_is_no_key(tmp_path: Path) -> None:
    """Rows with one are not one person; `ND` and the like may be the key of a custom object's record."""
    cells = ["#N/A", "#N/A", "-", "n/a", "None", "nan", "#REF!", "#NV", "#¡VALOR!", "K1", "ND", "NA"]
    schema = tmp_path / "mine.toml"
    schema.write_text('extends = "lead"\n[fields.externalKey]\n[fields.listed]\nallowed = ["None", "K1"]\n')
    rows = [f"{cell},{cell},{number}@example.com" for number, cell in enumerate(cells, 1)]
    (path,) = write(tmp_path, a="\n".join(["externalKey,listed,email", *rows]))
    prepared = prepare(path, schema, lookup_field="externalKey", maps={"listed": ""})
    assert prepared.ready["externalKey"].to_list() == ["K1", "ND", "NA"]
    assert prepared.rejected.select("_row", "_reasons").rows() == [
        (row, ["externalKey:missing_lookup"]) for row in range(1, 10)
    ]
    assert prepared.duplicates.is_empty()
    listed = prepare(path, schema, lookup_field="listed", maps={"externalKey": ""})
    assert listed.ready["listed"].to_list() == ["None", "K1"]
    no_key = prepare(path, schema, maps={"listed": ""}).ready["externalKey"].to_list()
    assert no_key == [None if cell.startswith("#") else cell for cell in cells]


def test_a_number_that_a_spreadsheet_rounded_is_no_key(tmp_path: Path) -> None:
    """1.23457E+11 is what is left of many numbers: rows with it are not one person."""
    schema = tmp_path / "mine.toml"
    schema.write_text('extends = "lead"\n[fields.externalKey]\n')
    cells = ["1.23457E+11", "1.23457E+11", "1,23e+05", "123456789012", "E+11"]
    (path,) = write(tmp_path, a="\n".join(["externalKey", *(f'"{cell}"' for cell in cells)]))
    prepared = prepare(path, schema, lookup_field="externalKey")
    assert prepared.ready["externalKey"].to_list() == ["123456789012", "E+11"]
    assert prepared.rejected.select("_row", "_reasons").rows() == [
        (row, ["externalKey:missing_lookup"]) for row in (1, 2, 3)
    ]


def test_the_reason_for_an_hour_that_clocks_skip_holds_though_the_zone_was_named(tmp_path: Path) -> None:
    """Two in the morning of 29 March 2026 was three in Madrid."""
    (path,) = write(tmp_path, a="email,mktoAcquisitionDate\na@example.com,2026-03-29 02:30")
    run = clean(path, tmp_path / "a.prep", timezone="Europe/Madrid")
    (reason,) = run.report["reasons"]
    assert (reason["field"], reason["code"], reason["rows"]) == ("mktoAcquisitionDate", "no_timezone", 1)
    assert Reason(reason["code"]).meaning == (
        "a time without zone or offset (--timezone says which one is meant), or one that clocks of that zone "
        "never show"
    )


def test_keys_of_one_hash_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"{name}@example.com,{number}" for number, name in enumerate("abAcdbea")]
    (path,) = write(tmp_path, a="\n".join(["email,title", *rows]))
    prepared = prepare(path)
    assert prepared.duplicates.select("_row", "_kept_row").rows() == [(1, 8), (2, 6), (3, 8)]
    monkeypatch.setattr(preparation, "_KEY_HASH", pl.lit(7, pl.UInt64).alias(HASH))
    again = prepare(path)
    assert again.duplicates.equals(prepared.duplicates)
    assert again.ready.equals(prepared.ready)


@pytest.mark.parametrize("keep", ["first", "last", "newest:mktoAcquisitionDate", "merge"])
def test_keys_that_wait_on_the_disk_give_the_same(
    keep: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = Path(__file__).parents[2] / "sample_data" / "crm_export_duplicates.csv"
    tables = ("duplicates.csv", "chunks/leads-0001.csv", *(["merged.csv"] if keep == "merge" else []))
    whole = clean(sample, tmp_path / "whole.prep", keep=keep)
    monkeypatch.setattr(Memory, "rows", lambda *_: 2)
    parts = clean(sample, tmp_path / "parts.prep", keep=keep)
    assert whole.counts["duplicate"] > 8
    assert parts.rows.equals(whole.rows)
    assert parts.report["duplicates"] == whole.report["duplicates"]
    for name in tables:
        assert (parts.path / name).read_bytes() == (whole.path / name).read_bytes()
    assert prepare(sample, keep=keep).counts == whole.counts


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"keep": "newest"}, "bad_keep"),
        ({"keep": "newest:title"}, "bad_keep"),
        ({"keep": "newest:dateOfBirth"}, "bad_keep"),
        ({"keep": "best"}, "bad_keep"),
        ({"format": "xml"}, "bad_format"),
        ({"dates": "ymd"}, "bad_dates"),
        ({"unknown": "keep"}, "bad_unknown"),
        ({"max_bytes": 999}, "bad_max_bytes"),
        ({"max_bytes": 10 * 1024 * 1024 + 1}, "bad_max_bytes"),
        ({"timezone": "Madrid"}, "bad_timezone"),
        ({"lookup_field": "title"}, "bad_lookup_field"),
        ({"maps": {"x": "title"}}, "unknown_column"),
        ({"constants": {"nope": "x"}}, "unknown_field"),
        ({"keeep": "first"}, "unknown_option"),
    ],
)
def test_options_that_cannot_work_are_refused(tmp_path: Path, options: dict[str, Any], code: str) -> None:
    (path,) = write(tmp_path, a="email,title\na@example.com,x\n")
    with pytest.raises(SettingsError) as caught:
        prepare(path, **options)
    assert caught.value.code == code


def test_lines_without_a_row_are_bounded_over_all_sources(tmp_path: Path) -> None:
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for number, path in enumerate(paths):
        path.write_text("email\n" + "\n" * 60_000 + f"ana{number}@example.com\n", encoding="utf-8")
    with pytest.raises(SourceError) as caught:
        prepare(paths)
    assert caught.value.facts == {
        "code": "too_many_skipped",
        "message": f"{paths[1]}: more than 100000 lines up to here hold no row:"
        " they are blank, comments, or the header again",
        "hint": "Delete them. This takes blank ones out of text: grep '[^[:space:],;]' leads.csv > rows.csv",
        "source": str(paths[1]),
        "row": None,
        "column": None,
    }


def test_sources_that_cannot_be_are_refused(tmp_path: Path) -> None:
    (path, empty) = write(tmp_path, a="email\na@example.com\n", b="email\n\n\n")
    codes = []
    for sources in ([], [path, path], [path, tmp_path / "." / "a.csv"], [tmp_path / "none.csv"], [empty]):
        with pytest.raises(SourceError) as caught:
            clean(sources, tmp_path / "out.prep")
        codes.append(caught.value.code)
    assert codes == ["no_source", "repeated_source", "repeated_source", "no_such_file", "no_rows"]
    assert not (tmp_path / "out.prep").exists()
    assert prepare([path, empty]).counts["read"] == 1


def test_a_member_is_not_read_twice(tmp_path: Path) -> None:
    """Else two rows would be known by one name, and what Marketo says of one could not be told apart."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("b.csv", "email\na@example.com\n")
    twice: list[Given] = [tmp_path / "a.zip", f"{tmp_path}/a.zip!b.csv"]
    with pytest.raises(SourceError, match=r"a\.zip!b\.csv: given twice"):
        prepare(twice)
    with pytest.raises(SourceError, match=r"a\.zip!b\.csv: given twice"):
        clean(twice, tmp_path / "out.prep")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_queries_of_one_database_have_names_of_their_own(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "leads.db")) as database, database:
        for table in ("one", "two"):
            database.execute(f"CREATE TABLE {table} (email TEXT)")
            database.execute(f"INSERT INTO {table} VALUES ('{table}@example.com')")  # noqa: S608
    url = f"sqlite:///{tmp_path}/leads.db"
    queries = [Query(f"SELECT email FROM {table}", url) for table in ("one", "two", "one")]  # noqa: S608
    expected = [(url, 1), (f"{url} (query 2)", 1), (f"{url} (query 3)", 1)]
    run = clean(queries, tmp_path / "out.prep", keep="first")
    assert run.rows.select("source", "row").rows() == expected
    assert clean(queries, tmp_path / "out.prep", keep="first").rows.equals(run.rows)
    assert prepare(queries, keep="first").duplicates["_source"].to_list() == [expected[2][0]]


def test_chunks_must_hold_the_rows_that_are_ready() -> None:
    stands = pl.Series([True, False, True, False, True])
    batches = [pl.DataFrame({ORDINAL: ordinals}) for ordinals in ([0, 1, 2], [3, 4], [])]
    chunks = [
        Chunk(f"chunks/leads-000{number}.csv", rows, 1, "") for number, rows in ((1, 1), (2, 2), (3, 1))
    ]

    def find(chunks: list[Chunk], groups: Groups | None = None) -> list[str | None]:
        places = Places(stands, iter(chunks), groups)
        found = [str(file)[-5:-4] if file else None for batch in batches for file in places.of(batch)]
        places.close()
        return found

    assert find(chunks[:2]) == ["1", None, "2", None, "2"]
    turned = Groups(pl.Series([1, None, 0, None, 0], dtype=pl.UInt32), (("email",), ("email", "title")))
    assert find(chunks[1:2] + chunks[:1], turned) == ["1", None, "2", None, "2"]
    for wrong, rows in ((chunks, 4), (chunks[:1], 1), ([], 0)):
        with pytest.raises(BalanceError, match=f"3 rows are ready, but the upload files hold {rows}"):
            find(wrong)
    assert Places(stands.clear(), []).of(batches[2]).to_list() == []


@pytest.mark.parametrize(
    ("source", "folder"),
    [
        ("leads.csv", "leads.prep"),
        ("/data/leads.2026.csv.txt", "leads.prep"),
        (".hidden.csv", "hidden.prep"),
        ("leads", "leads.prep"),
    ],
)
def test_the_folder_is_named_for_the_first_source(source: str, folder: str) -> None:
    assert str(default_folder(source)) == folder


@pytest.mark.parametrize("kind", ["frame", "lazy", "parquet", "sqlite", "clean"])
def test_a_number_that_is_none_is_blank_and_an_infinite_one_is_rejected(tmp_path: Path, kind: str) -> None:
    frame = pl.DataFrame(
        {
            "sfdcLeadId": [1.0, math.nan, math.nan, math.inf, 5.0, 6.0],
            "company": [math.nan, 2.0, 3.0, 4.0, -math.inf, 6.0],
            "annualRevenue": [math.nan, 2.0, 3.0, math.inf, 5.0, math.inf],
            "city": ["NaN", "inf", "a", "b", "c", "d"],
            "unknown": [math.inf] * 6,
        }
    )
    given: Any = frame.lazy() if kind == "lazy" else frame
    if kind == "parquet":
        frame.write_parquet(given := tmp_path / "leads.parquet")
    if kind == "sqlite":
        with closing(sqlite3.connect(tmp_path / "leads.db")) as connection:
            connection.execute(f"CREATE TABLE people ({', '.join(frame.columns)})")
            connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?)", frame.rows())
            connection.commit()
        given = Query("SELECT * FROM people", f"sqlite:///{tmp_path / 'leads.db'}")
    options: CleanOptions = {"lookup_field": "sfdcLeadId", "unknown": "drop"}
    if kind == "clean":
        run = clean(given, tmp_path / "leads.prep", **options)
        with run.folder.rejected.open(encoding="utf-8-sig", newline="") as file:
            rejected = [(int(row["_row"]), row["_reasons"].split("|")) for row in csv.DictReader(file)]
        sent = (run.path / "chunks/leads-0001.csv").read_text().splitlines()
        assert sent == ["sfdcLeadId,company,annualRevenue,city", "1,,,NaN"]
        counts = run.counts
    else:
        prepared = prepare(given, **options)
        assert prepared.ready.rows() == [("1", None, None, "NaN", prepared.ready["_source"][0], 1, None)]
        rejected = [(row["_row"], row["_reasons"]) for row in prepared.rejected.rows(named=True)]
        counts = {**prepared.counts}
    assert [(row, reasons) for row, reasons in rejected if row != 4] == [
        (2, ["sfdcLeadId:missing_lookup"]),
        (3, ["sfdcLeadId:missing_lookup"]),
        (5, ["company:not_number"]),
        (6, ["annualRevenue:not_number"]),
    ]
    assert [row for row, _ in rejected] == [2, 3, 4, 5, 6]
    assert (counts["ready"], counts["rejected"], counts["duplicate"]) == (1, 5, 0)
