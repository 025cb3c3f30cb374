"""The library as a program uses it: frames in, frames out, silent, without state, from several threads."""

import copy
import importlib
import io
import logging
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import prep
from prep.integrations.closing import close, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LEADS = """email,firstName,company
ada@example.com,Ada,Winter Clocks
not-an-address,Nemo,
ADA@example.com,Ada,Winter Clocks Ltd
ben@example.org,Ben,Fischer Tools
"""
"""Four rows: one is rejected, one loses to another one, two are ready."""

VALUES = ("ada@example.com", "Ada", "Winter Clocks", "not-an-address", "Nemo", "ben@example.org", "Fischer")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(("MARKETO_", "PREP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "leads.csv").write_text(LEADS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def sandbox() -> "Iterator[prep.Sandbox]":
    with prep.Sandbox(job_seconds=0) as running:
        yield running


def connect(sandbox: prep.Sandbox) -> prep.Marketo:
    return prep.Marketo(sandbox.url, "id", "secret")


def some(counts: dict[str, int]) -> dict[str, int]:
    return {fate: rows for fate, rows in counts.items() if rows}


def test_the_contract_word_for_word() -> None:
    schema = prep.load_schema("lead")
    assert type(schema.to_pandera()).__name__ == "DataFrameSchema"
    cells = prep.read("leads.csv")
    assert cells.columns == ["email", "firstName", "company", "_source", "_row", "_line"]
    prepared = prep.prepare("leads.csv", schema)
    assert (prepared.ready.height, prepared.rejected.height, prepared.duplicates.height) == (2, 1, 1)
    assert some(dict(prepared.counts)) == {"read": 4, "ready": 2, "rejected": 1, "duplicate": 1}
    run = prep.clean("leads.csv", "out/", schema=schema)
    with prep.Sandbox() as sandbox:
        client = prep.Marketo(sandbox.url, "id", "secret")
        outcome = prep.submit(run, client)
    assert outcome.rows["fate"].to_list() == ["duplicate", "rejected", "imported", "imported"]
    assert some(outcome.counts) == {"read": 4, "imported": 2, "rejected": 1, "duplicate": 1}


def test_a_frame_is_as_good_as_the_file_that_it_was_read_from() -> None:
    frame = pl.read_csv("leads.csv")
    identity = ["_source", "_row", "_line"]
    from_file = prep.prepare("leads.csv")
    for given in (frame, frame.lazy()):
        prepared = prep.prepare(given)
        assert_frame_equal(prepared.ready.drop(identity), from_file.ready.drop(identity))
        assert dict(prepared.counts) == dict(from_file.counts)
    run = prep.clean([frame.lazy(), "leads.csv"], "both")
    assert (run.counts["read"], run.counts["ready"]) == (8, 2)
    assert set(run.rows["source"]) == {"frame 1", "leads.csv"}
    assert prep.clean([frame.lazy(), "leads.csv"], "both").path == run.path, "the same again is taken up"


HOSTILE = {
    "email": ["''ada@example.com", "ben@example.org", "no address"],
    "company": ["''tHart", "'=SUM(1)", "'=2"],
    "phone": ["'+34 1", "''", "'-"],
}
"""Cells that begin with apostrophes and are no work of prep's."""


@pytest.mark.parametrize("kind", ["frame", "lazy", "parquet", "arrow", "ndjson", "csv", "xlsx", "sqlite"])
def test_only_cells_that_prep_guarded_lose_an_apostrophe(here: Path, kind: str) -> None:
    pl.DataFrame(HOSTILE).write_csv("a.csv")
    cells = prep.read("a.csv")
    path = here / f"again.{kind}"
    source: Path | pl.DataFrame | pl.LazyFrame | prep.Query = path
    match kind:
        case "frame":
            source = cells
        case "lazy":
            source = cells.lazy()
        case "parquet":
            cells.write_parquet(path)
        case "arrow":
            cells.write_ipc(path)
        case "ndjson":
            cells.write_ndjson(path)
        case "csv":
            cells.write_csv(path)
        case "xlsx":
            cells.write_excel(path)
        case _:
            with closing(sqlite3.connect("leads.db")) as database, database:
                database.execute("CREATE TABLE leads (email, company, phone, _source, _row, _line)")
                database.executemany("INSERT INTO leads VALUES (?, ?, ?, ?, ?, ?)", cells.rows())
            source = prep.Query("SELECT * FROM leads", "sqlite:///leads.db")
    direct, again, run = prep.prepare("a.csv"), prep.prepare(source), prep.clean(source, "out")
    assert direct.ready["company"].to_list() == ["''tHart", "'=SUM(1)"]
    assert_frame_equal(again.ready, direct.ready)
    assert_frame_equal(again.rejected.select(*HOSTILE), direct.rejected.select(*HOSTILE))
    (chunk,) = (run.path / "chunks").glob("*.csv")
    assert_frame_equal(pl.read_csv(chunk, infer_schema=False), direct.ready.select(*HOSTILE))


class DataFrame:
    """Iterates over the names of its columns and shows its cells, as one of pandas does."""

    __module__ = "pandas.core.frame"

    def __iter__(self) -> "Iterator[str]":
        return iter(["email", "company"])

    def __repr__(self) -> str:
        return "zoe@example.com"


NO_SOURCES = [
    (DataFrame(), "pandas.DataFrame"),
    (pl.Series(["zoe@example.com"]), "polars.Series"),
    (io.StringIO("email\nzoe@example.com\n"), "_io.StringIO"),
    (io.BytesIO(b"email\nzoe@example.com\n"), "_io.BytesIO"),
    (b"email\nzoe@example.com\n", "bytes"),
    ({"email": ["zoe@example.com"]}, "dict"),
    ({"zoe@example.com"}, "set"),
    (1001, "int"),
    (None, "NoneType"),
]


@pytest.mark.parametrize(("given", "name"), NO_SOURCES)
def test_what_is_no_source_is_told_without_its_cells(given: Any, name: str, here: Path) -> None:
    calls: list[Callable[[Any], object]] = [
        prep.prepare,
        prep.clean,
        lambda one: prep.prepare(["leads.csv", one]),
        prep.read,
    ]
    for call in calls:
        with pytest.raises(prep.SourceError) as caught:
            call(given)
        error = caught.value
        assert (error.code, error.message) == (
            "not_a_source",
            f"what was given as a source is of type {name}",
        )
        assert "pl.from_pandas(df), pl.from_arrow(table)" in error.hint
        assert "zoe" not in f"{error.facts}"
    assert [path.name for path in here.iterdir()] == ["leads.csv"]


def test_read_takes_no_frame_and_shows_none() -> None:
    for given in (pl.DataFrame({"email": ["zoe@example.com"]}), ["leads.csv"]):
        with pytest.raises(prep.SourceError) as caught:
            prep.read(given)  # type: ignore[arg-type]
        assert caught.value.code == "not_a_source"
        assert "prep.read takes the path of a file" in caught.value.hint
        assert "zoe" not in f"{caught.value.facts}"


@pytest.mark.parametrize("several", [lambda paths: (path for path in paths), lambda paths: map(str, paths)])
def test_several_sources_may_come_one_by_one(several: Any) -> None:
    paths = sorted(Path().glob("*.csv"))
    assert prep.prepare(several(paths)).counts["read"] == 4
    assert prep.prepare(dict.fromkeys(paths).keys()).counts["read"] == 4  # type: ignore[arg-type]


def test_what_prepare_returns_can_be_prepared_again() -> None:
    pl.DataFrame(HOSTILE).write_csv("a.csv")
    prepared = prep.prepare("a.csv")
    assert_frame_equal(prep.prepare(prepared.ready).ready, prepared.ready)
    corrected = prepared.rejected.drop("_reasons", "_raw").with_columns(email=pl.lit("cy@example.net"))
    again = prep.prepare(corrected).ready
    assert again.rows() == [("cy@example.net", "'=2", "'-", "a.csv", 3, 4)]


@pytest.mark.parametrize(
    ("name", "fates"),
    [
        ("rejected", {"read": 2, "rejected": 2}),
        ("duplicates", {"read": 1, "ready": 1}),
        ("suppressed", {"read": 1, "ready": 1}),
    ],
)
def test_rows_that_prepare_left_out_can_be_given_again_as_they_are(
    here: Path, name: str, fates: dict[str, int]
) -> None:
    Path("leads.csv").write_text(f"{LEADS}cy@example.net,Cy,one,cell,too many\n", encoding="utf-8")
    Path("never.csv").write_text("ben@example.org\n", encoding="utf-8")
    prepared = prep.prepare("leads.csv", suppress=["never.csv"])
    left_out: pl.DataFrame = getattr(prepared, name)
    left_out.write_parquet("left-out.parquet")

    for source in (left_out, left_out.lazy(), here / "left-out.parquet"):
        again = prep.prepare(source)
        assert some(dict(again.counts)) == fates
        rows = again.rejected if name == "rejected" else again.ready
        assert_frame_equal(rows, left_out.select(rows.columns))
    assert some(prep.clean(left_out, "out").counts) == fates


def test_lists_of_reasons_are_read_in_what_prepare_returned_alone() -> None:
    rejected = prep.prepare("leads.csv").rejected
    with pytest.raises(prep.InputError) as caught:
        prep.prepare(rejected.drop("_row"))
    assert (caught.value.code, caught.value.column) == ("nested_column", "_reasons")


def test_duplicates_of_a_run_can_be_given_again() -> None:
    run = prep.clean("leads.csv", "out")
    again = prep.prepare(run.path / "duplicates.csv").ready
    assert again.rows() == [("ada@example.com", "Ada", "Winter Clocks", "leads.csv", 1, 2)]


@pytest.mark.parametrize("name", ["rejected.csv", "rejected.xlsx"])
def test_a_table_that_prep_guarded_is_read_as_it_was(name: str) -> None:
    pl.DataFrame({**HOSTILE, "company": ["''tHart", "'=SUM(1)", "=2"]}).write_csv("a.csv")
    run = prep.clean("a.csv", "out")
    again = prep.prepare(run.path / name)
    assert again.rejected.select(*HOSTILE).rows() == [("no address", "=2", "'-")]
    assert again.rejected.select("_source", "_row", "_line").rows() == [("a.csv", 3, 4)]


def test_options_that_are_not_what_they_may_be_are_told() -> None:
    with pytest.raises(prep.SettingsError) as caught:
        prep.clean("leads.csv", "out", memory=500)  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.message) == ("bad_memory", "--memory does not know 500")
    with pytest.raises(prep.SettingsError) as caught:
        prep.prepare("leads.csv", header_line=-1)
    assert (caught.value.code, caught.value.message) == ("bad_option", "header_line is -1")
    assert "counted from 1, or 0" in caught.value.hint
    with pytest.raises(prep.SettingsError) as caught:
        prep.prepare("leads.csv", constants={"": "x"})
    assert (caught.value.code, caught.value.message) == (
        "unknown_field",
        "--set: '' is not a field of schema 'lead'",
    )
    with pytest.raises(prep.SettingsError) as caught:
        prep.clean("leads.csv", "out", goal="submit")  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.message) == (
        "bad_goal",
        "goal: 'submit' is neither 'clean' nor 'run'",
    )
    assert not Path("out").exists()


