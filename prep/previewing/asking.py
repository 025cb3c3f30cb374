"""Look-ups: one batch of keys after the other, within a bound of calls, each answer kept as it comes."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from prep.errors import SettingsError, TerminalError
from prep.marketo.codes import NOT_ANSWERABLE
from prep.model import Exchange
from prep.previewing.answers import Answer, Answers
from prep.previewing.questions import Questions

if TYPE_CHECKING:
    from prep.marketo import Marketo

_MOST_REFUSALS: Final = 3
"""Keys that Marketo refuses one by one, before it answered anything: then it is not the keys."""


class Budget:
    """Counts calls, and ends a preview before it makes more than it may.

    Args:
        most: Calls that may be made.
    """

    def __init__(self, most: int) -> None:
        self.calls = 0
        self.most = most

    def note(self, exchange: Exchange) -> None:
        """Count a call; asking for a token is none."""
        self.calls += not exchange.path.startswith("/identity/")

    def require(self) -> None:
        """Refuse the next look-up if no call is left.

        Raises:
            SettingsError: None is left.
        """
        if self.calls >= self.most:
            raise SettingsError(
                f"{self.calls:,} API calls were made, and --max-calls allows no more",
                code="max_calls",
                hint="The same command carries on where it stopped, with as many calls again.",
            )


class Lookups:
    """Asks Marketo about batches of keys.

    Args:
        client: The instance.
        questions: What is asked.
        answers: Where answers are kept.
        budget: The bound of calls.
        now: Seconds since the epoch.
    """

    def __init__(
        self,
        client: "Marketo",
        questions: Questions,
        answers: Answers,
        budget: Budget,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._questions = questions
        self._answers = answers
        self._budget = budget
        self._now = now
        self._has_answer = False

    def ask(self, number: int, keys: list[str]) -> None:
        """Look up the keys of a batch and keep the answer.

        Raises:
            SettingsError: No call is left.
            MarketoError: Marketo refuses or cannot be reached.
        """
        people: list[list[str | None]] = []
        refused: list[str] = []
        waiting = [keys] if keys else []
        while waiting:
            asked = waiting.pop()
            try:
                people += self._people(asked)
                self._has_answer = True
            except TerminalError as error:
                if error.code != NOT_ANSWERABLE:
                    raise
                half = len(asked) // 2
                if half:
                    waiting += [asked[half:], asked[:half]]
                    continue
                refused += asked
                if not self._has_answer and len(refused) >= _MOST_REFUSALS:
                    raise
        self._answers.keep(number, Answer(self._now(), people, refused))

    def _people(self, keys: list[str]) -> list[list[str | None]]:
        self._budget.require()
        fields = self._questions.fields
        found = self._client.people(self._questions.lookup_field, keys, fields)
        # Where an answer does not tell its key, there is only one.
        key = [] if self._questions.tells_key else keys
        return [
            [str(person.person_id), *key, *(person.values.get(name) for name in fields)] for person in found
        ]
