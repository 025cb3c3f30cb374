"""The run folder that cleaning makes, byte for byte, and when it is made anew."""

import gzip
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from prep import cleaning
from prep.config import CleanOptions, Destination
from prep.errors import FolderError, HeaderError, SourceError
from prep.model import Advance
from prep.pipeline import Run, check, clean, prepare, resume_cleaning
from prep.plan import make_plan
from prep.sources.files import digest

LEADS = (
    "Correo electrónico;Nombre;Empleados;Notas\r\n"
    "ana@example.com;=Ana;5;\r\n"
    "nadie;'Bo';muchos;+34 910 000 012\r\n"
    ";Cy;;\r\n"
    "Ana@Example.com;Ana;6;-5\r\n"
    "corta;fila\r\n"
    '"dora@example.com";"D;o""ra";7;"dos\nlíneas"\r\n'
)
MAPS = {"Nombre": "firstName", "Notas": "mktoPersonNotes"}
OPTIONS: CleanOptions = {"maps": MAPS}


@pytest.fixture
def leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("leads.csv")
    path.write_bytes(LEADS.encode())
    return path


@pytest.fixture
def run(leads: Path) -> Run:
    return clean(leads, **OPTIONS)


def read_bytes(run: Run, name: str) -> str:
    return (run.path / name).read_bytes().decode("utf-8")


def test_the_chunk(run: Run) -> None:
    assert read_bytes(run, "chunks/leads-0001.csv") == (
        "email,firstName,numberOfEmployees,mktoPersonNotes\n"
        "Ana@Example.com,Ana,6,-5\n"
        'dora@example.com,"D;o""ra",7,"dos\nlíneas"\n'
    )


def test_the_rejected_rows(run: Run) -> None:
    assert read_bytes(run, "rejected.csv") == (
        "\ufeffCorreo electrónico;Nombre;Empleados;Notas;_source;_row;_line;_reasons;_raw\n"
        "nadie;''Bo';muchos;+34 910 000 012;leads.csv;2;3;"
        '"email:invalid_email; numberOfEmployees:not_integer";\n'
        ";Cy;;;leads.csv;3;4;email:missing_lookup;\n"
        ';;;;leads.csv;5;6;unreadable_row;"corta;fila"\n'
    )


def test_a_check_writes_the_same_rejected_rows_but_no_workbook(run: Run, leads: Path, tmp_path: Path) -> None:
    checked = check(leads, tmp_path / "scratch", **OPTIONS)
    assert read_bytes(checked, "rejected.csv") == read_bytes(run, "rejected.csv")
    assert run.folder.rejected_workbook.exists()
    assert not checked.folder.rejected_workbook.exists()
    assert not checked.folder.has_report


def test_the_duplicates(run: Run) -> None:
    assert read_bytes(run, "duplicates.csv") == (
        "\ufeffemail;firstName;numberOfEmployees;mktoPersonNotes;"
        "_source;_row;_line;_kept_source;_kept_row;_kept_fate\n"
        "ana@example.com;'=Ana;5;;leads.csv;1;2;leads.csv;4;ready\n"
    )


def test_the_fates(run: Run) -> None:
    columns = ["row", "line", "fate", "reasons", "key", "kept_source", "kept_row", "chunk"]
    chunk = "chunks/leads-0001.csv"
    assert run.rows.select(columns).rows() == [
        (1, 2, "duplicate", None, "ana@example.com", "leads.csv", 4, None),
        (2, 3, "rejected", ["email:invalid_email", "numberOfEmployees:not_integer"], None, None, None, None),
        (3, 4, "rejected", ["email:missing_lookup"], None, None, None, None),
        (4, 5, "ready", None, "ana@example.com", None, None, chunk),
        (5, 6, "rejected", ["unreadable_row"], None, None, None, None),
        (6, 7, "ready", None, "dora@example.com", None, None, chunk),
    ]
    assert run.rows["source"].to_list() == ["leads.csv"] * 6


