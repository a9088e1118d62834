"""Faults on demand: which requests they hit, how often, and what they do."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock

from devtools.platform_sandbox.platforms import Platform


class FaultKind(StrEnum):
    """What goes wrong."""

    RATE_LIMIT = "rate_limit"
    SERVER_ERROR = "server_error"
    UNAVAILABLE = "unavailable"
    HANG = "hang"
    RESET = "reset"
    EMPTY_BODY = "empty_body"
    HTML_BODY = "html_body"
    TRUNCATED_JSON = "truncated_json"
    REPEATED_CURSOR = "repeated_cursor"
    LYING_HAS_MORE = "lying_has_more"
    INVALID_PAGE = "invalid_page_token"
    QUOTA_EXCEEDED = "quota_exceeded"
    CREDIT_GONE = "credit_gone"
    NOT_SUBSCRIBED = "not_subscribed"
    INVALID_CREDENTIALS = "invalid_credentials"
    KEY_INVALID = "key_invalid"
    BLOCKED = "blocked"
    REGION = "region"
    NOT_FOUND = "not_found"
    REDIRECT = "redirect"
    REDIRECT_LOOP = "redirect_loop"
    HUGE_BODY = "huge_body"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault and the requests it hits: those that fit every field that is given.

    `creator`: a username, id, `secUid` or playlist of the creator, or any value in the query. `path`: a part of the
    path. `page`: counts from 1. `times`: how often it strikes (None: always). `seconds`: how long a hang lasts, or
    the `Retry-After` of a rate limit (None: a hang of 60 s, no `Retry-After`).
    """

    kind: FaultKind
    platform: str | None = None
    path: str | None = None
    creator: str | None = None
    page: int | None = None
    times: int | None = None
    seconds: float | None = None

    def hits(self, target: Target) -> bool:
        """Whether a request is one of those."""
        return (
            (self.platform is None or self.platform == target.platform)
            and (self.path is None or self.path in target.path)
            and (self.page is None or self.page == target.page)
            and (self.creator is None or self.creator.removeprefix("@") in target.names)
        )


@dataclass(frozen=True, slots=True)
class Target:
    """What of a request matters to faults."""

    platform: Platform
    path: str
    page: int
    names: Collection[str]


class FaultBook:
    """The faults that are set; the first one that hits strikes. Safe to use from several threads."""

    def __init__(self) -> None:
        self._faults: list[tuple[Fault, int | None]] = []
        self._lock = Lock()

    def add(self, fault: Fault) -> None:
        """Set a fault, after those set before."""
        with self._lock:
            self._faults.append((fault, fault.times))

    def clear(self) -> None:
        """Take all faults back."""
        with self._lock:
            self._faults.clear()

    def pending(self) -> list[Fault]:
        """Faults that can still strike."""
        with self._lock:
            return [fault for fault, _ in self._faults]

    def strike(self, target: Target) -> Fault | None:
        """The fault that hits this request, counted as having struck."""
        if not self._faults:
            return None
        with self._lock:
            for position, (fault, left) in enumerate(self._faults):
                if fault.hits(target):
                    self._use(position, fault, left)
                    return fault
        return None

    def _use(self, position: int, fault: Fault, left: int | None) -> None:
        if left is None:
            return
        if left <= 1:
            del self._faults[position]
        else:
            self._faults[position] = (fault, left - 1)
