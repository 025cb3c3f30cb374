"""Compressed files and zip archives: the very bytes inside, or a refusal; never fewer bytes."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from prep.errors import SourceError
from prep.sources import containers, open_source
from prep.sources.containers import Members, members, split_path
from prep.sources.files import Copy, digest, opened

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TABLE = b"Email,Name\n" + b"".join(b"u%d@example.com,%d\n" % (row, row * 7919 % 10007) for row in range(3000))
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd.compress,
}


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def read(path: str) -> bytes:
    with opened(path, digesting=True) as content:
        return content.read()


def refusal(path: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read(path)
    assert caught.value.message.startswith(f"{path.partition('!')[0]}")
    assert caught.value.source
    return caught.value


def zipped(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> str:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return str(path)


@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_the_content_is_read_and_the_digest_is_that_of_the_file(tmp_path: Path, kind: str) -> None:
    packed = COMPRESSIONS[kind](TABLE)
    path = write(tmp_path / f"leads.csv.{kind}", packed)
    with opened(path, digesting=True) as content:
        assert content.is_unpacked
        assert content.read() == TABLE
        assert content.sha256 == hashlib.sha256(packed).hexdigest() == digest(path)


@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_a_table_is_read_whatever_the_name(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "leads.csv", COMPRESSIONS[kind](TABLE))
    reader = (source := open_source(path)).read()
    assert sum(batch.cells.height for batch in reader) == reader.rows == 3000
    assert (source.path, source.columns, reader.sha256) == (path, ("Email", "Name"), digest(path))


@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_pieces_that_follow_each_other_are_one_content(tmp_path: Path, kind: str) -> None:
    pack = COMPRESSIONS[kind]
    assert read(write(tmp_path / "x", pack(TABLE[:5000]) + pack(b"") + pack(TABLE[5000:]))) == TABLE


@pytest.mark.parametrize("kind", ["gz", "xz"])
def test_padding_is_no_content(tmp_path: Path, kind: str) -> None:
    assert read(write(tmp_path / "x", COMPRESSIONS[kind](TABLE) + bytes(512))) == TABLE


@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_nothing_ever_just_ends(tmp_path: Path, kind: str) -> None:
    packed = COMPRESSIONS[kind](TABLE)
    for end in [8, 20, *range(40, len(packed), 997), len(packed) - 8, len(packed) - 1]:
        assert refusal(write(tmp_path / "x", packed[:end])).code == "broken_archive", end


@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_damage_is_found(tmp_path: Path, kind: str) -> None:
    packed = bytearray(COMPRESSIONS[kind](TABLE))
    if kind == "zst":
        packed = bytearray(zstd.compress(TABLE, options={zstd.CompressionParameter.checksum_flag: 1}))
    packed[len(packed) // 2] ^= 0x55
    assert refusal(write(tmp_path / "x", bytes(packed))).code == "broken_archive"


@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_what_follows_and_is_something_else_is_refused(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "x", COMPRESSIONS[kind](TABLE) + b"and more")
    assert refusal(path).code == "broken_archive"


def test_a_wrong_checksum_is_found_at_the_very_end(tmp_path: Path) -> None:
    packed = gzip.compress(TABLE)
    path = write(tmp_path / "x", packed[:-8] + struct.pack("<II", zlib.crc32(TABLE) ^ 1, len(TABLE)))
    assert refusal(path).code == "broken_archive"


@pytest.mark.parametrize("kind", COMPRESSIONS)
def test_a_bomb_is_refused_while_it_unpacks(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "FREE_BYTES", 1_000_000)
    rows = b"a@example.com\n" * 300_000
    path = write(tmp_path / "x", COMPRESSIONS[kind](rows))
    with opened(path, digesting=True) as content:
        taken = 0

        def take_all() -> None:
            nonlocal taken
            while piece := content.read(10_000):
                taken += len(piece)

        with pytest.raises(SourceError) as caught:
            take_all()
    assert caught.value.code == "archive_bomb"
    assert taken <= 1_000_000 + containers._PIECE_BYTES * containers.MOST_RATIO


def test_all_tables_of_an_archive_have_one_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "FREE_BYTES", 1_000_000)
    rows = b"a@example.com\n" * 70_000
    one = zipped(tmp_path / "one.zip", {"a.csv": rows, "__MACOSX/a.csv": rows}, zipfile.ZIP_BZIP2)
    assert members(one) == Members((f"{one}!a.csv",), ("__MACOSX/a.csv",))
    path = zipped(tmp_path / "two.zip", {"a.csv": rows, "b.csv": rows}, zipfile.ZIP_BZIP2)
    with pytest.raises(SourceError) as caught:
        members(path)
    assert caught.value.code == "archive_bomb"
    assert caught.value.message == (
        f"{path}: it unpacks to more than 200 times its size, as no list of leads does"
    )


def test_a_member_gives_no_more_than_the_directory_says(tmp_path: Path) -> None:
    rows = b"a@example.com\n" * 70_000
    path = Path(zipped(tmp_path / "a.zip", {"b.csv": rows}))
    packed = path.read_bytes()
    path.write_bytes(patched(packed, b"PK\x01\x02", 24, struct.pack("<I", 1_000)))
    with pytest.raises(SourceError) as caught, opened(f"{path}!b.csv") as content:
        content.read(100_000)
    assert caught.value.code == "broken_archive"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_compressed_file_in_an_archive_is_held_against_what_it_takes_there(
    tmp_path: Path, method: int
) -> None:
    piece = bz2.compress(b"a@example.com\n" * 3_000)
    path = zipped(tmp_path / "a.zip", {"b.csv.bz2": piece * 200, "few.csv.bz2": piece}, method)
    assert read(f"{path}!few.csv.bz2") == b"a@example.com\n" * 3_000
    assert refusal(f"{path}!b.csv.bz2").code == "archive_bomb"


def test_no_file_unpacks_to_more_than_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "MOST_BYTES", 50_000)
    assert refusal(write(tmp_path / "x", gzip.compress(TABLE))).code == "archive_bomb"


def test_honest_tables_are_no_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "FREE_BYTES", 100_000)
    blanks = "," * 95
    rows = "".join(
        f"person{row}@example.com,Acme Corporation,yes,DE{blanks}\n" for row in range(20_000)
    ).encode()
    for kind, pack in COMPRESSIONS.items():
        assert read(write(tmp_path / kind, pack(rows))) == rows


def test_members_of_an_archive(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "a.zip",
        {
            "b.csv": TABLE,
            "folder/": b"",
            "folder/c.csv": b"Email\n",
            "__MACOSX/._b.csv": b"x",
            ".DS_Store": b"x",
            "folder/.hidden": b"x",
            "Thumbs.db": b"x",
            "~$b.xlsx": b"x",
            "notes.pdf": b"%PDF-1.7",
        },
    )
    assert members(path) == Members(
        paths=(f"{path}!b.csv", f"{path}!folder/c.csv", f"{path}!notes.pdf"),
        left_out=("folder/", "__MACOSX/._b.csv", ".DS_Store", "folder/.hidden", "Thumbs.db", "~$b.xlsx"),
    )
    assert read(f"{path}!b.csv") == TABLE
    assert digest(f"{path}!b.csv") == hashlib.sha256(TABLE).hexdigest()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_methods_of_zip(tmp_path: Path, method: int) -> None:
    path = zipped(tmp_path / "a.zip", {"b.csv": TABLE}, method)
    assert read(f"{path}!b.csv") == TABLE


def test_a_method_that_is_not_supported_is_named(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"b.csv": TABLE}, zipfile.ZIP_LZMA)
    error = refusal(f"{path}!b.csv")
    assert (error.code, "method 14" in error.message) == ("unknown_compression", True)


def test_archives_made_to_be_streamed(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.content = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.content += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.csv", TABLE)
    path = write(tmp_path / "a.zip", pipe.content)
    assert read(f"{path}!b.csv") == TABLE


def test_anything_but_an_archive_stands_for_itself(tmp_path: Path) -> None:
    workbook = zipped(tmp_path / "w.xlsx", {"[Content_Types].xml": b"", "xl/workbook.xml": b"<workbook/>"})
    for path in (workbook, write(tmp_path / "a.csv", TABLE), str(tmp_path), str(tmp_path / "none")):
        assert members(path) == Members((path,))


def test_a_file_called_like_a_member_is_that_file(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", {"b.csv": TABLE})
    path = write(tmp_path / "a.zip!b.csv", b"Email\n")
    assert read(path) == b"Email\n"
    assert split_path(path) == (path, None)


def test_names_with_the_mark(tmp_path: Path) -> None:
    path = zipped(tmp_path / "wow!.zip", {"b!c.csv": TABLE})
    assert members(path).paths == (f"{path}!b!c.csv",)
    assert read(f"{path}!b!c.csv") == TABLE


@pytest.mark.parametrize(
    "name",
    [
        "../../../../tmp/prep_slip.csv",
        "/etc/passwd",
        "C:\\leads.csv",
        "..\\..\\leads.csv",
        "-rf",
        "\x1b[31mred\x1b[0m.csv",
        "line\nbreak.csv",
        "Kontakte Müller.csv",
        "名簿.csv",
        "x" * 300 + ".csv",
    ],
)
def test_odd_names_are_harmless_and_usable(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    zipped(Path("a.zip"), {name: TABLE})
    (path,) = members("a.zip").paths
    assert path == f"a.zip!{name}"
    assert read(path) == TABLE
    assert sum(batch.cells.height for batch in open_source(path).read()) == 3000
    assert [*tmp_path.rglob("*")] == [folder, folder / "a.zip"]


def test_names_in_utf_8_that_do_not_say_so(tmp_path: Path) -> None:
    packed = Path(zipped(tmp_path / "a.zip", {"M__ller.csv": TABLE})).read_bytes()
    path = write(tmp_path / "b.zip", packed.replace(b"M__ller", "Müller".encode()))
    assert members(path).paths == (f"{path}!Müller.csv",)
    assert read(f"{path}!Müller.csv") == TABLE


def patched(packed: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    place = packed.index(signature) + offset
    return packed[:place] + value + packed[place + len(value) :]


def test_a_password_is_named(tmp_path: Path) -> None:
    packed = Path(zipped(tmp_path / "a.zip", {"b.csv": TABLE})).read_bytes()
    path = write(tmp_path / "b.zip", patched(packed, b"PK\x01\x02", 8, b"\x01\x00"))
    error = refusal(f"{path}!b.csv")
    assert (error.code, error.message) == (
        "encrypted_member",
        f"{path}!b.csv: it is protected with a password",
    )


def test_damaged_archives(tmp_path: Path) -> None:
    whole = Path(zipped(tmp_path / "a.zip", {"b.csv": TABLE, "c.csv": TABLE[:900]})).read_bytes()
    damaged = {
        "cut": whole[: len(whole) // 2],
        "no directory": whole[:-22],
        "other sum": patched(whole, b"PK\x01\x02", 16, b"\1\2\3\4"),
        "shorter than said": patched(whole, b"PK\x01\x02", 24, struct.pack("<I", len(TABLE) + 1)),
        "longer than said": patched(whole, b"PK\x01\x02", 24, struct.pack("<I", len(TABLE) - 1)),
        "leads elsewhere": patched(whole, b"PK\x01\x02", 42, struct.pack("<I", 7)),
        "more than there is": patched(whole, b"PK\x01\x02", 20, struct.pack("<I", len(whole) * 2)),
        "flipped": whole[:2000] + bytes([whole[2000] ^ 0xFF]) + whole[2001:],
        "gap": patched(whole, b"PK\x01\x02", 20, struct.pack("<I", 500)),
    }
    for what, content in damaged.items():
        error = refusal(f"{write(tmp_path / 'b.zip', content)}!b.csv")
        assert error.code == "broken_archive", what


def test_more_behind_a_member_than_was_packed(tmp_path: Path) -> None:
    packed = Path(zipped(tmp_path / "a.zip", {"b.csv": TABLE})).read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        size = archive.getinfo("b.csv").compress_size
    path = write(tmp_path / "b.zip", patched(packed, b"PK\x01\x02", 20, struct.pack("<I", size + 10)))
    assert refusal(f"{path}!b.csv").code == "broken_archive"


def test_two_members_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b.csv", TABLE)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("b.csv", b"Email\n")
    with pytest.raises(SourceError, match="same name"):
        members(str(path))
    assert refusal(f"{path}!b.csv").code == "repeated_member"


def test_members_that_overlap(tmp_path: Path) -> None:
    """As in a zip bomb whose members all share one kernel."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.csv", TABLE)
        for number in range(20):
            archive.filelist.append(_twin(archive.getinfo("b.csv"), f"c{number}.csv"))
    with pytest.raises(SourceError) as caught:
        members(str(path))
    assert (caught.value.code, "overlap" in caught.value.message) == ("broken_archive", True)


