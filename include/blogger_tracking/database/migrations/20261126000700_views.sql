-- The view that the planner selects from, and the view of the planned batch messages.

create view blogger_tracking.tracked_bloggers_view with (security_invoker = true) as
select
    tracked_accounts.id as tracking_id,
    tracked_accounts.organization_id,
    tracked_accounts.user_id,
    tracked_accounts.blogger_id,
    blogger_information.platform,
    blogger_information.external_id,
    blogger_information.sec_id,
    blogger_information.username,
    coalesce(tracked_accounts.daily_videos_count, organizations.daily_videos_count) as daily_videos_count,
    tracked_accounts.is_active,
    tracked_accounts.last_scraped_at,
    tracked_accounts.pending_initial_fetch
from blogger_tracking.tracked_accounts
join blogger_tracking.organizations on organizations.id = tracked_accounts.organization_id
join blogger_tracking.blogger_information on blogger_information.id = tracked_accounts.blogger_id;

comment on view blogger_tracking.tracked_bloggers_view is
    'Tracked accounts with everything the planner needs, one row per account.';
comment on column blogger_tracking.tracked_bloggers_view.daily_videos_count is
    'The count of the tracked account, or else the count of the organization.';

create view blogger_tracking.blogger_video_queue with (security_invoker = true) as
select
    fetch_allocations.fetch_id,
    fetch_allocations.tracked_account_id as "trackingId",
    tracked_accounts.user_id as "userId",
    blogger_information.external_id as "externalId",
    fetch_allocations.granted as daily_videos_count,
    fetch_allocations.organization_id,
    fetches.blogger_id,
    fetches.platform
from blogger_tracking.fetch_allocations
join blogger_tracking.fetches on fetches.id = fetch_allocations.fetch_id
left join blogger_tracking.tracked_accounts on tracked_accounts.id = fetch_allocations.tracked_account_id
join blogger_tracking.blogger_information on blogger_information.id = fetches.blogger_id;

comment on view blogger_tracking.blogger_video_queue is
    'Batch messages in the format of the former queue of this name, one row per allocation. "userId" is null if the tracked account or the user was deleted.';
