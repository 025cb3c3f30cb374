"""How a command ends early: every error becomes one line, a hint and an exit code."""

import errno
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from prep.cli.look import show
from prep.cli.terminal import is_terminal, say, say_json
from prep.errors import EXIT_INPUT, EXIT_INTERRUPTED, EXIT_STOPPED, EXIT_UNKNOWN, EXIT_USAGE, PrepError
from prep.folding import quoted
from prep.model import SANDBOX

_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NOT_PERMITTED: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_RUST_ERROR: Final = re.compile(r"\(os error (\d+)\)")


_KINDS: Final = {
    "integer range": "whole number",
    "float range": "number",
    "integer": "whole number",
    "float": "number",
}
"""What click calls a number, and what people do."""


@dataclass
class Situation:
    """What is known of a command's run while it goes on, for the case that it ends early.

    Attributes:
        arguments: The command line.
        command: The command that it calls, as far as that is known.
        facts: Part of the JSON answer.
        folder: The run folder, whether it exists yet or not.
        has_begun: This command changed something at Marketo, or may have.
        resumes: `prep resume` carries on from where the error came.
        keep: Takes the JSON answer in, as `report.json`.
        again: What carries on, if it is not `resume`: the command without its folder.
    """

    arguments: tuple[str, ...] = ()
    command: click.Command | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    has_begun: bool = False
    resumes: bool = False
    keep: Callable[[dict[str, Any]], None] | None = None
    again: str = "resume"

    @property
    def wants_json(self) -> bool:
        """Whether the JSON answer is wanted, also of a command line that cannot be read."""
        end_of_options = self.arguments.index("--") if "--" in self.arguments else None
        return "--json" in self.arguments[:end_of_options]

    @property
    def resume(self) -> str:
        """The command that carries on; empty without a run folder."""
        if self.folder is None or not os.path.isfile(self.folder / "manifest.json"):  # noqa: PTH113 (never raises)
            return ""
        return f"prep {self.again} {quoted(self.folder)}"


class Declined(click.Abort):
    """The answer to a question was no; the text says what was therefore not done."""


