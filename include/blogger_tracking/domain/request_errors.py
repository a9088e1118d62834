"""Why a person's request is refused, as types. Each has a code for programs and a sentence for people."""

from __future__ import annotations

from typing import ClassVar

from blogger_tracking.domain.errors import BloggerTrackingError
from blogger_tracking.domain.models import Platform


class RequestError(BloggerTrackingError):
    """A request that is understood and not granted. Nothing was changed. The message may be shown to anybody."""

    code: ClassVar[str] = "refused"


class InvalidUsernameError(RequestError):
    """The username is no name and no profile address of the platform."""

    code = "invalid_username"


class NotAuthenticatedError(RequestError):
    """There is no access token, or not one that is valid here."""

    code = "not_authenticated"


class NotAMemberError(RequestError):
    """The caller does not belong to the organization."""

    code = "not_a_member"


class RoleNotAllowedError(RequestError):
    """The caller's role in the organization does not allow this."""

    code = "role_not_allowed"


class NoActiveSubscriptionError(RequestError):
    """No subscription of the organization covers now."""

    code = "no_active_subscription"


class BloggerLimitReachedError(RequestError):
    """The organization already tracks as many bloggers as its subscription allows."""

    code = "blogger_limit_reached"


class TrackedAccountNotFoundError(RequestError):
    """There is no such tracked account."""

    code = "tracked_account_not_found"


class BloggerUnknownError(RequestError):
    """The organization does not know this blogger."""

    code = "blogger_unknown"


class CampaignNotFoundError(RequestError):
    """The organization has no such campaign."""

    code = "campaign_not_found"


class PlatformSuspendedError(RequestError):
    """The platform is suspended. `retry_after` is in whole seconds."""

    code = "platform_suspended"

    def __init__(self, platform: Platform, retry_after: int) -> None:
        super().__init__(f"{platform} is suspended. Try again in {retry_after} s.")
        self.retry_after = retry_after


class KeyReusedError(RequestError):
    """An idempotency key came again with another body."""

    code = "idempotency_key_reused"


class InProgressError(RequestError):
    """The first request with this idempotency key has not been answered yet."""

    code = "request_in_progress"


class RateLimitedError(RequestError):
    """The organization has sent too many requests. `retry_after` is in whole seconds, at least 1."""

    code = "rate_limited"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many requests of this organization. Try again in {retry_after} s.")
        self.retry_after = retry_after


class BusyError(RequestError):
    """So many look-ups are waiting for platforms already that another one would only wait as well."""

    code = "busy"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many bloggers are being looked up. Try again in {retry_after} s.")
        self.retry_after = retry_after
