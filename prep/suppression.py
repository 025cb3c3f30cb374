"""Who must not be sent: people on suppression lists, and rows without the consent that is required."""

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from prep.errors import SettingsError, SourceError
from prep.folding import fold
from prep.headers.spellings import load_spellings
from prep.model import CLEARING, Reading, Reason
from prep.places import name_line
from prep.schema import Field, Schema
from prep.sources import Source, open_source
from prep.validation import REASONS
from prep.values.countries import UNKNOWN, country_codes, english_names
from prep.values.email import IDN, email_rules
from prep.values.text import text_rules
from prep.values.words import TRUE

EMAIL: Final = "email"
"""The field whose addresses suppression lists are compared with."""

COUNTRY: Final = "country"
"""The field that tells whose consent is needed."""

_COLUMNS: Final = frozenset(
    {
        "address",
        "domain",
        "domains",
        "emailaddress",
        "emailhash",
        "emailsha256",
        "hash",
        "sha256",
        "sha256email",
        "suppressed",
    }
)
"""What columns of suppression lists are called, folded, besides `email` and the words that stand for it."""

_SHA256: Final = r"^[0-9a-f]{64}$"
_MARK: Final = "\ufeff"
_ADDRESS: Final = r"^[^\s@\"(),:;<>\[\]\\]+@[^\s@\"(),:;<>\[\]\\]+$"
"""What a row that is sent may have for an address; more is refused there than here."""

_ZONE: Final = (
    r"(?: ?(?:[Zz]|[+-][0-9:]+|(?:UTC|GMT)(?:[+-][0-9:]+)?))?"
    r"(?: ?\(?(?:UTC|GMT|BST|IST|MSK|JST|[WCE]ES?T|[ECMP][SD]T|A[CEW][SD]T)\)?)?"
    r"(?:\[(?:Z|UTC|GMT|[A-Za-z]+(?:/[A-Za-z_]+)+)\])?"
)
_DATE: Final = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2})"
    rf"(?:(?:[Tt]|,? )[0-9]{{1,2}}:[0-9]{{2}}[0-9:.,]*(?: ?[AaPp][Mm])?{_ZONE})?$"
)
"""A date, with or without a time, and nothing behind it that may say otherwise."""

_NO_DAY: Final = "1970-01-01"
"""Up to here dates stand for none in one program or another: day 0 or 1 of its calendar."""

_DOMAIN: Final = r"^[a-z0-9_-]+(?:\.[a-z0-9_-]+)+$"
_NO_HEADING: Final = re.compile(r"@|^\S*\.\S+$|\w\.[^\W\d_]{2}|^[0-9A-Fa-f]{32,}$")
"""What is meant for an address, a domain or a hash, also where it is none: never the name of a column."""


@dataclass(frozen=True)
class ListRecord:
    """One suppression list.

    Attributes:
        path: As the user gave it.
        sha256: Digest of the file, in hexadecimal.
    """

    path: str
    sha256: str

    def to_json(self) -> dict[str, str]:
        """The record as the manifest holds it."""
        return {"path": self.path, "sha256": self.sha256}


@dataclass(frozen=True)
class Suppression:
    """What all suppression lists say together.

    Attributes:
        lists: The lists.
        addresses: Addresses in lower case, their domains in ASCII.
        domains: Domains likewise; each stands for its subdomains, too.
        hashes: SHA-256 of addresses, in hexadecimal.
        salt: What stood before an address when it was hashed; hashes without it count as well, and those
            without the mark of the encoding with which some editors begin its file.
    """

    lists: tuple[ListRecord, ...] = ()
    addresses: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()
    salt: str = ""

    def find(self, addresses: pl.Series) -> pl.Series:
        """Tell which addresses, as prepared, are suppressed; a blank is not."""
        keys = addresses.str.to_lowercase()
        found = _is_one_of(keys, self.addresses)
        if self.domains:
            domains = keys.str.extract("@(.+)$")
            found |= _is_one_of(domains, filter(self._covers, domains.drop_nulls().unique()))
        if self.hashes:
            found |= _is_one_of(keys, filter(self._has_hash, keys.drop_nulls().unique()))
        return found

    def _covers(self, domain: str) -> bool:
        parts = domain.split(".")
        return any(".".join(parts[place:]) in self.domains for place in range(len(parts)))

    def _has_hash(self, key: str) -> bool:
        return any(
            hashlib.sha256(f"{salt}{form}".encode()).hexdigest() in self.hashes
            for form in {key, _with_letters(key)}
            for salt in {"", self.salt, self.salt.removeprefix(_MARK)}
        )


