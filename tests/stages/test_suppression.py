"""People on suppression lists and without consent: they are counted, and nothing of theirs is sent."""

import hashlib
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prep.config import CleanOptions
from prep.errors import FolderError, HeaderError, PrepError, SettingsError
from prep.model import KeepPolicy
from prep.pipeline import Run, clean, prepare, retry
from prep.suppression import load_suppression
from tests.depth import examples
from tests.strategies import KEYS, LEADS, write_leads

LEADS_FILE = (
    "email,firstName,title,country\n"
    "Ana@Example.com,Ana,CEO,Spain\n"
    "bo@mail.example.org,Bo,Buyer,DE\n"
    "cy@xn--bcher-kva.example,Cy,Clerk,\n"
    "dora@example.net,Dora,,Austria\n"
    "DORA@example.net,,Driver,Austria\n"
    "nobody,Eva,,\n"
    "fay@notexample.org,Fay,,Atlantis\n"
)


@pytest.fixture(autouse=True)
def leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("leads.csv")
    path.write_text(LEADS_FILE)
    return path


def write(name: str, text: str) -> str:
    Path(name).write_text(text)
    return name


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def suppressed(**options: object) -> list[int]:
    run = clean("leads.csv", tempfile.mkdtemp() + "/x.prep", **options)  # type: ignore[arg-type]  # any of them
    return run.rows.filter(fate="suppressed")["row"].to_list()


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("ana@example.com\n", [1]),
        ("Email\nANA@EXAMPLE.COM\n\n  <bo@mail.example.org>  \n", [1, 2]),
        ("Name;E-Mail;Since\nAna;ana@example.com;2020\n;;\n", [1]),
        ("domain\nexample.org\n", [2]),
        ("@example.org\n", [2]),
        ("*@mail.example.org\n", [2]),
        ("Example.NET\n", [4, 5]),
        ("cy@bücher.example\n", [3]),
        ("bücher.example\n", [3]),
        ("xn--bcher-kva.example\n", [3]),
        (f"{sha256('ana@example.com')}\n", [1]),
        (f"sha256\n{sha256('ana@example.com').upper()}\n", [1]),
        (f"{sha256('cy@bücher.example')}\n{sha256('cy@xn--bcher-kva.example')}\n", [3]),
        (
            f"email,domain,sha256\nana@example.com,,\n,example.org,\n,,{sha256('dora@example.net')}\n",
            [1, 2, 4, 5],
        ),
        ("email\n\u200bana@example.com\nbo@mail.example.org\u200b\ndora@exam\u00adple.net\n", [1, 2, 4, 5]),
        (f"\u200e{sha256('ana@example.com')}\n\u2060@mail.example.org\nexample.net\u200d\n", [1, 2, 4, 5]),
        ("email\n", []),
        ("Email Address,First Name,Domain\nana@example.com,Ana,\n,,example.net\n", [1, 4, 5]),
        ("First Name,E-Mail Address\nAna,ana@example.com\n", [1]),
        ("Nicht anschreiben (Stand 1.2.2026)\nana@example.com\n", [1]),
    ],
)
def test_entries(content: str, rows: list[int]) -> None:
    assert suppressed(suppress=[write("never.csv", content)]) == rows


