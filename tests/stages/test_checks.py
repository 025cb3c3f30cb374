"""Every check of `prep.checks` at its edges, and the email gate against email-validator itself."""

import polars as pl
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from prep.checks import (
    NAMED_CHECKS,
    PRESENT,
    TYPE_CHECKS,
    Check,
    allowed_check,
    judge_emails,
    length_check,
    pattern_check,
)
from prep.model import Reason
from prep.schema import Field, Schema
from tests.depth import examples


def passes(check: Check, *cells: str | None) -> list[bool | None]:
    frame = pl.DataFrame({"x": pl.Series(cells, dtype=pl.String)})
    return frame.select(check.passes(pl.col("x"))).to_series().to_list()


def reasons(field: Field, cell: str) -> set[Reason]:
    return {check.reason for check in field.rules() if not passes(check, cell)[0]}


MAX, MIN = str(2**63 - 1), str(-(2**63))
BEYOND, BELOW = str(2**63), str(-(2**63) - 1)
ARABIC_FIVE = "\u0665"

ACCEPTED = [
    ("boolean", ["true", "false"]),
    ("integer", ["0", "-1", "007", MAX, MIN]),
    ("score", ["12", "-3"]),
    ("percent", ["99"]),
    ("float", ["0", "-1.5", "12345678901234567890.5", "007.50", "-0"]),
    ("currency", ["9.99"]),
    ("date", ["2024-02-29", "2000-02-29", "1899-12-31", "9999-12-31"]),
    (
        "datetime",
        ["2024-02-29T23:59:59Z", "2026-01-31T00:00:00.123456789+14:00", "2026-01-31T00:00:00-12:30"],
    ),
    ("url", ["example.com", "https://example.com/a?b#c", "www.example.com:80", "https://例え.jp"]),
    (
        "email",
        ["a@example.com", "A.O'Neil+x@EXAMPLE.Com", "a@xn--bcher-kva.example", "!#$%&'*+-/=?^_`{|}~@a.co"],
    ),
    (
        "email",
        [
            "a@bücher.example",
            "a@\u043f\u0440\u0438\u043c\u0435\u0440.com",
            "a@日本abc.jp",
            "a@\u0131\u015f\u0131k.com.tr",
        ],
    ),
    ("phone", ["anything"]),
    ("string", ["x" * 255, "é" * 255, "\U0001f469" * 255]),
    ("text", ["x" * 30_000, "é" * 15_000, "日" * 10_000]),
    ("reference", ["x" * 300]),
    ("formula", ["x" * 300]),
]

REFUSED = [
    ("boolean", Reason.NOT_BOOLEAN, ["True", "yes", "1", ""]),
    (
        "integer",
        Reason.NOT_INTEGER,
        [BEYOND, BELOW, "+5", "5.0", "1,000", " 5", "5 ", "-", "1e3", ARABIC_FIVE],
    ),
    ("percent", Reason.NOT_INTEGER, ["99%", "1.5"]),
    ("score", Reason.NOT_INTEGER, ["1.5"]),
    ("float", Reason.NOT_NUMBER, ["+1", ".5", "5.", "1,5", "1e5", "NaN", "inf", "$5", ARABIC_FIVE, "1\n"]),
    ("currency", Reason.NOT_NUMBER, ["9.99 €"]),
    ("date", Reason.NOT_DATE, ["2026-02-29", "1900-02-29", "2026-04-31", "2026-13-01", "2026-00-01"]),
    ("date", Reason.NOT_DATE, ["2026-1-31", "26-01-31", "2026-01-31T00:00:00", "2026-01-31 ", "10000-01-01"]),
    ("date", Reason.NOT_DATE, [f"202{ARABIC_FIVE}-01-31"]),
    (
        "datetime",
        Reason.NOT_DATETIME,
        ["2026-02-29T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T23:60:00Z"],
    ),
    ("datetime", Reason.NOT_DATETIME, ["2026-01-31T23:59:60Z", "2026-01-31 00:00:00Z", "2026-01-31T00:00Z"]),
    (
        "datetime",
        Reason.NOT_DATETIME,
        ["2026-01-31T00:00:00+15:00", "2026-01-31T00:00:00+0200", "2026-01-31"],
    ),
    ("datetime", Reason.NOT_DATETIME, ["2026-01-31T00:00:00z", "2026-01-31T00:00:00.", "yesterday"]),
    ("datetime", Reason.NO_TIMEZONE, ["2026-01-31T00:00:00", "2026-01-31T00:00:00.5"]),
    (
        "url",
        Reason.NOT_URL,
        ["example", "http://", "https://exa mple.com", "http:///example.com", "example."],
    ),
    (
        "email",
        Reason.INVALID_EMAIL,
        ["a", "a@", "@example.com", "a@b", "a b@example.com", "a@localhost.local"],
    ),
    (
        "email",
        Reason.INVALID_EMAIL,
        ["a@example.com.", "a..b@example.com", '"a"@example.com', "a@[127.0.0.1]"],
    ),
    (
        "email",
        Reason.INVALID_EMAIL,
        ["a@example.com\n", "A <a@example.com>", "a@b@example.com", "a@example.c1"],
    ),
    (
        "email",
        Reason.INVALID_EMAIL,
        [
            *("a@example.\u0441om", "a@gm\u0430il.com", "a@\u0440a.com", "a@ex\u03b1mple.gr"),
            *("a@GMA\u0130L.COM", "a@gmai\u0307l.com"),
        ],
    ),
    ("email", Reason.EMAIL_NOT_ASCII, ["josé@example.com", "josé@bücher.example"]),
    ("string", Reason.TOO_LONG, ["x" * 256, "é" * 256]),
    ("phone", Reason.TOO_LONG, ["1" * 256]),
    ("url", Reason.TOO_LONG, [f"example.com/{'x' * 244}"]),
    ("text", Reason.TOO_LONG, ["x" * 30_001, "é" * 15_001, "日" * 10_000 + "x"]),
]


