"""HTTP requests and responses of the sandbox, independent of ASGI, and a cache of rendered responses."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from json import JSONEncoder

_ENCODER = JSONEncoder(separators=(",", ":"), check_circular=False)

JSON_TYPE = "application/json; charset=utf-8"


@dataclass(frozen=True, slots=True)
class HttpRequest:
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
class HttpResponse:
    """A complete HTTP response."""

    status: int
    body: bytes
    content_type: str = JSON_TYPE
    headers: tuple[tuple[str, str], ...] = ()


class ResponseCache:
    """Least-recently-used cache of rendered responses, limited by the total size of their bodies in bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._responses: OrderedDict[Hashable, HttpResponse] = OrderedDict()

    def get(self, key: Hashable) -> HttpResponse | None:
        """Return the response stored under a key, or None."""
        found = self._responses.get(key)
        if found is not None:
            self._responses.move_to_end(key)
        return found

    def put(self, key: Hashable, response: HttpResponse) -> None:
        """Store a response under a key that is not in the cache yet."""
        self._responses[key] = response
        self._size += len(response.body)
        while self._size > self._limit:
            _, dropped = self._responses.popitem(last=False)
            self._size -= len(dropped.body)


def compact_json(value: object) -> str:
    """Return JSON without blanks, in ASCII, because Python handles ASCII text several times as fast."""
    return _ENCODER.encode(value)


def json_response(body: object, status: int = 200) -> HttpResponse:
    """Return a response with a body in compact JSON."""
    return HttpResponse(status, compact_json(body).encode())
