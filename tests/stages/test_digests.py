from pathlib import Path

import pytest

from prep.errors import SourceError
from prep.folder import RunFolder
from prep.intake import take_in
from prep.model import FIND_OUT
from prep.sources.files import Digesting, digest


def test_the_digest_that_was_begun_is_that_of_the_file(tmp_path: Path) -> None:
    leads = tmp_path / "leads.csv"
    leads.write_text("email\nana@example.com\n", encoding="utf-8")
    (source,) = take_in([leads], FIND_OUT, RunFolder(tmp_path / "run"), digesting=True)
    assert source.digesting is not None
    assert source.sha256() == source.sha256() == digest(str(leads))


def test_a_digest_that_cannot_be_computed_is_no_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match="there is no such file"):
        Digesting(str(tmp_path / "none.csv")).result()

    def fail(_: str) -> str:
        raise MemoryError

    monkeypatch.setattr("prep.sources.files.digest", fail)
    with pytest.raises(MemoryError):
        Digesting("leads.csv").result()
