"""DuckDB: the whole job in SQL, and the files cut by COPY itself."""

import duckdb

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

CELLS = f"""
    lower(trim("{EMAIL}")) AS "{EMAIL}", trim(columns(* EXCLUDE ("{EMAIL}")))
"""
REASONS = f"""
    concat_ws('; ',
        CASE WHEN NOT regexp_matches(coalesce("{EMAIL}", ''), $pattern) THEN 'email' END,
        CASE WHEN "{EMPLOYEES}" <> '' AND try_cast("{EMPLOYEES}" AS BIGINT) IS NULL THEN 'employees' END,
        CASE WHEN "{BIRTH}" <> '' AND try_strptime("{BIRTH}", '%Y-%m-%d') IS NULL THEN 'date of birth' END,
        CASE WHEN greatest({", ".join(f'length("{name}")' for name in TEXTS)}) > $most THEN 'length' END)
"""
FILE_BYTES = 9_000_000
"""COPY starts a new file once one is larger, so the limit needs room."""


def main() -> None:
    """Read into a table, judge, dedupe, write."""
    source, folder = arguments()
    database = duckdb.connect()
    database.execute("SET preserve_insertion_order = true")
    database.execute(
        f"""
        CREATE TABLE judged AS
        WITH read AS (
            FROM read_csv($source, all_varchar = true, header = true, delim = ',', quote = '"',
                          store_rejects = true)
        ),
        trimmed AS (SELECT row_number() OVER () AS _row, {CELLS} FROM read)
        SELECT *, {REASONS} AS reasons FROM trimmed
        """,
        {"source": str(source), "pattern": ADDRESS_PATTERN, "most": MOST_CHARACTERS},
    )
    database.execute(
        f"""
        CREATE TABLE last AS SELECT max(_row) AS _row FROM judged WHERE reasons = '' GROUP BY "{EMAIL}"
        """
    )
    database.execute(
        f"""
        COPY (FROM judged WHERE reasons <> '' ORDER BY _row) TO '{folder}/rejected.csv' (HEADER);
        COPY reject_errors TO '{folder}/unreadable.csv' (HEADER);
        COPY (FROM judged ANTI JOIN last USING (_row) WHERE reasons = '')
            TO '{folder}/duplicates.csv' (HEADER);
        COPY (SELECT * EXCLUDE (_row, reasons) FROM judged SEMI JOIN last USING (_row) ORDER BY _row)
            TO '{folder}/chunks' (FORMAT csv, HEADER, FILE_SIZE_BYTES {FILE_BYTES});
        """
    )
    valid = database.execute("SELECT count(*) FROM judged WHERE reasons = ''").fetchall()
    kept = database.execute("SELECT count(*) FROM last").fetchall()
    answer(valid=valid[0][0], kept=kept[0][0])


if __name__ == "__main__":
    main()
