"""Cells and files as they should never be, but are."""

import csv
import io

import polars as pl
from hypothesis import strategies as st

PIECES = [
    *('"', '""', ",", ";", "\t", "\n", "\r\n", "\r", "|", "'", "\\"),
    *(" ", "\u00a0", "\u2003", "\u3000", "\u2028", "\u0085"),
    *("\x00", "\x01", "\x1f", "\x7f", "\u200b", "\u200d", "\ufeff", "\u00ad", "\u202e"),
    *("=1+1", "@SUM(A1)", "+34 910", "-5", "＝1", "NULL", "#", "--"),  # noqa: RUF001
    *("a", "B", "é", "e\u0301", "ß", "日本", "😀", "0", "x" * 300),
]
"""What cells are glued together from."""

NASTY_CELLS = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
WRITABLE_CELLS = st.lists(
    st.sampled_from([piece for piece in PIECES if piece != "\x00"]), min_size=1, max_size=6
).map("".join)
"""Cells of upload files that are not blank: blank ones are null, never empty text."""

KEYS = st.sampled_from(
    [
        *("ana@example.com", "Ana@Example.com", "ANA@EXAMPLE.COM", " ana@example.com", "bo@example.com"),
        *("Bo@example.com", "cy@example.org", "dé@example.com", "no address", "", "\u200bbo@example.com"),
    ]
)
"""Addresses of few people, in several spellings; some are none."""

FIELDS = ("email", "firstName", "mktoPersonNotes", "numberOfEmployees")


def frames(cells: st.SearchStrategy[str], width: int = 3) -> st.SearchStrategy[pl.DataFrame]:
    """Frames of these cells and blanks; the first column is never blank."""
    names = [f"field{number}" for number in range(width)]
    rows = st.lists(st.tuples(cells, *[st.none() | cells] * (width - 1)), max_size=12)
    schema = dict.fromkeys(names, pl.String)
    return rows.map(lambda listed: pl.DataFrame(listed, schema=schema, orient="row"))


LEADS = st.lists(
    st.tuples(KEYS, NASTY_CELLS, NASTY_CELLS, st.sampled_from(["", "5", "many", "007"])).filter(any),
    min_size=1,
    max_size=14,
)
"""Rows of a lead file with the columns of `FIELDS`; one without any value is a blank line."""


def write_leads(rows: list[tuple[str, ...]], *, broken: bool = False) -> bytes:
    """A lead file; a broken one ends with records that cannot be split."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([FIELDS, *rows])
    damage = 'too,few\n\nbo@example.com,"never closed\n' if broken else ""
    return (text.getvalue() + damage).encode()
