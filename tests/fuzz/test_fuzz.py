"""A few executions of the fuzzer, which otherwise runs for hours: it keeps in step with what it tests."""

import pytest

from tests.fuzz.oracle import LAYERS, without_files
from tests.fuzz.texts import text

FOUND = [
    b'~Isep=\xbd\n"',
    b'@\xf3,\n,\n\n""\r^',
    b"[\xbb,\n,N,Ne\n,p=;\n'\n\ns",
    b'\x95]y\nsep=,\nf M\nb",c\n\n',
]


@pytest.mark.parametrize("layer", list(LAYERS))
def test_texts_are_read_completely_or_refused(layer: str) -> None:
    with without_files():
        read = [LAYERS[layer](text(1, number)) for number in range(150)]
        for data in FOUND:
            LAYERS[layer](data)
    assert sum(read) > 75
