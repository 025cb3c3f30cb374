"""The sample files hold what their README says, and nobody real; the benchmark's file is always the same."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from prep.config import CleanOptions
from prep.errors import HeaderError
from prep.model import Unknown
from prep.pipeline import Prepared, prepare

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_data"
FILES = sorted(path for path in SAMPLES.iterdir() if path.suffix in {".csv", ".tsv"})


class Sample(NamedTuple):
    """What becomes of the rows of a file with the options that its README shows."""

    read: int
    rejected: int
    duplicate: int
    ready: int
    options: CleanOptions
    schema: Path | None = None


DECISIONS = {
    "Staff": "numberOfEmployees",
    "Compny Name": "company",
    "Phone Number": "mobilePhone",
    "Created At": "",
}
PERMISSIONS: CleanOptions = {"allow_protected": ["unsubscribed"]}
EXPECTED = {
    "webinar_export.csv": Sample(45, 11, 4, 30, PERMISSIONS),
    "partner_list_spanish.csv": Sample(24, 4, 1, 19, {}),
    "crm_export_duplicates.csv": Sample(32, 0, 12, 20, {}),
    "update_by_id.tsv": Sample(17, 6, 2, 9, {"lookup_field": "id"}),
    "unknown_columns.csv": Sample(15, 0, 0, 15, {"maps": DECISIONS, "unknown": Unknown.DROP}),
    "nothing_wrong.csv": Sample(15, 0, 0, 15, PERMISSIONS),
    "nearly_all_wrong.csv": Sample(27, 25, 0, 2, PERMISSIONS),
    "program_members.csv": Sample(16, 1, 1, 14, {"object": "program-members"}),
    "cars.csv": Sample(16, 2, 1, 13, {"object": "customobjects/car_c"}, SAMPLES / "car_c.toml"),
}

REASONS = {
    "webinar_export.csv": {
        8: "email:invalid_email",
        12: "email:invalid_email",
        16: "email:invalid_email",
        17: "email:missing_lookup",
        22: "numberOfEmployees:not_integer",
        25: "email:email_not_ascii",
        27: "unsubscribed:not_boolean",
        30: "unreadable_row",
        34: "mktoAcquisitionDate:not_datetime",
        39: "email:invalid_email; numberOfEmployees:not_integer",
        44: "numberOfEmployees:not_integer",
    },
    "partner_list_spanish.csv": {
        9: "email:email_not_ascii",
        17: "email:invalid_email",
        19: "email:missing_lookup",
        20: "numberOfEmployees:not_integer",
    },
    "crm_export_duplicates.csv": {},
    "update_by_id.tsv": {
        11: "id:not_positive",
        12: "id:not_positive",
        13: "id:missing_lookup",
        14: "id:not_integer; id:not_positive",
        15: "id:not_integer",
        16: "leadScore:not_integer",
    },
    "unknown_columns.csv": {},
    "nothing_wrong.csv": {},
    "nearly_all_wrong.csv": {
        2: "email:missing_lookup",
        **dict.fromkeys(range(3, 10), "email:invalid_email"),
        10: "email:email_not_ascii",
        11: "firstName:too_long",
        12: "sicCode:too_long",
        13: "numberOfEmployees:not_integer",
        14: "numberOfEmployees:not_integer",
        15: "numberOfEmployees:not_integer",
        16: "annualRevenue:not_number",
        17: "unsubscribed:not_boolean",
        18: "dateOfBirth:not_date",
        19: "dateOfBirth:not_date",
        20: "mktoAcquisitionDate:not_datetime",
        21: "mktoAcquisitionDate:no_timezone",
        22: "website:not_url",
        23: "unreadable_row",
        24: "unreadable_row",
        25: "email:invalid_email; website:not_url; numberOfEmployees:not_integer; "
        "annualRevenue:not_number; unsubscribed:not_boolean; dateOfBirth:not_date; "
        "mktoAcquisitionDate:not_datetime",
        27: "unreadable_row",
    },
    "program_members.csv": {4: "email:invalid_email"},
    "cars.csv": {5: "year:not_integer", 6: "vin:missing_lookup"},
}


def prepare_sample(name: str) -> Prepared:
    return prepare(SAMPLES / name, EXPECTED[name].schema, **EXPECTED[name].options)


def test_every_file_is_expected() -> None:
    assert {path.name for path in FILES} == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_counts(name: str) -> None:
    fates = {fate: rows for fate, rows in prepare_sample(name).counts.items() if rows}
    expected = EXPECTED[name]._asdict()
    assert fates == {fate: rows for fate, rows in expected.items() if isinstance(rows, int) and rows}


@pytest.mark.parametrize("name", EXPECTED)
def test_reasons(name: str) -> None:
    rejected = prepare_sample(name).rejected.select("_row", pl.col("_reasons").list.join("; "))
    assert dict(rejected.iter_rows()) == REASONS[name]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (
            "webinar_export.csv --allow-rejects --allow-protected unsubscribed",
            {"rejected": 11, "duplicate": 4, "imported": 26, "warned": 2, "failed": 2},
        ),
        (
            "update_by_id.tsv --lookup-field id --allow-rejects",
            {"rejected": 6, "duplicate": 2, "imported": 6, "failed": 3},
        ),
        ("nothing_wrong.csv", {"imported": 15}),
    ],
)
def test_fates_in_the_sandbox(tmp_path: Path, command: str, expected: dict[str, int]) -> None:
    name, *options = command.split()
    sandbox = ["--sandbox", "--poll-seconds", "0.05", "--json"]
    run = [sys.executable, "-m", "prep", "run", str(SAMPLES / name), *options, *sandbox]
    result = subprocess.run(run, cwd=tmp_path, check=True, capture_output=True, text=True)
    report = json.loads(result.stdout.splitlines()[-1])
    assert report["balanced"] is True
    assert {fate: rows for fate, rows in report["counts"].items() if rows} == {
        "read": EXPECTED[name].read,
        **expected,
    }


def test_readme_says_the_same() -> None:
    readme = (SAMPLES / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| \[`(.+?)`\].*?\| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", readme, re.MULTILINE)
    assert {name: tuple(map(int, numbers)) for name, *numbers in lines} == {
        name: sample[:4] for name, sample in EXPECTED.items()
    }


@pytest.mark.parametrize(
    ("keep", "row", "title", "phone"),
    [
        ("first", 1, "Buyer", "+49 30 23125 101"),
        ("last", 3, None, None),
        ("most-complete", 1, "Buyer", "+49 30 23125 101"),
        ("newest:mktoAcquisitionDate", 2, "Head of Purchasing", None),
        ("merge", 3, "Head of Purchasing", "+49 30 23125 101"),
    ],
)
def test_rosa_survives_by_policy(keep: str, row: int, title: str | None, phone: str | None) -> None:
    prepared = prepare(SAMPLES / "crm_export_duplicates.csv", keep=keep)
    rosa = prepared.ready.filter(pl.col("email").str.to_lowercase() == "rosa.linde@example.com")
    assert rosa.select("_row", "title", "phone").rows() == [(row, title, phone)]
    assert (prepared.counts["duplicate"], prepared.counts["ready"]) == (12, 20)


def test_newest_compares_moments_not_texts() -> None:
    prepared = prepare(SAMPLES / "crm_export_duplicates.csv", keep="newest:mktoAcquisitionDate")
    assert prepared.ready.filter(pl.col("email") == "tariq.aziz@example.com")["_row"].to_list() == [7]


def test_webinar_duplicates() -> None:
    lost = prepare_sample("webinar_export.csv").duplicates.select("_row", "_kept_row").rows()
    assert lost == [(1, 42), (5, 20), (7, 37), (9, 29)]


def test_webinar_cells_arrive_clean() -> None:
    ready = prepare_sample("webinar_export.csv").ready
    cells = {row: ready.row(by_predicate=pl.col("_row") == row, named=True) for row in (3, 4, 6, 13, 15, 20)}
    assert [cells[row]["email"] for row in (3, 4, 6, 15)] == [
        "bruno.salas@example.org",
        "marco.bianchi@example.com",
        "ingrid.bergstrom@sub.example.net",
        "Pierre.Lefevre@example.org",
    ]
    assert cells[13]["phone"] == "01632 960183"
    assert cells[13]["mktoPersonNotes"] == (
        "First question: does it work offline?\nSecond question: who pays for the calls?"
    )
    assert (cells[13]["_line"], cells[15]["_line"], cells[20]["_line"]) == (14, 17, 23)
    assert cells[15]["unsubscribed"] == "false"


def test_spanish_cells_arrive_clean() -> None:
    ready = prepare_sample("partner_list_spanish.csv").ready
    assert ready.filter(pl.col("_row") == 2)["company"].to_list() == ["Muñoz; Hermanos y Cía."]
    assert ready.filter(pl.col("_row") == 6)["email"].to_list() == ["oficina@xn--logroo-0wa.example.org"]
    assert ready.filter(pl.col("_row") == 7).select("firstName", "postalCode").row(0) == (
        "Jos\u00e9 Mar\u00eda",
        "08007",
    )


def test_unknown_columns_need_a_decision() -> None:
    with pytest.raises(HeaderError) as caught:
        prepare(SAMPLES / "unknown_columns.csv")
    for header in (
        "'Phone Number'",
        "'Staff'",
        "'Session chosen'",
        "'Created At'",
        "column 9",
        "'Compny Name'",
    ):
        assert header in caught.value.message


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_address_is_reserved(path: Path) -> None:
    """RFC 2606 keeps `example.com`, `.net`, `.org` and the top-level name `example` for such use."""
    domains = re.findall(r'@\s*([^\s@,;"]*+)(?!@)', path.read_text(encoding="utf-8"))
    reserved = re.compile(r"(|(.+\.)?example(\.(com|net|org))?)", re.IGNORECASE)
    assert [domain for domain in domains if not reserved.fullmatch(domain)] == []
    assert len(domains) >= EXPECTED[path.name].ready or path.name == "update_by_id.tsv"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_is_small_plain_text(path: Path) -> None:
    content = path.read_bytes()
    assert "\0" not in content.decode("utf-8")
    assert not content.startswith(b"\xef\xbb\xbf")
    assert 15 <= EXPECTED[path.name].read <= 60


def benchmark_file(path: Path, *options: str) -> bytes:
    command = [sys.executable, "-m", "benchmarks.data", str(path), "--rows", "2000", *options]
    subprocess.run(command, cwd=ROOT, check=True)
    return path.read_bytes()


def test_benchmark_file_is_always_the_same(tmp_path: Path) -> None:
    first = benchmark_file(tmp_path / "a.csv")
    assert first.count(b"\n") == 2001
    assert benchmark_file(tmp_path / "b.csv") == first
    assert benchmark_file(tmp_path / "c.csv", "--seed", "2") != first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv", "c.csv"]


def test_benchmark_file_has_its_mix(tmp_path: Path) -> None:
    benchmark_file(tmp_path / "a.csv")
    prepared = prepare(tmp_path / "a.csv")
    reasons = prepared.rejected["_reasons"].list.join("; ").value_counts()
    assert {fate: rows for fate, rows in prepared.counts.items() if rows} == {
        "read": 2000,
        "rejected": 98,
        "duplicate": 545,
        "ready": 1357,
    }
    assert dict(reasons.iter_rows()) == {
        "email:invalid_email": 36,
        "email:missing_lookup": 15,
        "numberOfEmployees:not_integer": 11,
        "dateOfBirth:not_date": 17,
        "title:too_long": 19,
    }
