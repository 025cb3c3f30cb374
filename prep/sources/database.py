"""A query to a database → batches of text cells, through ADBC.

Passwords stay out of every message, and so do cells: of what a driver says only that is passed on which
speaks of the connection or of the query's own words.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import SplitResult, quote, unquote, urlsplit
from uuid import UUID

import polars as pl

from prep.errors import SourceError
from prep.model import Reading
from prep.sources.columnar import TableSource, as_text, batch_rows
from prep.sources.typed import NUMBERS

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection, Cursor

VARIABLE: Final = "PREP_DB_URL"

_LOGIN: Final = (
    f"Set {VARIABLE} to the URL with the password and leave out --db: others can see command lines."
)

_POSTGRESQL: Final = frozenset({"postgresql", "postgres"})
_SQLITE_BATCH: Final = "adbc.sqlite.query.batch_rows"
_SQLITE_ROWS: Final = 20_000
_PREAMBLE: Final = re.compile(r"^.*?\b(?:ERROR|FATAL):\s*|^[A-Z_]+: (?:\[\w+\] )?")
_BATCH_BYTES: Final = 8 * 1024 * 1024
_SECRETS: Final = frozenset({"password", "sslpassword", "passfile", "oauth_client_secret"})
_ENCODED: Final = {ord(letter): quote(letter) for letter in "#?[]"}
"""Letters that end a login for others than PostgreSQL, or cannot stand in one."""
_PARAMETER: Final = re.compile("[A-Za-z_]+=[^/?#]*")
_SPEAKABLE_STATES: Final = ("08", "0A", "25", "28", "3D", "3F", "42", "53", "57")
"""Classes of SQL states whose messages speak of the connection, the login, the server or the query's text:
https://www.postgresql.org/docs/current/errcodes-appendix.html. Others may quote cells."""
_SPEAKABLE_SQLITE: Final = re.compile(
    r"[A-Z_]+: (?:\[\w+\] )?(?:failed to (?:open|prepare)\b|parameter count mismatch:"
    r"|failed to step query: (?:database is locked|database disk image is malformed|disk I/O error)$)",
    re.IGNORECASE,
)
"""What speaks of the file or of the query's text. Whatever else is said of rows may quote cells."""

_ARROW_TYPES: Final = frozenset(
    ("BOOL", "STRING", "DATE32", "TIMESTAMP", "TIME64", "FLOAT", "DOUBLE", "INT8", "INT16", "INT32", "INT64")
)
_OPAQUE_TEXTS: Final = frozenset({"numeric"})
_MARKED: Final = (
    "CASE typeof({0}) WHEN 'text' THEN 't' || {0} WHEN 'integer' THEN 't' || {0}"
    " WHEN 'real' THEN 'r' || printf('%!.17g', {0}) WHEN 'null' THEN 'n' ELSE 'b' END"
)


class _Driver(Protocol):
    """What differs between databases.

    Attributes:
        name: `scheme://host/database`, without user and password.
    """

    @property
    def name(self) -> str: ...

    def connect(self) -> "Connection":
        """Open a connection that cannot change data."""

    def hidden(self, state: str | None, message: str) -> str | None:
        """What to say in place of a message that may quote cells; None for others."""

    def frames(self, cursor: "Cursor", query: str) -> tuple[list[str], Iterator[pl.DataFrame]]:
        """Send a query; return its columns and what it yields, as `as_text` writes it."""


def open_query(url: str | None, query: str) -> TableSource:
    """Send a query to a database and see which columns it yields.

    The query is sent again whenever the source is read; its rows may be others then. It cannot change data.

    Args:
        url: `postgresql://user@host/database` or `sqlite:///file`, without a password; None is what the
            variable `PREP_DB_URL` holds, which may have one.
        query: One SELECT.

    Raises:
        SourceError: The URL has a password or names no database that prep knows, the database refuses the
            query, or a column holds no text.
    """
    driver, secrets = _driver(url)
    query = query.strip().rstrip("; \n")
    if not query:
        raise SourceError(
            f"{driver.name}: the query is blank",
            code="no_query",
            hint="Give one SELECT, as in --query 'SELECT email, name FROM people'",
            source=driver.name,
        )

    query += "\n"  # drivers put it into brackets, which a remark at its end would swallow

    def pieces() -> Iterator[pl.DataFrame]:
        with _answering(driver, secrets), _running(driver, query) as (_, frames):
            for frame in frames:
                yield from frame.iter_slices(batch_rows(frame.width))

    with _answering(driver, secrets), _running(driver, query) as (columns, _):
        return TableSource(driver.name, Reading(), tuple(columns), pieces=pieces)


