"""`prep doctor`."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from prep.cli import options
from prep.errors import PrepError

if TYPE_CHECKING:
    from prep.marketo import Marketo

_PACKAGES = ("leadprep", "polars", "pandera", "email-validator", "requests", "click")


@dataclass(frozen=True)
class _Finding:
    name: str
    ok: bool
    text: str


@click.command("doctor", context_settings=options.CONTEXT)
@options.target
@options.json_only
def command(*, sandbox: bool, allow_host: str | None, as_json: bool) -> int:
    """Check versions, settings, credentials, clock and use of the quota; sends no lead.

    \b
    Examples:
      prep doctor
      prep doctor --sandbox
    """
    findings = list(_examine(sandbox=sandbox, allow_host=allow_host))
    for finding in findings:
        click.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name}: {finding.text}", err=as_json)
    code = 0 if all(finding.ok for finding in findings) else 1
    if as_json:
        click.echo(json.dumps({"findings": [asdict(finding) for finding in findings], "exit_code": code}))
    return code


def _examine(*, sandbox: bool, allow_host: str | None) -> Iterator[_Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    yield _Finding("versions", ok=True, text=f"Python {python}, {packages}")
    yield _examine_schemas()
    with ExitStack() as stack:
        try:
            client = stack.enter_context(_connect(sandbox=sandbox, allow_host=allow_host))
        except PrepError as error:
            yield _Finding("settings", ok=False, text=f"{error.message}. {error.hint}")
            return
        yield _Finding("settings", ok=True, text=f"endpoint {client.host}")
        try:
            usage = client.usage()
        except PrepError as error:
            yield _Finding("credentials", ok=False, text=f"{error.message}. {error.hint}")
            return
        yield _Finding("credentials", ok=True, text="accepted")
        yield _Finding("quota", ok=True, text=f"{usage.calls:,} API calls used today by all integrations")
        yield _examine_clock(usage.date)


def _examine_schemas() -> _Finding:
    from prep.schema import load_schema, schema_names

    schemas = [load_schema(name) for name in schema_names()]
    text = ", ".join(f"{schema.name} with {len(schema.fields)} fields" for schema in schemas)
    return _Finding("schemas", ok=True, text=text)


@contextmanager
def _connect(*, sandbox: bool, allow_host: str | None) -> Iterator["Marketo"]:
    from prep.cli.session import SANDBOX, connect
    from prep.folder import RunFolder

    with TemporaryDirectory(prefix="prep-doctor-") as temporary:
        target = SANDBOX if sandbox else ""
        with connect(RunFolder(temporary), target, allow_host=allow_host) as client:
            yield client


def _examine_clock(marketo_date: str) -> _Finding:
    """Marketo counts calls by the day in US Central time: the only clock that it shows."""
    here = datetime.now(ZoneInfo("America/Chicago")).date()
    ok = abs((here - date.fromisoformat(marketo_date)).days) <= 1
    text = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC here, {marketo_date} in Marketo's day"
    return _Finding("clock", ok=ok, text=text)
