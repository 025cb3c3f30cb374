"""The same rows through Spark and through one machine: by Sail, or by PySpark in local mode with a Java."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pyspark.sql import DataFrame, SparkSession

import prep
from benchmarks.data import HEADER, lead_lines
from prep.integrations.spark import clean_spark
from prep.sandbox import Sandbox

pytestmark = pytest.mark.filterwarnings("default")  # Spark and its dependencies warn of each other


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    if find_spec("pysail"):
        from pysail.spark import SparkConnectServer

        server = SparkConnectServer(ip="127.0.0.1", port=0)
        server.start(background=True)
        _, port = server.listening_address
        session = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()
        yield session
        session.stop()
        server.stop()
    else:
        session = (
            SparkSession.builder.master("local[2]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "4")
            .getOrCreate()
        )
        yield session
        session.stop()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def as_spark(spark: SparkSession, cells: pl.DataFrame, *, partitions: int = 3) -> DataFrame:
    """Cells in an order of no use, over several partitions."""
    path = Path("cells.parquet").absolute()
    cells.sample(fraction=1.0, shuffle=True, seed=7).write_parquet(path)
    return spark.read.parquet(str(path)).repartition(partitions)


def without_chunks(run: prep.Run) -> pl.DataFrame:
    return run.rows.drop("chunk").sort("source", "row")


def sent(run: prep.Run) -> list[str]:
    """The lines of all upload files, each with its header."""
    found = []
    for chunk in run.folder.manifest().results.chunks:
        header, *lines = run.folder.read_chunk(chunk).decode().splitlines()
        assert len(lines) == chunk.rows
        found += [f"{header}\n{line}" for line in lines]
    return sorted(found)


def table(path: Path) -> list[tuple[Any, ...]]:
    """A table for people, order aside."""
    return sorted(pl.read_csv(path, has_header=False, infer_schema=False).fill_null("").rows())


def leads(path: str, rows: int, seed: int) -> str:
    lines = pl.concat(lead_lines(rows, seed))
    Path(path).write_text(HEADER + "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"keep": "merge"},
        {"keep": "first", "blanks": "omit", "max_bytes": 20_000},
    ],
    ids=["last", "merge", "omit"],
)
def test_same_rows_same_fates(spark: SparkSession, options: dict[str, Any]) -> None:
    paths = [leads("a.csv", 600, 1), leads("b.csv", 600, 1), leads("c.csv", 300, 2)]
    local = prep.clean(paths, "local.prep", **options)
    cells = pl.concat(prep.read(path) for path in paths)

    run = clean_spark(as_spark(spark, cells), "spark.prep", partitions=4, **options)

    assert run.counts == local.counts
    assert run.counts["read"] == 1500
    assert without_chunks(run).equals(without_chunks(local))
    assert sent(run) == sent(local)
    for name in ("rejected.csv", "duplicates.csv", "merged.csv"):
        assert (run.path / name).exists() == (local.path / name).exists()
        if (local.path / name).exists():
            assert table(run.path / name) == table(local.path / name)
    ours, theirs = run.report, local.report
    for key in ("counts", "balanced", "changes", "notes", "blank_cells", "duplicates"):
        assert ours.get(key) == theirs.get(key), key


def test_the_page(spark: SparkSession) -> None:
    page = (Path(__file__).parents[2] / "docs/spark.md").read_text(encoding="utf-8")
    examples = "".join(re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    PEOPLE.with_columns(company=pl.lit("Winter Clocks")).write_parquet("people.parquet")
    remote = "SparkSession.builder.getOrCreate()"
    assert remote in examples
    known: dict[str, Any] = {"here": spark}
    for name in ("people.parquet", "numbered.parquet"):  # Java has a working folder of its own
        examples = examples.replace(name, str(Path(name).absolute()))
    exec(examples.replace(remote, "here"), known)  # noqa: S102
    assert known["run"].counts["ready"] == 3
    written = clean_spark(
        spark.read.parquet(str(Path("numbered.parquet").absolute())), "numbered.prep", row="id"
    )
    assert written.counts["ready"] == 3


PEOPLE = pl.DataFrame(
    {
        "email": ["ada@example.com", "no address", "ADA@example.com", "ben@example.org", "'cy@example.net"],
        "firstName": ["Ada", "Nemo", "Ada", "'t Hooft", "=1+1"],
        "numberOfEmployees": [1, 2, 3, None, 5],
        "id": [1, 2, 3, 4, 5],
    }
)


def test_sent_and_told_and_tried_again(spark: SparkSession) -> None:
    run = clean_spark(as_spark(spark, PEOPLE), "spark.prep", row="id", name="people", partitions=3)
    assert run.rows.sort("row").select("source", "row", "fate", "kept_row").rows() == [
        ("people", 1, "duplicate", 3),
        ("people", 2, "rejected", None),
        ("people", 3, "ready", None),
        ("people", 4, "ready", None),
        ("people", 5, "ready", None),
    ]
    assert [line.split("\n")[1] for line in sent(run)] == [
        "'cy@example.net,=1+1,5",
        "ADA@example.com,Ada,3",
        "ben@example.org,'t Hooft,",
    ]
    assert len(run.folder.manifest().results.chunks) == 1
    rejected = pl.read_csv(run.folder.rejected, infer_schema=False)
    assert rejected.rows() == [("no address", "Nemo", "2", "people", "2", None, "email:invalid_email", None)]

    with Sandbox(job_seconds=0) as sandbox, prep.Marketo(sandbox.url, "id", "secret") as client:
        outcome = prep.submit(run.path, client)
        assert outcome.report["state"] == "reconciled"
        assert (outcome.counts["imported"], outcome.counts["warned"]) == (2, 1)
        (warned,) = pl.read_csv(run.folder.warnings, infer_schema=False).select(pl.nth(range(5))).rows()
        assert warned == ("''cy@example.net", "'=1+1", "5", "people", "5")
        corrected = run.folder.rejected.read_text(encoding="utf-8").replace("no address", "dan@example.com")
        run.folder.rejected.write_text(corrected, encoding="utf-8")
        again = prep.submit(prep.retry(run, "again.prep"), client)
    assert again.rows.select("source", "row", "fate").rows() == [("people", 2, "imported")]


def test_columns_prove_the_order_of_their_dates_as_a_whole(spark: SparkSession) -> None:
    dates = [f"0{month}/05/2026" for month in range(1, 10)] + ["13/05/2026"]
    people = pl.DataFrame(
        {
            "email": [f"p{number}@example.com" for number in range(10)],
            "dateOfBirth": dates,
            "_row": range(1, 11),
        }
    )
    run = clean_spark(as_spark(spark, people), "spark.prep", partitions=4)
    assert run.counts["ready"] == 10
    assert "p0@example.com,2026-05-01" in "\n".join(sent(run))

    with pytest.raises(prep.SourceError, match=r"column 'dateOfBirth' .* may begin with the day") as caught:
        clean_spark(as_spark(spark, people.head(9)), "other.prep", partitions=4)
    assert caught.value.code == "ambiguous_dates"
    assert not Path("other.prep").exists()


@pytest.mark.parametrize(
    ("change", "arguments", "code"),
    [
        ({}, {"row": "number"}, "no_identity"),
        ({"id": [1, 2, 3, 4, None]}, {}, "no_identity"),
        ({"id": [1.0, 2.0, 3.0, 4.0, 5.9]}, {}, "no_identity"),
        ({"id": [1, 2, 3, 4, 4]}, {}, "repeated_row"),
        ({"surprise": ["a", "b", "c", "d", "e"]}, {}, "unknown_header"),
        ({"firstName": [["a"], ["b"], ["c"], ["d"], ["e"]]}, {}, "nested_column"),
    ],
)
def test_what_cannot_work_leaves_no_folder(
    spark: SparkSession, change: dict[str, Any], arguments: dict[str, Any], code: str
) -> None:
    people = as_spark(
        spark, PEOPLE.with_columns(**{name: pl.Series(cells) for name, cells in change.items()})
    )
    with pytest.raises(prep.InputError) as caught:
        clean_spark(people, "spark.prep", **{"row": "id", **arguments})
    assert caught.value.code == code
    assert "example" not in str(caught.value)
    assert not Path("spark.prep").exists()


def test_a_folder_with_a_run_is_left_alone(spark: SparkSession) -> None:
    people = as_spark(spark, PEOPLE)
    run = clean_spark(people, "spark.prep", row="id", partitions=2)
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    with pytest.raises(prep.FolderError, match="holds a run already"):
        clean_spark(people, "spark.prep", row="id", partitions=2)
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


def test_a_frame_without_rows(spark: SparkSession) -> None:
    with pytest.raises(prep.SourceError, match="there are no data rows"):
        clean_spark(as_spark(spark, PEOPLE).filter("id > 9"), "spark.prep", row="id")


def test_numbers_are_numbers_whatever_the_settings_say(spark: SparkSession) -> None:
    cells = pl.DataFrame(
        {
            "email": [f"{row}@example.com" for row in range(1, 9)],
            "annualRevenue": [1.234, 12.5, 100.125, 2000.0, None, 0.25, 7.0, -9.875],
            "_source": ["a.csv", "b.csv"] * 4,
            "_row": [*range(1, 9)],
        }
    )
    run = clean_spark(as_spark(spark, cells), "out.prep", decimal="comma")
    assert sorted(sent(run)) == sorted(
        f"email,annualRevenue\n{row}@example.com,{text}"
        for row, text in enumerate(["1.234", "12.5", "100.125", "2000", "", "0.25", "7", "-9.875"], 1)
    )
    found = {(known["source"], known["value"]) for known in run.report["conventions"]}
    assert found == {("a.csv", "point"), ("b.csv", "point")}


def test_moments_are_read_as_on_one_machine(spark: SparkSession) -> None:
    moments = [datetime(2026, 3, 29, 1, 30, second, tzinfo=UTC) for second in range(20)]
    cells = pl.DataFrame(
        {
            "email": [f"p{number % 15}@example.com" for number in range(20)],
            "mktoAcquisitionDate": moments,
            "_row": range(1, 21),
        }
    )
    local = prep.clean(cells.drop("_row"), "local.prep", keep="newest:mktoAcquisitionDate")

    run = clean_spark(as_spark(spark, cells), "spark.prep", name="frame 1", keep="newest:mktoAcquisitionDate")

    assert run.counts == local.counts
    assert run.counts["duplicate"] == 5
    assert without_chunks(run).equals(without_chunks(local))
    assert sent(run) == sent(local)
    nested = cells.with_columns(pl.concat_list("mktoAcquisitionDate"))
    with pytest.raises(prep.SourceError) as caught:
        clean_spark(as_spark(spark, nested), "nested.prep")
    assert (caught.value.code, caught.value.column) == ("nested_column", "mktoAcquisitionDate")
