"""`prep review`."""

import webbrowser
from pathlib import Path
from threading import Thread

import click

from prep.cli import options, session
from prep.cli.terminal import say
from prep.errors import FolderError


@click.command("review", context_settings=options.CONTEXT)
@options.folder
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Where the page is served.  [default: a free port]",
)
@click.option("--no-browser", is_flag=True, help="Print the address only.")
def command(*, folder: Path, port: int, no_browser: bool) -> None:
    """See and repair rejected and failed rows on a local web page, until you press Done there or Ctrl-C here.

    Every correction is checked at once, can be undone, and is kept in the run folder from the moment it is
    made. "Make new run" does what prep retry does. Nothing is sent to Marketo. The page is served to this
    machine only, at an address that is good once: for another browser, run the command again.

    \b
    Examples:
      prep review leads.prep
      prep review leads.prep --no-browser --port 8790     on a server, through an SSH tunnel
    """
    from prep.review import serve

    def ready(address: str) -> None:
        say(address)
        say("The address is good once, on this machine. Done on the page, or Ctrl-C here, ends it.", err=True)
        if not no_browser:
            Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    session.open_run(folder)
    try:
        serve(folder, ready=ready, port=port)
    except FolderError as error:
        if error.code != "nothing_to_repair":
            raise
        say(f"{error.message}: nothing is to be repaired.")
