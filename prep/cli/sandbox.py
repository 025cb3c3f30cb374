"""`prep sandbox`."""

from pathlib import Path

import click

from prep.cli import options


@click.command("sandbox", context_settings=options.CONTEXT)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8787, show_default=True, help="0 takes a free one."
)
@click.option(
    "--state", type=click.Path(path_type=Path, dir_okay=False), help="File that keeps leads and jobs."
)
@click.option(
    "--job-seconds", type=click.FloatRange(0), default=0.4, show_default=True, help="How long a job takes."
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
    "--fault", "faults", multiple=True, metavar="KIND", help="Something that shall go wrong. Repeatable."
)
def command(
    port: int, state: Path | None, job_seconds: float, time_scale: float, faults: tuple[str, ...]
) -> None:
    """Run a local stand-in for Marketo, until Ctrl-C. Unofficial: written from observed behaviour.

    \b
    Example:
      prep sandbox &
      export MARKETO_ENDPOINT=http://127.0.0.1:8787 MARKETO_CLIENT_ID=id MARKETO_CLIENT_SECRET=secret
      prep run leads.csv --poll-seconds 0.5
    """
    from prep.sandbox import serve

    def ready(url: str) -> None:
        click.echo(f"Sandbox at {url}, client id 'id', client secret 'secret'. Ctrl-C ends it.", err=True)

    try:
        serve(state, ready=ready, port=port, job_seconds=job_seconds, time_scale=time_scale, faults=faults)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
