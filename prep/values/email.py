"""Email addresses: what is wrapped around them removed, the domain in ASCII, everything else as typed.

A repair is made only where an acceptable address is left after all of them. None alters an acceptable one.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

import polars as pl

from prep.checks import have_misleading_domains, judge_emails
from prep.values.rules import NON_ASCII, Rule, contains, once_for_each_value, or_as_it_was

_MAX_BYTES: Final = 254
"""Longest address: https://www.rfc-editor.org/errata/eid1690"""

_SAME_CHARACTER: Final = frozenset({"<wide>", "<narrow>", "<font>", "<small>"})
"""Mappings to the same character in another shape; ² or ™ is not merely another shape.
https://www.unicode.org/reports/tr44/#Character_Decomposition_Mappings"""


def _nfkc(address: str) -> str:
    """Full-width and other shapes of plain characters, and ligatures, → those characters."""
    return "".join(map(_in_plain_shape, address))


def _in_plain_shape(character: str) -> str:
    tag = unicodedata.decomposition(character).partition(" ")[0]
    plain = unicodedata.normalize("NFKC", character)
    is_ligature = tag == "<compat>" and plain.isalpha() and character.isalpha()
    return plain if tag in _SAME_CHARACTER or is_ligature else character


def _strip_punctuation(address: str) -> str:
    """`ana@example.com;` → `ana@example.com`."""
    return address.rstrip(".,;: \t")


def _strip_angles(address: str) -> str:
    """`"Lee, Ana" <ana@example.com>` → `ana@example.com`, unless another address stands before it."""
    match = re.fullmatch(r"([^<>\n]*)<[ \t]*([^<>\s]+)[ \t]*>", address)
    if not match or ("@" in match[1] and match[1].strip("\"' \t").lower() != match[2].lower()):
        return address
    return match[2]


def _strip_mailto(address: str) -> str:
    """`mailto:ana%2Bx@example.com?subject=Hello` → `ana+x@example.com`.

    https://www.rfc-editor.org/rfc/rfc6068#section-2
    """
    match = re.fullmatch(r"mailto:[ \t]*([^?\s]+)(?:\?.*)?", address, flags=re.IGNORECASE)
    return unquote(match[1]) if match else address


_REPAIRS: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {"nfkc": _nfkc, "punctuation": _strip_punctuation, "angles": _strip_angles, "mailto": _strip_mailto}
)
"""What may have happened to an address, by the name of the rule that undoes it, in this order."""


_MAY_NEED_REPAIR: Final = contains(NON_ASCII, "[<>:;,]", r"\.$")


def email_rules(*, repair: bool) -> tuple[Rule, ...]:
    """The rules `nfkc`, `punctuation`, `angles` and `mailto` if repairs are wanted, then `idn`."""
    steps = list(_REPAIRS.items()) if repair else []
    later = [[step for _, step in steps[place:]] for place in range(len(steps))]
    return (*(_repair(name, rest) for (name, _), rest in zip(steps, later, strict=True)), IDN)


def _repair(name: str, steps: list[Callable[[str], str]]) -> Rule:
    """The first of these steps, for cells that all of them together make acceptable."""

    def respell(cells: pl.Series) -> pl.Series:
        repaired = pl.Series([steps[0](cell) for cell in cells], dtype=pl.String)
        final = cells
        for step in steps:
            final = pl.Series([step(cell) for cell in final], dtype=pl.String)
        return repaired.zip_with(_is_acceptable(final), cells)

    return Rule(name, _MAY_NEED_REPAIR, once_for_each_value(respell))


def _is_acceptable(cells: pl.Series) -> pl.Series:
    """Whether Marketo can take what is left once the domain is in ASCII."""
    encoded = _encode_domains(cells)
    return (encoded.str.len_bytes() == encoded.str.len_chars()) & judge_emails(encoded)


def _encode_domains(cells: pl.Series) -> pl.Series:
    local_parts = cells.str.extract(r"^([\x00-\x7F]*)@[^@]*$")
    domains = cells.str.extract(r"@([^@]*)$")
    known = domains.drop_nulls().unique()
    ascii_domains = pl.Series([_to_ascii(domain) for domain in known], dtype=pl.String)
    encoded = local_parts + "@" + domains.replace_strict(known, ascii_domains, return_dtype=pl.String)
    is_valid = judge_emails(local_parts + "@example.com") & (encoded.str.len_bytes() <= _MAX_BYTES)
    is_meant = is_valid & ~have_misleading_domains(cells)
    return or_as_it_was(encoded.set(~is_meant, None), cells)


def _to_ascii(domain: str) -> str | None:
    """The domain as name servers know it, by IDNA 2008 and UTS 46; None if it has no such form."""
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 (slow to import)

    try:
        return validate_email(f"a@{domain}", strict=True, check_deliverability=False).ascii_domain
    except EmailNotValidError:
        return None


IDN: Final = Rule("idn", contains(NON_ASCII), _encode_domains)
"""`me@bücher.example` → `me@xn--bcher-kva.example`, where that makes the address valid.
Marketo takes ASCII only: https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/lead-database/field-types"""