class BadValue(click.BadParameter):
    """A value that an option does not take, with what it takes."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint

    def format_message(self) -> str:
        """The message as it is: it names the option."""
        return self.message


def end(error: BaseException, situation: Situation) -> int:
    """Tell what went wrong, in one line and as JSON if asked.

    Returns:
        The exit code.
    """
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and not situation.wants_json:
        say(*error.ctx.get_help().splitlines(), err=True)
        return EXIT_USAGE
    explained = explain(error, situation)
    if explained.exit_code == EXIT_INTERRUPTED:
        if is_terminal(sys.stderr):
            say("", err=True)  # the terminal's own ^C stands there
        say(" ".join(filter(None, (f"{explained.message}.", explained.hint))), err=True)
    else:
        show(*_lines(explained), err=True, wraps=False)
        if is_terminal(sys.stderr) and (detail := getattr(error, "detail", "")):
            say(*detail.splitlines(), err=True)
    answer = {**situation.facts, "exit_code": explained.exit_code, "error": _facts(explained)}
    if situation.keep and explained.exit_code in {EXIT_STOPPED, EXIT_UNKNOWN}:
        with suppress(OSError):  # a disk that is full is what may just have been told
            situation.keep(answer)
    if situation.wants_json:
        with suppress(OSError):  # nor can it be said that nothing can be said
            say_json(answer)
    return explained.exit_code


def _lines(explained: "Explained") -> list[str]:
    parts = {"Error": explained.message, "Hint": explained.hint, "Example": explained.example}
    return [f"{name}: {text}" for name, text in parts.items() if text]


@dataclass(frozen=True)
class Explained:
    """An error in the words of the JSON answer."""

    exit_code: int
    code: str
    message: str
    hint: str = ""
    source: str | None = None
    row: int | None = None
    column: str | None = None
    example: str = ""


def _facts(explained: Explained) -> dict[str, Any]:
    return {name: value for name, value in vars(explained).items() if name not in {"exit_code", "example"}}


def explain(error: BaseException, situation: Situation) -> Explained:
    """Put any exception into words."""
    match error:
        case Declined():
            return Explained(EXIT_INTERRUPTED, "declined", str(error))
        case KeyboardInterrupt() | EOFError() | click.Abort():
            hint = f"{situation.resume} carries on." if situation.resume else ""
            return Explained(EXIT_INTERRUPTED, "interrupted", "Interrupted", hint)
        case click.UsageError():
            return _usage(error, situation)
        case PrepError():
            found = Explained(
                error.exit_code,
                error.code,
                error.message,
                _complete(error.hint, situation),
                error.source,
                error.row,
                error.column,
                _example(situation.command, _named_options(error.hint))
                if error.exit_code == EXIT_INPUT
                else "",
            )
        case Exception() if isinstance(error, OSError) or _RUST_ERROR.search(str(error)):
            found = _system(error, situation)
        case _:
            found = _defect(error)
    return _weigh(found, situation)


def _weigh(found: Explained, situation: Situation) -> Explained:
    """Choose the gravest code that holds: exit 1 promises that nothing was sent."""
    code = found.exit_code
    if code == EXIT_INPUT and situation.has_begun:
        code = EXIT_STOPPED
    if code == EXIT_STOPPED and situation.facts.get("state") == "unknown":
        code = EXIT_UNKNOWN
    hint = found.hint
    if found.code in _ELSEWHERE and situation.resume and situation.folder:
        where = " --sandbox" if situation.facts.get("target") == SANDBOX else ""
        hint = f"{hint} prep submit {quoted(situation.folder)}{where} {_ELSEWHERE[found.code]} carries on."
    elif code == EXIT_STOPPED and situation.resumes and "prep resume" not in hint:
        hint = " ".join(filter(None, (hint, f"{situation.resume} carries on.")))
    return Explained(**{**vars(found), "exit_code": code, "hint": hint})


_ELSEWHERE: Final = {
    "no_such_list": "--list-id N",
    "no_such_partition": "--partition-name NAME",
    "no_such_program": "--program N",
    "no_such_status": "--program-status STATUS",
}
"""What Marketo does not have → what names another one; the rest of the destination stays as it was."""


def _complete(hint: str, situation: Situation) -> str:
    """Name the folder where a hint that did not know it says DIR."""
    return hint.replace("prep resume DIR", situation.resume) if situation.resume else hint


def _usage(error: click.UsageError, situation: Situation) -> Explained:
    """What is wrong with the command line itself, or with a value that the environment or prep.toml holds."""
    called = f"prep {situation.command.name}" if situation.command else "prep"
    path = error.ctx.command_path if error.ctx else called  # click knows no command where a value is missing
    hint = f"{path} --help shows what it takes."
    message = error.format_message().partition(". Did you mean")[0]
    for kind, plain in _KINDS.items():
        message = message.replace(f"is not a valid {kind}", f"is not a {plain}")
    match error:
        case click.NoSuchOption():
            close = [*(error.possibilities or [])]
            if not close and error.ctx:
                known = [flag for parameter in error.ctx.command.params for flag in parameter.opts]
                close = get_close_matches(error.option_name, known, 1)
            if takers := _takers(error):
                hint = f"It is an option of {takers}."
            elif not error.option_name.startswith("--"):
                hint = "A file whose name begins with - is given as ./-NAME."
            elif close:
                hint = f"Did you mean {close[0]}?"
            message = f"there is no option {error.option_name}"
        case BadValue():
            hint = error.hint
        case _ if message.startswith("No such command") and error.ctx:
            close = get_close_matches(message.split("'")[1], _commands(error.ctx), 1)
            hint = f"Did you mean {path} {close[0]}?" if close else hint
    exit_code, origin = _origin(error)
    text = f"{origin}{message[:1].lower()}{message[1:]}".rstrip(".")
    code = "usage" if exit_code == EXIT_USAGE else "bad_setting"
    return Explained(exit_code, code, text, hint, example=_right_call(error, hint))


def _takers(error: click.NoSuchOption) -> str:
    """The commands that have the option which this one lacks."""
    root = error.ctx.find_root() if error.ctx else None
    if root is None or not isinstance(root.command, click.Group):
        return ""
    commands = {name: root.command.get_command(root, name) for name in root.command.list_commands(root)}
    names = [
        f"prep {name}"
        for name, command in commands.items()
        if command and any(error.option_name in parameter.opts for parameter in command.params)
    ]
    *others, last = names or [""]
    return f"{', '.join(others)} and {last}" if others else last


def _right_call(error: click.UsageError, hint: str) -> str:
    """A call that can be understood: of the option that is wrong if there is one, else any."""
    if error.ctx is None:
        return ""
    command = error.ctx.command
    close = re.fullmatch(r"Did you mean prep (\w+)\?", hint)
    if close and isinstance(command, click.Group):
        command = command.get_command(error.ctx, close[1]) or command
    parameter = getattr(error, "param", None)
    wanted = [*(parameter.opts if parameter else ()), *_named_options(f"{error.message} {hint}")]
    return _example(command, wanted) or _example(command, [""])


def _example(command: click.Command | None, wanted: Sequence[str]) -> str:
    """The first worked example of a command that has one of these words; an empty one is in each."""
    examples = worked_examples(command) if command else []
    found = (example for word in wanted for example in examples if word in ["", *example.split()])
    return next(found, "")


def worked_examples(command: click.Command) -> list[str]:
    """The calls that a command's help shows, without what it says beside them."""
    return re.findall(r"^  (prep .*?)(?: {2,}.*)?$", inspect.cleandoc(command.help or ""), re.MULTILINE)


