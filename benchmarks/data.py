"""The benchmark's lead file: invented people, the same bytes for the same rows and seed on every machine.

Every cell is a function of the seed and the row's number, computed with whole numbers alone: no state
passes from one batch to the next, and no library's random generator can change the file.
"""

import argparse
import hashlib
import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

HEADER: Final = (
    "Email Address,First Name,Last Name,Company Name,Job Title,"
    "Phone Number,City,Country,Employees,Date of Birth\n"
)
BATCH_ROWS: Final = 500_000


def _words(text: str, separator: str | None = None) -> tuple[str, ...]:
    return tuple(text.split(separator))


FIRST_NAMES: Final = _words(
    "Ana Bruno Chidi Dora Emil Fay Grace Hugo Iris Jan Kofi Lena Mateo Nora Oscar Priya Quinn Rosa Samuel "
    "Tariq Ulla Victor Wanda Ximena Yuki Zahra José Zoë Íñigo Søren François Jürgen"
)
LAST_NAMES: Final = _words(
    "Winter Salas Obi Lind Moss Field Bianchi Diaz Koch Lund Novak Tanaka Otieno Mehta Vogel Chen Hart "
    "Prado Mensah Ferrari Nilsen Kowalska Sousa Nair Meyer Adeyemi Cohen Rojas Khan Okafor Peeters Wright "
    "Young Costa Haddad Suzuki Clarke Nguyen Moretti Petrov Walsh Park Silva Baker Adams Fischer Dubois "
    "Visser Popa Larsen Ricci Almeida Berg Nemec Virtanen Jansen Muñoz García Bergström Lefèvre Núñez "
    "Sørensen Müller Ordóñez"
)
TRADES: Final = _words(
    "Agro Textiles Robotics Freight Analytics Foods Optics Imaging Solar Paper Ceramics Motors Spices Design "
    "Logistics Timber Carpets Shipping Dairy Oils Quarries Software Diagnostics Furniture Energy Tools"
)
TITLES: Final = _words(
    "Engineer,Head of Sales,Buyer,Analyst,Director,Developer,Founder,CTO,Accountant,Editor,Chemist,Planner,"
    "Product Manager,Gerente,Geschäftsführerin,Partner",
    ",",
)
CITIES: Final = _words(
    "Vienna,Bilbao,Lagos,Oslo,Leeds,Milan,Boston,Gothenburg,Puebla,Berlin,Copenhagen,Prague,Cork,Tokyo,Lyon,"
    "Nairobi,Utrecht,Mumbai,Singapore,Santiago,Málaga,Köln,São Paulo,Kraków",
    ",",
)
COUNTRIES: Final = _words(
    "Austria,Spain,Nigeria,Norway,United Kingdom,Italy,United States,Sweden,Mexico,Germany,Denmark,Czechia,"
    "Ireland,Japan,France,Kenya,Netherlands,India,Singapore,Chile,España,Deutschland,Brazil,Poland",
    ",",
)
ENDINGS: Final = ("com", "org", "net")

EPOCH_TO_1955: Final = -5479
"""Days from 1970-01-01 to 1955-01-01, the first date of birth."""


@dataclass(frozen=True)
class Mix:
    """What the file is made of; shares of all rows unless said otherwise.

    Attributes:
        bad: Rows that break a rule, in equal parts of each kind in `_spoil`.
        distinct: Distinct addresses.
        repeated: Addresses that come more than once, as a share of the distinct ones.
        quoted: Company names that hold a comma.
        stray_blanks: Rows with a blank around a cell.
        odd_case: Rows whose address has capitals.
        cut_short: Rows that lack their last four cells. A reader that fills them up (polars does) is wrong.
    """

    bad: float = 0.05
    distinct: float = 0.70
    repeated: float = 0.10
    quoted: float = 0.05
    stray_blanks: float = 0.02
    odd_case: float = 0.05
    cut_short: float = 0.000_02


MIX: Final = Mix()


