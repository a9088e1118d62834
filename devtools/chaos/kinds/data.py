"""Kinds that change accounts, organizations, subscriptions and limits during a run."""

from __future__ import annotations

import time
from uuid import UUID

import requests

from devtools.chaos.chaos_stack import persistently
from devtools.chaos.kinds.kind import ANYWHERE, FETCHING, Kind
from devtools.chaos.trial import Trial
from devtools.local_stack.adding_over_http import access_token
from devtools.platform_sandbox import PlatformName

_CHANGED = 5
_ADDED = 3
_TIMEOUT_SECONDS = 30.0
_ADDING_SECONDS = 20.0
_LONG_ID = "x" * 300


def _pause_accounts(trial: Trial) -> None:
    accounts = [account for account, _, _ in trial.random.sample(trial.accounts(), _CHANGED)]
    trial.expected.excused.update(accounts)
    trial.execute(
        "update blogger_tracking.tracked_accounts set is_active = false where id = any(%(accounts)s)", accounts=accounts
    )


def _delete_accounts(trial: Trial) -> None:
    accounts = [account for account, _, _ in trial.random.sample(trial.accounts(), _CHANGED)]
    trial.execute("delete from blogger_tracking.tracked_accounts where id = any(%(accounts)s)", accounts=accounts)


def _delete_organization(trial: Trial) -> None:
    trial.execute(
        "delete from blogger_tracking.organizations where id = %(organization)s",
        organization=trial.random.choice(trial.fleet.organizations),
    )


def _lower_limit(trial: Trial) -> None:
    """Lower a limit to what is used and reserved at this moment, or below."""
    organization = _excused_organization(trial)
    trial.execute(
        """
        update blogger_tracking.subscriptions
        set video_limit = (
            select coalesce(max(usage.videos_fetched + usage.reserved / 2), 0)
            from blogger_tracking.subscription_usage as usage
            where usage.organization_id = %(organization)s
        )
        where organization_id = %(organization)s
        """,
        organization=organization,
    )


def _remove_subscription(trial: Trial) -> None:
    organization = _excused_organization(trial)
    trial.execute(
        "delete from blogger_tracking.subscriptions where organization_id = %(organization)s", organization=organization
    )


def _excused_organization(trial: Trial) -> object:
    organization = trial.random.choice(trial.fleet.organizations)
    trial.expected.excused.update(account for account, owner, _ in trial.accounts() if owner == organization)
    trial.expected.less_granted = True
    return organization


def _change_counts(trial: Trial) -> None:
    trial.execute(
        "update blogger_tracking.organizations set daily_videos_count = 25 where id = any(%(organizations)s)",
        organizations=trial.fleet.organizations,
    )
    accounts = [account for account, _, _ in trial.random.sample(trial.accounts(), _CHANGED)]
    trial.execute(
        "update blogger_tracking.tracked_accounts set daily_videos_count = 5 where id = any(%(accounts)s)",
        accounts=accounts,
    )


def _remove_members(trial: Trial) -> None:
    trial.execute(
        "update blogger_tracking.tracked_accounts set user_id = %(owner)s where organization_id = any(%(all)s)",
        owner=trial.fleet.owner,
        all=trial.fleet.organizations,
    )
    trial.execute("delete from auth.users where id = %(owner)s", owner=trial.fleet.owner)


def _add_bloggers(trial: Trial) -> None:
    token = access_token(trial.stack, trial.fleet.owner)
    for number in range(_ADDED):
        creator = trial.makers.untracked(list(PlatformName)[number % len(PlatformName)])
        body = {
            "username": creator.username,
            "platform": creator.platform,
            "organizationId": str(trial.random.choice(trial.fleet.organizations)),
        }

        def add(body: dict[str, str] = body) -> str:
            response = requests.post(
                f"{trial.stack.api_url}/blogger/add",
                json=body,
                headers={"Authorization": f"Bearer {token}"},
                timeout=_TIMEOUT_SECONDS,
            )
            response.raise_for_status()
            return str(response.json()["blogger"]["trackingId"])

        tracking_id = persistently(add, _ADDING_SECONDS)
        ((blogger,),) = trial.execute(
            "select blogger_id from blogger_tracking.tracked_accounts where id = %(account)s::uuid", account=tracking_id
        )
        trial.expected.creators[blogger] = creator
        if trial.is_combined:
            # The other disturbance may have been the reason why the initial fetch failed, and waits for the next run.
            trial.expected.excused.add(UUID(tracking_id))
        time.sleep(trial.random.uniform(0.2, 1.5))


def _plant_long_id(trial: Trial) -> None:
    """Insert a video with an id of 300 characters, as a platform might send it, with its messages."""
    video_id = f"{trial.random.randrange(10**9)}{_LONG_ID}"[:300]
    trial.expected.planted_videos.add(video_id)
    trial.execute(
        """
        with first_fetch as (
            select fetches.id, fetches.blogger_id
            from blogger_tracking.fetches
            join blogger_tracking.runs on runs.id = fetches.run_id
            where runs.dag_run_id = %(run)s and fetches.platform = 'YouTube'
            order by fetches.id
            limit 1
        ),
        video as (
            insert into blogger_tracking.videos (
                platform, external_video_id, blogger_id, url, title, thumbnail_url, published_at
            )
            select
                'YouTube', %(video)s, first_fetch.blogger_id, 'https://www.youtube.com/watch?v=' || %(video)s, 'long',
                %(thumbnails)s || '/thumbnails/youtube/dQw4w9WgXcQ.jpg', now()
            from first_fetch
            returning id, thumbnail_url
        ),
        thumbnail as (
            insert into blogger_tracking.thumbnail_queue (fetch_id, video_id, thumbnail_url)
            select first_fetch.id, video.id, video.thumbnail_url
            from first_fetch
            cross join video
        )
        insert into blogger_tracking.high_priority_queue (fetch_id, videos)
        select first_fetch.id, array[%(video)s]
        from first_fetch
        """,
        run=trial.dag_run_id,
        video=video_id,
        thumbnails=trial.stack.sandbox_url,
    )


KINDS = (
    Kind(
        name="accounts-paused",
        sentence=f"{_CHANGED} tracked accounts paused",
        points=ANYWHERE,
        inject=_pause_accounts,
    ),
    Kind(
        name="accounts-deleted",
        sentence=f"{_CHANGED} tracked accounts deleted",
        points=FETCHING,
        inject=_delete_accounts,
    ),
    Kind(
        name="organization-deleted",
        sentence="an organization deleted with everything that belongs to it",
        points=FETCHING,
        inject=_delete_organization,
    ),
    Kind(
        name="limit-lowered",
        sentence="the limit of an organization lowered below what is charged and reserved",
        points=FETCHING,
        inject=_lower_limit,
    ),
    Kind(
        name="subscription-removed",
        sentence="the subscription of an organization removed",
        points=ANYWHERE,
        inject=_remove_subscription,
    ),
    Kind(
        name="counts-changed",
        sentence="the number of videos per account and organization changed",
        points=ANYWHERE,
        inject=_change_counts,
    ),
    Kind(
        name="person-deleted",
        sentence="the person who added all accounts deleted",
        points=ANYWHERE,
        inject=_remove_members,
    ),
    Kind(
        name="bloggers-added",
        sentence=f"{_ADDED} bloggers added over HTTP during the run",
        points=ANYWHERE,
        inject=_add_bloggers,
    ),
    Kind(
        name="video-id-of-300-characters",
        sentence="a video whose id has 300 characters, with a message in both queues",
        points=FETCHING,
        inject=_plant_long_id,
    ),
)
