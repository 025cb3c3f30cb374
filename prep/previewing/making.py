"""The stages of a preview: questions, look-ups, comparison, the table for people and the way back."""

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from prep import durable
from prep.advice import known_schema
from prep.cleaning import people_delimiter
from prep.comparison import Outcome
from prep.errors import FolderError, SettingsError, TerminalError
from prep.folder import RunFolder
from prep.instance import Instance, ask_instance
from prep.listening import Progress
from prep.manifest import Manifest
from prep.model import Advance
from prep.objects import LEADS
from prep.people import Table
from prep.preflight import Finding, compare_fields, is_denied, not_checked
from prep.previewing.answers import Answers
from prep.previewing.asking import Budget, Lookups
from prep.previewing.comparing import (
    DIFFERENCE_COLUMNS,
    Tally,
    compare,
    count_lost_words,
    find_ways_back,
    list_differences,
    list_rows_without,
)
from prep.previewing.questions import Estimate, Questions, keys_of, make_questions, read_batches
from prep.previewing.restoring import Asked, WayBack
from prep.report import has_begun

if TYPE_CHECKING:
    from prep.marketo import Marketo

OnReady = Callable[[Estimate, list[Finding]], None]

MOST_LINES: Final = 100_000
"""Lines of `preview.csv`: as many as a spreadsheet still opens without complaint."""


def refuse_unless_new(folder: RunFolder, manifest: Manifest) -> None:
    """Refuse a run of which something was sent: what was there before can no longer be seen.

    Raises:
        FolderError: Something was sent, or nothing is to be sent, or no leads, or the way back was used.
    """
    if has_begun(folder):
        raise FolderError(
            f"{folder.path}: something of this run was sent, so what people had before can no longer be seen",
            code="already_sent",
            hint="A preview comes before prep submit.",
            source=str(folder.path),
        )
    if manifest.into != LEADS:
        raise FolderError(
            f"{folder.path}: only leads can be previewed, and this run is of {manifest.into}",
            code="not_leads",
            hint=f"prep submit {folder.typed} sends it.",
            source=str(folder.path),
        )
    if not manifest.results.chunks:
        raise FolderError(
            f"{folder.path}: has no row to send, so it would change nothing",
            code="nothing_to_send",
            hint=f"prep report {folder.typed} tells why.",
            source=str(folder.path),
        )
    if (folder.restore / "manifest.json").exists() and has_begun(RunFolder(folder.restore)):
        raise FolderError(
            f"{folder.restore}: was sent, and a new preview would replace it",
            code="already_sent",
            hint="Clean the sources into another folder with -o DIR.",
            source=str(folder.restore),
        )


@dataclass(frozen=True)
class Work:
    """What a preview works with.

    Attributes:
        folder: Of the run; the caller holds its lock.
        manifest: Its manifest.
        client: The instance.
        target: What it is called.
        sample: How many rows to ask about; None is all.
        on_ready: Told of the price, right before anybody is looked up; whatever it raises stops that.
        progress: Told of rows that were looked up, and compared.
        now: Seconds since the epoch.
    """

    folder: RunFolder
    manifest: Manifest
    client: "Marketo"
    target: str
    sample: int | None
    on_ready: OnReady
    progress: Progress
    now: Callable[[], float] = time.time


def make_preview(work: Work, budget: Budget) -> Manifest:
    """Look up whom the rows of a run mean, and write down what would change, and the way back.

    Whoever is interrupted carries on with the answers that are there.

    Returns:
        The manifest with what was found; to be written by the caller, who may then delete the answers.

    Raises:
        SettingsError: It takes more calls than it may make.
        SchemaError: Marketo would refuse the upload.
        FolderError: An interrupted preview asked something else, or the run was altered.
        MarketoError: Marketo refuses or cannot be reached.
    """
    used_today = _ask_usage(work.client)
    instance, findings = _ask_fields(work)
    questions = make_questions(work.manifest, instance, work.sample)
    with Answers(work.folder.answers, questions.facts(work.manifest, work.target)) as answers:
        left = questions.lookups - len(answers.known())
        work.on_ready(Estimate(questions.rows_asked, left, used_today), findings)
        _refuse_excess(left, budget)
        _ask(work, questions, answers, budget)
        begin, end = answers.span()
        asked = Asked(work.target, _minute(begin), _minute(end))
        found = _compare(work, questions, answers, asked)
    result = {
        "target": work.target,
        "asked_from": begin.isoformat(timespec="seconds"),
        "asked_until": end.isoformat(timespec="seconds"),
        "calls": budget.calls,
        "rows": questions.rows,
        "sample": questions.sample,
        **found,
        "unreadable": list(questions.unreadable),
    }
    return replace(work.manifest, preview=result)


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _ask_usage(client: "Marketo") -> int | None:
    try:
        return client.usage().calls
    except TerminalError as error:
        if not is_denied(error):
            raise
        return None


