"""A few executions of the fuzzer, which otherwise runs for hours: it keeps in step with what it tests."""

import pytest

from tests.fuzz.oracle import LAYERS, without_files
from tests.fuzz.texts import text

FOUND = b'~Isep=\xbd\n"'


@pytest.mark.parametrize("layer", list(LAYERS))
def test_texts_are_read_completely_or_refused(layer: str) -> None:
    with without_files():
        read = [LAYERS[layer](text(1, number)) for number in range(150)]
        LAYERS[layer](FOUND)
    assert sum(read) > 75
