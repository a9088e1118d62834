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
    EMPTY_PAGE = "empty_page"
    LIST_MISSING = "list_missing"
    LIST_NULL = "list_null"
    PLAYLIST_NOT_FOUND = "playlist_not_found"
    ENTRIES_NOT_FOUND = "entries_not_found"
    CLIPS_LEFT_OUT = "clips_left_out"
    OWN_ADVERTISEMENTS = "own_advertisements"
    FOREIGN_ADVERTISEMENT = "foreign_advertisement"
    UNMARKED_PINS = "unmarked_pins"
    ZERO_VIEWS = "zero_views"
    LIST_AS_DATA = "list_as_data"
    NO_MEDIA_TYPE = "no_media_type"
    MICROSECONDS = "microseconds"
    BECAME_PRIVATE = "became_private"
    PRIVATE_PROFILE_WITH_CODE = "private_profile_with_code"
    PROJECT_SUSPENDED = "project_suspended"
    REFERER_BLOCKED = "referer_blocked"
    UNREGISTERED_CALLER = "unregistered_caller"
    RESTRICTED_USER = "restricted_user"
    UNKNOWN_REFUSAL = "unknown_refusal"
    AUTOMATED_QUERIES = "automated_queries"
    SORRY_REDIRECT = "sorry_redirect"
    WAIT_A_FEW_MINUTES = "wait_a_few_minutes"
    CHALLENGE_REQUIRED = "challenge_required"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault and its conditions; a request has to meet every condition that is not None.

    `creator`: a username, id, `secUid` or playlist of the creator, or any value in the query. `path`: a part of the
    path. `page`: number of the page, from 1. `key`: the API key in the header. `times`: number of requests that the
    fault affects (None: all). `seconds`: duration of a hang, or the `Retry-After` of a rate limit (None: a hang of
    60 s, no `Retry-After`).
    """

    kind: FaultKind
    platform: str | None = None
    path: str | None = None
    creator: str | None = None
    page: int | None = None
    key: str | None = None
    times: int | None = None
    seconds: float | None = None

    def matches(self, target: FaultTarget) -> bool:
        """Return True if a request meets all conditions of this fault."""
        return (
            (self.platform is None or self.platform == target.platform)
            and (self.path is None or self.path in target.path)
            and (self.page is None or self.page == target.page)
            and (self.key is None or self.key == target.key)
            and (self.creator is None or self.creator.removeprefix("@") in target.names)
        )


@dataclass(frozen=True, slots=True)
class FaultTarget:
    """The properties of a request that faults are matched against."""

    platform: PlatformName
    path: str
    page: int
    names: Collection[str]
    key: str | None = None


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
