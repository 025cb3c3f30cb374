"""polars and email-validator, as one writes it by hand for one import."""

import polars as pl
from email_validator import EmailNotValidError, validate_email

from benchmarks.peers.job import (
    BIRTH,
    EMAIL,
    EMPLOYEES,
    MOST_CHARACTERS,
    TEXTS,
    answer,
    arguments,
    write_files,
)


def is_address(cell: str) -> bool:
    """What email-validator says, without asking any name server."""
    try:
        validate_email(cell, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True


def main() -> None:
    """Read everything, judge, dedupe, write."""
    source, folder = arguments()
    leads = pl.read_csv(source, infer_schema=False).with_columns(pl.all().str.strip_chars())
    leads = leads.with_columns(pl.col(EMAIL).str.to_lowercase())

    email, employees, birth = pl.col(EMAIL).fill_null(""), pl.col(EMPLOYEES), pl.col(BIRTH)
    broken = {
        EMAIL: ~email.map_elements(is_address, return_dtype=pl.Boolean),
        EMPLOYEES: employees.is_not_null() & employees.cast(pl.Int64, strict=False).is_null(),
        BIRTH: birth.is_not_null() & birth.str.to_date("%Y-%m-%d", strict=False).is_null(),
        "length": pl.any_horizontal(pl.col(TEXTS).str.len_chars() > MOST_CHARACTERS),
    }
    words = [pl.when(is_broken).then(pl.lit(name)) for name, is_broken in broken.items()]
    judged = leads.with_columns(reasons=pl.concat_str(words, separator="; ", ignore_nulls=True))
    rejected = judged.filter(pl.col("reasons") != "")
    valid = judged.filter(pl.col("reasons") == "").drop("reasons")
    is_kept = valid[EMAIL].is_last_distinct()

    rejected.write_csv(folder / "rejected.csv")
    valid.filter(~is_kept).write_csv(folder / "duplicates.csv")
    kept = valid.filter(is_kept)
    write_files(kept.write_csv().encode(), folder)
    answer(valid=valid.height, kept=kept.height)


if __name__ == "__main__":
    main()