def test_the_report(run: Run) -> None:
    report = json.loads(read_bytes(run, "report.json"))
    assert report == json.loads(json.dumps(run.report))
    assert {name: number for name, number in report["counts"].items() if number} == {
        "read": 6,
        "rejected": 3,
        "duplicate": 1,
        "ready": 2,
    }
    assert report["reasons"] == [
        {"code": "unreadable_row", "field": None, "rows": 1, "shapes": ["aaaaa;aaaa"]},
        {"code": "invalid_email", "field": "email", "rows": 1, "shapes": ["aaaaa"]},
        {"code": "missing_lookup", "field": "email", "rows": 1, "shapes": []},
        {"code": "not_integer", "field": "numberOfEmployees", "rows": 1, "shapes": ["aaaaaa"]},
    ]
    assert (report["goal"], report["state"], report["target"], report["balanced"]) == (
        "clean",
        "clean",
        None,
        True,
    )
    assert (report["sources"][0]["rows"], report["sources"][0]["skipped"]) == (
        6,
        [{"kind": "header", "line": 1}],
    )
    assert report["exit_code"] == 3


def test_tables_have_their_header_even_when_empty(leads: Path) -> None:
    leads.write_text("email\na@example.com\n")
    run = clean(leads, keep="merge")
    assert read_bytes(run, "rejected.csv") == "\ufeffemail,_source,_row,_line,_reasons,_raw\n"
    assert read_bytes(run, "duplicates.csv") == (
        "\ufeffemail,_source,_row,_line,_kept_source,_kept_row,_kept_fate\n"
    )
    assert read_bytes(run, "merged.csv") == "\ufefffield,value,_source,_row,_kept_source,_kept_row\n"
    assert run.report["exit_code"] == 0


def test_all_rows_rejected_is_a_complete_run(leads: Path) -> None:
    leads.write_text("email\nnobody\nno one\n")
    run = clean(leads)
    assert {name: number for name, number in run.counts.items() if number} == {"read": 2, "rejected": 2}
    assert sorted(path.name for path in run.path.iterdir()) == [
        *(
            ".lock",
            "chunks",
            "duplicates.csv",
            "manifest.json",
            "rejected.csv",
            "rejected.xlsx",
            "report.html",
            "report.json",
        ),
        "rows.parquet",
    ]
    assert run.report["chunks"] == []
    assert run.report["exit_code"] == 3


@pytest.mark.parametrize("format_name", ["csv", "tsv", "ssv"])
def test_the_same_run_again_changes_nothing(leads: Path, format_name: str) -> None:
    first = clean(leads, format=format_name, maps=MAPS)
    before = {path: path.read_bytes() for path in first.path.rglob("*") if path.is_file()}
    second = clean(leads, format=format_name, maps=MAPS)
    assert {path: path.read_bytes() for path in second.path.rglob("*") if path.is_file()} == before
    assert f"chunks/leads-0001.{format_name}" == second.report["chunks"][0]["file"]


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({"format": "tsv"}, "with --format csv, now tsv"),
        ({"keep": "first"}, "with --keep last, now first"),
        ({"max_bytes": 5000}, "with --max-bytes 10000000, now 5000"),
        ({"dates": "dmy", "unknown": "drop"}, "with --unknown error, now drop; with --dates iso, now dmy"),
        ({"constants": {"country": "Spain"}}, 'without --set, now "country=Spain"'),
        ({"timezone": "UTC"}, "without --timezone, now UTC"),
    ],
)
def test_other_settings_are_refused(run: Run, leads: Path, options: CleanOptions, difference: str) -> None:
    before = run.folder.manifest_file.read_bytes()
    changed: CleanOptions = {"maps": MAPS, **options}
    with pytest.raises(FolderError) as caught:
        clean(leads, **changed)
    assert (caught.value.code, caught.value.message) == ("other_run", f"leads.prep: was made {difference}")
    assert run.folder.manifest_file.read_bytes() == before


