"""The fixed words of the page: what states, fates, rules and kinds are called and mean."""

from typing import Final

from prep.model import Fate

STATES: Final = {
    "clean": ("Prepared, not sent", "calm"),
    "submitting": ("Sent in part", "busy"),
    "waiting": ("Sent, Marketo is at work", "busy"),
    "reconciled": ("Finished", "good"),
    "unknown": ("Outcome unknown", "bad"),
}
"""Each state of a run in words, with its tone."""

FATES: Final = {
    Fate.REJECTED: "broke a rule or could not be read; not sent",
    Fate.SUPPRESSED: "on a suppression list or without consent; not sent",
    Fate.DUPLICATE: "lost to another row with the same {lookup_field}; not sent",
    Fate.READY: "in an upload file that was not sent",
    Fate.SENT: "with {place}, no outcome yet",
    Fate.IMPORTED: "taken by {place}",
    Fate.WARNED: "taken by {place}, with a warning",
    Fate.FAILED: "refused by {place}",
    Fate.UNKNOWN: "nobody can tell; never counted as success",
}
HELD: Final = (Fate.REJECTED, Fate.SUPPRESSED, Fate.DUPLICATE)
"""The fates of rows that stand in no upload file."""

PURGED: Final = "The rows' data was deleted with prep purge; their numbers stay."

RULES: Final = {
    "blank": "nothing but space made blank",
    "boolean": "spelled true or false",
    "angles": "address taken out of <…>",
    "as_text": '="…" of a spreadsheet taken off',
    "collapse_spaces": "runs of spaces made one",
    "control": "invisible characters taken out",
    "date": "spelled year-month-day",
    "datetime": "spelled as Marketo reads it",
    "idn": "domain in the ASCII form that Marketo takes",
    "integer": "spelled as a plain whole number",
    "lower": "in small letters",
    "mailto": "mailto: taken off",
    "mojibake": "text that was decoded wrongly repaired",
    "nfkc": "letters of unusual width made plain ones",
    "nfc": "accents and letters made one character",
    "number": "spelled as a plain number",
    "punctuation": "punctuation at the ends taken off",
    "phone": "spelled as E.164",
    "placeholder": "words for nothing made blank",
    "country": "spelled as --countries says",
    "state": "spelled as --states says",
    "separators": "thousands and decimals as Marketo reads them",
    "sign": "plain minus, no percent sign",
    "spaces": "unusual spaces made plain ones",
    "timezone": "zone written out",
    "title": "first letters made capital",
    "null": "NULL, null or \\N made blank",
    "trim": "space at the ends taken off",
    "upper": "in capital letters",
}
"""What the commonest rules of normalising do; the others go by their name alone."""

BLANKS: Final = {
    "cleared": "NULL is sent, which clears the field",
    "send": "sent as blanks; what Marketo does with these is not documented",
    "omit": "left out; what Marketo has there stays",
    "null": "left out; what Marketo has there stays",
}
"""What becomes of cells without a value, by the word of `--blanks`, or because they order a clearing."""

HOWS: Final = {
    "exact": "has the field's own name",
    "folded": "has the field's name, but for case and punctuation",
    "alias": "is a known name of the field",
    "map": "chosen with --map",
    "set": "one value for every row",
    "suggested": "not used; the field is a guess",
    "unknown": "not used; no field has this name",
    "dropped": "left out on purpose",
    "protected": "left out; --allow-protected or --map sends it",
}
UNUSED: Final = frozenset({"suggested", "unknown", "dropped", "protected"})

CHUNK_STATES: Final = {
    "planned": ("not sent", "calm"),
    "intended": ("being sent", "busy"),
    "queued": ("in Marketo's queue", "busy"),
    "importing": ("Marketo is at work", "busy"),
    "complete": ("finished, not joined yet", "busy"),
    "failed": ("refused, not joined yet", "bad"),
    "unknown": ("outcome unknown", "bad"),
    "reconciled": ("settled", "good"),
}

DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}

SPANS: Final = {
    "uploading": "being uploaded",
    "queued": "in Marketo's queue",
    "importing": "being imported",
    "joining": "outcomes being joined",
    "open": "outcome unknown",
}
"""What an upload file does for a while."""
