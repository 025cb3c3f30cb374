"""A report for forwarding: without the names that may tell of people, files or the instance."""

from collections.abc import Mapping
from typing import Any, Final

from prep.model import SANDBOX
from prep.schema_file import schema_names

MASKED_FOLDER: Final = "DIR"
"""What the run folder is called in a masked report."""

_KNOWN_NAMES: Final = frozenset({"exact", "folded", "alias"})
"""How columns map whose header is a word of the schema; any other header may be a person's data."""


def mask_report(report: Mapping[str, Any]) -> dict[str, Any]:
    """Hide what a reader outside need not see; counts, codes, fields, times, row numbers and shapes stay.

    Args:
        report: The content of `report.json`.

    Returns:
        The same with files called `source 1` and so on, suppression lists `list 1` and so on, columns that
        are not named as the schema names them `column 1` and so on, and without sheets, copies, hash sums,
        notes on sources, host, list, partition, status, settings that were typed freely, the name of a schema
        of one's own, words of Marketo about a job, and samples of what a preview found.
    """
    paths = dict.fromkeys([*(source["path"] for source in report["sources"]), *report.get("sheets", ())])
    sources = {path: f"source {number}" for number, path in enumerate(paths, 1)}
    headers = [column for column in report["mapping"] if column["how"] != "set"]
    columns = {
        column["source"]: f"column {number}"
        for number, column in enumerate(headers, 1)
        if column["how"] not in _KNOWN_NAMES
    }
    masked = {
        **report,
        "target": report["target"] if report["target"] in {None, SANDBOX} else "Marketo",
        "sources": [_mask_source(source, sources, columns) for source in report["sources"]],
        "schema": _mask_schema(report["schema"]),
        "mapping": [
            {**column, "source": columns.get(column["source"], column["source"])}
            for column in report["mapping"]
        ],
        "notes": [
            {
                **note,
                "rows": [{**row, "source": sources.get(row["source"], "source")} for row in note["rows"]],
            }
            for note in report["notes"]
        ],
        "chunks": [{**chunk, "sha256": None} for chunk in report["chunks"]],
        "jobs": [{**job, "message": ""} for job in report["jobs"]],
        "remarks": [],
        "sheets": [sources[path] for path in report.get("sheets", ())],
        "suppression": [
            {**record, "path": f"list {number}", "sha256": None}
            for number, record in enumerate(report["suppression"], 1)
        ],
        "list_name": _hidden(report["list_name"]),
        "partition_name": _hidden(report["partition_name"]),
        "program_status": _hidden(report.get("program_status")),
        "conventions": [
            {
                **convention,
                "source": sources.get(convention["source"], "source"),
                "column": columns.get(convention["column"], convention["column"]),
            }
            for convention in report["conventions"]
        ],
        "settings": {name: _mask_setting(name, value) for name, value in report["settings"].items()},
    }
    if report["preview"]:
        host = report["preview"]["target"]
        hidden: dict[str, Any] = {"target": host if host == SANDBOX else "Marketo", "samples": []}
        masked["preview"] = {**report["preview"], **hidden}
    if "error" in masked:
        masked["error"] = {"code": report["error"]["code"], "message": report["error"]["code"], "hint": ""}
    return {**masked, "masked": True}


def _mask_source(
    source: Mapping[str, Any], sources: Mapping[str, str], columns: Mapping[str, str]
) -> dict[str, Any]:
    return {
        **source,
        "path": sources[source["path"]],
        "sha256": None,
        "sheet": None,
        "copy": None,
        "notes": [],
        "columns": [columns.get(name, name) for name in source["columns"]],
    }


def _mask_schema(schema: Mapping[str, str]) -> dict[str, str]:
    return {**schema, "name": schema["name"] if schema["name"] in schema_names() else "hidden"}


_CHOICES: Final = frozenset(
    {
        *("lookup_field", "format", "unknown", "keep", "dates", "timezone", "decimal", "phones", "region"),
        *("countries", "states", "encoding", "delimiter", "object", "email_case", "blanks"),
    }
)
"""Settings whose text is a word of prep, of the schema or of a standard; any other was typed freely."""


def _mask_setting(name: str, value: Any) -> Any:
    return value if name in _CHOICES or not value or isinstance(value, int) else "hidden"


def _hidden(value: Any) -> str | None:
    return None if value is None else "hidden"
