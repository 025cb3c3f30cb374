"""A secret and a token, marked with a canary, must turn up nowhere, whatever goes wrong."""

import itertools
import logging
import os
import random
import shutil
import subprocess
import sys
import time
import traceback
from pathlib import Path
from types import SimpleNamespace

import pytest

from prep.errors import MarketoError
from prep.folder import RunFolder
from prep.limits import POLL_SECONDS
from prep.marketo import Marketo
from prep.pipeline import Run, submit
from prep.sandbox import Behaviour, Fault, FaultKind, Sandbox
from prep.sandbox.faults import Phase, Place
from tests.crash.journal import prepare_instance

CANARY = "tweety7canary"
SECRET = f"{CANARY}-secret"
SETTLED = {0, 3, 6}

PROGRAM = """
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
from prep.cli import main
main()
"""


@pytest.fixture
def marked_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count()
    marked = SimpleNamespace(uuid4=lambda: f"{CANARY}-token-{next(numbers)}")
    monkeypatch.setattr("prep.sandbox.state.uuid", marked)


@pytest.fixture
def folder(templates: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(templates["csv"], tmp_path / "leads.prep"))


def _assert_absent(folder: Path) -> None:
    """No file of the run folder holds it, in any of the ways in which a text can be stored."""
    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for spelling in (CANARY, CANARY.upper()):
            assert spelling.encode() not in content, path
            assert spelling.encode("utf-16-le") not in content, path


@pytest.mark.usefixtures("marked_tokens")
def test_a_run_with_faults_in_a_process_of_its_own(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    faults = ("system-error", "token-invalid:2", "token-expired:4", "broken-json:5", "file-502")
    with Sandbox(client_secret=SECRET, job_seconds=0, faults=faults) as sandbox:
        prepare_instance(sandbox)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("MARKETO_")
        } | {
            "MARKETO_ENDPOINT": sandbox.url,
            "MARKETO_CLIENT_ID": "id",
            "MARKETO_CLIENT_SECRET_FILE": str(secret),
            "PREP_DEBUG": "1",
        }
        command = [sys.executable, "-c", PROGRAM, "submit", str(folder), "--yes", "--poll-seconds", "0.1"]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
        )
        listed = _watch(process)
        out, err = process.communicate(timeout=120)
        assert [token for (token,) in sandbox._state.database.rows("SELECT token FROM tokens")] != []
        answered = {request.code or request.status for request in sandbox.requests()}

    assert process.returncode in SETTLED, err.decode()
    assert {"601", "602", "611", 502} <= answered, "the faults struck"
    assert b"DEBUG:urllib3" in err, "the log was on"
    assert CANARY.encode() not in out + err
    assert listed > 0
    _assert_absent(folder)


def _watch(process: "subprocess.Popen[bytes]") -> int:
    """Read what the system tells of a process, again and again while it lives; return how often."""
    looks = 0
    while process.poll() is None and looks < 10_000:
        for name in ("cmdline", "environ", "comm"):
            try:
                told = Path(f"/proc/{process.pid}/{name}").read_bytes()
            except OSError:
                continue
            assert CANARY.encode() not in told, name
        looks += 1
        time.sleep(0.01)
    return looks


REFUSED = [
    *(Fault(kind=kind) for kind in FaultKind if kind.phase is not Phase.FILE),
    *(
        Fault(kind=kind, place=place, times=50)
        for kind in (FaultKind.BROKEN_JSON, FaultKind.HTTP_502, FaultKind.LOST_REPLY, FaultKind.HTML_REPLY)
        for place in (Place.IDENTITY, Place.STATUS, Place.FAILURES)
    ),
]


@pytest.mark.usefixtures("marked_tokens")
@pytest.mark.parametrize("fault", REFUSED, ids=lambda fault: f"{fault.kind}-{fault.place}")
def test_no_traceback_and_no_log_record_has_it(
    tmp_path: Path, fault: Fault, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest
) -> None:
    caplog.set_level(logging.DEBUG)
    folder = request.getfixturevalue("folder")
    told = []
    with Sandbox(
        client_secret=SECRET, time_scale=0, job_seconds=4, faults=[fault], behaviour=Behaviour()
    ) as sandbox:
        client = Marketo(
            sandbox.url,
            "id",
            SECRET,
            clock=lambda: sandbox.now,
            now=lambda: sandbox.now,
            sleep=sandbox.advance,
            jitter=random.Random(0),  # noqa: S311
        )
        try:
            submit(
                Run(RunFolder(folder)),
                client,
                poll_seconds=POLL_SECONDS,
                clock=lambda: sandbox.now,
                sleep=sandbox.advance,
            )
        except MarketoError as error:
            told = traceback.format_exception(error)
            told += [str(error), repr(error), repr(error.facts), repr(client), repr(vars(error))]

    assert CANARY not in "".join(told)
    assert CANARY not in caplog.text
    assert CANARY not in repr([vars(record) for record in caplog.records])
    _assert_absent(folder)


@pytest.mark.usefixtures("marked_tokens")
def test_a_defect_in_the_middle_of_a_call_shows_nothing(folder: Path) -> None:
    """Even a traceback that shows every local variable of our own frames in the transport hides them."""

    def fail(_: object) -> None:
        raise RuntimeError("a defect")

    with Sandbox(client_secret=SECRET, time_scale=0) as sandbox:
        client = Marketo(sandbox.url, "id", SECRET)
        with pytest.raises(RuntimeError) as caught:
            submit(Run(RunFolder(folder)), client, sleep=fail)
    plain = "".join(traceback.format_exception(caught.value))
    detailed = traceback.TracebackException.from_exception(caught.value, capture_locals=True)

    assert CANARY not in plain
    ours = [frame for frame in detailed.stack if os.sep + "prep" + os.sep in frame.filename]
    assert ours
    assert CANARY not in repr([frame.locals for frame in ours])
