"""Assets and their checks in Dagster itself, with `materialize()`, against the sandbox over real HTTP."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import prep
from prep.sandbox import Sandbox

pytestmark = pytest.mark.filterwarnings("default")  # Dagster and its dependencies warn of each other

PAGE = Path(__file__).parents[2] / "docs/dagster.md"
VALUES = ("ada@example.com", "Winter", "not-an-address", "Nemo", "ben@example.org", "secret")
LEADS = """email,firstName,company
ada@example.com,Ada,Winter Clocks
not-an-address,Nemo,
ADA@example.com,Ada,Winter Clocks Ltd
ben@example.org,Ben,Fischer Tools
"""
CLEAN = "email,firstName\nada@example.com,Ada\nben@example.org,Ben\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    with Sandbox(job_seconds=0) as running:
        monkeypatch.setenv("MARKETO_ENDPOINT", running.url)
        monkeypatch.setenv("MARKETO_CLIENT_ID", "id")
        monkeypatch.setenv("MARKETO_CLIENT_SECRET", "secret")
        yield running


def materialize(*definitions: Any, resources: dict[str, Any] | None = None) -> Any:
    import dagster

    with dagster.DagsterInstance.ephemeral() as instance:
        return dagster.materialize(
            list(definitions), resources=resources, instance=instance, raise_on_error=False
        )


def evaluations(result: Any) -> dict[str, Any]:
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def test_the_page_s_assets_and_checks(
    here: Path, sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    (here / "leads.csv").write_text(LEADS)
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(code, PAGE, "exec"), names)  # noqa: S102  # the page's own example
    defs = names["defs"]
    result = materialize(*defs.assets, *defs.asset_checks, resources=defs.resources)
    assert result.success
    (made,) = result.asset_materializations_for_node("leads_in_marketo")
    numbers = {
        name: value.value for name, value in made.metadata.items() if name.startswith("rows_") and value.value
    }
    assert numbers == {"rows_read": 4, "rows_imported": 2, "rows_rejected": 1, "rows_duplicate": 1}
    assert [record.data for record in made.metadata["reasons"].records] == [
        {"field": "email", "code": "invalid_email", "rows": "1"}
    ]
    found = evaluations(result)
    assert {name: (check.passed, check.severity.value) for name, check in found.items()} == {
        "leads_fit_marketo": (False, "WARN"),
        "every_row_arrived": (False, "WARN"),
    }
    assert found["every_row_arrived"].description == "4 rows read: 1 rejected, 1 duplicate, 2 imported"
    assert {"ADA@example.com", "ben@example.org"} <= {lead["email"] for lead in sandbox.leads()}
    told = repr(list(result.all_events)) + "".join(capfd.readouterr())
    assert [value for value in VALUES if value in told.replace("client_secret", "")] == []


@pytest.mark.parametrize(
    ("leads", "options", "ending"),
    [
        (CLEAN, {}, ("passed", 2)),
        (LEADS, {}, ("WARN", 2)),
        (LEADS, {"max_rejected": "5%"}, ("ERROR", 2)),
        (LEADS, {"max_rejected": 0}, ("ERROR", 2)),
        ("email\nnobody\n", {}, ("ERROR", 0)),
        ("email\n", {}, ("ERROR", "no_rows")),
        ("mail_or_so,x\na,b\n", {}, ("ERROR", "unknown_header")),
    ],
)
def test_what_a_check_says_of_a_file(
    here: Path, leads: str, options: dict[str, Any], ending: tuple[str, object]
) -> None:
    import dagster

    from prep.integrations.dagster import lead_file_check

    (here / "leads.csv").write_text(leads)

    @dagster.asset
    def lead_file() -> None: ...

    result = materialize(lead_file, lead_file_check(lead_file, "leads.csv", **options))
    (found,) = evaluations(result).values()
    facts = found.metadata
    told = facts["code"].value if "code" in facts else facts["rows_ready"].value
    assert ("passed" if found.passed else found.severity.value, told) == ending


@pytest.mark.parametrize("bound", ["5%", "0", 0])
def test_too_many_rejected_rows_fail_the_asset_and_nothing_is_sent(
    here: Path, sandbox: Sandbox, bound: str | int
) -> None:
    import dagster

    from prep.integrations.dagster import MarketoResource, import_check

    (here / "leads.csv").write_text(LEADS)

    @dagster.asset
    def leads(marketo: MarketoResource) -> None:
        marketo.import_leads("leads.csv", "out", max_rejected=bound)

    resource = MarketoResource(endpoint=sandbox.url, client_id="id", client_secret="secret")
    assert "secret" not in repr(resource).replace("client_secret", "")
    result = materialize(leads, import_check(leads, "out"), resources={"marketo": resource})
    assert not result.success
    assert sandbox.requests() == []


def test_an_asset_made_again_in_its_folder_sends_nothing_twice(here: Path, sandbox: Sandbox) -> None:
    import dagster

    from prep.integrations.dagster import MarketoResource, import_check

    (here / "leads.csv").write_text(CLEAN)
    list_id = sandbox.add_list("Fair")

    @dagster.asset
    def leads(marketo: MarketoResource) -> int:
        return marketo.import_leads("leads.csv", "out", list_id=list_id).counts["imported"]

    resource = MarketoResource(endpoint=sandbox.url, client_id="id", client_secret="secret")
    for _ in range(2):
        result = materialize(leads, import_check(leads, "out"), resources={"marketo": resource})
        assert result.output_for_node("leads") == 2
        (found,) = evaluations(result).values()
        assert (found.passed, found.description) == (True, "2 rows read: 2 imported")
    assert len(sandbox.jobs()) == 1
    assert len(sandbox.members(list_id)) == 2


def test_a_run_whose_outcome_is_unknown_is_an_error(here: Path) -> None:
    from prep.integrations.dagster import check_run

    (here / "leads.csv").write_text(CLEAN)
    run = prep.clean("leads.csv", "out")
    with Sandbox(faults=["lost-reply"]) as sandbox, prep.Marketo(sandbox.url, "id", "secret") as client:
        prep.submit(run, client)
    found = check_run("out")
    assert (found.passed, found.severity.value) == (False, "ERROR")
    assert check_run("nothing").metadata["code"].value == "no_folder"
