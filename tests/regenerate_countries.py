"""Make `prep/values/countries_cldr.tsv` anew from the names that CLDR has for countries in all its languages.

Old editions know spellings that later ones gave up and lead files still hold, so they are read as well: the
installed Babel first, then the wheels of older ones, newest first:

    pip download --no-deps babel==2.15.0 babel==2.12.1 babel==2.9.1 babel==2.8.0 babel==2.6.0 babel==2.3.4
    .venv/bin/python -m tests.regenerate_countries Babel-2.15.0-*.whl Babel-2.12.1-*.whl …

A name that one edition gives to several countries is ambiguous; a later edition decides against an earlier
one, and a country against a part of the world.
"""

import pickle
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import babel
from babel.core import get_global

from prep.values.countries import AMBIGUOUS, fold_country

TABLE = Path(__file__).parents[1] / "prep" / "values" / "countries_cldr.tsv"
HEAD = """\
# Countries: ISO 3166 codes of two letters, three letters and three digits, the name in English, and the
# folded names in all languages between bars; `-` has those that one edition gives to several countries.
# Made by tests/regenerate_countries.py from CLDR through Babel {editions}.
# Names: Copyright 1991-2026 Unicode, Inc.; https://www.unicode.org/license.txt (SPDX: Unicode-3.0)
"""
INVENTED = "tok"  # in Toki Pona Latvia is called Malawi
RETIRED = {"BUR", "DDR", "FXX", "TMP", "YMD", "ZAR", "230", "249", "278", "280", "720", "736", "886"}
NO_ISO_CODE = {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"}


def installed() -> Iterator[tuple[str, bytes]]:
    """Language and content of each file of names."""
    for path in sorted((Path(babel.__file__).parent / "locale-data").glob("*.dat")):
        yield path.stem, path.read_bytes()


def packed(wheel: str) -> Iterator[tuple[str, bytes]]:
    """The same of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if name.startswith("babel/locale-data/") and name.endswith(".dat"):
                yield Path(name).stem, archive.read(name)


def read_edition(files: Iterable[tuple[str, bytes]]) -> dict[str, set[str]]:
    """Folded name → territories that are called so."""
    called: dict[str, set[str]] = {}
    for language, content in files:
        if language.startswith(INVENTED):
            continue
        territories: Mapping[str, object] = pickle.loads(content).get("territories") or {}  # noqa: S301
        for territory, name in territories.items():
            if isinstance(name, str) and fold_country(name):
                called.setdefault(fold_country(name), set()).add(territory)
    return called


def is_country(territory: str) -> bool:
    """Whether CLDR's code is one of ISO's countries, or Kosovo's."""
    return len(territory) == 2 and territory not in NO_ISO_CODE and territory not in aliases()


def aliases() -> Mapping[str, list[str]]:
    """Other codes → CLDR's own."""
    found: Mapping[str, list[str]] = get_global("territory_aliases")
    return found


def decide(called: set[str]) -> str:
    """The country that a name means, `-` for several; empty for none. A part of the world is no rival."""
    rivals = [territory for territory in called if not territory.isdigit()]
    countries = [territory for territory in rivals if is_country(territory)]
    if not countries:
        return ""
    return countries[0] if len(rivals) == 1 else AMBIGUOUS


def english() -> dict[str, str]:
    """Code → name."""
    names = babel.Locale("en").territories
    return {code: name for code, name in sorted(names.items()) if is_country(code)}


def make(wheels: list[str]) -> str:
    """The table as text."""
    meaning: dict[str, str] = {}
    for files in (installed(), *map(packed, wheels)):
        for name, called in read_edition(files).items():
            meaning.setdefault(name, decide(called))
    names: dict[str, list[str]] = {AMBIGUOUS: []}
    for name, code in sorted(meaning.items()):
        names.setdefault(code, []).append(name)
    codes: dict[str, dict[bool, str]] = {}
    for alias, targets in aliases().items():
        if len(targets) == 1 and len(alias) == 3 and alias not in RETIRED:
            codes.setdefault(targets[0], {}).setdefault(alias.isdigit(), alias)
    editions = [babel.__version__, *(Path(wheel).name.split("-")[1] for wheel in wheels)]
    lines = [HEAD.format(editions=", ".join(editions))]
    for code, name in english().items():
        three, number = codes.get(code, {}).get(False, ""), codes.get(code, {}).get(True, "")
        lines.append("\t".join([code, three, number, name, "|".join(names[code])]) + "\n")
    lines.append("\t".join([AMBIGUOUS, "", "", "", "|".join(names[AMBIGUOUS])]) + "\n")
    return "".join(lines)


if __name__ == "__main__":
    TABLE.write_text(make(sys.argv[1:]), encoding="utf-8")
