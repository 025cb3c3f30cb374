"""Stage 1: bytes → batches of text cells with their row and line."""

from prep.sources.batch import Batch, Reader, Skipped, Source
from prep.sources.open import open_source

__all__ = ["Batch", "Reader", "Skipped", "Source", "open_source"]
