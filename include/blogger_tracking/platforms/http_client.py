"""HTTP client of the platforms, with rate limit, time and size limits, retries, and one type of error."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from itertools import chain, repeat
from typing import TypeVar

import requests
import urllib3
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from blogger_tracking.bounded_responses import BoundedAdapter
from blogger_tracking.domain.clock import Clock
from blogger_tracking.domain.ledger import RequestUse
from blogger_tracking.domain.models import Platform, storable
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.domain.youtube_quota import next_quota_reset
from blogger_tracking.platforms.config import PlatformConfig
from blogger_tracking.platforms.error_rules import ResponseSummary, classify, summarize_response, summarize_text
from blogger_tracking.platforms.json_values import Json, MalformedResponseError
from blogger_tracking.platforms.request_meter import note_request
from blogger_tracking.redaction import redact
from blogger_tracking.settings import Settings, get_settings

logger = logging.getLogger(__name__)

T = TypeVar("T")

MAX_DETAIL_LENGTH = 200
"""Characters of a platform's message that an error keeps."""

_CHUNK_BYTES = 64 * 1024
_BACKOFF_FACTOR = 4
_LONGEST_RETRY_AFTER = timedelta(days=366)
_QUERY = re.compile(r"(https?://[^\s?\"'<>]*)\?[^\s\"'<>]*")
_QUOTA_RESETS: Mapping[Platform, Callable[[datetime], datetime]] = {Platform.YOUTUBE: next_quota_reset}
_UNDECODABLE_BODY = (
    requests.exceptions.ContentDecodingError,
    urllib3.exceptions.DecodeError,
    urllib3.exceptions.ProtocolError,
)


@dataclass(frozen=True, slots=True)
class Call:
    """A GET request to a platform. Its text, for logs and errors, has neither address nor parameters.

    `use` is the purpose that the request is counted under. A body that states an error of one of the kinds `tolerated`
    is read all the same; the error is raised only if the body cannot be read.
    """

    path: str
    params: Mapping[str, str]
    page: int = 1
    use: RequestUse = RequestUse.LISTING
    tolerated: frozenset[ErrorKind] = frozenset()

    def __str__(self) -> str:
        return f"{self.path} page {self.page}" if self.page > 1 else self.path


