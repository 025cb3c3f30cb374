"""Failure and warning files → the fate of every row of the chunk that was sent.

Read `chunk.py` first: it decides. `received.py` reads what Marketo sent, `matching.py` finds the row
that a line speaks of, `spelling.py` says which cells are the same although they are written differently.
"""

from prep.outcomes.chunk import ChunkOutcome, join_chunk, whole_chunk
from prep.outcomes.matching import MatchedBy, Why

__all__ = ["ChunkOutcome", "MatchedBy", "Why", "join_chunk", "whole_chunk"]
