"""The client and the sandbox read Marketo's numbers from its pages independently; here they meet."""

from prep import limits
from prep.sandbox import Behaviour
from prep.sandbox.routes import MAX_FILTER_VALUES


def test_client_and_sandbox_agree_on_marketos_numbers() -> None:
    sandbox = Behaviour()
    pairs = {
        "body": (limits.MAX_BODY_BYTES, sandbox.max_body_bytes),
        "queue": (limits.JOBS_QUEUED, sandbox.queue_jobs),
        "running": (limits.JOBS_RUNNING, sandbox.running_jobs),
        "batch id": (limits.BATCH_ID_DAYS, sandbox.batch_days),
        "calls": (limits.CALLS_PER_WINDOW, sandbox.window_calls),
        "window": (limits.CALL_WINDOW_SECONDS, sandbox.window_seconds),
        "concurrent": (limits.CALLS_CONCURRENT, sandbox.concurrent_calls),
        "calls a day": (limits.DAILY_CALLS, sandbox.daily_calls),
        "keys": (limits.LOOKUP_KEYS, MAX_FILTER_VALUES),
        "token": (limits.TOKEN_SECONDS, sandbox.token_seconds),
    }
    assert {name: ours for name, (ours, _) in pairs.items()} == {
        name: its for name, (_, its) in pairs.items()
    }
