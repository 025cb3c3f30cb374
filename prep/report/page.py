"""`report.html`: one page for people, made from the content of `report.json` alone.

Texts that come from files or from Marketo become text only: never an element, an attribute or a style.
"""

import sys
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prep.folding import printable
from prep.report import words

if TYPE_CHECKING:
    from jinja2 import BytecodeCache, Template

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
    from prep.report.view import make_view  # noqa: PLC0415 (`prep check` makes no page)

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
    from jinja2 import Environment, FunctionLoader, StrictUndefined  # noqa: PLC0415 (`--help` need not pay)

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_read),
        bytecode_cache=_kept_beside_modules(),
    )
    environment.filters["grouped"] = lambda number: None if number is None else f"{number:,}"
    return environment.get_template(_TEMPLATE)


def _kept_beside_modules() -> "BytecodeCache":
    """Keep the compiled template where Python keeps compiled modules, and only if it may write there.

    Compiling takes longer than everything else that is done for the page.
    """
    from jinja2.bccache import Bucket, FileSystemBytecodeCache  # noqa: PLC0415

    class Beside(FileSystemBytecodeCache):
        def dump_bytecode(self, bucket: Bucket) -> None:
            if not sys.dont_write_bytecode:
                with suppress(OSError):
                    super().dump_bytecode(bucket)

    return Beside(str(Path(cache_from_source(__file__)).parent), f"%s.{sys.implementation.cache_tag}.jinja")


@cache
def _read(name: str) -> str:
    return files("prep.report").joinpath(name).read_text(encoding="utf-8")


def _shown(value: Any) -> Any:
    """Whatever the template shows: control and other invisible characters as escapes, nothing as a dash."""
    if value is None:
        return "—"
    return value if not isinstance(value, str) or hasattr(value, "__html__") else printable(value)