def test_every_row_is_in_one_frame_of_what_was_prepared(leads: Path) -> None:
    leads.write_text(
        "email,title,optIn\n"
        "Ana@Example.com,CEO,no\n"
        "bo@mail.example.org,'=1,yes\n"
        "cy@example.net,Clerk,yes\n"
        "CY@example.net,,yes\n"
        "nobody,,yes\n"
    )
    Path("more.csv").write_text("Shoe size,optIn,email\n42,no,gus@mail.example.org\n41,yes,hal@example.com\n")
    Path("mine.toml").write_text('extends = "lead"\n[fields.optIn]\ntype = "boolean"\n')
    prepared = prepare(
        [leads, "more.csv"],
        "mine.toml",
        suppress=[write("never.csv", "mail.example.org\n")],
        consent="optIn",
        maps={"Shoe size": ""},
    )
    assert prepared.suppressed.schema == prepared.rejected.schema
    assert prepared.suppressed.rows(named=True) == [
        dict(zip(prepared.rejected.columns, row, strict=True))
        for row in (
            ("Ana@Example.com", "CEO", "no", None, "leads.csv", 1, 2, ["optIn:no_consent"], None),
            ("bo@mail.example.org", "'=1", "yes", None, "leads.csv", 2, 3, ["email:suppressed"], None),
            (
                *("gus@mail.example.org", None, "no", "42", "more.csv", 1, 2),
                *(["email:suppressed", "optIn:no_consent"], None),
            ),
        )
    ]
    frames = [prepared.ready, prepared.rejected, prepared.duplicates, prepared.suppressed]
    rows = pl.concat(frame.select("_source", "_row") for frame in frames).sort("_source", "_row").rows()
    assert rows == [*(("leads.csv", row) for row in range(1, 6)), ("more.csv", 1), ("more.csv", 2)]
    fates = ("ready", "rejected", "duplicate", "suppressed")
    assert [frame.height for frame in frames] == [prepared.counts[fate] for fate in fates] == [2, 1, 1, 3]
    assert prepare(leads, "mine.toml").suppressed.is_empty()


def test_salted_hashes(leads: Path) -> None:
    salt = write("salt.txt", "pepper\n")
    never = write("never.csv", f"{sha256('pepperana@example.com')}\n{sha256('dora@example.net')}\n")
    assert suppressed(suppress=[never], suppress_salt_file=salt) == [1, 4, 5]
    assert suppressed(suppress=[never]) == [4, 5]


@pytest.mark.parametrize("salt", ["pepper", "\ufeffpepper"])
def test_a_salt_counts_with_and_without_the_mark_of_its_file(leads: Path, salt: str) -> None:
    never = write("never.csv", f"{sha256(f'{salt}ana@example.com')}\n")
    Path("salt.txt").write_text("pepper\r\n", encoding="utf-8-sig")
    assert suppressed(suppress=[never], suppress_salt_file="salt.txt") == [1]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("ana@example.com\nsecret person\n", "line 2"),
        ("email\nana@example.com\n\nab12\n", "line 4"),
        (f"{'0' * 63}\n{'0' * 64}\n{'0' * 63}\n", "line 2"),
        ("ana@example.com\nlocalhost\n", "line 2"),
        ("email\n@\n", "line 2"),
        ("a@b@c\nana@example.com\n", "line 1"),
        ("ana@example.com (Ana)\nbo@example.org\n", "line 1"),
        ("*.example.org\nexample.net\n", "line 1"),
        ("ana@example.com\n=HYPERLINK(bo@example.org)\n", "line 2"),
        ("example.org.\n", "line 1"),
        ("https://example.org/\n", "line 1"),
        ('["ana@example.com"]\n', "line 1"),
        (f"{'0' * 40}\n", "line 1"),
        ("example.org # all of them\nana@example.com\n", "line 1"),
        ("Winter Ltd\n", "line 1"),
        ("com\n\n", "line 1"),
    ],
)
def test_an_entry_that_is_none_is_told_by_its_line_alone(content: str, place: str) -> None:
    if place == "line 2" and content.startswith("0"):
        content = f"hash\n{content}"
    with pytest.raises(PrepError) as caught:
        load_suppression([write("never.csv", content)])
    assert caught.value.code == "bad_suppression_entry"
    assert caught.value.message.startswith(f"never.csv: {place} of the suppression list is neither")


def test_a_list_with_nothing_but_the_name_of_its_column_holds_nobody() -> None:
    assert load_suppression([write("never.csv", "E-Mail\n")]).addresses == frozenset()