@pytest.mark.parametrize(("type_name", "cells"), ACCEPTED, ids=lambda value: str(value)[:20])
def test_a_type_accepts(type_name: str, cells: list[str]) -> None:
    for cell in cells:
        assert reasons(Field("x", type_name), cell) == set(), cell[:40]


@pytest.mark.parametrize(("type_name", "reason", "cells"), REFUSED, ids=lambda value: str(value)[:20])
def test_a_type_refuses(type_name: str, reason: Reason, cells: list[str]) -> None:
    for cell in cells:
        assert reasons(Field("x", type_name), cell) == {reason}, cell[:40]


def test_every_type_is_in_the_tables() -> None:
    assert {type_name for type_name, _ in ACCEPTED} == set(TYPE_CHECKS)


@pytest.mark.parametrize("type_name", sorted(TYPE_CHECKS))
def test_a_blank_breaks_no_rule_but_that_it_be_filled(type_name: str) -> None:
    blanks = pl.DataFrame({"x": pl.Series([None, None], dtype=pl.String)})
    schema = Schema("blanks", {"x": Field("x", type_name)}, ())
    assert schema.to_pandera().validate(blanks, lazy=True).height == blanks.height
    assert passes(PRESENT, None, "x") == [False, True]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("ascii", ["", "plain ~"], ["é", "a\u00a0b"]),
        ("has_letter", ["1a", "日"], ["", "12-3", "()"]),
        ("positive", ["1", "0001", "0.5", "10", "1.50"], ["0", "-1", "0.0", "-0.5", "", "000"]),
        ("single_line", ["a b\tc"], ["a\nb", "a\r"]),
    ],
)
def test_a_named_check(name: str, good: list[str], bad: list[str]) -> None:
    assert passes(NAMED_CHECKS[name], *good) == [True] * len(good)
    assert passes(NAMED_CHECKS[name], *bad) == [False] * len(bad)


def test_every_named_check_is_in_the_table() -> None:
    assert set(NAMED_CHECKS) == {"ascii", "has_letter", "positive", "single_line"}


def test_a_length_is_counted_as_marketo_does() -> None:
    characters, octets = length_check("string", 3), length_check("text", 3)
    assert characters is not None
    assert octets is not None
    assert passes(characters, "日本語", "abcd") == [True, False]
    assert passes(octets, "日", "é", "日a", "abcd") == [True, True, False, False]
    assert length_check("integer", 3) is None


def test_allowed_values_and_patterns_are_judged_whole() -> None:
    assert passes(allowed_check(("Gold", "Silver")), "Gold", "gold", "Gold ", "Golden") == [
        True,
        False,
        False,
        False,
    ]
    assert passes(pattern_check("a|b+"), "a", "bb", "ab", "ba", "a\n") == [True, True, False, False, False]


