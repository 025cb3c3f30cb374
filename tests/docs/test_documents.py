"""What the documents show is what the program does."""

import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
import tomllib
from contextlib import closing, suppress
from dataclasses import fields
from itertools import takewhile
from pathlib import Path

import click
import pytest

from docs.reference.make import all_commands
from docs.transcripts import pages
from prep.checks import NAMED_CHECKS, TYPE_CHECKS
from prep.cli.main import group, run
from prep.config import CleanOptions
from prep.headers import load_mapping
from prep.model import KeepPolicy, MergePolicy
from prep.sandbox import Sandbox
from prep.schema import NORMALISERS, Field
from prep.schema_file import load_schema

PROJECT = Path(__file__).parents[2]
DOCUMENTS = [
    PROJECT / "README.md",
    *sorted(path for path in (PROJECT / "docs").rglob("*.md") if path not in pages()),
    PROJECT / "sample_data/README.md",
]
EVERY_PAGE = [*DOCUMENTS, *pages(), PROJECT / "README.es.md", PROJECT / "CONTRIBUTING.md"]
TESTED_ELSEWHERE = {
    "python.md": "tests/library/test_page.py",
    "airflow.md": "tests/integrations/test_airflow.py",
    "dagster.md": "tests/integrations/test_dagster.py",
    "spark.md": "tests/integrations/test_spark.py",
}
"""Pages whose Python examples follow one another, or need what is not installed here."""


def _blocks(document: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```$", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def _transcripts() -> list[tuple[str, str, str]]:
    """Every `$ command` of a console block with the output below it."""
    found = []
    for document in DOCUMENTS:
        for block in _blocks(document, "console"):
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                found.append((document.name, command, output))
    return found


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the sample files, in which `prep` is a command and no setting comes from outside."""
    (tmp_path / "sample_data").symlink_to(PROJECT / "sample_data")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for name in [name for name in os.environ if name.startswith(("MARKETO_", "PREP_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("document", "command", "output"), _transcripts())
def test_a_transcript_is_what_the_command_prints(
    workplace: Path, document: str, command: str, output: str
) -> None:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=workplace,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.stdout.rstrip("\n") == output.rstrip("\n"), document


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (document.name, block)
        for document in DOCUMENTS
        if document.name not in TESTED_ELSEWHERE
        for block in _blocks(document, "python")
    ],
)
def test_a_python_example_runs(workplace: Path, document: str, code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=workplace,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), document


def test_the_two_commands_of_the_readme_are_the_ones_that_ci_runs() -> None:
    commands = [block.strip() for block in _blocks(PROJECT / "README.md", "sh") if ".venv" in block]
    script = (PROJECT / ".ci/run").read_text(encoding="utf-8").splitlines()
    assert len(commands) == 2
    assert [command for command in commands if command not in script] == []


def test_the_readme_names_every_command_and_no_other() -> None:
    table = re.findall(r"^\| `prep (\w+)", (PROJECT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(set(table)) == sorted(group.list_commands(None))  # type: ignore[arg-type]  # unused there


@pytest.mark.parametrize("document", EVERY_PAGE, ids=lambda document: document.name)
def test_links_inside_the_project_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not _leads_somewhere(document, link)] == []


def test_codes_of_errors_in_running_text_are_in_the_reference() -> None:
    told = [code for page in EVERY_PAGE for code in re.findall(r"\bcode `(\w+)`", page.read_text("utf-8"))]
    reference = (PROJECT / "docs/reference/errors.md").read_text("utf-8")
    assert told
    assert set(told) - set(re.findall(r"^\| `(\w+)` \|", reference, re.MULTILINE)) == set()


def test_the_index_names_every_page() -> None:
    index = (PROJECT / "docs/README.md").read_text(encoding="utf-8")
    pages_there = {path.relative_to(PROJECT / "docs").as_posix() for path in (PROJECT / "docs").rglob("*.md")}
    assert pages_there - set(re.findall(r"\]\(([^)#]+)", index)) == {"README.md"}