def _is_one_of(cells: pl.Series, values: Collection[str] | Iterator[str]) -> pl.Series:
    return cells.is_in(pl.Series(list(values), dtype=pl.String).implode()).fill_null(value=False)


def _with_letters(address: str) -> str:
    """An address with its domain as people write it: `xn--bcher-kva.example` is `bücher.example`."""
    local, _, domain = address.rpartition("@")
    if "xn--" not in domain:
        return address
    import idna  # noqa: PLC0415 (rarely needed)

    try:
        return f"{local}@{idna.decode(domain)}".casefold()
    except idna.IDNAError:
        return address


def load_suppression(paths: Sequence[str], salt_file: str | None = None) -> Suppression:
    """Read suppression lists.

    A list is a file of any kind that prep reads: one column, with or without a header, or several with a
    header that tells which holds the addresses. An entry is an address, a domain (`example.com`,
    `@example.com`), or the SHA-256 of an address in lower case, in hexadecimal.

    Raises:
        SourceError: A list cannot be read, or holds an entry that is none of these.
        SettingsError: The file of the salt cannot be read.
    """
    salt = _read_salt(salt_file) if salt_file else ""
    records = []
    entries: list[pl.Series] = []
    for path in dict.fromkeys(paths):
        source = open_source(path, Reading(header_line=0))
        found, digest = _read_list(source)
        records.append(ListRecord(path, digest))
        entries.append(_spell(source, found))
    if not entries:
        return Suppression()
    known = pl.concat(entries)
    is_hash, is_address = known.str.contains(_SHA256), known.str.contains(_ADDRESS)
    return Suppression(
        lists=tuple(records),
        addresses=frozenset(known.filter(is_address)),
        domains=frozenset(known.filter(~is_hash & ~is_address)),
        hashes=frozenset(known.filter(is_hash)),
        salt=salt,
    )


def _read_salt(path: str) -> str:
    try:
        salt = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(
            f"--suppress-salt-file: {path} cannot be read: {why}",
            code="unreadable_secret",
            hint="The file holds the salt and nothing else.",
        ) from None
    if not salt.removeprefix(_MARK):
        raise SettingsError(
            f"--suppress-salt-file: {path} is blank",
            code="unreadable_secret",
            hint="The file holds the salt and nothing else.",
        )
    return salt


def _read_list(source: Source) -> tuple[pl.DataFrame, str]:
    """The cells that are entries as `entry`, with their `_row` and `_line`; the digest of the file.

    Every line counts, also the first: a line that were taken for a header in error would be a person.
    """
    reader = source.read()
    batches = list(reader)
    if (broken := pl.concat([batch.rejected for batch in batches])).height:
        raise _unreadable(source, *broken.select("_row", "_line").row(0))
    cells = pl.concat([batch.cells for batch in batches])
    names = [name for name in cells.columns if not name.startswith("_")]
    columns, has_header = _entry_columns(source.path, cells.select(names))
    body = cells.slice(1) if has_header else cells
    listed = [body.select(pl.col(name).alias("entry"), "_row", "_line") for name in columns]
    return pl.concat(listed).drop_nulls("entry").filter(
        pl.col("entry").str.strip_chars() != ""
    ), reader.sha256


def _entry_columns(path: str, cells: pl.DataFrame) -> tuple[list[str], bool]:
    """Which columns hold entries, and whether the first record is a header.

    One record alone is no header, unless it is known to be one: a list of nobody would be read in silence.
    """
    names, first = cells.columns, cells.row(0)
    known = [name for name, cell in zip(names, first, strict=True) if cell and _is_heading(cell)]
    if known:
        return known, True
    if len(names) == 1:
        cell = first[0] or ""
        is_entry = cells.height == 1 or _NO_HEADING.search(cell.strip()) or _is_entry(cell)
        return names, not is_entry
    raise SourceError(
        f"{path}: no column of the suppression list is called email, domain or sha256",
        code="bad_suppression_list",
        hint="Give it a first line with the names of the columns, or leave one column.",
        source=path,
    )


def _is_heading(cell: str) -> bool:
    word = fold(cell)
    return word in _COLUMNS or word == "email" or load_spellings().aliases.get(word) == "email"


def _is_entry(cell: str) -> bool:
    return _spelled(pl.Series([cell], dtype=pl.String)).is_not_null().all()


def _spell(source: Source, found: pl.DataFrame) -> pl.Series:
    """All entries in the spelling that is compared.

    Raises:
        SourceError: One is neither address nor domain nor hash.
    """
    spelled = _spelled(found["entry"])
    if spelled.null_count():
        unknown = found.filter(spelled.is_null()).sort("_row")
        raise _unreadable(source, *unknown.select("_row", "_line").row(0))
    return spelled


