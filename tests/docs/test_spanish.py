"""The Spanish README says what the English one does: same sections, same commands, same links."""

import re
from collections import Counter
from pathlib import Path

PROJECT = Path(__file__).parents[2]
ENGLISH, SPANISH = ((PROJECT / name).read_text(encoding="utf-8") for name in ("README.md", "README.es.md"))
SECTIONS = {
    "prep": "prep",
    "Try it: two commands, no account": "Pruébelo: dos órdenes, sin cuenta",
    "With your own instance": "Con su propia instancia",
    "What it promises": "Lo que promete",
    "Commands": "Órdenes",
    "From Python": "Desde Python",
    "Limits": "Límites",
    "More": "Más",
}


def code(text: str) -> list[str]:
    return re.findall(r"^```.*?^```$", text, re.MULTILINE | re.DOTALL)


def prose(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ .*$", prose(text), re.MULTILINE)


def sections(text: str) -> list[str]:
    """What stands below each heading."""
    return re.split(r"^#+ .*$", prose(text), flags=re.MULTILINE)


def test_sections_are_the_same_in_the_same_order() -> None:
    marks = [heading.partition(" ") for heading in headings(ENGLISH)]
    assert [f"{mark} {SECTIONS[title]}" for mark, _, title in marks] == headings(SPANISH)


def test_code_is_the_same_to_the_letter() -> None:
    assert code(ENGLISH) == code(SPANISH), "python -m docs.transcripts README.es.md"


def links(text: str) -> Counter[str]:
    return Counter(re.findall(r"(?:\]\(|src=\"|srcset=\")([^)\"]+)", text))


def cells(text: str) -> list[int]:
    """How many bars each line of a table has."""
    return [line.count("|") for line in text.splitlines() if line.startswith("|")]


def test_each_section_has_the_same_words_of_code_links_and_lines_of_tables() -> None:
    for english, spanish in zip(sections(ENGLISH), sections(SPANISH), strict=True):
        assert Counter(re.findall(r"`[^`\n]+`", english)) == Counter(re.findall(r"`[^`\n]+`", spanish))
        assert links(english) - Counter(["README.es.md"]) == links(spanish) - Counter(["README.md"])
        assert cells(english) == cells(spanish)
        assert english.count("\n- ") == spanish.count("\n- ")


def test_the_exit_codes_stand_in_the_same_order() -> None:
    codes = [re.findall(r"^\| (\d+) \|", one, re.MULTILINE) for one in (ENGLISH, SPANISH)]
    assert codes[0] == codes[1] != []
