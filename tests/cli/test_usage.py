"""Command lines that cannot be understood, and what is wrong with files, before anything is sent."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from prep.cli.ending import Situation, worked_examples
from prep.cli.main import group

from .conftest import CLEAN, LEADS, PROGRAM, Prep, names, written

USAGE = [
    ("clean", "Error: missing argument 'FILE…'\nHint: prep clean --help shows what it takes.\n"),
    ("cleam leads.csv", "Error: no such command 'cleam'\nHint: Did you mean prep clean?\n"),
    ("schema shwo lead", "Error: no such command 'shwo'\nHint: Did you mean prep schema show?\n"),
    ("frobnicate", "Error: no such command 'frobnicate'\nHint: prep --help shows what it takes.\n"),
    ("run leads.csv --listid 3", "Error: there is no option --listid\nHint: Did you mean --list-id?\n"),
    (
        "clean -leads.csv",
        "Error: there is no option -l\nHint: A file whose name begins with - is given as ./-NAME.\n",
    ),
    (
        "clean leads.csv --keep newest",
        "Error: --keep does not know 'newest'\n"
        "Hint: It takes first, last, most-complete, merge or newest:FIELD.\n",
    ),
    (
        "clean leads.csv --max-bytes 999",
        "Error: --max-bytes is 999\nHint: It takes 1000 to 10485760 (10 MiB).\n",
    ),
    (
        "clean leads.csv --memory 100MB",
        "Error: --memory is 100MB, which is too little to work with\n"
        "Hint: It takes a size such as 700MB or 2GB, and no less than 400MB.\n",
    ),
    (
        "clean leads.csv --max-bytes ten",
        "Error: invalid value for '--max-bytes': 'ten' is not a whole number\n"
        "Hint: prep clean --help shows what it takes.\n",
    ),
    (
        "clean leads.csv --header-line x",
        "Error: invalid value for '--header-line': 'x' is not a whole number\n"
        "Hint: prep clean --help shows what it takes.\n",
    ),
    (
        "clean leads.csv --keep",
        "Error: option '--keep' requires an argument\nHint: prep clean --help shows what it takes.\n",
    ),
    (
        "clean leads.csv --list Fair",
        "Error: there is no option --list\nHint: It is an option of prep run, prep submit and prep doctor.\n",
    ),
    (
        "check leads.csv -o here",
        "Error: there is no option -o\nHint: It is an option of prep run, prep clean and prep retry.\n",
    ),
    (
        "clean leads.csv -o -",
        "Error: -o takes a folder, not -\nHint: Use -o DIR; --json prints the numbers, as one object.\n",
    ),
    (
        "retry leads.prep -o -",
        "Error: -o takes a folder, not -\nHint: Use -o DIR; --json prints the numbers, as one object.\n",
    ),
    (
        "report leads.prep --batch-id 7",
        "Error: there is no option --batch-id\nHint: It is an option of prep resume.\n",
    ),
    (
        "clean leads.csv --timezone Mars/Olympus",
        "Error: --timezone does not know 'Mars/Olympus'\n"
        "Hint: It takes a name such as Europe/Madrid, America/Chicago or UTC.\n",
    ),
    (
        "clean leads.csv --format xml",
        "Error: invalid value for '--format': 'xml' is not one of 'csv', 'tsv', 'ssv'\n"
        "Hint: prep clean --help shows what it takes.\n",
    ),
    (
        "check leads.csv --set leadSource",
        "Error: --set 'leadSource' is not of the form FIELD=VALUE\n"
        'Hint: Such as --set "leadSource=Trade fair".\n',
    ),
    (
        "check leads.csv --map email",
        "Error: --map 'email' is not of the form COLUMN=FIELD\nHint: Such as --map \"Work mail=email\".\n",
    ),
    (
        "check leads.csv --map a=email --map a=phone",
        "Error: --map says two things of 'a'\nHint: Leave one out.\n",
    ),
    (
        "run leads.csv --sandbox --list A --list-id 1001",
        "Error: --list and --list-id are given both\nHint: A run has one list: leave one of them out.\n",
    ),
    *(
        (
            f"run leads.csv --sandbox {option} 1 {option} 2",
            f"Error: {option} is given twice\nHint: A run takes one: give the other to a run of its own.\n",
        )
        for option in (
            "--db",
            "--sheet",
            "--query",
            "--list",
            "--list-id",
            "--partition-name",
            "--program",
            "--program-status",
        )
    ),
    (
        "check leads.csv --region ES",
        "Error: --region is of phone numbers, which stay as they are: add --phones e164\n"
        "Hint: prep check --help shows what it takes.\n",
    ),
    (
        "sandbox --fault nonsense",
        None,
    ),
    (
        "run leads.csv --sandbox --timeout nan",
        "Error: invalid value for '--timeout': 'nan' is not a number\n"
        "Hint: prep run --help shows what it takes.\n",
    ),
    (
        "run leads.csv --sandbox --queue-slots 11",
        "Error: invalid value for '--queue-slots': 11 is not in the range 1<=x<=10\n"
        "Hint: prep run --help shows what it takes.\n",
    ),
]


@pytest.mark.parametrize(("line", "said"), USAGE, ids=[line for line, _ in USAGE])
def test_usage(prep: Prep, leads: Path, line: str, said: str | None) -> None:
    ended = prep(*line.split())

    assert ended.error[0] == 2
    assert ended.error[1].count("\n") == 2
    if said:
        assert ended.error[1] == said
    assert names(leads.parent) == ["leads.csv"]


@pytest.mark.parametrize(
    ("line", "example"),
    [
        ("clean", "prep clean leads.csv"),
        ("cleam leads.csv", "prep clean leads.csv"),
        ("frobnicate", "prep run leads.csv --sandbox"),
        ("schema shwo lead", "prep schema show lead"),
        ("run leads.csv --lst 3", 'prep run leads.csv --list "Trade fair 2026" --max-rejected 5%'),
        ("run leads.csv --max-rejected x", 'prep run leads.csv --list "Trade fair 2026" --max-rejected 5%'),
        ("check leads.csv --map email", "prep check leads.csv"),
        ("clean leads.csv --map email", 'prep clean export.csv --map "Work mail=email" --unknown drop'),
        ("clean other.csv", 'prep clean export.csv --map "Work mail=email" --unknown drop'),
        ("clean none.csv", None),
        ("status", "prep status leads.prep"),
    ],
)
def test_an_error_shows_a_call_that_is_right(
    prep: Prep, leads: Path, here: Path, line: str, example: str | None
) -> None:
    written(here / "other.csv", "Mail of work\nana@example.com\n")
    said = prep(*line.split()).err.splitlines()
    assert said[2:] == ([f"Example: {example}"] if example else [])


@pytest.mark.parametrize("name", group.list_commands(click.Context(group)))
def test_every_worked_example_is_a_call_that_is_understood(name: str, leads: Path) -> None:
    command = group.get_command(click.Context(group), name)
    assert command
    examples = worked_examples(command)
    assert examples
    for call in re.findall(r"\bprep ([^|;&\n]+)", "\n".join(examples)):
        called, *rest = shlex.split(call)
        shown = group.get_command(click.Context(group), called)
        assert shown
        shown.make_context(called, rest, obj=Situation())  # reads the options; the command does not run


@pytest.mark.parametrize("limit", ["x", "5 %", "-1", "5.5", "101%", "%", "", "1e3", "٣"])
def test_max_rejected_takes_a_number_or_a_share(prep: Prep, leads: Path, limit: str) -> None:
    code, said = prep("clean", leads, f"--max-rejected={limit}").error

    assert code == 2
    assert said == (
        f"Error: --max-rejected does not know {limit!r}\n"
        "Hint: It takes a number of rows such as 100, or a share such as 5%.\n"
    )


@pytest.mark.parametrize("option", ["--list", "--partition-name", "--schema", "--lookup-field"])
def test_a_blank_name_is_a_slip(prep: Prep, leads: Path, option: str) -> None:
    assert prep("run", leads, "--sandbox", option, " ").error == (
        2,
        f"Error: {option} is blank\nHint: Name one, or leave the option out.\n",
    )


HEADER_ONLY = "email,firstName\n"


class Wrong(NamedTuple):
    """An input that cannot be used, and what is said of it."""

    name: str
    content: str | None
    options: str
    code: str
    message: str
    hint: str | None


INPUTS = [
    Wrong(
        "no.csv",
        None,
        "",
        "no_such_file",
        "no.csv: there is no such file",
        "Check the name and the folder.",
    ),
    Wrong(
        "e.csv",
        "",
        "",
        "empty_source",
        "e.csv: the file is empty",
        "It needs a header line and at least one row.",
    ),
    Wrong(
        "h.csv",
        HEADER_ONLY,
        "",
        "no_rows",
        "h.csv: there are no data rows",
        "A lead file has a header and at least one row below it.",
    ),
    Wrong(
        "n.csv",
        "firstName,lastName\nAda,Winter\n",
        "",
        "missing_lookup_header",
        "n.csv: no column maps to 'email'; saw 'firstName', 'lastName'",
        'Say which one it is with --map "COLUMN=email", or choose another --lookup-field. '
        "If the column names stand in another line than line 1, say which: --header-line N.",
    ),
    Wrong(
        "t.csv",
        "email,E-mail\na@example.com,b@example.com\n",
        "",
        "duplicate_header",
        "t.csv: 'E-mail' maps to 'email', and so does 'email'",
        'Leave one out with --map "E-mail=".',
    ),
    Wrong(
        "s.csv",
        CLEAN,
        "--schema leed",
        "unknown_schema",
        "there is no schema called 'leed'",
        "Known: lead, program-member. A file of your own is given as a path to a .toml.",
    ),
    Wrong(
        "s.csv",
        CLEAN,
        "--schema no.toml",
        "unreadable_schema",
        "no.toml: cannot be read: No such file or directory",
        "Give the path of a .toml file that can be read; a packaged schema has a name and no path.",
    ),
    Wrong(
        "f.csv",
        CLEAN,
        "--set leadSourc=Fair",
        "unknown_field",
        "--set: 'leadSourc' is not a field of schema 'lead'",
        "Did you mean leadSource?",
    ),
    Wrong(
        "f.csv",
        CLEAN,
        "--lookup-field company",
        "bad_lookup_field",
        "--lookup-field: Marketo does not look leads up by 'company'",
        None,
    ),
    Wrong(
        "f.csv",
        CLEAN,
        "--map Vorname=firstName",
        "unknown_column",
        "--map: no source has a column 'Vorname'",
        "Columns: 'email', 'firstName'.",
    ),
    Wrong(
        "f.csv",
        CLEAN,
        "--keep newest:createdAt",
        "bad_keep",
        "--keep newest: no source has a date column that maps to 'createdAt'",
        "Date columns here: none.",
    ),
    Wrong(".", None, "", "not_a_file", ".: this is a folder", "Name the files in it."),
]


@pytest.mark.parametrize("command", ["clean", "check", "run"])
@pytest.mark.parametrize("wrong", INPUTS, ids=[wrong.code for wrong in INPUTS])
def test_bad_input(prep: Prep, here: Path, command: str, wrong: Wrong) -> None:
    if wrong.content is not None:
        written(here / wrong.name, wrong.content)
    before = names(here)
    target = ["--sandbox"] if command == "run" else []

    ended = prep(command, wrong.name, *wrong.options.split(), *target, "--json")

    error = ended.json["error"]
    assert (ended.code, ended.json["exit_code"]) == (1, 1)
    assert (error["code"], error["message"]) == (wrong.code, wrong.message)
    assert error.keys() == {"code", "message", "hint", "source", "row", "column"}
    assert wrong.hint is None or error["hint"] == wrong.hint
    assert ended.err.startswith(f"Error: {wrong.message}\nHint: {error['hint']}\n")
    assert names(here) == before


def test_a_run_folder_is_no_lead_file(prep: Prep, leads: Path) -> None:
    prep("clean", leads.name)

    assert prep("clean", "leads.prep").error == (
        1,
        "Error: leads.prep: this is a run folder, not a lead file\n"
        "Hint: prep report leads.prep shows it, prep resume leads.prep carries on with it.\n",
    )


def test_a_file_is_given_once(prep: Prep, leads: Path) -> None:
    assert prep("clean", "leads.csv", leads).code == 1
    assert names(leads.parent) == ["leads.csv"]


def without_privileges() -> tuple[str, ...]:
    """A prefix under which permissions count for root, too."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("needs setpriv to test permissions as root")
    return (setpriv, "--bounding-set=-all", "--inh-caps=-all")


