"""Stage 1: bytes → batches of text cells with their row and line."""

from prep.sources.batch import Batch, Skipped
from prep.sources.delimited import Reader, Source, open_source, read_batches

__all__ = ["Batch", "Reader", "Skipped", "Source", "open_source", "read_batches"]
