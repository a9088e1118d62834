"""What an answer means: one table from (platform, HTTP status, code, words) to the kind of error.

Sources: YouTube Data API "Errors" and Google's ErrorInfo reasons; the status codes in TikTok's own bodies and
RapidAPI's gateway messages; HikerAPI's documented statuses with `{"detail", "exc_type"}` bodies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.platform_errors import ErrorKind
from blogger_tracking.platforms.json_values import Json, as_text, first_of, get_path


@dataclass(frozen=True, slots=True)
class ResponseSummary:
    """What of an answer tells its meaning: HTTP status, the platform's own codes, its message in words."""

    status: int
    codes: tuple[str, ...] = ()
    message: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table; an empty column fits everything.

    `code` must fit one of the answer's codes as a whole, `words` must occur in its codes or message (any case).
    """

    platform: Platform | None
    statuses: range
    kind: ErrorKind | None
    code: str = ""
    words: str = ""

    def fits(self, platform: Platform, answer: ResponseSummary) -> bool:
        """Whether this row speaks of that answer."""
        return (
            self.platform in {None, platform}
            and answer.status in self.statuses
            and (not self.code or any(re.fullmatch(self.code, code) for code in answer.codes))
            and bool(re.search(self.words, " ".join((*answer.codes, answer.message)), re.IGNORECASE))
        )


def _only(status: int) -> range:
    return range(status, status + 1)


_ANY, _FINE, _REDIRECT, _CLIENT, _SERVER = (
    range(100, 600),
    range(200, 300),
    range(300, 400),
    range(400, 500),
    range(500, 600),
)
_REFUSED = range(400, 600)
_YOUTUBE, _TIKTOK, _INSTAGRAM = Platform.YOUTUBE, Platform.TIKTOK, Platform.INSTAGRAM

# Read from the top: the first row that fits decides.
TABLE: tuple[Rule, ...] = (
    Rule(_YOUTUBE, _REFUSED, ErrorKind.QUOTA_EXCEEDED, code=r"quotaExceeded|dailyLimitExceeded"),
    Rule(
        _YOUTUBE,
        _REFUSED,
        ErrorKind.QUOTA_EXCEEDED,
        code=r"rateLimitExceeded|RATE_LIMIT_EXCEEDED",
        words=r"\bper day\b",
    ),
    Rule(_YOUTUBE, _REFUSED, ErrorKind.RATE_LIMITED, code=r"(userR|r)ateLimitExceeded|RATE_LIMIT_EXCEEDED"),
    Rule(
        _YOUTUBE,
        _CLIENT,
        ErrorKind.INVALID_CREDENTIALS,
        code=r"key(Invalid|Expired)|accessNotConfigured|ipRefererBlocked",
    ),
    Rule(_YOUTUBE, _CLIENT, ErrorKind.INVALID_CREDENTIALS, code=r"API_KEY_[A-Z_]+|SERVICE_DISABLED"),
    Rule(_YOUTUBE, _CLIENT, ErrorKind.INVALID_CREDENTIALS, words=r"API key (not valid|expired)"),
    Rule(_YOUTUBE, _CLIENT, ErrorKind.STALE_CURSOR, code=r"invalidPageToken"),
    Rule(_YOUTUBE, _CLIENT, ErrorKind.NO_ENTRIES, code=r"playlistNotFound"),
    Rule(_YOUTUBE, _CLIENT, ErrorKind.NOT_FOUND, code=r"channelNotFound"),
    Rule(_TIKTOK, _ANY, ErrorKind.NOT_FOUND, code=r"10221|10202|10204"),
    Rule(_TIKTOK, _ANY, ErrorKind.PRIVATE, code=r"10222|10216"),
    # 10231: not shown in the gateway's region. -1: turned away, with an empty `userInfo` that looks like nobody.
    # Codes that nobody has described are taken for a refusal of the same sort, too.
    Rule(_TIKTOK, _FINE, ErrorKind.BLOCKED, code=r"-?[1-9][0-9]*"),
    Rule(_TIKTOK, _only(429), ErrorKind.QUOTA_EXCEEDED, words=r"\b(monthly|daily) quota\b"),
    Rule(_TIKTOK, _only(403), ErrorKind.INVALID_CREDENTIALS, words=r"not subscribed|invalid api key"),
    Rule(_INSTAGRAM, _only(402), ErrorKind.QUOTA_EXCEEDED),
    Rule(_INSTAGRAM, _only(403), ErrorKind.PRIVATE, words=r"private"),
    Rule(_INSTAGRAM, _only(403), ErrorKind.BLOCKED),
    Rule(_INSTAGRAM, _only(404), ErrorKind.NO_ENTRIES, words=r"entries ?not ?found"),
    Rule(_INSTAGRAM, _only(404), ErrorKind.NOT_FOUND, words=r"user ?not ?found"),
    Rule(_INSTAGRAM, _REDIRECT, ErrorKind.BLOCKED, words=r"login"),
    Rule(None, _FINE, None),
    Rule(None, _only(401), ErrorKind.INVALID_CREDENTIALS),
    Rule(None, _only(408), ErrorKind.UNAVAILABLE),
    Rule(None, _only(429), ErrorKind.RATE_LIMITED),
    # Also a 404 without a known reason: a wrong base address must not turn every account into a missing one.
    Rule(None, range(100, 500), ErrorKind.BAD_REQUEST),
    Rule(None, _SERVER, ErrorKind.UNAVAILABLE),
)


def classify(platform: Platform, answer: ResponseSummary) -> ErrorKind | None:
    """The kind of error an answer is, or None for one that can be read. A status outside HTTP's is UNREADABLE."""
    row = next((rule for rule in TABLE if rule.fits(platform, answer)), None)
    return row.kind if row else ErrorKind.MALFORMED_RESPONSE


def summarize_response(status: int, body: Json) -> ResponseSummary:
    """Find codes and message in a decoded body (None: not JSON), wherever the platforms put them."""
    return ResponseSummary(status, tuple(_codes(body)), _message(body))


def _codes(body: Json) -> Iterator[str]:
    details = get_path(body, "error", "details")
    found = [
        get_path(body, "error", "errors", 0, "reason"),
        *(get_path(detail, "reason") for detail in (details if isinstance(details, list) else ())),
        get_path(body, "error", "status"),
        get_path(body, "exc_type"),
        *(first_of(layer, ("statusCode", "status_code")) for layer in (body, get_path(body, "data"))),
    ]
    for code in found:
        if isinstance(code, str | int) and code != "":
            yield str(code)


def _message(body: Json) -> str:
    layers = (get_path(body, "error"), body, get_path(body, "data"))
    words = (first_of(layer, ("message", "detail", "statusMsg", "status_msg", "error")) for layer in layers)
    return next((as_text(text) for text in words if as_text(text)), "")
