"""Full names that split, and those that do not split for certain."""

from pathlib import Path

import polars as pl
import pytest

from prep import prepare, retry
from prep.pipeline import Run, clean
from prep.values.names import split_name, split_names


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("Ana López", "Ana", "López"),
        ("  Ana   López ", "Ana", "López"),
        ("María del Carmen Ruiz", "María del Carmen", "Ruiz"),
        ("Juan de la Cruz", "Juan", "de la Cruz"),
        ("Lotte van der Meer", "Lotte", "van der Meer"),
        ("J. R. Lindqvist", "J. R.", "Lindqvist"),
        ("Sinéad O'Connell", "Sinéad", "O'Connell"),
        ("Anne-Marie Smith-Jones", "Anne-Marie", "Smith-Jones"),
        ("López Peña, Ana", "Ana", "López Peña"),
        ("GARCIA LOPEZ, ANA", "ANA", "GARCIA LOPEZ"),
        ("Lund, A. B.", "A. B.", "Lund"),
        ("Lund, A.B.", "A.B.", "Lund"),
        ("van der Meer, AJ", "AJ", "van der Meer"),
        ("Lund, JoAnn", "JoAnn", "Lund"),
        ("J. R. Lund", "J. R.", "Lund"),
        ("John M. Lund", "John M.", "Lund"),
        ("Ana E. Lund", "Ana E.", "Lund"),
        ("Lund, Ana Y.", "Ana Y.", "Lund"),
        ("Ana Ma", "Ana", "Ma"),
        ("Ja-Young Kim", "Ja-Young", "Kim"),
        ("Jean DUPONT", "Jean", "DUPONT"),
        ("Jean-Luc DE LA TOUR", "Jean-Luc", "DE LA TOUR"),
        ("JEAN DUPONT", "JEAN", "DUPONT"),
        ("AJ Lund", "AJ", "Lund"),
        ("J.R.R. Lund", "J.R.R.", "Lund"),
        ("Иван Иванович Зимин", "Иван Иванович", "Зимин"),
        ("Иван Иванович Стасевич", "Иван Иванович", "Стасевич"),
        ("أحمد محمد", "أحمد", "محمد"),
        ("أحمد عبد الرحمن", "أحمد", "عبد الرحمن"),
        ("محمد بن سلمان", "محمد", "بن سلمان"),
        ("van der Meer, Lotte", "Lotte", "van der Meer"),
        ("Ana\nRuiz", "Ana", "Ruiz"),
        ("Иван Зимин", "Иван", "Зимин"),
        ("สมชาย ใจดี", "สมชาย", "ใจดี"),
        ("राम शर्मा", "राम", "शर्मा"),
        ("山田 花子", "花子", "山田"),
        ("山田\u3000花子", "花子", "山田"),
        ("김 민수", "민수", "김"),
    ],
)
def test_a_name_splits(name: str, first: str, last: str) -> None:
    assert split_name(name) == (first, last)


@pytest.mark.parametrize(
    "name",
    [
        "Cher",
        "山田花子",
        "김민수",
        "ジョン スミス",
        "Dr. Ana López",
        "Ana López, PhD",
        "Ana López Jr.",
        "Ana Lund, CPA",
        "Ana Lund CPA",
        "Ana Lund, J.D.",
        "Ana Lund, MA",
        "Lund, MSc",
        "Ana Lund B.Sc.",
        "Prof.Dr. Ana Lund",
        "Dipl.-Ing. Ana Lund",
        "Rev. Ana Lund",
        "Mtra. Ana López",
        "Dhr. de Vries",
        "Ana Lund née Berg",
        "Lund Tools, Inc.",
        "Lund GmbH",
        "Ana and Bo Lund",
        "Ana & Bo",
        "M. Lund",
        "Lund, M. Jean",
        "Ana e Bo",
        "ANA E BO",
        "José Ortega y Gasset",
        "Ana Ruiz\nBo Lund",
        "Ruiz, Ana\nBo Lund",
        "Ana\nBo Lund",
        "de la Cruz",
        "Nguyễn Văn An",
        "Nguyen Van An",
        "DUPONT Jean",
        "DUPONT-MARTIN Jean Luc",
        "Зимин Иван Иванович",
        "Зимина Анна Ивановна",
        "Анна Ивановна",
        "ЗИМИН Иван Ильич",
        "Зимин Иван Ильич",
        "عبد الله محمد",
        "Lund, Ana, Bo",
        "Lund,",
        ", Ana",
        "R2 D2",
        "ana@example.com Lund",
        "Lund (Ana)",
        "JENNIFER NULL",
        "NULL, JENNIFER",
        "null lund",
        "NULL",
        "",
    ],
)
def test_what_does_not_split_for_certain_stays_whole(name: str) -> None:
    assert split_name(name) == (None, name)


