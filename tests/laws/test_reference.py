"""The whole preparation against a reference that goes row by row in plain Python."""

import csv
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from prep.pipeline import Prepared, prepare
from tests.depth import examples
from tests.laws import reference

TYPES: Final = {
    "email": "email",
    "firstName": "string",
    "phone": "phone",
    "country": "country",
    "numberOfEmployees": "integer",
    "dateOfBirth": "date",
    "unsubscribed": "boolean",
}

DIRT: Final = [
    "",
    "",
    "",
    " ",
    "\t",
    "\n",
    "\u00a0",
    "\u3000",
    "\u2028",
    "\u200b",
    "\u200d",
    "\u00ad",
    "\x01",
    "\x1d",
    "\ufeff",
]

CORES: Final = {
    "email": [
        *("ana@example.com", "Ana@Example.com", "bo@example.com", "cy.d@sub.example.org"),
        *("ana@example.com;", "<bo@example.com>", "Bo <bo@example.com>", "mailto:ana@example.com?subject=x"),
        *("bo@example.com.", "ana at example.com", "ana..b@example.com", "ana@example", "@example.com"),
        *("ana@bücher.example", "josé@example.com", "\uff41na@example.com", "ana@-x.com", "a@b.c"),
        *("n/a", "None", "-", "NULL", "no@email.com", "ana@example.test", f"{'x' * 65}@example.com"),
        *(f"a@{f'{60 * chr(121)}.' * 4}com", "x" * 256, "a@b@example.com", "a b@example.com"),
        *("ana\n@example.com", "ana@example.com\x1fbo", "ana@ex\u0430mple.com", "ana@GMA\u0130L.COM"),
    ],
    "firstName": [
        *("Ana", "José", "Jose\u0301", "O'Neil", "NULL", r"\N", "Null", "n/a", "Li\u200dLi", "日本"),
        *("\ufa1b\u304b\u3099", "#REF!", "#1", "x" * 255, "é" * 256),
    ],
    "phone": ["+1 555 0100", "5550100", "n/a", "-", "Keine", "UNKNOWN", "0" * 256, "+34\u00a0910"],
    "country": ["Spain", "ES", "NA", "n/a", "España", "none", "#Name?", "İstanbul", "x" * 256],
    "numberOfEmployees": [
        *("5", "+5", "05", "-0", "-7", "5.", "5.0", "1 234", "about 5", "9" * 18, "9" * 19, "--", "1e3"),
    ],
    "dateOfBirth": [
        *("2021-01-31", "2020-02-29", "2021-02-29", "2021-1-5", "2021/01/05", "20210105", "2021.1.5"),
        *(
            "2021-01-05T00:00:00",
            "2021-01-05 10:00",
            "2021-01-05, 0:00",
            "1900-02-29",
            "2000-02-29",
            "2021-04-31",
        ),
        *("2021-13-01", "yesterday", "n/a", "5 January 2021", "05-JAN-2021", "Jan 5, 2021", "30-Feb-2021"),
    ],
    "unsubscribed": ["true", "FALSE", "yes", "Nein", "0", "1", "sí", "n/a", "none", "maybe", "2"],
}
"""What cells hold, sound and not."""


def cells(field: str) -> st.SearchStrategy[str]:
    core = st.just(CORES[field][0]) | st.just("") | st.sampled_from(CORES[field])
    return st.builds("{}{}{}".format, st.sampled_from(DIRT), core, st.sampled_from(DIRT))


ROWS: Final = st.lists(
    st.fixed_dictionaries({field: cells(field) for field in TYPES}), min_size=5, max_size=40
)


@given(files=st.lists(ROWS, min_size=1, max_size=3))
@settings(max_examples=examples(30), deadline=None)
def test_preparation_is_what_the_reference_makes_of_each_row(files: list[list[dict[str, str]]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        paths = [write(Path(name) / f"{number}.csv", rows) for number, rows in enumerate(files)]
        found = prepare(paths, allow_protected=["unsubscribed"])
    wanted = reference.prepare(files, TYPES, "email")
    places = {str(path): number for number, path in enumerate(paths)}
    assert rows_of(found.ready, places) == [(row.place, dict(row.cells)) for row in wanted.ready]
    assert reasons_of(found, places) == [(row.place, list(row.reasons)) for row in wanted.rejected]
    assert losers_of(found, places) == [
        (row.place, dict(row.cells), winner) for row, winner in wanted.duplicates
    ]
    total = sum(map(len, files))
    assert len(wanted.ready) + len(wanted.rejected) + len(wanted.duplicates) == total == found.counts["read"]


def write(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, TYPES, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    return path


Place = tuple[int, int]


def rows_of(frame: pl.DataFrame, places: dict[str, int]) -> list[tuple[Place, dict[str, str | None]]]:
    return [
        ((places[row["_source"]], row["_row"]), {field: row[field] for field in TYPES})
        for row in frame.iter_rows(named=True)
    ]


def losers_of(found: Prepared, places: dict[str, int]) -> list[tuple[Place, dict[str, str | None], Place]]:
    kept = found.duplicates.select("_kept_source", "_kept_row").iter_rows()
    winners = [(places[source], row) for source, row in kept]
    rows = rows_of(found.duplicates, places)
    return [(place, cells, winner) for (place, cells), winner in zip(rows, winners, strict=True)]


def reasons_of(found: Prepared, places: dict[str, int]) -> list[tuple[Place, list[str]]]:
    listed = found.rejected.select("_source", "_row", "_reasons").iter_rows()
    return [((places[source], row), reasons) for source, row, reasons in listed]