def test_an_unreadable_file(program: Prep, leads: Path) -> None:
    leads.chmod(0)

    assert program("clean", "leads.csv", before=without_privileges()).error == (
        1,
        "Error: leads.csv: the file cannot be read (Permission denied)\n"
        "Hint: Check the permissions and the disk.\n",
    )
    assert names(leads.parent) == ["leads.csv"]


def test_a_folder_that_cannot_be_written(program: Prep, leads: Path) -> None:
    leads.parent.chmod(0o500)
    try:
        refused = program("clean", "leads.csv", before=without_privileges())
        checked = program("check", "leads.csv", "--json", before=without_privileges())
    finally:
        leads.parent.chmod(0o700)

    assert refused.error == (
        1,
        "Error: leads.prep: cannot be used as a run folder: Permission denied\n"
        "Hint: Choose another place with -o DIR.\n",
    )
    assert checked.code == 3
    assert checked.json["counts"]["ready"] == 2
    assert names(leads.parent) == ["leads.csv"]


def test_odd_file_names(prep: Prep, here: Path) -> None:
    odd = ["-dash.csv", "mit Leerzeichen.csv", "Größe-名前.csv", "quote'.csv"]
    for name in odd:
        written(here / name, CLEAN)

        ended = prep("clean", "--", name)

        assert ended.code == 0
        assert ended.out.splitlines()[0] == f"{name[:-4]}.prep: clean; nothing was sent yet"
    assert (
        "prep submit ./-dash.prep  "
        in prep("clean", "./-dash.csv", "-o", "-dash.prep").err + prep("report", "--", "-dash.prep").out
    )
    assert "prep submit 'mit Leerzeichen.prep'  " in prep("report", "mit Leerzeichen.prep").out
    assert prep("report", "Größe-名前.prep", "--json").json["sources"][0]["path"] == "Größe-名前.csv"


