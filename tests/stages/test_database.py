"""Queries: SQLite, and a PostgreSQL server that the tests start. No password, no cell in any message."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from prep.errors import SourceError
from prep.intake import Query
from prep.pipeline import prepare
from prep.sources.columnar import spool
from prep.sources.database import VARIABLE, open_query
from prep.sources.open import open_stored

PASSWORD = "s3cr%t/@ :x"
QUOTED = "s3cr%25t%2F%40%20%3Ax"


def rows(url: str | None, query: str) -> list[tuple[str | None, ...]]:
    source = open_query(url, query)
    reader = source.read()
    batches = [*reader]
    assert all(batch.rejected.is_empty() and not batch.skipped for batch in batches)
    read = [row for batch in batches for row in batch.cells.drop("_numbers").rows()]
    assert [row[-2:] for row in read] == [(number, None) for number in range(1, reader.rows + 1)]
    assert len(reader.sha256) == 64
    return [row[:-2] for row in read]


def refusal(url: str | None, query: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        rows(url, query)
    error = caught.value
    for secret in (PASSWORD, QUOTED, "hush", "secret@"):
        assert secret not in f"{error.facts}"
    chained = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    assert chained is None
    return error


@pytest.fixture
def leads(tmp_path: Path) -> str:
    path = tmp_path / "le ads.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE leads (Email TEXT, n, born TEXT)")
        values = [("a@example.com", 1, "2024-01-02"), ("b@example.com", 2.5, None), ("", "x", "y")]
        database.executemany("INSERT INTO leads VALUES (?, ?, ?)", values)
    database.close()
    return f"sqlite:///{str(path).replace(' ', '%20')}"


def test_sqlite(leads: str) -> None:
    source = open_query(leads, "SELECT * FROM leads;")
    assert source.path == leads.replace("%20", " ")
    assert source.columns == ("Email", "n", "born")
    assert rows(leads, "SELECT * FROM leads") == [
        ("a@example.com", "1", "2024-01-02"),
        ("b@example.com", "2.5", None),
        (None, "x", "y"),
    ]


def test_every_cell_of_sqlite_has_its_own_type(leads: str) -> None:
    query = (
        "SELECT NULL AS a, 9007199254740993 AS b, 2.0 AS a, 0.1 AS d, 1e300 AS e, 'ü' AS f"
        " UNION ALL SELECT 'late', 1.5, 'text', -0.0, 12345678901234567, '' -- a remark"
    )
    assert open_query(leads, query).columns == ("a", "b", "a", "d", "e", "f")
    assert rows(leads, query) == [
        (None, "9007199254740993", "2", "0.1", "1" + "0" * 300, "ü"),
        ("late", "1.5", "text", "0", "12345678901234567", None),
    ]


def test_types_that_change_late(leads: str) -> None:
    query = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)"
        " SELECT CASE WHEN i > 45000 THEN 'x' || i WHEN i > 30000 THEN i END AS a FROM n"
    )
    read = [row[0] for row in rows(leads, query)]
    assert (read[0], read[30_000], read[-1], len(read)) == (None, "30001", "x50000", 50_000)


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE leads (Email TEXT, Name TEXT)")
    people = [("a@example.com", b"Ann"), ("b@example.com", b"Ren\xe9")]
    database.executemany("INSERT INTO leads VALUES (?, CAST(? AS TEXT))", people)
    database.commit()
    database.close()
    error = refusal(f"sqlite:///{path}", "SELECT * FROM leads")
    assert (error.code, error.column) == ("not_utf8", "Name")
    assert error.message == f"sqlite:///{path}: column 'Name' holds text that is not UTF-8"
    assert error.hint == "Export the table as CSV and give that; --encoding tells how it is written."
    assert rows(f"sqlite:///{path}", "SELECT Email FROM leads") == [("a@example.com",), ("b@example.com",)]


def test_sqlite_without_rows(leads: str) -> None:
    assert rows(leads, "SELECT Email FROM leads WHERE 0") == []
    assert open_query(leads, "SELECT Email FROM leads WHERE 0").columns == ("Email",)


@pytest.mark.parametrize(
    ("query", "code", "word"),
    [
        ("SELEC 1", "database_refused", "syntax"),
        ("SELECT nope FROM leads", "database_refused", "nope"),
        ("SELECT Email FROM leads WHERE", "database_refused", "incomplete input"),
        ("SELECT * FROM people", "database_refused", "no such table: people"),
        ("SELECT ? AS a", "database_refused", "parameter count mismatch"),
        ("DELETE FROM leads", "database_refused", ""),
        ("INSERT INTO leads VALUES (1,2,3)", "database_refused", ""),
        ("INSERT INTO leads VALUES (1,2,3) RETURNING *", "database_refused", ""),
        ("SELECT x'00' AS b", "unsupported_column", "'b'"),
        (" ; ", "no_query", "blank"),
    ],
)
def test_what_sqlite_refuses(leads: str, query: str, code: str, word: str) -> None:
    error = refusal(leads, query)
    assert (error.code, word in error.message) == (code, True)
    assert len(rows(leads, "SELECT * FROM leads")) == 3


@pytest.mark.parametrize("condition", ["1", "n = 2.5"])
def test_what_sqlite_says_of_a_cell_is_not_passed_on(leads: str, condition: str) -> None:
    error = refusal(leads, f"SELECT CASE WHEN {condition} THEN json_extract('{{}}', Email) END FROM leads")  # noqa: S608
    name = leads.replace("%20", " ")
    assert error.facts == {
        "code": "database_refused",
        "message": f"{name}: the database refuses: it cannot compute a row",
        "hint": "Check the URL and the query.",
        "source": name,
        "row": None,
        "column": None,
    }


def test_a_query_attaches_no_other_database(leads: str, tmp_path: Path) -> None:
    assert refusal(leads, f"ATTACH DATABASE '{tmp_path}/new.db' AS n").code == "database_refused"
    assert not (tmp_path / "new.db").exists()


def test_no_file_is_made(tmp_path: Path) -> None:
    error = refusal(f"sqlite:///{tmp_path}/none.db", "SELECT 1")
    assert (error.code, [*tmp_path.iterdir()]) == ("no_such_file", [])


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("postgresql://me:hush@localhost/db", "password_in_url"),
        ("postgresql://me:@localhost/db", "password_in_url"),
        ("postgresql://me@localhost/db?password=hush", "password_in_url"),
        ("postgresql://me@localhost/db?sslmode=require&PASSWORD=hush", "password_in_url"),
        ("mysql://me:hush@localhost/db", "password_in_url"),
        ("mysql://me@localhost/db", "unknown_database"),
        ("host=localhost password=hush", "unknown_database"),
        ("postgresql://[hush", "unknown_database"),
        ("sqlite:///", "unknown_database"),
        ("sqlite://leads.db", "unknown_database"),
        ("", "no_database"),
    ],
)
def test_urls(url: str, code: str) -> None:
    assert refusal(url, "SELECT 1").code == code


def test_the_variable_names_the_database(leads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert refusal(None, "SELECT 1").code == "no_database"
    monkeypatch.setenv(VARIABLE, leads)
    assert rows(None, "SELECT 1") == [("1",)]


def test_a_query_is_spooled(leads: str, tmp_path: Path) -> None:
    source = open_query(leads, "SELECT Email, Email FROM leads")
    spool(source, tmp_path / "0001")
    again = open_stored(tmp_path / "0001", source.path)
    assert (again.path, again.columns) == (source.path, ("Email", "Email"))
    read = [pl.concat(batch.cells for batch in one.read()) for one in (source, again)]
    assert read[0].equals(read[1])


def binaries() -> Path | None:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: path.parts[-3])
    found = shutil.which("postgres")
    return installed[-1].parent if installed else Path(found).parent if found else None


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A PostgreSQL server of our own with the user `me`, as `127.0.0.1:PORT`."""
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server (Debian: apt-get install postgresql)")
    user = "postgres" if os.getuid() == 0 else None  # the server refuses to run as root
    with tempfile.TemporaryDirectory(prefix="prep-pg-") as name:
        folder = Path(name)
        (folder / "password").write_text(PASSWORD, encoding="utf-8")
        if user:
            for path in (folder, folder / "password"):
                shutil.chown(path, user)
        port = 20_000 + os.getpid() % 30_000

        def run(*command: object) -> None:
            subprocess.run([*map(str, command)], check=True, capture_output=True, user=user, cwd="/")

        data = folder / "data"
        run(programs / "initdb", "-D", data, "-A", "scram-sha-256", f"--pwfile={folder}/password", "-U", "me")
        options = f"-k {folder} -c listen_addresses=127.0.0.1 -p {port} -F"
        run(programs / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
        try:
            yield f"127.0.0.1:{port}"
        finally:
            run(programs / "pg_ctl", "-D", data, "-m", "immediate", "stop")


@pytest.fixture
def postgresql(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(VARIABLE, f"postgresql://me:{QUOTED}@{server}/postgres")
    return f"postgresql://{server}/postgres"


def test_postgresql(postgresql: str) -> None:
    query = (
        "SELECT 1::int AS a, 12345678901234::bigint AS b, 2.50::numeric AS c, 'ü'::text AS d, true AS e,"
        " date '2024-01-02' AS f, timestamp '2024-01-02 03:04' AS g, timestamptz '2024-01-02 03:04+02' AS h,"
        " time '03:04' AS i, 2::float8 AS j, 1e30::float8 AS k, 1.5::real AS l, NULL::text AS m, '' AS n,"
        " '0d1c6e2a-0000-4000-8000-000000000001'::uuid AS o, '{\"x\": 1}'::jsonb AS p, 1 AS a;"
    )
    assert open_query(None, query).path == postgresql
    assert "".join(open_query(None, query).columns) == "abcdefghijklmnopa"
    assert rows(None, query) == [
        (
            *("1", "12345678901234", "2.50", "ü", "true", "2024-01-02"),
            *("2024-01-02T03:04:00", "2024-01-02T01:04:00+00:00", "03:04:00"),
            *("2", "1" + "0" * 30, "1.5", None, None),
            *("0d1c6e2a-0000-4000-8000-000000000001", '{"x": 1}', "1"),
        )
    ]


def test_numbers_of_postgresql_are_numbers(postgresql: str) -> None:
    query = (
        "SELECT 'a@example.com' AS email, 1.234::numeric AS \"annualRevenue\", '1.234'::text AS company,"
        ' 5.000::numeric(9, 3) AS "numberOfEmployees"'
    )
    prepared = prepare(Query(query), decimal="comma")
    assert prepared.ready.row(0)[:4] == ("a@example.com", "1.234", "1.234", "5")
    assert {known.source for known in prepared.conventions} == {postgresql}
    query = (
        "SELECT 'NaN'::numeric AS email, 'NaN'::float8 AS company, 'NaN'::text AS city UNION ALL"
        " SELECT 'Infinity'::numeric, '-Infinity'::float8, '-inf'"
    )
    assert rows(None, query) == [(None, None, "NaN"), ("inf", "-inf", "-inf")]


def test_postgresql_in_batches(postgresql: str) -> None:
    query = "SELECT i || '@example.com' AS \"Email\", repeat('x', 100) FROM generate_series(1, 150000) AS i"
    source = open_query(None, query)
    heights = [batch.cells.height for batch in source.read()]
    assert (sum(heights), len(heights) > 1) == (150_000, True)
    assert rows(None, "WITH t AS (SELECT 1 AS a) SELECT a FROM t WHERE false -- a remark") == []


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("1.5::money", "unsupported_column"),
        ("interval '1 day'", "unsupported_column"),
        ("'\\x00'::bytea", "unsupported_column"),
        ("inet '127.0.0.1'", "unsupported_column"),
        ("row(1, 2)", "unsupported_column"),
        ("array[1, 2]", "nested_column"),
    ],
)
def test_types_that_would_not_arrive_as_they_are(postgresql: str, value: str, code: str) -> None:
    error = refusal(None, f'SELECT {value} AS "the cell"')
    assert (error.code, error.column) == (code, "the cell")
    assert 'CAST("the cell" AS text)' in error.hint
    assert len(rows(None, f'SELECT CAST("the cell" AS text) FROM (SELECT {value} AS "the cell") AS q')) == 1  # noqa: S608