def test_other_sources_and_schemas_are_refused(run: Run, leads: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_bytes(LEADS.encode())
    with pytest.raises(FolderError, match=r"was made from leads\.csv$"):
        clean([leads, other], run.path, **OPTIONS)
    mine = tmp_path / "mine.toml"
    mine.write_text('extends = "lead"\n[fields.shoeSize]\n')
    with pytest.raises(FolderError, match=r"was made with another schema \(lead\)$"):
        clean(leads, run.path, schema=mine, **OPTIONS)
    leads.write_bytes(LEADS.encode() + b"eva@example.com;;;\n")
    with pytest.raises(FolderError, match=r"was made before a source changed$"):
        clean(leads, run.path, **OPTIONS)
    with pytest.raises(FolderError, match=r"was made before a source changed$"):
        clean(leads, run.path, destination=Destination("sandbox"), **OPTIONS)


@pytest.mark.parametrize(
    ("known", "wanted", "message"),
    [
        (Destination("sandbox"), Destination("sandbox"), None),
        (Destination("sandbox", 1001, "Trade Fair"), Destination("sandbox", None, "Trade Fair"), None),
        (None, Destination("sandbox", 7), None),
        (Destination("sandbox", 7), None, None),
        (
            Destination("a.mktorest.com", None, "Fair", "Europe"),
            Destination("sandbox", None, "Fair", "Europe"),
            "for another destination (a.mktorest.com, list Fair, partition Europe)",
        ),
    ],
)
def test_a_folder_belongs_to_one_destination(
    leads: Path, known: Destination | None, wanted: Destination | None, message: str | None
) -> None:
    clean(leads, destination=known, **OPTIONS)
    if message is None:
        manifest = clean(leads, destination=wanted, **OPTIONS).folder.manifest()
        assert (manifest.destination, manifest.goal) == (known or wanted, "run")
        return
    with pytest.raises(FolderError) as caught:
        clean(leads, destination=wanted, **OPTIONS)
    assert caught.value.message == f"leads.prep: was made {message}"


def test_as_long_as_nothing_was_sent_another_list_takes_the_place_of_the_first(leads: Path) -> None:
    run = clean(leads, destination=Destination("sandbox", 7, partition_name="Europe"), **OPTIONS)
    before = run.folder.manifest()

    moved = Destination("sandbox", 8, partition_name="Default")
    after = clean(leads, destination=moved, **OPTIONS).folder.manifest()

    assert after == replace(before, destination=moved)
    with pytest.raises(FolderError, match="was made for another destination"):
        clean(leads, destination=Destination("sandbox", 9), **OPTIONS)
    assert clean(leads, goal="clean", **OPTIONS).folder.manifest() == after
    held = clean(leads, destination=moved, goal="clean", **OPTIONS).folder.manifest()
    assert held == replace(after, goal="clean")


def test_a_header_problem_leaves_no_folder(leads: Path) -> None:
    with pytest.raises(HeaderError):
        clean(leads)
    assert [path.name for path in Path().iterdir()] == ["leads.csv"]


def test_a_source_that_changes_while_it_is_read_leaves_no_folder(
    leads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digest in the manifest must be that of the rows; a writer that appends meanwhile is noticed."""

    def digest_then_append(path: str) -> str:
        found = digest(path)
        with Path(path).open("ab") as file:
            file.write(b"eva@example.com;;;\r\n")
        return found

    monkeypatch.setattr("prep.sources.files.digest", digest_then_append)
    with pytest.raises(SourceError, match=r"leads\.csv: changed while it was read"):
        clean(leads, **OPTIONS)
    assert [path.name for path in Path().iterdir()] == ["leads.csv"]


@pytest.mark.parametrize("name", ["leads.csv", "leads.zip"])
def test_a_file_that_is_replaced_once_its_header_was_read_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Its columns are not those of the new file, which has the same length."""

    def put(text: str) -> None:
        if name.endswith(".zip"):
            with zipfile.ZipFile("new", "w") as archive:
                archive.writestr("leads.csv", text)
        else:
            Path("new").write_text(text)
        Path("new").replace(name)

    def replaced(*arguments: Any, **named: Any) -> Any:
        put("email,lastName,firstName\nana@example.com,Berg,Ana\n")
        return make_plan(*arguments, **named)

    monkeypatch.chdir(tmp_path)
    put("email,firstName,lastName\nana@example.com,Ana,Berg\n")
    monkeypatch.setattr("prep.pipeline.make_plan", replaced)
    with pytest.raises(SourceError, match="changed while it was read"):
        clean(name)
    assert [path.name for path in Path().iterdir()] == [name]


def test_letters_far_down_decide_the_encoding(leads: Path) -> None:
    rows = "".join(f"person{number}@example.com,Ana\n" for number in range(300_000))
    leads.write_bytes(f"email,firstName\n{rows}last@example.com,Añà\n".encode("cp1252"))
    run = clean(leads)
    assert run.report["sources"][0]["encoding"] == "cp1252"
    assert run.folder.read_chunk(run.folder.manifest().results.chunks[-1]).decode().endswith(",Añà\n")


def test_resuming_a_finished_clean_only_opens_it(run: Run, leads: Path) -> None:
    leads.unlink()
    assert resume_cleaning(run.path).rows.equals(run.rows)


@pytest.mark.parametrize("keep", ["first", "last", "most-complete", "merge", "newest:mktoAcquisitionDate"])
def test_read_prepare_and_clean_agree_on_a_sample(keep: str, tmp_path: Path) -> None:
    sample = Path(__file__).parents[2] / "sample_data" / "crm_export_duplicates.csv"
    prepared, run = prepare(sample, keep=keep), clean(sample, tmp_path / "x.prep", keep=keep)
    assert prepared.counts == run.counts
    sent = pl.read_csv(run.path / "chunks/leads-0001.csv", infer_schema=False)
    assert sent.equals(prepared.ready.select(sent.columns))
    table = pl.read_csv(run.folder.duplicates, infer_schema=False)
    lost = prepared.duplicates.select(pl.all().cast(pl.String))
    assert table.select(lost.columns).rows() == lost.rows()


def test_an_interrupted_clean_can_be_resumed_from_its_folder(
    leads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = clean(leads, "whole.prep", **OPTIONS)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for name in ("_judge", "decide", "_write_rows", "fates"):
        with monkeypatch.context() as patched:
            patched.setattr(cleaning, name, interrupt)
            with pytest.raises(KeyboardInterrupt):
                clean(leads, "again.prep", **OPTIONS)
        assert {path.name for path in Path("again.prep").iterdir()} <= {".lock", ".work", "manifest.json"}
    resumed = resume_cleaning("again.prep")
    assert resumed.rows.equals(whole.rows)
    for name in ("chunks/leads-0001.csv", "rejected.csv", "duplicates.csv"):
        assert read_bytes(resumed, name) == read_bytes(whole, name)


def _table(rows: int) -> str:
    return "email\n" + "".join(f"person{number}@example.com\n" for number in range(rows))


def _gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(_table(3).encode()))


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", _table(3))


def _workbook(path: Path) -> None:
    pl.DataFrame({"email": [f"person{number}@example.com" for number in range(3)]}).write_excel(path)


WRITERS: dict[str, tuple[Callable[[Path], object], float | None]] = {
    "l.csv": (lambda path: path.write_text(_table(3)), 1.0),
    "l.csv.gz": (_gzip, 1.0),
    "l.zip": (_zip, None),  # nobody has counted what is in it
    "l.ndjson": (lambda path: path.write_text('{"email": "ana@example.com"}\n' * 3), 1.0),
    "l.xlsx": (_workbook, 1.0),
    "l.parquet": (lambda path: pl.DataFrame({"email": ["a@example.com"] * 3}).write_parquet(path), None),
}


@pytest.mark.parametrize("name", WRITERS)
def test_progress_tells_rows_and_the_share_of_the_bytes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write, share = WRITERS[name]
    write(Path(name))
    told: list[Advance] = []
    run = clean(name, "out.prep", progress=told.append)
    ready = run.counts["ready"]
    assert told == [Advance("read"), Advance("validate", 3, share), Advance("write", ready, 1.0)]


def test_several_sources_count_by_their_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("email\n" + "a@example.com\n" * 10)
    Path("b.csv").write_text("email\n" + "b@example.com\n" * 31)
    whole = Path("a.csv").stat().st_size + Path("b.csv").stat().st_size
    told: list[Advance] = []
    clean(["a.csv", "b.csv"], progress=told.append)
    assert [(one.rows, one.share) for one in told if one.stage == "validate"] == [
        (10, Path("a.csv").stat().st_size / whole),
        (41, 1.0),
    ]