def email_validator_accepts(address: str) -> bool:
    try:
        validate_email(address, strict=True, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True


ATOMS = st.text("abzXY019_+-!#'*/=^{|~", min_size=1, max_size=6)
LOCALS = st.lists(ATOMS, min_size=1, max_size=3).map(".".join)
ODD_LOCALS = st.sampled_from(
    ["", ".a", "a.", "a..b", '"a"', "a b", "josé", "a\u0301", "(c)a", "a<b", "a\\", "a:b", "a,b"]
) | st.integers(50, 66).map("x".__mul__)
LABELS = st.text("abZ019", min_size=1, max_size=5)
ODD_LABELS = (
    st.sampled_from(
        ["xn--bcher-kva", "xn--a", "ab--c", "bücher", "ß", "日本", "-a", "a-", "", "_a", "[1.2.3.4]"]
    )
    | st.integers(58, 66).map("y".__mul__)
    | st.text("ab0-", min_size=1, max_size=6)
)
TOPS = st.sampled_from(["com", "COM", "co", "museum", "example", "latest", "XYZ"])
ODD_TOPS = st.sampled_from(
    [
        *("c", "c1", "1", "co-m", "xn--p1ai", "\u0440\u0444", "com.", "com ", "com\n", "com\u3002jp"),
        *("test", "TEST", "local", "localhost", "invalid", "Invalid", "onion", "arpa", "in-addr.arpa"),
    ]
)


def addresses(
    locals_: st.SearchStrategy[str], labels: st.SearchStrategy[str], tops: st.SearchStrategy[str]
) -> st.SearchStrategy[str]:
    """An address with up to two further labels before the one from `labels`."""
    domains = st.tuples(st.lists(LABELS, max_size=2), labels, tops)
    return st.builds(lambda local, parts: f"{local}@{'.'.join([*parts[0], *parts[1:]])}", locals_, domains)


ORDINARY = addresses(LOCALS, LABELS, TOPS)
ODD = (
    addresses(ODD_LOCALS, LABELS, TOPS)
    | addresses(LOCALS, ODD_LABELS, TOPS)
    | addresses(LOCALS, LABELS, ODD_TOPS)
)
LONG = st.builds(
    lambda local, length, label, top: (
        f"{local}@{f'{label}.' * ((length - len(local)) // (len(label) + 1))}{top}"
    ),
    LOCALS | ODD_LOCALS,
    st.integers(60, 70) | st.integers(245, 260),
    LABELS | ODD_LABELS,
    TOPS,
)
MUTATED = st.builds(
    lambda address, at, dirt: address[: at % (len(address) + 1)] + dirt + address[at % (len(address) + 1) :],
    ORDINARY,
    st.integers(0, 60),
    st.sampled_from([*"@.-\"' \t\n\\<>()[],:;\x00\x7fé\u0301\u200d\uff20\u3002", "--", "..", "@a."]),
)


@given(st.lists(st.one_of(ORDINARY, ODD, LONG, MUTATED), min_size=1, max_size=30))
@settings(max_examples=examples(300), deadline=None)
def test_the_email_gate_is_email_validator(cells: list[str]) -> None:
    judged = judge_emails(pl.Series(cells)).to_list()
    assert dict(zip(cells, judged, strict=True)) == {cell: email_validator_accepts(cell) for cell in cells}


@pytest.mark.parametrize(
    ("domain", "accepted"),
    [
        ("a--b.com", True), ("a-b.c-d.com", True), ("1.com", True), ("xn--bcher-kva.com", True),
        ("a.xn--p1ai", True), ("a.latest", True), (f"{'y' * 63}.com", True), (f"{'y' * 64}.com", False),
        ("ab--c.com", False), ("xn--a.com", False), ("-a.com", False), ("a-.com", False), ("a..com", False),
        ("com", False), ("a.c1", False), ("a.test", False), ("a.TEST", False), ("a.local", False),
    ],
)  # fmt: skip
def test_a_domain_at_the_edge_of_the_gate(domain: str, *, accepted: bool) -> None:
    assert email_validator_accepts(f"a@{domain}") is accepted
    assert judge_emails(pl.Series([f"a@{domain}", f"{'x' * 64}@{domain}"])).to_list() == [accepted, accepted]
    assert not judge_emails(pl.Series([f"{'x' * 65}@{domain}"])).any()


def test_the_email_gate_keeps_blanks_repeats_and_order() -> None:
    cells = ["a@example.com", None, "nobody", "ä@example.com", "nobody", "a@example.com", None]
    assert judge_emails(pl.Series(cells)).to_list() == [True, None, False, True, False, True, None]
    assert judge_emails(pl.Series([], dtype=pl.String)).to_list() == []
    assert judge_emails(pl.Series([None], dtype=pl.String)).to_list() == [None]


def test_the_calendar_of_dates_is_that_of_polars() -> None:
    years = [*range(0, 10_000, 50), *range(1890, 2030)]
    cells = pl.Series(
        f"{year:04}-{month:02}-{day:02}" for year in years for month in range(14) for day in range(33)
    )
    is_date = cells.to_frame("x").select(TYPE_CHECKS["date"][0].passes(pl.col("x"))).to_series()
    assert is_date.equals(cells.str.to_date("%Y-%m-%d", strict=False).is_not_null())
