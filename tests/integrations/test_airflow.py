"""DAGs in Airflow itself, with `dag.test()`, against the sandbox over real HTTP."""

import asyncio
import importlib.util
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prep.config import Destination
from prep.marketo import Marketo
from prep.marketo.records import JobRecord
from prep.model import JobStatus
from prep.objects import ImportObject
from prep.sandbox import Sandbox
from tests.integrations.conftest import DAGS

pytestmark = pytest.mark.filterwarnings("default")  # Airflow and its dependencies warn of each other

PAGE = Path(__file__).parents[2] / "docs/airflow.md"
VALUES = ("ada@example.com", "Winter", "not-an-address", "Nemo", "ben@example.org", "Fischer")
LEADS = """email,firstName,company
ada@example.com,Ada,Winter Clocks
not-an-address,Nemo,
ADA@example.com,Ada,Winter Clocks Ltd
ben@example.org,Ben,Fischer Tools
"""
CLEAN = "email,firstName\nada@example.com,Ada\nben@example.org,Ben\n"


@pytest.fixture(scope="module", autouse=True)
def airflow() -> None:
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def order() -> dict[str, Any]:
    """What the sandbox is to be like; tests say so with `pytest.mark.parametrize`."""
    return {"job_seconds": 0}


@pytest.fixture
def sandbox(order: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(**order) as running:
        connection = {"conn_type": "marketo", "host": running.url, "login": "id", "password": "secret"}
        monkeypatch.setenv("AIRFLOW_CONN_MARKETO_DEFAULT", json.dumps(connection))
        yield running


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def run(name: str, code: str, **conf: object) -> SimpleNamespace:
    """Put a DAG into the folder of DAGs and run it; states and XComs by task, and the id of the run."""
    path = written(DAGS / f"{name}.py", code)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    from airflow.sdk import DAG

    (dag,) = (value for value in vars(module).values() if isinstance(value, DAG))
    done = dag.test(run_conf=conf)
    tasks = done.get_task_instances()
    return SimpleNamespace(
        state=str(done.state),
        run_id=done.run_id,
        tasks={task.task_id: str(task.state) for task in tasks},
        tries={task.task_id: task.try_number for task in tasks},
        xcom={task.task_id: task.xcom_pull(task_ids=task.task_id) for task in tasks},
    )


def one_task(name: str, operator: str, **arguments: object) -> SimpleNamespace:
    given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    code = f"""
from datetime import timedelta
from airflow.sdk import DAG
from prep.integrations.airflow.operators import *
import prep.integrations.airflow.operators as operators

with DAG({name!r}, schedule=None) as dag:
    operators.{operator}(task_id="it", retries=2, retry_delay=timedelta(seconds=0), {given})
"""
    found = run(name, code)
    return SimpleNamespace(state=found.tasks["it"], report=found.xcom["it"], tries=found.tries["it"])


def test_the_page_s_dag_imports_a_file_and_hands_the_report_on(
    here: Path, sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    written(here / "leads.csv", LEADS)
    done = run(
        "page",
        code.replace("with DAG(", "dag = DAG(").replace("):\n    Marketo", ")\nwith dag:\n    Marketo", 1),
    )
    assert done.tasks == {"import": "success"}
    folder = here / f"{done.run_id}.prep"
    assert done.xcom["import"] == json.loads((folder / "report.json").read_text())
    assert done.xcom["import"]["counts"]["imported"] == 2
    assert done.xcom["import"]["settings"]["keep"] == "merge"
    assert {"ADA@example.com", "ben@example.org"} <= {lead["email"] for lead in sandbox.leads()}
    told = json.dumps(done.xcom) + "".join(capfd.readouterr())
    assert [value for value in (*VALUES, '"secret"', "'secret'", "access_token") if value in told] == []


def test_prepare_submit_and_reconcile_are_tasks_of_their_own(here: Path, sandbox: Sandbox) -> None:
    source = written(here / "leads.csv", CLEAN)
    done = run(
        "three",
        f"""
from airflow.sdk import DAG
from prep.integrations.airflow.operators import (
    MarketoPrepareOperator, MarketoReconcileOperator, MarketoSubmitOperator,
)
FOLDER = "{here}/{{{{ run_id }}}}.prep"
with DAG("three", schedule=None) as dag:
    prepare = MarketoPrepareOperator(task_id="prepare", sources={str(source)!r}, folder=FOLDER)
    submit = MarketoSubmitOperator(task_id="submit", folder=FOLDER, deferrable=False)
    prepare >> submit >> MarketoReconcileOperator(task_id="reconcile", folder=FOLDER)
""",
    )
    assert done.tasks == dict.fromkeys(("prepare", "submit", "reconcile"), "success")
    states = {task: (report["state"], report["exit_code"]) for task, report in done.xcom.items()}
    assert states == {"prepare": ("clean", 0), "submit": ("reconciled", 0), "reconcile": ("reconciled", 0)}
    assert len(sandbox.jobs()) == 1


@pytest.mark.parametrize("order", [{"job_seconds": 0.5}])
def test_waiting_is_done_by_the_trigger_and_each_chunk_goes_out_once(
    here: Path, sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    people = "".join(f"person{number:03}@example.com,{'x' * 40}\n" for number in range(60))
    source = written(here / "leads.csv", f"email,firstName\n{people}")
    done = one_task(
        "deferred",
        "MarketoImportOperator",
        sources=str(source),
        folder=str(here / "run"),
        options={"max_bytes": 1500},
        list_id=sandbox.add_list("Fair"),
        poll_seconds=(0.1, 0.2),
    )
    assert (done.state, done.report["exit_code"], done.report["counts"]["imported"]) == ("success", 0, 60)
    uploads = [sandbox.upload(job.batch_id) for job in sandbox.jobs()]
    assert len(uploads) == len(set(uploads)) == len(done.report["chunks"]) > 2
    assert capfd.readouterr().out.count("Complete") >= len(uploads) - 1


@pytest.mark.parametrize("order", [{"job_seconds": 0.5, "faults": ["lost-reply:2"]}])
def test_an_unknown_upload_keeps_no_other_one_from_being_settled(here: Path, sandbox: Sandbox) -> None:
    """A person may take longer to decide than Marketo keeps the outcome of the others."""
    people = "".join(f"person{number:03}@example.com,{'x' * 40}\n" for number in range(60))
    source = written(here / "leads.csv", f"email,firstName\n{people}")
    done = one_task(
        "unknown_among_others",
        "MarketoImportOperator",
        sources=str(source),
        folder=str(here / "run"),
        options={"max_bytes": 1500},
        poll_seconds=(0.1, 0.2),
    )
    states = [chunk["state"] for chunk in done.report["chunks"]]
    assert (done.state, done.report["exit_code"]) == ("failed", 6)
    assert states == ["unknown" if place == 1 else "reconciled" for place in range(len(states))]
    assert len(sandbox.jobs()) == len(states) > 2


def queued(running: Sandbox, uploads: int) -> list[int]:
    with Marketo(running.url, "id", "secret") as client:
        return [client.import_leads(f"{number}.csv", CLEAN.encode()) for number in range(uploads)]


def fired(batch_ids: list[int]) -> dict[str, Any]:
    """The event of a trigger that waits for these jobs; one that never fires is an error."""
    from prep.integrations.airflow.trigger import MarketoJobsTrigger

    async def first() -> dict[str, Any]:
        trigger = MarketoJobsTrigger("marketo_default", batch_ids, (0.01, 0.02))
        event = await asyncio.wait_for(anext(trigger.run()), 20)
        return dict(event.payload)

    return asyncio.run(first())


@pytest.mark.parametrize("order", [{"job_seconds": 0}])
def test_two_jobs_that_stay_importing_hold_up_no_other(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker settles what is done, and sends what has waited for a place in the queue."""
    batch_ids = queued(sandbox, 5)
    ask = Marketo.job

    def job(client: Marketo, batch_id: int, of: ImportObject) -> JobRecord:
        known = ask(client, batch_id, of)
        return replace(known, status=JobStatus.IMPORTING) if batch_id in batch_ids[:2] else known

    monkeypatch.setattr(Marketo, "job", job)
    stuck = {str(batch_id): "Importing" for batch_id in batch_ids[:2]}
    assert fired(batch_ids) == {"jobs": stuck | {str(batch_ids[2]): "Complete"}, "error": None}


@pytest.mark.parametrize(("denials", "code"), [(2, None), (3, "unknown_batch")])
def test_a_batch_that_is_not_known_for_a_moment_is_looked_at_again(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, denials: int, code: str | None
) -> None:
    (known,) = queued(sandbox, 1)
    ask = Marketo.job
    asked = iter([999999] * denials)
    monkeypatch.setattr(Marketo, "job", lambda client, batch_id, of: ask(client, next(asked, batch_id), of))
    event = fired([known])
    assert (event["error"] and event["error"]["code"]) == code
    assert event["jobs"] == ({} if code else {str(known): "Complete"})


@dataclass(frozen=True)
class Case:
    """A file, how it is imported, and how that ends: state of the task, tries, exit code in the report."""

    name: str
    ending: tuple[str, int, int | None]
    leads: str = CLEAN
    arguments: Mapping[str, object] = field(default_factory=dict)
    uploads: int = 0


@pytest.mark.parametrize(
    ("case", "order"),
    [
        (Case("wrong_header", ("failed", 1, None), "mail_or_so,x\na,b\n"), {}),
        (Case("rejects", ("failed", 1, 3), LEADS, uploads=1), {"job_seconds": 0}),
        (Case("too_many", ("failed", 1, 3), LEADS, {"max_rejected": "5%", "allow_rejects": True}), {}),
        (Case("any_is_too_many", ("failed", 1, 3), LEADS, {"max_rejected": 0, "allow_rejects": True}), {}),
        (Case("bad_limit", ("failed", 1, None), LEADS, {"max_rejected": "many"}), {}),
        (Case("nothing_in_it", ("skipped", 1, None), "email,firstName\n"), {}),
        (Case("nobody_left", ("skipped", 1, 0), arguments={"options": {"suppress": ["all.txt"]}}), {}),
        (Case("lost", ("failed", 1, 6), uploads=1), {"job_seconds": 0, "faults": ["lost-reply"]}),
        (Case("quota", ("success", 2, 0), uploads=1), {"job_seconds": 0, "faults": ["daily-quota:1"]}),
        (Case("denied", ("failed", 1, None)), {"client_secret": "another"}),
    ],
    ids=lambda value: value.name if isinstance(value, Case) else "",
)
def test_how_a_task_ends(here: Path, sandbox: Sandbox, case: Case) -> None:
    written(here / "all.txt", "example.com\nexample.org\n")
    source = written(here / "leads.csv", case.leads)
    done = one_task(
        case.name, "MarketoImportOperator", sources=str(source), folder=str(here / "run"), **case.arguments
    )
    assert (done.state, done.tries, done.report and done.report["exit_code"]) == case.ending
    assert len(sandbox.jobs()) == case.uploads


KILLED = """
import sys
from types import SimpleNamespace
from prep.integrations.airflow.operators import MarketoImportOperator

task = MarketoImportOperator(task_id="it", sources=sys.argv[1], folder=sys.argv[2], deferrable=False)
task.execute({"ti": SimpleNamespace(xcom_push=print)})
"""


@pytest.mark.parametrize("order", [{"job_seconds": 60, "time_scale": 0}])
def test_a_killed_task_carries_on_in_its_folder(here: Path, sandbox: Sandbox) -> None:
    source, folder = written(here / "leads.csv", CLEAN), here / "run"
    with subprocess.Popen([sys.executable, "-c", KILLED, source, folder]) as worker:
        while worker.poll() is None and not any("/batch/" in request.path for request in sandbox.requests()):
            time.sleep(0.05)  # until it waits for the job: the answer to the upload is written down by then
        worker.kill()
    sandbox.advance(120)
    done = one_task(
        "killed", "MarketoImportOperator", sources=str(source), folder=str(folder), poll_seconds=(0.1, 0.2)
    )
    assert (done.state, done.report["counts"]["imported"]) == ("success", 2)
    assert len(sandbox.jobs()) == 1


def test_a_folder_can_be_filled_now_and_settled_later(here: Path, sandbox: Sandbox) -> None:
    source, folder = written(here / "leads.csv", CLEAN), str(here / "run")
    now = one_task("now", "MarketoImportOperator", sources=str(source), folder=folder, wait=False)
    assert (now.state, now.report["exit_code"]) == ("success", 5)
    later = one_task("later", "MarketoSubmitOperator", folder=folder, poll_seconds=(0.1, 0.2))
    assert (later.state, later.report["exit_code"]) == ("success", 0)


def test_the_button_tests_the_connection(sandbox: Sandbox) -> None:
    from airflow.sdk import Connection

    def test(password: str | None) -> tuple[bool, str]:
        found = Connection(conn_id="m", conn_type="marketo", host=sandbox.url, login="id", password=password)
        result: tuple[bool, str] = found.test_connection()
        return result

    host = sandbox.url.removeprefix("http://")
    assert test("secret") == (True, f"{host}: credentials accepted, 0 API calls used today")
    assert test("wrong") == (False, "Marketo does not accept the client id and secret (bad_credentials)")
    why = "connection m: endpoint, client id or client secret is missing (missing_credentials)"
    assert test(None) == (False, why)


def test_a_connection_that_was_given_as_an_address_leads_to_the_same_place(sandbox: Sandbox) -> None:
    from airflow.sdk import Connection

    from prep.integrations.airflow.hook import connect

    host = sandbox.url.removeprefix("http://")
    name, _, port = host.partition(":")
    parts = Connection(
        conn_id="m",
        conn_type="marketo",
        host=name,
        port=int(port),
        schema="http",
        login="id",
        password="secret",
    )
    with connect(parts) as client:
        assert client.host == host
        assert client.usage().calls == 0


def test_the_provider_is_found_with_the_form_of_its_connection() -> None:
    from airflow.providers_manager import ProvidersManager
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    manager = ProvidersManager()
    assert manager.providers["leadprep"].data["name"] == "Marketo bulk import (prep)"
    hook = ProvidersManagerTaskRuntime().hooks["marketo"]
    assert hook is not None
    assert hook.hook_class_name == "prep.integrations.airflow.hook.MarketoHook"
    behaviour = manager.field_behaviours["marketo"]
    assert behaviour["relabeling"] == {"host": "Endpoint", "login": "Client id", "password": "Client secret"}
    assert "extra__marketo__allow_host" in manager.connection_form_widgets


def test_what_is_stored_of_a_trigger_makes_it_again_and_holds_no_secret() -> None:
    from airflow.sdk._shared.module_loading import import_string

    from prep.integrations.airflow.trigger import MarketoJobsTrigger

    path, arguments = MarketoJobsTrigger("marketo_default", [1001, 1002], (0.1, 1)).serialize()
    assert json.loads(json.dumps(arguments)) == {
        "marketo_conn_id": "marketo_default",
        "batch_ids": [1001, 1002],
        "poll_seconds": [0.1, 1],
        "import_object": "leads",
    }
    assert import_string(path)(**arguments).serialize() == (path, arguments)


def test_options_may_name_the_schema_and_the_bound_of_rejected_rows(here: Path, sandbox: Sandbox) -> None:
    written(here / "mine.toml", 'extends = "lead"\n[fields.shoeSize]\ntype = "integer"\n')
    source = written(here / "leads.csv", LEADS)
    given: dict[str, Any] = {"sources": str(source), "folder": str(here / "run"), "allow_rejects": True}
    bounded = one_task(
        "bounded",
        "MarketoImportOperator",
        options={"schema": str(here / "mine.toml"), "max_rejected": "1%"},
        **given,
    )
    assert (bounded.state, bounded.tries, bounded.report["exit_code"]) == ("failed", 1, 3)
    assert bounded.report["schema"]["name"] == "mine"
    assert sandbox.jobs() == []


def test_program_members_are_prepared_and_sent(here: Path, sandbox: Sandbox) -> None:
    source = written(here / "leads.csv", CLEAN)
    aim = Destination(sandbox.url.removeprefix("http://"), program_id=1014, program_status="On List")
    given: dict[str, Any] = {
        "sources": str(source),
        "folder": str(here / "run"),
        "options": {"object": "program-members", "destination": aim},
    }
    prepared = one_task("prepared", "MarketoPrepareOperator", **given)
    assert (prepared.state, prepared.tries, prepared.report["exit_code"]) == ("success", 1, 0)
    assert sandbox.jobs() == []
    sent = one_task("sent", "MarketoSubmitOperator", folder=str(here / "run"))
    assert (sent.state, sent.report["counts"]["imported"]) == ("success", 2)
    assert [one["status"] for one in sandbox.program_members(1014).values()] == ["On List", "On List"]
