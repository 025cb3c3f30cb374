"""Everything that can go wrong, as one tree.

* PrepError
    * InputError: yours to fix; nothing was sent (exit 1)
        * SourceError: a file is missing, unreadable, empty or not what it should be
        * HeaderError: columns that do not fit the schema, all of them at once
        * SchemaError: a mistake in a schema file
        * SettingsError: a flag, a variable or `prep.toml` holds something that cannot work
        * FolderError: the run folder belongs to other sources, settings or another target, or was altered
    * MarketoError: Marketo refused or cannot be reached (exit 4)
        * TransientError: may work later, without any change
        * TerminalError: will not work until something is changed
    * OutcomeUnknownError: nobody can tell what became of a request or a row (exit 6)
        * BalanceError: the numbers of a run do not close

Messages hold counts, row numbers and column names, never cell values or secrets.
"""

from functools import partial
from typing import Any, ClassVar, Final

EXIT_DONE: Final = 0
EXIT_INPUT: Final = 1
EXIT_USAGE: Final = 2
EXIT_WITH_REJECTS: Final = 3
EXIT_STOPPED: Final = 4
EXIT_RUNNING: Final = 5
EXIT_UNKNOWN: Final = 6
EXIT_INTERRUPTED: Final = 130
"""What commands end with; `prep --help` says when."""


class PrepError(Exception):
    """What every error of this package is.

    Attributes:
        code: Stable machine-readable name of the case, such as `missing_lookup_header`.
        message: What was found and where, in one sentence.
        hint: What to do next; empty when there is nothing to advise.
        source: The input or file concerned, as the user named it.
        row: The 1-based record number after the header.
        column: The source column or schema field concerned.
    """

    exit_code: ClassVar[int] = EXIT_INPUT

    def __init__(
        self,
        message: str,
        *,
        code: str,
        hint: str = "",
        source: str | None = None,
        row: int | None = None,
        column: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.source = source
        self.row = row
        self.column = column

    def __reduce__(self) -> tuple[Any, ...]:
        """The facts, so that an error can go from process to process; what else it carries may hold cells."""
        names = ("code", "hint", "source", "row", "column")
        return partial(type(self), self.message, **{name: getattr(self, name) for name in names}), ()

    @property
    def facts(self) -> dict[str, str | int | None]:
        """The attributes, as the JSON answer of a command shows them."""
        return {
            "code": str(self.code),
            "message": self.message,
            "hint": self.hint,
            "source": self.source,
            "row": self.row,
            "column": self.column,
        }


class InputError(PrepError):
    """The input, the schema or the settings are wrong; nothing was sent."""


class SourceError(InputError):
    """A source is missing, unreadable, empty or not what it should be."""


class HeaderError(InputError):
    """The columns of at least one source do not fit the schema."""


class SchemaError(InputError):
    """A schema file holds a mistake."""


class SettingsError(InputError):
    """A flag, an environment variable or `prep.toml` holds something that cannot work."""


class FolderError(InputError):
    """The run folder cannot be used for this run."""


class MarketoError(PrepError):
    """Marketo refused a request or cannot be reached."""

    exit_code: ClassVar[int] = EXIT_STOPPED


class TransientError(MarketoError):
    """The same request may succeed later without any change."""


class TerminalError(MarketoError):
    """The same request will fail again until something is changed."""


class OutcomeUnknownError(PrepError):
    """Nobody can tell what became of a request; it must not be repeated without a decision."""

    exit_code: ClassVar[int] = EXIT_UNKNOWN


class BalanceError(OutcomeUnknownError):
    """The fates of the rows do not add up to the rows that were read."""
