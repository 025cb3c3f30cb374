"""`run`, `submit`, `resume`, `status`, `reconcile` against a Marketo at the other end of real HTTP."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from prep.sandbox import Behaviour, Fault, FaultKind, Sandbox
from prep.sandbox.faults import Place

from .conftest import CLEAN, Ended, Prep, connect, names, written

SUMMARY = """leads.prep: sent to {target}; finished
{note}4 rows read
          2  imported    taken by {place}
          1  duplicate   lost to another row with the same email; not sent
          1  rejected    broke a rule or could not be read; not sent

Why rows were rejected
          1  email:invalid_email (not a valid email address)

Tables
  leads.prep/rejected.csv    every rejected row with its reasons; rejected.xlsx says the same
  leads.prep/duplicates.csv  every row that lost, with the row that it lost to

Next
  prep review leads.prep  shows rejected and failed rows on a local page, to repair them
  prep retry leads.prep   a new run of failed rows, and of rejected rows that were corrected
  prep check {source}    with the same options: tells whether a corrected source is fine
"""
SECOND_REFUSED = Fault(kind=FaultKind.DAILY_QUOTA, at=2, place=Place.IMPORT)
FINISHED = "This run was finished before: nothing was sent now.\n"


def uploads(sandbox: Sandbox) -> int:
    return sum(request.place == "import" for request in sandbox.requests())


def host(sandbox: Sandbox) -> str:
    return sandbox.url.removeprefix("http://")


def stored(folder: str) -> object:
    return json.loads((Path(folder) / "report.json").read_text())


def test_run_in_the_sandbox(prep: Prep, leads: Path) -> None:
    ended = prep("run", "leads.csv", "--sandbox")

    assert (ended.code, ended.err) == (3, "")
    assert ended.out == SUMMARY.format(
        source="leads.csv", target="the local sandbox", place="the local sandbox", note=""
    )
    assert names(leads.parent)[0] == "leads.csv"


def test_run_again_sends_nothing_and_says_so(prep: Prep, leads: Path, marketo: Sandbox) -> None:
    first = prep("run", "leads.csv")
    asked = len(marketo.requests())
    texts = [prep("run", "leads.csv").out, prep("submit", "leads.prep").out, prep("resume", "leads.prep").out]

    assert first.out == SUMMARY.format(source="leads.csv", target=host(marketo), place="Marketo", note="")
    assert (
        texts
        == [SUMMARY.format(source="leads.csv", target=host(marketo), place="Marketo", note=FINISHED)] * 3
    )
    assert len(marketo.requests()) == asked
    assert uploads(marketo) == 1


def test_run_json_is_the_report(prep: Prep, leads: Path, marketo: Sandbox) -> None:
    ended = prep("run", "leads.csv", "--json")

    assert ended.code == 3
    assert ended.json == stored("leads.prep") == prep("report", "leads.prep", "--json").json
    assert (ended.json["state"], ended.json["target"]) == ("reconciled", host(marketo))
    assert ended.json["counts"]["imported"] == 2
    assert ended.err == SUMMARY.format(source="leads.csv", target=host(marketo), place="Marketo", note="")


def test_clean_then_submit(prep: Prep, here: Path, marketo: Sandbox) -> None:
    written(here / "l.csv", CLEAN)
    prep("clean", "l.csv")
    assert marketo.requests() == []

    ended = prep("submit", "l.prep", "--list-id", 1001, "--partition-name", "Europe")

    assert ended.code == 0
    assert ended.out == (
        f"l.prep: sent to {host(marketo)}, list 1001, partition Europe; finished\n"
        "2 rows read\n"
        "          2  imported    taken by Marketo\n"
        "\n"
        "Next\n"
        "  prep report l.prep --json  these numbers, for a program\n"
    )
    assert len(marketo.members(1001)) == 2
    assert prep("reconcile", "l.prep").code == 0
    assert prep("submit", "l.prep").code == 0  # list and partition are those of the folder
    assert prep("submit", "l.prep", "--list-id", 1002).error[0] == 1
    assert uploads(marketo) == 1


def test_a_folder_belongs_to_one_target(
    prep: Prep, here: Path, marketo: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(here / "l.csv", CLEAN)
    prep("run", "l.csv")

    for line in (["run", "l.csv", "--sandbox"], ["submit", "l.prep", "--sandbox"]):
        code, said = prep(*line).error
        assert code == 1
        assert said.startswith("Error: ")
        assert host(marketo) in said
    for command in ("resume", "reconcile"):
        assert prep(command, "l.prep", "--sandbox").error == (
            1,
            f"Error: l.prep: the run belongs to {host(marketo)}, not to the sandbox\n"
            "Hint: Leave --sandbox out, or clean the sources into another folder with -o DIR.\n",
        )
    monkeypatch.setenv("MARKETO_ENDPOINT", "https://123-abc-456.mktorest.com")
    monkeypatch.delenv("PREP_POLL_SECONDS")
    for command in ("resume", "reconcile"):
        assert prep(command, "l.prep").error == (
            1,
            f"Error: l.prep: the run belongs to {host(marketo)}, "
            "and MARKETO_ENDPOINT names 123-abc-456.mktorest.com\n"
            f"Hint: Set MARKETO_ENDPOINT to {marketo.url}, "
            "or clean the sources into another folder (-o DIR).\n",
        )
    assert prep("submit", "l.prep").error[0] == 1
    assert uploads(marketo) == 1


@pytest.fixture
def misdirected(here: Path, marketo: Sandbox, prep: Prep, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of the instance that is meant, after a run against another one that gave no token."""
    written(here / "l.csv", CLEAN)
    with Sandbox(client_secret="other") as wrong:
        connect(monkeypatch, wrong.url)
        ended = prep("run", "l.csv", "--list-id", 1001, "--json")
        assert (ended.code, ended.json["counts"]["ready"], uploads(wrong)) == (4, 2, 0)
        assert prep("status", "l.prep", "--json").json["runs"][0]["target"] == host(wrong)
    connect(monkeypatch, marketo.url)
    return host(marketo)