@pytest.mark.parametrize(("bound", "kept", "refused"), [(0, "0", True), ("0", "0", True), (1, "1", False)])
def test_a_bound_of_rejected_rows_may_be_a_number(bound: str | int, kept: str, *, refused: bool) -> None:
    run = prep.clean("leads.csv", "out", max_rejected=bound)
    assert (run.report["max_rejected"], run.counts["rejected"]) == (kept, 1)
    assert bool(refusal(run, bound)) is refused
    assert refusal(run, None) == ""
    with pytest.raises(prep.SettingsError, match=r"^--max-rejected does not know ''$"):
        refusal(run, "")


def test_a_bound_that_comes_late_does_not_hide_what_is_unknown(sandbox: prep.Sandbox) -> None:
    with connect(sandbox) as client:
        done = prep.submit(prep.clean("leads.csv", "done"), client)
    assert (refusal(done, 0), close(done, exit_code=3)["exit_code"]) == ("", 3)
    with prep.Sandbox(faults=["lost-reply"]) as losing, connect(losing) as client:
        lost = prep.submit(prep.clean("leads.csv", "lost"), client)
    assert refusal(lost, 0) == (
        "Nothing more is sent: 1 of 4 rows were rejected, more than --max-rejected 0 allows."
    )
    assert close(lost, exit_code=3)["exit_code"] == 6


