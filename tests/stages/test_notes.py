"""Notes: what is counted, which rows are named, and that a note changes nothing."""

import polars as pl
import pytest

from prep.checks import judge_emails
from prep.places import Place
from prep.schema import Field
from prep.values import Countries, DecimalMark, Note, Noted, Phones, Spelling, States, find_notes, normalise
from prep.values.notes import ROWS_NAMED, is_disposable, probable_domain

FIELDS = {
    "email": Field("email", "email"),
    "phone": Field("phone", "phone"),
    "amount": Field("amount", "float"),
    "country": Field("country"),
    "state": Field("state"),
    "lastName": Field("lastName"),
    "dateOfBirth": Field("dateOfBirth", "date"),
    "mktoAcquisitionDate": Field("mktoAcquisitionDate", "datetime"),
}
ALL = Spelling(phones=Phones.E164, countries=Countries.ISO2, states=States.CODE)


def notes(spelling: Spelling = ALL, **columns: list[str | None]) -> dict[tuple[str, str], Noted]:
    rows = len(next(iter(columns.values())))
    frame = pl.DataFrame(
        {"_source": ["a.csv"] * rows, "_row": range(1, rows + 1), "_line": range(2, rows + 2)}
        | {name: pl.Series(cells, dtype=pl.String) for name, cells in columns.items()}
    )
    found = find_notes(normalise(frame, FIELDS, spelling).frame, FIELDS, spelling)
    return {(field, str(note)): noted for (field, note), noted in found.items()}


def in_row(row: int) -> Noted:
    return Noted(1, (Place("a.csv", row, row + 1),))


def test_each_note_names_its_rows() -> None:
    assert notes(
        email=[
            "ana@example.com",
            "INFO@example.com",
            "ana@Mailinator.com",
            "ana@gmial.com",
            None,
            "'a@b.example",
        ]
    ) == {
        ("email", "role_account"): in_row(2),
        ("email", "disposable_domain"): in_row(3),
        ("email", "likely_typo"): in_row(4),
        ("email", "leading_apostrophe"): in_row(6),
    }
    assert notes(email=["o'neil@example.com", "o'@example.com"]) == {}
    assert notes(phone=["+34910123456", None, "555-0123", "+34 910 123 456 x2"]) == {
        ("phone", "unreadable_phone"): in_row(3),
        ("phone", "phone_extension"): in_row(4),
    }
    assert notes(country=["Spanien", None, "Korea", "Atlantis", "NA"]) == {
        ("country", "ambiguous_country"): in_row(3),
        ("country", "unknown_country"): in_row(4),
    }
    assert notes(state=["Bayern", "Bayern", "calif", None], country=["DE", "US", "US", "US"]) == {
        ("state", "unknown_state"): in_row(2)
    }
    assert notes(state=["Texas", None, "TX"]) == {
        ("state", "unknown_state"): Noted(2, (Place("a.csv", 1, 2), Place("a.csv", 3, 4)))
    }
    assert notes(state=["Texas", "Texas", "Texas"], country=["US", None, "Atlantis"]) == {
        ("state", "unknown_state"): Noted(2, (Place("a.csv", 2, 3), Place("a.csv", 3, 4))),
        ("country", "unknown_country"): in_row(3),
    }
    assert notes(amount=["100000", "100000.5", "-200000", None]) == {
        ("amount", "large_float"): Noted(2, (Place("a.csv", 2, 3), Place("a.csv", 3, 4)))
    }
    assert notes(amount=["1.234", "1.23", "0.123", "1234.567"]) == {
        ("amount", "point_or_thousands"): in_row(1)
    }
    assert notes(Spelling(decimal=DecimalMark.POINT), amount=["1.234"]) == {}
    assert notes(lastName=["Info", "Null", "Korea"]) == {}
    days = ["1926-01-31", "0001-01-01", "2199-12-31", "2569-01-31", "1900-01-01"]
    moments = [f"{day}T00:00:00Z" for day in days]
    assert notes(dateOfBirth=[*days, None], mktoAcquisitionDate=[*moments, None]) == {
        (field, "unlikely_year"): Noted(3, tuple(Place("a.csv", row, row + 1) for row in (2, 4, 5)))
        for field in ("dateOfBirth", "mktoAcquisitionDate")
    }