def test_a_file_name_that_is_not_unicode(here: Path) -> None:
    path = os.fsencode(here) + b"/caf\xe9.csv"
    with open(path, "wb") as file:  # noqa: PTH123 (a path of bytes)
        file.write(CLEAN.encode())

    ended = subprocess.run([*PROGRAM, "clean", b"caf\xe9.csv"], capture_output=True, check=False)

    assert ended.returncode == 1
    said = "Error: caf�.csv: the file's name is not UTF-8\nHint: Rename the file.\n"
    assert ended.stderr.decode() == said
    assert len(list(here.iterdir())) == 1


@pytest.mark.parametrize("place", ["out/deep.prep", "{here}/elsewhere/x.prep", "../up.prep"])
def test_the_folder_can_be_anywhere(prep: Prep, here: Path, place: str) -> None:
    (here / "work").mkdir()
    os.chdir(here / "work")
    written(Path("leads.csv"), LEADS)
    folder = place.format(here=here)

    assert prep("clean", "leads.csv", "-o", folder).code == 3
    assert prep("report", folder, "--json").json["counts"]["read"] == 4


def test_another_purpose_is_refused(prep: Prep, leads: Path) -> None:
    prep("clean", "leads.csv")
    report = (leads.parent / "leads.prep/report.json").read_bytes()
    other = written(leads.parent / "other.csv", CLEAN)
    again = ("clean", "leads.csv")
    hint = "Hint: Choose another folder with -o DIR, or remove this one if it is not needed.\n"

    assert prep(*again, "--keep", "first").error == (
        1,
        f"Error: leads.prep: was made with --keep last, now first\n{hint}",
    )
    assert prep("clean", other.name, "-o", "leads.prep").error == (
        1,
        f"Error: leads.prep: was made from leads.csv\n{hint}",
    )
    leads.write_text(CLEAN)
    assert prep(*again).error == (1, f"Error: leads.prep: was made before a source changed\n{hint}")
    assert (leads.parent / "leads.prep/report.json").read_bytes() == report


