"""Fault injection: the kinds of faults, the requests that a fault matches, and the registry of injected faults."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock

from devtools.platform_sandbox.world import PlatformName


class FaultKind(StrEnum):
    """A kind of failure of a platform. docs/sandbox.md describes each."""

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
    """A fault and its conditions; a request has to meet every condition that is not None.

    `creator`: a username, id, `secUid` or playlist of the creator, or any value in the query. `path`: a part of the
    path. `page`: number of the page, from 1. `times`: number of requests that the fault affects (None: all).
    `seconds`: duration of a hang, or the `Retry-After` of a rate limit (None: a hang of 60 s, no `Retry-After`).
    """

    kind: FaultKind
    platform: str | None = None
    path: str | None = None
    creator: str | None = None
    page: int | None = None
    times: int | None = None
    seconds: float | None = None

    def matches(self, target: FaultTarget) -> bool:
        """Return True if a request meets all conditions of this fault."""
        return (
            (self.platform is None or self.platform == target.platform)
            and (self.path is None or self.path in target.path)
            and (self.page is None or self.page == target.page)
            and (self.creator is None or self.creator.removeprefix("@") in target.names)
        )


@dataclass(frozen=True, slots=True)
class FaultTarget:
    """The properties of a request that faults are matched against."""

    platform: PlatformName
    path: str
    page: int
    names: Collection[str]


class FaultRegistry:
    """The injected faults in the order of their injection. Thread-safe."""

    def __init__(self) -> None:
        self._faults: list[tuple[Fault, int | None]] = []
        self._lock = Lock()

    def add(self, fault: Fault) -> None:
        """Add a fault behind those already injected."""
        with self._lock:
            self._faults.append((fault, fault.times))

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()

    def pending(self) -> list[Fault]:
        """Return the faults that can still affect a request."""
        with self._lock:
            return [fault for fault, _ in self._faults]

    def take(self, target: FaultTarget) -> Fault | None:
        """Return the first fault that matches a request and count it as used; None if no fault matches."""
        if not self._faults:
            return None
        with self._lock:
            for position, (fault, left) in enumerate(self._faults):
                if fault.matches(target):
                    self._count_use(position, fault, left)
                    return fault
        return None

    def _count_use(self, position: int, fault: Fault, left: int | None) -> None:
        if left is None:
            return
        if left <= 1:
            del self._faults[position]
        else:
            self._faults[position] = (fault, left - 1)