def test_null_is_a_name_in_mixed_case_only() -> None:
    assert split_name("Jennifer Null") == ("Jennifer", "Null")
    assert split_name("NULL NULL") == split_name(" null  null ") == (None, None)


def test_a_column_keeps_its_order_and_its_blanks() -> None:
    names = pl.Series("mktoName", ["Ana López", None, "Cher", "Ana López"])
    assert split_names(names).to_dict(as_series=False) == {
        "firstName": ["Ana", None, None, "Ana"],
        "lastName": ["López", None, "Cher", "López"],
    }
    assert split_names(pl.Series([], dtype=pl.String)).schema == {
        "firstName": pl.String,
        "lastName": pl.String,
    }


def test_no_letter_is_lost() -> None:
    for name in ("Ana López", "Juan de la Cruz", "Lotte van der Meer", "Cher", "Ana & Bo"):
        assert " ".join(filter(None, split_name(name))) == name


def sent(run: Run) -> str:
    (chunk,) = run.path.glob("chunks/*.csv")
    return chunk.read_text("utf-8")


MARKED = {
    "zero width": ("Ana\u200b Ruiz", "Ana,Ruiz"),
    "soft hyphen": ("Ana Ru\u00adiz", "Ana,Ruiz"),
    "direction": ("\u200fAna Ruiz\u200e", "Ana,Ruiz"),
    "as text": ('"=""Ana Ruiz"""', "Ana,Ruiz"),
    "wide": ("Ana\u00a0Ruiz", "Ana,Ruiz"),
    "nothing": ("NULL", ","),
    "one word": ("Ana\u200b", ",Ana"),
    "divided": ("Ana Ruiz\x1eBo Lund", ',"Ana Ruiz\nBo Lund"'),
}


def test_marks_that_nobody_sees_keep_no_name_from_being_split(tmp_path: Path) -> None:
    source = tmp_path / "names.csv"
    rows = (f"{index}@example.com,{name}\n" for index, (name, _) in enumerate(MARKED.values()))
    source.write_text("email,Full Name\n" + "".join(rows), encoding="utf-8")
    run = clean(source, tmp_path / "run", split_name=True)
    assert sent(run) == "email,firstName,lastName\n" + "".join(
        f"{index}@example.com,{parts}\n" for index, (_, parts) in enumerate(MARKED.values())
    )
    assert run.report["changes"] == [
        {"field": "lastName", "rule": "null", "cells": 1},
        {"field": "mktoName", "rule": "as_text", "cells": 1},
        {"field": "mktoName", "rule": "control", "cells": 5},
        {"field": "mktoName", "rule": "spaces", "cells": 1},
    ]


SPOILED = """email,Full Name
a@example.com,NicolÃ\u00a0 Rossi
b@example.com,JosÃ© LÃ³pez
c@example.com,Ana JordÃ\u00a0
"""


def test_spoiled_names_are_repaired_before_they_are_split(tmp_path: Path) -> None:
    source = tmp_path / "names.csv"
    source.write_text(SPOILED, encoding="utf-8")
    prepared = prepare(source, split_name=True, repair_mojibake=True)
    assert prepared.ready.select("firstName", "lastName").rows() == [
        ("Nicolà", "Rossi"),
        ("José", "López"),
        ("Ana", "Jordà"),
    ]


def test_spoiled_names_that_nobody_repairs_stay_whole_and_are_noted(tmp_path: Path) -> None:
    source = tmp_path / "names.csv"
    source.write_text(SPOILED, encoding="utf-8")
    run = clean(source, tmp_path / "run", split_name=True)
    assert sent(run).splitlines()[1:] == [
        "a@example.com,,NicolÃ  Rossi",
        "b@example.com,,JosÃ© LÃ³pez",
        "c@example.com,,Ana JordÃ",
    ]
    path = str(source)
    assert run.report["notes"] == [
        {
            "code": "mojibake",
            "field": "lastName",
            "cells": 3,
            "rows": [{"source": path, "row": row, "line": row + 1} for row in (1, 2, 3)],
        }
    ]


def test_a_retry_splits_names_as_the_run_did(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.csv", tmp_path / "parts.csv"
    whole.write_text("email,Full Name\nana@example,NicolÃ\u00a0 Rossi\n", encoding="utf-8")
    parts.write_text("email,First Name,Last Name\nbo@example,Bo,Lund\n", encoding="utf-8")
    run = clean([whole, parts], tmp_path / "run", split_name=True, repair_mojibake=True)
    table = run.path / "rejected.csv"
    table.write_text(table.read_text("utf-8-sig").replace("@example,", "@example.com,"), encoding="utf-8")
    again = retry(run)
    assert sent(again).splitlines() == [
        "email,firstName,lastName",
        "ana@example.com,Nicolà,Rossi",
        "bo@example.com,Bo,Lund",
    ]