def test_a_corrected_source_of_a_run_that_was_sent_is_refused(prep: Prep, leads: Path) -> None:
    """What somebody does who read why rows were rejected: the folder with their fates is to be kept."""
    prep("run", "leads.csv", "--sandbox", "-q")
    leads.write_text(CLEAN)

    assert prep("run", "leads.csv", "--sandbox").error == (
        1,
        "Error: leads.prep: was made before a source changed\n"
        "Hint: Keep this one, for its rows may be in Marketo. prep retry leads.prep sends failed rows "
        "and those that were corrected in its tables; a new run, with -o DIR, sends every row.\n",
    )


def test_a_folder_with_other_things_is_left_alone(prep: Prep, leads: Path) -> None:
    (leads.parent / "mine").mkdir()
    written(leads.parent / "mine/notes.txt", "mine")

    assert prep("clean", leads, "-o", "mine").error == (
        1,
        "Error: mine: holds files that are not of a run\nHint: Choose another folder with -o DIR.\n",
    )
    assert prep("clean", leads, "-o", "leads.csv").code == 1
    assert names(leads.parent) == ["leads.csv", "mine", "mine/notes.txt"]


def test_commands_on_what_is_no_run_folder(prep: Prep, leads: Path) -> None:
    for command in ("submit", "resume", "reconcile", "report", "status"):
        assert prep(command, "none.prep").error == (
            1,
            "Error: none.prep: there is no such run folder\n"
            "Hint: prep clean FILE or prep run FILE makes one: leads.prep of leads.csv.\n",
        )
        (leads.parent / "empty").mkdir(exist_ok=True)
        assert prep(command, "empty").error == (
            1,
            "Error: empty: not a run folder (it has no manifest.json)\n"
            "Hint: Name the folder that prep clean or prep run made.\n",
        )


