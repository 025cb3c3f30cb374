"""The pictures of the README are what the script makes today."""

import struct
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from docs.pictures.make import FOLDER, WINDOW, draw_terminal, photograph

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGES = ["report-dark.png", "report.png", "review.png"]


def size(picture: Path) -> tuple[int, int]:
    header = picture.read_bytes()[:24]
    assert header.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", header[16:])
    return width, height


def test_the_pictures_are_what_the_script_makes(browser: "Browser", tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    run.mkdir()
    out.mkdir()
    drawn = draw_terminal(run)
    assert drawn == (FOLDER / "terminal.svg").read_text(encoding="utf-8"), "python -m docs.pictures.make"
    assert "url(" not in drawn.replace("url(#", "")
    ET.fromstring(drawn)  # noqa: S314 (our own)

    photograph(run, browser, out)
    assert sorted(path.name for path in out.iterdir()) == PAGES
    for folder in (out, FOLDER):
        assert {size(folder / name) for name in PAGES} == {WINDOW}
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 500_000