@pytest.mark.parametrize(
    ("query", "code", "word"),
    [
        ("SELEC", "database_refused", "syntax error"),
        ("SELECT * FROM nope", "database_refused", '"nope" does not exist'),
        ("SELECT 'secret@example.com'::int", "database_refused", "22P02"),
        (
            "SELECT CASE WHEN i > 2 THEN 'secret@' ELSE '1' END::int FROM generate_series(1, 3) i",
            "",
            "broke off",
        ),
        ("CREATE TABLE x (a int)", "database_refused", ""),
        ("DELETE FROM pg_description", "database_refused", ""),
        ("SELECT 1; SELECT 2", "database_refused", ""),
    ],
)
def test_what_postgresql_refuses(postgresql: str, query: str, code: str, word: str) -> None:
    error = refusal(None, query)
    assert (error.code, word in error.message) == (code or "database_broke_off", True)


def test_nothing_that_a_query_does_remains(postgresql: str) -> None:
    for _ in range(2):
        assert len(rows(None, "SELECT lo_create(4711)::text")) == 1
    assert rows(None, "SELECT count(*) FROM pg_largeobject_metadata") == [("0",)]


@pytest.mark.parametrize(
    "userinfo", ["me:wrong-hush", "me:hush%zz", "me:hu sh", "nobody:hush", "me", "me:" + QUOTED + "x"]
)
def test_logins_that_fail_tell_no_password(
    server: str, userinfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f"postgresql://{userinfo}@{server}/postgres")
    error = refusal(None, "SELECT 1")
    assert (error.code, error.source) == ("database_refused", f"postgresql://{server}/postgres")
    assert "hu sh" not in f"{error.facts}"