def _spelled(entries: pl.Series) -> pl.Series:
    """Entries in lower case with domains in ASCII, cleaned as addresses are; null for what is no entry."""
    cells = entries.str.strip_chars().rename("entry")
    for rule in (*text_rules(EMAIL), *email_rules(repair=True)):
        cells, _ = rule.apply(cells)
    cells = cells.str.to_lowercase()
    domains = cells.str.strip_prefix("*").str.strip_prefix("@")
    in_ascii = IDN.apply("a@" + domains)[0].str.strip_prefix("a@")
    is_whole = cells.str.contains(_SHA256) | cells.str.contains(_ADDRESS)
    spelled = cells.zip_with(is_whole & ~cells.str.starts_with("*@"), in_ascii)
    return spelled.set(~(spelled.str.contains(_DOMAIN) | (is_whole & (spelled == cells))), None)


def _unreadable(source: Source, row: int, line: int | None) -> SourceError:
    place = name_line(row, line, in_sheet=source.reading.sheet is not None)
    return SourceError(
        f"{source.path}: {place} of the suppression list is neither an address nor a domain nor a SHA-256",
        code="bad_suppression_entry",
        hint="Correct or remove it; a hash has 64 hexadecimal digits, a domain at least one dot. If it is a "
        "header, call the column email, domain or sha256.",
        source=source.path,
        row=row,
    )


def check_consent(schema: Schema, name: str, countries: Collection[str]) -> None:
    """Refuse a consent that nobody could give.

    Raises:
        SettingsError: The field is unknown or says the opposite, or a code is none of a country.
    """
    if name not in schema.fields or schema.fields[name].protected:
        what = "says who must not be written to" if name in schema.fields else "is not a field of the schema"
        raise SettingsError(
            f"--consent: {name!r} {what}",
            code="bad_consent",
            hint="It takes a field that says yes, or when somebody agreed.",
            column=name,
        )
    if strangers := [code for code in countries if code not in english_names()]:
        raise SettingsError(
            f"--consent-countries does not know {', '.join(map(repr, strangers))}",
            code="bad_consent",
            hint="It takes ISO codes of two letters, such as DE,AT,FR.",
        )


def lacks_consent(rows: pl.DataFrame, field: Field, countries: Collection[str]) -> pl.Series:
    """Tell in which rows consent is needed and was not given.

    Args:
        rows: Prepared rows.
        field: Its cells say yes, or when consent was given.
        countries: ISO codes of the countries whose people must have given it; none for all. A country that is
            blank, or not understood, counts as one of them.
    """
    lacking = ~_is_given(rows[field.name], field)
    if not countries or COUNTRY not in rows.columns:
        return lacking
    codes = country_codes(rows[COUNTRY]).fill_null(UNKNOWN)
    return lacking & codes.is_in([*countries, UNKNOWN])


def _is_given(cells: pl.Series, field: Field) -> pl.Series:
    match field.type:
        case "boolean":
            given = cells == "true"
        case "date" | "datetime":
            given = (cells.str.slice(0, len(_NO_DAY)) > _NO_DAY) & (cells != CLEARING)
        case _:
            days = cells.str.extract(_DATE)
            is_date = days.str.to_date("%Y-%m-%d", strict=False).is_not_null() & (days > _NO_DAY)
            given = cells.str.to_lowercase().is_in(list(TRUE)) | is_date
    return given.fill_null(value=False)


def hold_back(
    rows: pl.DataFrame, suppression: Suppression, consent: Field | None, countries: Collection[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Part the rows that may be sent from those that must not.

    Returns:
        The rows that may, and the others with `_reasons`.
    """
    reasons: dict[str, pl.Series] = {}
    if suppression.lists:
        reasons[f"{EMAIL}:{Reason.SUPPRESSED}"] = suppression.find(rows[EMAIL])
    if consent is not None:
        reasons[f"{consent.name}:{Reason.NO_CONSENT}"] = lacks_consent(rows, consent, countries)
    if not reasons:
        return rows, rows.clear().with_columns(pl.lit(None, pl.List(pl.String)).alias(REASONS))
    found = pl.DataFrame(reasons).select(
        pl.concat_list(
            pl.when(name).then(pl.lit(name)).otherwise(pl.lit(None, pl.String)) for name in reasons
        )
        .list.drop_nulls()
        .alias(REASONS)
    )
    marked = rows.with_columns(found)
    is_held = pl.col(REASONS).list.len() > 0
    return marked.filter(~is_held).drop(REASONS), marked.filter(is_held)


NOBODY: Final = Suppression()
