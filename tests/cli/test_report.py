"""`prep report`: its page, opened and masked."""

from pathlib import Path

import pytest

from tests.cli.conftest import LEADS, Prep

MAY_BE_SHOWN = {
    *(
        "version",
        "run_id",
        "parent_run_id",
        "goal",
        "max_rejected",
        "state",
        "target",
        "is_restore",
        "purged",
        "masked",
    ),
    *(
        "sources",
        "sheets",
        "lookup_field",
        "format",
        "schema",
        "object",
        "mapping",
        "conventions",
        "settings",
    ),
    *("counts", "balanced", "assumed", "reasons", "messages", "changes", "profile", "duplicates", "notes"),
    *("blanks", "blank_cells", "cleared_cells", "suppression", "remarks", "preflight", "preview"),
    *("chunks", "jobs", "transitions", "seconds", "exit_code"),
    *("list_id", "list_name", "partition_name", "program_id", "program_status"),
}
"""Whoever adds a key to the report decides here, and in `mask_report`, what a reader outside may see."""

SECRETS = ("gala", "Ruiz", "Jürgen", "4471", "Sevilla", "hidden sheet")


@pytest.fixture
def folder(prep: Prep, here: Path) -> Path:
    """A run whose names tell of people wherever names can do so."""
    text = LEADS.replace("email,firstName,company", "email,firstName,Anna Ruiz 4471")
    (here / "gala Jürgen.csv").write_text(f"{text}x@example.com\n", encoding="utf-8")
    done = prep(
        *("clean", "gala Jürgen.csv", "-o", "gala.prep", "--map", "Anna Ruiz 4471=company", "-q"),
        *("--set", "leadSource=Sevilla", "--allow-rejects"),
    )
    assert (done.code, done.err) == (0, "")
    return here / "gala.prep"


def test_a_masked_report_tells_the_numbers_and_no_names(prep: Prep, folder: Path) -> None:
    plain = prep("report", "gala.prep", "--json").json
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert [word for word in SECRETS if word in page] == ["gala", "Ruiz", "Jürgen", "4471", "Sevilla"]

    done = prep("report", "gala.prep", "--mask", "--json", "--allow-rejects")
    masked_page = (folder / "report-masked.html").read_text(encoding="utf-8")
    words = done.err.replace("gala.prep/report-masked.html: written\n", "")
    for text in (done.out, words, masked_page):
        assert [word for word in SECRETS if word in text] == []
    assert (folder / "report.html").read_text(encoding="utf-8") == page

    masked = done.json
    assert masked.pop("masked") is True
    assert masked.keys() == plain.keys()
    kept = {"counts", "reasons", "messages", "profile", "duplicates", "transitions", "changes", "seconds"}
    assert {key: masked[key] for key in kept} == {key: plain[key] for key in kept}
    assert masked["sources"][0]["path"] == "source 1"
    assert sorted(column["source"] for column in masked["mapping"]) == [
        "--set leadSource",
        "column 3",
        "email",
        "firstName",
    ]
    choices = ("email_case", "blanks", "phones", "countries", "keep")
    assert [masked["settings"][name] for name in choices] == [plain["settings"][name] for name in choices]
    assert "are hidden on this page" in masked_page
    assert "are hidden on this page" not in page


def test_a_masked_report_shows_nothing_that_nobody_decided_on(prep: Prep, here: Path) -> None:
    (here / "leads.csv").write_text(LEADS, encoding="utf-8")
    (here / "left Sevilla.csv").write_text("email\nx@example.com\n", encoding="utf-8")
    lists = ("--suppress", "left Sevilla.csv")
    assert prep("clean", "leads.csv", *lists, "-q", "--allow-rejects").code == 0
    done = prep("report", "leads.prep", "--mask", "--json", "--allow-rejects")
    assert done.json.keys() == MAY_BE_SHOWN
    assert done.json["suppression"] == [{"path": "list 1", "sha256": None}]
    assert [text for text in (done.out, done.err) if "Sevilla" in text] == []


def test_a_page_is_opened_in_the_browser(prep: Prep, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def browser(address: str) -> bool:
        opened.append(address)
        return True

    monkeypatch.setattr("webbrowser.open", browser)
    (folder / "report.html").unlink()
    assert prep("report", "gala.prep", "--open", "--quiet").err == ""
    assert prep("report", "gala.prep", "--open", "--mask", "--quiet").err == ""
    assert opened == [(folder / name).as_uri() for name in ("report.html", "report-masked.html")]
    assert (folder / "report.html").exists()


def test_where_no_browser_answers_the_file_is_named(
    prep: Prep, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _: False)
    done = prep("report", "gala.prep", "--open", "--quiet", "--allow-rejects")
    assert (done.code, done.err) == (0, "gala.prep/report.html: no browser answers; open the file with one\n")
