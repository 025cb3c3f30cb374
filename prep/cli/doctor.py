"""`prep doctor`."""

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import Self
from zoneinfo import ZoneInfo

import click

from prep.cli import options, session
from prep.cli.terminal import say, say_json
from prep.errors import MarketoError, PrepError

_PACKAGES = ("leadprep", "polars", "pandera", "email-validator", "requests", "click")


@dataclass(frozen=True)
class _Finding:
    name: str
    ok: bool
    text: str

    @classmethod
    def of(cls, name: str, error: PrepError) -> Self:
        return cls(name, ok=False, text=f"{error.message}. {error.hint}".rstrip())


@click.command("doctor", context_settings=options.CONTEXT)
@options.target
@options.json_only
def command(*, sandbox: bool, allow_host: str | None, as_json: bool) -> int:
    """Check versions, settings, credentials, clock and use of the quota; sends no lead.

    Asks Marketo for a token and for today's number of API calls. Ends with 1 if settings are wrong, with 4 if
    Marketo refuses or cannot be reached.

    \b
    Examples:
      prep doctor
      prep doctor --sandbox
    """
    findings: list[_Finding] = []
    error: PrepError | None = None
    try:
        for finding in _examine(sandbox=sandbox, allow_host=allow_host):
            findings.append(finding)  # noqa: PERF402 (what was found before an error counts)
    except PrepError as found:
        name = "credentials" if isinstance(found, MarketoError) else "settings"
        findings.append(_Finding.of(name, found))
        error = found
    for finding in findings:
        say(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.name}: {finding.text}", err=as_json)
    code = error.exit_code if error else 0 if all(finding.ok for finding in findings) else 1
    if as_json:
        answer = {"findings": [asdict(finding) for finding in findings], "exit_code": code}
        say_json({**answer, "error": error.facts} if error else answer)
    return code


def _examine(*, sandbox: bool, allow_host: str | None) -> Iterator[_Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    yield _Finding("versions", ok=True, text=f"Python {python}, {packages}")
    yield _examine_schemas()
    with session.visit(sandbox=sandbox, allow_host=allow_host) as client:
        yield _Finding("settings", ok=True, text=f"endpoint {client.host}")
        usage = client.usage()
        yield _Finding("credentials", ok=True, text="accepted")
        yield _Finding("quota", ok=True, text=f"{usage.calls:,} API calls used today by all integrations")
        yield _examine_clock(usage.date)


def _examine_schemas() -> _Finding:
    from prep.schema import load_schema, schema_names

    schemas = [load_schema(name) for name in schema_names()]
    text = ", ".join(f"{schema.name} with {len(schema.fields)} fields" for schema in schemas)
    return _Finding("schemas", ok=True, text=text)


def _examine_clock(marketo_date: str) -> _Finding:
    """Marketo counts calls by the day in US Central time: the only clock that it shows."""
    here = datetime.now(ZoneInfo("America/Chicago")).date()
    ok = abs((here - date.fromisoformat(marketo_date)).days) <= 1
    text = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC here, {marketo_date} in Marketo's day"
    return _Finding("clock", ok=ok, text=text)
