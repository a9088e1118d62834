"""One way to ask a platform: paced, bounded, retried, with every fault turned into a PlatformError."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import requests
import urllib3
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from blogger_tracking.domain.clock import Clock
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.domain.youtube_quota import next_quota_reset
from blogger_tracking.platforms.config import PlatformConfig
from blogger_tracking.platforms.error_rules import ResponseSummary, classify, summarize_response
from blogger_tracking.platforms.json_values import Json, MalformedResponseError
from blogger_tracking.platforms.metering import note_request
from blogger_tracking.platforms.pools import session_for
from blogger_tracking.platforms.redaction import redact
from blogger_tracking.platforms.retry_after import retry_moment
from blogger_tracking.settings import Settings, get_settings

logger = logging.getLogger(__name__)

T = TypeVar("T")

_CHUNK_BYTES = 64 * 1024
_RETRY_FACTOR = 4
_QUOTA_RESETS: Mapping[Platform, Callable[[datetime], datetime]] = {Platform.YOUTUBE: next_quota_reset}


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it is spoken of in logs and errors: without address and key."""

    path: str
    params: Mapping[str, str]
    page: int = 1

    def __str__(self) -> str:
        return f"{self.path} page {self.page}" if self.page > 1 else self.path


class HttpClient:
    """Asks one platform. Thread-safe and meant to live long; connections are shared in the process.

    Every request, a repeated one too, waits for its turn first. What `wait_for_turn` raises is let through as it is:
    then nothing was sent, and nothing is asked again.
    """

    def __init__(
        self,
        platform: Platform,
        config: PlatformConfig,
        headers: Mapping[str, str],
        *,
        acquire: Callable[[], None],
        settings: Settings | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.platform = platform
        self.settings = settings or get_settings()
        self._config = config
        self._headers = {"Accept": "application/json", "User-Agent": "blogger-tracking", **headers}
        self._acquire = acquire
        self._clock = clock or Clock()
        self._backoff = wait_exponential(multiplier=self.settings.retry_base_seconds, exp_base=_RETRY_FACTOR)

    def get(self, call: Call, read: Callable[[Json], T]) -> T:
        """Ask until the answer can be read, within the retry rule, and return what `read` makes of its body.

        `read` gets decoded JSON and raises UnreadableBodyError for a body of another shape.
        Raises PlatformError; its `retry_at` is set where the platform or its quota rule names a moment.
        """
        retrying = Retrying(
            stop=stop_after_attempt(1 + self.settings.request_retries),
            wait=self._pause,
            retry=retry_if_exception(self._may_ask_again),
            before_sleep=self._log_retry,
            sleep=self._clock.sleep,
            reraise=True,
        )
        answer: T = retrying(self._ask, call, read)
        return answer

    def _ask(self, call: Call, read: Callable[[Json], T]) -> T:
        self._acquire()
        response, body = self._send(call)
        try:
            decoded = _decode(body)
        except MalformedResponseError as error:
            self._refuse_error_status(call, response, None)
            raise self._unreadable(call, response, error) from None
        self._refuse_error_status(call, response, decoded)
        try:
            return read(decoded)
        except MalformedResponseError as error:
            raise self._unreadable(call, response, error) from None

    def _send(self, call: Call) -> tuple[requests.Response, bytes]:
        note_request()
        started = time.monotonic()
        try:
            with session_for(self._config.base_url).get(
                f"{self._config.base_url}/{call.path}",
                params=call.params,
                headers=self._headers,
                timeout=self.settings.request_timeout_seconds,
                # A redirect may lead to a foreign host, and the key's header would go with it.
                allow_redirects=False,
                stream=True,
            ) as response:
                body = self._read_body(response, started + self.settings.request_timeout_seconds)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise self._fault(call, error) from None
        seconds = time.monotonic() - started
        logger.debug("%s %s: HTTP %s, %s bytes, %.2f s.", self.platform, call, response.status_code, len(body), seconds)
        return response, body

    def _read_body(self, response: requests.Response, deadline: float) -> bytes:
        body = bytearray()
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            body += chunk
            if len(body) > self.settings.response_bytes_limit:
                raise requests.exceptions.ContentDecodingError("longer than response_bytes_limit")
            # The socket's timeout starts anew with every byte; the promise is about the whole answer.
            if time.monotonic() > deadline:
                raise requests.exceptions.ReadTimeout("still coming")
        return bytes(body)

    def _fault(self, call: Call, error: Exception) -> PlatformError:
        # Only the name of the library's error is told: its text holds the whole address.
        kind = ErrorKind.MALFORMED_RESPONSE if isinstance(error, _BROKEN_BODY) else ErrorKind.UNAVAILABLE
        return PlatformError(kind, self.platform, f"{call}: {type(error).__name__}")

    def _refuse_error_status(self, call: Call, response: requests.Response, decoded: Json) -> None:
        answer = _answer(response, decoded)
        kind = classify(self.platform, answer)
        if kind is None:
            return
        now = self._clock.now()
        reset = _QUOTA_RESETS.get(self.platform) if kind is ErrorKind.QUOTA_EXCEEDED else None
        retry_at = reset(now) if reset else retry_moment(response.headers.get("Retry-After"), now)
        words = " ".join(("HTTP", str(answer.status), *answer.codes, answer.message))
        detail = redact(f"{call}: {words}", self._config.key)
        raise PlatformError(kind, self.platform, detail, status=answer.status, retry_at=retry_at)

    def _unreadable(self, call: Call, response: requests.Response, error: MalformedResponseError) -> PlatformError:
        detail = redact(f"{call}: {error}", self._config.key)
        return PlatformError(ErrorKind.MALFORMED_RESPONSE, self.platform, detail, status=response.status_code)

    def _may_ask_again(self, error: BaseException) -> bool:
        if not isinstance(error, PlatformError) or not error.handling.retry_request:
            return False
        return self._seconds_until(error.retry_at) <= self.settings.retry_after_limit_seconds

    def _pause(self, state: RetryCallState) -> float:
        error = _raised(state)
        return max(self._backoff(state), self._seconds_until(error.retry_at if error else None))

    def _seconds_until(self, moment: datetime | None) -> float:
        return (moment - self._clock.now()).total_seconds() if moment else 0

    def _log_retry(self, state: RetryCallState) -> None:
        logger.warning("%s Asking again in %.1f s.", _raised(state), state.upcoming_sleep)


_BROKEN_BODY = (
    requests.exceptions.ContentDecodingError,
    urllib3.exceptions.DecodeError,
    urllib3.exceptions.ProtocolError,
)


def _decode(body: bytes) -> Json:
    if not body.strip():
        raise MalformedResponseError("empty body")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        kind = "an HTML page" if body.lstrip()[:1] == b"<" else "no JSON"
        raise MalformedResponseError(f"{kind} of {len(body)} bytes") from None


def _answer(response: requests.Response, decoded: Json) -> ResponseSummary:
    if response.is_redirect:
        return ResponseSummary(
            response.status_code, message=f"redirected to {response.headers['location'].split('?')[0]}"
        )
    return summarize_response(response.status_code, decoded)


def _raised(state: RetryCallState) -> PlatformError | None:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, PlatformError) else None
