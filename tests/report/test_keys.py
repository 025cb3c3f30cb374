"""Every real report has the keys that the table names, and no other; so have the tables of a run folder."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prep.cli.defaults import SETTINGS
from prep.cli.main import run
from prep.fate_table import ROWS
from prep.report.keys import COLUMNS, KEYS, OPTIONAL
from prep.sandbox import Sandbox
from prep.sandbox.faults import Fault, FaultKind, Place

LEADS = """Email Address,Job Title,Birthday,Phone Number,Company Name,Employees
ana@gmial.com,NULL,13/04/1990,,Winter,4
ANA@gmial.com,CEO,14/04/1990,555-0123,,5
shared.mailbox@example.com,,01/02/1991,,Lind,
_bo@example.org,,15/04/1990,,Fischer,
never@example.net,,15/04/1990,,Otto,
nobody,,15/04/1990,,Niemand,many
william@example.com,,15/04/1990,,Hart,3000000000
ada.winter@example.com,,15/04/1990,,Clocks,3
"""
OTHER = """email,phone,Colour
ana@gmial.com,+34 910 000 000,
cy@example.net,,red
"""


def names(at: str) -> set[str]:
    """The keys that the table of keys gives to the table at a path."""
    below = {key.removeprefix(f"{at}.") if at else key for key in KEYS if not at or key.startswith(f"{at}.")}
    return {key.partition(".")[0].removesuffix("[]") for key in below}


def strangers(value: Any, at: str = "") -> Iterator[str]:
    """Keys that a report lacks or should not have."""
    if isinstance(value, list):
        for element in value:
            yield from strangers(element, f"{at}[]")
    elif isinstance(value, dict) and names(at) != {"*"}:
        yield from (f"{at}.{name}" for name in (value.keys() ^ names(at)) - OPTIONAL)
        for name, held in value.items():
            yield from strangers(held, f"{at}.{name}".lstrip("."))


def seen(value: Any, at: str = "") -> Iterator[str]:
    """Paths of all that a report holds."""
    if isinstance(value, list):
        for element in value:
            yield from seen(element, f"{at}[]")
    elif isinstance(value, dict) and names(at) != {"*"}:
        for name, held in value.items():
            yield from seen(held, f"{at}.{name}".lstrip("."))
    elif isinstance(value, dict):
        yield f"{at}.*"
    for place, dot in enumerate(at):
        if dot == ".":
            yield at[:place]
    yield at


def says(*arguments: str) -> int:
    return run([*arguments, "--quiet"])


RARE = {
    *("preview.not_restorable[]", "preview.not_restorable[].field", "preview.not_restorable[].cells"),
    *("preview.unreadable[]", "remarks[]", "remarks[].chunk", "remarks[].message", "sheets[]"),
}
"""Lists that are empty in the runs below."""


def test_a_report_has_the_keys_of_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text(LEADS)
    Path("b.csv").write_text(OTHER)
    Path("never.csv").write_text("email\nnever@example.net\n")
    cleaning = ["a.csv", "b.csv", "-o", "a.prep", "--unknown", "drop", "--suppress", "never.csv"]
    cleaning += ["--keep", "merge", "--blanks", "null", "--clear", "title", "--set", "leadSource=Fair"]
    assert says("clean", *cleaning, "--phones", "e164") == 3
    assert says("preview", "a.prep", "--sandbox") == 0
    assert says("submit", "a.prep", "--sandbox") == 3
    reports = []
    for more in (["a.prep"], ["a.prep", "--mask"], ["a.prep/restore"]):
        says("report", *more, "--json")
        reports.append(json.loads(capsys.readouterr().out))
    with Sandbox(faults=[Fault(kind=FaultKind.DAILY_QUOTA, place=Place.IMPORT)]) as sandbox:
        sandbox.add_field("company", length=2)
        monkeypatch.setenv("MARKETO_ENDPOINT", sandbox.url)
        monkeypatch.setenv("MARKETO_CLIENT_ID", "id")
        monkeypatch.setenv("MARKETO_CLIENT_SECRET", "secret")
        assert says("run", "a.csv", "-o", "b.prep", "--dates", "dmy", "--json") == 4
        reports.append(json.loads(capsys.readouterr().out))

    tables = [table.read_text(encoding="utf-8-sig") for table in tmp_path.glob("a.prep/*.csv")]
    headers = [next(csv.reader([table.partition("\n")[0]])) for table in tables]
    added = {name for header in headers for name in header if name.startswith("_")} | set(ROWS)
    assert len(headers) == 6
    assert added == {name for name in COLUMNS if name.startswith("_") or name in ROWS}

    assert says("retry", "a.prep", "--all") == 3
    Path("a.prep/copy.csv").write_text(LEADS)
    assert says("purge", "a.prep", "--json") == 0
    reports.append(json.loads(capsys.readouterr().out))
    for report in reports:
        assert list(strangers(report)) == []
    unseen = KEYS.keys() - {path for report in reports for path in seen(report)}
    assert unseen == RARE
    assert {name for report in reports for name in report["settings"]} <= SETTINGS.keys() - {"schema"}
