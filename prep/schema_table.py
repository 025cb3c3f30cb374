"""One table of a schema file, read key by key."""

from collections.abc import Collection, Iterator
from typing import Any, Final

from prep.errors import SchemaError

_LONGEST: Final = 2**32 - 1
"""The largest number in which polars counts characters."""


class Table:
    """One table of a schema file, read key by key; a mistake names file, field and what is allowed."""

    def __init__(self, label: str, path: str, raw: dict[str, Any]) -> None:
        self._label = label
        self._path = path
        self._raw = raw

    def __contains__(self, key: str) -> bool:
        """Whether the table holds a key."""
        return key in self._raw

    def mistake(self, key: str, found: str, allowed: str) -> SchemaError:
        """An error that names file, place, what stands there and what is allowed."""
        place = f"{self._path}.{key}" if self._path else key
        return SchemaError(
            f"{self._label}: {place} {found}",
            code="bad_schema",
            hint=f"Allowed: {allowed}.",
            source=self._label,
            column=self._path.removeprefix("fields.") if self._path.startswith("fields.") else None,
        )

    def refuse_other_keys(self, allowed: Collection[str]) -> None:
        """Refuse keys that are none of these."""
        for key in self._raw:
            if key not in allowed:
                raise self.mistake(key, "is not a key of a schema file", ", ".join(allowed))

    def tables(self, key: str) -> Iterator[tuple[str, "Table"]]:
        """The tables below a key, such as `[fields.email]`, by name."""
        entries = self._raw.get(key, {})
        if not isinstance(entries, dict):
            raise self.mistake(key, "is not a table", f"tables such as [{key}.email]")
        for name, raw in entries.items():
            if not isinstance(raw, dict):
                raise self.mistake(f"{key}.{name}", "is not a table", f"a table [{key}.{name}]")
            yield name, Table(self._label, f"{key}.{name}", raw)

    def array(self, key: str) -> Iterator["Table"]:
        """The tables of an array, such as `[[rules]]`."""
        entries = self._raw.get(key, [])
        if not isinstance(entries, list) or not all(isinstance(raw, dict) for raw in entries):
            raise self.mistake(key, "is not an array of tables", f"tables such as [[{key}]]")
        for number, raw in enumerate(entries, 1):
            yield Table(self._label, f"{key} {number}", raw)

    def table(self, key: str) -> "Table":
        """A table inside this one, empty where it is missing."""
        raw = self._raw.get(key, {})
        if not isinstance(raw, dict):
            raise self.mistake(key, f"is {raw!r}", f"a table, such as {key} = {{ … }}")
        return Table(self._label, f"{self._path}.{key}", raw)

    def lists(self, allowed: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Key → a text or a list of texts, for every key there is."""
        for key in self._raw:
            if key not in allowed:
                raise self.mistake(key, "is not a field of the schema", "fields by their REST names")
        return {key: self.listed(key) for key in self._raw}

    def listed(self, key: str, allowed: Collection[str] = ()) -> tuple[str, ...]:
        """A text or a list of texts."""
        value = self._raw.get(key, [])
        if isinstance(value, str):
            return Table(self._label, self._path, {key: [value]}).texts(key, (), allowed)
        if key in self._raw and not value:
            raise self.mistake(key, f"is {value!r}", "a text or a list of texts in quotes")
        return self.texts(key, (), allowed)

    def text(self, key: str, default: str, allowed: Collection[str] = ()) -> str:
        """A text, one of `allowed` if there are any."""
        value = self._raw.get(key, default)
        if not isinstance(value, str) or (allowed and value not in allowed):
            raise self.mistake(key, f"is {value!r}", ", ".join(allowed) or "a text in quotes")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self._raw.get(key, default)
        if not isinstance(value, bool):
            raise self.mistake(key, f"is {value!r}", "true, false")
        return value

    def length(self, key: str, default: int | None) -> int | None:
        """A whole number above zero, and none that no length can be compared with."""
        value = self._raw.get(key, default)
        if value is not None and (type(value) is not int or not 1 <= value <= _LONGEST):
            raise self.mistake(key, f"is {value!r}", f"a whole number from 1 to {_LONGEST}")
        return value

    def texts(self, key: str, default: tuple[str, ...], allowed: Collection[str] = ()) -> tuple[str, ...]:
        """A list of texts, each one of `allowed` if there are any."""
        values = self._raw.get(key, list(default))
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise self.mistake(key, f"is {values!r}", "a list of texts in quotes")
        for value in values:
            if allowed and value not in allowed:
                raise self.mistake(key, f"holds {value!r}", ", ".join(allowed))
        return tuple(values)
