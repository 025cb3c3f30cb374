"""Fields that decide who may be written to are sent on somebody's word only."""

from pathlib import Path

import pytest

from prep.config import CleanOptions
from prep.errors import SettingsError
from prep.pipeline import clean, prepare
from prep.report import summarise


@pytest.fixture
def leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("leads.csv")
    path.write_text("email,Opted out,Do Not Call,Unsubscribed\na@example.com,x,yes,no\n")
    return path


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({}, ["email"]),
        ({"allow_protected": ["unsubscribed"]}, ["email", "unsubscribed"]),
        ({"maps": {"Opted out": "", "Do Not Call": "doNotCall"}}, ["email", "doNotCall"]),
        ({"constants": {"unsubscribed": "true"}}, ["email", "unsubscribed"]),
    ],
)
def test_they_are_sent_if_they_are_named(leads: Path, options: CleanOptions, fields: list[str]) -> None:
    prepared = prepare(leads, **{"maps": {"Opted out": ""}, **options})  # type: ignore[arg-type]  # as they are
    assert [name for name in prepared.ready.columns if not name.startswith("_")] == fields


def test_it_is_said_what_was_left_out(leads: Path) -> None:
    run = clean(leads, maps={"Opted out": ""})
    assert [(column["field"], column["how"]) for column in run.report["mapping"]] == [
        ("email", "exact"),
        (None, "dropped"),
        ("doNotCall", "protected"),
        ("unsubscribed", "protected"),
    ]
    summary = "\n".join(summarise(run.report, "leads.prep"))
    assert "'Unsubscribed': --allow-protected unsubscribed sends it" in summary
    assert "'Do Not Call': --allow-protected doNotCall sends it" in summary


def test_a_field_that_is_none_is_refused(leads: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        prepare(leads, maps={"Opted out": ""}, allow_protected=["unsubscrib"])
    assert caught.value.code == "unknown_field"


def test_a_field_of_ones_own_can_be_protected(leads: Path) -> None:
    Path("mine.toml").write_text('extends = "lead"\n[fields.noPost]\nprotected = true\n')
    leads.write_text("email,noPost\na@example.com,x\n")
    assert "noPost" not in prepare(leads, "mine.toml").ready.columns