def _named_options(text: str) -> list[str]:
    return [option for option in re.findall(r"--[a-z][a-z-]+", text) if option != "--help"]


def _commands(context: click.Context) -> list[str]:
    command = context.command
    return command.list_commands(context) if isinstance(command, click.Group) else []


def _origin(error: click.UsageError) -> tuple[int, str]:
    """A value on the command line is usage; one that stands elsewhere is a wrong setting, and named so."""
    if isinstance(error, click.BadParameter) and error.ctx and error.param and error.param.name:
        source = error.ctx.get_parameter_source(error.param.name)
        if source is ParameterSource.ENVIRONMENT:
            return EXIT_INPUT, f"{error.param.envvar}: "
        if source is ParameterSource.DEFAULT_MAP:
            return EXIT_INPUT, "prep.toml: "
    return EXIT_USAGE, ""


def _system(error: Exception, situation: Situation) -> Explained:
    """What the operating system refused; polars tells of it in words of its own."""
    rust = _RUST_ERROR.search(str(error))
    number = getattr(error, "errno", None) or (int(rust[1]) if rust else 0)
    what = os.strerror(number) if number else "the system refused"
    if number == errno.ENOENT and isinstance(error, OSError) and error.strerror:
        what = error.strerror  # tempfile says more than the number does
    name = getattr(error, "filename", None)
    place = name if isinstance(name, str) else os.fspath(situation.folder) if situation.folder else None
    match number:
        case _ if number in _NO_SPACE:
            code, hint = "no_space", "Free some space, then run the same command again."
        case _ if number in _NOT_PERMITTED:
            code, hint = "not_permitted", "Check the permissions there, or work in another folder."
        case _:
            code, hint = "system_error", "Check the path and the disk, then run the same command again."
    return Explained(EXIT_INPUT, code, f"{place}: {what}" if place else what, hint, source=place)


def _defect(error: BaseException) -> Explained:
    """Something that should not happen; its own text is not shown, because it may hold values of the file."""
    if os.environ.get("PREP_DEBUG"):
        say(*"".join(traceback.format_exception(error)).splitlines(), err=True)
    frames = traceback.extract_tb(error.__traceback__)
    package = os.fspath(Path(__file__).parent.parent)
    own = [frame for frame in frames if frame.filename.startswith(package)]
    place = f" in {Path(own[-1].filename).relative_to(package)}:{own[-1].lineno}" if own else ""
    return Explained(
        EXIT_INPUT,
        "defect",
        f"unexpected {type(error).__name__}{place}",
        "This is a defect of prep. PREP_DEBUG=1 shows more, which may hold values of your file.",
    )
