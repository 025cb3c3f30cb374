"""Addresses by the million: ordinary ones, ones at the edges of what is allowed, and broken ones."""

import random
from collections.abc import Callable, Iterator

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_WORDS = ("ana", "bo", "lee", "garcia", "o'neil", "van-dam", "x", "sales", "no.reply", "first_last", "2026")
_ATEXT = f"{_LETTERS}0123456789!#$%&'*+/=?^_`{{|}}~-"
_LABELS = ("example", "mail", "my-company", "3m", "a", "x1", "xn--bcher-kva", "test-lab", "localhost", "a--b")
_TOPS = ("com", "org", "net", "io", "de", "museum", "technology", "co.uk", "xn--p1ai", "COM", "latest")
_ODD_TOPS = ("test", "TEST", "local", "localhost", "invalid", "arpa", "onion", "c", "1", "c1", "xn--a", "i-o")
_DIRT = (
    *"@.-\"' \t\n\r\\<>()[],:;\x00\x7f\x80é\u0301\u200d\uff20\u3002ßñ日İ",
    *("--", "..", ".-", "-.", "@@", "@a.", " @", "@ ", ".@", "@.", "[127.0.0.1]", '""', "xn--", "\u00ad"),
)


def generate(seed: str, count: int) -> Iterator[str]:
    """The same addresses for the same seed; a few occur twice."""
    source = random.Random(seed)  # noqa: S311 (the same every time)
    kinds: tuple[Callable[[random.Random], str], ...] = (_ordinary, _any_local, _any_domain, _long, _broken)
    for _ in range(count):
        yield source.choice(kinds)(source)


def _ordinary(source: random.Random) -> str:
    local = source.choice(".-_+").join(source.choices(_WORDS, k=source.randint(1, 3)))
    labels = source.choices(_LABELS, k=source.randint(1, 3))
    return f"{local}{source.randint(0, 999)}@{'.'.join(labels)}.{source.choice(_TOPS)}"


def _any_local(source: random.Random) -> str:
    local = "".join(source.choices(f"{_ATEXT}.", k=source.randint(1, 30)))
    return f"{local}@{source.choice(_LABELS)}.{source.choice(_TOPS)}"


def _any_domain(source: random.Random) -> str:
    labels = [_label(source, source.randint(1, 14)) for _ in range(source.randint(0, 4))]
    top = source.choice((*_TOPS, *_ODD_TOPS)) if source.random() < 0.8 else _label(source, 3)
    return f"{source.choice(_WORDS)}@{'.'.join([*labels, top])}"


def _label(source: random.Random, length: int) -> str:
    return "".join(source.choices(f"{_LETTERS}0123456789-", k=length))


def _long(source: random.Random) -> str:
    """Around the limits of a local part (64), a label (63), an address (254), and of our quick look."""
    local = "x" * source.choice((1, 20, 60, 63, 64, 65))
    labels = ["y" * source.choice((1, 40, 62, 63, 64)) for _ in range(source.randint(1, 5))]
    return f"{local}@{'.'.join(labels)}.{'z' * source.choice((1, 2, 3, 60, 63, 64))}"


def _broken(source: random.Random) -> str:
    """An ordinary address after up to three slips: something put in, left out, or put in its place."""
    address = _ordinary(source)
    for _ in range(source.randint(1, 3)):
        place, width = source.randint(0, len(address)), source.randint(0, 1)
        dirt = source.choice(_DIRT) if source.random() < 0.8 else ""
        address = f"{address[:place]}{dirt}{address[place + width :]}"
    return address