@pytest.mark.parametrize("again", ["submit l.prep", "run l.csv --list-id 1001"])
def test_a_wrong_endpoint_binds_nothing_as_long_as_nothing_was_sent(
    prep: Prep, misdirected: str, marketo: Sandbox, again: str
) -> None:
    for command in ("resume", "reconcile"):
        code, said = prep(command, "l.prep").error
        assert code == 1
        assert f"or prep submit l.prep sends it to {misdirected} instead: nothing was sent yet.\n" in said

    ended = prep(*again.split(), "--json")

    assert (ended.code, ended.json["counts"]["imported"]) == (0, 2)
    assert (ended.json["target"], ended.json["list_id"]) == (misdirected, 1001)
    assert len(marketo.members(1001)) == 2


def test_once_an_upload_was_tried_the_endpoint_is_bound(
    prep: Prep, here: Path, marketo: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(here / "l.csv", CLEAN)
    refusal = Fault(kind=FaultKind.DAILY_QUOTA, place=Place.IMPORT)
    with Sandbox(job_seconds=0, faults=[refusal]) as first:
        connect(monkeypatch, first.url)
        assert prep("run", "l.csv").code == 4
        connect(monkeypatch, marketo.url)
        for line in ("submit l.prep", "run l.csv", "resume l.prep"):
            code, said = prep(*line.split()).error
            assert code == 1
            assert host(first) in said
            assert "nothing was sent yet" not in said
        assert (uploads(marketo), uploads(first)) == (0, 1)
        connect(monkeypatch, first.url)
        assert prep("resume", "l.prep").code == 0
    assert uploads(marketo) == 0


def test_list_by_name(prep: Prep, here: Path, marketo: Sandbox) -> None:
    written(here / "l.csv", CLEAN)

    wrong = prep("run", "l.csv", "--list", "Nwsletter", "--json")
    assert wrong.code == 4
    assert wrong.json["error"] == {
        "code": "no_such_list",
        "message": "Marketo has no static list called 'Nwsletter'",
        "hint": "Check the name, or give the number in the list's address in Marketo as --list-id. "
        "prep submit l.prep --list-id N carries on.",
        "source": None,
        "row": None,
        "column": None,
    }
    for command in ("submit", "resume"):  # neither sends them to no list at all
        assert prep(command, "l.prep", "--json").json["error"] == wrong.json["error"]
    assert uploads(marketo) == 0
    assert prep("report", "l.prep").out.splitlines()[0] == "l.prep: clean; nothing was sent yet"

    right = prep("run", "l.csv", "--list", "Newsletter")
    assert right.code == 0
    assert right.out.splitlines()[0] == f"l.prep: sent to {host(marketo)}, list Newsletter; finished"
    assert len(marketo.members(1002)) == 2


def test_what_was_said_of_the_destination_stays_until_something_was_sent(
    prep: Prep, here: Path, marketo: Sandbox
) -> None:
    written(here / "l.csv", CLEAN)

    assert prep("run", "l.csv", "--list-id", 4711, "--partition-name", "Nope").error == (
        4,
        "Error: Marketo has no static list 4711\n"
        "Hint: The number stands in the list's address in Marketo; it must be a static list. "
        "prep submit l.prep --list-id N carries on.\n",
    )
    assert prep("submit", "l.prep", "--list", "Newsletter").error == (
        4,
        "Error: Marketo has no partition called 'Nope', or the API user may not use it\n"
        "Hint: It may use: Default, Europe. prep submit l.prep --partition-name NAME carries on.\n",
    )
    assert prep("run", "l.csv", "--list", "Newsletter", "--partition-name", "Nope").code == 4
    assert uploads(marketo) == 0

    said = prep("submit", "l.prep", "--partition-name", "Europe").out.splitlines()[0]

    assert said == f"l.prep: sent to {host(marketo)}, list Newsletter, partition Europe; finished"
    assert prep("submit", "l.prep", "--list-id", 1002).code == 0
    assert prep("submit", "l.prep", "--list-id", 1001).code == 1
    assert prep("run", "l.csv", "--list-id", 1001).code == 1
    assert (uploads(marketo), len(marketo.members(1002))) == (1, 2)


def test_a_run_with_too_many_rejected_rows_keeps_where_it_would_go(
    prep: Prep, leads: Path, marketo: Sandbox
) -> None:
    refused = prep("run", "leads.csv", "--list", "Newsletter", "--max-rejected", "10%")

    assert refused.code == 3
    assert "  prep submit leads.prep --max-rejected 1  sends 2 rows in 1 file\n" in refused.out
    assert prep("resume", "leads.prep").code == 3
    rejected = leads.parent / "leads.prep/rejected.csv"
    rejected.write_text(rejected.read_text().replace("not-an-address", "nemo@example.com"))
    assert prep("retry", "leads.prep").out.startswith("leads-retry1.prep: clean; nothing was sent yet\n")
    assert marketo.requests() == []

    for run in ("leads.prep", "leads-retry1.prep"):
        said = prep("submit", run).out.splitlines()[0]
        assert said == f"{run}: sent to {host(marketo)}, list Newsletter; finished"
    assert len(marketo.members(1002)) == 3


def stopped_while_cleaning(prep: Prep, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> Ended:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("prep.cleaning._fill", stop)
        return prep(*arguments)


def test_a_run_without_the_list_that_it_had_is_refused(prep: Prep, here: Path, marketo: Sandbox) -> None:
    written(here / "l.csv", CLEAN)
    assert prep("run", "l.csv", "--list", "Nope", "--partition-name", "Europe").code == 4
    kept = f"was made for another destination ({host(marketo)}, list Nope, partition Europe)"

    for fewer in ((), ("--list", "Newsletter"), ("--partition-name", "Europe")):
        code, said = prep("run", "l.csv", *fewer).error
        assert (code, said.splitlines()[0]) == (1, f"Error: l.prep: {kept}")
    assert uploads(marketo) == 0
    assert prep("run", "l.csv", "--list", "Newsletter", "--partition-name", "Default").code == 0


@pytest.mark.parametrize("limit", [(), ("--max-rejected", "50%")])
def test_a_run_that_was_stopped_while_cleaning_keeps_its_list(
    prep: Prep, leads: Path, marketo: Sandbox, monkeypatch: pytest.MonkeyPatch, limit: tuple[str, ...]
) -> None:
    wanted = ("run", "leads.csv", "--list-id", 1001, *limit)
    other = ("run", "leads.csv", "--list", "Newsletter", "--partition-name", "Europe", *limit)
    for arguments in (wanted, other):
        ended = stopped_while_cleaning(prep, monkeypatch, *arguments)
        assert (ended.code, ended.err) == (130, "Interrupted. prep resume leads.prep carries on.\n")

    assert prep("resume", "leads.prep").code == 3
    assert uploads(marketo) == 1
    assert prep("submit", "leads.prep").code == 3

    said = f"leads.prep: sent to {host(marketo)}, list Newsletter, partition Europe; finished"
    assert prep("report", "leads.prep").out.splitlines()[0] == said
    assert (len(marketo.members(1002)), len(marketo.members(1001)), uploads(marketo)) == (2, 0, 1)


def test_resuming_heeds_the_limit_that_the_run_was_given(
    prep: Prep, leads: Path, marketo: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_while_cleaning(prep, monkeypatch, "run", "leads.csv", "--max-rejected", "10%")

    ended = prep("resume", "leads.prep")

    assert (ended.code, ended.out.splitlines()[:2]) == (
        3,
        [
            "leads.prep: clean; nothing was sent yet",
            "Nothing is sent: 1 of 4 rows were rejected, more than --max-rejected 10% allows.",
        ],
    )
    assert (prep("resume", "leads.prep").code, uploads(marketo)) == (3, 0)
    assert prep("submit", "leads.prep").out.startswith("leads.prep: sent to")
    assert uploads(marketo) == 1


def test_a_submission_that_was_refused_before_its_first_upload_is_resumed_where_it_was_to_go(
    prep: Prep, leads: Path, marketo: Sandbox
) -> None:
    prep("clean", "leads.csv")
    where = ("--list", "Newsletter", "--partition-name")
    assert prep("submit", "leads.prep", *where, "Nope").code == 4

    assert (prep("resume", "leads.prep").code, uploads(marketo)) == (4, 0)
    assert prep("submit", "leads.prep", "--partition-name", "Europe").code == 3
    said = f"leads.prep: sent to {host(marketo)}, list Newsletter, partition Europe; finished"
    assert prep("report", "leads.prep").out.splitlines()[0] == said


def test_what_carries_a_refused_rehearsal_on_is_a_rehearsal(
    prep: Prep, leads: Path, marketo: Sandbox
) -> None:
    prep("clean", "leads.csv")

    ended = prep("submit", "leads.prep", "--sandbox", "--list", "Nope")

    assert ended.code == 4
    assert ended.err.endswith("prep submit leads.prep --sandbox --list-id N carries on.\n")
    assert uploads(marketo) == 0


def test_a_rehearsal_takes_no_run_over(
    prep: Prep, leads: Path, marketo: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_while_cleaning(prep, monkeypatch, "run", "leads.csv", "--list-id", 1001)

    code, said = prep("run", "leads.csv", "--sandbox", "--list-id", 1001, "--max-rejected", "50%").error

    assert (code, "was made for another destination" in said) == (1, True)


def test_hints_of_a_rehearsal_stay_in_the_sandbox(prep: Prep, leads: Path, marketo: Sandbox) -> None:
    missing = prep("run", "leads.csv", "--sandbox", "--list", "Nope", "-o", "a.prep").error[1]
    refused = prep(
        "run", "leads.csv", "--sandbox", "--list-id", 1002, "--max-rejected", 0, "-o", "b.prep"
    ).out

    assert "prep submit a.prep --sandbox --list-id N carries on." in missing
    assert "  prep submit b.prep --sandbox --max-rejected 1  sends 2 rows in 1 file\n" in refused
    assert marketo.requests() == []


@pytest.mark.parametrize("again", ["run leads.csv --list-id 1001", "submit leads.prep --list-id 1001"])
def test_a_limit_holds_for_a_run_that_was_to_be_sent_before(
    prep: Prep, leads: Path, marketo: Sandbox, again: str
) -> None:
    assert prep("run", "leads.csv", "--list", "Nope").code == 4

    refused = prep(*again.split(), "--max-rejected", 0)

    assert refused.code == 3
    assert "  prep submit leads.prep --max-rejected 1  sends 2 rows in 1 file\n" in refused.out
    assert prep("resume", "leads.prep").out.splitlines()[0] == "leads.prep: clean; nothing was sent yet"
    assert uploads(marketo) == 0


def test_a_limit_is_too_late_for_a_run_that_is_finished(prep: Prep, leads: Path, marketo: Sandbox) -> None:
    assert prep("run", "leads.csv").code == 3

    for command in ("run leads.csv", "submit leads.prep"):
        late = prep(*command.split(), "--max-rejected", 0)
        assert late.out.splitlines()[1] == "This run was finished before: nothing was sent now."
    assert uploads(marketo) == 1


def test_a_run_that_its_limit_allowed_is_carried_on(
    prep: Prep, leads: Path, marketo: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, marketo.url, secret="wrong")
    assert prep("run", "leads.csv", "--list-id", 1002, "--max-rejected", "50%").code == 4
    connect(monkeypatch, marketo.url)

    assert prep("resume", "leads.prep").code == 3
    assert len(marketo.members(1002)) == 2


def test_an_interrupted_retry_is_named_itself_and_keeps_the_list(
    prep: Prep, leads: Path, marketo: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    prep("run", "leads.csv", "--list", "Newsletter", "--max-rejected", 0)
    rejected = leads.parent / "leads.prep/rejected.csv"
    rejected.write_text(rejected.read_text().replace("not-an-address", "nemo@example.com"))

    ended = stopped_while_cleaning(prep, monkeypatch, "retry", "leads.prep")

    assert (ended.code, ended.err) == (130, "Interrupted. prep resume leads-retry1.prep carries on.\n")
    assert prep("resume", "leads-retry1.prep").out.splitlines()[0].endswith("nothing was sent yet")
    assert prep("submit", "leads-retry1.prep").code == 0
    assert len(marketo.members(1002)) == 1


def test_every_row_rejected(prep: Prep, here: Path, marketo: Sandbox) -> None:
    written(here / "bad.csv", "email,firstName\nnobody,A\n,B\n")

    ended = prep("run", "bad.csv", "--allow-rejects")

    assert ended.code == 3
    assert ended.out.splitlines()[:3] == [
        "bad.prep: clean; there is nothing to send",
        "2 rows read",
        "          2  rejected    broke a rule or could not be read; not sent",
    ]
    assert marketo.requests() == []
    assert {"manifest.json", "rejected.csv", "rows.parquet", "report.json"} <= set(names(here / "bad.prep"))


def test_max_rejected_stops_before_the_network(prep: Prep, leads: Path, marketo: Sandbox) -> None:
    ended = prep("run", "leads.csv", "--max-rejected", "10%", "--json")

    said = "Nothing is sent: 1 of 4 rows were rejected, more than --max-rejected 10% allows."
    assert (ended.code, ended.json["exit_code"]) == (3, 3)
    assert ended.err.splitlines()[:2] == ["leads.prep: clean; nothing was sent yet", said]
    assert "  prep submit leads.prep --max-rejected 1  sends 2 rows in 1 file\n" in ended.err
    assert ended.json == stored("leads.prep")
    assert prep("submit", "leads.prep", "--max-rejected", 0).code == 3
    assert prep("resume", "leads.prep").code == 3  # would send, had the run been let through
    assert marketo.requests() == []
    assert prep("run", "leads.csv", "--max-rejected", "25%").out.startswith("leads.prep: sent to")
    assert uploads(marketo) == 1


BOUNDED = [("clean", "leads.csv"), ("run", "leads.csv"), ("submit", "leads.prep")]


@pytest.mark.usefixtures("leads")
@pytest.mark.parametrize("command", BOUNDED)
@pytest.mark.parametrize(
    ("options", "found"),
    [({"faults": ["lost-reply"]}, (6, "unknown")), ({"job_seconds": 600}, (5, "sent"))],
)
def test_a_bound_that_comes_late_does_not_hide_what_is_unknown_or_under_way(
    prep: Prep,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    found: tuple[int, str],
    command: tuple[str, str],
) -> None:
    code, fate = found
    with Sandbox(**options) as running:
        connect(monkeypatch, running.url)
        assert prep("run", "leads.csv", "--no-wait").code == code
        ended = prep(*command, "--max-rejected", 0, "--json")
    said = "Nothing more is sent: 1 of 4 rows were rejected, more than --max-rejected 0 allows."
    assert (ended.code, ended.json["exit_code"], ended.err.splitlines()[1]) == (code, code, said)
    assert ended.json["counts"][fate] == 2
    assert ended.json == stored("leads.prep")


@pytest.mark.parametrize("command", BOUNDED)
def test_where_prep_toml_has_the_bound_the_command_that_is_proposed_sends(
    prep: Prep, leads: Path, marketo: Sandbox, command: tuple[str, str]
) -> None:
    if command[0] == "submit":
        prep("clean", "leads.csv")
    Path("prep.toml").write_text("max_rejected = 0\n")
    refused = prep(*command)
    assert refused.code == 3
    (proposed,) = re.findall(r"prep (submit leads\.prep.*?)  sends 2 rows", refused.out + refused.err)
    prep(*proposed.split())
    assert uploads(marketo) == 1


@pytest.mark.parametrize("leave", [("--no-wait",), ("--timeout", "0")])
def test_leaving_early_and_carrying_on(
    prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch, leave: tuple[str, ...]
) -> None:
    written(here / "l.csv", CLEAN)
    with Sandbox(job_seconds=60, time_scale=0) as marketo:
        connect(monkeypatch, marketo.url)
        left = prep("run", "l.csv", *leave)

        assert left.code == 5
        assert left.out == (
            f"l.prep: sent to {host(marketo)}; Marketo is at work\n"
            "2 rows read\n"
            "          2  sent        with Marketo, no outcome yet\n"
            "\n"
            "Next\n"
            "  prep resume l.prep         carries on from where it stopped; nothing is sent twice\n"
            "  prep status l.prep         the jobs and how far they are\n"
            "  prep report l.prep --json  these numbers, for a program\n"
        )
        status = prep("status", "l.prep")
        assert (status.code, status.out) == (
            5,
            f"l.prep: with Marketo, target {host(marketo)}\n"
            "  chunks/leads-0001.csv  batch 1001  queued, batch id expires in 7.0 days\n",
        )
        assert prep("resume", "l.prep", *leave).code == 5
        assert prep("report", "l.prep").code == 5
        marketo.advance(120)
        assert prep("resume", "l.prep").code == 0
        assert uploads(marketo) == 1
        assert prep("status", "l.prep", "--json").json["exit_code"] == 0


def test_the_sandbox_of_a_folder_goes_on_where_it_was_left(prep: Prep, leads: Path) -> None:
    assert prep("run", "leads.csv", "--sandbox", "--no-wait").code == 5
    assert prep("resume", "leads.prep").out == SUMMARY.format(
        source="leads.csv", target="the local sandbox", place="the local sandbox", note=""
    )


def many(here: Path) -> None:
    """A file that makes three chunks of the smallest size."""
    rows = "".join(f"person{number}@example.com,{'x' * 200}\n" for number in range(9))
    written(here / "many.csv", f"email,company\n{rows}")


def test_a_refusal_leaves_the_rest_ready(prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many(here)
    with Sandbox(job_seconds=0, faults=[SECOND_REFUSED]) as marketo:
        connect(monkeypatch, marketo.url)
        ended = prep("run", "many.csv", "--max-bytes", 1200, "--list-id", 1001, "--json")

        assert ended.code == 4
        counts = ended.json["counts"]
        assert counts["imported"] > 0
        assert counts["ready"] > 0
        assert counts["imported"] + counts["ready"] == 9
        assert ended.json["error"]["hint"]
        assert "prep resume" in ended.json["error"]["hint"]
        assert ended.json == stored("many.prep")
        assert ended.err.count("\n") == 2
        assert prep("status", "many.prep").code == 4
        for command in (
            ("status", "many.prep"),
            ("status", "many.prep", "none.prep"),
            ("report", "many.prep"),
        ):
            answer = prep(*command, "--json").json
            assert (answer["exit_code"], answer["error"]["code"]) == (4, "sending_stopped")
            assert answer["error"]["hint"] == "prep resume many.prep carries on."
        report = prep("report", "many.prep")
        assert report.code == 4
        assert report.out.splitlines()[0] == f"many.prep: sent in part to {host(marketo)}, list 1001"
        assert "Next\n  prep resume many.prep         carries on from where it stopped;" in report.out


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_waiting_for_marketo_is_told_line_by_line(
    prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch, quiet: tuple[str, ...]
) -> None:
    written(here / "l.csv", CLEAN)
    with Sandbox(job_seconds=0, faults=["system-error:2"]) as marketo:
        connect(monkeypatch, marketo.url)
        ended = prep("run", "l.csv", *quiet)
    assert ended.code == 0
    lines = [line.partition("; trying again in ") for line in ended.err.splitlines()]
    assert len(lines) == (0 if quiet else 2)
    assert all("code 611" in what and float(how_long.removesuffix(" s")) >= 0 for what, _, how_long in lines)


def test_a_queue_that_others_fill_is_no_refusal(
    prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(here / "l.csv", CLEAN)
    with Sandbox(job_seconds=0, faults=["queue-full:1"]) as marketo:
        connect(monkeypatch, marketo.url)

        ended = prep("run", "l.csv", "--no-wait", "--json")

        assert (ended.code, ended.json["counts"]["ready"]) == (5, 2)
        assert ended.err.splitlines()[1].startswith("Other imports fill Marketo's queue")
        assert ended.json == stored("l.prep")
        assert prep("resume", "l.prep").code == 0


def test_an_unknown_outcome(prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(here / "l.csv", CLEAN)
    with Sandbox(job_seconds=0, faults=["lost-reply:1"]) as marketo:
        connect(monkeypatch, marketo.url)

        ended = prep("run", "l.csv")

        assert ended.code == 6
        assert ended.out.splitlines()[:6] == [
            f"l.prep: sent to {host(marketo)}; not every outcome is known",
            "2 rows read",
            "          2  unknown     nobody can tell; never counted as success",
            "",
            "Outcome unknown: look in Marketo whether these rows arrived; "
            "they are not sent again by themselves",
            ended.out.splitlines()[5],
        ]
        assert ended.out.splitlines()[5].startswith("  chunks/leads-0001.csv: ")
        for command in ("resume", "report", "status"):
            assert prep(command, "l.prep").code == 6
        assert uploads(marketo) == 1


def test_status_of_several_folders_ends_with_the_gravest(
    prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(here / "clean.csv", CLEAN)
    many(here)
    prep("clean", "clean.csv")
    with Sandbox(job_seconds=60, time_scale=0) as marketo:
        connect(monkeypatch, marketo.url)
        prep("run", "clean.csv", "-o", "five.prep", "--no-wait")
    with Sandbox(job_seconds=0, faults=[SECOND_REFUSED]) as marketo:
        connect(monkeypatch, marketo.url)
        prep("run", "many.csv", "-o", "four.prep", "--max-bytes", 1200)
    with Sandbox(job_seconds=0, faults=["lost-reply:1"]) as marketo:
        connect(monkeypatch, marketo.url)
        prep("run", "clean.csv", "-o", "six.prep")

    def code(*folders: str) -> int:
        ended = prep("status", *(f"{folder}.prep" for folder in folders), "--json")
        assert ended.json["exit_code"] == ended.code
        assert len(ended.json["runs"]) == len(folders)
        return ended.code

    assert [code("clean"), code("five"), code("four"), code("six")] == [0, 5, 4, 6]
    assert code("clean", "five") == 5
    assert code("five", "four", "clean") == 4
    assert code("four", "six", "five") == 6


def test_warned_and_failed_rows(prep: Prep, here: Path) -> None:
    leads = "email,firstName\nshared.mailbox@example.com,A\n_b@example.com,B\nc@example.com,C\n"
    written(here / "l.csv", leads)

    ended = prep("run", "l.csv", "--sandbox")

    assert ended.code == 3
    numbers, _, said = ended.out.partition("\nWhat Marketo said of rows\n")
    assert numbers == (
        "l.prep: sent to the local sandbox; finished\n"
        "3 rows read\n"
        "          1  imported    taken by the local sandbox\n"
        "          1  warned      taken by the local sandbox, with a warning\n"
        "          1  failed      refused by the local sandbox\n"
    )
    assert said.count("\n          1  ") + said.startswith("          1  ") == 2
    assert said.endswith(
        "\n"
        "Tables\n"
        "  l.prep/failed.csv    every row that the local sandbox refused, with its message\n"
        "  l.prep/warnings.csv  every row that was taken with a warning, with its message\n"
        "\n"
        "Next\n"
        "  prep review l.prep     shows rejected and failed rows on a local page, to repair them\n"
        "  prep retry l.prep      a new run of failed rows, and of rejected rows that were corrected\n"
        "  prep reconcile l.prep  fetches failures and warnings again and joins them anew\n"
    )
    assert prep("run", "l.csv", "--sandbox", "--allow-rejects").code == 0


def test_a_damaged_ledger_stops_before_anything_is_sent(prep: Prep, here: Path, marketo: Sandbox) -> None:
    written(here / "l.csv", CLEAN)
    prep("run", "l.csv")
    asked = len(marketo.requests())
    ledger = here / "l.prep/ledger.sqlite"
    ledger.write_bytes(ledger.read_bytes()[:5000])

    for command in ("submit", "resume", "report", "status"):
        ended = prep(command, "l.prep", "--json")
        assert (ended.code, ended.json["error"]["code"]) == (1, "damaged_ledger"), command
    ledger.unlink()
    assert prep("resume", "l.prep", "--json").json["error"]["code"] == "missing_ledger"
    assert len(marketo.requests()) == asked


def test_a_changed_chunk_and_a_changed_source(prep: Prep, here: Path, marketo: Sandbox) -> None:
    written(here / "l.csv", CLEAN)
    prep("clean", "l.csv")
    shutil.copytree(here / "l.prep", here / "copy.prep")
    (here / "copy.prep/chunks/leads-0001.csv").write_text("email\nx@example.com\n")

    ended = prep("submit", "copy.prep", "--json")
    assert (ended.code, ended.json["error"]["code"]) == (1, "chunk_changed")
    written(here / "l.csv", CLEAN.replace("Ada", "Eda"))
    ended = prep("submit", "l.prep", "--json")
    assert (ended.code, ended.json["error"]["code"]) == (1, "source_changed")
    assert uploads(marketo) == 0


def test_a_full_disk_while_sending_is_no_promise_that_nothing_was_sent(
    program: Prep, prep: Prep, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(
        f"person-{number * 7919 % 100003}@example.com,{number * 104729}\n" for number in range(9000)
    )
    written(here / "l.csv", f"email,company\n{rows}")
    prep("clean", "l.csv")
    with Sandbox(job_seconds=0, behaviour=Behaviour(window_calls=10_000)) as marketo:
        connect(monkeypatch, marketo.url)
        full = program("submit", "l.prep", "--json", before=("prlimit", "--fsize=40000"))

        assert uploads(marketo) == 1
        assert (full.code, full.json["error"]["code"]) == (4, "no_space")
        assert full.json["error"]["hint"].endswith("prep resume l.prep carries on.")
        assert prep("resume", "l.prep").code == 0
        assert uploads(marketo) == 1
        assert len(marketo.leads()) == 9006


def test_an_interrupted_clean_is_carried_on_up_to_its_goal(prep: Prep, leads: Path, marketo: Sandbox) -> None:
    """The state that a crash leaves: the manifest has its name, nothing else has."""
    prep("run", "leads.csv", "--no-wait", "--timeout", 0)
    folder = leads.parent / "leads.prep"
    raw = json.loads((folder / "manifest.json").read_text())
    shutil.rmtree(folder)
    folder.mkdir()
    written(folder / "manifest.json", json.dumps({**raw, "cleaned": None, "has_ledger": False}))

    for command in ("submit", "report", "reconcile"):
        assert prep(command, "leads.prep").error == (
            1,
            "Error: leads.prep: cleaning was interrupted\nHint: prep resume leads.prep carries on.\n",
        )
    assert prep("status", "leads.prep").out == (
        "leads.prep: cleaning was interrupted; prep resume leads.prep carries on\n"
    )
    assert prep("resume", "leads.prep").out == SUMMARY.format(
        source="leads.csv", target=host(marketo), place="Marketo", note=""
    )


def test_a_sandbox_file_that_is_damaged(prep: Prep, leads: Path) -> None:
    prep("run", "leads.csv", "--sandbox", "--no-wait")
    (leads.parent / "leads.prep/sandbox.sqlite").write_bytes(b"no database" * 1000)

    ended = prep("resume", "leads.prep", "--json")

    assert (ended.code, ended.json["error"]["code"]) == (1, "bad_state_file")


def test_an_upload_that_is_too_large_advises_no_new_run_where_rows_were_sent(
    here: Path, monkeypatch: pytest.MonkeyPatch, prep: Prep
) -> None:
    """As behind a gateway that takes less than Marketo: the first file, without phones, goes through."""
    rows = ["a@example.com,", *(f"b{number}@example.com,+34 600 123 45{number}" for number in range(9))]
    written(here / "leads.csv", "\n".join(["email,phone", *rows, ""]))
    prep("clean", "leads.csv", "--blanks", "omit")
    with Sandbox(job_seconds=0, behaviour=Behaviour(max_body_bytes=450)) as sandbox:
        connect(monkeypatch, sandbox.url)
        for _ in range(2):
            ended = prep("submit", "leads.prep")
            assert (ended.code, ended.err.splitlines()[-2:]) == (
                4,
                [
                    "Error: POST /bulk/v1/leads.json: Marketo answered with HTTP 413: "
                    "the upload is too large",
                    "Hint: Have the limit of Marketo or of a proxy raised; or, only if nothing of the run "
                    "was sent yet, clean again with a smaller --max-bytes. "
                    "prep resume leads.prep carries on.",
                ],
            )
        assert [job.status for job in sandbox.jobs()] == ["Complete"]


@pytest.mark.parametrize("quiet", [False, True])
def test_a_full_queue_is_told_once_while_it_is_waited_for(
    here: Path, monkeypatch: pytest.MonkeyPatch, prep: Prep, *, quiet: bool
) -> None:
    written(here / "leads.csv", CLEAN)
    with Sandbox(job_seconds=0, faults=["queue-full:3"]) as sandbox:
        connect(monkeypatch, sandbox.url)
        ended = prep("run", "leads.csv", *["--quiet"] * quiet)
        assert uploads(sandbox) == 4
    why = "POST /bulk/v1/leads.json: Marketo answered with code 1016: the import queue is full"
    assert (ended.code, ended.err) == (0, "" if quiet else f"{why}; trying again in 0.1 s\n")
