# ruff: noqa: RUF001  (the letters of other alphabets look like Latin ones)
"""In which encoding a file is, what is refused, and what becomes of bytes that cannot be decoded."""

import codecs
import io
from pathlib import Path

import pytest

from prep.errors import SettingsError, SourceError
from prep.sources.encoding import TextEncoding, as_utf8, find_encoding, is_utf8, mask_invalid
from prep.sources.legacy import AmbiguousEncodingError

TABLE = "Name,City\r\nJosé Núñez,Zürich\r\n"
RUSSIAN = "Имя,Город\nАнна,Москва\n"
CHINESE = "名字,城市\n王伟,北京\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leads.csv"


def found(path: Path, content: bytes, given: str | None = None) -> TextEncoding:
    path.write_bytes(content)
    return find_encoding(str(path), given)


def read(path: Path, encoding: TextEncoding) -> bytes:
    with path.open("rb") as file:
        return as_utf8(file, encoding).read()


@pytest.mark.parametrize("text", [TABLE, RUSSIAN, CHINESE])
@pytest.mark.parametrize(
    ("bom", "name"),
    [
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_byte_order_mark_names_the_encoding(path: Path, bom: bytes, name: str, text: str) -> None:
    encoding = found(path, bom + text.encode(name.removesuffix("-sig")))
    assert encoding == TextEncoding(name, len(bom))
    assert read(path, encoding) == text.encode()


@pytest.mark.parametrize("rows", [1, 400])
@pytest.mark.parametrize("text", [TABLE, RUSSIAN, CHINESE, "Email\na@example.com\n"])
@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_characters_are_known_without_a_mark(path: Path, name: str, text: str, rows: int) -> None:
    encoding = found(path, (text * rows).encode(name))
    assert encoding == TextEncoding(name)
    assert read(path, encoding) == (text * rows).encode()


def test_utf_8_costs_nothing(path: Path) -> None:
    encoding = found(path, codecs.BOM_UTF8 + TABLE.encode())
    with path.open("rb") as file:
        assert as_utf8(file, encoding) is file
        assert file.read() == TABLE.encode()


def test_utf_8_is_judged_to_the_end(path: Path) -> None:
    rows = "a,b\n" * 600_000
    assert found(path, (rows + "é,ü\n").encode()) == TextEncoding("utf-8")
    assert found(path, (rows + "Müller,Köln\n").encode("cp1252")).name == "cp1252"


def test_late_lines_count(path: Path) -> None:
    rows = b"Anna,Oslo\n" * 1_200_000
    late = "Łukasz,Wąsowski\nMałgorzata,Śliwińska\n".encode("cp1250")
    assert found(path, b"Name,City\n" + rows + late + b"Anna,Oslo\n" * 300_000).name == "cp1250"


def test_a_character_cut_by_a_chunk_is_whole(path: Path) -> None:
    text = "a" * ((1 << 20) - 1) + "é\n" + "日本\n" * 400_000
    assert found(path, text.encode()) == TextEncoding("utf-8")
    path.write_bytes(text.encode("cp932", "ignore"))
    assert read(path, TextEncoding("cp932")) == text.replace("é", "").encode()


@pytest.mark.parametrize(
    ("words", "written_in"),
    [
        (["O’Neil", "Women’s Club", "5 €", "Acme™", "Berlin – Mitte", "„Zitat“", "…"], "cp1252"),
        (["José"], "iso-8859-1"),
        (["Groß"], "cp1252"),
        (["Núñez"], "cp1252"),
        (["Conceição"], "cp1252"),
        (["Françoise"], "iso-8859-15"),
        (["Sørensen"], "cp1252"),
        (["MÜLLER", "GONZÁLEZ", "FRANÇOIS"], "cp1252"),
        (["D´Angelo", "nº 5", "1ª"], "cp1252"),
        (["Saint\N{NO-BREAK SPACE}Étienne"], "cp1252"),
    ],
)
def test_western_text_is_read_without_a_question(path: Path, words: list[str], written_in: str) -> None:
    content = "\n".join(["Email,Name", *(f"a@example.com,{word}" for word in words)]).encode(written_in)
    assert found(path, content).name == "cp1252"


def test_signs_tell_latin_9(path: Path) -> None:
    text = "Société;Montant\nSœurs Lefèvre;12 €\nBœuf et Cœur;20 €\n"
    encoding = found(path, text.encode("iso-8859-15"))
    assert encoding.name == "iso-8859-15"
    assert read(path, encoding) == text.encode()


def test_other_code_pages_are_named_in_a_note(path: Path) -> None:
    encoding = found(path, "Imię;Nazwisko\nŁukasz;Wiśniewski\nMałgorzata;Dąbrowska\n".encode("cp1250"))
    assert encoding == TextEncoding(
        "cp1250", notes=("read as cp1250 (Central European); --encoding NAME decides otherwise",)
    )


def test_a_doubt_about_western_text_is_noted(path: Path) -> None:
    encoding = found(path, "Email,Name\na@example.com,Dobeš\n".encode("cp852"))
    assert encoding.name == "cp1252"
    assert "is possible" in encoding.notes[0]


def test_countries_of_addresses_and_numbers_count(path: Path) -> None:
    row = "Bretislav".replace("r", "ř") + ",Oslo\n"
    assert found(path, f"Name,City\n{row}".encode("cp1250")).name == "cp1252"
    czech = "Name,City,Email,Phone\n" + "Jan,Oslo,jan@example.cz,+420 601 123 456\n" * 5 + row
    assert found(path, czech.encode("cp1250")).name == "cp1250"


def test_two_close_readings_are_a_question(path: Path) -> None:
    path.write_bytes(
        "Email,Ort\na@example.com,Oslo\nb@example.com,Anđela\nc@example.com,Oslo\n".encode("cp1250")
    )
    with pytest.raises(AmbiguousEncodingError) as caught:
        find_encoding(str(path))
    error = caught.value
    assert (error.code, error.exit_code, error.column) == ("ambiguous_encoding", 1, "Ort")
    assert "column 'Ort', line 3" in error.message
    assert "--encoding cp1250" in error.hint
    assert "Anđela (cp1250)" in error.detail
    assert "Anđela" not in error.message + error.hint
    assert found(path, path.read_bytes(), "cp1250") == TextEncoding("cp1250")


def test_noise_is_no_text(path: Path) -> None:
    noise = bytes((i * i * 7 + i * 31) % 128 + 128 for i in range(3000))
    with pytest.raises(SourceError) as caught:
        found(path, b"a,b\n" + b"\n".join(noise[i : i + 11] for i in range(0, 3000, 11)))
    assert caught.value.code == "ambiguous_encoding"
    assert "no encoding known here" in caught.value.message


def test_a_few_broken_lines_leave_utf_8_alone(path: Path) -> None:
    valid, broken = "José Núñez\n".encode(), "José Núñez\n".encode("cp1252")
    assert found(path, b"Name\n" + valid * 5 + broken * 2) == TextEncoding("utf-8")
    assert "most lines" in found(path, b"Name\n" + valid * 5 + broken * 9).notes[0]
    assert found(path, b"Name\n" + valid + broken * 30).name == "cp1252"
    assert found(path, codecs.BOM_UTF8 + b"Name\n" + broken * 3).bom_bytes == 3


def test_utf_8_by_accident_is_not_believed(path: Path) -> None:
    content = "名字,公司\n思远,\n陈伟,宏达\n".encode("gb18030")
    assert b"\xcb\xbc\xd4\xb6" in content  # valid UTF-8
    assert found(path, content).name == "gb18030"


def test_japanese_mail(path: Path) -> None:
    text = "名,姓\n太郎,山田\n"
    encoding = found(path, text.encode("iso2022_jp"))
    assert encoding.name == "iso2022_jp"
    assert read(path, encoding) == text.encode()
    assert found(path, b"a,b\n\x1b$1,\x1b[31m\n") == TextEncoding("utf-8")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("latin-1", "iso-8859-1"),
        ("windows-1250", "cp1250"),
        ("Shift_JIS", "shift_jis"),
        ("macintosh", "mac_roman"),
        ("utf8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("UTF-16", "utf-16-le"),
        ("cp037", "cp037"),
    ],
)
def test_a_given_encoding_is_taken(path: Path, given: str, name: str) -> None:
    assert found(path, b"a,b\n1,2\n", given) == TextEncoding(name)


@pytest.mark.parametrize(
    "given",
    [
        "klingon",
        "rot13",
        "base64",
        "hex",
        "idna",
        "punycode",
        "unicode_escape",
        "utf-7",
        "undefined",
        "",
        "a\0b",
    ],
)
def test_what_is_no_text_encoding_is_refused(path: Path, given: str) -> None:
    with pytest.raises(SettingsError) as caught:
        found(path, b"a,b\n1,2\n", given)
    assert caught.value.code == "bad_encoding"
    assert "cp1252" in caught.value.hint


def test_a_mark_is_taken_off_whatever_is_given(path: Path) -> None:
    assert found(path, codecs.BOM_UTF8 + b"a\n\xe9\n", "cp1252") == TextEncoding("cp1252", 3)
    assert found(path, codecs.BOM_UTF16_BE + "a\n".encode("utf-16-be"), "utf-16") == TextEncoding(
        "utf-16-be", 2
    )
    assert found(path, codecs.BOM_UTF16_LE + "\0a\n".encode("utf-16-le"), "utf-16-le").bom_bytes == 2


@pytest.mark.parametrize(
    ("given", "name"), [("cp1252", "cp1252"), ("windows-1251", "cp1251"), ("shift_jis", "shift_jis")]
)
def test_a_mark_decides_where_another_encoding_is_given_for_other_files(
    path: Path, given: str, name: str
) -> None:
    note = f"read as UTF-8, as its byte order mark says and all of its bytes do, not as {name}"
    content = codecs.BOM_UTF8 + RUSSIAN.encode()
    assert found(path, content, given) == TextEncoding("utf-8-sig", 3, (note,))
    assert found(path, content, "utf-8-sig") == TextEncoding("utf-8-sig", 3)
    assert found(path, codecs.BOM_UTF8 + b"Name\nAna\n", given) == TextEncoding(name, 3)


def test_a_wrongly_given_encoding_breaks_lines_and_nothing_else(path: Path) -> None:
    path.write_bytes("plain\r\nJosé\r\nplain\n\u00e9\u00e9".encode())
    lines = read(path, find_encoding(str(path), "ascii")).split(b"\n")
    assert [is_utf8(line) for line in lines] == [True, False, True, False]
    assert lines[0] == b"plain\r"


@pytest.mark.parametrize(
    ("codec", "content", "expected"),
    [
        ("cp1252", b"a\x81b\r\n\x8d\x9d\rc", b"a\x81b\r\n\x8d\x9d\rc"),
        ("cp1252", b"\x85,\xa0", "…,\xa0".encode()),
        ("iso-8859-1", b"a\x85b\n", "a\x85b\n".encode()),
        ("cp932", b"a\x83\nb\xe0\n", b"a\x83\nb\xe0\xff\n"),
        ("cp949", b"\xc3\n\xa9\n", b"\xc3\xff\n\xa9\n"),
        ("utf-16-le", b"a\x00\x00\xd8\n\x00\x00\x00b\x00c", b"a\xff\xd8\xff\n\x00b\xff"),
        ("utf-16-le", "a\u2028b\x85\n".encode("utf-16-le"), "a\u2028b\x85\n".encode()),
        ("utf-32-le", b"a\x00\x00\x00\xff\xff\xff\x7f\n\x00\x00\x00", b"a\xff\xff\xff\xff\n"),
    ],
)
def test_bytes_that_cannot_be_decoded_are_marked(
    path: Path, codec: str, content: bytes, expected: bytes
) -> None:
    path.write_bytes(content)
    assert read(path, TextEncoding(codec)) == expected


def test_lines_can_be_read_with_a_limit() -> None:
    file = as_utf8(io.BytesIO("é\r\nöü\n".encode("cp1252")), TextEncoding("cp1252"))
    assert [file.readline(100), file.readline(3), file.readline(3), file.read(5)] == [
        "é\r\n".encode(),
        "ö".encode() + b"\xc3",
        b"\xbc\n",
        b"",
    ]


@pytest.mark.parametrize(
    ("content", "code", "kind"),
    [
        (b"", "empty_source", "empty"),
        (b" \r\n\t\n", "empty_source", "empty"),
        (codecs.BOM_UTF8 + b"\n", "empty_source", "empty"),
        (codecs.BOM_UTF16_LE + b"\n\0", "empty_source", "empty"),
        (b"%PDF-1.7 ...", "not_text", "a PDF"),
        (b"SQLite format 3\x00", "not_text", "an SQLite database"),
        (b"Rar!\x1a\x07", "not_text", "an archive"),
        (b"PK\x03\x04....[Content_Types].xml", "not_text", "workbook"),
        (b"PK\x03\x04....leads.csv", "not_text", "a zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "not_text", "Excel"),
        (b"PAR1....", "not_text", "Parquet"),
        (bytes(range(256)) * 100, "not_text", "binary"),
        (b"\x01\x02\x03\xff\xfe\x04\x05" * 50, "not_text", "binary"),
        (b"a\0b\0\0\0\0" * 50, "not_text", "binary"),
    ],
)
def test_what_is_no_text_is_refused(path: Path, content: bytes, code: str, kind: str) -> None:
    with pytest.raises(SourceError) as caught:
        found(path, content)
    assert caught.value.code == code
    assert caught.value.message.startswith(f"{path}: ")
    assert kind in caught.value.message


def test_single_nuls_are_left_to_the_reader(path: Path) -> None:
    assert found(path, b"a,b\n" + b"1,2\n" * 50 + b"1,\0\n") == TextEncoding("utf-8")


def test_masking_moves_nothing() -> None:
    assert mask_invalid(b"a\xffb\xc3\xa9\xc3") == b"a\0b\xc3\xa9\0"


@pytest.mark.parametrize("text", [b"a,b\n1,\0\n2,3\n", b"email\na@example.com\0\n", b"a;b\r\n\0;1\r\n"])
def test_a_nul_in_a_short_text_does_not_make_it_wide(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "leads.csv").write_bytes(text)
    assert find_encoding(str(tmp_path / "leads.csv")) == TextEncoding("utf-8")


@pytest.mark.parametrize("text", ["a,b\n1,\x85\n", "a\n\xa0\n", "name\n→\n", "name\nЯz Ω\n"])
def test_what_is_valid_utf_8_is_read_so_even_where_it_makes_no_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "leads.csv").write_text(text, encoding="utf-8")
    assert find_encoding(str(tmp_path / "leads.csv")).name == "utf-8"
