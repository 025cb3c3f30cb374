"""`prep sandbox`."""

import errno
from pathlib import Path

import click

from prep.cli import options
from prep.cli.terminal import say
from prep.errors import SettingsError


class _Listing(click.Command):
    """A command whose help ends with the kinds of faults."""

    def format_epilog(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        from prep.sandbox.faults import FaultKind

        with formatter.section("Faults, and what N is"):
            formatter.write_dl([(kind, f"{kind.description} (N: {kind.number})") for kind in FaultKind])


@click.command("sandbox", cls=_Listing, context_settings=options.CONTEXT)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8787, show_default=True, help="0 takes a free one."
)
@click.option(
    "--state",
    type=options.PATH,
    metavar="FILE",
    help="Keeps leads and jobs from one start to the next.  [default: in memory]",
)
@click.option(
    "--job-seconds",
    type=click.FloatRange(0),
    default=0.4,
    show_default=True,
    metavar="S",
    help="Length of a job.",
)
@click.option(
    "--time-scale",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    metavar="N",
    help="Seconds that pass in the sandbox in one real second.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="KIND[:N]",
    help="What shall go wrong. Repeatable.",
)
@click.option(
    "--scenario",
    type=options.PATH,
    metavar="FILE",
    help="A TOML file of faults, fields, and switches for what Marketo leaves undocumented.",
)
@click.option("--faults", "lists_faults", is_flag=True, help="List the kinds of faults and exit.")
def command(
    *,
    port: int,
    state: Path | None,
    job_seconds: float,
    time_scale: float,
    faults: tuple[str, ...],
    scenario: Path | None,
    lists_faults: bool,
) -> None:
    """Run a local stand-in for Marketo, until Ctrl-C. Unofficial: written from observed behaviour.

    The first line on stdout is its address. It serves this machine only; client id and secret are the words
    id and secret.

    A scenario file holds a table [behaviour] with attributes of prep.sandbox.Behaviour, tables [[fault]]
    with kind and, if wanted, at, times, seconds and place (identity, import, status, failures, warnings,
    other, any), tables [[field]] with rest_name and, if wanted, display_name, data_type, length, read_only
    and soap_name, and absent, a list of fields that this instance shall lack.

    \b
    Examples:
      prep sandbox &
      export MARKETO_ENDPOINT=http://127.0.0.1:8787 MARKETO_CLIENT_ID=id MARKETO_CLIENT_SECRET=secret
      prep run leads.csv --poll-seconds 0.5
      prep sandbox --fault lost-reply:2        the answer to the second upload gets lost
      prep sandbox --scenario monday.toml --time-scale 3600
    """
    import sqlite3

    from prep.sandbox import Fault, FaultKind, Scenario, load_scenario, serve

    if lists_faults:
        say(*(f"{kind:<16}  {kind.description}" for kind in FaultKind))
        return
    try:
        planned = [Fault.parse(text) for text in faults]
    except ValueError as error:
        raise click.UsageError(f"--fault: {error}") from None
    try:
        told = load_scenario(scenario) if scenario else Scenario()
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{scenario}: {error.strerror}" if isinstance(error, OSError) else str(error),
            code="bad_scenario",
            hint="prep sandbox --help tells what a scenario file holds.",
            source=str(scenario),
        ) from None

    def ready(url: str) -> None:
        say(url)
        say("The sandbox listens; client id 'id', client secret 'secret'. Ctrl-C ends it.", err=True)

    try:
        serve(
            state,
            ready=ready,
            port=port,
            job_seconds=job_seconds,
            time_scale=time_scale,
            behaviour=told.behaviour,
            faults=[*told.faults, *planned],
            fields=told.fields,
            absent=told.absent,
        )
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise SettingsError(
            f"port {port} is taken by another program",
            code="port_taken",
            hint="--port 0 takes a free one and prints its address.",
        ) from None
    except sqlite3.Error as error:
        raise SettingsError(
            f"{state}: cannot keep the sandbox's state ({error})",
            code="bad_state_file",
            hint="--state takes the file of an earlier sandbox, or makes a new one in a folder that exists.",
            source=str(state),
        ) from None
