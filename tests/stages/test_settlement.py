"""From clean to the last fate, against a Marketo over real HTTP: what arrives is what was sent."""

import csv
import errno
import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from prep import durable
from prep import folder as prep_folder
from prep.advice import advise
from prep.config import Destination
from prep.errors import (
    BalanceError,
    FolderError,
    MarketoError,
    SettingsError,
    SourceError,
    TerminalError,
    TransientError,
)
from prep.marketo import Marketo
from prep.model import Exchange, JobState
from prep.objects import ImportObject
from prep.outcome_tables import LEFT_AS_IT_IS
from prep.pipeline import Run, clean, purge, reconcile, retry, settle, submit
from prep.report import summarise
from prep.review.desk import Desk
from prep.sandbox import Behaviour, Sandbox
from prep.schema_file import load_schema

LEADS = (
    "email,First Name,title,numberOfEmployees,mktoPersonNotes\n"
    "dora@example.com,Dora,Buyer,5,\n"
    '=odd@example.com,=Odd,\'Chief,6,"two\nlines, a comma; and a ""quote"""\n'
    "dora@example.com,Dora,Head,7,-5\n"
    "nobody,No,Body,8,\n"
    "big@example.com,Big,Boss,3000000000,\n"
    "eve@example.com,Eve,,9,x\n"
)
POLL = (0.02, 0.1)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(job_seconds=0, behaviour=Behaviour(window_calls=10_000)) as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Marketo]:
    with Marketo(sandbox.url, "id", "secret") as connected:
        yield connected


@pytest.fixture
def leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("leads.csv")
    path.write_text(LEADS)
    return path


@pytest.fixture
def sent(leads: Path, client: Marketo) -> Run:
    return submit(clean(leads), client, poll_seconds=POLL)


def table(path: Path, delimiter: str = ",") -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, delimiter=delimiter, strict=True))


def fates(run: Run) -> dict[int, str]:
    return dict(run.rows.select("row", "fate").rows())


def uploads(sandbox: Sandbox) -> list[bytes]:
    return [sandbox.upload(job.batch_id) for job in sandbox.jobs()]


TAIL = ["_source", "_row", "_line", "_chunk", "_batch_id", "_message", "_matched_by", "_field", "_advice"]
CHUNK = "chunks/leads-0001.csv"


def explained(message: str) -> tuple[str, str]:
    advice = advise(message, load_schema())
    return advice.field or "", advice.text


def test_fates(sent: Run) -> None:
    assert fates(sent) == {
        1: "duplicate",
        2: "warned",
        3: "imported",
        4: "rejected",
        5: "failed",
        6: "imported",
    }
    assert {name: number for name, number in sent.counts.items() if number} == {
        "read": 6,
        "rejected": 1,
        "duplicate": 1,
        "imported": 2,
        "warned": 1,
        "failed": 1,
    }
    assert (sent.report["state"], sent.report["exit_code"]) == ("reconciled", 3)


def test_failed_and_warned_rows_show_the_cells_of_the_source(sent: Run) -> None:
    failed, warned = table(sent.folder.failed), table(sent.folder.warnings)
    headers = ["email", "First Name", "title", "numberOfEmployees", "mktoPersonNotes"]
    messages = dict(sent.rows.select("row", "message").rows())
    assert failed == [
        [*headers, *TAIL],
        [
            *("big@example.com", "Big", "Boss", "3000000000", "", "leads.csv", "5", "7", CHUNK, "1001"),
            *(messages[5], "exact", *explained(messages[5])),
        ],
    ]
    assert warned == [
        [*headers, *TAIL],
        [
            *("'=odd@example.com", "'=Odd", "''Chief", "6", 'two\nlines, a comma; and a "quote"'),
            *("leads.csv", "2", "3", CHUNK, "1001", messages[2], "exact", *explained(messages[2])),
        ],
    ]
    assert messages[5]
    assert messages[2] == "Invalid email address"


def test_without_the_source_they_show_the_cells_that_were_sent(
    sent: Run, client: Marketo, leads: Path
) -> None:
    before = table(sent.folder.failed), table(sent.folder.warnings)
    leads.unlink()
    again = reconcile(sent, client)
    assert fates(again) == fates(sent)
    for path, (_, row) in zip((again.folder.failed, again.folder.warnings), before, strict=True):
        header, found = table(path)
        assert header == ["email", "firstName", "title", "numberOfEmployees", "mktoPersonNotes", *TAIL]
        assert found == row


