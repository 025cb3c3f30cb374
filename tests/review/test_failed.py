"""Rows that Marketo refused: shown with its words, repaired like the others."""

from pathlib import Path

import pytest

import prep
from prep.errors import SourceError
from prep.outcome_tables import CELLS_OF_ONE
from prep.pipeline import reconcile, retry, submit
from prep.review import Desk
from prep.review.answers import describe, page
from prep.review.desk import View


def test_failed_rows_are_repaired_beside_rejected_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("leads.csv").write_text(
        "email,firstName\nana@example.com,Ana\nshared.mailbox@example.com,Dora\nno-address,Nemo\n"
    )
    with prep.Sandbox(job_seconds=0) as sandbox, prep.Marketo(sandbox.url, "id", "secret") as client:
        run = submit(prep.clean("leads.csv"), client, poll_seconds=(0.05, 1))
    desk = Desk.open(run.path)
    rejected, failed = page(desk, View(), 1, 50)["data"]
    assert (rejected["table"], failed["table"]) == ("rejected.csv", "failed.csv")
    assert (failed["row"], failed["state"], failed["c0"]) == (2, "open", "shared.mailbox@example.com")
    assert failed["message"]
    (problem,) = failed["problems"]
    assert (problem["text"], problem["remedy"]) == (
        "several leads of the instance have this lookup value",
        "merge them in Marketo, or send the row with --lookup-field id",
    )
    marketos = [reason for reason in describe(desk)["reasons"] if reason["isMarketos"]]
    assert [(reason["code"], reason["rows"]) for reason in marketos] == [("marketo.several_leads", 1)]
    desk.edit(failed["id"], 0, "dora@")
    assert desk.rows["_reasons"][failed["id"]] == "email:invalid_email"
    desk.edit(failed["id"], 0, "dora@example.com")
    assert desk.counts() == {"open": 1, "repaired": 1, "left out": 0, "rows": 2}
    again = retry(run)
    assert again.rows.select("row", "fate", "key").rows() == [(2, "ready", "dora@example.com")]
    desk.leave_out([failed["id"]], is_left_out=True)
    with pytest.raises(prep.PrepError, match="no row failed"):
        retry(run)
    desk.close()


def test_a_table_that_is_gone_is_told_beside_the_rows_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("leads.csv").write_text("email\nana@example.com\nshared.mailbox@example.com\nno-address\n")
    with prep.Sandbox(job_seconds=0) as sandbox, prep.Marketo(sandbox.url, "id", "secret") as client:
        run = submit(prep.clean("leads.csv"), client, poll_seconds=(0.05, 1))
    for table, words in (
        (
            run.folder.rejected,
            "leads.prep/rejected.csv: is gone, although the run has rejected rows: 1. Save",
        ),
        (
            run.folder.failed,
            "leads.prep/failed.csv: is gone, although the run has failed rows: 1. prep reconc",
        ),
    ):
        text = table.read_bytes()
        table.unlink()
        desk = Desk.open(run.path)
        (notice,) = describe(desk)["notices"]
        assert notice.startswith(words)
        assert desk.counts()["rows"] == 1
        desk.close()
        table.write_bytes(text)


def test_values_as_sent_are_judged_by_their_fields_where_these_are_mapped_crosswise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "email,title,numberOfEmployees\nshared.mailbox@example.com,5,Cook\nbad,6,Chief\n"
    Path("leads.csv").write_text(text)
    maps = {"title": "numberOfEmployees", "numberOfEmployees": "title"}
    run = prep.clean("leads.csv", maps=maps)
    Path("leads.csv").unlink()
    with prep.Sandbox(job_seconds=0) as sandbox, prep.Marketo(sandbox.url, "id", "secret") as client:
        run = submit(run, client, poll_seconds=(0.05, 1))
    Path("leads.csv").write_text(text)
    desk = Desk.open(run.path)
    rejected, failed = page(desk, View(), 1, 50)["data"]
    assert [rejected[f"c{place}"] for place in range(3)] == ["bad", "6", "Chief"]
    assert [failed[f"c{place}"] for place in range(3)] == ["shared.mailbox@example.com", "5", "Cook"]
    desk.edit(rejected["id"], 0, "bo@example.com")
    desk.edit(failed["id"], 0, "dora@example.com")
    desk.edit(failed["id"], 2, "Chef")
    assert desk.counts() == {"open": 0, "repaired": 2, "left out": 0, "rows": 2}
    desk.close()
    assert (retry(run).path / "chunks/leads-0001.csv").read_text() == (
        "email,numberOfEmployees,title\ndora@example.com,5,Chef\nbo@example.com,6,Chief\n"
    )