@pytest.mark.parametrize("header", ["Blocked people", "As of 24.Nov 2026"])
def test_a_header_that_is_taken_for_an_entry_works_as_the_hint_says(header: str) -> None:
    """An export of nobody has its header alone: without that line it would be no list at all."""
    with pytest.raises(PrepError) as caught:
        load_suppression([write("never.csv", f"{header}\n")])
    assert "call the column email" in caught.value.hint
    assert load_suppression([write("never.csv", "email\n")]).addresses == frozenset()


def test_a_list_of_several_columns_must_name_them() -> None:
    with pytest.raises(PrepError) as caught:
        load_suppression([write("never.csv", "ana@example.com,Ana\nbo@example.org,Bo\n")])
    assert caught.value.code == "bad_suppression_list"
    with pytest.raises(PrepError) as caught:
        load_suppression(["none.csv"])
    assert caught.value.code == "no_such_file"


def test_suppressed_rows_are_told_everywhere_and_sent_nowhere(leads: Path) -> None:
    run = clean(leads, suppress=[write("never.csv", "ana@example.com\nexample.org\n")], keep="merge")
    assert run.rows.select("row", "fate", "reasons", "chunk").rows() == [
        (1, "suppressed", ["email:suppressed"], None),
        (2, "suppressed", ["email:suppressed"], None),
        (3, "ready", None, "chunks/leads-0001.csv"),
        (4, "duplicate", None, None),
        (5, "ready", None, "chunks/leads-0001.csv"),
        (6, "rejected", ["email:invalid_email"], None),
        (7, "ready", None, "chunks/leads-0001.csv"),
    ]
    report = run.report
    assert {fate: count for fate, count in report["counts"].items() if count} == {
        "read": 7,
        "rejected": 1,
        "suppressed": 2,
        "duplicate": 1,
        "ready": 3,
    }
    assert {(reason["field"], reason["code"]): reason["rows"] for reason in report["reasons"]} == {
        ("email", "suppressed"): 2,
        ("email", "invalid_email"): 1,
    }
    (record,) = report["suppression"]
    assert record == {"path": "never.csv", "sha256": sha256("ana@example.com\nexample.org\n")}
    assert "on a suppression list" in run.folder.page.read_text()
    tables = [run.folder.rejected, run.folder.duplicates, run.folder.merged, *run.folder.chunks.iterdir()]
    assert not any("ana@" in path.read_text().lower() for path in tables)
    assert prepare(leads, suppress=["never.csv"]).counts["suppressed"] == 2


def test_suppressed_rows_give_nothing_to_others(leads: Path) -> None:
    """With another lookup field one key can have rows of several addresses."""
    leads.write_text(
        "sfdcLeadId,email,title,phone\n"
        "00Q000000000001AAA,ana@example.com,CEO,1\n"
        "00Q000000000001AAA,new@example.org,,2\n"
        "00Q000000000001AAA,,Boss,\n"
    )
    options: CleanOptions = {"lookup_field": "sfdcLeadId", "keep": "merge"}
    assert prepare(leads, **options).ready["phone"].to_list() == ["2"]
    options["suppress"] = [write("never.csv", "ana@example.com\n")]
    prepared = prepare(leads, **options)
    assert prepared.ready.select("email", "title", "phone").rows() == [("new@example.org", "Boss", "2")]
    assert prepared.counts["suppressed"] == 1


def test_without_an_email_column_nobody_could_be_found(leads: Path) -> None:
    leads.write_text("id,title\n1,CEO\n")
    with pytest.raises(SettingsError) as caught:
        clean(leads, lookup_field="id", suppress=[write("never.csv", "ana@example.com\n")])
    assert caught.value.message == "--suppress: leads.csv has no column that maps to 'email'"


def test_a_folder_keeps_its_lists(leads: Path) -> None:
    never = write("never.csv", "ana@example.com\n")
    clean(leads, suppress=[never])
    write("never.csv", "bo@mail.example.org\n")
    with pytest.raises(FolderError, match=r"was made before a suppression list changed$"):
        clean(leads, suppress=[never])
    with pytest.raises(FolderError, match=r"was made with --suppress never\.csv, now without it$"):
        clean(leads)


