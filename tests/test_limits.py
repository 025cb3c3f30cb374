"""The client and the sandbox read Marketo's numbers from its pages independently; here they meet."""

from prep import limits
from prep.sandbox import Behaviour


def test_client_and_sandbox_agree_on_marketos_numbers() -> None:
    behaviour = Behaviour()
    assert (
        limits.MAX_BODY_BYTES,
        limits.JOBS_QUEUED,
        limits.JOBS_RUNNING,
        limits.BATCH_ID_DAYS,
        limits.CALLS_PER_WINDOW,
        limits.CALL_WINDOW_SECONDS,
        limits.CALLS_CONCURRENT,
        limits.TOKEN_SECONDS,
    ) == (
        behaviour.max_body_bytes,
        behaviour.queue_jobs,
        behaviour.running_jobs,
        behaviour.batch_days,
        behaviour.window_calls,
        behaviour.window_seconds,
        behaviour.concurrent_calls,
        behaviour.token_seconds,
    )
