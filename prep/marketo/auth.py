"""The access token: fetched late, used as long as it lives, replaced when it is refused."""

from collections.abc import Callable
from typing import Final

from prep.errors import TransientError
from prep.marketo.replies import Grant
from prep.marketo.transport import Secret

_DYING_SECONDS: Final = 5
_ASKED_AT_MOST: Final = 10


class TokenSource:
    """Holds the token of one client.

    Until a token expires, Marketo hands out the same one again, with the life that it has left, to
    everyone who shares the credentials. So a token can be dying when it comes, even with no life at all.
    https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/authentication

    Args:
        ask: Fetches a token from the identity service.
        clock: Monotonic seconds.
        sleep: Waits for a number of seconds.
    """

    def __init__(
        self, ask: Callable[[], Grant], *, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._sleep = sleep
        self._token: Secret | None = None
        self._refused = ""
        self._dies_at = 0.0

    def token(self) -> Secret:
        """Return a living token, fetching one if need be.

        Raises:
            MarketoError: The identity service refuses or cannot be reached.
            TransientError: It hands out nothing but a dead token, code `dead_token`.
        """
        if self._token is None or self._clock() >= self._dies_at:
            self._token = self._fetch()
        return self._token

    def redacted(self, text: str) -> str:
        """Return the text without the token."""
        return text.replace(self._token.value, "***") if self._token else text

    def discard(self) -> None:
        """Forget the token, because Marketo refused it."""
        self._refused = self._token.value if self._token else ""
        self._token = None

    def _fetch(self) -> Secret:
        for _ in range(_ASKED_AT_MOST):
            asked_at = self._clock()
            grant = self._ask()
            if not self._is_dying(grant):
                self._dies_at = asked_at + grant.expires_in
                return grant.token
            self._sleep(grant.expires_in + 1.0)
        raise TransientError(
            f"the identity service handed out an expired token {_ASKED_AT_MOST} times", code="dead_token"
        )

    def _is_dying(self, grant: Grant) -> bool:
        was_refused = grant.token.value == self._refused
        return grant.expires_in == 0 or (was_refused and grant.expires_in <= _DYING_SECONDS)
