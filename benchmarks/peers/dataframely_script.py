"""dataframely: a schema class, and `filter`, which gives the valid rows and tells the others."""

import dataframely as dy
import polars as pl

from benchmarks.peers.job import (
    ADDRESS_PATTERN,
    BIRTH,
    EMAIL,
    EMPLOYEES,
    MOST_CHARACTERS,
    TEXTS,
    answer,
    arguments,
)


class Leads(dy.Schema):
    """The texts stay texts, so that a broken cell is an invalid row and not an error."""

    email = dy.String(alias=EMAIL, regex=ADDRESS_PATTERN, max_length=MOST_CHARACTERS)
    first_name = dy.String(alias=TEXTS[1], nullable=True, max_length=MOST_CHARACTERS)
    last_name = dy.String(alias=TEXTS[2], nullable=True, max_length=MOST_CHARACTERS)
    company = dy.String(alias=TEXTS[3], nullable=True, max_length=MOST_CHARACTERS)
    title = dy.String(alias=TEXTS[4], nullable=True, max_length=MOST_CHARACTERS)
    phone = dy.String(alias=TEXTS[5], nullable=True, max_length=MOST_CHARACTERS)
    city = dy.String(alias=TEXTS[6], nullable=True, max_length=MOST_CHARACTERS)
    country = dy.String(alias=TEXTS[7], nullable=True, max_length=MOST_CHARACTERS)
    employees = dy.String(alias=EMPLOYEES, nullable=True, regex=r"^[+-]?\d+$")
    birth = dy.String(alias=BIRTH, nullable=True)

    @dy.rule()
    def birth_is_a_day(cls) -> pl.Expr:  # noqa: N805 (dataframely hands over the class)
        """Of the calendar; `cast=True` cannot ask that, a rule can."""
        return pl.col(BIRTH).is_null() | pl.col(BIRTH).str.to_date("%Y-%m-%d", strict=False).is_not_null()


def main() -> None:
    """Read with polars, filter by the schema, write both sides."""
    source, folder = arguments()
    leads = pl.read_csv(source, infer_schema=False).with_columns(pl.all().str.strip_chars())
    valid, failure = Leads.filter(leads)
    valid.write_csv(folder / "valid.csv")
    failure.details().write_csv(folder / "rejected.csv")
    answer(valid=valid.height)


if __name__ == "__main__":
    main()