def _leads_somewhere(document: Path, link: str) -> bool:
    """Whether the file is there, and in it a heading of that name."""
    name, _, anchor = link.partition("#")
    target = document.parent / name if name else document
    if not target.exists() or not anchor:
        return target.exists()
    headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
    return anchor in {
        re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("document", EVERY_PAGE, ids=lambda document: document.name)
def test_commands_in_running_text_have_these_options(document: Path) -> None:
    """A call between backticks names a command that there is, with options that it has."""
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    known = {name.removeprefix("prep "): command for name, command in all_commands()}
    for call in re.findall(r"`prep ([a-z][^`]*)`", text):
        words = re.split(r"[ |…,]+", call)
        name = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
        assert name in known, call
        flags = {flag for option in known[name].params for flag in (*option.opts, *option.secondary_opts)}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= {*flags, "--help"}, call


def _calls(document: Path) -> list[list[str]]:
    """The arguments of every call of prep in a block of a page, whatever kind of block it is."""
    text = document.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = []
    for language, block in re.findall(r"^```(.*?)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        lines += re.findall(rf"^{'[$] ' if language == 'console' else ''}(prep .*)$", block, re.MULTILINE)
    return [_words(re.split(r" {2,}", line)[0])[1:] for line in lines if "[OPTIONS]" not in line]


def _words(line: str) -> list[str]:
    """The words of a command, as far as the shell gives it to one program."""
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    return list(takewhile(lambda word: not set(word) <= set("();<>|&"), words))


@pytest.mark.parametrize(
    ("document", "arguments"),
    [
        pytest.param(document, call, id=" ".join([document.name, *call]))
        for document in EVERY_PAGE
        for call in _calls(document)
    ],
)
def test_every_call_of_a_page_is_understood(workplace: Path, document: Path, arguments: list[str]) -> None:
    with suppress(click.exceptions.Exit), group.make_context("prep", list(arguments)) as context:
        _parse(context)


def _parse(context: click.Context) -> None:
    """Go down to the command that is called, and let it read its options."""
    if isinstance(context.command, click.Group) and (left := [*context._protected_args, *context.args]):
        name, command, rest = context.command.resolve_command(context, left)
        assert command is not None
        with command.make_context(name, rest, parent=context) as inner:
            _parse(inner)


def test_the_commands_for_an_instance_run(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = (block for block in _blocks(PROJECT / "README.md", "sh") if "MARKETO_ENDPOINT" in block)
    for name in ("leads.csv", "guests.csv"):
        (workplace / name).write_text("email\nana@example.com\nbo@example.org\n", encoding="utf-8")
    with Sandbox(job_seconds=0) as sandbox:
        sandbox.add_list("Trade fair 2026")
        monkeypatch.setenv("MARKETO_ENDPOINT", sandbox.url)
        monkeypatch.setenv("MARKETO_CLIENT_ID", "id")
        monkeypatch.setenv("MARKETO_CLIENT_SECRET", "secret")
        monkeypatch.setenv("PREP_POLL_SECONDS", "0.1")
        calls = [shlex.split(line)[1:] for line in block.splitlines() if line.startswith("prep ")]
        assert [run(call) for call in calls] == [0] * 4
        assert len(sandbox.jobs()) == 2


def test_the_page_on_schemas_names_every_key_and_word() -> None:
    page = (PROJECT / "docs/schemas.md").read_text(encoding="utf-8")
    keys = {field.name for field in fields(Field)} - {"name"}
    assert keys - set(re.findall(r"`(\w+)`", page)) == set()
    assert {*TYPE_CHECKS, *NAMED_CHECKS, *NORMALISERS} - set(re.findall(r"`(\w+)`", page)) == set()


@pytest.mark.parametrize("block", _blocks(PROJECT / "docs/protection.md", "sh"))
def test_commands_about_protection_run(workplace: Path, block: str) -> None:
    in_settings, in_schema = _blocks(PROJECT / "docs/protection.md", "toml")
    settings = tomllib.loads(in_settings)
    assert settings.keys() <= set(CleanOptions.__annotations__)
    files = {
        "gaps.csv": "email,title\nana@example.com,\nbo@example.org,NULL\ncy@example.net,CEO\n",
        "never.csv": "email\nana@example.com\n",
        "unsubscribed.txt": "Ana@Example.com\n",
        "salt.txt": "pepper\n",
        "mine.toml": in_schema,
        "agreed.csv": "email,country,Opt-in newsletter\n"
        "ana@example.com,DE,\nbo@example.org,DE,yes\ncy@example.net,UK,\n",
    }
    for name, content in files.items():
        (workplace / name).write_text(content)
    done = subprocess.run(["bash", "-ec", block], cwd=workplace, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 rows read" in done.stdout
    assert ("1  suppressed" in done.stdout) == ("--suppress" in block or "--consent" in block)


def test_the_schema_that_the_page_shows_loads(tmp_path: Path) -> None:
    (example,) = _blocks(PROJECT / "docs/schemas.md", "toml")
    (tmp_path / "mine.toml").write_text(example, encoding="utf-8")
    schema = load_schema(tmp_path / "mine.toml")
    assert "eventCode" in schema.lookup_fields
    assert schema.fields["leadStatus"].allowed == ("New", "Open", "Closed")


def test_the_other_files_that_the_page_on_schemas_shows_load(tmp_path: Path) -> None:
    page = (PROJECT / "docs/schemas.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    own, rules, _, mapping = (block for language, block in blocks if not language)
    (tmp_path / "instance.toml").write_text('extends = "lead"\n[fields.eventCode]\n', encoding="utf-8")
    (tmp_path / "own.toml").write_text(own, encoding="utf-8")
    (tmp_path / "rules.toml").write_text(f'extends = "lead"\n{rules}', encoding="utf-8")
    (tmp_path / "mapping.toml").write_text(mapping, encoding="utf-8")
    assert load_schema(tmp_path / "own.toml").fields["eventCode"].required
    assert [rule.demand.filled for rule in load_schema(tmp_path / "rules.toml").rules] == [("state",), ()]
    assert set(load_mapping(tmp_path / "mapping.toml").values()) <= {"", *load_schema("lead").fields}


@pytest.mark.parametrize("block", _blocks(PROJECT / "docs/reading.md", "sh"))
def test_commands_about_reading_run(tmp_path: Path, block: str) -> None:
    (tmp_path / "bare.csv").write_text("ana@example.com,Ana\nbo@example.org,Bo\n")
    with closing(sqlite3.connect(tmp_path / "crm.db")) as database, database:
        database.execute("CREATE TABLE leads (email TEXT, first_name TEXT)")
        database.execute("INSERT INTO leads VALUES ('ana@example.com', 'Ana'), ('bo@example.org', 'Bo')")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", block],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("2 rows read") == block.count("prep check")


def test_commands_about_the_report_run(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text("email\nana@example.com\n", encoding="utf-8")
    (block,) = _blocks(PROJECT / "docs/report.md", "sh")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(
        ["bash", "-ec", block], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["counts"]["ready"] == 1
    assert (tmp_path / "leads.prep" / "report-masked.html").exists()


def test_the_page_on_values_names_every_policy_and_rule() -> None:
    page = (PROJECT / "docs/values.md").read_text(encoding="utf-8")
    words = set(re.findall(r"`([\w-]+)(?::[A-Z]+)?`", page))
    assert {*KeepPolicy, *MergePolicy} - words == set()
