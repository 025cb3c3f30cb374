"""What an import would change, in words: the answer of `prep preview`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from prep.comparison import Change, Outcome
from prep.folder import RunFolder
from prep.folding import counted
from prep.model import SANDBOX

OUTCOMES: Final = {
    Outcome.CREATED: "nobody has this {lookup_field}: somebody new comes into being",
    Outcome.UPDATED: "one person has this {lookup_field}, and would change",
    Outcome.UNCHANGED: "one person has this {lookup_field}, and would stay as it is",
    Outcome.SEVERAL: "several people have this {lookup_field}; nobody documents which of them changes",
    Outcome.UNCLEAR: "somebody's {lookup_field} is the same but for capitals or blanks; it may change",
    Outcome.NOT_FOUND: "nobody has this id: the row will fail, since imports by id create nobody",
    Outcome.NOT_ASKED: "not looked up: the {lookup_field} holds a comma, or Marketo refused it",
}
CHANGES: Final = {
    Change.CHANGED: "changed",
    Change.FILLED: "filled",
    Change.CLEARED: "cleared",
    Change.BLANK: "blank over value",
}
_NOT_IN_SAMPLE: Final = "not looked up: outside of the sample, or a {lookup_field} that cannot be asked for"
_SAMPLES: Final = 10


@dataclass(frozen=True)
class PreviewView:
    """What a preview found, as the page shows it.

    Attributes:
        when: Whom was asked, and when.
        outcomes: Rows by what becomes of them: the word, how many, and what it means.
        fields: Each field that changes, with how many cells in which way; the words are keys of `titles`.
        titles: Kinds of changes in words.
        samples: Shapes of values before and after.
        words: Sentences on blanks, protected fields, and the way back.
    """

    when: str
    outcomes: tuple[tuple[str, int, str], ...]
    fields: Sequence[Mapping[str, Any]]
    titles: Mapping[str, str]
    samples: Sequence[Mapping[str, Any]]
    words: tuple[str, ...]


def view_preview(report: Mapping[str, Any], folder: str) -> PreviewView | None:
    """The preview of a run for its page; None where nobody looked."""
    preview = report.get("preview")
    if preview is None:
        return None
    return PreviewView(
        when=f"{name_target(preview)}, {span(preview)}",
        outcomes=tuple(
            (outcome.replace("_", " "), count, outcome_meaning(outcome, report))
            for outcome in Outcome
            if (count := preview["counts"][outcome])
        ),
        fields=preview["fields"],
        titles={str(change): title for change, title in CHANGES.items()},
        samples=preview["samples"][:_SAMPLES],
        words=tuple(
            line.strip()
            for line in (
                *_estimated(preview),
                *_cautions(preview),
                *(_table(preview, folder) if preview["fields"] else ()),
                *_way_back(report, folder),
            )
            if line
        ),
    )


def describe_preview(report: Mapping[str, Any], folder: str) -> list[str]:
    """What would become of how many rows and fields, and the way back.

    Args:
        report: The content of `report.json` of a run that was previewed.
        folder: The run folder, as the user named it.
    """
    preview = report["preview"]
    return [
        f"{folder}: what sending it to {name_target(preview)} would change, as of {span(preview)}",
        *_estimated(preview),
        *_outcomes(report),
        *_fields(preview),
        *_samples(preview, folder),
        *_way_back(report, folder),
    ]


def note_preview(report: Mapping[str, Any]) -> list[str]:
    """What to bear in mind of a preview when its run is sent; nothing where nobody looked."""
    if not (preview := report["preview"]):
        return []
    stale = "neither it nor the way back knows" if preview["restore"] else "it does not know"
    return [f"previewed in {name_target(preview)}, {span(preview)}; {stale} what changed there since then"]


def name_target(preview: Mapping[str, Any]) -> str:
    """Whom was asked."""
    return "the local sandbox" if preview["target"] == SANDBOX else str(preview["target"])


def span(preview: Mapping[str, Any]) -> str:
    """When the answers came: one minute, or from when to when."""
    begin, end = (
        f"{datetime.fromisoformat(preview[moment]):%Y-%m-%d %H:%M}"
        for moment in ("asked_from", "asked_until")
    )
    return f"{end} UTC" if begin == end else f"{begin} to {end} UTC"


def outcome_meaning(outcome: Outcome, report: Mapping[str, Any]) -> str:
    """What became of rows with this outcome, in a few words."""
    is_sample = outcome is Outcome.NOT_ASKED and report["preview"]["sample"] is not None
    return (_NOT_IN_SAMPLE if is_sample else OUTCOMES[outcome]).format(lookup_field=report["lookup_field"])


def _estimated(preview: Mapping[str, Any]) -> Iterator[str]:
    if preview["sample"] is not None:
        yield f"An estimate: {preview['sample']:,} of {preview['rows']:,} rows were looked up"


def _outcomes(report: Mapping[str, Any]) -> Iterator[str]:
    preview = report["preview"]
    yield f"{preview['rows']:,} rows in upload files"
    for outcome in Outcome:
        if count := preview["counts"][outcome]:
            yield f"  {count:>9,}  {outcome.replace('_', ' '):<10}  {outcome_meaning(outcome, report)}"


def _fields(preview: Mapping[str, Any]) -> Iterator[str]:
    fields = preview["fields"]
    yield ""
    if not fields:
        yield "No field of anybody would change"
        return
    yield "Fields of the people who would change"
    width = max(len("field"), *(len(field["field"]) for field in fields))
    yield f"  {'field':<{width}}" + "".join(f"  {title:>16}" for title in CHANGES.values())
    for field in fields:
        counts = "".join(f"  {field[change]:>16,}" for change in CHANGES)
        yield f"  {field['field']:<{width}}{counts}" + ("  protected" if field["is_protected"] else "")
    yield from _cautions(preview)


def _cautions(preview: Mapping[str, Any]) -> Iterator[str]:
    fields = preview["fields"]
    if any(field[Change.BLANK] for field in fields):
        yield "  Whether a blank clears a value is documented nowhere: --blanks omit sends none"
    if touched := [field["field"] for field in fields if field["is_protected"]]:
        yield f"  Protected fields decide who may be written to: {', '.join(touched)}"


def _samples(preview: Mapping[str, Any], folder: str) -> Iterator[str]:
    samples = preview["samples"]
    if not samples:
        return
    yield ""
    yield "Shapes of such values, before and after"
    for sample in samples[:_SAMPLES]:
        before, after = (sample[moment] or "(blank)" for moment in ("before", "after"))
        yield f"  {sample['field']}: {before} → {after}"
    if len(samples) > _SAMPLES:
        yield f"  … and {len(samples) - _SAMPLES} more, in report.json"
    yield from _table(preview, folder)


def _table(preview: Mapping[str, Any], folder: str) -> Iterator[str]:
    found, lines = (preview["differences"][name] for name in ("found", "lines"))
    some = "every difference" if lines >= found else f"the first {lines:,} of {found:,} differences"
    yield f"  {folder}/preview.csv has {some} with its values"


def _way_back(report: Mapping[str, Any], folder: str) -> Iterator[str]:
    preview = report["preview"]
    yield ""
    if preview["sample"] is not None:
        yield "No way back was made: a sample does not know everybody who would change"
        return
    restore = preview["restore"]
    if restore is None and preview["counts"][Outcome.NOT_ASKED]:
        yield "No way back was made: nobody who was looked up would change"
    elif restore is None:
        yield "No way back is needed: nobody who is there would change"
    else:
        people = counted(restore["people"], "person", "people")
        files = counted(restore["files"], "file")
        yield f"The way back: {folder}/restore has {people} in {files}, as of now"
        typed = RunFolder(f"{folder}/restore").typed
        sandbox = " --sandbox" if preview["target"] == SANDBOX else ""
        yield f"  prep submit {typed}{sandbox}  puts them back after the import"
    yield from limits(preview)


def limits(preview: Mapping[str, Any]) -> Iterator[str]:
    """What the way back cannot do."""
    if created := preview["counts"][Outcome.CREATED]:
        yield f"  {counted(created, 'new person stays', 'new people stay')}: no import can delete anybody"
    if unasked := preview["counts"][Outcome.NOT_ASKED]:
        rows = counted(unasked, "row was", "rows were")
        yield f"  {rows} not looked up: whoever it is about cannot be put back"
    for lost in preview["not_restorable"]:
        values = counted(lost["cells"], "value")
        yield f"  {values} of {lost['field']} cannot be put back: the text NULL"
    for name in preview["unreadable"]:
        yield f"  {name} cannot be read back, so it is neither compared nor put back"