def test_a_run_shows_its_folder_and_names_its_columns() -> None:
    run = prep.clean("leads.csv", "out")
    assert (repr(run), f"{[run]}") == ("Run('out')", "[Run('out')]")
    documented = prep.Run.rows.__doc__ or ""
    assert [name for name in run.rows.columns if f"`{name}`" not in documented] == []


def test_a_run_is_opened_again_by_its_folder(sandbox: prep.Sandbox) -> None:
    prep.clean("leads.csv", "out")
    run = prep.Run.open("out")
    assert run.report["state"] == "clean"
    assert prep.submit(run, connect(sandbox)).counts["imported"] == 2
    with pytest.raises(prep.FolderError):
        prep.Run.open("nothing")


def test_nothing_is_printed_and_nothing_logged_but_by_http_libraries(
    sandbox: prep.Sandbox, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    use_everything(sandbox)
    assert capfd.readouterr() == ("", "")
    assert {record.name.partition(".")[0] for record in caplog.records} <= {"urllib3", "asyncio", "uvicorn"}
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert [value for value in (*VALUES, "secret", "access_token") if value in logged] == []


def test_the_process_is_left_as_it_was(sandbox: prep.Sandbox) -> None:
    def state() -> tuple[object, ...]:
        return (
            dict(os.environ),
            Path.cwd(),
            list(logging.root.handlers),
            logging.root.level,
            list(warnings.filters),
            [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)],
            threading.excepthook,
            list(sys.path),
            pl.Config.state(),
        )

    prep.prepare("leads.csv")
    before = state()
    threads = set(threading.enumerate())
    use_everything(sandbox)
    assert state() == before
    assert {thread for thread in threading.enumerate() if not thread.daemon} <= threads


