-- One row per blogger of either system, with the blogger's videos of the window.
--
-- - A video is in the window if a system captured statistics of the video in the window, if it was published in the
--   window (earlier system), or if it was first seen in the window and has no statistics yet (this system). A system
--   has the video if it knew the video before the end of the window.
-- - What was imported in the window is not a find of this system: statistics of the runs of the deployment `imported`,
--   and links of organizations without a fetch.
-- - old_accounts: rows of one account (twins) become one blogger, this system's own row if there is one.
-- - old_videos: the copies of the organizations become one video.
-- - events: for each blogger what the ledger knows about the window. A fetch that read a listing after the publication
--   explains more than any other event; otherwise the newest event explains the missing video.

with platforms as (
    select known.platform
    from unnest(%(platforms)s::text[]) as known (platform)
),
old_rows as (
    select
        old.id,
        platforms.platform,
        ltrim(btrim(old.username::text, e' \t\r\n'), '@') as username,
        nullif(btrim(old.external_id::text, e' \t\r\n'), '') as external_id
    from blogger_tracking.legacy_bloggers as old
    join platforms on lower(platforms.platform) = regexp_replace(lower(old.platform::text), '[^a-z]', '', 'g')
),
old_accounts as (
    select
        old.id,
        old.platform,
        old.username,
        coalesce(
            same_id.id,
            same_account.id,
            first_value(old.id) over (
                partition by old.platform, coalesce(old.external_id, old.id::text) order by old.id
            )
        ) as blogger_id
    from old_rows as old
    left join blogger_tracking.blogger_information as same_id on same_id.id = old.id
    left join blogger_tracking.blogger_information as same_account
        on same_account.platform = old.platform and same_account.external_id = old.external_id
),
old_bloggers as (
    select
        old_accounts.blogger_id,
        min(old_accounts.platform) as platform,
        min(old_accounts.username) as username,
        count(tracked.id) > 0 as is_tracked,
        bool_or(tracked.id is not null and coalesce(tracked.is_active, true)) as is_active,
        max(tracked.last_scraped_at::timestamptz) as last_scraped_at
    from old_accounts
    left join blogger_tracking.legacy_tracked_accounts as tracked on tracked.blogger_id = old_accounts.id
    group by old_accounts.blogger_id
),
own_bloggers as (
    select
        blogger_information.id as blogger_id,
        blogger_information.platform,
        blogger_information.username,
        count(tracked_accounts.id) > 0 as is_tracked,
        coalesce(bool_or(tracked_accounts.is_active), false) as is_active
    from blogger_tracking.blogger_information
    left join blogger_tracking.tracked_accounts on tracked_accounts.blogger_id = blogger_information.id
    group by blogger_information.id
),
bloggers as (
    select
        blogger_id,
        coalesce(own.platform, old.platform) as platform,
        coalesce(own.username, old.username) as username,
        coalesce(old.is_tracked, false) as is_tracked_by_old,
        coalesce(old.is_active, false) as is_active_in_old,
        old.last_scraped_at,
        coalesce(own.is_tracked, false) as is_tracked_by_own,
        coalesce(own.is_active, false) as is_active_in_own
    from old_bloggers as old
    full join own_bloggers as own using (blogger_id)
),
old_captures as (
    select
        video_id::text as video_id,
        min(captured_at::timestamptz) filter (where captured_at < %(until)s) as first_captured_at,
        max(captured_at::timestamptz) filter (where captured_at < %(until)s) as last_captured_at
    from blogger_tracking.legacy_statistics
    where captured_at >= %(since)s
    group by video_id::text
),
old_copies as (
    select
        old.id::text as id,
        platforms.platform,
        old.blogger_id,
        nullif(btrim(old.external_video_id::text, e' \t\r\n'), '') as external_video_id,
        nullif(btrim(old.url::text, e' \t\r\n'), '') as url,
        blogger_tracking.earlier_time(old.published_at::text) as published_at
    from blogger_tracking.legacy_videos as old
    join platforms on lower(platforms.platform) = regexp_replace(lower(old.platform::text), '[^a-z]', '', 'g')
),
old_videos as (
    select
        copies.platform,
        copies.external_video_id,
        (array_agg(old_accounts.blogger_id order by old_accounts.blogger_id))[1] as blogger_id,
        array_agg(distinct copies.url) filter (where copies.url is not null) as urls,
        array_agg(distinct copies.published_at) filter (where copies.published_at is not null) as dates,
        min(old_captures.first_captured_at) as first_captured_at,
        max(old_captures.last_captured_at) as last_captured_at,
        bool_or(old_captures.video_id is not null) as has_captures
    from old_copies as copies
    left join old_accounts on old_accounts.id = copies.blogger_id and old_accounts.platform = copies.platform
    left join old_captures on old_captures.video_id = copies.id
    where copies.external_video_id is not null
    group by copies.platform, copies.external_video_id
),
own_captures as (
    select statistics.video_id, min(statistics.captured_at) as first_captured_at
    from blogger_tracking.video_statistics as statistics
    where statistics.captured_at >= %(since)s
      and statistics.captured_at < %(until)s
      and not exists (
          select
          from blogger_tracking.fetches
          join blogger_tracking.runs on runs.id = fetches.run_id
          where fetches.id = statistics.fetch_id and runs.deployment = 'imported'
      )
    group by statistics.video_id
),
own_videos as (
    select
        videos.platform,
        videos.external_video_id,
        videos.id,
        videos.blogger_id,
        videos.url,
        videos.published_at,
        videos.first_seen_at,
        own_captures.first_captured_at,
        videos.first_seen_at < %(until)s
        and (
            videos.first_seen_at < %(since)s or own_captures.first_captured_at is not null or found.is_linked
        ) as is_known,
        own_captures.first_captured_at is not null
        or (
            found.is_linked
            and videos.first_seen_at >= %(since)s
            and videos.first_seen_at < %(until)s
            and not exists (
                select from blogger_tracking.video_statistics where video_statistics.video_id = videos.id
            )
        ) as is_in_window
    from blogger_tracking.videos
    left join own_captures on own_captures.video_id = videos.id
    cross join lateral (
        select
            videos.first_seen_at >= %(since)s
            and exists (
                select
                from blogger_tracking.organization_videos
                where organization_videos.video_id = videos.id and organization_videos.fetch_id is not null
            )
    ) as found (is_linked)
),
all_videos as (
    select
        platform,
        external_video_id,
        coalesce(own.blogger_id, old.blogger_id) as blogger_id,
        own.url as own_url,
        own.published_at as own_date,
        own.first_seen_at,
        own.first_captured_at as own_captured_at,
        coalesce(own.is_in_window, false) as is_in_window_of_own,
        coalesce(own.is_known, false) as is_own,
        old.has_captures is not null as has_old_row,
        old.urls as old_urls,
        old.dates as old_dates,
        old.dates[1] as old_date,
        old.first_captured_at as old_captured_at,
        old.last_captured_at as old_last_captured_at,
        old.has_captures is not null
        and (
            not old.has_captures
            or old.first_captured_at is not null
            or coalesce(old.dates[1] < %(since)s, false)
        ) as is_old
    from old_videos as old
    full join own_videos as own using (platform, external_video_id)
    where old.first_captured_at is not null
       or (old.dates[1] >= %(since)s and old.dates[1] < %(until)s)
       or own.is_in_window
),
compared as (
    select * from all_videos where is_own or is_old
),
reach as (
    select
        blogger_id,
        min(own_date) filter (where is_in_window_of_own) as oldest_own,
        min(old_date) filter (where old_captured_at is not null) as oldest_old,
        max(old_last_captured_at) as last_captured_by_old
    from compared
    group by blogger_id
),
events as (
    select
        fetches.blogger_id,
        coalesce(fetch_attempts.finished_at, fetches.claimed_at, runs.planned_at) as happened_at,
        fetches.state,
        coalesce(fetch_attempts.reason, fetches.reason, allocations.reason) as reason,
        fetches.state in ('succeeded', 'partial', 'empty') as has_listing,
        allocations.is_limited
    from blogger_tracking.runs
    join blogger_tracking.fetches on fetches.run_id = runs.id
    left join blogger_tracking.fetch_attempts
        on fetch_attempts.id = coalesce(fetches.conclusive_attempt_id, fetches.current_attempt_id)
    cross join lateral (
        select
            coalesce(bool_or(granted < asked or decision <> 'full'), false) as is_limited,
            min(fetch_allocations.reason) as reason
        from blogger_tracking.fetch_allocations
        where fetch_allocations.fetch_id = fetches.id
    ) as allocations
    where runs.planned_at < %(until)s and runs.expires_at >= %(since)s and runs.deployment <> 'imported'
    union all
    select tracked_accounts.blogger_id, runs.planned_at, 'skipped', run_accounts.reason, false, false
    from blogger_tracking.runs
    join blogger_tracking.run_accounts on run_accounts.run_id = runs.id and run_accounts.decision = 'skipped'
    join blogger_tracking.tracked_accounts on tracked_accounts.id = run_accounts.tracked_account_id
    where runs.planned_at >= %(since)s and runs.planned_at < %(until)s
),
missing_here as (
    select distinct on (compared.platform, compared.external_video_id)
        compared.platform,
        compared.external_video_id,
        compared.blogger_id,
        coalesce(compared.first_seen_at >= %(until)s, false) as is_found_later,
        compared.old_date,
        coalesce(compared.old_date, compared.old_captured_at) as existed_at,
        events.happened_at,
        events.state,
        events.reason,
        events.has_listing,
        events.is_limited
    from compared
    left join events
        on events.blogger_id = compared.blogger_id
        and events.happened_at >= %(since)s
        and events.happened_at < %(until)s
    where compared.is_old and not compared.is_own
    order by
        compared.platform,
        compared.external_video_id,
        (events.has_listing and events.happened_at >= coalesce(compared.old_date, compared.old_captured_at))
        desc nulls last,
        events.happened_at desc nulls last
),
reasons_here as (
    select
        missing_here.platform,
        missing_here.external_video_id,
        missing_here.reason as detail,
        case
            when missing_here.is_found_later then 'found_later'
            when not coalesce(bloggers.is_tracked_by_own, false) then 'not_tracked'
            when missing_here.state is null and not bloggers.is_active_in_own then 'inactive'
            when missing_here.state is null then 'never_planned'
            when missing_here.has_listing and missing_here.happened_at < missing_here.existed_at
                then 'not_fetched_since'
            when missing_here.state in ('succeeded', 'partial') and missing_here.old_date < reach.oldest_own
                then case
                    when missing_here.state = 'partial' then 'partial'
                    when missing_here.is_limited then 'subscription_limit'
                    else 'beyond_count'
                end
            when missing_here.state in ('succeeded', 'partial') then 'missed'
            when missing_here.state in ('planned', 'running') then 'unfinished'
            when missing_here.state = 'skipped'
                then split_part(split_part(missing_here.reason, ':', 1), ',', 1)
            else missing_here.state
        end as reason
    from missing_here
    left join bloggers on bloggers.blogger_id = missing_here.blogger_id
    left join reach on reach.blogger_id = missing_here.blogger_id
),
reasons_there as (
    select
        compared.platform,
        compared.external_video_id,
        case
            when compared.has_old_row then 'found_later'
            when not bloggers.is_tracked_by_old then 'not_tracked'
            when not bloggers.is_active_in_old then 'inactive'
            when compared.own_date < reach.oldest_old then 'beyond_count'
            when coalesce(greatest(bloggers.last_scraped_at, reach.last_captured_by_old), '-infinity')
                < coalesce(compared.own_date, compared.first_seen_at) then 'not_fetched_since'
            else 'missed'
        end as reason
    from compared
    join bloggers on bloggers.blogger_id = compared.blogger_id
    left join reach on reach.blogger_id = compared.blogger_id
    where compared.is_own and not compared.is_old
),
differences as (
    select
        compared.blogger_id,
        compared.platform,
        compared.external_video_id,
        found.kind,
        found.reason,
        found.detail,
        found.old_value,
        found.new_value
    from compared
    left join reasons_here using (platform, external_video_id)
    left join reasons_there using (platform, external_video_id)
    cross join lateral (
        values
        (
            'only_old', compared.is_old and not compared.is_own,
            reasons_here.reason, reasons_here.detail, compared.old_urls[1], null
        ),
        (
            'only_new', compared.is_own and not compared.is_old,
            reasons_there.reason, null, null, compared.own_url
        ),
        (
            'address', compared.is_own and compared.is_old and compared.own_url <> all(compared.old_urls),
            null, null, compared.old_urls[1], compared.own_url
        ),
        (
            'date',
            compared.is_own
            and compared.is_old
            and compared.old_dates is not null
            and not exists (
                select
                from unnest(compared.old_dates) as old (date)
                where old.date between compared.own_date - %(date_tolerance)s and compared.own_date + %(date_tolerance)s
            ),
            null, null, compared.old_date::text, compared.own_date::text
        )
    ) as found (kind, applies, reason, detail, old_value, new_value)
    where found.applies
),
listed as (
    select
        blogger_id,
        platform,
        jsonb_agg(
            jsonb_build_object(
                'kind', kind, 'external_video_id', external_video_id, 'reason', reason, 'detail', detail,
                'old', old_value, 'new', new_value
            )
            order by kind, external_video_id
        ) as differences
    from differences
    group by blogger_id, platform
),
counted as (
    select
        blogger_id,
        platform,
        count(*) filter (where is_own and is_old) as videos_of_both,
        count(*) filter (
            where is_own and is_old and own_captured_at is not null and old_captured_at is not null
        ) as videos_with_counts
    from compared
    group by blogger_id, platform
)
select
    coalesce(bloggers.blogger_id, counted.blogger_id) as blogger_id,
    coalesce(bloggers.platform, counted.platform) as platform,
    coalesce(bloggers.username, '') as username,
    coalesce(bloggers.is_tracked_by_old, false) as is_tracked_by_old,
    coalesce(bloggers.is_tracked_by_own, false) as is_tracked_by_own,
    coalesce(counted.videos_of_both, 0) as videos_of_both,
    coalesce(counted.videos_with_counts, 0) as videos_with_counts,
    coalesce(listed.differences, '[]') as differences
from bloggers
full join counted on counted.blogger_id = bloggers.blogger_id
left join listed
    on listed.platform = counted.platform and listed.blogger_id is not distinct from counted.blogger_id
where bloggers.is_tracked_by_old or bloggers.is_tracked_by_own or counted.platform is not null
order by platform, lower(coalesce(bloggers.username, '')), coalesce(bloggers.blogger_id, counted.blogger_id)
