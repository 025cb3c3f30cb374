"""Options that mean one thing everywhere, in bundles."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from click.core import ParameterSource

from prep.cli.ending import BadValue
from prep.cli.terminal import quoted
from prep.config import CleanOptions, CleanSettings
from prep.errors import SettingsError, SourceError
from prep.limits import JOBS_QUEUED, MAX_BODY_BYTES, POLL_SECONDS, PREVIEW_CALLS
from prep.model import Keep, KeepPolicy, MergeRule
from prep.objects import LEADS, parse_object
from prep.tolerance import Limit

if TYPE_CHECKING:
    from prep.intake import Given

_Function = TypeVar("_Function", bound=Callable[..., Any])

CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
PATH: Final = click.Path(path_type=Path, readable=False)
"""Whether a path can be used is found out where it is used, and told in one way."""


def _bundle(*options: Callable[[Any], Any]) -> Callable[[_Function], _Function]:
    def decorate(function: _Function) -> _Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _option(flag: str, *names: str, **settings: Any) -> Callable[[Any], Any]:
    """An option that can also be set in the environment, as PREP_NAME."""
    variable = f"PREP_{flag.lstrip('-').replace('-', '_').upper()}"
    return click.option(flag, *names, envvar=variable, **settings)


def _judged(parse: Callable[[Any], object]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Let a part of the settings judge a value as soon as it is read, before any file is opened."""

    def callback(_: click.Context, __: click.Parameter, value: Any) -> Any:
        if value is None:
            return None
        try:
            parse(value)
        except SettingsError as error:
            raise BadValue(error.message, error.hint) from None
        return value

    return callback


def _spelled(name: str) -> Callable[[str], object]:
    def judge(value: str) -> object:
        from prep.values.spelling import Spelling

        return Spelling(**{name: value})  # type: ignore[arg-type]  # both are texts

    return judge


def _limit(_: click.Context, __: click.Parameter, text: str | None) -> Limit | None:
    try:
        return None if text is None else Limit.parse(text)
    except SettingsError as error:
        raise BadValue(error.message, error.hint) from None


