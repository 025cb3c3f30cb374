"""Every promise has a test that exists, and a break that was seen to be noticed and can still be made."""

import ast
import re
from functools import cache

import pytest

from tests.mutations.catalogue import PAGE, ROOT, Mutation, read_mutations, read_promises

PROMISES = read_promises()


@cache
def functions_of(file: str) -> set[str]:
    """Functions of a file and of its classes, as pytest names them."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    places = [
        ("", tree.body),
        *((f"{each.name}::", each.body) for each in tree.body if isinstance(each, ast.ClassDef)),
    ]
    return {
        f"{prefix}{node.name}"
        for prefix, body in places
        for node in body
        if isinstance(node, ast.FunctionDef)
    }


def test_every_promise_has_a_test_that_exists() -> None:
    lines = re.findall(r"^\| (?!\| promise)(?!---)(.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(PROMISES) == len(lines) == len({promise.name for promise in PROMISES})
    named = [(promise.name, *test.split("::", 1)) for promise in PROMISES for test in promise.tests]
    assert [promise.name for promise in PROMISES if not promise.tests] == []
    assert [(name, file, test) for name, file, test in named if test not in functions_of(file)] == []


def test_every_promise_has_a_break() -> None:
    assert {mutation.promise for mutation in read_mutations()} == {promise.name for promise in PROMISES}


@pytest.mark.parametrize("mutation", read_mutations(), ids=lambda each: f"{each.promise}-{each.file}")
def test_the_code_can_still_be_broken_there(mutation: Mutation) -> None:
    assert not mutation.is_stale(), f"correct `old` in tests/mutations/mutations.toml: {mutation.old!r}"
    assert mutation.old != mutation.new
