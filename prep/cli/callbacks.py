"""Values of flags, judged and taken apart as soon as click reads them: before any file is opened."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from prep.cli.ending import BadValue
from prep.errors import SettingsError, SourceError
from prep.folding import quoted
from prep.model import KeepPolicy, MergeRule
from prep.tolerance import Limit

_DASH: Final = "-"
"""Standard input, and standard output to many another program."""


def judged(parse: Callable[[Any], object]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Let a part of the settings judge a value, which stays as it is."""

    def callback(_: click.Context, __: click.Parameter, value: Any) -> Any:
        if value is None:
            return None
        try:
            parse(value)
        except SettingsError as error:
            raise BadValue(error.message, error.hint) from None
        return value

    return callback


def spelled(name: str) -> Callable[[str], object]:
    """What judges a text as the attribute of `Spelling` that has this name."""

    def judge(value: str) -> object:
        from prep.values.spelling import Spelling

        return Spelling(**{name: value})  # type: ignore[arg-type]  # both are texts

    return judge


def limit(_: click.Context, __: click.Parameter, text: str | None) -> Limit | None:
    """Read how many rejected rows are too many."""
    try:
        return None if text is None else Limit.parse(text)
    except SettingsError as error:
        raise BadValue(error.message, error.hint) from None


def pairs(_: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Read `COLUMN=FIELD` (the column may hold equals signs) or `FIELD=VALUE` (the value may)."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.rpartition("=") if parameter.name == "maps" else text.partition("=")
        flag = parameter.opts[0]
        if not equals or not name.strip():
            raise BadValue(
                f"{flag} {text!r} is not of the form {parameter.metavar}", f"Such as {_PAIRS[flag]}."
            )
        if found.get(name, value.strip()) != value.strip():
            raise BadValue(f"{flag} says two things of {name!r}", "Leave one out.")
        found[name] = value.strip()
    return found


_PAIRS: Final = {
    "--map": '--map "Work mail=email"',
    "--set": '--set "leadSource=Trade fair"',
    "--merge": "--merge phone=longest",
}


def constants(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Read `FIELD=VALUE`; fields of which only `prep.toml` speaks keep what stands there."""
    return {**lasting_pairs(context, parameter), **pairs(context, parameter, texts)}


def merge_rules(context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Read `FIELD=RULE`; rules of `prep.toml` hold only as long as nothing nearer says another --keep."""
    is_lasting = context.get_parameter_source("merge") is ParameterSource.DEFAULT_MAP
    is_other_said = is_said_now("keep", context) and context.params["keep"] != KeepPolicy.MERGE
    lasting = {} if is_other_said else lasting_pairs(context, parameter)
    rules = lasting if is_lasting else {**lasting, **pairs(context, parameter, texts)}
    for rule in rules.values():
        judged(MergeRule.parse)(context, parameter, rule)
    return rules


def lasting_pairs(context: click.Context, parameter: click.Parameter) -> dict[str, str]:
    """What the table of `prep.toml` says that belongs to a parameter."""
    return pairs(context, parameter, tuple(context.lookup_default(str(parameter.name)) or ()))


def is_said_now(name: str, context: click.Context | None = None) -> bool:
    """Whether a parameter comes from the command line or the environment, and not from `prep.toml`."""
    source = (context or click.get_current_context()).get_parameter_source(name)
    return source in {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT}


def is_typed(name: str) -> bool:
    """Whether a parameter comes from this very command line; the environment can be of many."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def upper(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    """Write a code as codes are written."""
    return None if text is None else text.strip().upper()


def codes(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Take several codes from each text, split at commas."""
    return tuple(code.strip() for text in texts for code in text.split(",") if code.strip())


def lists(context: click.Context, parameter: click.Parameter, paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Add the suppression lists of `prep.toml`: they are for every import from its folder."""
    lasting = parameter.type_cast_value(context, context.lookup_default("suppress") or ())
    return tuple(dict.fromkeys((*lasting, *paths)))


def delimiter(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    """Take a tab by its name: few can type it."""
    return "\t" if text is not None and text.lower() in {"tab", "\\t"} else text


def named(_: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Refuse a blank name: it comes from a variable that was meant to hold one."""
    if text is not None and not text.strip():
        raise BadValue(f"{parameter.opts[0]} is blank", "Name one, or leave the option out.")
    return text


def one_list(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Let the nearer of --list and --list-id count; refuse both at once."""
    value = named(context, parameter, value) if isinstance(value, str) else value
    other = "list_name" if parameter.name == "list_id" else "list_id"
    wrong = BadValue("--list and --list-id are given both", "A run has one list: leave one of them out.")
    return _nearer(context, parameter, value, other, wrong)


def one_header(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Let the nearer of --no-header and --header-line count; refuse both at once."""
    other = "no_header" if parameter.name == "header_line" else "header_line"
    wrong = BadValue(
        "--no-header and --header-line exclude each other: leave one out",
        "A header stands in one line, or nowhere.",
    )
    return _nearer(context, parameter, value, other, wrong)


def _nearer(
    context: click.Context, parameter: click.Parameter, value: Any, other: str, wrong: BadValue
) -> Any:
    """A value, or None where another parameter is nearer; one that is further away is taken back."""
    if not value or not context.params.get(other):
        return value
    mine, theirs = (_rank(context, str(name)) for name in (parameter.name, other))
    if mine == theirs:
        raise wrong
    if mine < theirs:
        context.params[other] = None
        return value
    return None


def _rank(context: click.Context, name: str) -> int:
    order = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)
    return order.index(context.get_parameter_source(name) or ParameterSource.DEFAULT_MAP)


def run_folder(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
    """Refuse the name of standard output: a run is a folder."""
    if path is not None and os.fspath(path) == _DASH:
        raise BadValue("-o takes a folder, not -", "Use -o DIR; --json prints the numbers, as one object.")
    return path


def sources(_: click.Context, __: click.Parameter, paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Refuse what can be seen to be no lead file, by its name alone."""
    for path in paths:
        if not os.fspath(path).isprintable() and _is_broken(os.fspath(path)):
            raise SourceError(
                f"{os.fsencode(path).decode('utf-8', 'replace')}: the file's name is not UTF-8",
                code="bad_file_name",
                hint="Rename the file.",
            )
        if os.fspath(path) != _DASH and (path / "manifest.json").is_file():
            raise SourceError(
                f"{path}: this is a run folder, not a lead file",
                code="not_a_file",
                hint=f"prep report {quoted(path)} shows it, prep resume {quoted(path)} carries on with it.",
                source=os.fspath(path),
            )
    return paths


def _is_broken(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return True
    return False
