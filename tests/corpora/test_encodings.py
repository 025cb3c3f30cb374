"""Published files in many encodings: their text is found, or the question is asked."""

from pathlib import Path

import pytest

from prep.errors import SourceError
from prep.sources.encoding import find_encoding
from tests.corpora.others import text_of


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("duckdb-csv/encodings/latin1.csv", "iso-8859-1"),
        ("duckdb-csv/encodings/shift_jis.csv", "cp932"),
        ("duckdb-csv/encodings/only_utf16.csv", "utf-16"),
        ("duckdb-csv/encodings/utf16.csv", "utf-16"),
        ("csvkit-examples/examples/test_latin1.csv", "iso-8859-1"),
        ("csvkit-examples/examples/test_utf16_big.csv", "utf-16"),
        ("csvkit-examples/examples/test_utf16_little.csv", "utf-16"),
        ("csvkit-examples/examples/test_utf8_bom.csv", "utf-8-sig"),
    ],
)
def test_examples_of_other_projects(corpora: Path, name: str, codec: str) -> None:
    path = corpora / name
    assert text_of(path) == path.read_bytes().decode(codec).removeprefix("\ufeff")


def test_a_few_broken_rows_leave_utf_8_alone(corpora: Path) -> None:
    assert find_encoding(str(corpora / "hostile" / "h39_utf8_with_cp1252_rows.csv")).name == "utf-8"


@pytest.mark.parametrize("name", ["all_latin1.csv", "only_latin1.csv"])
def test_bytes_without_words_are_a_question(corpora: Path, name: str) -> None:
    path = corpora / "duckdb-csv" / "encodings" / name
    with pytest.raises(SourceError) as caught:
        find_encoding(str(path))
    assert caught.value.code == "ambiguous_encoding"
    assert text_of(path, "latin-1") == path.read_bytes().decode("latin-1")
