"""Phone numbers in the form of E.164, `+` and digits, where it is certain which number a cell means.

https://www.itu.int/rec/T-REC-E.164
"""

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from prep.model import Phones
from prep.values.plain_phones import judge_plain
from prep.values.rules import BesideCountry, lacks

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

E164: Final = r"^\+[1-9][0-9]{4,14}$"
"""A number without extension; at most 15 digits."""

EXTENDED: Final = r"^\+[1-9][0-9]{4,14} ext\. [0-9]{1,9}$"
"""A number with its extension, which E.164 has no place for: https://www.itu.int/rec/T-REC-E.123"""

_DASH: Final = re.compile(r"[\u2010-\u2015\u2212\u2022\u2219\u30fb\u30fc\u301c\u00b7]")

_LABEL: Final = re.compile(
    r"^(?:tel|telephone|telefono|teléfono|telefon|telefone|téléphone|phone|fon|mobile|mobil|móvil|movil"
    r"|cell|handy|fax|t|p|m|f)"
    r"\s*[.:]+\s*(?=[+(\[0-9])"
)
"""A word before the number that says what kind it is."""

_TEXT_MARK: Final = "'"
"""What exports put before a number so that a spreadsheet takes it for text: `'+34 910 12 34 56`."""

_AMOUNT: Final = re.compile(r"^(\+?[0-9]{7,15})\.0$")
"""What a table writes that takes numbers for amounts: `34910123456.0`."""

_BRACKETED_PREFIX: Final = re.compile(r"^[(\[]\s*(\+|00)\s*([0-9]{1,3})\s*[)\]]")
_TRUNK_ZERO: Final = re.compile(r"[(\[]\s*0\s*[)\]]")
_DIGITS: Final = re.compile(r"\+?[0-9\s.()\[\]/~-]*[0-9][)\]\s]*")
_VANITY: Final = re.compile(r"\+?[0-9\s.()-]*[0-9][\s.()-]*[a-z]{3}[a-z0-9\s.-]*")
_EXTENSION: Final = re.compile(
    r"^(.*[0-9)\]])[\s.,;(]*(?:extension|extn?|ext|anexo|durchwahl|poste|int|x|\#)[\s.:=#]*([0-9]{1,9})\)?$",
    re.DOTALL,
)
_BETWEEN_NUMBERS: Final = re.compile(r"/|[\s-]+(?=\(?0)")
"""Where a second number may begin. A slash may also stand behind an area code, a 0 anywhere."""

_OTHER_ENDING: Final = re.compile(r"/\s*[0-9]{1,3}$")
_INTERNATIONAL_ONLY: Final = "ZZ"


def phone_rules(wanted: Phones, region: str | None) -> tuple[BesideCountry, ...]:
    """The rule `phone`: a number that is certain → E.164; none where cells stay as they are.

    A prefix of the number's own (`+`, `00`) says which country it belongs to, else the row's country does,
    else `region`. In a row whose country is not understood the region says nothing.
    """
    if wanted is Phones.KEEP:
        return ()
    from phonenumbers import enable_pattern_cache  # noqa: PLC0415 (its tables are large)

    enable_pattern_cache()  # numbers of many countries
    default = region or _INTERNATIONAL_ONLY

    def spell(cell: str, country: str | None) -> str | None:
        return to_e164(cell, country or default)

    return (BesideCountry("phone", lacks(E164), spell, judge_plain),)


def to_e164(cell: str, region: str) -> str | None:
    """The number that a cell means, dialled in this region (ISO code; ZZ for none); None if that is open.

    `(0)` between prefix and number is left out where it does not belong to the number, letters of a number
    such as 1-800-FLOWERS become digits, an extension stays behind it: `+34910123456 ext. 12`. Two numbers in
    one cell are none, nor is one that may have lost the + before the region's own prefix: 49 176 12345678.
    """
    text, extension = _split_extension(_plain(cell))
    if not (_DIGITS.fullmatch(text) or _VANITY.fullmatch(text)) or _are_several(text, region):
        return None
    number = _parse(text, region) or _parse(_TRUNK_ZERO.sub(" ", text), region)
    if number is None or _may_lack_plus(text, number):
        return None
    if _VANITY.fullmatch(text) and not _may_have_letters(number):
        return None
    from phonenumbers import PhoneNumberFormat, format_number  # noqa: PLC0415

    spelled = format_number(number, PhoneNumberFormat.E164)
    return f"{spelled} ext. {extension}" if extension else spelled


def _plain(cell: str) -> str:
    """A cell in lower-case ASCII as far as that goes: digits of any script, dashes, no mark or label."""
    text = _DASH.sub("-", unicodedata.normalize("NFKC", cell)).lower()
    text = "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)
    text = text.strip().removeprefix(_TEXT_MARK)
    text = _AMOUNT.sub(r"\1", _LABEL.sub("", text))
    return _BRACKETED_PREFIX.sub(r"\1\2 ", text)


def _split_extension(text: str) -> tuple[str, str]:
    match = _EXTENSION.match(text)
    return (match[1], match[2]) if match else (text, "")


def _are_several(text: str, region: str) -> bool:
    """Whether two numbers stand here, each valid by itself, or one with another ending: 04131 123456/57."""
    if _OTHER_ENDING.search(text):
        return True
    breaks = _BETWEEN_NUMBERS.finditer(text)
    return any(_parse(text[: gap.start()], region) and _parse(text[gap.end() :], region) for gap in breaks)


def _parse(text: str, region: str) -> "PhoneNumber | None":
    """The valid number that a text means; `00` is read as `+` unless it can be dialled there as it stands."""
    if not text.startswith("00"):
        return _parse_as(text, region)
    international, national = _parse_as("+" + text[2:], region), _parse_as(text, region)
    if international and national and international != national:
        return None
    return international or national


def _parse_as(text: str, region: str) -> "PhoneNumber | None":
    import phonenumbers  # noqa: PLC0415 (its tables are large)

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def _may_lack_plus(text: str, number: "PhoneNumber") -> bool:
    """Whether a text begins with its country's prefix, and is another number with a + before it."""
    digits = "".join(filter(str.isdigit, text))
    if text.startswith("+") or not digits.startswith(str(number.country_code)):
        return False
    return _parse_as(f"+{text}", _INTERNATIONAL_ONLY) not in (None, number)


def _may_have_letters(number: "PhoneNumber") -> bool:
    """Whether numbers of this kind are told in letters: all of North America, elsewhere the free ones."""
    from phonenumbers import PhoneNumberType, number_type  # noqa: PLC0415

    kinds = {PhoneNumberType.TOLL_FREE, PhoneNumberType.SHARED_COST, PhoneNumberType.PREMIUM_RATE}
    return number.country_code == 1 or number_type(number) in kinds
