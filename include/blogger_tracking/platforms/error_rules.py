"""Error rules: one table from (platform, HTTP status, error code, message) to the kind of error.

Sources: YouTube Data API v3 "Errors" and the reasons of Google's ErrorInfo; the status codes in TikTok's bodies and the
messages of the RapidAPI gateway (tiktok-api23); HikerAPI v2's statuses with `{"detail", "exc_type"}` bodies.
docs/platforms.md lists the errors by platform.
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
    """Parts of a response that the rules look at: HTTP status, the platform's error codes and message.

    `is_page`: the body is a page of HTML, which no platform's API sends, but a gateway or a guard in front of the API.
    """

    status: int
    codes: tuple[str, ...] = ()
    message: str = ""
    is_page: bool = False


@dataclass(frozen=True, slots=True)
class ErrorRule:
    """A row of ERROR_RULES. An empty column matches every response; `kind` None means that there is no error.

    `code` must match one of the response's codes completely. `words` may match anywhere in the codes and the message;
    case is ignored. `is_page` restricts the rule to pages of HTML.
    """

    platform: Platform | None
    statuses: range
    kind: ErrorKind | None
    code: str = ""
    words: str = ""
    is_page: bool = False

    def matches(self, platform: Platform, response: ResponseSummary) -> bool:
        """Return True if this rule applies to the response."""
        return (
            self.platform in {None, platform}
            and response.status in self.statuses
            and (response.is_page or not self.is_page)
            and (not self.code or any(re.fullmatch(self.code, code) for code in response.codes))
            and bool(re.search(self.words, " ".join((*response.codes, response.message)), re.IGNORECASE))
        )


def _only(status: int) -> range:
    return range(status, status + 1)


_LONGEST_PAGE = 8_000
"""Bytes of a page that are read for words."""

_MARKUP = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)

_ANY = range(100, 600)
_SUCCESS = range(200, 300)
_REDIRECT = range(300, 400)
_CLIENT_ERROR = range(400, 500)
_SERVER_ERROR = range(500, 600)
_ERROR = range(400, 600)
_YOUTUBE, _TIKTOK, _INSTAGRAM = Platform.YOUTUBE, Platform.TIKTOK, Platform.INSTAGRAM

_WORDS_OF_A_BLOCK = r"\b(challenge|checkpoint|login)_required\b|automated (queries|requests)|unusual traffic|captcha"
_TARGET_OF_A_BLOCK = r"/sorry/|login|challenge|checkpoint|captcha|consent"

# The first rule that matches decides. Words come before statuses: gateways pass a platform's words on behind statuses
# of their own. Refusals about the blogger or the request are named; every other refusal concerns this system as a
# caller, because the clients make a few fixed calls with one key.
ERROR_RULES: tuple[ErrorRule, ...] = (
    ErrorRule(_YOUTUBE, _ERROR, ErrorKind.QUOTA_EXCEEDED, code=r"quotaExceeded|dailyLimitExceeded"),
    ErrorRule(
        _YOUTUBE,
        _ERROR,
        ErrorKind.QUOTA_EXCEEDED,
        code=r"rateLimitExceeded|RATE_LIMIT_EXCEEDED",
        words=r"\bper day\b",
    ),
    ErrorRule(_YOUTUBE, _ERROR, ErrorKind.RATE_LIMITED, code=r"(userR|r)ateLimitExceeded|RATE_LIMIT_EXCEEDED"),
    ErrorRule(
        _YOUTUBE,
        _CLIENT_ERROR,
        ErrorKind.INVALID_CREDENTIALS,
        code=r"key(Invalid|Expired)|accessNotConfigured|ipRefererBlocked|[A-Za-z]+Unreg",
    ),
    ErrorRule(
        _YOUTUBE, _CLIENT_ERROR, ErrorKind.NOT_FOUND, code=r"channelNotFound|(account|channel)(Closed|Suspended)"
    ),
    ErrorRule(_YOUTUBE, _CLIENT_ERROR, ErrorKind.BAD_REQUEST, code=r"playlistItemsNotAccessible|channelForbidden"),
    ErrorRule(
        _YOUTUBE,
        _CLIENT_ERROR,
        ErrorKind.INVALID_CREDENTIALS,
        code=r"API_KEY_[A-Z_]+|SERVICE_DISABLED|CONSUMER_[A-Z_]+|PERMISSION_DENIED",
    ),
    ErrorRule(
        _YOUTUBE,
        _CLIENT_ERROR,
        ErrorKind.INVALID_CREDENTIALS,
        words=r"API key (not valid|expired)|\breferr?er\b|unregistered callers|has been suspended",
    ),
    ErrorRule(_YOUTUBE, _CLIENT_ERROR, ErrorKind.STALE_CURSOR, code=r"invalidPageToken"),
    ErrorRule(_YOUTUBE, _CLIENT_ERROR, ErrorKind.NO_ENTRIES, code=r"playlistNotFound"),
    ErrorRule(_YOUTUBE, _CLIENT_ERROR, ErrorKind.BAD_REQUEST, code=r"invalid[A-Z][A-Za-z]*|INVALID_ARGUMENT"),
    ErrorRule(_TIKTOK, _ANY, ErrorKind.NOT_FOUND, code=r"10221|10202|10204"),
    ErrorRule(_TIKTOK, _ANY, ErrorKind.PRIVATE, code=r"10222|10216"),
    # 10231: not available in the gateway's region. -1: blocked, with an empty `userInfo` like that of a missing user.
    # Undocumented codes count as blocked, too.
    ErrorRule(_TIKTOK, _SUCCESS, ErrorKind.BLOCKED, code=r"-?[1-9][0-9]*"),
    ErrorRule(_TIKTOK, _CLIENT_ERROR, ErrorKind.QUOTA_EXCEEDED, words=r"\b(monthly|daily) quota\b"),
    ErrorRule(
        _TIKTOK,
        _CLIENT_ERROR,
        ErrorKind.INVALID_CREDENTIALS,
        words=r"not subscribed|invalid api key|(restricted|blocked) user|disabled for your subscription",
    ),
    ErrorRule(_INSTAGRAM, _only(402), ErrorKind.QUOTA_EXCEEDED),
    ErrorRule(_INSTAGRAM, _CLIENT_ERROR, ErrorKind.RATE_LIMITED, words=r"wait a few minutes"),
    ErrorRule(_INSTAGRAM, _only(403), ErrorKind.PRIVATE, words=r"private"),
    ErrorRule(_INSTAGRAM, _only(403), ErrorKind.BLOCKED),
    ErrorRule(_INSTAGRAM, _only(404), ErrorKind.NO_ENTRIES, words=r"entries ?not ?found"),
    ErrorRule(_INSTAGRAM, _only(404), ErrorKind.NOT_FOUND, words=r"user ?not ?found"),
    ErrorRule(_INSTAGRAM, _only(422), ErrorKind.BAD_REQUEST),
    ErrorRule(None, _SUCCESS, None),
    ErrorRule(None, _REDIRECT, ErrorKind.BLOCKED, words=_TARGET_OF_A_BLOCK),
    ErrorRule(None, _only(408), ErrorKind.UNAVAILABLE),
    ErrorRule(None, _only(429), ErrorKind.RATE_LIMITED),
    ErrorRule(None, _CLIENT_ERROR, ErrorKind.RATE_LIMITED, words=r"too many requests|rate limit"),
    ErrorRule(None, _CLIENT_ERROR, ErrorKind.BLOCKED, words=_WORDS_OF_A_BLOCK),
    ErrorRule(None, range(300, 500), ErrorKind.BLOCKED, is_page=True),
    ErrorRule(None, _only(401), ErrorKind.INVALID_CREDENTIALS),
    # Includes a 404 without a known reason: with a wrong base address every request returns 404, and the accounts must
    # not be taken for missing ones.
    ErrorRule(None, range(100, 500), ErrorKind.REFUSED),
    ErrorRule(None, _SERVER_ERROR, ErrorKind.UNAVAILABLE),
)


def classify(platform: Platform, response: ResponseSummary) -> ErrorKind | None:
    """Return the kind of error of a response, or None for a success.

    A status that HTTP does not define is MALFORMED_RESPONSE.
    """
    rule = next((rule for rule in ERROR_RULES if rule.matches(platform, response)), None)
    return rule.kind if rule else ErrorKind.MALFORMED_RESPONSE


def summarize_response(status: int, body: Json) -> ResponseSummary:
    """Collect the error codes and the message of a decoded body (None: not JSON), in any platform's format."""
    return ResponseSummary(status, tuple(_codes(body)), _message(body))


