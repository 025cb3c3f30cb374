"""An Airflow connection → a client."""

from typing import Any, Final

from airflow.sdk import BaseHook

from prep.errors import PrepError, SettingsError
from prep.marketo import Marketo

DEFAULT_CONNECTION: Final = "marketo_default"


class MarketoHook(BaseHook):
    """Talks to the instance that an Airflow connection names.

    The connection's host is the endpoint, its login the client id, its password the client secret; the
    extra `allow_host` names one further host that may be talked to.

    Args:
        marketo_conn_id: The connection.
    """

    conn_name_attr = "marketo_conn_id"
    default_conn_name = DEFAULT_CONNECTION
    conn_type = "marketo"
    hook_name = "Marketo (bulk import)"

    def __init__(self, marketo_conn_id: str = DEFAULT_CONNECTION) -> None:
        super().__init__()
        self.marketo_conn_id = marketo_conn_id

    def get_conn(self) -> Marketo:
        """A new client, to be closed by the caller.

        Raises:
            SettingsError: The connection lacks endpoint, client id or secret, or may not be talked to.
        """
        return connect(self.get_connection(self.marketo_conn_id))

    async def aget_conn(self) -> Marketo:
        """The same where an event loop runs.

        Raises:
            SettingsError: As `get_conn`.
        """
        return connect(await self.aget_connection(self.marketo_conn_id))

    def test_connection(self) -> tuple[bool, str]:
        """What the button Test says: whether Marketo grants a token and answers a call."""
        try:
            with self.get_conn() as client:
                usage = client.usage()
                return True, f"{client.host}: credentials accepted, {usage.calls:,} API calls used today"
        except PrepError as error:
            return False, f"{error.message} ({error.code})"


def connect(connection: Any) -> Marketo:
    """A client of the instance that a connection names; the secret goes nowhere else.

    Raises:
        SettingsError: The connection lacks endpoint, client id or secret, or may not be talked to.
    """
    if not (connection.host and connection.login and connection.password):
        raise SettingsError(
            f"connection {connection.conn_id}: endpoint, client id or client secret is missing",
            code="missing_credentials",
            hint="They are the connection's host, login and password.",
        )
    allow_host = connection.extra_dejson.get("allow_host") or None
    return Marketo(_endpoint(connection), connection.login, connection.password, allow_host=allow_host)


def _endpoint(connection: Any) -> str:
    """The address; a connection that was given as a URI holds its parts."""
    host: str = connection.host
    if "://" in host:
        return host
    port = f":{connection.port}" if connection.port else ""
    return f"{connection.schema or 'https'}://{host}{port}"