@pytest.mark.parametrize("spelling", [Spelling(), ALL])
def test_a_number_that_a_spreadsheet_rounded_is_noted(spelling: Spelling) -> None:
    rounded = ["3.49E+10", "+3,4911E+10", "1E+05", "3.49e+10", None, "E+10", "3.49E-10", "Elle+1", "1E10"]
    expected = Noted(4, tuple(Place("a.csv", row, row + 1) for row in (1, 2, 3, 4)))
    assert notes(spelling, phone=rounded[:4]) == {("phone", "rounded_number"): expected}
    assert notes(spelling, lastName=rounded) == {("lastName", "rounded_number"): expected}


def test_a_mark_before_a_number_is_noted_where_it_stays() -> None:
    phones = [
        "p:+34910123456",
        "'+34 910 12 34 56",
        "p: (212) 555-0123",
        "p+34910123456",
        "+34910123456",
        None,
    ]
    expected = Noted(3, tuple(Place("a.csv", row, row + 1) for row in (1, 2, 3)))
    assert notes(Spelling(), phone=phones) == {("phone", "marked_phone"): expected}
    assert notes(ALL, phone=phones[:2]) == {}


def test_english_names_are_looked_at_as_well() -> None:
    found = notes(Spelling(countries=Countries.NAME), country=["ES", "NA", "Corea", "Narnia"])
    assert found == {
        ("country", "ambiguous_country"): Noted(2, (Place("a.csv", 2, 3), Place("a.csv", 3, 4))),
        ("country", "unknown_country"): in_row(4),
    }


def test_what_was_not_asked_for_is_not_looked_at() -> None:
    columns: dict[str, list[str | None]] = {"phone": ["555"], "country": ["Korea"], "state": ["Bayern"]}
    assert notes(Spelling(), **columns) == {}


def test_some_rows_are_named_and_all_are_counted() -> None:
    noted = notes(email=["info@example.com"] * 9)["email", "role_account"]
    assert noted == Noted(9, tuple(Place("a.csv", row, row + 1) for row in range(1, ROWS_NAMED + 1)))


def test_batches_add_up() -> None:
    first, second = (
        Noted(3, (Place("a", 1), Place("a", 2), Place("a", 3))),
        Noted(4, (Place("b", 1), Place("b", 2), Place("b", 3), Place("b", 4))),
    )
    assert first + second == Noted(
        7, (Place("a", 1), Place("a", 2), Place("a", 3), Place("b", 1), Place("b", 2))
    )
    assert sum([first, second], Noted()) == first + second


def test_disposable_domains_in_any_depth() -> None:
    assert is_disposable("mailinator.com")
    assert is_disposable("a.b.mailinator.com")
    assert not is_disposable("mailinator-com.example")
    assert not is_disposable("mailinator.com.example")
    assert not is_disposable("com")


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("gmial.com", "gmail.com"),
        ("hotmial.com", "hotmail.com"),
        ("example.con", "example.com"),
        ("example.ogr", "example.org"),
        ("xn--gmal-nza.com", "gmail.com"),  # with the Turkish i without a dot
        ("hotma\u0131l.com", "hotmail.com"),
        ("xn--hotmal-7va.com", "hotmail.com"),
        ("xn--bcher-kva.example", None),
        ("xn--.com", None),
        ("xn--\u00e9.com", None),
        ("gmail.com", None),
        ("example.co", None),
        ("con", None),
    ],
)
def test_misspelled_domains(domain: str, expected: str | None) -> None:
    assert probable_domain(domain) == expected


@pytest.mark.parametrize("note", Note)
def test_every_note_is_documented(note: Note) -> None:
    assert all((note.cause, note.example, note.remedy))
    if note in {Note.ROLE_ACCOUNT, Note.DISPOSABLE_DOMAIN, Note.LIKELY_TYPO, Note.LEADING_APOSTROPHE}:
        address = note.example.split(",")[0]
        assert judge_emails(pl.Series([address])).all(), "a note is made of valid values only"
        assert notes(email=[address]) == {("email", str(note)): in_row(1)}
