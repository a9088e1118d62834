"""Conversion of tracked accounts to response bodies."""

from __future__ import annotations

from blogger_tracking.api.schemas import AccountState, Blogger, InitialFetch, LastFetch, Tracking, TrackingState
from blogger_tracking.database.tracked_accounts import TrackedBlogger
from blogger_tracking.domain.models import Platform
from blogger_tracking.usecases.dispatch_initial_fetches import DispatchOutcome


def tracking(account: TrackedBlogger, dispatched: DispatchOutcome | None = None) -> Tracking:
    """Return a tracked account. `dispatched` is newer than the account's state in the database."""
    return Tracking(blogger=_blogger(account), initial_fetch=_initial_fetch(account, dispatched))


def tracking_state(account: TrackedBlogger) -> TrackingState:
    """Return a tracked account with its last fetch."""
    return TrackingState(
        blogger=_blogger(account),
        initial_fetch=_initial_fetch(account, None),
        account=AccountState(
            state=account.account_state,
            since=account.account_state_since,
            reason=account.account_state_reason,
            former_username=account.former_username,
            renamed_at=account.renamed_at,
        ),
        last_fetch=_last_fetch(account),
        videos_saved=account.videos_saved,
    )


def _blogger(account: TrackedBlogger) -> Blogger:
    return Blogger(
        tracking_id=account.tracking_id,
        blogger_id=account.blogger_id,
        organization_id=account.organization_id,
        platform=Platform(account.platform),
        username=account.username,
        external_id=account.external_id,
        sec_uid=account.sec_id,
        channel_name=account.channel_name,
        subscribers=account.subscribers,
        thumbnail_url=account.thumbnail_url,
        account_state=account.account_state,
        is_active=account.is_active,
        daily_videos_count=account.daily_videos_count,
        last_scraped_at=account.last_scraped_at,
    )


def _initial_fetch(account: TrackedBlogger, dispatched: DispatchOutcome | None) -> InitialFetch:
    if dispatched and account.pending_initial_fetch:
        return InitialFetch(state=dispatched.state, dag_run_id=dispatched.dag_run_id, reason=dispatched.reason)
    return InitialFetch(
        state=account.initial_fetch_state, dag_run_id=account.dag_run_id, reason=account.initial_fetch_reason
    )


def _last_fetch(account: TrackedBlogger) -> LastFetch | None:
    if account.last_fetch_state is None:
        return None
    return LastFetch(state=account.last_fetch_state, reason=account.last_fetch_reason, at=account.last_fetch_at)