@pytest.mark.parametrize("login", ["me:hush#x", "me:hush?x", "me:hush?x=1", "me:hush[x", "me:#hush"])
def test_a_login_ends_at_its_at_sign(login: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"postgresql://{login}@127.0.0.1:1/db"
    error = refusal(url, "SELECT 1")
    assert (error.code, error.source) == ("password_in_url", "postgresql://127.0.0.1:1")
    assert "hush" not in f"{error.facts}"
    monkeypatch.setenv(VARIABLE, url)
    error = refusal(None, "SELECT 1")
    assert (error.code, error.source) == ("database_refused", "postgresql://127.0.0.1:1/db")
    assert "Connection refused" in error.message
    assert "hush" not in f"{error.facts}"


@pytest.mark.parametrize("login", ["me:hush/x", "me:x/hush@x", "me:x@hush", "me@hush", "hush/x:x"])
@pytest.mark.parametrize("is_given", [True, False])
def test_a_login_that_cannot_be_told_from_the_rest_is_not_shown(
    login: str, monkeypatch: pytest.MonkeyPatch, *, is_given: bool
) -> None:
    url = f"postgresql://{login}@127.0.0.1:1/db"
    monkeypatch.setenv(VARIABLE, url)
    error = refusal(url if is_given else None, "SELECT 1")
    assert (error.code, error.source) == ("bad_login", None)
    assert "hush" not in f"{error.facts}"


def test_a_host_may_stand_among_the_parameters_alone() -> None:
    """As that of a socket does, whose path may not be long."""
    error = refusal("postgresql:///db?host=/no/such/folder&user=me", "SELECT 1")
    assert error.message.startswith("postgresql:///db: the database refuses: ")
    assert 'connection to server on socket "/no/such/folder/.s.PGSQL.5432" failed' in error.message


@pytest.mark.usefixtures("leads")
def test_an_at_sign_may_stand_in_a_path_and_among_parameters(tmp_path: Path) -> None:
    (tmp_path / "me@home").mkdir()
    shutil.copy(tmp_path / "le ads.db", tmp_path / "me@home/leads.db")
    assert rows(f"sqlite:///{tmp_path}/me@home/leads.db", "SELECT 1") == [("1",)]
    error = refusal("postgresql://127.0.0.1:1/db?user=me@home", "SELECT 1")
    assert (error.code, error.source) == ("database_refused", "postgresql://127.0.0.1:1/db")


def test_a_server_that_is_not_there() -> None:
    error = refusal("postgresql://me@127.0.0.1:1/db", "SELECT 1")
    assert (error.code, error.source) == ("database_refused", "postgresql://127.0.0.1:1/db")
