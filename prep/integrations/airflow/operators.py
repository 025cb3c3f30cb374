"""Operators: a run folder's way through Airflow. All work is done by the library; nothing is done twice.

What becomes of a task:

* success: exit code 0, or 5 where waiting was not wanted; XCom `return_value` is the content of `report.json`
* skipped: the sources hold no data row, or no row is left to be sent
* failed, and not tried again: input, schema or settings are wrong, rows were rejected that may not be,
  Marketo refuses for good, or an outcome is unknown and needs a decision
* failed, and tried again if the task has retries: Marketo cannot be reached, its daily quota is used up, jobs
  are still running, or another process works on the folder; the next try carries on in the folder
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from prep.config import Destination
from prep.errors import EXIT_DONE, EXIT_RUNNING, EXIT_STOPPED, EXIT_WITH_REJECTS, PrepError, TransientError
from prep.integrations.airflow.hook import DEFAULT_CONNECTION, MarketoHook
from prep.integrations.airflow.trigger import MarketoJobsTrigger
from prep.integrations.closing import NO_ROWS, close, describe, refusal
from prep.model import Goal, JobState
from prep.pipeline import clean, reconcile, submit
from prep.runs import Run

_TRY_AGAIN: Final = frozenset({"folder_in_use", "marketo_607"})
_WITH_MARKETO: Final = frozenset({JobState.QUEUED, JobState.IMPORTING})

Context = Mapping[str, Any]


class _RunOperator(BaseOperator):
    """What all of them share: a run folder, and how a task ends."""

    template_fields: Sequence[str] = ("folder",)
    ui_color = "#e4f0e8"

    def __init__(self, *, folder: str, allow_rejects: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.folder = folder
        self.allow_rejects = allow_rejects

    def _close(self, context: Context, run: Run, *, waits: bool = True) -> dict[str, Any]:
        """End the task with the run's report, which is handed on in any case.

        Raises:
            AirflowException: The exit code is none that the task may end with.
        """
        report = close(run, allow_rejects=self.allow_rejects)
        text = f"{run.path}: {describe(report['counts'])}"
        self.log.info("%s", text)
        code = report["exit_code"]
        if code == EXIT_DONE or (code in {EXIT_RUNNING, EXIT_STOPPED} and not waits):
            return report
        context["ti"].xcom_push(key="return_value", value=report)
        if code in {EXIT_RUNNING, EXIT_STOPPED}:
            raise AirflowException(f"{text}; Marketo is not done, the next try carries on")
        if code == EXIT_WITH_REJECTS:
            raise AirflowFailException(f"{text}; with allow_rejects that is fine")
        folder = run.folder.typed
        raise AirflowFailException(f"{text}; decide with prep resume {folder} --assume landed|lost CHUNK")

    def _skip_unless_rows(self, context: Context, run: Run) -> None:
        """Skip what follows where every row was left out, and rightly so.

        Raises:
            AirflowSkipException: There is no row to send.
        """
        if not run.folder.manifest().results.chunks:
            report = self._close(context, run)
            context["ti"].xcom_push(key="return_value", value=report)
            raise AirflowSkipException(f"{run.path}: no row is left to be sent")


class _CleaningOperator(_RunOperator):
    """What those share that read lead files."""

    template_fields: Sequence[str] = ("sources", "folder", "lead_schema", "options")

    def __init__(
        self,
        *,
        sources: str | Sequence[str],
        lead_schema: str | None = None,
        options: Mapping[str, Any] | None = None,
        max_rejected: str | int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sources = sources
        self.max_rejected = max_rejected
        self.lead_schema = lead_schema
        self.options = dict(options or {})

    def _clean(self, context: Context, goal: Goal | None = None) -> Run:
        options = {"schema": self.lead_schema, "goal": goal, **self.options}
        bound = options.pop("max_rejected", self.max_rejected)
        with _as_airflow_says():
            run = clean(self.sources, self.folder, **options)
            text = refusal(run, bound)
        if text:
            context["ti"].xcom_push(key="return_value", value=close(run, exit_code=EXIT_WITH_REJECTS))
            raise AirflowFailException(text)
        self._skip_unless_rows(context, run)
        return run


class MarketoPrepareOperator(_CleaningOperator):
    """Make a run folder with upload files of lead files; nothing is sent.

    Args:
        sources: A path or several, on a file system that the worker sees.
        folder: The run folder; one folder for each DAG run, such as `/data/leads/{{ run_id }}.prep`. A task
            that is tried again finds its folder and carries on.
        lead_schema: Name or path of the schema; by default that of the object that rows become.
        options: Further keyword arguments of `prep.clean`, such as `{"keep": "merge"}`.
        allow_rejects: Rejected rows are fine, as long as any row was accepted.
        max_rejected: The task fails with more of them: a number such as `100`, or a share such as `5%`.
        **kwargs: Of every operator.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Clean the sources, or take up what an earlier try left."""
        return self._close(context, self._clean(context, "clean"))


class _SendingOperator(_RunOperator):
    """What those share that talk to Marketo."""

    def __init__(
        self,
        *,
        marketo_conn_id: str = DEFAULT_CONNECTION,
        list_id: int | None = None,
        list_name: str | None = None,
        partition_name: str | None = None,
        wait: bool = True,
        deferrable: bool = True,
        timeout_seconds: float | None = None,
        poll_seconds: tuple[float, float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.marketo_conn_id = marketo_conn_id
        self.list_id = list_id
        self.list_name = list_name
        self.partition_name = partition_name
        self.wait = wait
        self.deferrable = deferrable
        self.timeout_seconds = timeout_seconds
        self.poll_seconds = poll_seconds

    def _send(self, context: Context, run: Run) -> dict[str, Any]:
        """Send and wait, in the triggerer if that may be; what was sent before is only looked at."""
        with _as_airflow_says(), MarketoHook(self.marketo_conn_id).get_conn() as client:
            run = submit(
                run,
                client,
                self._destination(client.host),
                wait=self.wait and not self.deferrable,
                timeout_seconds=self.timeout_seconds,
                poll_seconds=self.poll_seconds,
            )
        waiting = _waiting(run)
        is_open = bool(waiting) or run.report["state"] in {"submitting", "waiting"}
        if self.wait and self.deferrable and is_open:
            self.defer(
                trigger=MarketoJobsTrigger(
                    self.marketo_conn_id,
                    waiting,
                    self.poll_seconds,
                    run.folder.manifest().settings["object"],
                ),
                method_name="execute_complete",
                timeout=None if self.timeout_seconds is None else timedelta(seconds=self.timeout_seconds),
            )
        return self._close(context, run, waits=self.wait)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Go on where the trigger has waited; whether Marketo really is done is asked again."""
        self.log.info("jobs: %s", event["jobs"])
        with _as_airflow_says():
            run = Run.open(self.folder)
        return self._send(context, run)

    def _destination(self, host: str) -> Destination | None:
        """List and partition as the task names them; else what the folder knows."""
        if not (self.list_id or self.list_name or self.partition_name):
            return None
        return Destination(host, self.list_id, self.list_name, self.partition_name)


