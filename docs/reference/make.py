"""The pages of this folder, made from the code.

.venv/bin/python -m docs.reference.make            writes them anew
.venv/bin/python -m docs.reference.make --check    says which are not what the code says; exit code 1
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, Final

import click

from docs.reference.errors import find_errors
from prep.checks import NAMED_CHECKS, TYPE_CHECKS
from prep.cleaning import DUPLICATES_TAIL, MERGED_COLUMNS, REJECTED_TAIL
from prep.cli.defaults import SETTINGS
from prep.cli.main import group
from prep.credentials import VARIABLES
from prep.fate_table import ROWS
from prep.marketo.codes import TABLE
from prep.model import Reason
from prep.outcome_tables import OUTCOME_TAIL
from prep.previewing.comparing import DIFFERENCE_COLUMNS
from prep.report.keys import COLUMNS, KEYS
from prep.rules import CrossRule, Terms
from prep.schema import NORMALISERS, CustomObject
from prep.schema import Field as SchemaField
from prep.schema_file import TOP_KEYS
from prep.settings_file import MARKETO_KEYS
from prep.values.notes import Note

FOLDER: Final = Path(__file__).parent
_MADE: Final = "<!-- Made by `python -m docs.reference.make`; changes belong into the code. -->"


def pages() -> dict[str, str]:
    """The content of each page, by file name."""
    made = {name: page() for name, (_, page) in _PAGES.items()}
    return {name: f"{_MADE}\n\n{text.rstrip()}\n" for name, text in made.items()}


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.split()))


def _index() -> str:
    listed = "\n".join(f"- [{title}]({name})" for name, (title, _) in _PAGES.items() if name != "README.md")
    said = "What can be looked up, made from the code; a test compares these pages with it."
    return _page("# Reference", said, listed)


def _page(*parts: str) -> str:
    """Paragraphs, each as long as it is: lines of prose are put together."""
    return "\n\n".join(part if part.startswith(("|", "-", "`")) else _prose(part) for part in parts)


def _prose(text: str) -> str:
    return " ".join(text.split())


def _commands() -> str:
    parts = [f"# Commands and options\n\n{_paragraphs(group)[0]}"]
    for name, command in all_commands():
        parts.append(_command(name, command))
    return "\n\n".join(parts)


def all_commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with its full name, groups before what they hold."""
    context = click.Context(group, info_name="prep")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command  # noqa: S101 (it was listed)
        yield f"prep {name}", command
        if isinstance(command, click.Group):
            yield from ((f"prep {name} {part}", found) for part, found in command.commands.items())