def test_retry_raises_nobody(leads: Path) -> None:
    run = clean(leads, suppress=[write("never.csv", "ana@example.com\neva@example.com\n")])
    assert run.counts["suppressed"] == 1
    table = run.folder.rejected.read_text(encoding="utf-8")
    run.folder.rejected.write_text(table.replace("nobody", "eva@example.com"), encoding="utf-8")
    again = retry(run)
    assert again.rows.select("row", "fate", "reasons").rows() == [(6, "suppressed", ["email:suppressed"])]
    everything = retry(run, everything=True)
    assert everything.counts["read"] == 1


def test_a_consent_that_is_no_field_of_marketo_decides_and_is_not_sent(leads: Path) -> None:
    Path("mine.toml").write_text('extends = "lead"\n[fields.optIn]\ntype = "boolean"\nread_only = true\n')
    leads.write_text("email,optIn,city\na@example.com,yes,Graz\nb@example.com,no,Linz\n")

    run = clean(leads, schema="mine.toml", consent="optIn")

    assert run.rows.select("fate", "reasons").rows() == [
        ("ready", None),
        ("suppressed", ["optIn:no_consent"]),
    ]
    (chunk,) = run.folder.manifest().results.chunks
    assert run.folder.read_chunk(chunk) == b"email,city\na@example.com,Graz\n"
    with pytest.raises(HeaderError, match="which imports cannot write"):
        clean(leads, "other.prep", schema="mine.toml")


@pytest.mark.parametrize(
    ("field_type", "options", "rows"),
    [
        ("boolean", {"consent": "optIn"}, [2, 3, 4, 6]),
        ("boolean", {"consent": "optIn", "consent_countries": ["de", "AT"]}, [3, 4, 6]),
        ("boolean", {"consent": "optIn", "consent_countries": ["GB"]}, [4, 6]),
        ("string", {"consent": "optIn"}, [2, 3, 4, 6]),
    ],
)
def test_rows_without_consent(leads: Path, field_type: str, options: CleanOptions, rows: list[int]) -> None:
    Path("mine.toml").write_text(f'extends = "lead"\n[fields.optIn]\ntype = "{field_type}"\n')
    leads.write_text(
        "email,country,optIn\n"
        "a@example.com,Germany,yes\n"
        "b@example.com,Spain,no\n"
        "c@example.com,Deutschland,\n"
        "d@example.com,,\n"
        "e@example.com,,Ja\n"
        "f@example.com,Atlantis,no\n"
    )
    run = clean(leads, schema="mine.toml", **options)
    held = run.rows.filter(fate="suppressed")
    assert held["row"].to_list() == rows
    assert set(held["reasons"].explode()) == {"optIn:no_consent"}


def test_a_date_is_consent_too(leads: Path) -> None:
    Path("mine.toml").write_text('extends = "lead"\n[fields.agreedOn]\ntype = "date"\n')
    leads.write_text("email,agreedOn\na@example.com,2026-01-31\nb@example.com,\n")
    prepared = prepare(leads, "mine.toml", consent="agreedOn", suppress=[write("never.csv", "a@example.com")])
    assert prepared.counts["suppressed"] == 2


@pytest.mark.parametrize("field_type", ["date", "datetime", "string"])
def test_a_date_that_stands_for_none_is_no_consent(leads: Path, field_type: str) -> None:
    Path("mine.toml").write_text(f'extends = "lead"\n[fields.agreedOn]\ntype = "{field_type}"\n')
    none = ["0001-01-01", "1753-01-01", "1899-12-30", "1900-01-01", "1970-01-01"]
    days = [*none, "1970-01-02", "2026-01-31"]
    rows = [f"{number}@example.com,{day}T00:00:00Z\n" for number, day in enumerate(days)]
    leads.write_text("".join(["email,agreedOn\n", *rows]))
    prepared = prepare(leads, "mine.toml", consent="agreedOn")
    assert prepared.counts["suppressed"] == len(none)


