"""Numbers that are judged many at a time get the word that phonenumbers would give each of them."""

import random
from collections.abc import Iterator
from itertools import product

import polars as pl
import pytest
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

from prep.model import Phones
from prep.values import plain_phones
from prep.values.phones import phone_rules, to_e164
from prep.values.plain_phones import judge_plain

SEPARATORS = ("", "", " ", "-", ".", " - ", ") ", " (")
KINDS = (
    *("general_desc", "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number"),
    *("voip", "pager", "uan", "voicemail"),
)


def spelled_somehow(digits: str, dice: random.Random) -> str:
    """Digits in groups, with separators as people put them, and as nobody does."""
    cell = "+"
    while digits:
        size = dice.randint(1, 4)
        cell, digits = cell + digits[:size], digits[size:]
        cell += dice.choice(SEPARATORS) if digits else ""
    return cell


def examples() -> Iterator[tuple[str, str]]:
    """Calling codes, and an example of each kind of number that phonenumbers has behind them."""
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        for region, kind in product(regions, KINDS):
            known = getattr(PhoneMetadata.metadata_for_region_or_calling_code(code, region), kind)
            if known is not None and known.example_number:
                yield str(code), known.example_number


def beside(code: str, example: str, dice: random.Random) -> Iterator[str]:
    """A number, and what lies beside it."""
    place = dice.randrange(len(example))
    yield code + example
    yield code + example[:place] + str(dice.randint(0, 9)) + example[place + 1 :]
    yield code + example + str(dice.randint(0, 9))
    yield code + example[:-1]
    yield code + dice.choice("018") + example
    yield code + "".join(dice.choice("0123456789") for _ in example)


@pytest.mark.parametrize("seed", [1])
def test_whole_columns_are_judged_as_each_number_is(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 (no secret)
    digits = [number for code, example in examples() for number in beside(code, example, dice)]
    cells = pl.Series(list({spelled_somehow(number, dice) for number in digits}))
    judged = judge_plain(cells, at_least=1)
    assert judged["row"].is_unique().all()
    assert judged.height > cells.len() / 2
    assert 0.2 < judged["spelled"].drop_nulls().len() / judged.height < 0.8
    wrong = [
        cell
        for cell, spelled in zip(cells.gather(judged["row"]), judged["spelled"], strict=True)
        if to_e164(cell, dice.choice(("ZZ", "DE", "US"))) != spelled
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("cell", "spelled"),
    [
        ("+1 212 555 0123", "+12125550123"),
        ("+1 555 555 0123", None),
        ("+49 (30) 901820", "+4930901820"),
        ("+44-1481-960194", "+441481960194"),  # of Guernsey, whose numbers begin behind the code of another
        ("+800 1234 5678", "+80012345678"),  # of no country
        ("+34 910.12.34", None),
    ],
)
def test_a_number_is_judged(cell: str, spelled: str | None) -> None:
    assert judge_plain(pl.Series([cell]), at_least=1).rows() == [(0, spelled)]
    assert to_e164(cell, "ZZ") == spelled


@pytest.fixture
def fresh_plans() -> Iterator[None]:
    plain_phones._plan.cache_clear()
    yield
    plain_phones._plan.cache_clear()


@pytest.mark.usefixtures("fresh_plans")
@pytest.mark.parametrize(
    ("region", "leading_digits", "spelled"),
    [
        ("KZ", "7", "+77710009998"),  # as it is today
        ("KZ", "70", None),  # of no country, though Kazakhstan has such numbers
        ("RU", "[34789]", None),  # of Russia, which has no such number
    ],
)
def test_the_leading_digits_of_a_country_decide_whose_a_number_is(
    monkeypatch: pytest.MonkeyPatch, region: str, leading_digits: str, spelled: str | None
) -> None:
    """Tables are altered for that: today every number is judged alike without its leading digits."""
    table = PhoneMetadata.metadata_for_region_or_calling_code(7, region)
    monkeypatch.setitem(vars(table), "leading_digits", leading_digits)
    cell = "+7 771 000 99 98"
    assert judge_plain(pl.Series([cell]), at_least=1).rows() == [(0, spelled)]
    assert to_e164(cell, "ZZ") == spelled


@pytest.mark.parametrize(
    "cell",
    [
        "+39 06 6982 1234",  # begins with 0
        "+44 (0)20 7946 0958",
        "+1 1 212 555 0123",  # begins with what is dialled at home
        "+54 11 15 2345 6789",  # becomes another number
        "+49 30 9018 030 9018",  # may be two
        "+34910123456.0",
        "+34 910 12 34 56 ext. 7",
        "+210 1234 5678",  # an unknown code
        "020 7946 0958",
        "+1-800-FLOWERS",
        "+34 910" + 250 * " " + "123456",
    ],
)
def test_what_may_be_read_otherwise_is_left_to_phonenumbers(cell: str) -> None:
    assert judge_plain(pl.Series([cell]), at_least=1).is_empty()


def test_few_numbers_of_a_country_are_left_to_phonenumbers() -> None:
    numbers = pl.Series([f"+34 910 12 34 {number}" for number in range(10, 70)])
    assert judge_plain(numbers).height == 60
    assert judge_plain(numbers[:49]).is_empty()
    assert judge_plain(numbers.clear()).schema == {"row": pl.UInt32, "spelled": pl.String}


def test_a_column_gets_what_its_cells_get_one_by_one() -> None:
    together = [f"+34 910 12 34 {number}" for number in range(10, 70)]
    singly = ["910 12 34 56", "020 7946 0958", "+39 06 6982 1234", "+1-800-FLOWERS", "12"]
    cells = [*together, "+34 111", None, *singly, *together[:3]]
    countries = [("ES", "GB", "ZZ", None)[row % 4] for row in range(len(cells))]
    expected = [
        cell and (to_e164(cell, country or "GB") or cell)
        for cell, country in zip(cells, countries, strict=True)
    ]
    (rule,) = phone_rules(Phones.E164, "GB")
    spelled, changed = rule.apply(pl.Series(cells), pl.Series(countries))
    assert spelled.to_list() == expected
    assert changed == sum(old != new for old, new in zip(cells, expected, strict=True)) > 63
