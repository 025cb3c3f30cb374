"""Texts of prep name only commands that there are."""

import ast
import re
from pathlib import Path

import click
import pytest

import prep as package
from prep.cli.main import group

FOLDER = Path(package.__file__).parent
COMMAND = re.compile(r"`prep ([a-z]+)(?: ([a-z]+))?[^`]*`|\bprep ([a-z]+) (?:DIR|FILE|--help)")
"""What stands in backticks, or before an argument."""


def texts(path: Path) -> str:
    """All strings of a module but for docstrings of what is private; of another file, all of it."""
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return source
    strings = (node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant))
    return "\n".join(text for text in strings if isinstance(text, str))


FILES = sorted(
    path
    for kind in ("py", "toml", "jinja")
    for path in FOLDER.rglob(f"*.{kind}")
    if path.parent.name != "__pycache__"
)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_command_that_is_named_exists(path: Path) -> None:
    context = click.Context(group)
    for found in COMMAND.finditer(texts(path)):
        name, below = found[1] or found[3], found[2]
        command = group.get_command(context, name)
        assert command, f"prep {name}"
        if isinstance(command, click.Group):
            assert below is None or command.get_command(context, below), f"prep {name} {below}"
