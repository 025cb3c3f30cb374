"""Sample file → the exact run folder. `regenerate.py` says how to renew what is expected."""

from pathlib import Path

import pytest

from tests.golden.regenerate import ROOT, SAMPLES, expected, snapshot


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_run_folder_is_as_it_was(sample: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found, wanted = snapshot(sample, tmp_path / "out.prep"), expected(sample)
    assert found.keys() == wanted.keys()
    for name, content in found.items():
        assert content.decode() == wanted[name].decode(), name
