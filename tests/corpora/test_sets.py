"""Each set of other people's files gives what is promised of it."""

from pathlib import Path

import pytest

from tests.corpora import others, reading, values
from tests.corpora.registry import Promise


@pytest.mark.parametrize(
    "promise", [*reading.PROMISES, *others.PROMISES, *values.PROMISES], ids=lambda promise: promise.folder
)
def test_a_set_gives_what_is_promised(corpora: Path, promise: Promise) -> None:
    reached = promise.judge(corpora / promise.folder)
    assert reached.cases > 0
    assert reached.share >= promise.share, reached.wrong