def _pairs(_: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Read `COLUMN=FIELD` (the column may hold equals signs) or `FIELD=VALUE` (the value may)."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.rpartition("=") if parameter.name == "maps" else text.partition("=")
        flag = parameter.opts[0]
        if not equals or not name.strip():
            raise BadValue(
                f"{flag} {text!r} is not of the form {parameter.metavar}", f"Such as {_PAIRS[flag]}."
            )
        if pairs.get(name, value.strip()) != value.strip():
            raise BadValue(f"{flag} says two things of {name!r}", "Leave one out.")
        pairs[name] = value.strip()
    return pairs


_PAIRS: Final = {
    "--map": '--map "Work mail=email"',
    "--set": '--set "leadSource=Trade fair"',
    "--merge": "--merge phone=longest",
}


def _merge_rules(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    """Read `FIELD=RULE`; rules of `prep.toml` hold only as long as nothing nearer says another --keep."""
    rules = _pairs(context, parameter, texts)
    for rule in rules.values():
        _judged(MergeRule.parse)(context, parameter, rule)
    is_lasting = context.get_parameter_source("merge") is ParameterSource.DEFAULT_MAP
    is_other_said = _is_said_now("keep", context) and context.params["keep"] != KeepPolicy.MERGE
    return {} if is_lasting and is_other_said else rules


def _is_said_now(name: str, context: click.Context | None = None) -> bool:
    """Whether a parameter comes from the command line or the environment, and not from `prep.toml`."""
    source = (context or click.get_current_context()).get_parameter_source(name)
    return source in {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT}


def _upper(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    return None if text is None else text.strip().upper()


def _codes(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(code.strip() for text in texts for code in text.split(",") if code.strip())


def _delimiter(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    """Take a tab by its name: few can type it."""
    return "\t" if text is not None and text.lower() in {"tab", "\\t"} else text


def _named(_: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Refuse a blank name: it comes from a variable that was meant to hold one."""
    if text is not None and not text.strip():
        raise BadValue(f"{parameter.opts[0]} is blank", "Name one, or leave the option out.")
    return text


def _one_list(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Let the nearer of --list and --list-id count; refuse both at once."""
    value = _named(context, parameter, value) if isinstance(value, str) else value
    other = "list_name" if parameter.name == "list_id" else "list_id"
    if value is None or context.params.get(other) is None:
        return value
    mine, theirs = (_rank(context, str(name)) for name in (parameter.name, other))
    if mine == theirs:
        raise BadValue("--list and --list-id are given both", "A run has one list: leave one of them out.")
    if mine < theirs:
        context.params[other] = None
        return value
    return None


def _rank(context: click.Context, name: str) -> int:
    order = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)
    return order.index(context.get_parameter_source(name) or ParameterSource.DEFAULT_MAP)


def _sources(_: click.Context, __: click.Parameter, paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Refuse what can be seen to be no lead file, by its name alone."""
    for path in paths:
        if not os.fspath(path).isprintable() and _is_broken(os.fspath(path)):
            raise SourceError(
                f"{os.fsencode(path).decode('utf-8', 'replace')}: the file's name is not UTF-8",
                code="bad_file_name",
                hint="Rename the file.",
            )
        if (path / "manifest.json").is_file():
            raise SourceError(
                f"{path}: this is a run folder, not a lead file",
                code="not_a_file",
                hint=f"prep report {quoted(path)} shows it, prep resume {quoted(path)} carries on with it.",
                source=os.fspath(path),
            )
    return paths


def _is_broken(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return True
    return False


inputs = _bundle(
    click.argument("files", nargs=-1, metavar="FILE…", type=PATH, callback=_sources),
    click.option(
        "--db",
        metavar="URL",
        callback=_named,
        help="Database for --query, such as postgresql://host/crm or sqlite:///crm.db. With a password: "
        "PREP_DB_URL.",
    ),
    _option("--query", metavar="SQL", callback=_named, help="Take the rows that a query gives."),
)
keep_source = _option("--keep-source", is_flag=True, help="Copy the lead files into the run folder.")
folder = click.argument("folder", metavar="DIR", type=PATH)
out = click.option(
    "-o",
    "out",
    type=PATH,
    metavar="DIR",
    help="Run folder.  [default: the first file's name with .prep, here]",
)
schema = _option(
    "--schema",
    metavar="NAME|FILE",
    help="Fields and rules.  [default: lead]",
    callback=_named,
)

lookup_field = _option(
    "--lookup-field",
    metavar="FIELD",
    callback=_named,
    help="What identifies a lead; id means update only.  [default: email]",
)

into = _option(
    "--object",
    "object_name",
    default=str(LEADS),
    show_default=True,
    metavar="OBJECT",
    callback=_judged(parse_object),
    help="What rows become: leads, program-members or customobjects/NAME.",
)

reading = _bundle(
    _option(
        "--encoding",
        metavar="NAME",
        callback=_named,
        help="Encoding of the lead files, such as cp1252.  [default: found out]",
    ),
    _option(
        "--delimiter",
        metavar="CHAR",
        callback=_delimiter,
        help="What separates the cells: , ; | or tab.  [default: found out]",
    ),
    _option(
        "--header-line",
        type=click.IntRange(1),
        metavar="N",
        help="Line, or row of the sheet, where the column names stand.  [default: found out]",
    ),
    click.option(
        "--no-header",
        is_flag=True,
        help="The files have no column names; the columns are 1, 2, …: --map 1=email.",
    ),
    _option("--sheet", metavar="NAME", callback=_named, help="Sheet of a workbook.  [default: found out]"),
)
"""How lead files are read."""

maps = click.option(
    "--map",
    "maps",
    multiple=True,
    callback=_pairs,
    metavar="COLUMN=FIELD",
    help="Which field a column is; COLUMN= leaves it out. Repeatable.",
)

mapping = _bundle(
    reading,
    into,
    schema,
    lookup_field,
    maps,
    _option(
        "--unknown",
        type=click.Choice(["error", "drop"]),
        default="error",
        show_default=True,
        help="What to do with columns that match no field.",
    ),
    click.option(
        "--set",
        "constants",
        multiple=True,
        callback=_pairs,
        metavar="FIELD=VALUE",
        help="A constant for every row. Repeatable.",
    ),
    click.option(
        "--mapping",
        "mapping_file",
        type=PATH,
        metavar="FILE",
        help="A saved mapping, of which the columns count that are there; --map goes before it.",
    ),
    click.option(
        "--allow-protected",
        multiple=True,
        metavar="FIELD",
        help="Send this field although it decides who may be written to. Repeatable.",
    ),
    _option("--split-name", is_flag=True, help="Make first and last name of a column of full names."),
)
"""How columns become fields."""

cleaning = _bundle(
    mapping,
    _option(
        "--format",
        "file_format",
        type=click.Choice(["csv", "tsv", "ssv"]),
        default="csv",
        show_default=True,
        help="Format of the upload files.",
    ),
    _option(
        "--keep",
        default="last",
        show_default=True,
        metavar="POLICY",
        callback=_judged(Keep.parse),
        help="Which duplicate survives: first, last, most-complete, newest:FIELD or merge.",
    ),
    click.option(
        "--merge",
        multiple=True,
        callback=_merge_rules,
        metavar="FIELD=RULE",
        help="With --keep merge: which value a field keeps: last, first, longest, most-frequent, "
        "newest:FIELD or source:FILE. FIELD may be * for all others. Repeatable.",
    ),
    _option(
        "--max-bytes",
        type=int,
        default=MAX_BODY_BYTES,
        show_default=True,
        metavar="N",
        callback=_judged(lambda number: CleanSettings(max_bytes=number)),
        help="Bound of a whole upload body.",
    ),
    _option(
        "--dates",
        type=click.Choice(["iso", "dmy", "mdy"]),
        default="iso",
        show_default=True,
        help="Order of dates that do not begin with the year; iso: as their column proves.",
    ),
    _option(
        "--timezone",
        metavar="ZONE",
        callback=_judged(_spelled("timezone")),
        help="Zone of date-times without one, such as Europe/Madrid.",
    ),
    _option(
        "--decimal",
        type=click.Choice(["point", "comma"]),
        help="What stands before the decimals of numbers; the other one divides thousands.  "
        "[default: as their column proves]",
    ),
    _option(
        "--email-case",
        type=click.Choice(["keep", "lower"]),
        default="keep",
        show_default=True,
        help="Letters of addresses as typed, or small.",
    ),
    _option(
        "--phones",
        type=click.Choice(["keep", "e164"]),
        default="keep",
        show_default=True,
        help="Spelling of phone numbers.",
    ),
    _option(
        "--region",
        metavar="CODE",
        callback=_upper,
        help="Country of phone numbers without prefix and without a country in their row, such as ES.",
    ),
    _option(
        "--countries",
        type=click.Choice(["keep", "iso2", "name"]),
        default="keep",
        show_default=True,
        help="Spelling of countries: ISO code or English name.",
    ),
    _option(
        "--states",
        type=click.Choice(["keep", "code", "name"]),
        default="keep",
        show_default=True,
        help="Spelling of states, where the row's country is known.",
    ),
    click.option(
        "--truncate",
        multiple=True,
        metavar="FIELD",
        help="Cut values of this field that are too long, instead of rejecting the row. Repeatable.",
    ),
    _option(
        "--repair-mojibake",
        is_flag=True,
        help="Repair text that was decoded wrongly before, such as JosÃ©.",
    ),
    _option(
        "--blanks",
        type=click.Choice(["send", "omit", "null"]),
        default="send",
        show_default=True,
        help="Blank cells: sent as they are; left out with their columns, so that they change nothing; or "
        "the same, but clearing the fields of --clear.",
    ),
    click.option(
        "--clear",
        multiple=True,
        metavar="FIELD",
        help="A cell NULL in this field clears what Marketo has there. Repeatable.",
    ),
    click.option(
        "--suppress",
        multiple=True,
        type=PATH,
        metavar="FILE",
        help="List of addresses, domains or SHA-256 of addresses that are not sent. Repeatable.",
    ),
    _option(
        "--suppress-salt-file",
        type=PATH,
        metavar="FILE",
        help="What stood before the addresses of --suppress when they were hashed.",
    ),
    _option(
        "--consent",
        metavar="FIELD",
        callback=_named,
        help="Send only rows in which this field says yes, or when.",
    ),
    click.option(
        "--consent-countries",
        multiple=True,
        callback=_codes,
        metavar="CODES",
        help="Countries that --consent is for, such as DE,AT,FR.  [default: all]",
    ),
)
"""How rows become upload files."""

max_rejected = _option(
    "--max-rejected",
    metavar="N|P%",
    callback=_limit,
    help="With more rejected rows than this nothing is sent; exit code 3.",
)
allow_rejects = _option(
    "--allow-rejects",
    is_flag=True,
    help="Exit code 0 although rows were rejected, warned or failed, if any row was accepted.",
)

max_calls = _option(
    "--max-calls",
    type=click.IntRange(1),
    default=PREVIEW_CALLS,
    show_default=True,
    metavar="N",
    help="API calls that may be made; with more to make, nobody is looked up.",
)

mask = _option("--mask", is_flag=True, help="Hide names of files, columns, lists and hosts, for forwarding.")

target = _bundle(
    click.option("--sandbox", is_flag=True, help="A local stand-in instead of Marketo; needs no account."),
    _option(
        "--allow-host",
        metavar="HOST",
        callback=_named,
        help="Talk to this host although it is not *.mktorest.com.",
    ),
)
"""Which instance to talk to."""

waiting = _bundle(
    target,
    _option(
        "--queue-slots",
        type=click.IntRange(1, JOBS_QUEUED),
        default=JOBS_QUEUED,
        show_default=True,
        metavar="N",
        help="Places of Marketo's import queue to use at the most.",
    ),
    _option(
        "--poll-seconds",
        type=click.FloatRange(0, POLL_SECONDS[1], min_open=True),
        metavar="S",
        help=f"First pause between two looks at the queue; grows to {POLL_SECONDS[1]}. "
        f"Below {POLL_SECONDS[0]} for this machine only.  [default: {POLL_SECONDS[0]}]",
    ),
    click.option("--no-wait", is_flag=True, help="Fill the queue and leave with exit code 5."),
    _option(
        "--timeout",
        type=click.FloatRange(0),
        metavar="SECONDS",
        help="Leave after that long, with exit code 5 if jobs are still running.",
    ),
    click.option("--yes", is_flag=True, help="Do not ask before the first upload."),
)

destination = _bundle(
    _option(
        "--list-id",
        type=click.IntRange(1),
        metavar="N",
        callback=_one_list,
        help="Static list that the leads join.",
    ),
    _option("--list", "list_name", metavar="NAME", callback=_one_list, help="The same, by the list's name."),
    _option("--partition-name", metavar="NAME", callback=_named, help="Lead partition of new leads."),
    _option(
        "--program",
        "program_id",
        type=click.IntRange(1),
        metavar="ID",
        help="Program that program members join: 1014 in its address #PG1014A1.",
    ),
    _option(
        "--program-status",
        metavar="STATUS",
        callback=_named,
        help='The status that they get there, such as "On List".',
    ),
)
"""Where in the instance rows go."""

sending = _bundle(waiting, destination)
"""How chunks are sent."""

json_only = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object as the last line on stdout; all else on stderr."
)
answering = _bundle(
    json_only,
    click.option("-q", "--quiet", is_flag=True, help="Neither progress nor summary."),
)


def given(chosen: Mapping[str, Any]) -> "list[Given]":
    """The sources that a command was given.

    Raises:
        click.UsageError: There is none, or half of a database.
    """
    from prep.intake import Query

    if chosen["db"] and not chosen["query"]:
        raise click.UsageError("--db needs --query, which says what to read.")
    if not chosen["files"] and not chosen["query"]:
        raise click.UsageError("Missing argument 'FILE…'.")
    queries = [Query(chosen["query"], chosen["db"])] if chosen["query"] else []
    return [*chosen["files"], *queries]


def clean_options(chosen: Mapping[str, Any]) -> CleanOptions:
    """The keyword arguments of `prep.clean` and `prep.prepare` among a command's parameters."""
    options: CleanOptions = {
        "object": chosen["object_name"],
        "maps": maps_said_now(chosen),
        "mapping": _saved_mapping(chosen),
        "split_name": chosen["split_name"],
        "unknown": chosen["unknown"],
        "constants": chosen["constants"],
        "allow_protected": chosen["allow_protected"],
        "encoding": chosen["encoding"],
        "delimiter": chosen["delimiter"],
        "header_line": _header_line(chosen),
        "sheet": chosen["sheet"],
    }
    if chosen["lookup_field"] is not None:
        options["lookup_field"] = chosen["lookup_field"]
    if "keep" in chosen:
        options |= {
            "format": chosen["file_format"],
            "keep": chosen["keep"],
            "merge": chosen["merge"],
            "max_bytes": chosen["max_bytes"],
            "dates": chosen["dates"],
            "timezone": chosen["timezone"],
            "decimal": chosen["decimal"],
            "email_case": chosen["email_case"],
            "phones": chosen["phones"],
            "region": chosen["region"],
            "countries": chosen["countries"],
            "states": chosen["states"],
            "truncate": chosen["truncate"],
            "repair_mojibake": chosen["repair_mojibake"],
            "blanks": chosen["blanks"],
            "clear": chosen["clear"],
            "suppress": chosen["suppress"],
            "suppress_salt_file": chosen["suppress_salt_file"],
            "consent": chosen["consent"],
            "consent_countries": chosen["consent_countries"],
        }
    return options


def maps_said_now(chosen: Mapping[str, Any]) -> dict[str, str]:
    """What --map says on the command line; the table of `prep.toml` counts apart, see `_saved_mapping`."""
    return chosen["maps"] if _is_said_now("maps") else {}


def _header_line(chosen: Mapping[str, Any]) -> int | None:
    """Where the header is, 0 for nowhere; what is said now goes before `prep.toml`.

    Raises:
        click.UsageError: Both are said.
    """
    line: int | None = chosen["header_line"]
    if not chosen["no_header"] or line is None:
        return 0 if chosen["no_header"] else line
    if _is_said_now("no_header") == _is_said_now("header_line"):
        raise click.UsageError("--no-header and --header-line exclude each other: leave one out")
    return 0 if _is_said_now("no_header") else line


def _saved_mapping(chosen: Mapping[str, Any]) -> dict[str, str]:
    """The table `map` of `prep.toml` and the file of `--mapping`, which goes before it if it is said now."""
    context = click.get_current_context()
    lines = tuple(context.lookup_default("maps") or ())
    parameter = next(parameter for parameter in context.command.params if parameter.name == "maps")
    lasting = _pairs(context, parameter, lines)
    if chosen["mapping_file"] is None:
        return lasting
    from prep.headers import load_mapping

    loaded = load_mapping(chosen["mapping_file"])
    return {**lasting, **loaded} if _is_said_now("mapping_file") else {**loaded, **lasting}