@contextmanager
def _running(driver: _Driver, query: str) -> Iterator[tuple[list[str], Iterator[pl.DataFrame]]]:
    with closing(driver.connect()) as connection, closing(connection.cursor()) as cursor:
        yield driver.frames(cursor, query)


@contextmanager
def _answering(driver: _Driver, secrets: Sequence[str]) -> Iterator[None]:
    """Say in our own words what a database has against a query.

    Raises:
        SourceError: With code `database_refused` or `database_broke_off`.
    """
    from adbc_driver_manager import Error  # noqa: PLC0415, loaded when needed

    name = driver.name
    try:
        yield
    except Error as error:
        said = driver.hidden(error.sqlstate, str(error)) or _speakable(str(error), secrets)
        wants_password = "password" in said and not secrets
        raise SourceError(
            f"{name}: the database refuses{said}",
            code="database_refused",
            hint=_LOGIN if wants_password else "Check the URL and the query.",
            source=name,
        ) from None
    except RuntimeError:  # nanoarrow's: an error of the driver while rows are fetched; it may quote cells
        raise SourceError(
            f"{name}: the database broke off while the rows were read",
            code="database_broke_off",
            hint="Run the query with the database's own program; it shows which row it cannot compute.",
            source=name,
        ) from None


def _speakable(message: str, secrets: Sequence[str]) -> str:
    """What a driver says, without passwords."""
    said = _PREAMBLE.sub("", message.partition("\n")[0]).strip()
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        said = said.replace(secret, "***")
    return f": {said}"


def _driver(url: str | None) -> tuple[_Driver, tuple[str, ...]]:
    given = url if url is not None else os.environ.get(VARIABLE, "")
    if not given.strip():
        raise SourceError(
            "no database was named",
            code="no_database",
            hint=f"Give --db postgresql://USER@HOST/DATABASE, or set {VARIABLE}.",
        )
    try:
        parts = _split(given.strip())
        secrets = _secrets(parts)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        raise _unknown() from None
    if secrets and url is not None:
        raise SourceError(
            f"{parts.scheme}://{host}: the URL holds a password",
            code="password_in_url",
            hint=_LOGIN,
            source=f"{parts.scheme}://{host}",
        )
    if parts.scheme in _POSTGRESQL:
        url = parts.geturl().removeprefix(f"{parts.scheme}:").removeprefix("//")  # gone without a host
        return _PostgreSql(f"postgresql://{host}{unquote(parts.path)}", f"{parts.scheme}://{url}"), secrets
    if parts.scheme == "sqlite" and not host and parts.path.strip("/"):
        return _Sqlite(f"sqlite://{unquote(parts.path)}", Path(unquote(parts.path[1:]))), secrets
    raise _unknown()


def _split(url: str) -> SplitResult:
    """Take a URL apart where PostgreSQL does: a login ends at the first @, unless a slash stands before it.

    Raises:
        SourceError: There is an @ in another place, so that nobody can tell what belongs to a password.
        ValueError: It is no URL.
    """
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in _POSTGRESQL:
        return urlsplit(url)
    login, at, place = rest.partition("@")
    if at and "/" not in login:
        url = f"{scheme}://{login.translate(_ENCODED)}@{place}"
    parts = urlsplit(url)
    beyond = [parts.netloc.partition("@")[2], parts.path, parts.fragment]
    beyond += (pair for pair in parts.query.split("&") if not _PARAMETER.fullmatch(pair))
    if any("@" in part for part in beyond):
        raise SourceError(
            "the login in the URL of the database cannot be told from what follows",
            code="bad_login",
            hint="In a password write @ as %40, / as %2F, ? as %3F, # as %23 and % as %25.",
        )
    return parts


