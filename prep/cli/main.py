"""The `prep` command: finds its subcommands when they are asked for, and ends with their exit code."""

import gc
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from ctypes import CDLL
from io import TextIOWrapper
from typing import Final, NoReturn

import click

from prep.cli.ending import Situation, end
from prep.cli.terminal import say, silence
from prep.errors import SettingsError

_COMMANDS: Final = {
    "run": "clean, submit, wait, reconcile: the whole job",
    "check": "what would be rejected, merged, mapped; leaves nothing behind",
    "clean": "make upload files; stops before the network",
    "preview": "what sending would change in Marketo, and a way back",
    "submit": "send a cleaned run, wait and reconcile; safe to repeat",
    "status": "the jobs of runs and their states",
    "resume": "carry on from wherever a run stopped",
    "reconcile": "join Marketo's failures and warnings to the rows again",
    "retry": "a new run of failed rows and of rejected rows that were corrected",
    "review": "see and repair rejected rows on a local web page",
    "report": "the numbers of a run, as text or JSON",
    "purge": "delete the personal data of a finished run, keep its numbers",
    "headers": "how each column maps, and why",
    "schema": "list, show, check, pull and compare schemas",
    "sandbox": "a local stand-in for Marketo, as a server",
    "doctor": "check settings, credentials, clock, quota, fields and versions",
}
"""Every command with its summary, known here so that `--help` need not import them."""

_HELP: Final = ("-h", "--help")

_MALLOC_OPTIONS: Final = {-8: 1, -3: 32 << 20, -1: 2**31 - 1}
"""M_ARENA_MAX: one. M_MMAP_THRESHOLD: only larger blocks, as large as may be, are fetched anew each time.
M_TRIM_THRESHOLD: what is free at the end is kept."""

_OBJECTS_OF_START_UP: Final = 150_000
"""What Python's garbage collector counts until a short command is done: 120,000."""


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        found = super().resolve_command(ctx, args)
        if isinstance(ctx.obj, Situation):
            ctx.obj.command = found[1]
            if found[1] and not set(_HELP) & set(ctx.obj.arguments):
                from prep.cli.defaults import refuse_unread_variables

                refuse_unread_variables(found[1])
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _print_version(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value:
        from importlib.metadata import version

        say(f"prep {version('leadprep')}")
        context.exit()


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": list(_HELP), "max_content_width": 100},
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
      prep run leads.csv --sandbox                 try everything; no account needed
      prep check leads.csv                         what is wrong with the file
      prep clean leads.csv && prep submit leads.prep

    Settings come from flags, then from the environment (--max-bytes is PREP_MAX_BYTES, and so on; one that is
    misspelt, or named like an option of the command that no variable sets, is refused), then from prep.toml
    in the current folder. Endpoint and credentials: MARKETO_ENDPOINT, MARKETO_CLIENT_ID and
    MARKETO_CLIENT_SECRET, or files that hold them, named in MARKETO_CLIENT_SECRET_FILE and so on.

    \b
    Exit codes:
      0    done
      1    input, schema or settings are wrong; nothing was sent
      2    the command line is wrong
      3    finished, but rows were rejected, warned or failed
      4    Marketo refused, cannot be reached, or sending broke off; prep resume DIR carries on
      5    jobs are still running; prep resume DIR carries on
      6    the outcome of a chunk is unknown and needs a decision
      130  interrupted; prep resume DIR carries on
    """
    from prep.cli.defaults import read_defaults

    try:
        defaults = read_defaults()
    except SettingsError:
        if not (isinstance(context.obj, Situation) and set(_HELP) & set(context.obj.arguments)):
            raise  # but help is what somebody needs who has to correct it
        defaults = {}
    context.default_map = dict.fromkeys(_COMMANDS, defaults)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process with its exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
            signal.signal(number, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if "PREP_DEBUG" not in os.environ:
        sys.unraisablehook = lambda _: None  # complaints of objects that a full disk left half-closed
    share_memory()
    _prefer_small_queries()
    _forget_switches()
    _delay_collection()
    code = run(list(sys.argv[1:] if arguments is None else arguments))
    gc.freeze()  # what is left goes with the process; looking through it first took a fifth of a second
    sys.exit(code)


def share_memory() -> None:
    """Keep memory that was given up for a while, and let every thread use it again.

    Fetching it anew was an eighth of all processor time. By default jemalloc, which polars uses, keeps four
    arenas for each processor; one for two processors needs less, and what none has used for three tenths of a
    second is given back. It is asked once, when polars is first imported. The C library, which Python uses,
    keeps eight arenas for each processor, and fetches large blocks, such as parts of a file, anew each time.
    https://jemalloc.net/jemalloc.3.html#tuning, https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    arenas = max(1, (os.cpu_count() or 1) // 2)
    os.environ.setdefault("_RJEM_MALLOC_CONF", f"narenas:{arenas},dirty_decay_ms:300,muzzy_decay_ms:0")
    with suppress(AttributeError, TypeError):  # only glibc has mallopt
        set_option = CDLL(None).mallopt
        for option, value in _MALLOC_OPTIONS.items():
            set_option(option, value)


def _prefer_small_queries() -> None:
    """Let polars answer queries in memory unless one asks for the streaming engine.

    Both are given frames that are in memory already, and pandera asks hundreds of small questions about each:
    a question costs the streaming engine, which is the usual one, four times as much before it begins.
    """
    os.environ["POLARS_ENGINE_AFFINITY"] = "in-memory"


def _forget_switches() -> None:
    """Let pandera judge as prep says: its own switches turn rules off, or break its import.

    No number of threads, or none of them, is none for polars either.
    """
    for name in [name for name in os.environ if name.startswith("PANDERA_")]:
        del os.environ[name]
    if not os.environ.get("POLARS_MAX_THREADS", "").strip("0").isdecimal():
        os.environ.pop("POLARS_MAX_THREADS", None)


def _delay_collection() -> None:
    """Let Python look for cycles of garbage only once there are more objects than start-up makes.

    These are modules, classes and functions, no garbage, and looking through them again and again took a
    fourteenth of all processor time of a short command. From the first look on everything is as usual.
    """
    usual = gc.get_threshold()

    def begin(_: str, __: dict[str, int]) -> None:
        gc.callbacks.remove(begin)
        gc.set_threshold(*usual)

    gc.callbacks.append(begin)
    gc.set_threshold(_OBJECTS_OF_START_UP, *usual[1:])


def run(arguments: list[str]) -> int:
    """Run the command line.

    Returns:
        The exit code. Every error has been printed as one line with a hint.
    """
    situation = Situation(tuple(arguments))
    try:
        if os.environ.get("_PREP_COMPLETE"):  # the shell asks for completions, and gets them
            group.main(arguments, prog_name="prep")
        # Not click's own `main`, which would print an empty line when it is interrupted.
        with group.make_context("prep", arguments, obj=situation) as context:
            code = group.invoke(context)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except SystemExit:
        raise
    except BrokenPipeError as error:
        if not {*_HELP, "--version"} & set(situation.arguments):
            return end(error, situation)
        silence(sys.stdout)
        return 0
    except BaseException as error:  # noqa: BLE001 (a command line shows nobody a traceback)
        return end(error, situation)
    return code if isinstance(code, int) else 0


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