def test_what_is_no_client_is_told(sandbox: prep.Sandbox) -> None:
    run = prep.clean("leads.csv", "out")
    calls: list[Callable[[Any, Any], object]] = [prep.submit, prep.reconcile, prep.preview]
    for call in calls:
        for given, name in ((None, "NoneType"), (sandbox, "Sandbox"), (sandbox.url, "str")):
            with pytest.raises(prep.SettingsError) as caught:
                call(run, given)
            assert (caught.value.code, caught.value.message) == (
                "not_a_client",
                f"what was given as a client is of type {name}",
            )
    assert run.counts["ready"] == 2


def use_everything(sandbox: prep.Sandbox) -> None:
    prep.load_schema("lead").to_pandera()
    prep.read("leads.csv")
    prep.prepare("leads.csv", keep="merge")
    run = prep.clean("leads.csv", "first")
    with connect(sandbox) as client:
        prep.submit(run, client)
        prep.reconcile(run, client)
        prep.submit(prep.retry(run, everything=True), client)
    with prep.Sandbox(job_seconds=0, faults=["lost-reply"]) as forgetful, connect(forgetful) as client:
        lost = prep.submit(prep.clean("leads.csv", "second"), client)
        assert lost.counts["unknown"] == 2
        prep.settle(lost, "leads-0001.csv", "landed")
        prep.purge(prep.submit(lost, client))


def test_progress_is_told_of_every_stage_in_rows_shares_and_jobs(sandbox: prep.Sandbox) -> None:
    told: list[prep.Advance] = []
    run = prep.clean("leads.csv", "out", progress=told.append)
    assert [(advance.stage, advance.rows) for advance in told] == [("read", 0), ("validate", 4), ("write", 2)]
    assert told[-1].share == 1
    told.clear()
    prep.submit(run, connect(sandbox), progress=told.append)
    assert {advance.stage for advance in told} == {"import"}
    assert [told[0].rows, told[-1].rows, told[-1].share] == [0, 2, 1]
    assert [job.state.value for job in told[-1].jobs] == ["reconciled"]
    assert prep.retry(run, everything=True, progress=told.append).counts["read"] == 1
    assert told[-1].stage == "validate", "the row was rejected again"


def test_rows_that_marketo_was_given_are_sent_before_the_table_of_fates_says_so(
    sandbox: prep.Sandbox,
) -> None:
    """As while `prep run` waits, and after it was killed."""
    run = prep.clean("leads.csv", "out")
    table = run.folder.rows.read_bytes()
    told: list[dict[str, int]] = []

    def look(advance: prep.Advance) -> None:
        told.append(some(prep.Run.open("out").counts))

    prep.submit(run, connect(sandbox), wait=False, progress=look)
    run.folder.rows.write_bytes(table)
    assert run.rows.filter(fate="ready").height == 2
    expected = {"read": 4, "rejected": 1, "duplicate": 1, "sent": 2}
    assert told == [expected]
    assert (some(run.counts), some(run.report["counts"])) == (expected, expected)
    assert prep.submit(run, connect(sandbox)).counts["imported"] == 2


def test_counts_that_do_not_close_are_an_error() -> None:
    run = prep.clean("leads.csv", "out")
    run.rows.head(3).write_parquet(run.folder.rows)
    for say in (lambda: run.counts, lambda: run.report):
        with pytest.raises(prep.BalanceError, match="4 rows were read, but 3 have a fate"):
            say()


