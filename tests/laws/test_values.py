"""What holds for `normalise` whatever the cells: twice is once, batches do not matter, nothing else moves."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prep.checks import TYPE_CHECKS, judge_emails
from prep.model import DateOrder
from prep.schema import NORMALISERS, Field
from prep.values import Countries, DecimalMark, Normalised, Phones, Spelling, States, normalise
from prep.values.phones import to_e164
from tests.depth import examples

SPELLED_TYPES = ("boolean", "currency", "date", "float", "integer", "percent", "score")

DIRT = st.sampled_from(
    [
        *"\x00\r\n\t\x0b\x85\x7f \u00a0\u2003\u3000\u2028\u200b\u200c\u200d\ufeff\u00ad\u202e",
        "\u0301",
        "\u212b",
    ]
)
LETTERS = st.sampled_from(
    [*"aZéÉßİŉǰΐ\u03a3\u03c3'\u2019.,-+/:@_", "日本", "\u1112\u1161", "bücher.example", "@example.com"]
)
NUMBERS = st.sampled_from(["1.234", "1,234", ",5", "Yes", "off", "1", "-0", "+5", "5.0", ".5", "007"])
TIMES = st.sampled_from(
    [
        *("2026-1-3", "20260131", "31/01/2026", "1.2.2026", "2026-03-29", "2026-10-25 02:30"),
        *("T", "Z", "12:30", "00:00", ":59", ".250", "+0200", "-05:00"),
    ]
)
WRAPPING = st.sampled_from(
    ["mailto:", "<", ">", ";", ".", "anna", "\uff20", "\ufb01", "n/a", "none", "-", "xxx@xxx.com", "NULL"]
)
CELLS = st.none() | st.lists(
    DIRT | LETTERS | NUMBERS | TIMES | WRAPPING | st.characters(codec="utf-8"), max_size=6
).map("".join)
FIELDS = st.builds(
    Field,
    name=st.just("x"),
    type=st.sampled_from(sorted(TYPE_CHECKS)),
    normalisers=st.sampled_from([(), *((name,) for name in NORMALISERS), ("collapse_spaces", "title")]),
)
SPELLINGS = st.builds(
    Spelling,
    date_order=st.sampled_from(DateOrder),
    timezone=st.sampled_from([None, "Europe/Madrid", "America/New_York", "Asia/Kathmandu"]),
    decimal=st.sampled_from([None, *DecimalMark]),
    phones=st.sampled_from(Phones),
    region=st.sampled_from([None, "ES", "DE", "US"]),
    countries=st.sampled_from(Countries),
    states=st.sampled_from(States),
    repair_emails=st.booleans(),
)


def respell(cells: list[str | None], field: Field, spelling: Spelling) -> Normalised:
    frame = pl.DataFrame({"_row": range(len(cells)), "x": pl.Series(cells, dtype=pl.String)})
    return normalise(frame, {"x": field}, spelling)


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(CELLS, max_size=12), FIELDS, SPELLINGS)
def test_twice_is_once(cells: list[str | None], field: Field, spelling: Spelling) -> None:
    once = respell(cells, field, spelling)
    twice = normalise(once.frame, {"x": field}, spelling)
    assert twice.frame.equals(once.frame)
    assert twice.changes == {}


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(CELLS, max_size=12), FIELDS, SPELLINGS)
def test_each_cell_is_judged_alone(cells: list[str | None], field: Field, spelling: Spelling) -> None:
    together = respell(cells, field, spelling)
    alone = [respell([cell], field, spelling) for cell in cells]
    assert together.frame["x"].to_list() == [result.frame["x"].item() for result in alone]
    assert together.changes == sum((Counter(result.changes) for result in alone), Counter())
    assert together.frame["_row"].to_list() == list(range(len(cells)))


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(CELLS, max_size=12), st.sampled_from(SPELLED_TYPES), SPELLINGS)
@example(["1,234", "1.234", "1.234,0"], "integer", Spelling(decimal=DecimalMark.COMMA))
def test_what_a_type_respells_passes_its_check(
    cells: list[str | None], type_name: str, spelling: Spelling
) -> None:
    text = respell(cells, Field("x", "phone"), spelling).frame
    result = normalise(text, {"x": Field("x", type_name)}, spelling).frame
    respelled = result.filter(result["x"].ne_missing(text["x"]))
    for check in TYPE_CHECKS[type_name]:
        assert respelled.select(check.passes(pl.col("x"))).to_series().all()


@settings(max_examples=examples(200), deadline=None)
@given(st.from_regex(r"[a-z'.]{1,5}@[a-z]{0,3}[ü日ßé]{1,3}(\.|。)(com|example|中国)", fullmatch=True))
def test_an_encoded_domain_makes_a_valid_address(address: str) -> None:
    result = respell([address], Field("x", "email"), Spelling())
    if ("x", "idn") in result.changes:
        assert result.frame["x"].item().isascii()
        assert judge_emails(result.frame["x"]).all()
    else:
        assert not judge_emails(pl.Series([address])).all()


ADDRESSES = st.from_regex(
    r"(mailto:|<|Anna <|)[a-z'.]{1,5}[@\uff20][a-z\uff41-\uff43ü]{1,4}\.(com|example)[.,;:>]{0,2}",
    fullmatch=True,
)


@settings(max_examples=examples(150), deadline=None)
@given(ADDRESSES)
def test_only_what_is_not_acceptable_is_repaired_and_only_if_it_helps(address: str) -> None:
    as_typed = respell([address], Field("x", "email"), Spelling(repair_emails=False)).frame["x"]
    repaired = respell([address], Field("x", "email"), Spelling()).frame["x"]
    if repaired.item() == as_typed.item():
        return
    assert not (judge_emails(as_typed).item() and as_typed.item().isascii())
    assert repaired.item() is None or (judge_emails(repaired).item() and repaired.item().isascii())


PLACES = st.sampled_from(
    [
        *("Spain", "ES", "Alemania", "U.S.A.", "Korea", "Kanada", "NA", "Nga", "Atlantis", "n/a", "", " de "),
        *("CA", "California", "Ontario", "WA", "Georgia"),
    ]
)
PHONE_PARTS = st.sampled_from(
    [
        *(
            "+",
            "00",
            "0",
            "34",
            "910",
            "123",
            "456",
            "(0)",
            "(",
            ")",
            "-",
            " ",
            "/",
            ".0",
            " ext. 12",
            "x9",
            "tel:",
        ),
        "\u0663",
    ]
)
ROWS = st.lists(
    st.tuples(
        PLACES,
        st.lists(PHONE_PARTS, max_size=7).map("".join),
        PLACES,
        st.sampled_from([None, "title", "upper"]),
    ),
    min_size=1,
    max_size=6,
)


def as_leads(rows: list[tuple[str, str, str, str | None]], spelling: Spelling) -> Normalised:
    """Normalise rows of country, phone and state; the first row names a normaliser for all fields."""
    normalisers = (rows[0][3],) if rows[0][3] else ()
    types = {"country": "string", "phone": "phone", "state": "string"}
    fields = {name: Field(name, type_name, normalisers=normalisers) for name, type_name in types.items()}
    frame = pl.DataFrame([row[:3] for row in rows], schema=dict.fromkeys(types, pl.String), orient="row")
    once = normalise(frame, fields, spelling)
    twice = normalise(once.frame, fields, spelling)
    assert twice.frame.equals(once.frame)
    assert twice.changes == {}
    return once


@settings(max_examples=examples(150), deadline=None)
@given(ROWS, SPELLINGS)
def test_each_row_is_judged_alone_and_twice_is_once(
    rows: list[tuple[str, str, str, str | None]], spelling: Spelling
) -> None:
    rows = [(*row[:3], rows[0][3]) for row in rows]
    together = as_leads(rows, spelling)
    alone = [as_leads([row], spelling) for row in rows]
    assert together.frame.rows() == [result.frame.row(0) for result in alone]
    assert together.changes == sum((Counter(result.changes) for result in alone), Counter())


@settings(max_examples=examples(150), deadline=None)
@given(
    st.lists(st.sampled_from(["+", "00", "34", "910", "123", "456", "7", "-", " ", "."]), max_size=8).map(
        "".join
    )
)
@example("+9109109109107")
def test_no_digit_of_a_phone_is_lost_but_a_zero_behind_the_prefix(cell: str) -> None:
    spelled = to_e164(cell, "ES")  # where no number begins with a 0 that is left out abroad
    if spelled is None:
        return
    digits = "".join(filter(str.isdigit, cell))
    whole = {f"+34{digits}", f"+{digits}", f"+{digits.removeprefix('00')}"}
    trunk_zeros = {
        f"{number[:end]}{number[end + 1 :]}"
        for number in whole
        for end in (2, 3, 4)
        if number[end:][:1] == "0"
    }
    assert spelled in whole | trunk_zeros


PLAIN = ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d %B %Y", "%b %d, %Y", "%d-%b-%Y", "%d%B%Y"]
FORMATS = {
    DateOrder.ISO: PLAIN,
    DateOrder.DMY: [*PLAIN, "%d-%m-%Y", "%d/%m/%Y", "%d.%m.%Y"],
    DateOrder.MDY: [*PLAIN, "%m-%d-%Y", "%m/%d/%Y", "%m.%d.%Y"],
}
DATES = st.dates(min_value=date(1000, 1, 1))


@pytest.mark.parametrize("order", DateOrder)
@given(day=DATES)
@settings(max_examples=examples(50), deadline=None)
def test_every_way_to_write_a_date_gives_the_same(order: DateOrder, day: date) -> None:
    cells: list[str | None] = [day.strftime(form) for form in FORMATS[order]]
    cells.append(f"{day.year}/{day.month}/{day.day}")
    result = respell(cells, Field("x", "date"), Spelling(date_order=order))
    assert set(result.frame["x"]) == {day.isoformat()}


@given(day=DATES, order=st.sampled_from(DateOrder))
@settings(max_examples=examples(100), deadline=None)
def test_an_order_that_was_not_named_is_never_read(day: date, order: DateOrder) -> None:
    other = {DateOrder.DMY: "%m/%d/%Y", DateOrder.MDY: "%d/%m/%Y", DateOrder.ISO: "%d/%m/%Y"}[order]
    cell = day.strftime(other)
    spelled = respell([cell], Field("x", "date"), Spelling(date_order=order)).frame["x"].item()
    swapped = f"{day.year}-{day.day:02}-{day.month:02}"
    can_be_misread = day.day == day.month or (order is not DateOrder.ISO and day.day <= 12)
    assert spelled == (swapped if can_be_misread else cell)


ZONES = ["Europe/Madrid", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]


@given(
    moment=st.datetimes(datetime(1980, 1, 1), datetime(2036, 1, 1)).map(lambda at: at.replace(microsecond=0)),  # noqa: DTZ001
    zone=st.sampled_from(ZONES),
)
@settings(max_examples=examples(300), deadline=None)
def test_a_local_time_gets_the_offset_that_zoneinfo_knows(moment: datetime, zone: str) -> None:
    spelled = respell([moment.isoformat()], Field("x", "datetime"), Spelling(timezone=zone)).frame["x"].item()
    aware = moment.replace(tzinfo=ZoneInfo(zone), fold=0)
    exists = aware.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == moment
    assert spelled == (aware.isoformat() if exists else moment.isoformat())


@pytest.mark.parametrize("zone", ZONES)
def test_so_it_does_around_every_change_of_the_clocks(zone: str) -> None:
    start = datetime(2026, 1, 1)  # noqa: DTZ001
    moments = [start + timedelta(minutes=15) * step for step in range(366 * 24 * 4)]
    cells: list[str | None] = [moment.isoformat() for moment in moments]
    spelled = respell(cells, Field("x", "datetime"), Spelling(timezone=zone)).frame["x"]
    for moment, cell in zip(moments, spelled, strict=True):
        aware = moment.replace(tzinfo=ZoneInfo(zone), fold=0)
        exists = aware.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == moment
        assert cell == (aware.isoformat() if exists else moment.isoformat())
