"""`report.html`: one page for people, made from the content of `report.json` alone.

Texts that come from files or from Marketo become text only: never an element, an attribute or a style.
"""

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from prep.report import words
from prep.report.view import make_view

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATE: Final = "page.html.jinja"
_STYLE: Final = "page.css"


def render_page(report: Mapping[str, Any], *, folder: str) -> str:
    """Make the page of a run.

    Args:
        report: The content of `report.json`.
        folder: The run folder, as the user named it.

    Returns:
        HTML that needs nothing else: no script, no other file, no network. It holds names and counts, but no
        cell of a source.
    """
    style = read_style()
    return _template().render(
        view=make_view(report, folder=folder),
        spans=words.SPANS,
        style=style,
        digest=b64encode(sha256(style.encode()).digest()).decode(),
    )


def read_style() -> str:
    """The style sheet of the page, whose colours and type other pages share."""
    return _read(_STYLE)


@cache
def _template() -> "Template":
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 (`--help` need not pay for it)

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_shown, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["grouped"] = lambda number: None if number is None else f"{number:,}"
    return environment.from_string(_read(_TEMPLATE))


@cache
def _read(name: str) -> str:
    return files("prep.report").joinpath(name).read_text(encoding="utf-8")


def _shown(value: Any) -> Any:
    """Whatever the template shows: control and other invisible characters as escapes, nothing as a dash."""
    if value is None:
        return "—"
    if not isinstance(value, str) or hasattr(value, "__html__") or value.isprintable():
        return value
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in value
    )
