"""Options that mean one thing everywhere, in bundles."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from prep.cli import callbacks
from prep.cli.defaults import variable_of
from prep.cli.ending import BadValue
from prep.config import CleanSettings
from prep.limits import JOBS_QUEUED, MAX_BODY_BYTES, POLL_SECONDS, PREVIEW_CALLS
from prep.memory import USUAL, Memory
from prep.model import Keep
from prep.objects import LEADS, parse_object

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
    return click.option(flag, *names, envvar=variable_of(flag), **settings)


class _Once(click.Option):
    """An option that says which rows, or where to: given twice, click would let the last count in silence."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:  # noqa: ARG002, click's own signature
        """Let the parser keep every value."""
        parser.add_option(obj=self, opts=self.opts, dest=self.name, action="append", nargs=1)

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> Any:
        """Take the only one."""
        given = opts.get(str(self.name), [])
        if len(given) > 1:
            raise BadValue(
                f"{self.opts[0]} is given twice", "A run takes one: give the other to a run of its own."
            )
        return super().consume_value(ctx, {**opts, self.name: given[0]} if given else opts)


class _Seconds(click.FloatRange):
    """A number within bounds, which no bound holds back when it is not a number."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is not a number", param, ctx)
        return seconds


inputs = _bundle(
    click.argument("files", nargs=-1, metavar="FILE…", type=PATH, callback=callbacks.sources),
    click.option(
        "--db",
        cls=_Once,
        metavar="URL",
        callback=callbacks.named,
        help="Database for --query, such as postgresql://host/crm or sqlite:///crm.db. With a password: "
        "PREP_DB_URL.",
    ),
    _option(
        "--query",
        cls=_Once,
        metavar="SQL",
        callback=callbacks.named,
        help="Take the rows that a query gives.",
    ),
)
keep_source = _option("--keep-source", is_flag=True, help="Copy the lead files into the run folder.")
folder = click.argument("folder", metavar="DIR", type=PATH)
out = click.option(
    "-o",
    "--out",
    type=PATH,
    callback=callbacks.run_folder,
    metavar="DIR",
    help="Run folder.  [default: the first file's name with .prep, here]",
)
schema = _option(
    "--schema",
    metavar="NAME|FILE",
    help="Fields and rules.  [default: lead]",
    callback=callbacks.named,
)

lookup_field = _option(
    "--lookup-field",
    metavar="FIELD",
    callback=callbacks.named,
    help="What identifies a lead; id means update only.  [default: email]",
)

into = _option(
    "--object",
    "object_name",
    default=str(LEADS),
    show_default=True,
    metavar="OBJECT",
    callback=callbacks.judged(parse_object),
    help="What rows become: leads, program-members or customobjects/NAME.",
)

reading = _bundle(
    _option(
        "--encoding",
        metavar="NAME",
        callback=callbacks.named,
        help="Encoding of the lead files, such as cp1252.  [default: detected]",
    ),
    _option(
        "--delimiter",
        metavar="CHAR",
        callback=callbacks.delimiter,
        help="What separates the cells: , ; | or tab.  [default: detected]",
    ),
    _option(
        "--header-line",
        type=click.IntRange(1),
        metavar="N",
        callback=callbacks.one_header,
        help="Line, or row of the sheet, where the column names stand.  [default: detected]",
    ),
    click.option(
        "--no-header",
        is_flag=True,
        callback=callbacks.one_header,
        help="The files have no column names; the columns are 1, 2, …: --map 1=email.",
    ),
    _option(
        "--sheet",
        cls=_Once,
        metavar="NAME",
        callback=callbacks.named,
        help="Sheet of a workbook.  [default: detected]",
    ),
)
"""How lead files are read."""

maps = click.option(
    "--map",
    "maps",
    multiple=True,
    callback=callbacks.pairs,
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
        callback=callbacks.constants,
        metavar="FIELD=VALUE",
        help="A constant for every row, besides those that prep.toml names. Repeatable.",
    ),
    click.option(
        "--mapping",
        "mapping_file",
        type=PATH,
        metavar="FILE",
        help="A saved mapping; columns that the file lacks are passed over, and --map overrides it.",
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

memory = _option(
    "--memory",
    default=USUAL,
    show_default=True,
    metavar="SIZE",
    callback=callbacks.judged(Memory.parse),
    help="Memory that cleaning may use at most, such as 500MB or 2GB; more rows wait on the disk.",
)

_dates = partial(_option, "--dates", type=click.Choice(["iso", "dmy", "mdy"]))
_timezone = partial(
    _option, "--timezone", metavar="ZONE", callback=callbacks.judged(callbacks.spelled("timezone"))
)
_decimal = partial(_option, "--decimal", type=click.Choice(["point", "comma"]))

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
        callback=callbacks.judged(Keep.parse),
        help="Which duplicate survives: first, last, most-complete, newest:FIELD or merge.",
    ),
    click.option(
        "--merge",
        multiple=True,
        callback=callbacks.merge_rules,
        metavar="FIELD=RULE",
        help="With --keep merge: which value a field keeps: last, first, longest, most-frequent, "
        "newest:FIELD or source:FILE. FIELD may be * for all others. Besides those that prep.toml names. "
        "Repeatable.",
    ),
    _option(
        "--max-bytes",
        type=int,
        default=MAX_BODY_BYTES,
        show_default=True,
        metavar="N",
        callback=callbacks.judged(lambda number: CleanSettings(max_bytes=number)),
        help="Bound of a whole upload body.",
    ),
    _dates(
        default="iso",
        show_default=True,
        help="Order of dates that do not begin with the year; iso: as their column proves.",
    ),
    _timezone(help="Zone of date-times without one, such as Europe/Madrid."),
    _decimal(
        help="What stands before the decimals of numbers; the other one divides thousands.  "
        "[default: as their column proves]",
    ),
    _option(
        "--email-case",
        type=click.Choice(["keep", "lower"]),
        default="keep",
        show_default=True,
        help="Keep addresses as typed, or write them in small letters.",
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
        callback=callbacks.upper,
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
        callback=callbacks.lists,
        help="List of addresses, domains or SHA-256 of addresses that are not sent, besides those that "
        "prep.toml names. Repeatable.",
    ),
    _option(
        "--suppress-salt-file",
        type=PATH,
        metavar="FILE",
        help="File with the salt that stood before each address of --suppress when it was hashed.",
    ),
    _option(
        "--consent",
        metavar="FIELD",
        callback=callbacks.named,
        help="Send only rows in which this field is true or holds a date.",
    ),
    click.option(
        "--consent-countries",
        multiple=True,
        callback=callbacks.codes,
        metavar="CODES",
        help="Countries that --consent is for, such as DE,AT,FR.  [default: all]",
    ),
    memory,
)
"""How rows become upload files."""

meaning = _bundle(
    _dates(help="Order of dates in columns that did not prove theirs.  [default: as in the run]"),
    _timezone(help="Zone of date-times without one.  [default: as in the run]"),
    _decimal(
        help="What stands before the decimals in columns that did not prove it.  [default: as in the run]"
    ),
)
"""What cells of a run mean when they are tried again."""

max_rejected = _option(
    "--max-rejected",
    metavar="N|P%",
    callback=callbacks.limit,
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
        callback=callbacks.named,
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
        type=_Seconds(0, POLL_SECONDS[1], min_open=True),
        metavar="S",
        help=f"First pause between two looks at the queue; grows to {POLL_SECONDS[1]}. "
        f"Below {POLL_SECONDS[0]} for this machine only.  [default: {POLL_SECONDS[0]}]",
    ),
    click.option("--no-wait", is_flag=True, help="Fill the queue and leave with exit code 5."),
    _option(
        "--timeout",
        type=_Seconds(0),
        metavar="SECONDS",
        help="Leave after that long, with exit code 5 if jobs are still running.",
    ),
    click.option("--yes", is_flag=True, help="Do not ask before the first upload."),
)

destination = _bundle(
    _option(
        "--list-id",
        cls=_Once,
        type=click.IntRange(1),
        metavar="N",
        callback=callbacks.one_list,
        help="Static list that the leads join.",
    ),
    _option(
        "--list",
        "list_name",
        cls=_Once,
        metavar="NAME",
        callback=callbacks.one_list,
        help="The same, by the list's name.",
    ),
    _option(
        "--partition-name",
        cls=_Once,
        metavar="NAME",
        callback=callbacks.named,
        help="Lead partition of new leads.",
    ),
    _option(
        "--program",
        "program_id",
        cls=_Once,
        type=click.IntRange(1),
        metavar="ID",
        help="Program that program members join: 1014 in its address #PG1014A1.",
    ),
    _option(
        "--program-status",
        cls=_Once,
        metavar="STATUS",
        callback=callbacks.named,
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
