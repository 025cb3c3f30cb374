"""`prep preview` and the way back, on the command line."""

import json
from pathlib import Path

import pytest

from prep.sandbox import Behaviour, Fault, FaultKind, Sandbox
from prep.sandbox.faults import Place

from .conftest import Prep, connect, written

ROWS = """email,firstName,company,unsubscribed
Ada.Winter@example.com,Ada,Winter Clocks Ltd,false
new@example.com,New,,
shared.mailbox@example.com,Gus,Lind,
fay.moss@example.com,,,
not-an-address,Nemo,,
"""


@pytest.fixture
def run(here: Path, prep: Prep) -> str:
    """A run that was cleaned: four rows are ready, one is rejected."""
    written(here / "leads.csv", ROWS)
    assert prep("clean", "leads.csv", "-q", "--allow-protected", "unsubscribed").code == 3
    return "leads.prep"


def test_the_answer_says_what_changes_and_how_to_get_back(run: str, prep: Prep) -> None:
    ended = prep("preview", run, "--sandbox")
    assert (ended.code, ended.err) == (0, "")
    first, *lines = ended.out.splitlines()
    assert first.startswith("leads.prep: what sending it to the local sandbox would change, as of 20")
    assert (
        "\n".join(lines)
        == """\
4 rows in upload files
          1  created     nobody has this email: somebody new comes into being
          2  updated     one person has this email, and would change
          1  several     several people have this email; nobody documents which of them changes

Fields of the people who would change
  field                  changed            filled           cleared  blank over value
  email                        2                 0                 0                 0
  firstName                    0                 0                 0                 1
  company                      1                 0                 0                 0
  unsubscribed                 0                 1                 0                 0  protected
  Whether a blank clears a value is documented nowhere: --blanks omit sends none
  Protected fields decide who may be written to: unsubscribed

Shapes of such values, before and after
  email: aaa.aaaa@aaaaaaa.aaa → aaa.aaaa@aaaaaaa.aaa
  email: aaa.aaaaaa@aaaaaaa.aaa → aaa.aaaaaa@aaaaaaa.aaa
  firstName: aaa → (blank)
  company: aaaaaa aaaaaa → aaaaaa aaaaaa aaa
  unsubscribed: (blank) → aaaaa
  leads.prep/preview.csv has every difference with its values

The way back: leads.prep/restore has 4 people in 3 files, as of now
  prep submit leads.prep/restore --sandbox  puts them back after the import
  1 new person stays: no import can delete anybody"""
    )


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("my leads.prep", "'my leads.prep/restore'"),
        ("-x.prep", "./-x.prep/restore"),
        ("x.prep", "x.prep/restore"),
    ],
)
def test_the_command_of_the_way_back_can_be_typed(here: Path, prep: Prep, name: str, typed: str) -> None:
    written(here / "leads.csv", ROWS)
    prep("clean", "leads.csv", "-q", "--allow-protected", "unsubscribed", f"--out={name}")
    ended = prep("preview", "--sandbox", "--", name)
    assert f"\n  prep submit {typed} --sandbox  puts them back after the import\n" in ended.out


def test_there_and_back_on_the_command_line(run: str, prep: Prep) -> None:
    previewed = prep("preview", run, "--sandbox", "--json", "-q").json
    assert previewed["exit_code"] == 0
    assert previewed["preview"]["restore"] == {
        "people": 4,
        "files": 3,
        "fields": ["email", "firstName", "company", "unsubscribed"],
    }
    sent = prep("submit", run, "--sandbox", "--json", "-q").json
    assert sent["preview"] == previewed["preview"]
    assert "\n  prep submit leads.prep/restore --sandbox  the way back: 4 people" in prep("report", run).out
    back = prep("submit", f"{run}/restore", "--sandbox", "--json", "-q").json
    assert (back["is_restore"], back["parent_run_id"]) == (True, sent["run_id"])
    assert back["counts"]["imported"] == back["counts"]["read"] == 4
    again = prep("submit", f"{run}/restore", "--sandbox")
    assert "This run was finished before: nothing was sent now." in again.out
    assert prep("status", f"{run}/restore").code == 0
    assert prep("reconcile", f"{run}/restore").code == 0
    assert prep("report", f"{run}/restore", "--json", "-q").json["counts"] == back["counts"]
    with Sandbox(Path(run) / "sandbox.sqlite") as sandbox, Sandbox() as untouched:
        passing = {"createdAt", "updatedAt"}
        found, was = (
            [{k: v for k, v in lead.items() if v and k not in passing} for lead in instance.leads()]
            for instance in (sandbox, untouched)
        )
    assert found[:6] == was
    assert len(found) == 7


