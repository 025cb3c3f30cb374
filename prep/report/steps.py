"""What can be done now: commands and files, the most pressing first. Summary and page take them from here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from prep.folding import counted, quoted
from prep.model import SANDBOX, Fate, KeepPolicy
from prep.objects import FLAGS, LEADS, parse_object
from prep.tolerance import Limit

_SOURCES_TO_TYPE: Final = 5
_STDIN: Final = "-"


@dataclass(frozen=True)
class Step:
    """A command or a file, and what for."""

    what: str
    why: str


def next_commands(report: Mapping[str, Any], folder: str) -> Iterator[Step]:
    """The commands that make sense now.

    Args:
        report: The content of `report.json`.
        folder: The run folder, as the user named it.
    """
    counts, typed = report["counts"], _typed(folder)
    numbers = Step(f"prep report {typed} --json", "these numbers, for a program")
    if report["purged"]:
        yield numbers
        return
    yield from _commands_of_sending(report, typed)
    yield from _commands_of_preview(report, folder)
    is_settled = report["state"] in {"clean", "reconciled"}
    if is_settled and (counts[Fate.REJECTED] or counts[Fate.FAILED]):
        yield Step(f"prep review {typed}", "shows rejected and failed rows on a local page, to repair them")
        yield Step(
            f"prep retry {typed}",
            "a new run of failed rows, and of rejected rows that were corrected",
        )
    paths = [source["path"] for source in report["sources"] if _is_own_file(source)]
    is_named = len(paths) == len(report["sources"]) <= _SOURCES_TO_TYPE and report["parent_run_id"] is None
    if counts[Fate.REJECTED] and is_named and not report.get("masked"):
        sources = " ".join(map(_typed, paths))
        yield Step(f"prep check {sources}", "with the same options: tells whether a corrected source is fine")
    if counts[Fate.FAILED] + counts[Fate.WARNED] and report["state"] == "reconciled":
        yield Step(f"prep reconcile {typed}", "fetches failures and warnings again and joins them anew")
    yield numbers


def _is_own_file(source: Mapping[str, Any]) -> bool:
    """Whether a source is a file of the user's, not standard input, a query or a frame."""
    path, copy = source["path"], source["copy"]
    return path != _STDIN and (copy is None or PurePath(copy).suffix == PurePath(path).suffix)


def _commands_of_sending(report: Mapping[str, Any], typed: str) -> Iterator[Step]:
    counts, state = report["counts"], report["state"]
    if state == "unknown":
        unknown = [chunk["file"] for chunk in report["chunks"] if chunk["state"] == "unknown"]
        chunk = unknown[0].rpartition("/")[2] if len(unknown) == 1 else "CHUNK"
        yield Step(
            f"prep resume {typed} --assume landed|lost {chunk}",
            "settles an upload whose outcome is unknown, once you looked in Marketo whether its "
            "rows arrived; none is sent again by itself",
        )
    if any(chunk["state"] == "unknown" and chunk["batch_id"] for chunk in report["chunks"]):
        yield Step(
            f"prep reconcile {typed}",
            "asks Marketo again about unknown uploads whose batch id is known, for seven days",
        )
    if state in {"submitting", "waiting"} or (state == "unknown" and counts[Fate.READY] + counts[Fate.SENT]):
        yield Step(f"prep resume {typed}", "carries on from where it stopped; nothing is sent twice")
        if state != "unknown":
            yield Step(f"prep status {typed}", "the jobs and how far they are")
    if state == "clean" and counts[Fate.READY]:
        command = f"resume {typed}" if report["goal"] == "run" else f"submit {typed}{_needed_options(report)}"
        yield Step(
            f"prep {command}",
            f"sends {counted(counts[Fate.READY], 'row')} in {counted(len(report['chunks']), 'file')}",
        )


def _commands_of_preview(report: Mapping[str, Any], folder: str) -> Iterator[Step]:
    preview = report.get("preview") or {}
    restore = preview.get("restore")
    if restore and report["state"] != "clean":
        sandbox = " --sandbox" if preview["target"] == SANDBOX else ""
        people = counted(restore["people"], "person", "people")
        yield Step(
            f"prep submit {_typed(f'{folder}/restore')}{sandbox}",
            f"the way back: {people} as they were before",
        )


def commands_after_check(report: Mapping[str, Any]) -> Iterator[Step]:
    """The commands that make sense after `prep check`, which leaves nothing behind."""
    sources = report["sources"]
    paths = [source["path"] for source in sources if source["path"] == _STDIN or _is_own_file(source)]
    query = ["--db … --query …"] if len(paths) < len(sources) else []
    files = " ".join([*map(_typed, paths), *query])
    if report["counts"][Fate.REJECTED]:
        yield Step(f"prep clean {files}", "with the same options: writes every rejected row with its reasons")
    if report["counts"][Fate.READY]:
        yield Step(f"prep run {files} --sandbox", "with the same options: a rehearsal of the whole import")


def _needed_options(report: Mapping[str, Any]) -> str:
    """What must stand behind `prep submit DIR`, or rows could not be sent or would go elsewhere."""
    needs = parse_object(report.get("object", str(LEADS))).kind.needs
    options = [f"{FLAGS[name]} …" for name in needs if not report.get(name)]
    if report["target"] == SANDBOX:
        options.insert(0, "--sandbox")
    limit, counts = report.get("max_rejected"), report["counts"]
    if limit and Limit.parse(limit).is_exceeded(counts):
        options.append(f"--max-rejected {counts[Fate.REJECTED]}")
    return "".join(f" {option}" for option in options)


def tables_to_read(report: Mapping[str, Any], place: str) -> Iterator[Step]:
    """The tables of the run folder that have something to say; none once their data was deleted.

    Args:
        report: The content of `report.json`.
        place: Who took the rows, such as `Marketo`.
    """
    if report["purged"]:
        return
    tables = {
        Fate.REJECTED: ("rejected.csv", "every rejected row with its reasons; rejected.xlsx says the same"),
        Fate.FAILED: ("failed.csv", f"every row that {place} refused, with its message"),
        Fate.WARNED: ("warnings.csv", "every row that was taken with a warning, with its message"),
        Fate.DUPLICATE: ("duplicates.csv", "every row that lost, with the row that it lost to"),
    }
    yield from (Step(*table) for fate, table in tables.items() if report["counts"][fate])
    if report["counts"][Fate.DUPLICATE] and report["settings"].get("keep") == KeepPolicy.MERGE:
        yield Step("merged.csv", "every value that did not get into a merged row")


ALL_ROWS: Final = Step("rows.parquet", "the fate of every single row")
"""The table that always has something to say."""


def _typed(path: str) -> str:
    """A source as it can be typed behind the name of a command."""
    return path if path == _STDIN else quoted(path)