class MarketoSubmitOperator(_SendingOperator):
    """Send a run folder, wait, and settle the fate of every row. Nothing is sent twice.

    Args:
        folder: The run folder that was prepared.
        marketo_conn_id: The connection.
        list_id: Static list that the leads join.
        list_name: The same, by the list's name.
        partition_name: Lead partition of new leads.
        wait: Stay until Marketo has finished all jobs; if not, the task succeeds once the queue is filled.
        deferrable: Wait in the triggerer, without a worker.
        timeout_seconds: Longest wait; with `deferrable`, of each wait for the jobs in the queue. A task that
            is tried again waits on.
        poll_seconds: Shortest and longest pause between two looks; by default 5 and 30, less with a sandbox.
        allow_rejects: Rows that were rejected, warned or failed are fine, if any row was accepted.
        **kwargs: Of every operator.
    """

    template_fields: Sequence[str] = ("folder", "list_name", "partition_name")

    def execute(self, context: Context) -> dict[str, Any]:
        """Send what is ready."""
        with _as_airflow_says():
            run = Run.open(self.folder)
        self._skip_unless_rows(context, run)
        return self._send(context, run)


class MarketoImportOperator(_CleaningOperator, _SendingOperator):
    """The whole job: lead files → Marketo → the fate of every row.

    Takes the arguments of `MarketoPrepareOperator` and of `MarketoSubmitOperator`. With more rejected rows
    than `max_rejected` nothing is sent.
    """

    template_fields: Sequence[str] = (*_CleaningOperator.template_fields, "list_name", "partition_name")

    def execute(self, context: Context) -> dict[str, Any]:
        """Clean and send, or carry on where an earlier try was stopped."""
        return self._send(context, self._clean(context))


class MarketoReconcileOperator(_RunOperator):
    """Fetch failures and warnings of a run's jobs again, and settle the fate of every row again.

    Args:
        folder: The run folder.
        marketo_conn_id: The connection.
        allow_rejects: Rows that were rejected, warned or failed are fine, if any row was accepted.
        **kwargs: Of every operator.
    """

    def __init__(self, *, marketo_conn_id: str = DEFAULT_CONNECTION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.marketo_conn_id = marketo_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask Marketo once more."""
        with _as_airflow_says(), MarketoHook(self.marketo_conn_id).get_conn() as client:
            run = reconcile(self.folder, client)
        return self._close(context, run)


def _waiting(run: Run) -> list[int]:
    """Batch ids of the jobs that Marketo has not finished, oldest first."""
    chunks = run.report["chunks"]
    return sorted(chunk["batch_id"] for chunk in chunks if chunk["state"] in _WITH_MARKETO)


@contextmanager
def _as_airflow_says() -> Iterator[None]:
    """Turn an error of the library into the exception that ends a task as it should."""
    try:
        yield
    except PrepError as error:
        text = " ".join(filter(None, (f"{error.message} ({error.code}).", error.hint)))
        if error.code == NO_ROWS:
            raise AirflowSkipException(text) from None
        if isinstance(error, TransientError) or error.code in _TRY_AGAIN:
            raise AirflowException(text) from None
        raise AirflowFailException(text) from None
