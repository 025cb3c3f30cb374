"""The one place that knows `requests`: bytes out, bytes back, every foreign exception translated."""

import ipaddress
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urlsplit

import requests
import urllib3
from requests.auth import AuthBase

from prep.errors import MarketoError, SettingsError, TerminalError, TransientError

_MARKETO_HOST: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.mktorest\.com")
_CONNECT_SECONDS: Final = 10.0
_FOREIGN: Final = (OSError, urllib3.exceptions.HTTPError, urllib3.exceptions.ProxySchemeUnsupported)
"""Roots of all that `requests` and what lies below it raise; `RequestException` is an OSError."""
_BLOCK_BYTES: Final = 64 * 1024
_USUAL_PORTS: Final = {"http": 80, "https": 443}


class Secret:
    """A text that shows itself only to whoever asks for its value."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "Secret(***)"


@dataclass(frozen=True)
class Call:
    """One request, without its authorisation.

    Attributes:
        method: HTTP method.
        path: Path below the host.
        params: Query of the address; never holds a secret.
        body: What to send, if anything.
        content_type: Of the body.
        is_bulk: Part of the bulk API, which answers without compression and may take longer.
        is_import: Queues a job: must not be repeated unless it provably was not executed.
        read_seconds: Longest silence of the server that is put up with.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    content_type: str = ""
    is_bulk: bool = False
    is_import: bool = False
    read_seconds: float = 60.0

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Reply:
    """What the server answered, untouched.

    Attributes:
        status: HTTP status.
        content: The body.
    """

    status: int
    content: bytes = field(repr=False)


class SendError(Exception):
    """No answer came.

    Attributes:
        error: The failure in this package's terms.
        left_whole: All bytes of the body were handed to the network, so the server may have acted on them.
    """

    def __init__(self, error: MarketoError, *, left_whole: bool) -> None:
        super().__init__(error.message)
        self.error = error
        self.left_whole = left_whole


class Transport:
    """Sends calls to one host, and nothing anywhere else.

    Args:
        endpoint: Address of the instance, with or without a trailing `/rest`.
        allow_host: The one host besides Marketo's own that may be talked to.

    Raises:
        SettingsError: The endpoint is not one that may be talked to.
    """

    def __init__(self, endpoint: str, *, allow_host: str | None = None) -> None:
        address = _checked(endpoint, allow_host)
        self.host: Final = _host(address)
        self._base = f"{address.scheme}://{self.host}"
        self._session = requests.Session()
        self.is_local: Final = _is_loopback(address.hostname or "")
        # A proxy from the environment must not see what is meant for this machine only.
        self._session.trust_env = not self.is_local

    def send(self, call: Call, token: Secret | None) -> Reply:
        """Send a call once.

        Raises:
            SendError: No answer came.
        """
        body = _Body(call.body or b"")
        failure: MarketoError | None = None
        try:
            return self._request(call, body, token)
        except _FOREIGN as error:
            failure = _translated(call, error)
        # Raised out here, it does not drag the request and its token along as its context.
        raise SendError(failure, left_whole=body.left_whole)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def _request(self, call: Call, body: "_Body", token: Secret | None) -> Reply:
        if call.is_import:
            # A kept connection that the server has just closed would make the outcome unknown.
            self._session.close()
        response = self._session.request(
            call.method,
            self._base + call.path,
            params=dict(call.params),
            data=body if call.body is not None else None,
            headers=_headers(call),
            auth=_Authorisation(token),
            timeout=(_CONNECT_SECONDS, call.read_seconds),
            allow_redirects=False,
        )
        return Reply(response.status_code, response.content)


class _Body:
    """Bytes that are handed out block by block and remember whether the last block was."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.left_whole = False

    def __len__(self) -> int:
        return len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._content), _BLOCK_BYTES):
            self.left_whole = start + _BLOCK_BYTES >= len(self._content)
            yield self._content[start : start + _BLOCK_BYTES]


class _Authorisation(AuthBase):
    """Sets the bearer token, and keeps `requests` from setting what it finds in a .netrc file."""

    def __init__(self, token: Secret | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token.value}"
        return request


def _headers(call: Call) -> dict[str, str]:
    headers = {"User-Agent": "leadprep"}
    if call.content_type:
        headers["Content-Type"] = call.content_type
    if call.is_bulk:
        headers["Accept-Encoding"] = "identity"
    return headers


def _translated(call: Call, error: Exception) -> MarketoError:
    match error:
        case requests.exceptions.SSLError() if _is_certificate(error):
            return TerminalError(
                f"{call}: the server's certificate is not acceptable",
                code="bad_certificate",
                hint="Check MARKETO_ENDPOINT, the clock, and any proxy that opens encrypted connections.",
            )
        case requests.exceptions.ProxyError():
            return TransientError(
                f"{call}: the proxy does not let the call through",
                code="no_connection",
                hint="Check HTTPS_PROXY and NO_PROXY.",
            )
        case requests.exceptions.Timeout():
            return TransientError(f"{call}: no answer in time", code="timed_out")
        case requests.exceptions.ConnectionError() | requests.exceptions.ChunkedEncodingError():
            return TransientError(
                f"{call}: no connection, or it broke off",
                code="no_connection",
                hint="Check the network and MARKETO_ENDPOINT.",
            )
        case _:
            return TerminalError(
                f"{call}: the call cannot be made ({type(error).__name__})",
                code="no_connection",
                hint="Check MARKETO_ENDPOINT, HTTPS_PROXY and REQUESTS_CA_BUNDLE.",
            )


def _is_certificate(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__context__
    return error is not None


def _checked(endpoint: str, allow_host: str | None) -> SplitResult:
    address = _split(endpoint)
    host = address.hostname or ""
    if _has_extras(address) or not _is_allowed(address, allow_host):
        raise _bad_endpoint("the endpoint is not an address that prep may talk to")
    if address.scheme == "http" and not _is_loopback(host):
        raise _bad_endpoint("the endpoint is plain http, which would show the credentials to the network")
    return address


def _split(endpoint: str) -> SplitResult:
    try:
        address = urlsplit((endpoint or "").strip())
        address.port  # noqa: B018  # a port that is no number shows itself only here
    except ValueError:
        raise _bad_endpoint("the endpoint is not a web address") from None
    return address


def _host(address: SplitResult) -> str:
    """One name for one instance, however its endpoint is spelled: run folders belong to it."""
    name = address.hostname or ""
    name = f"[{name}]" if ":" in name else name
    return name if address.port in {None, _USUAL_PORTS[address.scheme]} else f"{name}:{address.port}"


def _has_extras(address: SplitResult) -> bool:
    is_plain = address.path.rstrip("/") in {"", "/rest"} and "@" not in address.netloc
    return not is_plain or bool(address.query or address.fragment)


def _is_allowed(address: SplitResult, allow_host: str | None) -> bool:
    host = address.hostname or ""
    if address.scheme not in {"http", "https"} or not host:
        return False
    if allow_host and allow_host.strip().lower() in {host, address.netloc.lower()}:
        return True
    return _is_loopback(host) or (bool(_MARKETO_HOST.fullmatch(host)) and address.port in {None, 443})


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bad_endpoint(message: str) -> SettingsError:
    return SettingsError(
        message,
        code="bad_endpoint",
        hint="Set MARKETO_ENDPOINT to https://<munchkin id>.mktorest.com (Admin > Web Services). "
        "Another host must be named with --allow-host; plain http works for this machine only.",
    )
