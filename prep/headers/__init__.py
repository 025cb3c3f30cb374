"""Stage 2: source columns → schema fields."""

from prep.headers.columns import FULL_NAME, NAME_PARTS, Column, HeaderMapping, How, Problem
from prep.headers.judging import doubt_header, refuse_problems
from prep.headers.mapping import (
    add_maps,
    check_settings,
    map_headers,
    refuse_idle_maps,
    split_maps,
    suggest_fields,
    unknown_field,
)
from prep.headers.saved import add_mapping, dump_mapping, load_mapping

__all__ = [
    "FULL_NAME",
    "NAME_PARTS",
    "Column",
    "HeaderMapping",
    "How",
    "Problem",
    "add_mapping",
    "add_maps",
    "check_settings",
    "doubt_header",
    "dump_mapping",
    "load_mapping",
    "map_headers",
    "refuse_idle_maps",
    "refuse_problems",
    "split_maps",
    "suggest_fields",
    "unknown_field",
]