def _twin(info: zipfile.ZipInfo, name: str) -> zipfile.ZipInfo:
    twin = zipfile.ZipInfo(name)
    for part in ("compress_type", "header_offset", "CRC", "compress_size", "file_size"):
        setattr(twin, part, getattr(info, part))
    return twin


def test_a_member_that_is_not_there(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"b.csv": TABLE, "__MACOSX/._b.csv": b""})
    error = refusal(f"{path}!c.csv")
    assert (error.code, error.hint) == ("no_such_file", "It holds b.csv.")


def test_archives_without_tables_and_with_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, files, code in (
        ("none", {"__MACOSX/x": b"", "folder/": b""}, "empty_archive"),
        ("many", {f"{number}.csv": b"Email\n" for number in range(300)}, "too_many_members"),
    ):
        with pytest.raises(SourceError) as caught:
            members(zipped(tmp_path / name, files))
        assert caught.value.code == code
    monkeypatch.setattr(containers, "_DIRECTORY_BYTES", 10_000)
    error = refusal(f"{tmp_path / 'many'}!1.csv")
    assert error.code == "too_many_members"


def test_a_compressed_file_in_an_archive(tmp_path: Path) -> None:
    packed = gzip.compress(TABLE)  # once: it holds the time
    path = zipped(tmp_path / "a.zip", {"b.csv.gz": packed})
    assert read(f"{path}!b.csv.gz") == TABLE
    assert digest(f"{path}!b.csv.gz") == hashlib.sha256(packed).hexdigest()


