"""What goes in and out of the sandbox, apart from ASGI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from json import JSONEncoder

_ENCODER = JSONEncoder(separators=(",", ":"), check_circular=False)

JSON_TYPE = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request: path, query parameters (the last value of each), headers by lower-case name."""

    method: str
    path: str
    query_string: str
    query: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def host(self) -> str:
        """Host and port that the client used."""
        return self.headers.get("host", "localhost")


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer."""

    status: int
    body: bytes
    content_type: str = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()


def compact(value: object) -> str:
    """JSON without blanks, in ASCII: Python handles such text several times as fast."""
    return _ENCODER.encode(value)


def json_response(body: object, status: int = 200) -> Response:
    """An answer in compact JSON."""
    return Response(status, compact(body).encode())
