"""The `prep` command: finds its subcommands when they are asked for, and turns errors into one line."""

import importlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final, NoReturn

import click

from prep.cli.defaults import read_defaults
from prep.errors import PrepError

_COMMANDS: Final = {
    "run": "clean, submit, wait, reconcile: the whole job",
    "check": "what would be rejected, merged, mapped; leaves nothing behind",
    "clean": "make upload files; stops before the network",
    "submit": "send a cleaned run, wait and reconcile; safe to repeat",
    "status": "the jobs of runs and their states",
    "resume": "carry on from wherever a run stopped",
    "reconcile": "join Marketo's failures and warnings to the rows again",
    "report": "the numbers of a run, as text or JSON",
    "headers": "how each column maps, and why",
    "schema": "list, show and check schemas",
    "sandbox": "a local stand-in for Marketo, as a server",
    "doctor": "check settings, credentials, clock, quota and versions",
}
"""Every command with its summary, known here so that `--help` need not import them."""

EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130
_NO_PLACE: Final = {"source": None, "row": None, "column": None}


class _LazyGroup(click.Group):
    """A group whose commands live in modules of their own names, imported when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"prep.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _print_version(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value:
        click.echo(f"prep {version('leadprep')}")
        context.exit()


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Settings come from flags, then the environment, then prep.toml. Exit codes: 0 done, 1 wrong "
    "input, 2 usage, 3 rows rejected, warned or failed, 4 Marketo refused, 5 still running, 6 outcome "
    "unknown, 130 interrupted.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
@click.pass_context
def group(context: click.Context) -> None:
    """Get lead files into Adobe Marketo Engage without losing, doubling or spoiling one row.

    \b
    Examples:
      prep run leads.csv --sandbox          try everything, no account needed
      prep check leads.csv                  what is wrong with the file
      prep clean leads.csv && prep submit leads.prep
    """
    defaults = read_defaults()
    context.default_map = dict.fromkeys(_COMMANDS, defaults)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process with its exit code."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run the command line.

    Returns:
        The exit code. Every error that a user can cause has been printed as one line with a hint.
    """
    known: dict[str, Any] = {}
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = group.main(arguments, prog_name="prep", standalone_mode=False, obj=known)
        sys.stdout.flush()
    except click.UsageError as error:
        error.show()
        facts = {"code": "usage", "message": error.format_message(), "hint": "", **_NO_PLACE}
        code = _fail(EXIT_USAGE, facts, known, as_json="--json" in arguments)
    except PrepError as error:
        click.echo(f"Error: {error.message}", err=True)
        if error.hint:
            click.echo(f"Hint: {error.hint}", err=True)
        code = _fail(error.exit_code, error.facts, known, as_json="--json" in arguments)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted; prep resume DIR carries on.", err=True)
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    return code if isinstance(code, int) else 0


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _fail(exit_code: int, error: dict[str, Any], known: dict[str, Any], *, as_json: bool) -> int:
    """End with an error; what was known of the run before is part of the JSON answer.

    A chunk whose outcome is unknown weighs more than the refusal that ended the command.
    """
    code = max(exit_code, known.get("exit_code", 0)) if known.get("state") == "unknown" else exit_code
    if as_json:
        click.echo(json.dumps({**known, "exit_code": code, "error": error}, ensure_ascii=False))
    return code
