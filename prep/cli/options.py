"""Options that mean one thing everywhere, in bundles."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from prep.config import CleanOptions
from prep.limits import JOBS_QUEUED, MAX_BODY_BYTES

_Function = TypeVar("_Function", bound=Callable[..., Any])

CONTEXT: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


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


def _pairs(_: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Read `COLUMN=FIELD` (the column may hold equals signs) or `FIELD=VALUE` (the value may)."""
    pairs = {}
    for text in texts:
        name, equals, value = text.rpartition("=") if parameter.name == "maps" else text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r} is not of the form {parameter.metavar}.")
        pairs[name] = value.strip()
    return pairs


files = click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
folder = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
out = click.option(
    "-o", "out", type=click.Path(path_type=Path), metavar="DIR", help="Run folder.  [default: FILE.prep]"
)
schema = _option("--schema", default="lead", show_default=True, metavar="NAME|FILE", help="Fields and rules.")

mapping = _bundle(
    schema,
    _option(
        "--lookup-field",
        default="email",
        show_default=True,
        metavar="FIELD",
        help="What identifies a lead; id means update only.",
    ),
    click.option(
        "--map",
        "maps",
        multiple=True,
        callback=_pairs,
        metavar="COLUMN=FIELD",
        help="Which field a column is; COLUMN= leaves it out. Repeatable.",
    ),
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
        help="Which duplicate survives: first, last, most-complete, newest:FIELD or merge.",
    ),
    _option(
        "--max-bytes",
        type=int,
        default=MAX_BODY_BYTES,
        show_default=True,
        metavar="N",
        help="Bound of a whole upload body.",
    ),
    _option(
        "--dates",
        type=click.Choice(["iso", "dmy", "mdy"]),
        default="iso",
        show_default=True,
        help="Order of dates that do not begin with the year.",
    ),
    _option("--timezone", metavar="ZONE", help="Zone of date-times without one, such as Europe/Madrid."),
)
"""How rows become upload files."""

max_rejected = _option("--max-rejected", metavar="N|P%", help="Above it nothing is sent; exit code 3.")
allow_rejects = _option(
    "--allow-rejects", is_flag=True, help="Exit code 0 although rows were rejected, warned or failed."
)

target = _bundle(
    click.option("--sandbox", is_flag=True, help="A local stand-in instead of Marketo; needs no account."),
    _option("--allow-host", metavar="HOST", help="Talk to this host although it is not *.mktorest.com."),
)
"""Which instance to talk to."""

waiting = _bundle(
    target,
    _option(
        "--queue-slots",
        type=click.IntRange(1, JOBS_QUEUED),
        default=JOBS_QUEUED,
        show_default=True,
        help="Places of Marketo's import queue to use at the most.",
    ),
    _option(
        "--poll-seconds",
        type=click.FloatRange(0, 30, min_open=True),
        default=5,
        show_default=True,
        metavar="S",
        help="First pause between two looks at the queue; grows to 30.",
    ),
    click.option("--no-wait", is_flag=True, help="Fill the queue and leave; prep resume carries on."),
    _option(
        "--timeout", type=click.FloatRange(0), metavar="SECONDS", help="Leave after that long; likewise."
    ),
    click.option("--yes", is_flag=True, help="Do not ask before the first upload."),
)

sending = _bundle(
    waiting,
    _option("--list-id", type=click.IntRange(1), metavar="N", help="Static list that the leads join."),
    _option("--list", "list_name", metavar="NAME", help="The same, by the list's name."),
    _option("--partition-name", metavar="NAME", help="Lead partition of new leads."),
)
"""How chunks are sent."""

json_only = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object as the last line on stdout."
)
answering = _bundle(
    json_only,
    click.option("-q", "--quiet", is_flag=True, help="Neither progress nor summary."),
)


def clean_options(chosen: Mapping[str, Any]) -> CleanOptions:
    """The keyword arguments of `prep.clean` and `prep.prepare` among a command's parameters."""
    options: CleanOptions = {
        "lookup_field": chosen["lookup_field"],
        "maps": chosen["maps"],
        "unknown": chosen["unknown"],
        "constants": chosen["constants"],
    }
    if "keep" in chosen:
        options |= {
            "format": chosen["file_format"],
            "keep": chosen["keep"],
            "max_bytes": chosen["max_bytes"],
            "dates": chosen["dates"],
            "timezone": chosen["timezone"],
        }
    return options