def test_kept_rows_have_their_final_fate(sent: Run) -> None:
    assert table(sent.folder.duplicates) == [
        [
            *("email", "firstName", "title", "numberOfEmployees", "mktoPersonNotes"),
            *("_source", "_row", "_line", "_kept_source", "_kept_row", "_kept_fate"),
        ],
        ["dora@example.com", "Dora", "Buyer", "5", "", "leads.csv", "1", "2", "leads.csv", "3", "imported"],
    ]


@pytest.mark.parametrize("spoiled", [None, b"", b"\xff\xfe", b"a;b\n1;2\n"])
def test_a_table_that_somebody_removed_or_saved_anew_is_left_alone(
    sent: Run, client: Marketo, spoiled: bytes | None
) -> None:
    if spoiled is None:
        sent.folder.duplicates.unlink()
    else:
        sent.folder.duplicates.write_bytes(spoiled)
    assert fates(reconcile(sent, client)) == fates(sent)
    assert sent.folder.duplicates.exists() == (spoiled is not None)
    assert spoiled is None or sent.folder.duplicates.read_bytes() == spoiled


def test_a_line_to_which_somebody_added_cells_keeps_them(sent: Run, client: Marketo) -> None:
    before = (
        sent.folder.duplicates.read_bytes() + b"ana@example.com,,,,,leads.csv,9,9,leads.csv,3,,call back\n"
    )
    sent.folder.duplicates.write_bytes(before)
    assert fates(reconcile(sent, client)) == fates(sent)
    assert sent.folder.duplicates.read_bytes() == before


def test_what_somebody_corrected_in_the_table_of_failed_rows_is_not_written_over(
    sent: Run, client: Marketo
) -> None:
    before = sent.folder.failed.read_bytes().replace(b"3000000000", b"300")
    sent.folder.failed.write_bytes(before)
    for again in (submit, reconcile):
        assert fates(again(sent, client)) == fates(sent)
        assert sent.folder.failed.read_bytes() == before
    assert sent.report["remarks"] == []
    assert b"300" in retry(sent).folder.path.joinpath(CHUNK).read_bytes()


def test_rows_that_failed_after_others_were_corrected_are_told(leads: Path) -> None:
    with (
        Sandbox(job_seconds=60, time_scale=0) as sandbox,
        Marketo(sandbox.url, "id", "secret") as client,
    ):
        run = submit(clean(leads), client, wait=False, poll_seconds=POLL)
        saved = run.folder.failed.read_bytes().replace(b"\xef\xbb\xbf", b"")
        run.folder.failed.write_bytes(saved)
        sandbox.advance(120)
        run = submit(run, client, poll_seconds=POLL)
        assert run.folder.failed.read_bytes() == saved
        assert run.report["remarks"] == [{"chunk": "failed.csv", "message": LEFT_AS_IT_IS}]
        with pytest.raises(
            SourceError, match=r"failed rows that are not in failed\.csv, which are left out: 1"
        ):
            retry(run)
        run.folder.failed.unlink()
        run = reconcile(run, client)
        assert run.report["remarks"] == []
        assert [row[4] for row in table(run.folder.failed)[1:]] == [""]
        assert retry(run).counts["read"] == 1


def test_settling_that_fails_before_anything_is_replaced_stops_no_retry(sent: Run, client: Marketo) -> None:
    chunk = sent.path / CHUNK
    content = chunk.read_bytes()
    chunk.unlink()
    with pytest.raises(FolderError) as caught:
        reconcile(sent, client)
    assert caught.value.code == "missing_chunk"
    assert retry(sent, sent.path.with_name("again.prep")).counts["read"] == 1
    chunk.write_bytes(content)
    reconcile(sent, client)


def test_a_line_that_somebody_altered_is_not_lost(sent: Run, client: Marketo) -> None:
    text = sent.folder.duplicates.read_text(encoding="utf-8")
    sent.folder.duplicates.write_text(text.replace(",3,imported", ",99,imported"), encoding="utf-8")
    reconcile(sent, client)
    assert table(sent.folder.duplicates)[1][-3:] == ["leads.csv", "99", ""]


def test_settling_again_changes_nothing(sent: Run, client: Marketo) -> None:
    names = ("rows.parquet", "failed.csv", "warnings.csv", "duplicates.csv", "report.json")
    before = {name: (sent.path / name).read_bytes() for name in names}
    reconcile(sent, client)
    submit(sent, client, poll_seconds=POLL)
    assert {name: (sent.path / name).read_bytes() for name in names} == before


WEBINAR = "attendee-of-the-webinar-in-june-"
TABLES = ("rows.parquet", "failed.csv", "warnings.csv", "duplicates.csv")


