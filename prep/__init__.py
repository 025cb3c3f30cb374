"""Get lead files into Adobe Marketo Engage through bulk import without losing, doubling or spoiling one row.

Everything public is listed in `__all__` and loaded when it is first used, so importing the package is cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from prep.config import CleanOptions, Destination
    from prep.errors import (
        BalanceError,
        FolderError,
        HeaderError,
        InputError,
        MarketoError,
        OutcomeUnknownError,
        PrepError,
        SchemaError,
        SettingsError,
        SourceError,
        TerminalError,
        TransientError,
    )
    from prep.in_memory import Prepared
    from prep.intake import Query
    from prep.marketo import Marketo
    from prep.model import Advance, Convention, Exchange, Fate, Job, Reason
    from prep.pipeline import clean, prepare, preview, purge, read, reconcile, retry, settle, submit
    from prep.preflight import Finding
    from prep.previewing.questions import Estimate
    from prep.runs import Run
    from prep.sandbox import Sandbox
    from prep.schema import Field, Schema
    from prep.schema_file import load_schema

_HOMES: Final = {
    "Advance": "prep.model",
    "BalanceError": "prep.errors",
    "CleanOptions": "prep.config",
    "Convention": "prep.model",
    "Destination": "prep.config",
    "Estimate": "prep.previewing.questions",
    "Exchange": "prep.model",
    "Fate": "prep.model",
    "Field": "prep.schema",
    "Finding": "prep.preflight",
    "FolderError": "prep.errors",
    "HeaderError": "prep.errors",
    "InputError": "prep.errors",
    "Job": "prep.model",
    "Marketo": "prep.marketo",
    "MarketoError": "prep.errors",
    "OutcomeUnknownError": "prep.errors",
    "PrepError": "prep.errors",
    "Prepared": "prep.in_memory",
    "Query": "prep.intake",
    "Reason": "prep.model",
    "Run": "prep.runs",
    "Sandbox": "prep.sandbox",
    "Schema": "prep.schema",
    "SchemaError": "prep.errors",
    "SettingsError": "prep.errors",
    "SourceError": "prep.errors",
    "TerminalError": "prep.errors",
    "TransientError": "prep.errors",
    "clean": "prep.pipeline",
    "load_schema": "prep.schema_file",
    "prepare": "prep.pipeline",
    "preview": "prep.pipeline",
    "purge": "prep.pipeline",
    "read": "prep.pipeline",
    "reconcile": "prep.pipeline",
    "retry": "prep.pipeline",
    "settle": "prep.pipeline",
    "submit": "prep.pipeline",
}
"""Each public name and the module that it lives in."""

__all__ = [
    "Advance",
    "BalanceError",
    "CleanOptions",
    "Convention",
    "Destination",
    "Estimate",
    "Exchange",
    "Fate",
    "Field",
    "Finding",
    "FolderError",
    "HeaderError",
    "InputError",
    "Job",
    "Marketo",
    "MarketoError",
    "OutcomeUnknownError",
    "PrepError",
    "Prepared",
    "Query",
    "Reason",
    "Run",
    "Sandbox",
    "Schema",
    "SchemaError",
    "SettingsError",
    "SourceError",
    "TerminalError",
    "TransientError",
    "clean",
    "load_schema",
    "prepare",
    "preview",
    "purge",
    "read",
    "reconcile",
    "retry",
    "settle",
    "submit",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'prep' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