def test_corrections_stay_in_their_fields_where_the_table_becomes_values_as_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "Notes,Title,Email,Company\n,,shared.mailbox@example.com,\n"
    Path("leads.csv").write_text(text)
    with prep.Sandbox(job_seconds=0) as sandbox, prep.Marketo(sandbox.url, "id", "secret") as client:
        run = submit(prep.clean("leads.csv", unknown="drop"), client, poll_seconds=(0.05, 1))
        desk = Desk.open(run.path)
        assert [name for name, _ in desk.sheet.columns] == ["Notes", "Title", "Email", "Company"]
        desk.edit(0, 1, "Cook")
        desk.edit(0, 3, "Acme")
        desk.close()
        Path("leads.csv").unlink()
        reconcile(run, client)
        again = Desk.open(run.path)
        assert [name for name, _ in again.sheet.columns] == ["Title", "Email", "Company"]
        assert again.rows.select("0", "1", "2").rows() == [("Cook", "shared.mailbox@example.com", "Acme")]
        again.close()
        assert (retry(run).path / "chunks/leads-0001.csv").read_text() == (
            "title,email,company\nCook,shared.mailbox@example.com,Acme\n"
        )
        Path("leads.csv").write_text(text)
        reconcile(run, client)
        desk = Desk.open(run.path)
        desk.edit(0, 0, "called")
        desk.close()
        Path("leads.csv").unlink()
        reconcile(run, client)
    for work in (lambda: Desk.open(run.path), lambda: retry(run)):
        with pytest.raises(SourceError, match="in prep review: 'Notes'") as raised:
            work()
        assert raised.value.code == "lost_columns"
        assert raised.value.hint.startswith("Restore the table (put the sources back and give prep reconcile")


def test_a_table_that_was_corrected_keeps_its_cells_where_a_merged_row_fails_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was corrected is of these cells: beside values as sent nothing of it could be tried again."""
    monkeypatch.chdir(tmp_path)
    Path("leads.csv").write_text(
        "Email,First Name,Company,Birthday\n"
        "ana@example.com,Ana,,31/12/1990\n"
        "bo@example.com,Bo,,\n"
        "bo@example.com,,Lind,\n"
    )
    columns = ["Email", "First Name", "Company", "Birthday"]
    run = prep.clean("leads.csv", keep="merge", maps={"Birthday": "dateOfBirth"})
    with (
        prep.Sandbox(job_seconds=0, faults=["job-failed"]) as sandbox,
        prep.Marketo(sandbox.url, "id", "secret") as client,
        monkeypatch.context() as before,
    ):
        before.setattr("prep.outcome_tables._has_merged", lambda *_: False)
        run = submit(run, client, poll_seconds=(0.05, 1))
        desk = Desk.open(run.path)
        assert [name for name, _ in desk.sheet.columns] == columns
        desk.edit(0, 3, "30/12/1990")
        desk.close()
        before.undo()
        run = reconcile(run, client)
    assert run.report["remarks"] == [{"chunk": "failed.csv", "message": CELLS_OF_ONE}]
    desk = Desk.open(run.path)
    assert [name for name, _ in desk.sheet.columns] == columns
    desk.edit(1, 1, "Bo")
    desk.close()
    assert (retry(run).path / "chunks/leads-0001.csv").read_text() == (
        "email,firstName,company,dateOfBirth\nana@example.com,Ana,,1990-12-30\nbo@example.com,Bo,Lind,\n"
    )
