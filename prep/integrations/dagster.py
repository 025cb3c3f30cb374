"""Dagster: a resource that imports leads, and asset checks that tell of a file or of a run.

@dagster.asset(check_specs=…)
def leads_in_marketo(marketo: MarketoResource) -> dagster.MaterializeResult:
    run = marketo.import_leads("leads.csv", "leads.prep")
    return dagster.MaterializeResult(metadata=report_metadata(run.report))
"""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Unpack

if find_spec("dagster") is None:
    raise ModuleNotFoundError("Dagster is not installed: pip install 'leadprep[dagster]'", name="dagster")

import dagster
from pydantic import Field

from prep.config import CleanOptions, Destination
from prep.errors import EXIT_DONE, EXIT_WITH_REJECTS, PrepError
from prep.in_memory import Prepared
from prep.intake import Sources
from prep.integrations.closing import close, describe, refusal
from prep.marketo import Marketo
from prep.pipeline import clean, prepare, submit
from prep.runs import Run
from prep.tolerance import Limit

Severity = dagster.AssetCheckSeverity


class MarketoResource(dagster.ConfigurableResource):
    """An instance of Marketo: give the secret as `dagster.EnvVar("MARKETO_CLIENT_SECRET")`."""

    endpoint: str = Field(description="Such as https://123-ABC-456.mktorest.com")
    client_id: str = Field(description="Of the service in LaunchPoint")
    client_secret: str = Field(description="Never written or logged", repr=False)
    allow_host: str | None = Field(default=None, description="One further host that may be talked to")

    def get_client(self) -> Marketo:
        """A new client, for one thread, to be closed by the caller.

        Raises:
            SettingsError: The endpoint may not be talked to, or a credential is missing.
        """
        return Marketo(self.endpoint, self.client_id, self.client_secret, allow_host=self.allow_host)

    def import_leads(
        self,
        sources: Sources,
        folder: str | Path,
        *,
        schema: str | Path | None = None,
        list_id: int | None = None,
        list_name: str | None = None,
        partition_name: str | None = None,
        max_rejected: str | int | None = None,
        allow_rejects: bool = False,
        **options: Unpack[CleanOptions],
    ) -> Run:
        """Clean sources, send them, wait, and settle the fate of every row.

        The same call again after a crash carries on in the folder; nothing is sent twice. Rows that Marketo
        refused are a result, of which `report_metadata` and `check_run` tell.

        Args:
            sources: As in `prep.clean`: paths, frames, queries.
            folder: The run folder; one for each Dagster run, or for each partition.
            schema: Name or path of the schema; by default that of the object that rows become.
            list_id: Static list that the leads join.
            list_name: The same, by the list's name.
            partition_name: Lead partition of new leads.
            max_rejected: With more rejected rows than this nothing is sent: `100`, `5%`.
            allow_rejects: Whether rejected, warned or failed rows are fine, for the exit code in the report.
            **options: As in `prep.CleanOptions`.

        Raises:
            dagster.Failure: More rows were rejected than may be; asking again changes nothing.
            PrepError: As `prep.clean` and `prep.submit`.
        """
        run = clean(sources, folder, schema=schema, **options)
        if text := refusal(run, max_rejected):
            report = close(run, exit_code=EXIT_WITH_REJECTS)
            raise dagster.Failure(text, metadata=report_metadata(report), allow_retries=False)
        if run.folder.manifest().results.chunks:
            with self.get_client() as client:
                aim = Destination(client.host, list_id, list_name, partition_name)
                run = submit(run, client, aim if aim != Destination(client.host) else None)
        close(run, allow_rejects=allow_rejects)
        return run


def lead_file_check(
    asset: Any,
    sources: Sources | Callable[[], Sources],
    *,
    name: str = "leads_fit_marketo",
    schema: str | Path | None = None,
    max_rejected: str | int | None = None,
    blocking: bool = False,
    **options: Unpack[CleanOptions],
) -> dagster.AssetChecksDefinition:
    """An asset check that prepares what an asset holds, in memory: would Marketo get it without a loss?

    It passes when no row is rejected. Rejected rows are a warning as long as any row is accepted and no limit
    is exceeded; more, and input that cannot be used at all, are an error.

    Args:
        asset: The asset, or its key.
        sources: What it holds, as in `prep.prepare`, or a function that tells at the time of the check.
        name: Of the check.
        schema: Name or path of the schema; by default that of the object that rows become.
        max_rejected: More rejected rows than this are an error: `100`, `5%`.
        blocking: Whether an error keeps assets downstream from being made.
        **options: As in `prep.CleanOptions`.
    """
    limit = None if max_rejected is None else Limit.parse(max_rejected)

    @dagster.asset_check(asset=asset, name=name, blocking=blocking, description="prep.prepare rejects no row")
    def check() -> dagster.AssetCheckResult:
        given = sources() if callable(sources) else sources
        try:
            prepared = prepare(given, schema, **options)
        except PrepError as error:
            return _unusable(error)
        return _judge_prepared(prepared, limit)

    return check  # type: ignore[no-any-return, unused-ignore]


