"""What a command was told, as arguments of the library's functions."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import click

from prep.cli import callbacks
from prep.config import CleanOptions

if TYPE_CHECKING:
    from prep.intake import Given

_PARAMETERS: Final = {"object": "object_name", "format": "file_format"}
"""Option of the library → the command's parameter, where that has another name."""


def given(chosen: Mapping[str, Any]) -> "list[Given]":
    """The sources that a command was given.

    Raises:
        click.UsageError: There is none, or half of a database.
    """
    from prep.intake import Query

    if chosen["db"] and not chosen["query"]:
        raise click.UsageError("--db needs --query, which says what to read.")
    if not chosen["files"] and not chosen["query"]:
        raise click.UsageError("Missing argument 'FILE…'.")
    queries = [Query(chosen["query"], chosen["db"])] if chosen["query"] else []
    return [*chosen["files"], *queries]


def clean_options(chosen: Mapping[str, Any]) -> CleanOptions:
    """The keyword arguments of `prep.clean` and `prep.prepare` among a command's parameters.

    Raises:
        click.UsageError: One would do nothing without another.
    """
    parameters = {name: _PARAMETERS.get(name, name) for name in CleanOptions.__annotations__}
    options = {name: chosen[parameter] for name, parameter in parameters.items() if parameter in chosen}
    if options["lookup_field"] is None:  # each object has its own
        del options["lookup_field"]
    options["maps"] = maps_said_now(chosen)
    options["mapping"] = _saved_mapping(chosen)
    options["header_line"] = 0 if chosen["no_header"] else chosen["header_line"]
    if callbacks.is_typed("region") and options["phones"] == "keep":
        raise click.UsageError("--region is of phone numbers, which stay as they are: add --phones e164.")
    return cast("CleanOptions", options)


def maps_said_now(chosen: Mapping[str, Any]) -> dict[str, str]:
    """What --map says on the command line; the table of `prep.toml` counts apart, see `_saved_mapping`."""
    return chosen["maps"] if callbacks.is_said_now("maps") else {}


def said_now(chosen: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Those of some parameters that are said now: for a run that is there, `prep.toml` says nothing new."""
    return {name: chosen[name] for name in names if callbacks.is_said_now(name)}


def _saved_mapping(chosen: Mapping[str, Any]) -> dict[str, str]:
    """The table `map` of `prep.toml` and the file of `--mapping`, which goes before it if it is said now."""
    context = click.get_current_context()
    parameter = next(parameter for parameter in context.command.params if parameter.name == "maps")
    lasting = callbacks.lasting_pairs(context, parameter)
    if chosen["mapping_file"] is None:
        return lasting
    from prep.headers import add_maps, load_mapping

    loaded = load_mapping(chosen["mapping_file"])
    is_nearer = callbacks.is_said_now("mapping_file")
    return add_maps(lasting, loaded) if is_nearer else add_maps(loaded, lasting)
