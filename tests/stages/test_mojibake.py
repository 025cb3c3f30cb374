# ruff: noqa: RUF001  (the letters of other alphabets look like Latin ones)
"""Which cells are spoiled, and what repairing makes of them."""

import subprocess
import sys

import polars as pl
import pytest

from prep.places import Place
from prep.schema_file import load_schema
from prep.values import Note, Noted, Spelling, find_spoiled, normalise
from prep.values.mojibake import MOJIBAKE, repair

SPOILED = {
    "JosÃ©": "José",
    "MÃ¼ller": "Müller",
    "FranÃ§ois NuÃ±ez": "François Nuñez",
    "Â£ 5": "£ 5",
    "Ð\x98Ð²Ð°Ð½": "Иван",
    "Oâ€™Neil": "O’Neil",
    "JosÃƒÂ©": "José",
    "â€œyesâ€\x9d": "“yes”",
}
SOUND = [
    *("José", "Ångström", "Ñuñoa", "MÜLLER & SÖHNE", "Œuvre", "São Paulo", "Zoë…", "L’Oréal™", "5 €"),
    *("Иванов", "Παπαδόπουλος", "王伟", "김철수", "佐藤", "محمد", "Nguyễn", "İstanbul", "«Да»", "a\x85b"),
]


def test_spoiled_cells_are_repaired_and_sound_ones_kept() -> None:
    cells = pl.Series([*SPOILED, *SOUND, "plain", None, ""], dtype=pl.String)
    repaired, changed = MOJIBAKE.apply(cells)
    assert repaired.to_list() == [*SPOILED.values(), *SOUND, "plain", None, ""]
    assert changed == len(SPOILED)


def test_letters_beside_each_other_are_not_looked_at_twice() -> None:
    names = ["Íñigo Núñez", "ORDÓÑEZ", "Łódź", "Źdźbło", "Čačić", "Žižková", "Győző", "Çağrı", "Háttér"]
    cells = pl.DataFrame({"cell": names})
    assert not cells.select(MOJIBAKE.needed(pl.col("cell")).any()).item()


def test_repairing_again_changes_nothing() -> None:
    once = repair(SPOILED)
    assert repair(once) == once


def test_cells_are_counted_by_field_and_left_alone() -> None:
    frame = pl.DataFrame(
        {"firstName": ["JosÃ©", "JosÃ©", None, "Eva"], "city": ["Köln"] * 4, "notes": ["x", None, "Â£", "Ã¼"]}
    )
    before = frame.clone()
    rows = frame.with_columns(
        pl.lit("a.csv").alias("_source"),
        pl.Series("_row", [1, 2, 3, 4], pl.UInt32),
        pl.Series("_line", [2, 3, 4, 5], pl.UInt32),
    )
    assert find_spoiled(rows) == {
        ("firstName", Note.MOJIBAKE): Noted(2, (Place("a.csv", 1, 2), Place("a.csv", 2, 3))),
        ("notes", Note.MOJIBAKE): Noted(2, (Place("a.csv", 3, 4), Place("a.csv", 4, 5))),
    }
    assert frame.equals(before)


def test_it_is_repaired_on_request_only() -> None:
    fields = load_schema("lead").fields
    frame = pl.DataFrame({"firstName": ["JosÃ©", "Ð\x98Ð²Ð°Ð½", "José"]})
    kept = normalise(frame, fields, Spelling())
    assert ("firstName", "mojibake") not in kept.changes
    assert kept.frame["firstName"][0] == "JosÃ©"
    repaired = normalise(frame, fields, Spelling(repair_mojibake=True))
    assert repaired.frame["firstName"].to_list() == ["José", "Иван", "José"]
    assert repaired.changes["firstName", "mojibake"] == 2


@pytest.mark.parametrize("cells", [["plain"], ["José", "Иванов", "王伟"], [None]])
def test_ftfy_is_not_loaded_for_sound_cells(cells: list[str | None]) -> None:
    program = (
        "import sys, polars as pl\n"
        "from prep.values.mojibake import MOJIBAKE\n"
        f"assert MOJIBAKE.apply(pl.Series({cells!r}, dtype=pl.String))[1] == 0\n"
        "assert 'ftfy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