def summarize_text(status: int, body: bytes) -> ResponseSummary:
    """Collect the words of a body that is not JSON: a page of HTML, or plain text."""
    is_page = body.lstrip()[:1] == b"<"
    text = body[:_LONGEST_PAGE].decode("utf-8", "replace")
    return ResponseSummary(status, message=_MARKUP.sub(" ", text).strip() if is_page else text.strip(), is_page=is_page)


def _codes(body: Json) -> Iterator[str]:
    details = get_path(body, "error", "details")
    candidates = [
        *(get_path(error, "reason") for error in _errors(body)),
        *(get_path(detail, "reason") for detail in (details if isinstance(details, list) else ())),
        get_path(body, "error", "status"),
        get_path(body, "exc_type"),
        *(first_of(layer, ("statusCode", "status_code")) for layer in (body, get_path(body, "data"))),
    ]
    for code in candidates:
        if isinstance(code, str | int) and code != "":
            yield str(code)


def _errors(body: Json) -> list[Json]:
    errors = get_path(body, "error", "errors")
    return errors if isinstance(errors, list) else []


def _message(body: Json) -> str:
    layers = (get_path(body, "error"), body, get_path(body, "data"))
    candidates = (first_of(layer, ("message", "detail", "statusMsg", "status_msg", "error")) for layer in layers)
    return next((as_text(text) for text in candidates if as_text(text)), "")
