"""Errors of requests to the HTTP API: one type each, with a code for programs and a sentence for people."""

from __future__ import annotations

from typing import ClassVar

from blogger_tracking.domain.errors import BloggerTrackingError
from blogger_tracking.domain.models import Platform


class RequestError(BloggerTrackingError):
    """A rejected request. Nothing was changed, and the message may be shown to the caller."""

    code: ClassVar[str] = "refused"


class InvalidUsernameError(RequestError):
    """A username that is neither a name nor a profile URL of the platform."""

    code = "invalid_username"


class NotAuthenticatedError(RequestError):
    """A missing or invalid access token."""

    code = "not_authenticated"


class NotAMemberError(RequestError):
    """A caller who does not belong to the organization."""

    code = "not_a_member"


class RoleNotAllowedError(RequestError):
    """A caller whose role in the organization does not allow the request."""

    code = "role_not_allowed"


class NoActiveSubscriptionError(RequestError):
    """An organization without a subscription whose period covers now."""

    code = "no_active_subscription"


class BloggerLimitReachedError(RequestError):
    """An organization that already tracks as many bloggers as its subscription allows."""

    code = "blogger_limit_reached"


class OrganizationNotFoundError(RequestError):
    """An organization that does not exist."""

    code = "organization_not_found"


class BloggerNotFoundError(RequestError):
    """A blogger that no row has."""

    code = "blogger_not_found"


class AlreadyTrackedError(RequestError):
    """A blogger that the organization tracks already."""

    code = "already_tracked"


class TrackedAccountNotFoundError(RequestError):
    """A tracked account that does not exist."""

    code = "tracked_account_not_found"


class BloggerUnknownError(RequestError):
    """A blogger that the organization does not know."""

    code = "blogger_unknown"


class CampaignNotFoundError(RequestError):
    """A campaign that the organization does not have."""

    code = "campaign_not_found"


class PlatformSuspendedError(RequestError):
    """A suspended platform. `retry_after` is in whole seconds."""

    code = "platform_suspended"

    def __init__(self, platform: Platform, retry_after: int) -> None:
        super().__init__(f"{platform} is suspended at the moment. Try again in {retry_after} s.")
        self.retry_after = retry_after


class PlatformQuotaSpentError(RequestError):
    """A platform whose budget for look-ups is spent. `retry_after` is in whole seconds."""

    code = "platform_quota_exceeded"

    def __init__(self, platform: Platform, retry_after: int) -> None:
        super().__init__(f"The look-ups at {platform} are used up for today. Try again in {retry_after} s.")
        self.retry_after = retry_after


class LookUpBudgetSpentError(RequestError):
    """A person or an organization without a look-up left. `retry_after` is in whole seconds.

    `budget` names the look-ups that are used up, for example "the look-ups of an hour".
    """

    code = "look_up_budget_spent"

    def __init__(self, holder: str, budget: str, retry_after: int) -> None:
        super().__init__(f"{holder} has used up {budget}. Try again in {retry_after} s.")
        self.retry_after = retry_after


class KeyReusedError(RequestError):
    """An idempotency key that was used before with another body."""

    code = "idempotency_key_reused"


class InProgressError(RequestError):
    """An idempotency key whose first request has not been answered yet."""

    code = "request_in_progress"


class RateLimitedError(RequestError):
    """A sender that exceeds its request rate. `retry_after` is in whole seconds, at least 1."""

    code = "rate_limited"

    def __init__(self, sender: str, retry_after: int) -> None:
        super().__init__(f"{sender} sends too many requests. Try again in {retry_after} s.")
        self.retry_after = retry_after


class BodyTooLargeError(RequestError):
    """A request whose body is larger than any valid body."""

    code = "body_too_large"


class BusyError(RequestError):
    """A request rejected because too many requests wait for the same thing. `retry_after` is in whole seconds."""

    code = "busy"

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(f"{reason} Try again in {retry_after} s.")
        self.retry_after = retry_after
