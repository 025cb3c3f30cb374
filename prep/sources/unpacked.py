"""Bytes that polars is to read as they are: it unpacks whatever begins like something packed."""

import codecs
from typing import Final

import polars as pl

MISREAD_STARTS: Final = (codecs.BOM_UTF8, b"x\x01", b"x^", b"x\x9c", b"x\xda", b"\x1f\x8b", b"(\xb5/\xfd")
"""Polars drops the first, and takes what begins like the others for zlib, gzip and zstd."""


def read_lines(text: bytes) -> pl.Series:
    """Split text into lines, which end with LF or CRLF.

    Raises:
        polars.exceptions.PolarsError: It is not UTF-8.
        OSError: Likewise.
    """
    guard = b"\n" if text.startswith(MISREAD_STARTS) else b""
    return pl.read_lines(guard + text if guard else text).to_series().slice(len(guard))