DAMAGES = [
    ("manifest.json", b"", "damaged_manifest"),
    ("manifest.json", b'{"version": 1', "damaged_manifest"),
    ("manifest.json", b'{"version": 1}', "damaged_manifest"),
    ("manifest.json", b"[]", "damaged_manifest"),
    ("manifest.json", b"\xff\xfe", "damaged_manifest"),
    ("rows.parquet", b"PAR1", "damaged_rows"),
    ("ledger.sqlite", b"no database at all, but longer than a header of one would be" * 9, "damaged_ledger"),
]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("command", ["report", "resume", "status"])
def test_damaged_files(prep: Prep, leads: Path, command: str, damage: tuple[str, bytes, str]) -> None:
    name, content, code = damage
    prep("clean", leads)
    (leads.parent / "leads.prep" / name).write_bytes(content)

    ended = prep(command, "leads.prep", "--json")

    if command == "status" and code == "damaged_rows":  # it does not look at rows
        assert ended.code == 0
    else:
        assert (ended.code, ended.json["error"]["code"]) == (1, code)
        assert ended.err.count("\n") == 2
        assert ended.json["error"]["hint"]


def test_a_damaged_report_is_made_anew(prep: Prep, leads: Path) -> None:
    prep("clean", leads)
    report = leads.parent / "leads.prep/report.json"
    good = report.read_bytes()
    report.write_bytes(b"{")

    assert prep("report", "leads.prep").code == 3
    prep("clean", leads)
    assert report.read_bytes() == good