def test_a_text_is_consent_if_it_is_a_date_and_nothing_else(leads: Path) -> None:
    Path("mine.toml").write_text('extends = "lead"\n[fields.optIn]\n')
    given = [
        *("2026-01-31", "2026-01-31 9:05", "2026-01-31T10:00:00.5Z", "2026-01-31 10:00 PM +0100", "Yes"),
        *("2026-01-31, 9:05", "2026-01-31, 10:00 UTC"),
        *("2026-01-31 10:00:00 CET", "2026-01-31 10:00 GMT+1", "2026-01-31 10:00:00 +0200 CEST"),
        *("2026-01-31T10:00:00.000+01:00[Europe/Madrid]", "2026-01-31T10:00Z[UTC]", "2026-01-31 10:00 (PST)"),
    ]
    lacking = [
        *("2026-01-31 10:00 OFF", "2026-01-31 10:00 (NO)", "2026-01-31T10:00Z[revoked]"),
        "2026-01-31 revoked",
        "2026-01-31, revoked",
        "2026-01-31: no",
        "2026-01-31 2026-02-01",
        "2026-02-30",
        "31/01/2026",
        "",
    ]
    rows = [f'{number}@example.com,"{cell}"\n' for number, cell in enumerate([*given, *lacking])]
    leads.write_text("".join(["email,optIn\n", *rows]))
    prepared = prepare(leads, "mine.toml", consent="optIn")
    assert prepared.ready["optIn"].to_list() == given
    assert prepared.counts["suppressed"] == len(lacking)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"consent": "nope"}, "bad_consent"),
        ({"consent": "unsubscribed"}, "bad_consent"),
        ({"consent": "rating"}, "bad_consent"),
        ({"consent": "title", "consent_countries": ["XX"]}, "bad_consent"),
        ({"consent_countries": ["DE"]}, "bad_consent"),
        ({"suppress": ["never.csv"], "suppress_salt_file": "none.txt"}, "unreadable_secret"),
        ({"suppress": ["never.csv"], "suppress_salt_file": "mark.txt"}, "unreadable_secret"),
    ],
)
def test_what_cannot_be_decided_is_refused(leads: Path, options: CleanOptions, code: str) -> None:
    write("never.csv", "ana@example.com\n")
    Path("mark.txt").write_text("\n", encoding="utf-8-sig")
    with pytest.raises(SettingsError) as caught:
        prepare(leads, **options)
    assert caught.value.code == code


def sent_keys(run: Run) -> set[str]:
    chunks = [pl.read_csv(path, infer_schema=False) for path in run.folder.chunks.iterdir()]
    return {key.lower() for chunk in chunks for key in chunk["email"]}


@given(
    rows=LEADS,
    listed=st.lists(KEYS.filter(lambda key: key.isascii() and "@" in key), max_size=3),
    keep=st.sampled_from([policy for policy in KeepPolicy if policy is not KeepPolicy.NEWEST]),
    blanks=st.sampled_from(["send", "omit"]),
)
@settings(max_examples=examples(15), deadline=None)
def test_no_suppressed_key_is_ever_sent_and_the_numbers_close(
    rows: list[tuple[str, ...]], listed: list[str], keep: str, blanks: str
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "leads.csv").write_bytes(write_leads(rows, broken=True))
        (folder / "never.csv").write_text("\n".join(["email", *listed]))
        never: CleanOptions = {"suppress": [folder / "never.csv"], "keep": keep}
        never["blanks"] = blanks
        run = clean(folder / "leads.csv", folder / "a.prep", **never)
        everybody = clean(folder / "leads.csv", folder / "b.prep", keep=keep)
        keys = {key.strip().lower() for key in listed}
        assert sent_keys(run) == sent_keys(everybody) - keys
        counts = run.report["counts"]
        assert counts["read"] == sum(counts.values()) - counts["read"] == len(rows) + 2
        if blanks == "omit":
            for chunk in run.folder.chunks.iterdir():
                assert pl.read_csv(chunk, infer_schema=False).null_count().sum_horizontal().item() == 0
