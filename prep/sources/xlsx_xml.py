"""The parts of a workbook: XML that is parsed as a stream, its plain stretches five times as fast."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Final, NamedTuple
from xml.parsers import expat

from prep.sources.sheets import broken, unsafe

_CONTROLS: Final = bytes({*range(0x20)} - {0x09, 0x0A})
_UNUSUAL: Final = (b"<!", b"<?", b"]]>")
_UNUSUAL_REFERENCE: Final = re.compile(
    rb"&(?!(?:amp|lt|gt|quot|apos|#(?:[1-9][0-9]|1[0-9]{2}|x[2-7][0-9A-Fa-f]));)"
)
"""What is not plain text and tags: controls, CR, comments, sections, and all but the usual references."""
_ENTITIES: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_REFERENCE: Final = re.compile(r"&([^;]+);")
_XML_ENCODING: Final = re.compile(rb"""encoding\s*=\s*["']([-\w]+)""")
_WHOLE: Final = itemgetter(0)
_MOST_PENDING: Final = 8 * 1024 * 1024

Attributes = Mapping[str, str]


class Handlers(NamedTuple):
    """What is told of each element of a part."""

    start: Callable[[str, dict[str, str]], None]
    end: Callable[[str], None] | None = None
    text: Callable[[str], None] | None = None


class Shortcut:
    """Takes the plain stretches of a part, five times as fast as a parser does.

    A stretch is taken only if it consists of nothing but elements as every program writes them; the parser
    gets all that comes before and after. From the first stretch on that is different it gets everything.
    """

    def __init__(self, begin: re.Pattern[bytes], end: bytes, take: Callable[[str], bool]) -> None:
        """Describe the stretches.

        Args:
            begin: After the first match, elements may be taken.
            end: Every element ends with this.
            take: Takes whole elements; tells whether it did.
        """
        self._begin = begin
        self._end = end
        self._take = take

    def rest(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield what the parser is to get; of what is taken, an empty piece."""
        prolog = next(chunks, b"")
        match = self._begin.search(prolog)
        begin = match.end() if match else 0
        is_plain = match is not None and is_plain_prolog(prolog[:begin])
        yield prolog[:begin]
        pending = prolog[begin:]
        while is_plain:
            cut = pending.rfind(self._end) + len(self._end)
            if cut >= len(self._end):
                is_plain = self._takes(pending[:cut])
                yield b"" if is_plain else pending[:cut]
                pending = pending[cut:]
            chunk = next(chunks, b"")
            is_plain &= bool(chunk) and len(pending) < _MOST_PENDING
            pending += chunk
        yield pending
        yield from chunks

    def _takes(self, elements: bytes) -> bool:
        if any(mark in elements for mark in _UNUSUAL) or len(elements.translate(None, _CONTROLS)) < len(
            elements
        ):
            return False
        if b"&" in elements and _UNUSUAL_REFERENCE.search(elements):
            return False
        try:
            return self._take(elements.decode())
        except UnicodeDecodeError:
            return False


def is_plain_prolog(prolog: bytes) -> bool:
    """Tell whether a part is UTF-8 without comments, declarations or prefixes."""
    declared = _XML_ENCODING.search(prolog)
    is_utf8 = b"\0" not in prolog and (declared is None or declared[1].lower() in {b"utf-8", b"us-ascii"})
    return is_utf8 and b"<!" not in prolog and prolog.count(b"<?") <= 1


def covers(found: Iterable[Sequence[str]], characters: int) -> bool:
    """Whether matches make up a text of so many characters; the first group of each is the whole of it."""
    return sum(map(len, map(_WHOLE, found))) == characters


def xml_parser(handlers: Handlers) -> expat.XMLParserType:
    """A parser that refuses declared document types."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = handlers.start
    parser.EndElementHandler = handlers.end
    parser.CharacterDataHandler = handlers.text
    return parser


def character_data(text: str) -> str:
    """What a text with references stands for."""
    return _REFERENCE.sub(_referred, text)


def _referred(match: re.Match[str]) -> str:
    name = match[1]
    if name.startswith("#"):
        return chr(int("0" + name[1:], 16) if name[1] == "x" else int(name[1:]))
    return _ENTITIES[name]


def local_name(tag: str) -> str:
    """A tag without its prefix."""
    return tag.rpartition(":")[2]


def whole_number(text: str) -> int:
    """Read a number that places or styles cells.

    Raises:
        Refusal: It is none.
    """
    if text.isascii() and text.isdigit() and len(text) <= 9:  # noqa: PLR2004 (more than any part counts)
        return int(text)
    raise broken("a number that places or styles cells is none")


def _refuse_doctype(*_: object) -> None:
    raise unsafe("one of its parts declares a document type, which can hide entity bombs")