@pytest.mark.parametrize(
    "make",
    [
        lambda path: zipped(path, {"b.zip": Path(zipped(path, {"c.csv": TABLE})).read_bytes()}),
        lambda path: write(path, gzip.compress(Path(zipped(path, {"c.csv": TABLE})).read_bytes())),
        lambda path: write(path, gzip.compress(bz2.compress(TABLE))),
        lambda path: zipped(path, {"b": gzip.compress(gzip.compress(TABLE))}),
    ],
)
def test_archives_in_archives_are_refused(tmp_path: Path, make: Callable[[Path], str]) -> None:
    with pytest.raises(SourceError) as caught:
        open_source(make(tmp_path / "a"))
    assert caught.value.code == "nested_archive"


def test_a_copy_is_gone_with_its_object(tmp_path: Path) -> None:
    copy = Copy(write(tmp_path / "x", gzip.compress(TABLE)))
    path = copy.path
    assert path.read_bytes() == TABLE
    assert path.parent.stat().st_mode & 0o777 == 0o700
    del copy
    assert not path.parent.exists()


def test_pipes_folders_and_what_is_not_there(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, code in (
        (str(tmp_path), "not_a_file"),
        (str(tmp_path / "pipe"), "not_a_file"),
        ("/dev/null", "not_a_file"),
        (str(tmp_path / "none"), "no_such_file"),
        (str(tmp_path / "none!b.csv"), "no_such_file"),
        (str(tmp_path / ("x" * 300)), "unreadable_source"),
        ("a\0b", "no_such_file"),
    ):
        assert refusal(path).code == code