class HttpClient:
    """HTTP client of one platform. Thread-safe and long-lived; its connections are shared by the whole process.

    `acquire` waits for a slot of the rate limiter before every request, retries included. Exceptions from `acquire`
    propagate: nothing is sent and nothing is retried then.
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
        self._backoff = wait_exponential(multiplier=self.settings.retry_base_seconds, exp_base=_BACKOFF_FACTOR)

    def get(self, call: Call, read: Callable[[Json], T]) -> T:
        """Send the request, retry transient errors, and return the result of `read` on the decoded body.

        `read` raises MalformedResponseError for a body of an unexpected shape.
        Raises PlatformError. Its `retry_at` is set if the response has a Retry-After or the time of the quota's reset
        is known.
        """
        retrying = Retrying(
            stop=stop_after_attempt(1 + self.settings.request_retries),
            wait=self._retry_delay,
            retry=retry_if_exception(self._is_retryable),
            before_sleep=self._log_retry,
            sleep=self._clock.sleep,
            reraise=True,
        )
        uses = chain([call.use], repeat(RequestUse.RETRY))
        result: T = retrying(lambda: self._get_once(call, read, next(uses)))
        return result

    def _get_once(self, call: Call, read: Callable[[Json], T], use: RequestUse) -> T:
        self._acquire()
        note_request(use)
        response, body = self._send(call)
        try:
            decoded = _decode(body)
        except MalformedResponseError as error:
            # An error page without JSON is classified by its status and its words.
            raise self._error(call, response, summarize_text(response.status_code, body)) or self._malformed_response(
                call, response, error
            ) from None
        refusal = self._error(call, response, summarize_response(response.status_code, decoded))
        if refusal is not None and refusal.kind not in call.tolerated:
            raise refusal
        try:
            return read(decoded)
        except MalformedResponseError as error:
            raise refusal or self._malformed_response(call, response, error) from None

    def _send(self, call: Call) -> tuple[requests.Response, bytes]:
        started = time.monotonic()
        try:
            with session_for(self._config.base_url).get(
                f"{self._config.base_url}/{call.path}",
                params=call.params,
                headers=self._headers,
                timeout=self.settings.request_timeout_seconds,
                # A redirect may lead to another host, and the header with the key would be sent there.
                allow_redirects=False,
                stream=True,
            ) as response:
                body = self._read_body(response)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise self._transport_error(call, error) from None
        seconds = time.monotonic() - started
        logger.debug("%s %s: HTTP %s, %s bytes, %.2f s.", self.platform, call, response.status_code, len(body), seconds)
        return response, body

    def _read_body(self, response: requests.Response) -> bytes:
        body = bytearray()
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            body += chunk
            if len(body) > self.settings.response_bytes_limit:
                raise requests.exceptions.ContentDecodingError("longer than response_bytes_limit")
        return bytes(body)

    def _transport_error(self, call: Call, error: Exception) -> PlatformError:
        # The class name alone: the text of the library's error has the whole address.
        kind = ErrorKind.MALFORMED_RESPONSE if isinstance(error, _UNDECODABLE_BODY) else ErrorKind.UNAVAILABLE
        return PlatformError(kind, self.platform, f"{call}: {type(error).__name__}")

    def _error(self, call: Call, response: requests.Response, summary: ResponseSummary) -> PlatformError | None:
        """Return the error that a response states, or None for a success."""
        if response.is_redirect:
            summary = ResponseSummary(summary.status, message=_redirect_message(response))
        kind = classify(self.platform, summary)
        if kind is None:
            return None
        now = self._clock.now()
        quota_reset = _QUOTA_RESETS.get(self.platform) if kind is ErrorKind.QUOTA_EXCEEDED else None
        retry_at = quota_reset(now) if quota_reset else parse_retry_after(response.headers.get("Retry-After"), now)
        response_text = " ".join(("HTTP", str(summary.status), *summary.codes, summary.message))
        detail = _detail(f"{call}: {response_text}", self._config.key)
        return PlatformError(kind, self.platform, detail, status=summary.status, retry_at=retry_at)

    def _malformed_response(
        self, call: Call, response: requests.Response, error: MalformedResponseError
    ) -> PlatformError:
        detail = _detail(f"{call}: {error}", self._config.key)
        return PlatformError(ErrorKind.MALFORMED_RESPONSE, self.platform, detail, status=response.status_code)

    def _is_retryable(self, error: BaseException) -> bool:
        if not isinstance(error, PlatformError) or not error.handling.retry_request:
            return False
        return self._seconds_until(error.retry_at) <= self.settings.retry_after_limit_seconds

    def _retry_delay(self, state: RetryCallState) -> float:
        error = _platform_error(state)
        return max(self._backoff(state), self._seconds_until(error.retry_at if error else None))

    def _seconds_until(self, moment: datetime | None) -> float:
        return (moment - self._clock.now()).total_seconds() if moment else 0

    def _log_retry(self, state: RetryCallState) -> None:
        logger.warning("%s. Retrying in %.1f s.", _platform_error(state), state.upcoming_sleep)


@cache
def session_for(base_url: str) -> requests.Session:
    """Return this process's session for an address: thread-safe, with a connection for every fetch thread."""
    session = requests.Session()
    adapter = BoundedAdapter(pool_connections=1, pool_maxsize=get_settings().fetch_threads)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    # Threads share the session: a cookie set for one fetch must not be sent with another.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # With trust_env, requests would read the environment's proxies and certificates, and the passwords in the user's
    # .netrc, for every single request.
    environment = session.merge_environment_settings(base_url, {}, None, None, None)
    session.proxies = dict(environment["proxies"])
    session.verify = environment["verify"]
    session.trust_env = False
    return session


# A forked child must not write to its parent's sockets, nor wait for a lock that a thread of the parent held.
os.register_at_fork(after_in_child=session_for.cache_clear)


def parse_retry_after(header: str | None, now: datetime) -> datetime | None:
    """Return the time (UTC) of a Retry-After header in seconds or as an HTTP date; None without a future time.

    A time more than a year ahead is replaced by one a year ahead, so that no header can overflow a date.
    """
    moment = _retry_after_moment(header.strip(), now) if header else None
    return min(moment, now + _LONGEST_RETRY_AFTER) if moment and moment > now else None


def _retry_after_moment(value: str, now: datetime) -> datetime | None:
    try:
        if value.isascii() and value.isdigit():
            return now + min(timedelta(seconds=int(value[:10])), _LONGEST_RETRY_AFTER)
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _detail(text: str, key: str) -> str:
    """Return `text` on one line of at most MAX_DETAIL_LENGTH, without the key and the query strings of URLs.

    The line can be stored: the ledger, suspensions and queue messages keep the texts of errors.
    """
    # In this order, because without its NUL characters a text may contain the key.
    line = " ".join(_QUERY.sub(r"\1?***", redact(storable(text), key)).split())
    return line if len(line) <= MAX_DETAIL_LENGTH else line[: MAX_DETAIL_LENGTH - 1] + "…"


def _decode(body: bytes) -> Json:
    if not body.strip():
        raise MalformedResponseError("empty body")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        kind = "an HTML page" if body.lstrip()[:1] == b"<" else "no JSON"
        raise MalformedResponseError(f"{kind} of {len(body)} bytes") from None


def _redirect_message(response: requests.Response) -> str:
    return f"redirected to {response.headers['location'].split('?')[0]}"


def _platform_error(state: RetryCallState) -> PlatformError | None:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, PlatformError) else None
