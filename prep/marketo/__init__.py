"""A client for the parts of Marketo's REST API that an import needs."""

from prep.marketo.client import Marketo
from prep.marketo.records import FieldRecord, JobRecord, ListRecord, PartitionRecord, UsageRecord

__all__ = ["FieldRecord", "JobRecord", "ListRecord", "Marketo", "PartitionRecord", "UsageRecord"]
