"""The page over HTTP: who is let in, what is sent with it, what it answers."""

import json
from typing import Any

import pytest

import prep
from prep.errors import FolderError, SettingsError
from prep.pipeline import Run
from prep.review import serve
from prep.review.application import HEADER
from prep.review.desk import Desk

from .conftest import Client, served

PATHS = ["/", "/static/review.js", "/static/report.css", "/static/tabulator.min.js"]
PATHS += ["/api/state", "/api/rows", "/no"]


def test_only_who_knows_the_token_is_answered(client: Client) -> None:
    for path in PATHS:
        for cookie in (None, client.cookie[:-1], f"x{client.cookie}"):
            assert client.ask(path, cookie=cookie)[0] == 403, path
    assert client.ask("/?token=wrong", cookie=None)[0] == 403
    assert client.ask("/")[0] == 200
    assert client.ask("/no")[0] == 404


USED = """\
This address was opened already, and is good once. The page stays open in the browser that was first.
To open it here, or if that was not you, end prep review with Ctrl-C and run the same command again: \
that gives a new address, and corrections are kept.
"""


def test_the_address_is_good_once(run: Run) -> None:
    """Others on the machine can read it on the command line of the browser, but later than that."""
    with served(run.path, is_entered=False) as client:
        address = f"/?token={client.token}"
        assert client.ask("/?token=wrong", cookie=None)[0] == 403
        status, headers, _ = client.enter()
        assert (status, headers["location"]) == (303, "/")
        assert headers["set-cookie"] == f"{client.cookie}; HttpOnly; Path=/; SameSite=strict"
        assert client.token not in client.cookie

        status, headers, text = client.ask(address, cookie=None)
        assert (status, text, headers.get("set-cookie")) == (403, USED, None)
        assert client.ask("/", cookie=client.cookie.replace(client.key, client.token))[0] == 403
        assert client.ask("/api/undo", {}, **{HEADER: client.token})[0] == 403
        assert client.ask(address)[0] == 303, "reloaded in the browser that was first"


