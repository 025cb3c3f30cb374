"""What people and their tools call columns, language by language: the files in `schemas/headers/`."""

import tomllib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from prep.folding import fold
from prep.schema_file import packaged


@dataclass(frozen=True)
class Language:
    """One file. All words are folded.

    Attributes:
        name: The file's name without its ending.
        aliases: Word → its field, whatever else the file holds.
        beside: Word → field → companions: it means the field in a file in which another word of this language
            means one of the companions.
        suggestions: Word → the field that it may mean; nothing settles it but the user.
    """

    name: str
    aliases: Mapping[str, str]
    beside: Mapping[str, Mapping[str, Collection[str]]]
    suggestions: Mapping[str, str]

    def meanings(self, word: str) -> Collection[str]:
        """The fields that a word can stand for."""
        return {self.aliases[word]} if word in self.aliases else set(self.beside.get(word, ()))

    def settle(self, words: Collection[str]) -> Iterator[tuple[str, str]]:
        """Find the words that their companions settle.

        Args:
            words: All headers of one source, folded.

        Yields:
            Word and field.
        """
        for word in self.beside.keys() & words:
            others = {field for other in words if other != word for field in self.meanings(other)}
            for field, companions in self.beside[word].items():
                if not others.isdisjoint(companions):
                    yield word, field


@dataclass(frozen=True)
class Spellings:
    """All languages together.

    Attributes:
        aliases: Word → field, where no language says otherwise.
        suggestions: Word → the field that it may mean.
        languages: The languages, by name.
    """

    aliases: Mapping[str, str]
    suggestions: Mapping[str, str]
    languages: tuple[Language, ...]

    def settle(self, words: Collection[str]) -> dict[str, str]:
        """Find the words that others settle; what two languages read differently stays open."""
        found = defaultdict[str, set[str]](set)
        for language in self.languages:
            for word, field in language.settle(words):
                found[word].add(field)
        return {word: fields.pop() for word, fields in found.items() if len(fields) == 1}


@cache
def load_spellings() -> Spellings:
    """Read the packaged files, once in a process."""
    files = sorted((packaged() / "headers").iterdir(), key=lambda entry: entry.name)
    languages = tuple(
        read_language(entry.name.removesuffix(".toml"), entry.read_text(encoding="utf-8"))
        for entry in files
        if entry.name.endswith(".toml")
    )
    return combine(languages)


def read_language(name: str, text: str) -> Language:
    """Read the text of one file; a word that it calls an alias of two fields is only a suggestion."""
    raw = tomllib.loads(text)
    beside = defaultdict[str, dict[str, set[str]]](dict)
    for companion, table in raw.get("beside", {}).items():
        for word, field in _words(table):
            beside[word].setdefault(field, set()).add(companion)
    certain = defaultdict[str, set[str]](set)
    for word, field in _words(raw["aliases"]):
        certain[word].add(field)
    suggestions = {word: min(fields) for word, fields in certain.items() if len(fields) > 1}
    return Language(
        name,
        {word: min(fields) for word, fields in certain.items() if len(fields) == 1},
        beside,
        {**suggestions, **dict(_words(raw.get("suggest", {})))},
    )


def _words(table: Mapping[str, Iterable[str]]) -> Iterator[tuple[str, str]]:
    for field, spellings in table.items():
        for spelling in spellings:
            yield fold(spelling), field


def combine(languages: tuple[Language, ...]) -> Spellings:
    """Put languages together: a word that can mean two fields is an alias of none."""
    meanings = defaultdict[str, set[str]](set)
    for language in languages:
        for word in (*language.aliases, *language.beside):
            meanings[word].update(language.meanings(word))
    certain = {word: field for language in languages for word, field in language.aliases.items()}
    open_words = {
        word: field for language in languages for word in language.beside for field in language.meanings(word)
    }
    doubtful = {word: field for word, field in certain.items() if len(meanings[word]) > 1}
    proposed = {word: field for language in languages for word, field in language.suggestions.items()}
    return Spellings(
        {word: field for word, field in certain.items() if word not in doubtful},
        {**doubtful, **open_words, **proposed},
        languages,
    )
