"""Settings: what a run is to do with its rows, and where it sends them."""

import types
from collections import abc
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypedDict, TypeVar, cast, get_args, get_origin

from prep.errors import FolderError, SettingsError
from prep.limits import MAX_BODY_BYTES, MAX_BODY_BYTES_CEILING
from prep.model import (
    FIND_OUT,
    SANDBOX,
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

_SMALLEST_BODY_BYTES: Final = 1_000
"""Below this hardly a header fits; surely a slip of the pen."""


class CleanOptions(TypedDict, total=False):
    """How source rows become upload files; words and texts as on the command line.

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
        encoding: Name of the Python codec that all sources are read with; None: detected for each.
        delimiter: The character between two cells; None: detected.
        header_line: Line of the header, counted from 1; 0 if there is none, None: detected.
        sheet: Name of the sheet of a workbook; None: detected.
        object: What the rows become: `leads`, `program-members` or `customobjects/NAME`.
    """

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


@dataclass(frozen=True)
class CleanSettings:
    """What `CleanOptions` say, understood, with the usual where they say nothing.

    Attributes:
        reading: How all sources are read, where it was said: encoding, delimiter, header line and sheet.
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
        if self.suppress_salt_file and not self.suppress:
            raise SettingsError(
                "--suppress-salt-file is given without --suppress",
                code="bad_suppress",
                hint="Name the list of hashes with --suppress FILE.",
            )
        if self.consent_countries and not self.consent:
            raise SettingsError(
                "--consent-countries is given without --consent",
                code="bad_consent",
                hint="Name the field that holds the consent with --consent FIELD.",
            )

    @property
    def deciding(self) -> tuple[str, ...]:
        """The fields that are read to decide about rows: dates that are compared, and the consent."""
        rules = [rule.of for rule in self.merge.values() if rule.policy is MergePolicy.NEWEST]
        return tuple(dict.fromkeys(field for field in (self.keep.field, *rules, self.consent) if field))

    def to_json(self) -> dict[str, Any]:
        """The settings as the manifest keeps them, keys in the words of the flags.

        A saved mapping is in it as far as a plan applied it.
        """
        known = {**vars(self), **vars(self.reading)}
        return {key: _as_json(known[name]) for name, key in _KEYS.items()}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "CleanSettings":
        """Read what `to_json` wrote.

        Raises:
            FolderError: It is something else.
        """
        known = {**_EARLIER, **raw}
        try:
            return make_settings(cast("CleanOptions", {name: known[key] for name, key in _KEYS.items()}))
        except (KeyError, TypeError, ValueError, AttributeError, SettingsError) as error:
            raise FolderError(
                "the settings in manifest.json are damaged",
                code="damaged_manifest",
                hint="Restore the file from a backup. If nothing was sent, a new run with -o DIR will do.",
            ) from error


_Choice = TypeVar("_Choice", bound=StrEnum)


def _as_json(value: Any) -> Any:
    """The value of a setting in the words that were given for it."""
    match value:
        case StrEnum() | Keep() | MergeRule():
            return str(value)
        case Mapping():
            return {name: _as_json(entry) for name, entry in value.items()}
        case tuple():
            return list(value)
        case _:
            return value


_KEYS: Final = {
    name: {"maps": "map", "constants": "set"}.get(name, name)
    for name in CleanOptions.__annotations__
    if name != "mapping"
}
"""Option → its key in the manifest, the word of its flag. A saved mapping is among the maps there."""

_EARLIER: Final[Mapping[str, Any]] = {"truncate": (), "object": str(LEADS)}
"""What a manifest means that was written before there were these options."""


_CALLED_HERE: Final = {"map": "maps", "set": "constants", "no_header": "header_line"}
"""Options that the command line calls otherwise."""


def make_settings(options: CleanOptions) -> CleanSettings:
    """Turn keyword arguments into settings.

    Raises:
        SettingsError: One of them is unknown, or not what it may be.
    """
    known = CleanOptions.__annotations__
    if strangers := sorted(options.keys() - known.keys()):
        meant = [_CALLED_HERE.get(strangers[0]), *get_close_matches(strangers[0], known, 1)]
        guess = next(filter(None, meant), None)
        raise SettingsError(
            f"there is no option {', '.join(strangers)}",
            code="unknown_option",
            hint=f"{f'Did you mean {guess}? ' if guess else ''}Options: {', '.join(known)}.",
        )
    options = cast("CleanOptions", {name: _as_asked(name, value) for name, value in options.items()})
    if (line := options.get("header_line")) is not None and line < 0:
        raise SettingsError(
            f"header_line is {line}",
            code="bad_option",
            hint="It takes the line of the column names, counted from 1, or 0 where there is none.",
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


_WORDS: Final[Mapping[object, str]] = {
    bool: "True or False",
    int: "a whole number",
    int | None: "a whole number, or None",
    str: "a text",
    str | None: "a text, or None",
    str | Path | None: "a path, or None",
    Mapping[str, str]: "a mapping of texts to texts",
    Sequence[str]: "texts",
    Sequence[str | Path]: "paths",
}
"""What options of each type take."""


def _as_asked(name: str, value: object) -> object:
    """The value of an option; where it may be several, a single one stands for itself."""
    kind = CleanOptions.__annotations__[name]
    origin: object = get_origin(kind)
    if origin is abc.Sequence and isinstance(value, str | Path):
        value = (value,)
    if not _is(value, kind):
        raise SettingsError(
            f"{name} is given as {type(value).__name__}", code="bad_option", hint=f"It takes {_WORDS[kind]}."
        )
    return value


def _is(value: object, kind: Any) -> bool:
    parts = get_args(kind)
    match get_origin(kind):
        case types.UnionType:
            return any(_is(value, part) for part in parts)
        case abc.Mapping:
            return isinstance(value, Mapping) and all(
                isinstance(text, str) for item in value.items() for text in item
            )
        case abc.Sequence:
            return isinstance(value, Collection) and all(_is(item, parts[0]) for item in value)
        case _:
            return isinstance(value, kind) and (kind is not int or not isinstance(value, bool))


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

    def __post_init__(self) -> None:
        """Refuse what is no number or no text, and an address in place of a host, whose case does not count.

        Raises:
            SettingsError: An attribute is something else.
        """
        for name in ("target", *FLAGS):
            kind, word = (int, "a whole number") if name.endswith("_id") else (str, "a text")
            value = getattr(self, name)
            if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
                raise SettingsError(f"{name} is {value!r}", code="bad_destination", hint=f"It takes {word}.")
        if not self.target or "/" in self.target:
            raise SettingsError(
                f"target is {self.target!r}",
                code="bad_destination",
                hint="It takes the host alone: client.host of the client that sends.",
            )
        object.__setattr__(self, "target", self.target.lower())

    def __str__(self) -> str:
        if self.program_id is not None:
            return f"{self.target}, program {self.program_id}, status {self.program_status}"
        listed = f"list {self.list_name or self.list_id or 'none'}"
        return f"{self.target}, {listed}, partition {self.partition_name or 'none'}"

    def is_same(self, other: "Destination") -> bool:
        """Whether both mean one place; lists with one name, or with one id, are one list."""
        lists = [(aim.list_id, aim.list_name) for aim in (self, other)]
        if any(mine == theirs and mine is not None for mine, theirs in zip(*lists, strict=True)):
            return replace(self, list_id=None, list_name=None) == replace(other, list_id=None, list_name=None)
        return self == other

    def may_replace(self, known: "Destination") -> bool:
        """Whether this may take the place of a destination that nothing was sent to.

        It must name a list, a partition and a program if that did, and be the sandbox if that was.
        """
        said, known_said = (
            {name.partition("_")[0] for name in FLAGS if getattr(aim, name)} for aim in (self, known)
        )
        return said >= known_said and (self.target == SANDBOX) == (known.target == SANDBOX)

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
