"""Columns that are given to other fields on the page, or by `prep retry --map`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import prep
from prep.cli.main import run as run_command
from prep.corrections import read_maps
from prep.errors import HeaderError, PrepError, SettingsError, SourceError
from prep.pipeline import Run, retry, submit
from prep.review import Desk
from prep.review.answers import describe, describe_mapping
from tests.cli.conftest import Ended, Prep

LEADS = """Email,First Name,Employees,Q7
ana@example.com,Ana,medium,12
ben@example.org,Ben,30,31
cyd@example.net,Cyd,large,250
dan,Dan,small,7
"""
"""Employees are in the column that no field has the name of; one row can be sent as it is."""

SWAPPED = {"Employees": "", "Q7": "numberOfEmployees"}
NO_INTEGER, INVALID = "numberOfEmployees:not_integer", "email:invalid_email"


@pytest.fixture
def swapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    Path("leads.csv").write_text(LEADS, encoding="utf-8")
    return prep.clean("leads.csv", unknown="drop")


@pytest.fixture(name="command")
def _command(capsys: pytest.CaptureFixture[str]) -> Prep:
    """Run a command line in this process."""

    def call(*arguments: object) -> Ended:
        code = run_command([str(argument) for argument in arguments])
        return Ended(code, *capsys.readouterr())

    return call


@pytest.fixture
def desk(swapped: Run) -> Iterator[Desk]:
    desk = Desk.open(swapped.path)
    yield desk
    desk.close()


def reasons(desk: Desk) -> list[str]:
    return desk.rows["_reasons"].to_list()


def test_rows_are_judged_anew_under_another_mapping(desk: Desk, swapped: Run) -> None:
    assert reasons(desk) == [NO_INTEGER, NO_INTEGER, f"{INVALID}; {NO_INTEGER}"]
    desk.edit(2, 0, "dan@example.com")
    desk.remap(SWAPPED)
    assert reasons(desk) == ["", "", ""]
    assert desk.place_of("rejected.csv", "leads.csv", "numberOfEmployees") == 3
    desk.edit(0, 3, "twelve")
    assert reasons(desk)[0] == NO_INTEGER
    desk.undo()
    desk.undo()
    assert (desk.maps, reasons(desk)) == ({}, [NO_INTEGER] * 3)
    assert desk.place_of("rejected.csv", "leads.csv", "numberOfEmployees") == 2
    desk.undo()
    assert reasons(desk)[2] == f"{INVALID}; {NO_INTEGER}"
    for _ in range(3):
        desk.redo()
    assert (desk.maps, reasons(desk)) == (SWAPPED, [NO_INTEGER, "", ""])


def test_a_mapping_outlives_the_page_and_can_be_given_up(desk: Desk, swapped: Run) -> None:
    desk.remap(SWAPPED)
    again = Desk.open(swapped.path)
    assert (again.maps, reasons(again)) == (SWAPPED, ["", "", INVALID])
    again.remap({})
    assert (again.maps, read_maps(swapped.folder.review)) == ({}, {})
    assert reasons(again) == [NO_INTEGER, NO_INTEGER, f"{INVALID}; {NO_INTEGER}"]
    assert again.steps().undo == "columns mapped otherwise"
    again.undo()
    assert read_maps(swapped.folder.review) == SWAPPED
    again.close()


@pytest.mark.parametrize(
    "maps",
    [
        {"Q7": "numberOfEmployees"},  # so does another column
        {"Email": ""},  # nothing tells whose row it is
        {"First Name": "email"},
        {"Q7": "nonsense"},
        {"Q8": "title"},
        {"Q7": "createdAt"},  # imports cannot write it
    ],
)
def test_what_does_not_fit_is_refused_in_the_words_of_the_command_line(
    desk: Desk, swapped: Run, command: Prep, maps: dict[str, str]
) -> None:
    flags = [word for header, field in maps.items() for word in ("--map", f"{header}={field}")]
    said = command("clean", "leads.csv", "--unknown", "drop", "-o", "other.prep", *flags).error[1]
    before = reasons(desk)
    with pytest.raises(PrepError) as raised:
        desk.remap(maps)
    told = f"Error: {raised.value.message}\nHint: {raised.value.hint}\n"
    assert told == said
    assert (desk.maps, reasons(desk), desk.steps().undo) == ({}, before, None)
    assert command("retry", "leads.prep", *flags).error == (1, said)
    assert not Path("leads-retry1.prep").exists()


def test_the_new_run_has_the_mapping_and_all_rejected_rows(desk: Desk, swapped: Run) -> None:
    desk.remap(SWAPPED)
    desk.leave_out([1], is_left_out=True)
    again = retry(swapped)
    assert again.rows.select("row", "fate").rows() == [(1, "ready"), (4, "rejected")]
    chunk = (again.path / "chunks/leads-0001.csv").read_text(encoding="utf-8")
    assert chunk == "email,firstName,numberOfEmployees\nana@example.com,Ana,12\n"
    manifest = again.folder.manifest()
    assert manifest.settings["map"] == SWAPPED
    assert [(column["source"], column["field"], column["how"]) for column in manifest.mapping[:4]] == [
        ("Email", "email", "exact"),
        ("First Name", "firstName", "exact"),
        ("Employees", None, "dropped"),
        ("Q7", "numberOfEmployees", "map"),
    ]
    assert swapped.folder.manifest().settings["map"] == {}
    third = retry(again, everything=True)
    assert third.folder.manifest().settings["map"] == SWAPPED
    assert third.rows["reasons"].to_list() == [[INVALID]]


def test_retry_takes_a_mapping_which_goes_before_that_of_the_page(swapped: Run, command: Prep) -> None:
    assert command("retry", "leads.prep").code == 1  # nothing was corrected
    Path("prep.toml").write_text('[map]\n"First Name" = "lastName"\n', encoding="utf-8")
    flags = ("--map", "Employees=", "--map", "Q7=numberOfEmployees")
    made = command("retry", "leads.prep", *flags, "--json").json
    assert (made["counts"]["read"], made["counts"]["ready"]) == (3, 2)
    assert made["settings"]["map"] == SWAPPED
    desk = Desk.open(swapped.path)
    desk.remap({"Employees": "", "Q7": "postalCode"})
    desk.close()
    assert command("retry", "leads.prep", "--json").json["settings"]["map"]["Q7"] == "postalCode"
    made = command("retry", "leads.prep", "--map", "Q7=numberOfEmployees", "--json").json
    assert made["settings"]["map"] == SWAPPED


def test_what_a_column_proved_holds_as_long_as_it_is_the_same_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d.csv").write_text(
        "email,Date of Birth,Q7\n"
        "ana@example.com,25/04/1990,04/25/1990\n"
        "ben,03/04/1990,04/03/1990\n"
        "cyd,01/02/1990,02/01/1990\n",
        encoding="utf-8",
    )
    run = prep.clean("d.csv", unknown="drop")
    assert [known.value for known in run.folder.manifest().conventions] == ["dmy"]
    with pytest.raises(SourceError, match=r"column 'Q7' \(dateOfBirth\): 2 dates"):
        retry(run, maps={"Date of Birth": "", "Q7": "dateOfBirth"})  # two rows prove nothing: it asks
    assert not Path("d-retry1.prep").exists()


def test_two_sources_of_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("Email,Q7\nno-address,Ana\n", encoding="utf-8")
    Path("b.csv").write_text("E-Mail,Q8\nben at example.org,Ben\n", encoding="utf-8")
    run = prep.clean(["a.csv", "b.csv"], unknown="drop")
    desk = Desk.open(run.path)
    desk.remap({"Q7": "firstName", "Q8": "firstName"})
    assert [desk.place_of("rejected.csv", source, "firstName") for source in ("a.csv", "b.csv")] == [1, 3]
    with pytest.raises(HeaderError, match=r"b\.csv: 'Q8' maps to 'email', and so does 'E-Mail'"):
        desk.remap({"Q8": "email"})  # no row fills both, and it is refused all the same
    desk.close()


def test_failed_rows_keep_marketos_words_and_have_ours_besides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("leads.csv").write_text(
        "email,firstName,Q7\nshared.mailbox@example.com,Dora,many\nana@example.com,Ana,3\n", encoding="utf-8"
    )
    with prep.Sandbox(job_seconds=0) as sandbox, prep.Marketo(sandbox.url, "id", "secret") as client:
        run = submit(prep.clean("leads.csv", unknown="drop"), client, poll_seconds=(0.05, 1))
    desk = Desk.open(run.path)
    assert reasons(desk) == [":marketo.several_leads"]
    assert desk.elsewhere == 1
    desk.remap({"Q7": "title"})
    assert reasons(desk) == [":marketo.several_leads"]
    desk.remap({"Q7": "numberOfEmployees"})
    assert reasons(desk) == [NO_INTEGER]
    assert retry(run).rows["reasons"].to_list() == [[NO_INTEGER]]
    desk.close()


def test_what_the_page_is_told(desk: Desk) -> None:
    desk.remap(SWAPPED)
    told = describe_mapping(desk)
    assert told["columns"] == [
        {
            "source": source,
            "field": field,
            "why": why,
            "isFixed": False,
            "isChanged": source in SWAPPED,
            "likely": likely,
        }
        for source, field, why, likely in (
            ("Email", "email", "has the field's own name", told["columns"][0]["likely"]),
            ("First Name", "firstName", "has the field's own name", told["columns"][1]["likely"]),
            ("Employees", None, "left out on purpose", ["numberOfEmployees", "company"]),
            ("Q7", "numberOfEmployees", "chosen with --map", []),
        )
    ]
    assert told["columns"][0]["likely"][0] == "email"
    names = [field["name"] for field in told["fields"]]
    assert {"email", "numberOfEmployees"} <= set(names)
    assert "createdAt" not in names
    assert (told["elsewhere"], told["sources"]) == (1, ["leads.csv"])
    assert describe(desk)["maps"] == [("Employees", ""), ("Q7", "numberOfEmployees")]


DATED = """Email,Date of Birth,Q7
ana@example.com,13/04/1990,1
ben,03/04/1991,03/04/2025
cyd,05/06/1992,05/06/2025
"""
"""One column proves that the day is first; the other one proves nothing, and no field has its name."""


@pytest.fixture
def dated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    Path("leads.csv").write_text(DATED, encoding="utf-8")
    Path("mine.toml").write_text('extends = "lead"\n[fields.visit_c]\ntype = "date"\n', encoding="utf-8")
    run = prep.clean("leads.csv", schema="mine.toml", unknown="drop")
    desk = Desk.open(run.path)
    for row, address in enumerate(("ben@example.org", "cyd@example.net")):
        desk.edit(row, 0, address)
    desk.remap({"Q7": "visit_c"})
    assert reasons(desk) == ["visit_c:not_date"] * 2
    desk.close()
    return run


def test_retry_is_told_the_order_of_dates_that_a_column_does_not_prove(dated: Run, command: Prep) -> None:
    assert command("retry", "leads.prep").error == (
        1,
        "Error: leads.csv: column 'Q7' (visit_c): 2 dates (rows 2, 3) may begin with the day or with the "
        "month\n"
        "Hint: Say which with --dates dmy or --dates mdy, or write them as 2026-04-13.\n",
    )
    assert not Path("leads-retry1.prep").exists()
    Path("prep.toml").write_text('dates = "dmy"\n', encoding="utf-8")
    assert command("retry", "leads.prep").code == 1  # what holds for new runs says nothing of this one
    made = command("retry", "leads.prep", "--dates", "mdy", "--json").json
    assert (made["counts"]["ready"], made["settings"]["dates"]) == (2, "mdy")
    chunk = Path("leads-retry1.prep/chunks/leads-0001.csv").read_text(encoding="utf-8")
    assert chunk == (
        "email,dateOfBirth,visit_c\n"
        "ben@example.org,1991-04-03,2025-03-04\n"  # what was proven stays
        "cyd@example.net,1992-06-05,2025-05-06\n"
    )


def test_what_no_retry_can_be_told(dated: Run) -> None:
    with pytest.raises(SettingsError, match="dates does not know 'ymd'"):
        retry(dated, dates="ymd")
    with pytest.raises(SettingsError, match="--timezone does not know 'Nowhere'"):
        retry(dated, timezone="Nowhere")
    assert sorted(path.name for path in Path().glob("*.prep")) == ["leads.prep"]


def test_a_time_zone_and_a_decimal_mark_that_were_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text('extends = "lead"\n[fields.at_c]\ntype = "datetime"\n', encoding="utf-8")
    Path("leads.csv").write_text(
        'email,at_c,Annual Revenue\nana@example.com,2026-04-13 10:00,"1,5"\n', encoding="utf-8"
    )
    run = prep.clean("leads.csv", schema="mine.toml", decimal="point")
    assert run.rows["reasons"].to_list() == [["at_c:no_timezone", "annualRevenue:not_number"]]
    again = retry(run, timezone="Europe/Madrid", decimal="comma")
    chunk = (again.path / "chunks/leads-0001.csv").read_text(encoding="utf-8")
    assert chunk == "email,at_c,annualRevenue\nana@example.com,2026-04-13T10:00:00+02:00,1.5\n"
