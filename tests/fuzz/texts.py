"""Texts to fuzz with: each is a function of the seed and its number, so that any can be made again."""

from random import Random

from tests.fuzz.pieces import CELLS, LINE_ENDS, PIECES

_MOST_PIECES = 30
_MOST_ROWS = 12
_MOST_COLUMNS = 4
_SOUP = 0.4
_ODD = 0.15
_MOST_CHANGES = 3


def text(seed: int, number: int) -> bytes:
    """Two bytes of options, then a table with some odd cells and lines or a soup of pieces, then damaged."""
    chance = Random(f"{seed}/{number}")  # noqa: S311
    content = _soup(chance) if chance.random() < _SOUP else _table(chance)
    for _ in range(chance.randrange(_MOST_CHANGES + 1)):
        content = _damaged(chance, content)
    return chance.randbytes(2) + content


def _soup(chance: Random) -> bytes:
    return b"".join(chance.choice(PIECES) for _ in range(chance.randrange(_MOST_PIECES)))


def _table(chance: Random) -> bytes:
    columns = chance.randint(1, _MOST_COLUMNS)
    delimiter = chance.choice((b",", b";", b"\t", b"|"))
    end = chance.choice(LINE_ENDS)
    quote = chance.choice((b'"', b'"', b"'"))
    lines = [chance.choice(PIECES) for _ in range(chance.randrange(3) if chance.random() < _ODD else 0)]
    names = (b"Email", b"First Name", b"City", b"Phone")[:columns]
    nameless = delimiter * (chance.randint(1, 3) if chance.random() < _ODD else 0)
    lines.append(delimiter.join(names) + nameless + end)
    for _ in range(chance.randrange(_MOST_ROWS)):
        if chance.random() < _ODD:
            lines.append(chance.choice((lines[0], end, chance.choice(PIECES))))
        width = columns if chance.random() > _ODD else chance.randint(1, _MOST_COLUMNS + 1)
        cells = [_cell(chance) for _ in range(width)]
        lines.append(
            delimiter.join(cells) + nameless + (end if chance.random() > _ODD else chance.choice(LINE_ENDS))
        )
    return b"".join(lines).replace(b'"', quote)


def _cell(chance: Random) -> bytes:
    return chance.choice(CELLS) if chance.random() < _ODD else chance.choice((b"", b"a", b"x@y.org", b"b c"))


def _damaged(chance: Random, content: bytes) -> bytes:
    """Cut something out, put something in, or double something."""
    start = chance.randrange(len(content) + 1)
    end = min(len(content), start + chance.randrange(1, 9))
    middle = chance.choice((b"", chance.choice(PIECES), content[start:end] * 2, chance.randbytes(2)))
    return content[:start] + middle + content[end:]