def write_leads(path: Path, rows: int, seed: int, mix: Mix = MIX) -> None:
    """Write the file; it carries its name only when it is complete."""
    partial = path.with_suffix(f".{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            file.write(HEADER.encode())
            for lines in lead_lines(rows, seed, mix):
                lines.to_frame().write_csv(file, include_header=False, quote_style="never")
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


def lead_lines(rows: int, seed: int, mix: Mix = MIX) -> Iterator[pl.Series]:
    """The lines after the header, in batches."""
    for start in range(0, rows, BATCH_ROWS):
        numbers = pl.int_range(start, min(start + BATCH_ROWS, rows), dtype=pl.UInt64, eager=True)
        dice = Dice(numbers, seed)
        yield _lines(_spoilt(_leads(dice, rows, mix), dice, mix), dice, mix)


class Dice:
    """Numbers that look random, one for each row, by splitmix64.

    https://prng.di.unimi.it/splitmix64.c
    """

    def __init__(self, rows: pl.Series, seed: int) -> None:
        self.rows = rows
        self._seed = seed

    def bits(self, purpose: str, of: pl.Series | None = None) -> pl.Series:
        """64 bits for each row, or for each value of `of`: equal values get equal bits."""
        salt = int.from_bytes(hashlib.sha256(f"{self._seed}/{purpose}".encode()).digest()[:8])
        state = (self.rows if of is None else of) * _word(0x9E3779B97F4A7C15) + _word(salt)
        state = (state ^ (state // _word(1 << 30))) * _word(0xBF58476D1CE4E5B9)
        state = (state ^ (state // _word(1 << 27))) * _word(0x94D049BB133111EB)
        return state ^ (state // _word(1 << 31))

    def below(self, limit: int, purpose: str, of: pl.Series | None = None) -> pl.Series:
        """Whole numbers from 0 to `limit - 1`."""
        return self.bits(purpose, of) % _word(limit)

    def chance(self, share: float, purpose: str) -> pl.Series:
        """True for this share of the rows."""
        return self.below(1_000_000, purpose) < round(share * 1_000_000)


def _word(value: int) -> pl.Series:
    return pl.Series([value], dtype=pl.UInt64)


def _leads(dice: Dice, rows: int, mix: Mix) -> pl.DataFrame:
    """Sound rows: somebody who comes once, or one of the few who come again and again."""
    regulars = max(1, round(rows * mix.distinct * mix.repeated))
    comes_once = dice.chance(mix.distinct * (1 - mix.repeated), "comes once")
    person = dice.rows.zip_with(comes_once, dice.below(regulars, "which regular") + rows)
    first_name = dice.below(len(FIRST_NAMES), "first name", person)
    last_name = dice.below(len(LAST_NAMES), "last name", person)
    company = dice.below(len(TRADES) * 40, "company", person)
    where = dice.below(len(CITIES), "where", person)
    frame = pl.DataFrame(
        {
            "person": person,
            "first": _chosen(FIRST_NAMES, first_name),
            "last": _chosen(LAST_NAMES, last_name),
            "initial": _chosen([_address_part(name)[0] for name in FIRST_NAMES], first_name),
            "last_ascii": _chosen([_address_part(name) for name in LAST_NAMES], last_name),
            "ending": _chosen(ENDINGS, dice.below(len(ENDINGS), "ending", company)),
            "company_number": company,
            "owner": _chosen(LAST_NAMES, dice.below(len(LAST_NAMES), "owner", company)),
            "trade": _chosen(TRADES, company % len(TRADES)),
            "title": _chosen(TITLES, dice.below(len(TITLES), "title")),
            "phone": dice.below(10_000_000, "phone", person),
            "city": _chosen(CITIES, where),
            "country": _chosen(COUNTRIES, where),
            "employees": dice.below(5_000, "employees", company) + 1,
            "birth": dice.below(18_000, "date of birth", person).cast(pl.Int32) + EPOCH_TO_1955,
            "is_quoted": dice.chance(mix.quoted, "quoted"),
            "has_blank": dice.chance(mix.stray_blanks, "stray blank"),
            "has_capitals": dice.chance(mix.odd_case, "odd case"),
        }
    )
    return frame.select(**_cells())


def _chosen(values: Sequence[str], positions: pl.Series) -> pl.Series:
    return pl.Series(values)[positions]


def _address_part(name: str) -> str:
    """A name as it stands in an address: without accents, in small ASCII letters."""
    letters = unicodedata.normalize("NFD", name.lower().replace("ø", "o"))
    return letters.encode("ascii", "ignore").decode()


def _cells() -> dict[str, pl.Expr]:
    """The ten columns as text, quoted where needed."""
    address = pl.format(
        "{}.{}{}@t{}.example.{}", "initial", "last_ascii", "person", "company_number", "ending"
    )
    digits = pl.col("phone").cast(pl.String).str.zfill(7)
    return {
        "email": pl.when("has_capitals").then(address.str.to_titlecase()).otherwise(address),
        "first": pl.when("has_blank").then(pl.format(" {}", "first")).otherwise("first"),
        "last": pl.col("last"),
        "company": pl.when("is_quoted")
        .then(pl.format('"{}, {}"', "owner", "trade"))
        .otherwise(pl.format("{} {}", "owner", "trade")),
        "title": pl.col("title"),
        "phone": pl.format("+1 555 {} {}", digits.str.slice(0, 3), digits.str.slice(3)),
        "city": pl.col("city"),
        "country": pl.col("country"),
        "employees": pl.col("employees").cast(pl.String),
        "birth": pl.col("birth").cast(pl.Date).cast(pl.String),
    }


def _spoilt(leads: pl.DataFrame, dice: Dice, mix: Mix) -> pl.DataFrame:
    """The same rows with the bad ones made bad: each kind breaks one cell."""
    kinds = {
        0: ("email", pl.col("email").str.replace("@", " at ")),
        1: ("email", pl.col("email").str.replace(".", "..", literal=True)),
        2: ("email", pl.lit("")),
        3: ("employees", pl.lit("about ") + pl.col("employees")),
        4: ("birth", pl.col("birth").str.slice(0, 5) + "02-30"),
        5: ("title", pl.col("title") + pl.lit(" and so on" * 26)),
    }
    is_bad = dice.chance(mix.bad, "bad")
    kind = dice.below(len(kinds), "kind")
    for number, (column, spoilt) in kinds.items():
        leads = leads.with_columns(
            pl.when(is_bad & (kind == number)).then(spoilt).otherwise(column).alias(column)
        )
    return leads


def _lines(leads: pl.DataFrame, dice: Dice, mix: Mix) -> pl.Series:
    is_short = dice.chance(mix.cut_short, "cut short")
    whole = pl.concat_str(leads.columns, separator=",")
    short = pl.concat_str(leads.columns[:6], separator=",")
    return leads.select(pl.when(is_short).then(short).otherwise(whole).alias("line")).to_series()


def main() -> None:
    """Write one file, from a process of its own: the one that measures must stay small."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.data", description="Write the benchmark's file."
    )
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    write_leads(options.path, options.rows, options.seed)


if __name__ == "__main__":
    main()