def _ask_fields(work: Work) -> tuple[Instance | None, list[Finding]]:
    try:
        instance = ask_instance(work.client, work.target)
    except TerminalError as error:
        if not is_denied(error):
            raise
        return None, [not_checked("the fields of the upload:")]
    return instance, compare_fields(work.folder, work.manifest, instance)


def _refuse_excess(lookups: int, budget: Budget) -> None:
    if budget.calls + lookups > budget.most:
        raise SettingsError(
            f"look-ups still to be made: {lookups:,}; API calls that --max-calls allows: {budget.most:,}",
            code="max_calls",
            hint=f"Allow them with --max-calls {budget.calls + lookups}, or ask about some rows with "
            "--sample 1000, which gives an estimate and no way back.",
        )


def _ask(work: Work, questions: Questions, answers: Answers, budget: Budget) -> None:
    known = answers.known()
    lookups = Lookups(work.client, questions, answers, budget, work.now)
    done = 0
    for number, batch in enumerate(read_batches(work.folder, work.manifest, questions)):
        if number not in known:
            lookups.ask(number, keys_of(batch))
        done += sum(part.rows.height for part in batch)
        work.progress(Advance("look up", done, done / questions.rows_asked))


def _compare(work: Work, questions: Questions, answers: Answers, asked: Asked) -> dict[str, Any]:
    """Write the table of differences and the way back, each under its name only when it is complete."""
    folder = work.folder
    shutil.rmtree(folder.preview_work, ignore_errors=True)
    folder.preview_work.mkdir(mode=durable.FOLDER_MODE)
    tally, lost = Tally(questions), dict.fromkeys(questions.types, 0)
    with (
        ThreadPoolExecutor(max_workers=1) as writer,
        durable.replacing(folder.preview) as file,
    ):
        way_back = WayBack(folder.preview_work, work.manifest, questions, writer)
        delimiter = people_delimiter(work.manifest.sources[0].reading)
        table = Table(file, DIFFERENCE_COLUMNS, delimiter=delimiter)
        done = 0
        for number, batch in enumerate(read_batches(folder, work.manifest, questions)):
            answer = answers.answer(number)
            for part in batch:
                lines = compare(part, answer, questions)
                differences = list_differences(lines, questions)
                tally.add(lines, differences)
                shown = pl.concat([differences, list_rows_without(lines)]).sort(
                    "_source", "_row", maintain_order=True
                )
                table.append(shown.head(MOST_LINES - table.rows))
                if questions.sample is None:
                    way_back.add(find_ways_back(lines, questions))
                    for name, cells in count_lost_words(lines, questions).items():
                        lost[name] += cells
                done += part.rows.height
            work.progress(Advance("compare", done, done / questions.rows_asked))
        restore = way_back.write(asked, folder.restore) if questions.sample is None else None
    if questions.sample is not None:
        shutil.rmtree(folder.restore, ignore_errors=True)
    shutil.rmtree(folder.preview_work, ignore_errors=True)
    return {
        "counts": _outcomes(tally, questions),
        "fields": tally.fields(_protected(work.manifest)),
        "samples": tally.samples(),
        "differences": {"found": tally.differences, "lines": table.rows},
        "restore": restore,
        "not_restorable": [{"field": name, "cells": cells} for name, cells in lost.items() if cells],
    }


def _outcomes(tally: Tally, questions: Questions) -> dict[str, int]:
    """Rows by outcome, zeros included; whoever is not in the sample was not asked about."""
    counts = {str(outcome): tally.outcomes[outcome] for outcome in Outcome}
    counts[Outcome.NOT_ASKED] += questions.rows - questions.rows_asked
    return counts


def _protected(manifest: Manifest) -> list[str]:
    return [field.name for field in known_schema(manifest.schema).fields.values() if field.protected]
