import stat
from pathlib import Path

import pytest

from prep import durable


def write_half(path: Path, error: type[BaseException]) -> None:
    with durable.replacing(path) as file:
        file.write(b"half")
        raise error


@pytest.mark.parametrize("before", [None, b"old"])
@pytest.mark.parametrize("error", [OSError, ValueError, KeyboardInterrupt, SystemExit])
def test_a_file_that_was_not_finished_never_gets_its_name(
    tmp_path: Path, before: bytes | None, error: type[BaseException]
) -> None:
    path = tmp_path / "table.csv"
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(error):
        write_half(path, error)
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == (
        [] if before is None else [("table.csv", before)]
    )


def test_a_finished_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(b"much longer than the new one")
    (tmp_path / "table.csv.tmp").write_bytes(b"left by a crash, and longer still than anything here")
    with durable.replacing(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"much longer than the new one"
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("table.csv", b"new")]


@pytest.mark.parametrize("link", ["symbolic", "hard"])
def test_a_link_that_has_the_name_of_the_unfinished_file_is_not_followed(tmp_path: Path, link: str) -> None:
    theirs, path = tmp_path / ".profile", tmp_path / "manifest.json"
    theirs.write_bytes(b"umask 077")
    temporary = tmp_path / "manifest.json.tmp"
    temporary.symlink_to(theirs) if link == "symbolic" else temporary.hardlink_to(theirs)
    durable.write(path, b"{}")
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == {
        ".profile": b"umask 077",
        "manifest.json": b"{}",
    }
    assert not path.is_symlink()


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    durable.write(tmp_path / "x", b"")
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600