def test_a_listener_that_fails_harms_nothing_and_is_told_no_more(sandbox: prep.Sandbox) -> None:
    calls = []

    def fail(advance: prep.Advance) -> None:
        calls.append(advance.stage)
        raise ZeroDivisionError

    told = "progress raised ZeroDivisionError and is told no more; the run goes on"
    with pytest.warns(RuntimeWarning, match=told) as cleaning:
        run = prep.clean("leads.csv", "out", progress=fail)
    with pytest.warns(RuntimeWarning, match=told) as sending:
        outcome = prep.submit(run, connect(sandbox), progress=fail)
    with pytest.warns(RuntimeWarning, match=told) as trying_again:
        again = prep.retry(outcome, everything=True, progress=fail)
    assert calls == ["read", "import", "read"]
    assert (len(cleaning), len(sending), len(trying_again)) == (1, 1, 1)
    assert outcome.counts["imported"] == 2
    assert again.counts["read"] == 1


def test_an_interruption_from_a_listener_passes_and_the_same_call_carries_on(sandbox: prep.Sandbox) -> None:
    def stop(_: prep.Advance) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prep.clean("leads.csv", "out", progress=stop)
    run = prep.clean("leads.csv", "out")
    with pytest.raises(KeyboardInterrupt):
        prep.submit(run, connect(sandbox), progress=stop)
    assert prep.submit(run, connect(sandbox)).counts["imported"] == 2
    assert len(sandbox.jobs()) == 1


def test_several_runs_at_once_each_in_a_thread_of_its_own(here: Path, sandbox: prep.Sandbox) -> None:
    def work(number: int) -> prep.Run:
        source = here / f"{number}.csv"
        rows = "".join(f"p{number}-{row}@example.com,P{row}\n" for row in range(number + 1))
        source.write_text(f"email,firstName\n{rows}bad,X\n")
        with connect(sandbox) as client:
            return prep.submit(prep.clean(source, here / f"{number}.prep"), client)

    with ThreadPoolExecutor(6) as threads:
        runs = list(threads.map(work, range(6)))
    assert [some(run.counts) for run in runs] == [
        {"read": number + 2, "imported": number + 1, "rejected": 1} for number in range(6)
    ]
    emails = [str(lead["email"]) for lead in sandbox.leads() if str(lead["firstName"]).startswith("P")]
    assert len(emails) == len(set(emails)) == 21
    assert len(sandbox.jobs()) == 6


def test_an_error_of_a_process_arrives_in_the_one_that_asked(here: Path) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        error = processes.submit(prep.prepare, str(here / "absent.csv")).exception(timeout=60)
    assert isinstance(error, prep.SourceError)
    assert error.facts == {
        "code": "no_such_file",
        "message": f"{here}/absent.csv: there is no such file",
        "hint": "Check the name and the folder.",
        "source": f"{here}/absent.csv",
        "row": None,
        "column": None,
    }


@pytest.mark.parametrize("kind", [name for name in prep.__all__ if name.endswith("Error")])
def test_errors_can_be_pickled_without_what_is_for_the_terminal_alone(kind: str) -> None:
    error = getattr(prep, kind)("m", code="c", hint="h", source="s", row=1, column="f")
    error.detail = "a cell"
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301  # our own
        assert (type(again), str(again), again.facts) == (type(error), "m", error.facts)
        assert not hasattr(again, "detail")


def test_of_two_threads_on_one_folder_the_second_is_refused() -> None:
    reading, refused = threading.Event(), threading.Event()

    def stay(*_: object) -> None:
        reading.set()
        assert refused.wait(60)

    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(prep.clean, "leads.csv", "out", progress=stay)
        assert reading.wait(60)
        with pytest.raises(prep.FolderError) as caught:
            prep.clean("leads.csv", "out")
        refused.set()
        assert first.result().counts["read"] == 4
    assert caught.value.code == "folder_in_use"


@pytest.mark.parametrize("name", ["airflow", "dagster"])
def test_an_extra_that_is_missing_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"prep.integrations.{name}", raising=False)
    with pytest.raises(ModuleNotFoundError, match=rf"pip install 'leadprep\[{name}\]'"):
        importlib.import_module(f"prep.integrations.{name}")


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ("polars", "pandera", "requests", "rich", "click", "starlette", "pytest")
    code = f"import prep, sys; dir(prep); print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