def _unknown() -> SourceError:
    return SourceError(
        "the URL names no database that prep can read",
        code="unknown_database",
        hint="It takes postgresql://USER@HOST/DATABASE, or sqlite:///FILE (sqlite:////FILE from the root).",
    )


def _secrets(parts: SplitResult) -> tuple[str, ...]:
    """The passwords in a URL, as they stand in it and as they are meant."""
    userinfo = parts.netloc.rpartition("@")[0]
    _, colon, password = userinfo.partition(":")
    found = [password] if colon else []
    for pair in parts.query.split("&"):
        name, _, value = pair.partition("=")
        if unquote(name).strip().lower() in _SECRETS:
            found.append(value)
    return tuple(dict.fromkeys(text for secret in found for text in (secret, unquote(secret))))


@dataclass(frozen=True)
class _PostgreSql:
    name: str
    url: str = field(repr=False)

    def connect(self) -> "Connection":
        from adbc_driver_postgresql.dbapi import connect  # noqa: PLC0415, loaded when needed

        connection: Connection = connect(self.url)
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        return connection

    def hidden(self, state: str | None, _: str) -> str | None:
        return None if not state or state.startswith(_SPEAKABLE_STATES) else f" (SQL state {state})"

    def frames(self, cursor: "Cursor", query: str) -> tuple[list[str], Iterator[pl.DataFrame]]:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)})
        fields = _fields(cursor, query)
        columns = [str(column.name) for column in fields]
        for column, kind in zip(fields, self._types(cursor, query, len(fields)), strict=True):
            self._refuse(column, kind)
        numeric = [place for place, column in enumerate(fields) if _storage(column) == "arrow.opaque"]
        frames = _texts(_frames(_stream(cursor, query)), columns, self.name)
        return columns, (as_text(frame, numeric) for frame in frames)

    def _types(self, cursor: "Cursor", query: str, columns: int) -> Sequence[str]:
        """The types of a query's columns as PostgreSQL calls them, without running it."""
        places = [f"c{place}" for place in range(columns)]
        kinds = ", ".join(f"pg_typeof(q.{place})::text" for place in places)
        stream = _stream(
            cursor,
            f"SELECT {kinds or 'NULL'} FROM (SELECT) AS one"  # noqa: S608, the query is the user's own
            f" LEFT JOIN (\n{query}) AS q({', '.join(places)}) ON false",
        )
        return [str(kind) for kind in next(_frames(stream)).row(0)]

    def _refuse(self, column: Any, kind: str) -> None:
        """Refuse a column whose values do not arrive as they are; `money` comes as a count of cents."""
        name = getattr(column.type, "name", "")
        storage = _storage(column)
        is_known = name in _ARROW_TYPES or storage in {"arrow.json", "arrow.uuid"}
        is_known = is_known or (storage == "arrow.opaque" and kind in _OPAQUE_TEXTS)
        if is_known and (name != "INT64" or kind == "bigint"):
            return
        raise SourceError(
            f"{self.name}: column {column.name!r} holds values of type {kind}, which are no cells",
            code="nested_column" if "LIST" in name or kind.endswith("[]") else "unsupported_column",
            hint=f'Say in the query how to write it, for example: CAST("{column.name}" AS text)',
            source=self.name,
            column=str(column.name),
        )


