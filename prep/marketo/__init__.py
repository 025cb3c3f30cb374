"""A client for the parts of Marketo's REST API that an import needs, loaded when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from prep.marketo.client import Marketo
    from prep.marketo.records import (
        FieldRecord,
        JobRecord,
        ListRecord,
        PartitionRecord,
        PersonRecord,
        UsageRecord,
    )

_HOMES: Final = {
    "FieldRecord": "prep.marketo.records",
    "JobRecord": "prep.marketo.records",
    "ListRecord": "prep.marketo.records",
    "Marketo": "prep.marketo.client",
    "PartitionRecord": "prep.marketo.records",
    "PersonRecord": "prep.marketo.records",
    "UsageRecord": "prep.marketo.records",
}
"""Each name and the module that it lives in."""

__all__ = [
    "FieldRecord",
    "JobRecord",
    "ListRecord",
    "Marketo",
    "PartitionRecord",
    "PersonRecord",
    "UsageRecord",
]


def __getattr__(name: str) -> Any:
    """Load a name on first use: cleaning never does, and HTTP libraries are slow to import."""
    if name not in _HOMES:
        raise AttributeError(f"module 'prep.marketo' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
