"""The errors of prep, found in its code: where one is raised, with which code, message and hint."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import prep
from prep import errors
from prep.errors import EXIT_INPUT, EXIT_INTERRUPTED, EXIT_USAGE
from prep.model import Reason

_PACKAGE: Final = Path(prep.__file__).parent
_CLASSES: Final = {
    name: found
    for name, found in vars(errors).items()
    if isinstance(found, type) and issubclass(found, errors.PrepError)
}
_EXITS: Final = {"EXIT_INPUT": EXIT_INPUT, "EXIT_USAGE": EXIT_USAGE, "EXIT_INTERRUPTED": EXIT_INTERRUPTED}
_EXPLAINED: Final = "Explained"
"""The class that tells of errors which are no exceptions of ours."""

_DIFFERS: Final = "…"
_TOLD_ELSEWHERE: Final = {"error.code", "row.name", "reason"}
"""An error that is passed on; an answer of Marketo, which has a table."""

_Scope = ast.FunctionDef | ast.Module
_Bound = Mapping[str, ast.expr | None]


@dataclass
class Kind:
    """All errors of one code, as far as their words are written in the code; `…` stands for the rest."""

    code: str
    exits: set[int] = field(default_factory=set)
    messages: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> str:
        """Its exit codes."""
        return ", ".join(map(str, sorted(self.exits)))

    def add(self, exit_code: int, message: str, hint: str) -> None:
        """Take in one place that raises it."""
        self.exits.add(exit_code)
        for text, texts in ((message, self.messages), (hint, self.hints)):
            if text.strip(f"{_DIFFERS} .:;,'\"") and text not in texts:
                texts.append(text)


class UnreadableError(Exception):
    """An error is raised in a way that cannot be read; say its code as a text."""


def find_errors() -> list[Kind]:
    """Every code with its errors, sorted by code.

    Raises:
        UnreadableError: Somewhere an error is raised whose code cannot be found.
    """
    kinds: dict[str, Kind] = {}
    code = _Code()
    for name, bound, scope in code.sites():
        found = [words for words in code.words(bound, scope) if _DIFFERS not in words[0]]
        if not found and _shown(bound["code"]) not in _TOLD_ELSEWHERE:
            raise UnreadableError(f"{name}: {_shown(bound['code'])}")
        for text, message, hint in found:
            exit_code = _CLASSES[name].exit_code if name in _CLASSES else _exit_code(bound["exit_code"], text)
            kinds.setdefault(text, Kind(text)).add(exit_code, message, hint)
    return sorted(kinds.values(), key=lambda kind: kind.code)


def _exit_code(node: ast.expr | None, code: str) -> int:
    return EXIT_USAGE if code == "usage" else _EXITS.get(_shown(node), EXIT_INPUT)


class _Code:
    """The syntax trees of the package: its functions, the calls of each name, its constants."""

    def __init__(self) -> None:
        self.parameters: dict[str, list[str]] = {name: ["message"] for name in _CLASSES}
        self.defaults: dict[str, dict[str, ast.expr]] = defaultdict(dict)
        self.constants: dict[str, ast.expr] = {}
        self.calls: dict[str, list[tuple[ast.Call, _Scope]]] = defaultdict(list)
        self.homes: dict[ast.FunctionDef, str] = {}
        self.imported: dict[str, str] = {}
        for path in sorted(_PACKAGE.rglob("*.py")):
            if "sandbox" not in path.relative_to(_PACKAGE).parts:
                tree = ast.parse(path.read_text(encoding="utf-8"))
                self._read(tree, tree, path.stem)

    def _read(self, node: ast.AST, scope: _Scope, module: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = scope
            match child:
                case ast.FunctionDef():
                    inner = child
                    self.homes[child] = module
                    self._note_function(f"{module}.{child.name}", child)
                case ast.ClassDef():
                    self._note_class(child)
                case ast.ImportFrom(module=str(origin)):
                    home = origin.rpartition(".")[2]
                    names = ((one.asname or one.name, one.name) for one in child.names)
                    self.imported |= {f"{module}.{here}": f"{home}.{there}" for here, there in names}
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=value)
                    | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
                ) if name.isupper():
                    self.constants[name] = value
                case ast.Call(func=ast.Name(id=name)):
                    is_class = name in _CLASSES or name[:1].isupper()
                    known = name if is_class else self.imported.get(f"{module}.{name}", f"{module}.{name}")
                    self.calls[known].append((child, scope))
                case _:
                    pass
            self._read(child, inner, module)

    def _note_function(self, name: str, function: ast.FunctionDef) -> None:
        positional = [*function.args.posonlyargs, *function.args.args]
        listed = [*positional, *function.args.kwonlyargs]
        self.parameters[name] = [one.arg for one in listed if one.arg not in {"self", "cls"}]
        optional = positional[len(positional) - len(function.args.defaults) :]
        self.defaults[name] = {
            one.arg: value for one, value in zip(optional, function.args.defaults, strict=True)
        }

    def _note_class(self, kind: ast.ClassDef) -> None:
        if kind.name in _CLASSES:
            return
        targets = [part.target for part in kind.body if isinstance(part, ast.AnnAssign)]
        self.parameters[kind.name] = [target.id for target in targets if isinstance(target, ast.Name)]
        for part in kind.body:
            if isinstance(part, ast.FunctionDef) and part.name == "__init__":
                self._note_function(kind.name, part)

    def sites(self) -> Iterator[tuple[str, _Bound, _Scope]]:
        """Every place that makes an error, with its arguments."""
        for name in (*_CLASSES, _EXPLAINED):
            for call, scope in self.calls[name]:
                if any(word.arg is None for word in call.keywords):
                    continue  # made of another one
                yield name, self._bind(name, call), scope

    def _bind(self, name: str, call: ast.Call) -> dict[str, ast.expr | None]:
        names = self.parameters[name]
        given = dict(zip(names, call.args, strict=False))
        named = {word.arg: word.value for word in call.keywords if word.arg}
        return {"message": None, "hint": None, "code": None, **self.defaults[name], **given, **named}

    def words(self, bound: _Bound, scope: _Scope) -> Iterator[tuple[str, str, str]]:
        """Code, message and hint of a place, once for each way to come there."""
        for known in self._ways(bound["code"], scope):
            alternatives = [self._texts(bound[part], scope, known) for part in ("code", "message", "hint")]
            codes, messages, hints = alternatives
            for place, code in enumerate(codes):
                yield code, _at(messages, place, len(codes)), _at(hints, place, len(codes))

    def _ways(self, code: ast.expr | None, scope: _Scope) -> Iterator[_Bound]:
        """What the names of a function mean: once, or for each call if they decide on the code."""
        if not isinstance(scope, ast.FunctionDef) or _shown(code) in _TOLD_ELSEWHERE:
            yield {}
            return
        decisive = _root(code)
        arguments = {one.arg: one.annotation for one in [*scope.args.args, *scope.args.kwonlyargs]}
        caught = {part.name: part.type for part in ast.walk(scope) if isinstance(part, ast.ExceptHandler)}
        if isinstance(code, ast.Attribute) and (kind := caught.get(decisive) or arguments.get(decisive)):
            for call, _ in self.calls[_shown(kind)]:
                yield {f"{decisive}.{part}": value for part, value in self._bind(_shown(kind), call).items()}
        elif decisive in arguments:
            name = f"{self.homes[scope]}.{scope.name}"
            for call, _ in self.calls[name]:
                yield self._bind(name, call)
        else:
            yield {}

    def _texts(  # noqa: PLR0911 (one for each kind of expression)
        self, node: ast.expr | None, scope: _Scope, known: _Bound
    ) -> list[str]:
        """What an expression can be, as far as it is written."""
        match node:
            case None:
                return [""]
            case ast.Constant(value=str(text)):
                return [text]
            case ast.JoinedStr(values=parts):
                return ["".join(self._piece(part, scope, known) for part in parts)]
            case ast.IfExp(body=body, orelse=other):
                return [*self._texts(body, scope, known), *self._texts(other, scope, known)]
            case ast.Name() | ast.Attribute() if known.get(_shown(node)) is not None:
                return self._texts(known[_shown(node)], scope, {})
            case ast.Name(id=name) if found := _assigned(scope, name):
                known = {**known, name: ast.Constant(_DIFFERS)}  # it may be made of itself
                return [text for value in found for text in self._texts(value, scope, known)]
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in self.constants:
                return self._texts(self.constants[name], scope, known)
            case ast.Subscript(value=ast.Name(id=name)) if name in self.constants:
                values = getattr(self.constants[name], "values", [])
                return [text for value in values for text in self._texts(value, scope, known)] or [_DIFFERS]
            case ast.Attribute(attr="reason"):
                return [str(reason) for reason in Reason if reason.endswith("_header")]
            case _:
                return [_DIFFERS]

    def _piece(self, part: ast.expr, scope: _Scope, known: _Bound) -> str:
        """A part of a text with braces: what is in them only if it is the same always."""
        value = part.value if isinstance(part, ast.FormattedValue) else part
        texts = self._texts(value, scope, known)
        return texts[0] if len(texts) == 1 else _DIFFERS


def _assigned(scope: _Scope, name: str) -> list[ast.expr]:
    """What a function assigns to a name, one by one or in pairs."""
    found = []
    for node in ast.walk(scope) if isinstance(scope, ast.FunctionDef) else ():
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                found.append((node.lineno, value))
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                pairs = zip(targets, values, strict=True)
                found += [(node.lineno, value) for target, value in pairs if _shown(target) == name]
            case _:
                pass
    return [value for _, value in sorted(found, key=lambda pair: pair[0])]


def _at(texts: list[str], place: int, places: int) -> str:
    return texts[place] if len(texts) == places else " / ".join(dict.fromkeys(texts))


def _root(node: ast.expr | None) -> str:
    if isinstance(node, ast.JoinedStr):
        node = next((part.value for part in node.values if isinstance(part, ast.FormattedValue)), None)
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _shown(node: ast.expr | None) -> str:
    return ast.unparse(node).strip("'\"") if node else ""
