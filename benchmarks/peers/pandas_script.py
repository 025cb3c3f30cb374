"""pandas and email-validator, as one writes it by hand for one import."""

import pandas as pd
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
    leads = pd.read_csv(source, dtype=str, keep_default_na=False)
    leads = leads.fillna("").apply(lambda column: column.str.strip())
    leads[EMAIL] = leads[EMAIL].str.lower()

    filled = leads.where(leads != "")
    broken = pd.DataFrame(
        {
            EMAIL: ~leads[EMAIL].map(is_address).astype(bool),
            EMPLOYEES: filled[EMPLOYEES].notna() & ~leads[EMPLOYEES].str.fullmatch(r"[+-]?\d+"),
            BIRTH: filled[BIRTH].notna()
            & pd.to_datetime(leads[BIRTH], format="%Y-%m-%d", errors="coerce").isna(),
            "length": (leads[list(TEXTS)].apply(lambda column: column.str.len()) > MOST_CHARACTERS).any(
                axis=1
            ),
        }
    )
    is_valid = ~broken.any(axis=1)
    valid = leads[is_valid]
    is_kept = ~valid.duplicated(EMAIL, keep="last")

    reasons = broken[~is_valid].apply(lambda row: "; ".join(row.index[row]), axis=1)
    leads[~is_valid].assign(reasons=reasons).to_csv(folder / "rejected.csv", index=False)
    valid[~is_kept].to_csv(folder / "duplicates.csv", index=False)
    write_files(valid[is_kept].to_csv(index=False).encode(), folder)
    answer(valid=len(valid), kept=int(is_kept.sum()))


if __name__ == "__main__":
    main()