def _command(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    pieces = command.collect_usage_pieces(context)
    examples = [part for part in _paragraphs(command) if part.startswith(("Example:", "Examples:"))]
    texts = [part for part in _paragraphs(command) if part not in examples]
    shown = inspect.cleandoc("\n".join(examples).partition("\n")[2])
    parts = [f"## {name}", *texts, f"```text\n{name} {' '.join(pieces)}\n```", f"```text\n{shown}\n```"]
    options = [
        record
        for parameter in command.get_params(context)
        if isinstance(parameter, click.Option)
        and parameter.name != "help"
        and (record := parameter.get_help_record(context))
    ]
    if options:
        parts.append(_table(("option", "what it does"), ((f"`{flag}`", text) for flag, text in options)))
    return "\n\n".join(parts)


def _paragraphs(command: click.Command) -> list[str]:
    """A help text in paragraphs; those that are not to be wrapped keep their lines."""
    found = []
    for part in inspect.cleandoc(command.help or "").split("\n\n"):
        raw = part.startswith("\b\n")
        found.append(part.removeprefix("\b\n") if raw else " ".join(part.split()))
    return found


def exit_codes() -> dict[int, str]:
    """Every exit code with its meaning, as `prep --help` tells them."""
    (listed,) = [part for part in _paragraphs(group) if part.startswith("Exit codes:")]
    return {int(code): text for code, text in re.findall(r"^  (\d+) +(.*)$", listed, re.MULTILINE)}


def _exit_codes() -> str:
    rows = ((str(code), meaning) for code, meaning in exit_codes().items())
    said = "Which error ends with which one: [errors](errors.md)."
    return _page("# Exit codes", _table(("code", "when"), rows), said)


def _reasons() -> str:
    head = ("code", "what it says", "what to do")
    reasons = ((f"`{reason}`", reason.meaning, reason.remedy) for reason in Reason)
    notes = ((f"`{note}`", f"{note.cause}, such as `{note.example}`", note.remedy) for note in Note)
    return _page(
        "# Reasons and notes",
        "## Reasons",
        """Why a row is rejected or suppressed, or a header cannot be used: in `rejected.csv`, `rows.parquet`
        and `report.json`.""",
        _table(head, reasons),
        "## Notes",
        """Values that are sent as they are but deserve a look: in the summary, on the page and in
        `report.json`.""",
        _table(head, notes),
    )


_EXAMPLE = """```toml
unknown = "drop"
max_rejected = "5%"
suppress = ["never.csv"]

[map]
"Work mail" = "email"

[set]
leadSource = "Trade fair"
```"""


def _settings() -> str:
    rows = []
    for key, setting in SETTINGS.items():
        option = next(found for _, found in _options() if found.name == setting.parameter)
        rows.append(
            (f"`{key}`", setting.takes, f"`{option.opts[0]}`", f"`{option.envvar}`" if option.envvar else "")
        )
    variables = ((f"`{name}`", meaning) for name, meaning in VARIABLES.items())
    keys = ", ".join(f"`{key}`" for key in MARKETO_KEYS)
    return _page(
        "# Settings",
        """What is said nearer counts: an option, then the environment, then `prep.toml` in this
        folder. The tables `map`, `set` and `merge` and the lists of `suppress` count besides what
        these options say; of one column or field the option decides. A variable that is named like
        an option of the command but does not stand here is refused, such as `PREP_SUPPRESS`, and so
        is one that is misspelt, such as `PREP_MAXBYTES`. Others are left alone.""",
        "## prep.toml",
        _EXAMPLE,
        """Tables come last: below a line such as `[map]` every line belongs to that table, so a setting
        there is refused.""",
        _table(("key", "takes", "option", "environment"), rows),
        f"""The table `[marketo]` takes texts: {keys}. A client secret is refused there: it belongs into a
        file of its own; so is `allow_host`, which `--allow-host` or `PREP_ALLOW_HOST` names, so that no file
        that lies in a folder decides who gets secrets and rows.""",
        "## Further environment variables",
        _table(("variable", "what it holds"), variables),
    )


def _options() -> Iterator[tuple[str, click.Option]]:
    for name, command in all_commands():
        yield from ((name, option) for option in command.params if isinstance(option, click.Option))


def _schema() -> str:
    top = ((f"`{key}`", meaning) for key, meaning in TOP_KEYS.items())
    types = (
        (f"`{name}`", ", ".join(dict.fromkeys(f"`{check.reason}`" for check in checks)) or "any text")
        for name, checks in TYPE_CHECKS.items()
    )
    checks = ((f"`{name}`", f"`{check.reason}`") for name, check in NAMED_CHECKS.items())
    return _page(
        "# Schema files",
        "[Schemas and custom fields](../schemas.md) explains them, with examples.",
        _table(("key at the top", "what it says"), top),
        "## A field: `[fields.NAME]`",
        _table(("key", "takes", "what it says"), _keys(SchemaField, without={"name"})),
        "## A rule over several fields: `[[rules]]`",
        _table(("key", "what it says"), _rules()),
        "## A custom object: `[object]`",
        _table(("key", "takes", "what it says"), _keys(CustomObject)),
        "## Types",
        "A value that does not fit is rejected with one of these reasons; a longer one with `too_long`.",
        _table(("type", "reasons"), types),
        "## Checks and normalisers",
        _table(("check", "reason"), checks),
        f"Normalisers: {', '.join(f'`{name}`' for name in NORMALISERS)}.",
    )


def _rules() -> Iterator[tuple[str, str]]:
    said = _attributes(CrossRule)
    terms = _attributes(Terms)
    yield "`name`", said["name"]
    yield "`if`", said["condition"]
    yield "`then`", said["demand"]
    for key, attribute in (("is", "values"), ("filled", "filled"), ("blank", "blank")):
        yield f"`if.{key}`, `then.{key}`", terms[attribute]


def _keys(kind: type, without: Iterable[str] = ()) -> Iterator[tuple[str, str, str]]:
    """The attributes of a dataclass as keys of a file."""
    meanings = _attributes(kind)
    for field in fields(kind):
        if field.name not in set(without):
            yield f"`{field.name}`", _takes(field), meanings[field.name]


def _takes(field: Field[Any]) -> str:
    names: Mapping[Any, str] = {
        str: "text",
        int | None: "whole number",
        bool: "true or false",
        tuple[str, ...]: "list of texts",
    }
    is_worth_telling = field.default not in {MISSING, "", None, False, ()}
    return names[field.type] + (f"; `{field.default}`" if is_worth_telling else "")


def _attributes(kind: type) -> dict[str, str]:
    """What the docstring of a class says of its attributes."""
    listed = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")[2].partition("\n\n")[0]
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", listed, re.MULTILINE)
    return {name: " ".join(text.split()).rstrip(".") for name, text in found}


_TABLES: Final[Mapping[str, tuple[str, Sequence[str]]]] = {
    "rejected.csv": ("Rows that broke a rule: the source's own columns, then", REJECTED_TAIL),
    "failed.csv": ("Rows that Marketo refused: the source's own columns, then", OUTCOME_TAIL),
    "warnings.csv": ("Rows that Marketo took with a warning: the source's own columns, then", OUTCOME_TAIL),
    "duplicates.csv": ("Rows that lost to another one: the fields, then", DUPLICATES_TAIL),
    "merged.csv": ("Values that did not get into a merged row:", MERGED_COLUMNS),
    "preview.csv": ("What sending would change:", DIFFERENCE_COLUMNS),
    "rows.parquet": ("Every source row, in order:", tuple(ROWS)),
}


def _tables() -> str:
    parts = [
        "# Tables of a run folder",
        """Tables for people are CSV in UTF-8 with a byte order mark, separated by semicolons where the first
        source is. A cell that a spreadsheet could run, or that begins with an apostrophe, has one more
        before it; where a table comes back as CSV or as a workbook, that one is taken off again, and no
        other: a table is known by `_source`, `_row`, `_line` and any other column that prep added. Frames,
        Parquet, JSON and databases are taken as they are. `rejected.xlsx` says the same as
        `rejected.csv`.""",
    ]
    for name, (text, columns) in _TABLES.items():
        rows = ((f"`{column}`", COLUMNS[column]) for column in columns)
        parts += [f"## {name}", text, _table(("column", "what it holds"), rows)]
    return _page(*parts)


def _report() -> str:
    return _page(
        "# Keys of report.json",
        """The file in the run folder, and what `prep run`, `clean`, `submit`, `resume`, `reconcile`, `retry`,
        `report`, `preview` and `purge` print with `--json`; `prep check --json` prints it without `chunks`
        and `jobs`. `[]` is each element of a list, `*` any key of a table.""",
        _table(("key", "what it holds"), ((f"`{key}`", meaning) for key, meaning in KEYS.items())),
    )


def _errors() -> str:
    rows = (
        (f"`{error.code}`", error.exit_code, "<br>".join(error.messages), "<br>".join(error.hints))
        for error in find_errors()
    )
    answers = ((f"`{row.name}`", row.meaning, str(row.action_for(importing=True)), row.hint) for row in TABLE)
    return _page(
        "# Errors",
        """With `--json` they stand in `error` (`code`, `message`, `hint`, `source`, `row`, `column`). `…`
        stands for what differs from case to case. An error that comes when sending has begun ends with 4, not
        with 1. Codes such as `bad_keep`, of a value that one option alone does not take, are those of Python:
        on the command line they are `usage` and end with 2; `bad_setting`, with 1, if the value stands in the
        environment or in `prep.toml`.""",
        _table(("code", "exit code", "what was found", "what to do"), rows),
        "## Answers of Marketo",
        """What is done about them when rows are uploaded: `retry`, `new token` and `wait` go on by
        themselves; `stop` ends with exit code 4, and `unknown` with 6.""",
        _table(("code", "what it means", "what prep does", "what to do"), answers),
    )


_PAGES: Final[Mapping[str, tuple[str, Callable[[], str]]]] = {
    "README.md": ("Reference", _index),
    "commands.md": ("Commands and options", _commands),
    "exit-codes.md": ("Exit codes", _exit_codes),
    "settings.md": ("Settings: `prep.toml` and the environment", _settings),
    "reasons.md": ("Reasons and notes", _reasons),
    "schema.md": ("Schema files", _schema),
    "tables.md": ("Tables of a run folder", _tables),
    "report.md": ("Keys of `report.json`", _report),
    "errors.md": ("Errors", _errors),
}


def stale() -> list[str]:
    """Names of the pages that are not what the code says."""
    made = pages()
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    return sorted(name for name in made.keys() | there if made.get(name) != there.get(name))


def main() -> int:
    """Write the pages, or compare them."""
    if "--check" in sys.argv[1:]:
        for name in stale():
            sys.stderr.write(f"docs/reference/{name}: made anew by python -m docs.reference.make\n")
        return bool(stale())
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