def check_run(run: Run | str | Path, *, allow_rejects: bool = False) -> dagster.AssetCheckResult:
    """What a run's report means for an asset: passed with exit code 0, a warning with 3, else an error.

    Args:
        run: A run, or its folder.
        allow_rejects: Whether rejected, warned or failed rows are fine.
    """
    try:
        report = close(run if isinstance(run, Run) else Run.open(run), allow_rejects=allow_rejects)
    except PrepError as error:
        return _unusable(error)
    is_mild = report["exit_code"] == EXIT_WITH_REJECTS and _accepted(report["counts"]) > 0
    return dagster.AssetCheckResult(
        passed=report["exit_code"] == EXIT_DONE,
        severity=Severity.WARN if is_mild else Severity.ERROR,
        description=describe(report["counts"]),
        metadata=report_metadata(report),
    )


def import_check(
    asset: Any, folder: str | Path, *, name: str = "every_row_arrived", allow_rejects: bool = False
) -> dagster.AssetChecksDefinition:
    """An asset check of the run that made an asset, from its folder.

    Args:
        asset: The asset, or its key.
        folder: The run folder.
        name: Of the check.
        allow_rejects: Whether rejected, warned or failed rows are fine.
    """

    @dagster.asset_check(asset=asset, name=name, description="every row was imported, or rightly left out")
    def check() -> dagster.AssetCheckResult:
        return check_run(folder, allow_rejects=allow_rejects)

    return check  # type: ignore[no-any-return, unused-ignore]


def report_metadata(report: Mapping[str, Any]) -> dict[str, Any]:
    """What of a report belongs beside an asset: counts by fate, reasons, state; no cell of any row."""
    return {
        **_counted(report["counts"]),
        "reasons": _table(report["reasons"], ("field", "code", "rows")),
        "state": report["state"],
        "exit_code": report["exit_code"],
        "run_id": report["run_id"],
        "target": report["target"] or "not sent",
    }


def _judge_prepared(prepared: Prepared, limit: Limit | None) -> dagster.AssetCheckResult:
    counts = prepared.counts
    is_grave = bool(limit and limit.is_exceeded(counts)) or not counts["ready"]
    found = prepared.rejected["_reasons"].explode().drop_nulls().value_counts(sort=True).rows()
    reasons = [
        {"field": reason.rpartition(":")[0], "code": reason.rpartition(":")[2], "rows": rows}
        for reason, rows in found
    ]
    return dagster.AssetCheckResult(
        passed=not counts["rejected"],
        severity=Severity.ERROR if is_grave else Severity.WARN,
        description=describe(counts),
        metadata={**_counted(counts), "reasons": _table(reasons, ("field", "code", "rows"))},
    )


def _unusable(error: PrepError) -> dagster.AssetCheckResult:
    facts = {name: value for name, value in error.facts.items() if value is not None}
    return dagster.AssetCheckResult(
        passed=False, severity=Severity.ERROR, description=error.message, metadata=facts
    )


def _accepted(counts: Mapping[str, int]) -> int:
    return counts["ready"] + counts["imported"] + counts["warned"]


def _counted(counts: Mapping[str, int]) -> dict[str, int]:
    """Numbers that Dagster plots over time, one line for each fate that ever occurs."""
    return {f"rows_{fate}": rows for fate, rows in counts.items()}


def _table(lines: list[dict[str, Any]], columns: tuple[str, ...]) -> Any:
    schema = dagster.TableSchema([dagster.TableColumn(name, "string") for name in columns])
    records = [dagster.TableRecord({name: str(line[name] or "") for name in columns}) for line in lines]
    return dagster.MetadataValue.table(records, schema)
