"""Settings: what a run is to do with its rows, where it sends them, and where each value comes from."""

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypedDict, TypeVar

from prep.errors import FolderError, SettingsError
from prep.limits import MAX_BODY_BYTES, MAX_BODY_BYTES_CEILING
from prep.model import (
    FIND_OUT,
    Blanks,
    Countries,
    DateOrder,
    DecimalMark,
    EmailCase,
    Format,
    Keep,
    KeepPolicy,
    MergePolicy,
    MergeRule,
    Phones,
    Reading,
    States,
    Unknown,
)
from prep.objects import FLAGS, LEADS, ImportObject, parse_object

SETTINGS_FILE: Final = Path("prep.toml")

_SMALLEST_BODY_BYTES: Final = 1_000
"""Below this hardly a header fits; surely a slip of the pen."""


@dataclass(frozen=True)
class CleanSettings:
    """How source rows become upload files.

    Attributes:
        lookup_field: REST name of the field that identifies a lead; `id` means update only. Of a custom
            object its dedupe fields, joined by commas; empty until the schema told them.
        format: Format of the upload files.
        maps: Source column → field, as the user decided; an empty field leaves the column out.
        mapping: The same from a saved mapping: columns that no source has are passed over, and `maps` goes
            before it.
        unknown: What to do with columns that match no field.
        constants: Field → value for every row.
        keep: Which of several rows with one lookup value survives.
        merge: Field → which of the values it keeps when rows merge; `*` stands for all fields without a rule.
        max_bytes: Bound of the whole multipart body of an upload.
        dates: Order of dates that do not begin with the year; `iso`: as their column proves.
        timezone: IANA name of the zone that date-times without one are in.
        decimal: What stands before the decimals of a number; None: as their column proves.
        email_case: Whether addresses are sent in small letters.
        phones: Whether phone numbers become E.164.
        region: ISO code of the country of phone numbers without prefix and without a country in their row.
        countries: Whether countries become ISO codes or English names.
        states: Whether states become codes or English names.
        repair_mojibake: Whether text that was decoded wrongly before it came here is repaired.
        split_name: Whether a column of full names becomes first and last name.
        truncate: Fields whose values are cut where they are too long, besides those of the schema.
        blanks: What becomes of blank cells.
        clear: Fields in which a cell `NULL` is sent, as an order to clear the field; elsewhere it is a blank.
        allow_protected: Protected fields that columns fill by their own names.
        suppress: Paths of the lists of people who are not sent.
        suppress_salt_file: Path of the file with what stood before addresses when they were hashed.
        consent: Field that says whether a person agreed; rows without are not sent.
        consent_countries: ISO codes of the countries whose people must have agreed; none for all.
        reading: How all sources are read, where it was said.
        object: What the rows become: `leads`, `program-members` or `customobjects/NAME`.
    """

    lookup_field: str = "email"
    format: Format = Format.CSV
    maps: Mapping[str, str] = field(default_factory=dict)
    mapping: Mapping[str, str] = field(default_factory=dict)
    unknown: Unknown = Unknown.ERROR
    constants: Mapping[str, str] = field(default_factory=dict)
    keep: Keep = field(default_factory=Keep)
    merge: Mapping[str, MergeRule] = field(default_factory=dict)
    max_bytes: int = MAX_BODY_BYTES
    dates: DateOrder = DateOrder.ISO
    timezone: str | None = None
    decimal: DecimalMark | None = None
    email_case: EmailCase = EmailCase.KEEP
    phones: Phones = Phones.KEEP
    region: str | None = None
    countries: Countries = Countries.KEEP
    states: States = States.KEEP
    repair_mojibake: bool = False
    split_name: bool = False
    truncate: tuple[str, ...] = ()
    blanks: Blanks = Blanks.SEND
    clear: tuple[str, ...] = ()
    allow_protected: tuple[str, ...] = ()
    suppress: tuple[str, ...] = ()
    suppress_salt_file: str | None = None
    consent: str | None = None
    consent_countries: tuple[str, ...] = ()
    reading: Reading = FIND_OUT
    object: str = str(LEADS)

    def __post_init__(self) -> None:
        parse_object(self.object)
        if not _SMALLEST_BODY_BYTES <= self.max_bytes <= MAX_BODY_BYTES_CEILING:
            raise SettingsError(
                f"--max-bytes is {self.max_bytes}",
                code="bad_max_bytes",
                hint=f"It takes {_SMALLEST_BODY_BYTES} to {MAX_BODY_BYTES_CEILING} (10 MiB).",
            )
        if self.merge and self.keep.policy is not KeepPolicy.MERGE:
            raise SettingsError(
                f"--merge says how rows merge, but --keep is {self.keep}",
                code="bad_merge",
                hint="Add --keep merge, or leave --merge out.",
            )
        if self.blanks is Blanks.NULL and not self.clear:
            raise SettingsError(
                "--blanks null: no field is named in which a blank may clear what Marketo has",
                code="bad_blanks",
                hint="Name it with --clear FIELD, or leave existing values alone with --blanks omit.",
            )
        if self.consent_countries and not self.consent:
            raise SettingsError(
                "--consent-countries is given without --consent",
                code="bad_consent",
                hint="Name the field that holds the consent with --consent FIELD.",
            )

    @property
    def compared(self) -> tuple[str, ...]:
        """The date fields by which rows with one lookup value, or their values, are compared."""
        rules = [rule.of for rule in self.merge.values() if rule.policy is MergePolicy.NEWEST]
        return tuple(dict.fromkeys(field for field in (self.keep.field, *rules) if field))

    def to_json(self) -> dict[str, Any]:
        """The settings as the manifest keeps them, keys in the words of the flags.

        A saved mapping is in it as far as a plan applied it.
        """
        return {
            "lookup_field": self.lookup_field,
            "format": str(self.format),
            "map": dict(self.maps),
            "unknown": str(self.unknown),
            "set": dict(self.constants),
            "keep": str(self.keep),
            "merge": {field: str(rule) for field, rule in self.merge.items()},
            "max_bytes": self.max_bytes,
            "dates": str(self.dates),
            "timezone": self.timezone,
            "decimal": self.decimal,
            "email_case": str(self.email_case),
            "phones": str(self.phones),
            "region": self.region,
            "countries": str(self.countries),
            "states": str(self.states),
            "repair_mojibake": self.repair_mojibake,
            "split_name": self.split_name,
            "truncate": list(self.truncate),
            "blanks": str(self.blanks),
            "clear": list(self.clear),
            "allow_protected": list(self.allow_protected),
            "suppress": list(self.suppress),
            "suppress_salt_file": self.suppress_salt_file,
            "consent": self.consent,
            "consent_countries": list(self.consent_countries),
            "encoding": self.reading.encoding,
            "delimiter": self.reading.delimiter,
            "header_line": self.reading.header_line,
            "sheet": self.reading.sheet,
            "object": self.object,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "CleanSettings":
        """Read what `to_json` wrote.

        Raises:
            FolderError: It is something else.
        """
        try:
            return cls(
                lookup_field=raw["lookup_field"],
                format=Format(raw["format"]),
                maps=dict(raw["map"]),
                unknown=Unknown(raw["unknown"]),
                constants=dict(raw["set"]),
                keep=Keep.parse(raw["keep"]),
                merge=_merge_rules(raw["merge"]),
                max_bytes=raw["max_bytes"],
                dates=DateOrder(raw["dates"]),
                timezone=raw["timezone"],
                decimal=DecimalMark(raw["decimal"]) if raw["decimal"] else None,
                email_case=EmailCase(raw["email_case"]),
                phones=Phones(raw["phones"]),
                region=raw["region"],
                countries=Countries(raw["countries"]),
                states=States(raw["states"]),
                repair_mojibake=raw["repair_mojibake"],
                split_name=raw["split_name"],
                truncate=tuple(raw.get("truncate", ())),
                blanks=Blanks(raw["blanks"]),
                clear=tuple(raw["clear"]),
                allow_protected=tuple(raw["allow_protected"]),
                suppress=tuple(raw["suppress"]),
                suppress_salt_file=raw["suppress_salt_file"],
                consent=raw["consent"],
                consent_countries=tuple(raw["consent_countries"]),
                reading=Reading(**{name: raw[name] for name in _READING_OPTIONS}),
                object=raw.get("object", str(LEADS)),
            )
        except (KeyError, TypeError, ValueError, AttributeError, SettingsError) as error:
            raise FolderError(
                "the settings in manifest.json are damaged",
                code="damaged_manifest",
                hint="Restore the file from a backup, or make a new run with -o DIR.",
            ) from error


_Choice = TypeVar("_Choice", bound=StrEnum)


class CleanOptions(TypedDict, total=False):
    """The same as keyword arguments; words and texts as on the command line."""

    lookup_field: str
    format: str
    maps: Mapping[str, str]
    mapping: Mapping[str, str]
    unknown: str
    constants: Mapping[str, str]
    keep: str
    merge: Mapping[str, str]
    max_bytes: int
    dates: str
    timezone: str | None
    decimal: str | None
    email_case: str
    phones: str
    region: str | None
    countries: str
    states: str
    repair_mojibake: bool
    split_name: bool
    truncate: Sequence[str]
    blanks: str
    clear: Sequence[str]
    allow_protected: Sequence[str]
    suppress: Sequence[str | Path]
    suppress_salt_file: str | Path | None
    consent: str | None
    consent_countries: Sequence[str]
    encoding: str | None
    delimiter: str | None
    header_line: int | None
    sheet: str | None
    object: str


_READING_OPTIONS: Final = ("encoding", "delimiter", "header_line", "sheet")


def make_settings(options: CleanOptions) -> CleanSettings:
    """Turn keyword arguments into settings.

    Raises:
        SettingsError: One of them is unknown, or not what it may be.
    """
    if strangers := options.keys() - CleanOptions.__annotations__.keys():
        raise SettingsError(
            f"there is no option {', '.join(sorted(strangers))}",
            code="unknown_option",
            hint=f"Options: {', '.join(CleanOptions.__annotations__)}.",
        )
    defaults = CleanSettings()
    into = parse_object(options.get("object", defaults.object))
    return CleanSettings(
        lookup_field=options.get("lookup_field", into.kind.lookup_field),
        format=_choose(Format, "format", options.get("format", defaults.format)),
        maps=dict(options.get("maps", {})),
        mapping=dict(options.get("mapping", {})),
        unknown=_choose(Unknown, "unknown", options.get("unknown", defaults.unknown)),
        constants=dict(options.get("constants", {})),
        keep=Keep.parse(options.get("keep", str(defaults.keep))),
        merge=_merge_rules(options.get("merge", {})),
        max_bytes=options.get("max_bytes", defaults.max_bytes),
        dates=_choose(DateOrder, "dates", options.get("dates", defaults.dates)),
        timezone=options.get("timezone"),
        decimal=_choose(DecimalMark, "decimal", decimal) if (decimal := options.get("decimal")) else None,
        email_case=_choose(EmailCase, "email_case", options.get("email_case", defaults.email_case)),
        phones=_choose(Phones, "phones", options.get("phones", defaults.phones)),
        region=options.get("region"),
        countries=_choose(Countries, "countries", options.get("countries", defaults.countries)),
        states=_choose(States, "states", options.get("states", defaults.states)),
        repair_mojibake=options.get("repair_mojibake", False),
        split_name=options.get("split_name", False),
        truncate=tuple(sorted(set(options.get("truncate", ())))),
        blanks=_choose(Blanks, "blanks", options.get("blanks", defaults.blanks)),
        clear=tuple(dict.fromkeys(options.get("clear", ()))),
        allow_protected=tuple(sorted(set(options.get("allow_protected", ())))),
        suppress=tuple(dict.fromkeys(map(str, options.get("suppress", ())))),
        suppress_salt_file=str(salt) if (salt := options.get("suppress_salt_file")) else None,
        consent=options.get("consent"),
        consent_countries=tuple(
            sorted({code.strip().upper() for code in options.get("consent_countries", ())})
        ),
        reading=Reading(
            encoding=options.get("encoding"),
            delimiter=options.get("delimiter"),
            header_line=options.get("header_line"),
            sheet=options.get("sheet"),
        ),
        object=str(into),
    )


def _merge_rules(texts: Mapping[str, str]) -> dict[str, MergeRule]:
    return {field: MergeRule.parse(text) for field, text in texts.items()}


def _choose(kind: type[_Choice], name: str, text: str) -> _Choice:
    try:
        return kind(text)
    except ValueError:
        raise SettingsError(
            f"{name} does not know {text!r}", code=f"bad_{name}", hint=f"It takes {', '.join(kind)}."
        ) from None


@dataclass(frozen=True)
class Destination:
    """Where a run sends its rows.

    Attributes:
        target: Host of the instance, or `sandbox`.
        list_id: Static list that the leads become members of.
        list_name: The same list by name, as long as nobody asked Marketo for its id.
        partition_name: Lead partition of new leads.
        program_id: Program that the rows become members of.
        program_status: Status that they get there.
    """

    target: str
    list_id: int | None = None
    list_name: str | None = None
    partition_name: str | None = None
    program_id: int | None = None
    program_status: str | None = None

    def __str__(self) -> str:
        if self.program_id is not None:
            return f"{self.target}, program {self.program_id}, status {self.program_status}"
        listed = f"list {self.list_name or self.list_id or 'none'}"
        return f"{self.target}, {listed}, partition {self.partition_name or 'none'}"

    def is_same(self, other: "Destination") -> bool:
        """Whether both mean one place; a list that has the same name is the same, its id known or not."""
        if self.list_name and self.list_name == other.list_name:
            return replace(self, list_id=None) == replace(other, list_id=None)
        return self == other

    def refuse_misfit(self, into: ImportObject) -> None:
        """Refuse what does not go with what the rows become.

        Raises:
            SettingsError: It says more than that takes, or less than that needs.
        """
        said = [name for name in FLAGS if getattr(self, name) is not None]
        foreign = [name for name in said if name not in into.kind.destination]
        if foreign:
            raise SettingsError(
                f"{_flags(foreign)}: does not go with --object {into}",
                code="bad_destination",
                hint=f"Leave it out, here and in prep.toml. With {into.kind.word} go: "
                f"{_flags(into.kind.destination) or 'none of these options'}.",
            )
        absent = [name for name in into.kind.needs if name not in said]
        if absent:
            raise SettingsError(
                f"{_flags(absent)}: needed with --object {into}",
                code="no_program",
                hint='Such as --program 1014 --program-status "On List": the number in the address of the '
                "program in Marketo, and a status of its channel.",
            )


def _flags(names: Iterable[str]) -> str:
    return ", ".join(FLAGS[name] for name in names)


@dataclass(frozen=True)
class Credentials:
    """What it takes to talk to an instance. The secret is never shown, written or logged."""

    endpoint: str
    client_id: str
    client_secret: str = field(repr=False)
    allow_host: str | None = None


VARIABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "MARKETO_ENDPOINT": "address of the instance, such as `https://123-ABC-456.mktorest.com`",
        "MARKETO_CLIENT_ID": "client id of the service in LaunchPoint",
        "MARKETO_CLIENT_SECRET": "its secret",
        "MARKETO_ENDPOINT_FILE": "path of a file that holds the endpoint and nothing else",
        "MARKETO_CLIENT_ID_FILE": "the same for the client id",
        "MARKETO_CLIENT_SECRET_FILE": "the same for the secret",
        "PREP_DB_URL": "database for `--query`, with a password if it needs one",
        "PREP_DEBUG": "set to anything: a defect shows its traceback, which may hold values of the file",
        "NO_COLOR": "set to anything: no colours on a terminal (https://no-color.org)",
    }
)
"""Environment variables that are no option; every option that can be one is `PREP_` and its name."""