def test_sending_says_from_when_the_preview_is(run: str, prep: Prep) -> None:
    preview = prep("preview", run, "--sandbox", "--json", "-q").json["preview"]
    last = f"{preview['asked_until'][:10]} {preview['asked_until'][11:16]} UTC"
    said = prep("submit", run, "--sandbox").err.splitlines()
    (note,) = (line for line in said if "previewed" in line)
    assert note.startswith("note: previewed in the local sandbox, 20")
    assert note.endswith(f"{last}; neither it nor the way back knows what changed there since then")
    assert "previewed" not in prep("submit", run, "--sandbox").err  # nothing is left to decide


def test_the_price_is_said_first(run: str, prep: Prep, marketo: Sandbox) -> None:
    ended = prep("preview", run, "--sample", "2")
    host = marketo.url.removeprefix("http://")
    assert ended.code == 0
    assert ended.err == (
        f"Looking up 2 rows in {host}: about 1 API call, at least 0 s; 0.0 % of the 50,000 that are left "
        "today if the quota is the usual 50,000\n"
    )
    assert "An estimate: 2 of 4 rows were looked up" in ended.out
    assert "No way back was made: a sample does not know everybody who would change" in ended.out


def test_too_many_calls_are_refused(
    run: str, prep: Prep, marketo: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREP_MAX_CALLS", "3")
    assert prep("preview", run, "-q").error == (
        1,
        "Error: look-ups still to be made: 1; API calls that --max-calls allows: 3\n"
        "Hint: Allow them with --max-calls 4, or ask about some rows with --sample 1000, which gives an "
        "estimate and no way back.\n",
    )


def test_a_used_up_quota_is_told_with_the_command_that_carries_on(
    run: str, prep: Prep, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [Fault(kind=FaultKind.DAILY_QUOTA, place=Place.OTHER, at=4)]
    with Sandbox(behaviour=Behaviour(window_calls=1_000), faults=faults) as sandbox:
        connect(monkeypatch, sandbox.url)
        refused = prep("preview", run, "--sample", "3", "--json", "-q")
        assert refused.code == 4
        assert (
            refused.err.splitlines()[-1] == "Hint: prep preview --sample 3 leads.prep carries on after that."
        )
        assert refused.json["error"]["code"] == "marketo_607"
        assert prep("preview", run, "--sample", "3", "-q").code == 0


def test_whoever_interrupts_it_is_told_how_to_carry_on(
    run: str, prep: Prep, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("prep.previewing.asking.Lookups.ask", interrupt)
        assert prep("preview", run, "--sandbox").error == (
            130,
            "Interrupted. prep preview leads.prep carries on.\n",
        )
    assert prep("preview", run, "--sandbox", "-q").code == 0


def test_a_run_that_was_sent_is_refused(run: str, prep: Prep) -> None:
    prep("submit", run, "--sandbox", "-q")
    assert prep("preview", run, "--sandbox").error == (
        1,
        "Error: leads.prep: something of this run was sent, so what people had before can no longer be seen\n"
        "Hint: A preview comes before prep submit.\n",
    )


def test_a_field_that_marketo_lacks_is_found_before_anybody_is_looked_up(
    run: str, prep: Prep, marketo: Sandbox
) -> None:
    marketo.remove_field("company")
    ended = prep("preview", run, "-q")
    assert ended.code == 1
    assert "there is no field company" in ended.err
    assert not [request for request in marketo.requests() if request.path == "/rest/v1/leads.json"]


def test_a_masked_report_has_neither_host_nor_samples(run: str, prep: Prep, marketo: Sandbox) -> None:
    prep("preview", run, "-q")
    masked = prep("report", run, "--mask", "--json", "-q").json["preview"]
    assert (masked["target"], masked["samples"]) == ("Marketo", [])
    assert masked["counts"]["updated"] == 2
    page = (Path(run) / "report-masked.html").read_text(encoding="utf-8")
    assert "What it changes" in page
    assert "127.0.0.1" not in page
    kept = json.loads((Path(run) / "report.json").read_text(encoding="utf-8"))["preview"]
    assert len(kept["samples"]) == 5