@pytest.fixture
def told_of_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, client: Marketo
) -> dict[str, bytes]:
    """The tables of a run with all fates: two sources, and upload files whose rows are not neighbours."""
    monkeypatch.chdir(tmp_path)
    for name, first in (("one.csv", 0), ("two.csv", 30)):
        lines = [
            "email,First Name,numberOfEmployees",
            *(
                f"{WEBINAR}{row % 50}@example.com,{'Ana' * (row % 2)},{3_000_000_000 * (row % 7 == 0)}"
                for row in range(first, first + 40)
            ),
            "nobody,,",
            f'broken{first}@example.com,"x"y,1',
        ]
        Path(name).write_text("\n".join([*lines, ""]), encoding="utf-8")
    run = submit(
        clean(["one.csv", "two.csv"], "run", blanks="omit", max_bytes=1_000), client, poll_seconds=POLL
    )
    assert {fate for fate, rows in run.counts.items() if rows} == {
        *("read", "rejected", "duplicate", "imported", "failed"),
    }
    assert run.rows.filter(pl.col("chunk").is_not_null())["chunk"].rle().len() > len(uploads(sandbox)) > 3
    return {name: (run.path / name).read_bytes() for name in TABLES}


def told_by_parts(client: Marketo, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    monkeypatch.setattr(prep_folder, "_STREAMED_ROWS", 3)
    assert len(list(prep_folder.RunFolder("run").stream_rows())) == 28
    reconcile("run", client)
    return {name: Path("run", name).read_bytes() for name in TABLES}


def without_parquet(tables: dict[str, bytes]) -> tuple[pl.DataFrame, dict[str, bytes]]:
    others = {name: content for name, content in tables.items() if name != "rows.parquet"}
    return pl.read_parquet(io.BytesIO(tables["rows.parquet"])), others


def test_settling_part_by_part_tells_the_same(
    told_of_many: dict[str, bytes], client: Marketo, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, others = without_parquet(told_of_many)
    rows, found = without_parquet(told_by_parts(client, monkeypatch))
    assert_frame_equal(rows, expected)
    assert found == others
    failed = table(Path("run/failed.csv"))[1:]
    assert [tuple(line[3:5]) for line in failed] == [
        (source, str(row)) for source, row in expected.filter(fate="failed").select("source", "row").rows()
    ]
    assert all(
        line[0] == f"{WEBINAR}{(int(line[4]) - 1 + 30 * (line[3] == 'two.csv')) % 50}@example.com"
        for line in failed
    )


def test_settling_part_by_part_without_the_sources(
    told_of_many: dict[str, bytes], client: Marketo, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = table(Path("run/failed.csv"))[1:]
    for name in ("one.csv", "two.csv"):
        Path(name).unlink()
    rows, found = without_parquet(told_by_parts(client, monkeypatch))
    expected, others = without_parquet(told_of_many)
    assert_frame_equal(rows, expected)
    assert found["duplicates.csv"] == others["duplicates.csv"]
    assert table(Path("run/failed.csv"))[1:] == lines


def test_a_table_of_fates_that_its_upload_files_do_not_bear_out_is_refused(
    sent: Run, client: Marketo
) -> None:
    whole = sent.rows
    for row, chunk in ((1, CHUNK), (3, None), (3, "chunks/leads-0002.csv")):
        other = pl.when(row=row).then(pl.lit(chunk)).otherwise("chunk").alias("chunk")
        wrong = whole.with_columns(other)
        sent.folder.write_rows(wrong)
        before = sent.folder.rows.read_bytes()
        with pytest.raises(BalanceError, match=r"chunks/leads-000\d\.csv does not have the rows"):
            reconcile(sent, client)
        assert sent.folder.rows.read_bytes() == before


def test_a_warning_file_that_does_not_add_up_is_told(sent: Run, client: Marketo) -> None:
    assert sent.report["remarks"] == []
    (received,) = sent.folder.received.glob("*.warnings.csv")
    whole = received.read_bytes()
    received.write_bytes(whole.replace(b"odd@", b"even@"))
    run = submit(sent, client, poll_seconds=POLL)
    remarks = [
        {"chunk": CHUNK, "message": message}
        for message in (
            "warned rows: Marketo counts 1, its warning file names 0",
            "lines of the warning file that match no row: 1",
        )
    ]
    assert run.report["remarks"] == remarks
    assert fates(run)[2] == "imported"
    notes = [line for line in summarise(run.report, "leads.prep") if line.startswith("  note: ")]
    assert notes == [f"  note: {CHUNK}: {remark['message']}" for remark in remarks]
    page = run.folder.page.read_text(encoding="utf-8")
    assert "its warning file names 0" in page

    received.write_bytes(whole)
    again = submit(run, client, poll_seconds=POLL)
    assert (again.report["remarks"], fates(again)[2]) == ([], "warned")


def test_of_words_that_were_purged_only_the_report_tells(sent: Run) -> None:
    before = sent.report["messages"]
    assert {message["fate"] for message in before} == {"failed", "warned"}
    assert purge(sent).report["messages"] == []
    assert json.loads(sent.folder.report.read_text(encoding="utf-8"))["messages"] == before


@pytest.mark.parametrize("kind", ["failures", "warnings"])
def test_a_file_of_marketos_that_is_gone_unsettles_no_row(sent: Run, client: Marketo, kind: str) -> None:
    names = ("rows.parquet", "failed.csv", "warnings.csv", "duplicates.csv", "report.json")
    before = {name: (sent.path / name).read_bytes() for name in names}
    (received,) = sent.folder.received.glob(f"*.{kind}.csv")
    content = received.read_bytes()
    received.unlink()
    with pytest.raises(FolderError) as caught:
        submit(sent, client, poll_seconds=POLL)
    assert (caught.value.code, caught.value.source) == ("missing_received", str(received))
    assert caught.value.hint.startswith("prep reconcile leads.prep asks Marketo for it again")
    assert {name: (sent.path / name).read_bytes() for name in names} == before

    reconcile(sent, client)
    assert received.read_bytes() == content
    assert {name: (sent.path / name).read_bytes() for name in names} == before


def test_a_file_that_marketo_does_not_have_any_more_unsettles_no_row(
    sent: Run, sandbox: Sandbox, client: Marketo
) -> None:
    before = fates(sent), sent.folder.failed.read_bytes()
    for received in sent.folder.received.iterdir():
        received.unlink()
    sandbox.advance(8 * 24 * 60 * 60)
    with pytest.raises(TerminalError) as caught:
        reconcile(sent, client)
    assert caught.value.code == "unknown_batch"
    assert (fates(sent), sent.folder.failed.read_bytes()) == before
    assert retry(sent, sent.path.with_name("again.prep")).counts["read"] == 1


@pytest.fixture
def many(tmp_path: Path, client: Marketo, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Five uploads in which a row failed, whose failure files are gone."""
    monkeypatch.chdir(tmp_path)
    lines = [f"{number}@example.com,{'x' * 250},{'y' * 250},3000000000\n" for number in range(5)]
    Path("leads.csv").write_text(f"email,company,title,numberOfEmployees\n{''.join(lines)}")
    run = submit(clean("leads.csv", max_bytes=1_000), client, poll_seconds=POLL)
    for received in run.folder.received.iterdir():
        received.unlink()
    return run


@pytest.mark.parametrize(("in_vain", "found"), [(1, (5, 4)), (2, (5, 3)), (5, (3, 0))])
def test_a_failure_file_that_cannot_be_had_now_holds_up_no_other_one(
    many: Run, client: Marketo, monkeypatch: pytest.MonkeyPatch, in_vain: int, found: tuple[int, int]
) -> None:
    ill = [job["batch_id"] for job in many.report["jobs"]][:in_vain]
    fetch, fetched = client.failures, []

    def failures(batch_id: int, of: ImportObject) -> bytes:
        fetched.append(batch_id)
        if batch_id in ill:
            raise TransientError("the answer cannot be understood", code="unclear_reply")
        return fetch(batch_id, of)

    monkeypatch.setattr(client, "failures", failures)
    with pytest.raises(TransientError):
        reconcile(many, client)
    assert (len(fetched), len([*many.folder.received.iterdir()])) == found


def parsed(content: bytes, delimiter: str) -> list[dict[str, str | None]]:
    lines = csv.DictReader(io.StringIO(content.decode(), newline=""), delimiter=delimiter, strict=True)
    return [{name: cell or None for name, cell in line.items()} for line in lines]


@pytest.mark.parametrize("file_format", ["csv", "tsv", "ssv"])
@pytest.mark.parametrize("max_bytes", [1_000, 10_000_000])
def test_marketo_holds_what_the_chunks_hold(
    tmp_path: Path, sandbox: Sandbox, client: Marketo, file_format: str, max_bytes: int
) -> None:
    cells = ["plain", 'a "b", c; d\te', "two\nlines", "ünï 日本 😀", "'=1+1", "x" * 200, "trailing \\"]
    path = tmp_path / "leads.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(["email", "firstName", "mktoPersonNotes"])
        writer.writerows([f"person{n}@example.com", cells[n % 7], cells[n * 3 % 7]] for n in range(40))
    run = submit(
        clean(path, tmp_path / "x.prep", format=file_format, max_bytes=max_bytes), client, poll_seconds=POLL
    )
    assert run.counts["imported"] == 40
    delimiter = {"csv": ",", "tsv": "\t", "ssv": ";"}[file_format]
    chunks = [run.folder.read_chunk(chunk) for chunk in run.folder.manifest().results.chunks]
    assert (len(chunks) > 1) is (max_bytes == 1_000)
    assert uploads(sandbox) == chunks
    expected = [row for chunk in chunks for row in parsed(chunk, delimiter)]
    assert len(expected) == 40
    stored = {lead["email"]: lead for lead in sandbox.leads()}
    for row in expected:
        assert {name: stored[row["email"]].get(name) for name in row} == row


def test_a_second_submit_sends_nothing(sent: Run, sandbox: Sandbox, client: Marketo) -> None:
    before = len(sandbox.requests())
    again = submit(sent.path, client, poll_seconds=POLL)
    assert [request.place for request in sandbox.requests()[before:]] == []
    assert len(sandbox.jobs()) == 1
    assert fates(again) == fates(sent)


@pytest.mark.parametrize(
    ("content", "code"), [(None, "missing_chunk"), (b"email\nx@example.com\n", "chunk_changed")]
)
@pytest.mark.parametrize("was_begun", [False, True])
def test_no_upload_begins_while_another_one_is_damaged(
    tmp_path: Path, content: bytes | None, code: str, *, was_begun: bool
) -> None:
    path = tmp_path / "leads.csv"
    path.write_text("email\n" + "".join(f"person{number}@example.com\n" for number in range(200)))
    run = clean(path, tmp_path / "x.prep", max_bytes=1_000)
    *_, last = run.folder.manifest().results.chunks
    with (
        Sandbox(job_seconds=0, time_scale=0) as sandbox,
        Marketo(sandbox.url, "id", "secret") as client,
    ):
        if was_begun:
            submit(run, client, wait=False, queue_slots=1, poll_seconds=POLL)
        before = len(sandbox.jobs())
        whole = (run.path / last.file).read_bytes()
        if content is None:
            (run.path / last.file).unlink()
        else:
            (run.path / last.file).write_bytes(content)
        with pytest.raises(FolderError) as caught:
            submit(run, client, queue_slots=1, poll_seconds=POLL)
        assert (caught.value.code, len(sandbox.jobs())) == (code, before)
        assert before == was_begun
        (run.path / last.file).write_bytes(whole)
        assert submit(run, client, poll_seconds=POLL).counts["imported"] == 200


def test_a_run_without_ready_rows_sends_nothing(leads: Path, sandbox: Sandbox, client: Marketo) -> None:
    leads.write_text("email\nnobody\n")
    run = submit(clean(leads), client, poll_seconds=POLL)
    assert (run.counts["rejected"], run.report["exit_code"], sandbox.requests()) == (1, 3, [])


def test_no_wait_leaves_rows_sent_until_asked_again(leads: Path) -> None:
    with (
        Sandbox(job_seconds=60, time_scale=0) as sandbox,
        Marketo(sandbox.url, "id", "secret") as client,
    ):
        run = submit(clean(leads), client, wait=False, poll_seconds=POLL)
        assert run.counts["sent"] == 4
        assert (run.report["state"], run.report["exit_code"]) == ("waiting", 5)
        assert table(run.folder.duplicates)[1][-1] == "sent"
        assert table(run.folder.failed)[1:] == []
        sandbox.advance(120)
        run = submit(run, client, poll_seconds=POLL)
        assert run.counts["sent"] == 0
        assert table(run.folder.duplicates)[1][-1] == "imported"
        assert len(sandbox.jobs()) == 1


def test_tables_older_than_the_fates_are_not_tried_again(
    leads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full right when the table of a job's failed rows is to be written."""
    replacing = durable.replacing

    def full(path: Path, **named: Any) -> Any:
        if path.name == "failed.csv":
            raise OSError(errno.ENOSPC, "No space left on device")
        return replacing(path, **named)

    with (
        Sandbox(job_seconds=60, time_scale=0) as sandbox,
        Marketo(sandbox.url, "id", "secret") as client,
    ):
        run = submit(clean(leads), client, wait=False, poll_seconds=POLL)
        sandbox.advance(120)
        with monkeypatch.context() as during:
            during.setattr(durable, "replacing", full)
            with pytest.raises(FolderError, match="No space left"):
                submit(run, client, poll_seconds=POLL)
        assert (run.counts["failed"], len(table(run.folder.failed))) == (1, 1)
        for use in (retry, Desk.open):
            with pytest.raises(FolderError) as caught:
                use(run.path)
            hint = f"prep resume {run.path} writes them."
            assert (caught.value.code, caught.value.hint) == ("tables_not_finished", hint)
        submit(run, client, poll_seconds=POLL)
    assert len(table(run.folder.failed)) == 2
    assert retry(run).counts["read"] == 1


def test_a_source_that_changed_is_refused_before_anything_is_sent(
    leads: Path, sandbox: Sandbox, client: Marketo
) -> None:
    run = clean(leads)
    leads.write_text(LEADS + "zoe@example.com,,,,\n")
    for call in (submit, reconcile):
        with pytest.raises(FolderError, match=r"leads\.csv: changed since it was cleaned"):
            call(run, client)
    assert sandbox.requests() == []


def test_a_source_that_changes_while_jobs_run_does_not_hide_the_fates(
    leads: Path, sandbox: Sandbox, client: Marketo
) -> None:
    run = clean(leads)

    def change(_: object) -> None:
        leads.write_text(LEADS + "zoe@example.com,,,,\n")

    with pytest.raises(FolderError, match="changed since it was cleaned"):
        submit(run, client, poll_seconds=POLL, progress=change)
    assert run.counts["imported"] == 2
    assert '"state": "reconciled"' in run.folder.report.read_text()
    assert len(sandbox.jobs()) == 1


def test_a_chunk_that_changed_is_not_sent(leads: Path, sandbox: Sandbox, client: Marketo) -> None:
    run = clean(leads)
    (run.path / CHUNK).write_text("email\nzoe@example.com\n")
    with pytest.raises(FolderError, match="changed since it was written"):
        submit(run, client, poll_seconds=POLL)
    assert sandbox.jobs() == []
    assert run.counts["ready"] == 4


def test_an_unfinished_clean_is_neither_sent_nor_marked(
    leads: Path, sandbox: Sandbox, client: Marketo
) -> None:
    run = clean(leads)
    text = run.folder.manifest_file.read_text()
    start = text.index('"cleaned": {')
    unfinished = text[:start] + '"cleaned": null, "was": {' + text[start + len('"cleaned": {') :]
    run.folder.manifest_file.write_text(unfinished)
    with pytest.raises(FolderError, match="cleaning was interrupted"):
        submit(run, client)
    assert run.folder.manifest_file.read_text() == unfinished
    assert (run.folder.ledger.exists(), sandbox.requests()) == (False, [])


def test_a_run_belongs_to_one_target(sent: Run, client: Marketo, sandbox: Sandbox) -> None:
    with Sandbox(job_seconds=0) as second, Marketo(second.url, "id", "secret") as other:
        for call in (submit, reconcile):
            with pytest.raises(FolderError) as caught:
                call(sent, other)
            assert caught.value.code == "other_target"
            assert caught.value.message == f"the run belongs to {client.host}, list none, partition none"
        assert second.requests() == []
    for wanted in (
        Destination(client.host, list_id=1001),
        Destination(client.host, partition_name="Europe"),
        Destination("x.mktorest.com"),
    ):
        with pytest.raises(FolderError) as caught:
            submit(sent, client, wanted)
        assert caught.value.code == "other_target"
    assert len(sandbox.jobs()) == 1


def test_a_destination_names_the_instance_as_its_client_does(
    leads: Path, client: Marketo, sandbox: Sandbox
) -> None:
    run = clean(leads)
    elsewhere = Destination("123-ABC-456.mktorest.com", list_id=1001)
    assert elsewhere == Destination("123-abc-456.mktorest.com", list_id=1001)
    with pytest.raises(FolderError) as caught:
        submit(run, client, elsewhere)
    assert (caught.value.code, caught.value.message, caught.value.hint) == (
        "other_target",
        f"the destination is 123-abc-456.mktorest.com, and the client talks to {client.host}",
        "Give Destination(client.host, …), or a client of that instance.",
    )
    for target in ("https://123-abc-456.mktorest.com", sandbox.url, ""):
        with pytest.raises(SettingsError) as refused:
            Destination(target, list_id=1001)
        assert (refused.value.code, refused.value.message) == ("bad_destination", f"target is {target!r}")
    assert sandbox.jobs() == []


def test_rows_for_the_sandbox_never_go_to_an_instance(leads: Path) -> None:
    run = clean(leads, destination=Destination("sandbox"))
    with Marketo("https://123-abc-456.mktorest.com", "id", "secret") as client:
        with pytest.raises(FolderError) as caught:
            submit(run, client)
        assert caught.value.code == "other_target"


def test_a_sandbox_may_have_another_port_each_time(leads: Path, tmp_path: Path) -> None:
    run = clean(leads, destination=Destination("sandbox"))
    for _ in range(2):
        with (
            Sandbox(tmp_path / "sandbox.sqlite", job_seconds=0) as sandbox,
            Marketo(sandbox.url, "id", "secret") as client,
        ):
            run = submit(run, client, poll_seconds=POLL)
            assert len(sandbox.jobs()) == 1
    assert run.report["target"] == "sandbox"


def test_a_list_by_name_is_looked_up_once(leads: Path, sandbox: Sandbox, client: Marketo) -> None:
    wanted = Destination(client.host, list_name="Newsletter")
    run = submit(clean(leads, destination=wanted), client, wanted, poll_seconds=POLL)
    assert run.folder.manifest().destination == Destination(client.host, 1002, "Newsletter")
    assert len(sandbox.members(1002)) == 3
    run = clean(leads, destination=wanted)
    submit(run, client, wanted, poll_seconds=POLL)
    submit(run, client, poll_seconds=POLL)
    assert len(sandbox.jobs()) == 1


def test_a_list_by_name_is_looked_up_again_where_a_run_is_sent_instead(
    leads: Path, sandbox: Sandbox, client: Marketo
) -> None:
    made_for = Destination("x.mktorest.com", list_id=4711, list_name="Newsletter")
    run = clean(leads, destination=made_for)
    with pytest.raises(FolderError, match=r"belongs to x\.mktorest\.com"):
        submit(run, client)
    submit(run, client, Destination(client.host, list_name="Newsletter"), poll_seconds=POLL)
    known = run.folder.manifest().destination
    assert known
    assert (known.target, known.list_name) == (client.host, "Newsletter")
    assert known.list_id != made_for.list_id
    assert len(sandbox.members(known.list_id or 0)) == 3


def test_a_list_that_is_not_there_leaves_rows_ready(leads: Path, sandbox: Sandbox, client: Marketo) -> None:
    run = clean(leads)
    with pytest.raises(TerminalError, match="Marketo has no static list called 'Nope'"):
        submit(run, client, Destination(client.host, list_name="Nope"), poll_seconds=POLL)
    assert (run.counts["ready"], sandbox.jobs()) == (4, [])
    assert run.folder.manifest().destination is None


def test_a_refused_upload_leaves_rows_ready(leads: Path, sandbox: Sandbox) -> None:
    run = clean(leads)
    with Marketo(sandbox.url, "id", "wrong") as client, pytest.raises(MarketoError):
        submit(run, client, poll_seconds=POLL)
    assert run.counts["ready"] == 4
    with Marketo(sandbox.url, "id", "secret") as client:
        assert submit(run, client, poll_seconds=POLL).counts["ready"] == 0


@pytest.mark.parametrize(
    ("fault", "unknown", "state"),
    [("lost-reply:1", 4, "unknown"), ("file-short:1", 4, "unknown"), ("job-failed:1", 0, "reconciled")],
)
def test_what_nobody_can_tell_is_unknown(leads: Path, fault: str, unknown: int, state: str) -> None:
    with Sandbox(job_seconds=0, faults=[fault]) as sandbox, Marketo(sandbox.url, "id", "secret") as client:
        run = submit(clean(leads), client, poll_seconds=POLL)
        assert (run.counts["unknown"], run.report["state"]) == (unknown, state)
        assert run.counts["read"] == 6
        assert len(sandbox.jobs()) == 1
        again = submit(run, client, poll_seconds=POLL)
        assert (fates(again), len(sandbox.jobs())) == (fates(run), 1)


def test_each_doubt_about_a_failure_file_is_a_clause_of_its_own(
    leads: Path, client: Marketo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "failures", lambda *_: b"<body>Please log in</body>")

    (job,) = submit(clean(leads), client, poll_seconds=POLL).report["jobs"]

    assert job["message"] == (
        "failed rows: Marketo counts 1, its failure file names 0; "
        "lines of the failure file that cannot be read: 1"
    )


@pytest.mark.parametrize(
    ("decision", "batch_id"),
    [("lost", 3404), *(("landed", no_id) for no_id in (0, -5, 2**63, "x", 1.5, True))],
)
def test_what_is_no_batch_id_decides_nothing(leads: Path, decision: Any, batch_id: Any) -> None:
    """Without any id the rows count as imported, so nothing else must be taken for none."""
    with Sandbox(job_seconds=0, faults=["lost-reply:1"]) as box, Marketo(box.url, "id", "secret") as client:
        run = submit(clean(leads), client, poll_seconds=POLL)
        with pytest.raises(SettingsError) as caught:
            settle(run, "leads-0001.csv", decision, batch_id=batch_id)
        assert caught.value.code == "bad_batch_id"
        assert run.counts["unknown"] == 4


@pytest.mark.parametrize("decision", ["LOST", "Landed", "not landed", "", None])
def test_only_two_words_decide(leads: Path, decision: Any) -> None:
    with Sandbox(job_seconds=0, faults=["lost-reply:1"]) as box, Marketo(box.url, "id", "secret") as client:
        run = submit(clean(leads), client, poll_seconds=POLL)
        with pytest.raises(SettingsError) as caught:
            settle(run, "leads-0001.csv", decision)
        assert caught.value.code == "bad_decision"
        assert run.counts["unknown"] == 4


def test_an_upload_that_failed_as_a_whole_is_explained(leads: Path) -> None:
    with Sandbox(job_seconds=0, faults=["job-failed:1"]) as box, Marketo(box.url, "id", "secret") as client:
        run = submit(clean(leads), client, poll_seconds=POLL)

    (told,) = run.report["messages"]
    assert (told["fate"], told["code"], told["field"], told["rows"]) == ("failed", "whole_upload", None, 4)
    said = (
        "          4  failed, whole_upload: read what it said in failed.csv; prep retry sends the rows again"
    )
    assert said in summarise(run.report, "leads.prep")


def test_who_listens_to_the_client_hears_every_exchange_once(leads: Path, sandbox: Sandbox) -> None:
    heard: list[Any] = []
    with Marketo(sandbox.url, "id", "secret", on_exchange=heard.append) as client:
        run = submit(clean(leads), client, poll_seconds=POLL)
        reconcile(run, client)
        client.lists(name="Newsletter")
    assert [exchange.path for exchange in heard] == [request.path for request in sandbox.requests()]


def fail(exchange: Exchange) -> None:
    if exchange.path == "/bulk/v1/leads.json":
        raise ValueError(exchange.path)


@pytest.mark.parametrize("is_set_later", [False, True])
def test_who_listens_to_the_client_cannot_lose_a_batch_id(
    leads: Path, sandbox: Sandbox, *, is_set_later: bool
) -> None:
    given: list[Exchange] = []
    listener = given.append if is_set_later else fail
    with Marketo(sandbox.url, "id", "secret", on_exchange=listener) as client:
        if is_set_later:
            client.on_exchange = fail
        with pytest.warns(RuntimeWarning, match="on_exchange raised ValueError and is told no more"):
            run = submit(clean(leads), client, poll_seconds=POLL)
    assert (run.report["state"], run.counts["unknown"], run.counts["imported"]) == ("reconciled", 0, 2)


def test_a_single_upload_gives_its_batch_id_whoever_listens(sandbox: Sandbox) -> None:
    with (
        Marketo(sandbox.url, "id", "secret", on_exchange=fail) as client,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error")
        batch_id = client.import_leads("leads.csv", b"email\nana@example.com\n")
    assert [job.batch_id for job in sandbox.jobs()] == [batch_id]


def test_every_exchange_is_in_the_ledger(sent: Run, sandbox: Sandbox, client: Marketo) -> None:
    from prep.ledger import Ledger  # noqa: PLC0415

    reconcile(sent, client)
    with Ledger(sent.folder.ledger) as ledger:
        noted = [exchange.path for exchange in ledger.exchanges()]
        assert [job.state for job in ledger.jobs()] == [JobState.RECONCILED]
    asked = [request.path for request in sandbox.requests()]
    assert noted == asked


def test_several_sources_with_their_own_columns(tmp_path: Path, client: Marketo) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("email;numberOfEmployees;x\nana@example.com;3000000000;1\n")
    second.write_text("x,Employees,Mail\n2,3000000001,bo@example.com\n3,5,cy@example.com\n")
    run = submit(
        clean([first, second], tmp_path / "o.prep", maps={"Mail": "email"}, unknown="drop"),
        client,
        poll_seconds=POLL,
    )
    header, *rows = table(run.folder.failed, ";")
    assert header[: -len(TAIL)] == ["email", "numberOfEmployees", "x", "Employees", "Mail"]
    assert [row[:8] for row in rows] == [
        ["ana@example.com", "3000000000", "1", "", "", str(first), "1", "2"],
        ["", "", "2", "3000000001", "bo@example.com", str(second), "1", "2"],
    ]
    assert pl.read_parquet(run.folder.rows)["fate"].to_list() == ["failed", "failed", "imported"]
