"""Reports to make pages of."""

import json
from typing import Any

from prep.model import Fate


def sample_report(text: str = "plain", **changes: Any) -> dict[str, Any]:
    """A report in which every text that comes from a file, a person or Marketo is `text`."""
    chunk = {"rows": 6151, "bytes": 912_377, "sha256": "c" * 64}
    counts = dict(zip(("read", *Fate), (7_000, 501, 77, 271, 0, 0, 5_802, 311, 38, 0), strict=True))
    return {
        "version": 1,
        "run_id": "e820751a",
        "parent_run_id": "4c87d77f",
        "goal": "run",
        "max_rejected": None,
        "state": "reconciled",
        "target": text,
        "sources": [
            {
                "path": text,
                "copy": None,
                "sha256": "d" * 64,
                "encoding": "utf-8",
                "delimiter": ";",
                "sheet": None,
                "notes": [],
                "columns": [text],
                "rows": 7_000,
                "skipped": [
                    {"kind": "header", "line": 1},
                    *({"kind": text, "line": line} for line in (1_021, 1_022, 1_023, 1_024, 1_025, 1_026)),
                ],
            }
        ],
        "lookup_field": text,
        "format": "csv",
        "schema": {"name": text, "fingerprint": text},
        "counts": counts,
        "balanced": True,
        "assumed": 17,
        "reasons": [
            {"code": "invalid_email", "field": "email", "rows": 433, "shapes": ["aaa", text]},
            {"code": "unreadable_row", "field": None, "rows": 19, "shapes": []},
            {"code": text, "field": text, "rows": 91, "shapes": [text]},
        ],
        "changes": [
            {"field": text, "rule": "trim", "cells": 8_123},
            {"field": "x", "rule": text, "cells": 3},
        ],
        "notes": [
            {
                "code": "role_account",
                "field": text,
                "cells": 12,
                "rows": [{"source": text, "row": 7, "line": 9}],
            },
            {"code": "likely_typo", "field": text, "cells": 2, "rows": []},
        ],
        "mapping": [
            {"source": text, "field": text, "how": "exact"},
            {"source": text, "field": None, "how": "dropped"},
        ],
        "chunks": [{"file": text, **chunk, "state": "reconciled", "batch_id": 1_001}],
        "jobs": [
            {
                "chunk": text,
                "batch_id": 1_001,
                "status": "Complete",
                "processed": 6_113,
                "failed": 38,
                "warned": 311,
                "message": text,
            }
        ],
        "seconds": {"validate": 0.842, "write": 12.5},
        "exit_code": 3,
        "purged": False,
        "remarks": [{"chunk": text, "message": text}],
        "sheets": [],
        "list_id": 1_044,
        "list_name": text,
        "partition_name": text,
        "messages": [
            {
                "fate": "failed",
                "code": "wrong_type",
                "field": text,
                "cause": text,
                "remedy": text,
                "rule": text,
                "rows": 37,
            },
            {
                "fate": "warned",
                "code": text,
                "field": None,
                "cause": "doubtful",
                "remedy": "correct it",
                "rule": "",
                "rows": 1_311,
            },
        ],
        "profile": {
            "rows": 60_001,
            "sampled": 50_000,
            "columns": [{"field": text, "filled": 59_123, "distinct": 4_321, "longest": 254}],
        },
        "duplicates": [{"size": 2, "groups": 135}, {"size": 3, "groups": 1}],
        "transitions": [
            {"chunk": text, "state": state, "at": f"2026-05-07T15:02:{second:02d}.000+00:00"}
            for second, state in enumerate(("planned", "intended", "queued", "importing", "reconciled"), 11)
        ],
        "settings": {"keep": text, "set": {"leadSource": text}, "max_bytes": 9_000_000, "dates": "iso"},
        "error": {"code": text, "message": text, "hint": text, "source": text, "row": None, "column": text},
        **changes,
    }


def report_of(texts: list[str]) -> dict[str, Any]:
    """A report in which each text stands wherever a source can put one."""
    report = sample_report()
    (source,), (reason, *_) = report["sources"], report["reasons"]
    return report | {
        "sources": [{**source, "path": text, "sheet": text, "notes": [text]} for text in texts],
        "mapping": [{"source": text, "field": "email", "how": "map"} for text in texts],
        "reasons": [{**reason, "shapes": [text]} for text in texts],
        "settings": {"set": {str(place): text for place, text in enumerate(texts)}},
    }


def in_state(state: str, **counts: int) -> dict[str, Any]:
    fates = dict.fromkeys(map(str, Fate), 0) | counts
    counts = {"read": sum(fates.values()), **fates}
    return sample_report(state=state, counts=counts, error=None, assumed=0, parent_run_id=None)


STATES = {
    "finished": sample_report(),
    "clean": in_state("clean", ready=1_234_567, rejected=11) | {"target": None},
    "rejected": in_state("clean", rejected=2) | {"target": None, "chunks": [], "jobs": [], "transitions": []},
    "stopped": in_state("submitting", ready=5, imported=4) | {"exit_code": 4},
    "waiting": in_state("waiting", sent=3, duplicate=1),
    "unknown": in_state("unknown", unknown=7, imported=3, ready=2),
    "fine": in_state("reconciled", imported=1) | {"exit_code": 0, "reasons": [], "messages": [], "notes": []},
    "every fate": in_state("unknown", **{str(fate): 99_999_999 for fate in Fate}),
}
"""A report for each state of a run."""


def dom(page: Any) -> list[Any]:
    """Every element that the browser made, with its attributes, in order."""
    found: list[Any] = json.loads(  # Playwright takes lists over item by item, a text at once
        page.evaluate(
            "JSON.stringify([...document.querySelectorAll('*')]"
            ".map(e => [e.nodeName, ...[...e.attributes].map(a => a.name + '=' + a.value)]))"
        )
    )
    return found
