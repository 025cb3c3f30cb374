"""Waiting for Marketo's jobs in the triggerer, without a worker."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from itertools import count
from typing import Any, Final

from airflow.triggers.base import BaseTrigger, TriggerEvent

from prep.errors import MarketoError, TerminalError
from prep.integrations.airflow.hook import MarketoHook
from prep.jobs import DENIALS, oldest_and_one
from prep.limits import JOBS_RUNNING
from prep.marketo import Marketo
from prep.marketo.codes import UNKNOWN_BATCH
from prep.model import JobStatus
from prep.objects import LEADS, ImportObject, parse_object

_FINISHED: Final = frozenset({JobStatus.COMPLETE, JobStatus.FAILED})
_PAUSE_GROWTH: Final = 1.25


class MarketoJobsTrigger(BaseTrigger):
    """Fires when Marketo has finished all of these jobs, or some while no other moves, or cannot be asked.

    The event is `{"jobs": {batch id: Marketo's word}, "error": {code, message, …} or null}`. Whoever waits
    looks for itself what is to be done then: the event is no proof of anything.

    Args:
        marketo_conn_id: The connection; its secret is read where the trigger runs and never stored with it.
        batch_ids: The jobs, oldest first. Marketo works on two at a time, so only two are asked about, and
            one of the others in turn while these do not move. With none the trigger fires after one pause:
            the queue was full of others' jobs.
        poll_seconds: Shortest and longest pause between two looks; by default 5 and 30, less with a sandbox.
        import_object: What the rows become, as `--object` says it.
    """

    def __init__(
        self,
        marketo_conn_id: str,
        batch_ids: list[int],
        poll_seconds: tuple[float, float] | None = None,
        import_object: str = str(LEADS),
    ) -> None:
        super().__init__()
        self.marketo_conn_id = marketo_conn_id
        self.batch_ids = list(batch_ids)
        self.poll_seconds = poll_seconds
        self.import_object = import_object

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What it takes to make the trigger again elsewhere; no secret is in it."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "marketo_conn_id": self.marketo_conn_id,
                "batch_ids": self.batch_ids,
                "poll_seconds": list(self.poll_seconds) if self.poll_seconds else None,
                "import_object": self.import_object,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look at the jobs until they are finished; the HTTP calls are made in a thread."""
        states: dict[str, str] = {}
        error: dict[str, Any] | None = None
        try:
            await self._wait(states)
        except MarketoError as found:
            error = found.facts
        yield TriggerEvent({"jobs": states, "error": error})

    async def _wait(self, states: dict[str, str]) -> None:
        waiting, of = list(self.batch_ids), parse_object(self.import_object)
        denials = Counter[int]()
        turns = count()
        with await MarketoHook(self.marketo_conn_id).aget_conn() as client:
            shortest, longest = self.poll_seconds or client.poll_seconds
            pause = shortest
            await asyncio.sleep(pause)
            while waiting:
                is_stuck = pause >= longest
                due = oldest_and_one(waiting, next(turns)) if is_stuck else waiting[:JOBS_RUNNING]
                for batch_id in due:
                    await self._look(client, batch_id, of, states, denials)
                still = [batch_id for batch_id in waiting if states.get(str(batch_id)) not in _FINISHED]
                if is_stuck and len(still) < len(self.batch_ids):
                    break
                pause = min(pause * _PAUSE_GROWTH, longest) if still == waiting else shortest
                waiting = still
                if waiting:
                    await asyncio.sleep(pause)

    async def _look(
        self,
        client: Marketo,
        batch_id: int,
        of: ImportObject,
        states: dict[str, str],
        denials: Counter[int],
    ) -> None:
        """Ask about one job; that it is not known is believed as late as where a worker waits."""
        try:
            record = await asyncio.to_thread(client.job, batch_id, of)
        except TerminalError as error:
            denials[batch_id] += 1
            if error.code != UNKNOWN_BATCH or denials[batch_id] >= DENIALS:
                raise
        else:
            del denials[batch_id]
            states[str(batch_id)] = str(record.status)