def test_changes_need_the_token_in_a_header(client: Client) -> None:
    edit = {"id": 0, "place": 0, "value": "ana@example.com"}
    assert client.ask("/api/edit", edit, **{HEADER: None})[0] == 403
    assert client.ask("/api/edit", edit, **{HEADER: "wrong"})[0] == 403
    assert client.ask(f"/api/edit?token={client.key}", edit, **{HEADER: None})[0] == 403
    assert client.json("/api/state")["steps"] == {"undo": None, "redo": None}
    assert client.ask("/api/edit", edit, cookie=None)[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost", "127.0.0.1", "127.0.0.1:1"])
def test_a_name_that_points_here_is_refused(client: Client, host: str) -> None:
    for path in PATHS:
        assert client.ask(path, host=host)[0] == 403
    assert client.ask("/api/undo", {}, host=host)[0] == 403


def test_other_pages_are_refused(client: Client) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        assert client.ask("/api/undo", {}, origin=origin)[0] == 403
    status, headers, _ = client.ask("/api/undo", {}, origin=f"http://{client.host}")
    assert status == 200
    assert not [name for name in headers if name.startswith("access-control")]


def test_every_answer_is_guarded(client: Client) -> None:
    for answer in (
        client.ask("/"),
        client.ask("/api/state"),
        client.ask("/no"),
        client.ask("/", cookie=None),
    ):
        _, headers, _ = answer
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
        assert headers["x-content-type-options"] == "nosniff"


def test_the_page_itself_holds_no_script_and_nothing_of_the_run(client: Client) -> None:
    text = client.ask("/")[2]
    assert "leads" not in text
    assert "ana" not in text.replace("analy", "")
    assert all('src="/static/' in part for part in text.split("<script")[1:])


def test_an_edit_answers_with_what_is_still_wrong(client: Client) -> None:
    page = client.json("/api/rows?page=1&size=2&state=open")
    assert (page["last_page"], page["last_row"], len(page["data"])) == (3, 5, 2)
    first, second = page["data"]
    assert first["problems"] == [
        {
            "key": "email:invalid_email",
            "place": 0,
            "field": "email",
            "text": "not a valid email address",
            "remedy": "correct the address: one address in each cell, with a name, an @ and a domain; "
            "one that looks right may hold a letter of another alphabet",
            "suggestions": ["ana@gmail.com"],
        }
    ]
    assert [problem["suggestions"] for problem in second["problems"]] == [["ben@example.org"], ["true"]]
    answer = client.json("/api/edit", {"id": 1, "place": 0, "value": "ben@example.org"})
    assert [problem["key"] for problem in answer["rows"][0]["problems"]] == ["doNotCall:not_boolean"]
    answer = client.json("/api/edit", {"id": 1, "place": 2, "value": "true"})
    assert (answer["rows"][0]["state"], answer["rows"][0]["changed"]) == ("repaired", [0, 2])
    assert answer["state"]["counts"]["repaired"] == 1


def test_rows_that_are_read_again_carry_on_with_the_corrections(client: Client) -> None:
    corrected = client.json("/api/edit", {"id": 0, "place": 0, "value": "ana@example.com"})["state"]
    again = client.json("/api/reload", {})["state"]
    assert (again["counts"], again["steps"]) == (corrected["counts"], corrected["steps"])


def test_making_a_run_names_folder_and_command(client: Client, run: Run) -> None:
    status, _, text = client.ask("/api/run", {})
    assert (status, json.loads(text)["error"]["code"]) == (409, "nothing_to_retry")
    client.json("/api/edit", {"id": 0, "place": 0, "value": "ana@example.com"})
    made = client.json("/api/run", {})["run"]
    assert (made["folder"], made["command"]) == ("leads-retry1.prep", "prep submit leads-retry1.prep")
    assert (made["counts"]["read"], made["counts"]["ready"]) == (1, 1)
    assert "leads-retry1.prep" in client.json("/api/state")["notices"][0]
    assert run.counts["rejected"] == 5


def test_nonsense_is_refused_without_a_change(client: Client) -> None:
    for path, body in (
        ("/api/edit", {"id": "0", "place": 0, "value": "x"}),
        ("/api/edit", {"id": 0, "place": 0, "value": 1}),
        ("/api/fill", {"place": 0, "value": "x"}),
        ("/api/replace", {"view": {"state": "?"}, "place": 0, "find": "a", "value": "b"}),
    ):
        assert client.ask(path, body)[0] == 400
    assert client.ask("/api/edit", {"id": 99, "place": 0, "value": "x"})[0] == 409
    assert client.ask("/api/rows?page=x")[0] == 400
    assert client.json("/api/state")["steps"]["undo"] is None


MISREAD = {"error": {"message": "prep did not understand the page; reload it."}}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/edit", b"{"),
        ("/api/edit", b"\xff"),
        ("/api/edit", b"[" * 100_000),
        ("/api/edit", b"[]"),
        ("/api/edit", {"id": 0, "place": 0, "value": "\ud800"}),
        ("/api/edit", {"id": 10**20, "place": 0, "value": "x"}),
        ("/api/edit", {"id": 0, "place": 10**20, "value": "x"}),
        ("/api/edit", {"id": -1, "place": 0, "value": "x"}),
        ("/api/leave", {"id": 99}),
        ("/api/edit", {"id": 0, "place": 99, "value": "x"}),
        ("/api/fill", {"view": {}, "place": 99, "value": "x"}),
        ("/api/replace", {"view": {}, "place": 99, "find": "a", "value": "b"}),
        ("/api/fill", {"view": {"place": "99"}, "place": 0, "value": "x"}),
        ("/api/fill", {"view": {"state": ["open"]}, "place": 0, "value": "x"}),
        ("/api/fill", {"view": {"reason": ["a"]}, "place": 0, "value": "x"}),
        ("/api/rows?sort=99", None),
        ("/api/rows?place=-1&text=x", None),
        ("/api/rows?page=99999999999999999999", None),
        (f"/api/rows?page={'9' * 5000}", None),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(
    client: Client, path: str, body: dict[str, Any] | bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    status, _, text = client.ask(path, body)
    assert (status, json.loads(text), caplog.text) == (400, MISREAD, "")
    assert client.json("/api/state")["steps"]["undo"] is None


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_defect_shows_its_traceback_on_demand_only(
    client: Client, debug: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("ana@example.com")

    monkeypatch.setattr(Desk, "undo", fail)
    monkeypatch.setenv("PREP_DEBUG", debug)
    status, _, text = client.ask("/api/undo", {})
    message = "prep met a defect of its own. PREP_DEBUG=1 shows more, which may hold values of your file."
    assert (status, json.loads(text)) == (500, {"error": {"message": message}})
    assert client.ask("/api/state")[0] == 200
    assert ("ana@example.com" in caplog.text, "Traceback" in caplog.text) == (bool(debug), bool(debug))


def test_a_second_page_of_one_run_is_refused(client: Client, run: Run) -> None:
    with pytest.raises(FolderError) as raised:
        serve(run.path, ready=lambda _: None)
    assert raised.value.code == "folder_in_use"


def test_a_port_that_is_taken_is_told(client: Client, run: Run) -> None:
    other = prep.clean("leads.csv", "other.prep", schema="mine.toml", maps={"Do Not Call": "doNotCall"})
    with pytest.raises(SettingsError, match="is taken"):
        serve(other.path, ready=lambda _: None, port=int(client.host.rpartition(":")[2]))


def test_the_next_page_begins_where_the_last_one_ended(run: Run) -> None:
    with served(run.path) as client:
        client.json("/api/edit", {"id": 0, "place": 0, "value": "ana@example.com"})
        token = client.token
    with served(run.path) as client:
        assert client.token != token
        assert client.json("/api/state")["counts"]["repaired"] == 1
        assert client.json("/api/undo", {})["state"]["counts"]["repaired"] == 0
