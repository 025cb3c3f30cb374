"""The legacy code pages that a text may be in."""

from dataclasses import dataclass
from typing import Final

_WESTERN = ("en", "de", "fr", "es", "it", "pt", "ca", "nl", "sv", "da", "fi", "is", "et")
_CENTRAL = ("pl", "cs", "sk", "hu", "hr", "ro", "de", "en")
_CYRILLIC = ("ru", "uk", "bg", "sr", "en")
_BALTIC = ("lt", "lv", "et", "pl", "de", "en")


@dataclass(frozen=True)
class CodePage:
    """A candidate.

    Attributes:
        name: The Python codec.
        region: What people call its repertoire.
        languages: Which languages are written in it, by their names in `prep.sources.languages`.
        rarity: How many times rarer it is among lead files than cp1252; natural logarithm, our estimate.
    """

    name: str
    region: str
    languages: tuple[str, ...]
    rarity: float

    def __str__(self) -> str:
        return f"{self.name} ({self.region})"


CODE_PAGES: Final = (
    CodePage("cp1252", "Western", _WESTERN, 0.0),
    CodePage("iso-8859-15", "Western", _WESTERN, 4.0),
    CodePage("iso-8859-1", "Western", _WESTERN, 5.0),
    CodePage("mac_roman", "Western, old Macintosh", _WESTERN, 5.0),
    CodePage("cp850", "Western, DOS", _WESTERN, 5.0),
    CodePage("cp437", "Western, DOS", _WESTERN, 5.5),
    CodePage("cp1250", "Central European", _CENTRAL, 2.0),
    CodePage("iso-8859-2", "Central European", _CENTRAL, 4.0),
    CodePage("cp852", "Central European, DOS", _CENTRAL, 6.0),
    CodePage("cp1251", "Cyrillic", _CYRILLIC, 2.0),
    CodePage("koi8-r", "Cyrillic", ("ru", "en"), 4.0),
    CodePage("koi8-u", "Cyrillic", ("uk", "ru", "en"), 5.0),
    CodePage("iso-8859-5", "Cyrillic", _CYRILLIC, 6.0),
    CodePage("cp866", "Cyrillic, DOS", _CYRILLIC, 5.0),
    CodePage("cp1253", "Greek", ("el", "en"), 3.0),
    CodePage("iso-8859-7", "Greek", ("el", "en"), 4.0),
    CodePage("cp1254", "Turkish", ("tr", "de", "en"), 3.0),
    CodePage("iso-8859-9", "Turkish", ("tr", "de", "en"), 4.5),
    CodePage("cp1255", "Hebrew", ("he", "en"), 3.0),
    CodePage("iso-8859-8", "Hebrew", ("he", "en"), 5.0),
    CodePage("cp1256", "Arabic", ("ar", "fr", "en"), 3.0),
    CodePage("cp1257", "Baltic", _BALTIC, 3.0),
    CodePage("iso-8859-13", "Baltic", _BALTIC, 5.0),
    CodePage("cp1258", "Vietnamese", ("vi", "fr", "en"), 4.0),
    CodePage("cp874", "Thai", ("th", "en"), 3.0),
    CodePage("cp932", "Japanese", ("ja", "en"), 2.0),
    CodePage("euc_jp", "Japanese", ("ja", "en"), 4.0),
    CodePage("gb18030", "Chinese", ("zh-Hans", "en"), 2.0),
    CodePage("big5", "Chinese", ("zh-Hant", "en"), 3.0),
    CodePage("cp949", "Korean", ("ko", "en"), 3.0),
    CodePage("cp865", "Nordic, DOS", ("da", "sv", "is", "en"), 8.0),
    CodePage("cp860", "Portuguese, DOS", ("pt", "en"), 8.0),
    CodePage("iso-8859-4", "Baltic", _BALTIC, 8.0),
    CodePage("cp775", "Baltic, DOS", _BALTIC, 8.0),
    CodePage("cp857", "Turkish, DOS", ("tr", "en"), 8.0),
    CodePage("cp737", "Greek, DOS", ("el", "en"), 8.0),
    CodePage("cp862", "Hebrew, DOS", ("he", "en"), 8.0),
    CodePage("iso-8859-6", "Arabic", ("ar", "en"), 8.0),
    CodePage("mac_latin2", "Central European, old Macintosh", _CENTRAL, 8.0),
    CodePage("mac_cyrillic", "Cyrillic, old Macintosh", _CYRILLIC, 8.0),
    CodePage("mac_greek", "Greek, old Macintosh", ("el", "en"), 8.0),
    CodePage("mac_turkish", "Turkish, old Macintosh", ("tr", "en"), 8.0),
)


UTF_8: Final = CodePage(
    "utf-8", "Unicode", tuple(dict.fromkeys(name for page in CODE_PAGES for name in page.languages)), 0.0
)
