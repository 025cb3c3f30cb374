"""Countries and states: every language, no guess."""

import polars as pl
import pytest

from prep.schema import Field
from prep.values import Countries, Normalised, Spelling, States, normalise
from prep.values.countries import (
    _table,
    country_codes,
    english_names,
    find_country,
    fold_country,
    is_ambiguous,
    is_state,
)
from prep.values.states import _states

FIELDS = {
    name: Field(name)
    for name in ("country", "billingCountry", "state", "billingState", "Mailing_Country__c", "countryCode")
}
ISO2 = Spelling(countries=Countries.ISO2)
NAME = Spelling(countries=Countries.NAME)


def respell(spelling: Spelling, **columns: list[str | None]) -> Normalised:
    frame = pl.DataFrame({name: pl.Series(cells, dtype=pl.String) for name, cells in columns.items()})
    return normalise(frame, FIELDS, spelling)


KNOWN = {
    "ES": [
        "España",
        "SPANIEN",
        "Spain",
        "Hiszpania",
        "İspanya",
        "スペイン",
        "西班牙",
        "إسبانيا",
        "ES",
        "esp",
        "724",
    ],
    "US": [
        "USA",
        "U.S.A.",
        "u.s.",
        "United States of America",
        "Etats-Unis",
        "EE.UU.",
        "США",
        "アメリカ合衆国",
        "840",
    ],
    "GB": ["UK", "U.K.", "Great Britain", "England", "Scotland", "Vereinigtes Königreich", "Wielka Brytania"],
    "NL": ["Holland", "The Netherlands", "Pays-Bas", "Nederland"],
    "CZ": ["Czech Rep.", "Czech Republic", "Czechia", "Tschechien", "Česko", "Česká republika"],
    "KR": ["South Korea", "Korea, Republic of", "Republic of Korea", "대한민국", "Südkorea", "韩国"],
    "KP": ["North Korea", "DPRK", "Korea, North"],
    "CD": ["DR Congo", "Congo, Democratic Republic of the", "Congo - Kinshasa"],
    "CG": ["Republic of the Congo", "Congo-Brazzaville"],
    "TW": ["Taiwan", "Republic of China", "Taiwan, Province of China", "台灣", "台湾"],
    "CN": ["People's Republic of China", "P.R. China", "中国", "中華人民共和國"],
    "GE": ["Georgia", "Georgien", "საქართველო"],
    "MM": ["Burma", "Myanmar"],
    "SZ": ["Swaziland", "Eswatini", "Swasiland"],
    "MK": ["Macedonia", "North Macedonia", "Mazedonien"],
    "AE": ["UAE", "U.A.E.", "Émirats arabes unis", "VAE"],
    "HK": ["Hong Kong", "Hong Kong, China", "香港"],
    "GF": ["Guyane", "Guyane française", "French Guiana", "GUF"],
    "CI": ["Ivory Coast", "Côte d'Ivoire", "Cote d\u2019Ivoire"],
    "VC": ["St. Vincent & Grenadines", "Saint Vincent and the Grenadines"],
    "XK": ["Kosovo", "XK"],
    "AT": ["Áo", "Österreich", "AUT"],
    "AO": ["AO", "Angola"],
    "MW": ["Malawi"],
    "BH": ["B a h r a i n"],
}


@pytest.mark.parametrize("code", KNOWN)
def test_names_and_codes_are_known(code: str) -> None:
    assert {cell: find_country(cell) for cell in KNOWN[code]} == dict.fromkeys(KNOWN[code], code)


AMBIGUOUS = [
    "Nga",
    "Korea",
    "Corea",
    "Kore",
    "Congo",
    "Kongo",
    "America",
    "América",
    "Virgin Islands",
    "NA",
    "na",
    "AN",
    "SIN",
    "MON",
]
UNKNOWN = [
    "",
    "Atlantis",
    "Berlin",
    "Berlin, Germany",
    "Georgia, USA",
    "New Jersey",
    "Germny",
    "1.00",
    "8 40",
    "840.0",
    "00",
    "99",
    "36",
    "EU",
]


def test_what_several_go_by_stays_and_so_does_what_none_goes_by() -> None:
    assert [find_country(cell) for cell in AMBIGUOUS + UNKNOWN] == [None] * len(AMBIGUOUS + UNKNOWN)
    assert [is_ambiguous(cell) for cell in AMBIGUOUS] == [True] * len(AMBIGUOUS)
    assert [is_ambiguous(cell) for cell in UNKNOWN] == [False] * len(UNKNOWN)
    for spelling in (ISO2, NAME):
        result = respell(spelling, country=[cell for cell in AMBIGUOUS + UNKNOWN if cell])
        assert result.changes == {}


def test_code_name_and_english_name_lead_to_each_other() -> None:
    for code, name in english_names().items():
        expected = None if code == "NA" else code
        assert (find_country(code), find_country(name)) == (expected, code)
        assert name.isascii()


def test_the_names_are_folded_as_cells_will_be() -> None:
    assert [name for name in _table().names if fold_country(name) != name] == []