MARKETO_KEYS: Final = (
    "endpoint",
    "endpoint_file",
    "client_id",
    "client_id_file",
    "client_secret_file",
    "allow_host",
)


def load_settings_file(path: Path = SETTINGS_FILE) -> dict[str, Any]:
    """Read `prep.toml`; without one there are no settings.

    Raises:
        SettingsError: It cannot be read, is not TOML, holds a secret, or a `[marketo]` table with other
            things than endpoint, client id and the paths of files with credentials.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except tomllib.TOMLDecodeError as error:
        raise _bad_file(path, f"is not TOML: {error}", "Correct that line.") from None
    except UnicodeDecodeError:
        raise _bad_file(path, "is not UTF-8 text", "Save it as UTF-8.") from None
    except OSError as error:
        raise _bad_file(path, f"cannot be read: {error.strerror}", "Correct or remove it.") from error
    marketo = raw.get("marketo", {})
    if not isinstance(marketo, dict):
        raise _bad_file(path, "marketo is not a table", f"Write [marketo] with {', '.join(MARKETO_KEYS)}.")
    if "client_secret" in raw or "client_secret" in marketo:
        raise SettingsError(
            f"{path}: holds a client_secret",
            code="secret_in_file",
            hint="Put it into a file of its own and give its path as marketo.client_secret_file.",
            source=str(path),
        )
    for key, value in marketo.items():
        if key not in MARKETO_KEYS:
            raise _bad_file(
                path, f"{key!r} is not a setting of [marketo]", f"It takes {', '.join(MARKETO_KEYS)}."
            )
        if not isinstance(value, str):
            raise _bad_file(path, f"marketo.{key} is not a text", "Put it into quotes.")
    return raw


def _bad_file(path: Path, what: str, hint: str) -> SettingsError:
    return SettingsError(f"{path}: {what}", code="bad_settings_file", hint=hint, source=str(path))


def load_credentials(
    environment: Mapping[str, str] = os.environ,
    settings: Mapping[str, Any] | None = None,
    *,
    allow_host: str | None = None,
) -> Credentials:
    """Find endpoint, client id and secret in the environment, else in the `[marketo]` table of `prep.toml`.

    Each of `MARKETO_ENDPOINT`, `MARKETO_CLIENT_ID` and `MARKETO_CLIENT_SECRET` may also be given as
    `…_FILE`, the path of a file that holds the value.

    Raises:
        SettingsError: One of the three is missing, or its file is blank or cannot be read.
    """
    table = settings if settings is not None else load_settings_file()
    marketo = table.get("marketo", {})
    return Credentials(
        endpoint=_find("endpoint", environment, marketo),
        client_id=_find("client_id", environment, marketo),
        client_secret=_find("client_secret", environment, marketo),
        allow_host=allow_host or environment.get("PREP_ALLOW_HOST") or marketo.get("allow_host"),
    )


def _find(name: str, environment: Mapping[str, str], marketo: Mapping[str, str]) -> str:
    variable = f"MARKETO_{name.upper()}"
    if value := environment.get(variable, "").strip():
        return value
    if path := environment.get(f"{variable}_FILE"):
        return _read_value(path, f"{variable}_FILE")
    if name in marketo:
        return marketo[name]
    if path := marketo.get(f"{name}_file"):
        return _read_value(path, f"marketo.{name}_file")
    raise SettingsError(
        f"{variable} is not set",
        code="no_credentials",
        hint=f"Set {variable} (or {variable}_FILE), or try everything without an account: --sandbox.",
    )


def _read_value(path: str, origin: str) -> str:
    try:
        value = Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError, RuntimeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SettingsError(
            f"{origin}: {path} cannot be read: {why}",
            code="unreadable_secret",
            hint="Check path and permissions.",
        ) from error
    if not value:
        raise SettingsError(
            f"{origin}: {path} is blank",
            code="unreadable_secret",
            hint="The file holds the value and nothing else.",
        )
    return value