@dataclass(frozen=True)
class _Sqlite:
    """SQLite, where each cell has a type of its own: all come as text, with a letter that tells the type."""

    name: str
    file: Path

    def connect(self) -> "Connection":
        from adbc_driver_sqlite.dbapi import connect  # noqa: PLC0415, loaded when needed

        if not self.file.is_file():
            raise SourceError(
                f"{self.name}: there is no such file",
                code="no_such_file",
                hint="Check the name; sqlite:///FILE starts here, sqlite:////FILE from the root.",
                source=self.name,
            )
        return connect(f"file:{quote(str(self.file.absolute()))}?mode=ro")

    def hidden(self, _: str | None, message: str) -> str | None:
        return None if _SPEAKABLE_SQLITE.match(message.partition("\n")[0]) else ": it cannot compute a row"

    def frames(self, cursor: "Cursor", query: str) -> tuple[list[str], Iterator[pl.DataFrame]]:
        for words in (query, f"SELECT 1 FROM (\n{query})"):  # noqa: S608, the user's own
            cursor.adbc_statement.set_sql_query(words)
            cursor.adbc_statement.prepare()  # in brackets nothing but a SELECT may stand; ATTACH makes files
        cursor.adbc_statement.set_options(**{_SQLITE_BATCH: "1"})
        columns = [str(column.name) for column in _stream(cursor, query).schema.fields]
        cursor.adbc_statement.set_options(**{_SQLITE_BATCH: str(_SQLITE_ROWS)})
        places = [f"c{place}" for place in range(len(columns))]
        marked = ", ".join(_MARKED.format(place) for place in places)
        stream = _stream(
            cursor,
            f"WITH q({', '.join(places)}) AS (\n{query}) SELECT {marked} FROM q",  # noqa: S608, the user's own
        )
        frames = _texts(_frames(stream), columns, self.name)
        return columns, (self._unmarked(frame, columns) for frame in frames)

    def _unmarked(self, frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
        cells = pl.all().str.slice(1)
        kind = pl.all().str.head(1)
        for place, column in enumerate(columns):
            if (frame.to_series(place).str.head(1) == "b").any():
                raise SourceError(
                    f"{self.name}: column {column!r} holds bytes, which are no cells",
                    code="unsupported_column",
                    hint=f'Say in the query how to write it, for example: hex("{column}")',
                    source=self.name,
                    column=column,
                )
        numbers = frame.select(pl.when(kind == "r").then(cells.cast(pl.Float64, strict=False)))
        written = as_text(numbers)
        texts = as_text(frame.select(pl.when(kind == "t").then(cells)))
        return texts.select(
            *(pl.coalesce(place, pl.lit(written[place])) for place in texts.columns if place != NUMBERS),
            written[NUMBERS],
        )


def _storage(column: Any) -> str:
    """What Arrow calls the extension that a column's values are stored in."""
    is_extension = getattr(column.type, "name", "") == "EXTENSION"
    return getattr(column.extension, "name", "") if is_extension else ""


def _fields(cursor: "Cursor", query: str) -> list[Any]:
    """The columns that a query would yield, without running it."""
    import nanoarrow  # noqa: PLC0415, loaded when needed

    cursor.adbc_statement.set_sql_query(query)
    return list(nanoarrow.Schema(cursor.adbc_statement.execute_schema()).fields)


def _stream(cursor: "Cursor", query: str) -> Any:
    import nanoarrow  # noqa: PLC0415, loaded when needed

    cursor.execute(query)
    return nanoarrow.ArrayStream(cursor.fetch_arrow())


def _frames(stream: Any) -> Iterator[pl.DataFrame]:
    """The batches of a stream, their columns named by position and without Arrow's extensions."""
    kinds = [column.extension.name if column.extension else "" for column in stream.schema.fields]
    for batch in stream.iter_chunks():
        columns = [pl.Series(column) for column in batch.iter_children()]
        yield pl.DataFrame(
            _plain(column, kind).alias(str(place))
            for place, (column, kind) in enumerate(zip(columns, kinds, strict=True))
        )


def _texts(frames: Iterator[pl.DataFrame], columns: Sequence[str], path: str) -> Iterator[pl.DataFrame]:
    """See that texts are UTF-8: SQLite, and PostgreSQL where a database has no encoding, keep any bytes.

    Raises:
        SourceError: With code `not_utf8`.
    """
    for frame in frames:
        for place, kind in enumerate(frame.dtypes):
            if kind != pl.String:
                continue
            try:
                frame.to_series(place).cast(pl.Binary).cast(pl.String)
            except pl.exceptions.PolarsError:
                raise SourceError(
                    f"{path}: column {columns[place]!r} holds text that is not UTF-8",
                    code="not_utf8",
                    hint="Export the table as CSV and give that; --encoding tells how it is written.",
                    source=path,
                    column=columns[place],
                ) from None
        yield frame


def _plain(column: pl.Series, kind: str) -> pl.Series:
    if kind == "arrow.uuid":
        return pl.Series([value and str(UUID(bytes=value)) for value in column], dtype=pl.String)
    return column.ext.storage() if isinstance(column.dtype, pl.BaseExtension) else column