def test_countries_become_codes_or_english_names_or_stay() -> None:
    cells: list[str | None] = [
        "España",
        "US",
        "Korea",
        " Côte d\u2019Ivoire ",
        None,
        "unknown",
        "Deutschland",
    ]
    assert respell(Spelling(), country=cells).frame["country"].to_list() == [
        "España", "US", "Korea", "Côte d\u2019Ivoire", None, None, "Deutschland"
    ]  # fmt: skip
    codes = respell(ISO2, country=cells, Mailing_Country__c=cells, countryCode=cells)
    assert codes.frame["country"].to_list() == ["ES", "US", "Korea", "CI", None, None, "DE"]
    assert codes.frame["Mailing_Country__c"].equals(codes.frame["country"])
    assert codes.frame["countryCode"].to_list()[-2:] == ["unknown", "Deutschland"]
    assert codes.changes["country", "country"] == 3
    names = respell(NAME, country=cells)
    assert names.frame["country"].to_list() == [
        "Spain", "United States", "Korea", "Cote d'Ivoire", None, None, "Germany"
    ]  # fmt: skip
    for spelling, result in ((ISO2, codes), (NAME, names)):
        assert normalise(result.frame, FIELDS, spelling).changes == {}


def test_a_normaliser_does_not_undo_what_was_asked_for() -> None:
    fields = {"country": Field("country", normalisers=("title",))}
    frame = pl.DataFrame({"country": ["SPANIEN", "atlantis"]})
    assert normalise(frame, fields, ISO2).frame["country"].to_list() == ["ES", "atlantis"]
    assert normalise(frame, fields, Spelling()).frame["country"].to_list() == ["Spanien", "Atlantis"]


def test_codes_of_a_column() -> None:
    cells = pl.Series(["Spain", None, "Korea", "Spain", "nowhere"])
    assert country_codes(cells).to_list() == ["ES", None, "ZZ", "ES", "ZZ"]
    assert country_codes(cells.clear()).to_list() == []


STATES = [
    ("California", "USA", "CA", "California"),
    ("calif.", "United States", "CA", "California"),
    ("CA", "US", "CA", "California"),
    ("CA", "Canada", "CA", "CA"),
    ("Québec", "Kanada", "QC", "Quebec"),
    ("WA", "Australia", "WA", "Western Australia"),
    ("WA", "USA", "WA", "Washington"),
    ("São Paulo", "Brasil", "SP", "São Paulo"),
    ("CDMX", "México", "CMX", "Mexico City"),
    ("Orissa", "India", "OD", "Odisha"),
    ("Bayern", "Germany", "Bayern", "Bayern"),
    ("California", None, "California", "California"),
    ("California", "America", "California", "California"),
    ("Georgia", "Georgia", "Georgia", "Georgia"),
    (None, "USA", None, None),
]


def test_states_are_read_in_the_country_of_their_row() -> None:
    columns = {"state": [case[0] for case in STATES], "country": [case[1] for case in STATES]}
    assert respell(Spelling(), **columns).changes == {}
    for wanted, place in ((States.CODE, 2), (States.NAME, 3)):
        spelling = Spelling(states=wanted)
        result = respell(spelling, **columns)
        assert result.frame["state"].to_list() == [case[place] for case in STATES]
        assert normalise(result.frame, FIELDS, spelling).changes == {}


def test_no_code_or_name_of_a_state_is_a_word_for_nothing() -> None:
    known = [spelling for spellings in _states().values() for spelling in (*spellings, *spellings.values())]
    cells: list[str | None] = [*known, *map(str.upper, known), "N.D.", "n.d."]
    assert respell(Spelling(), state=cells).changes == {}
    codes = respell(Spelling(states=States.CODE), state=["ND", "N.D.", "n/d", "n/a"], country=["US"] * 4)
    assert codes.frame["state"].to_list() == ["ND", "ND", None, None]


@pytest.mark.parametrize(
    ("name", "holds_states"),
    [
        *(
            (name, True)
            for name in ("state", "State", "billingstate", "homeState", "HOME_STATE", "Mailing_State__c")
        ),
        *((name, True) for name in ("province", "billingProvince", "STATE__C", "officestate", "HOMESTATE")),
        *((name, False) for name in ("realEstate", "REALESTATE", "REAL_ESTATE", "estate__c", "stateOfMind")),
        *((name, False) for name in ("isEstate", "kindOfEstate__c")),
    ],
)
def test_which_fields_hold_states(name: str, *, holds_states: bool) -> None:
    fields = {name: Field(name)}
    cells = pl.DataFrame({name: ["Unknown", "None", "house"]})
    assert is_state(fields[name]) is holds_states
    kept = normalise(cells, fields, Spelling()).frame[name].to_list()
    assert kept == ([None, None, "house"] if holds_states else ["Unknown", "None", "house"])


def test_a_billing_state_asks_its_own_country_first() -> None:
    spelling = Spelling(states=States.NAME)
    both = respell(spelling, billingState=["WA"], billingCountry=["Australia"], country=["USA"])
    assert both.frame["billingState"].to_list() == ["Western Australia"]
    one = respell(spelling, billingState=["WA"], country=["USA"])
    assert one.frame["billingState"].to_list() == ["Washington"]
