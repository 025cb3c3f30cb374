"""Email addresses: the domain in ASCII, everything else as typed."""

from typing import Final

import polars as pl

from prep.checks import judge_emails
from prep.values.rules import Rule, has_non_ascii, or_as_it_was

_MAX_BYTES: Final = 254
"""Longest address: https://www.rfc-editor.org/errata/eid1690"""


def _encode_domains(cells: pl.Series) -> pl.Series:
    local_parts = cells.str.extract(r"^([\x00-\x7F]*)@[^@]*$")
    domains = cells.str.extract(r"@([^@]*)$")
    known = domains.drop_nulls().unique()
    ascii_domains = pl.Series([_to_ascii(domain) for domain in known], dtype=pl.String)
    encoded = local_parts + "@" + domains.replace_strict(known, ascii_domains, return_dtype=pl.String)
    is_valid = judge_emails(local_parts + "@example.com") & (encoded.str.len_bytes() <= _MAX_BYTES)
    return or_as_it_was(encoded.set(~is_valid, None), cells)


def _to_ascii(domain: str) -> str | None:
    """The domain as name servers know it, by IDNA 2008 and UTS 46; None if it has no such form."""
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 (slow to import)

    try:
        return validate_email(f"a@{domain}", strict=True, check_deliverability=False).ascii_domain
    except EmailNotValidError:
        return None


IDN: Final = Rule("idn", has_non_ascii, _encode_domains)
"""`me@bücher.example` → `me@xn--bcher-kva.example`, where that makes the address valid.
Marketo takes ASCII only: https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/field-types"""
