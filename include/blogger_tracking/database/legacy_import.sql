-- Statements of an import, one section for each step. legacy_import.py executes the statements of a step together for
-- each batch of the staged rows of a view: those whose `number` is between `first` and `last`.

-- section: organizations
insert into blogger_tracking.organizations (id, name, daily_videos_count, initial_videos_count)
select id, name, daily_videos_count, initial_videos_count
from blogger_tracking.staged_organizations
where number between %(first)s and %(last)s and outcome = 'imported'
order by id
on conflict (id) do update
set
    name = excluded.name,
    daily_videos_count = excluded.daily_videos_count,
    initial_videos_count = excluded.initial_videos_count;

-- section: members
insert into blogger_tracking.organization_members (organization_id, user_id, role)
select organization_id, user_id, role
from blogger_tracking.staged_members
where number between %(first)s and %(last)s and outcome = 'imported'
order by organization_id, user_id
on conflict (organization_id, user_id) do update set role = excluded.role;

-- section: subscriptions
-- Usages are locked first, and in order: decision 6. A period that was imported without an end ends where the next one
-- begins.
select
from blogger_tracking.subscription_usage as usage
join blogger_tracking.staged_subscriptions as staged using (organization_id)
where staged.number between %(first)s and %(last)s and staged.outcome = 'imported'
order by usage.organization_id, usage.period_start
for update of usage;

update blogger_tracking.subscriptions as earlier
set period_end = later.period_start
from (
    select organization_id, min(period_start) as period_start
    from blogger_tracking.staged_subscriptions
    where number between %(first)s and %(last)s and outcome = 'imported'
    group by organization_id
) as later
where earlier.organization_id = later.organization_id
  and earlier.period_start < later.period_start
  and earlier.period_end > later.period_start;

insert into blogger_tracking.subscriptions (
    organization_id, period_start, period_end, plan, video_limit, blogger_limit
)
select organization_id, period_start, period_end, plan, video_limit, blogger_limit
from blogger_tracking.staged_subscriptions
where number between %(first)s and %(last)s and outcome = 'imported'
order by organization_id, period_start
on conflict (organization_id, period_start) do update
set
    period_end = excluded.period_end,
    plan = excluded.plan,
    video_limit = excluded.video_limit,
    blogger_limit = excluded.blogger_limit;

insert into blogger_tracking.subscription_usage (organization_id, period_start)
select organization_id, period_start
from blogger_tracking.staged_subscriptions
where number between %(first)s and %(last)s and outcome = 'imported'
order by organization_id, period_start
on conflict (organization_id, period_start) do nothing;

-- Once videos are charged here, the imported usage grows up to the limit only: this system never uses more of a period
-- than its limit, and the earlier system may still be counting.
update blogger_tracking.subscription_usage as usage
set opening = case
    when usage.videos_fetched + usage.reserved = 0 then staged.videos_used
    else least(
        staged.videos_used, greatest(usage.opening, staged.video_limit - usage.videos_fetched - usage.reserved)
    )
end
from blogger_tracking.staged_subscriptions as staged
where staged.number between %(first)s and %(last)s
  and staged.outcome = 'imported'
  and usage.organization_id = staged.organization_id
  and usage.period_start = staged.period_start;

-- section: bloggers
-- A statement of its own for the columns of a key: changing them locks a row against planning and saving a fetch, even
-- where their values stay the same.
update blogger_tracking.blogger_information as here
set platform = staged.platform, external_id = staged.external_id
from blogger_tracking.staged_bloggers as staged
where staged.number between %(first)s and %(last)s
  and staged.outcome = 'imported'
  and here.id = staged.id
  and (here.platform, here.external_id) <> (staged.platform, staged.external_id);

insert into blogger_tracking.blogger_information (
    id, platform, username, external_id, sec_id, channel_name, subscribers, thumbnail_url, created_at
)
select
    id, platform, username, external_id, sec_id, channel_name, subscribers, thumbnail_url, coalesce(created_at, now())
from blogger_tracking.staged_bloggers
where number between %(first)s and %(last)s and outcome = 'imported'
order by id
on conflict (id) do update
set
    username = excluded.username,
    sec_id = coalesce(excluded.sec_id, blogger_information.sec_id),
    channel_name = coalesce(excluded.channel_name, blogger_information.channel_name),
    subscribers = coalesce(excluded.subscribers, blogger_information.subscribers),
    thumbnail_url = coalesce(excluded.thumbnail_url, blogger_information.thumbnail_url),
    updated_at = clock_timestamp();

-- section: tracked accounts
-- An account that follows another blogger in the earlier system now. A statement of its own, because a change of the
-- columns of a key locks the row against planning.
update blogger_tracking.tracked_accounts as here
set organization_id = staged.organization_id, blogger_id = staged.blogger_id
from blogger_tracking.staged_tracked_accounts as staged
where staged.number between %(first)s and %(last)s
  and staged.outcome = 'imported'
  and here.id = staged.id
  and (here.organization_id, here.blogger_id) <> (staged.organization_id, staged.blogger_id);

-- An account without videos is fetched first by an initial fetch, if it is active. The time of the last fetch is taken
-- once: later times are those of the fetches of this system.
insert into blogger_tracking.tracked_accounts (
    id,
    organization_id,
    user_id,
    blogger_id,
    is_active,
    daily_videos_count,
    last_scraped_at,
    pending_initial_fetch,
    initial_fetch_attempt,
    initial_fetch_reason,
    initial_videos_fetched
)
select
    id,
    organization_id,
    user_id,
    blogger_id,
    is_active,
    daily_videos_count,
    last_scraped_at,
    not has_videos and (is_active or is_pending),
    case when not has_videos and (is_active or is_pending) then 1 else 0 end,
    case when not has_videos and not is_active and not is_pending then 'imported: paused before its first videos' end,
    has_videos
from blogger_tracking.staged_tracked_accounts
where number between %(first)s and %(last)s and outcome = 'imported'
order by id
on conflict (id) do update
set
    user_id = excluded.user_id,
    is_active = excluded.is_active,
    daily_videos_count = excluded.daily_videos_count,
    initial_videos_fetched = tracked_accounts.initial_videos_fetched or excluded.initial_videos_fetched,
    pending_initial_fetch = tracked_accounts.pending_initial_fetch and not excluded.initial_videos_fetched;

-- section: tags
insert into blogger_tracking.blogger_tags (organization_id, blogger_id, tag)
select organization_id, blogger_id, tag
from blogger_tracking.staged_tags
where number between %(first)s and %(last)s and outcome = 'imported'
on conflict do nothing;

-- section: campaigns
insert into blogger_tracking.campaigns (organization_id, name)
select distinct organization_id, name
from blogger_tracking.staged_campaigns
where number between %(first)s and %(last)s and outcome = 'imported'
on conflict do nothing;

insert into blogger_tracking.blogger_campaign (campaign_id, blogger_id)
select campaigns.id, staged.blogger_id
from blogger_tracking.staged_campaigns as staged
join blogger_tracking.campaigns on campaigns.organization_id = staged.organization_id and campaigns.name = staged.name
where staged.number between %(first)s and %(last)s and staged.outcome = 'imported' and staged.blogger_id is not null
on conflict do nothing;

-- section: videos
-- In the order in which the settlement of a fetch locks videos. A known publication date is kept, as there.
insert into blogger_tracking.videos (
    platform, external_video_id, blogger_id, url, title, thumbnail_url, published_at
)
select platform, external_video_id, blogger_id, url, title, thumbnail_url, published_at
from blogger_tracking.staged_videos
where number between %(first)s and %(last)s and outcome = 'imported'
order by platform, external_video_id
on conflict (platform, external_video_id) do update
set
    url = coalesce(nullif(excluded.url, ''), videos.url),
    title = coalesce(nullif(excluded.title, ''), videos.title),
    thumbnail_url = coalesce(excluded.thumbnail_url, videos.thumbnail_url),
    published_at = coalesce(videos.published_at, excluded.published_at);

insert into blogger_tracking.organization_videos (organization_id, video_id)
select distinct staged.organization_id, videos.id
from blogger_tracking.staged_videos as staged
join blogger_tracking.videos
    on videos.platform = staged.platform and videos.external_video_id = staged.external_video_id
where staged.number between %(first)s and %(last)s
  and staged.outcome in ('imported', 'merged')
  and staged.organization_id is not null
on conflict (organization_id, video_id) do nothing;

-- A video without an organization is a video of every organization that tracks its blogger.
insert into blogger_tracking.organization_videos (organization_id, video_id)
select distinct tracked_accounts.organization_id, videos.id
from blogger_tracking.staged_videos as staged
join blogger_tracking.videos
    on videos.platform = staged.platform and videos.external_video_id = staged.external_video_id
join blogger_tracking.tracked_accounts on tracked_accounts.blogger_id = staged.blogger_id
where staged.number between %(first)s and %(last)s
  and staged.outcome in ('imported', 'merged')
  and staged.is_for_all
on conflict (organization_id, video_id) do nothing;

insert into blogger_tracking.imported_rows (view_name, legacy_key, checksum, imported_id)
select 'videos', staged.legacy_key, staged.checksum, videos.id::text
from blogger_tracking.staged_videos as staged
join blogger_tracking.videos
    on videos.platform = staged.platform and videos.external_video_id = staged.external_video_id
where staged.number between %(first)s and %(last)s
  and staged.id_copy = 1
  and staged.outcome in ('imported', 'merged')
on conflict (view_name, legacy_key) do update
set checksum = excluded.checksum, imported_id = excluded.imported_id, imported_at = now()
where imported_rows.checksum <> excluded.checksum;

-- section: statistics
update blogger_tracking.video_statistics as known
set views = staged.views, likes = staged.likes, comments = staged.comments, reposts = staged.reposts
from blogger_tracking.staged_statistics as staged
join blogger_tracking.videos
    on videos.platform = staged.platform and videos.external_video_id = staged.external_video_id
where staged.number between %(first)s and %(last)s
  and staged.outcome = 'imported'
  and known.video_id = videos.id
  and known.captured_at = staged.captured_at;

-- The pass of a row follows the passes that its video has on that day already.
update blogger_tracking.staged_statistics as staged
set video_id = placed.video_id, blogger_id = placed.blogger_id, pass = placed.pass
from (
    select
        new.number,
        videos.id as video_id,
        videos.blogger_id,
        row_number() over (
            partition by videos.id, (new.captured_at at time zone 'UTC')::date order by new.captured_at
        ) + (
            select coalesce(max(nullif(split_part(runs.dag_run_id, '#', 2), '')::integer), 0)
            from blogger_tracking.video_statistics as known
            join blogger_tracking.fetches on fetches.id = known.fetch_id
            join blogger_tracking.runs on runs.id = fetches.run_id
            where known.video_id = videos.id
              and known.fetched_on = (new.captured_at at time zone 'UTC')::date
              and runs.deployment = 'imported'
        ) as pass
    from blogger_tracking.staged_statistics as new
    join blogger_tracking.videos
        on videos.platform = new.platform and videos.external_video_id = new.external_video_id
    where new.number between %(first)s and %(last)s
      and new.outcome = 'imported'
      and not exists (
          select
          from blogger_tracking.video_statistics as known
          where known.video_id = videos.id and known.captured_at = new.captured_at
      )
) as placed
where staged.number = placed.number;

insert into blogger_tracking.runs (
    deployment, dag_id, dag_run_id, planned_at, expires_at, ended_at, active_accounts
)
select distinct
    'imported',
    'import',
    to_char(captured_at at time zone 'UTC', 'YYYY-MM-DD#') || pass,
    date_trunc('day', captured_at, 'UTC'),
    date_trunc('day', captured_at, 'UTC'),
    date_trunc('day', captured_at, 'UTC'),
    0
from blogger_tracking.staged_statistics
where number between %(first)s and %(last)s and pass is not null
on conflict (deployment, dag_id, dag_run_id) do nothing;

insert into blogger_tracking.fetches (
    run_id, blogger_id, platform, fetched_on, target_count, task_id, map_index, state, reason
)
select distinct
    runs.id,
    staged.blogger_id,
    staged.platform,
    (staged.captured_at at time zone 'UTC')::date,
    1,
    'import',
    -1,
    'succeeded',
    'imported: made by the earlier system'
from blogger_tracking.staged_statistics as staged
join blogger_tracking.runs
    on runs.deployment = 'imported'
    and runs.dag_id = 'import'
    and runs.dag_run_id = to_char(staged.captured_at at time zone 'UTC', 'YYYY-MM-DD#') || staged.pass
where staged.number between %(first)s and %(last)s and staged.pass is not null
on conflict (run_id, blogger_id) do nothing;

insert into blogger_tracking.video_statistics (
    video_id, fetch_id, fetched_on, captured_at, views, likes, comments, reposts
)
select
    staged.video_id,
    fetches.id,
    fetches.fetched_on,
    staged.captured_at,
    staged.views,
    staged.likes,
    staged.comments,
    staged.reposts
from blogger_tracking.staged_statistics as staged
join blogger_tracking.runs
    on runs.deployment = 'imported'
    and runs.dag_id = 'import'
    and runs.dag_run_id = to_char(staged.captured_at at time zone 'UTC', 'YYYY-MM-DD#') || staged.pass
join blogger_tracking.fetches on fetches.run_id = runs.id and fetches.blogger_id = staged.blogger_id
where staged.number between %(first)s and %(last)s and staged.pass is not null;

-- section: messages for statistics and thumbnails
-- Messages need a fetch: that of the blogger in the run `follow-up`.
insert into blogger_tracking.runs (
    deployment, dag_id, dag_run_id, planned_at, expires_at, ended_at, active_accounts
)
values ('imported', 'import', 'follow-up', now(), now(), now(), 0)
on conflict (deployment, dag_id, dag_run_id) do nothing;

insert into blogger_tracking.fetches (
    run_id, blogger_id, platform, fetched_on, target_count, task_id, map_index, state, reason
)
select distinct
    runs.id,
    videos.blogger_id,
    videos.platform,
    (runs.planned_at at time zone 'UTC')::date,
    1,
    'import',
    -1,
    'succeeded',
    'imported: for the statistics and thumbnails that imported videos lack'
from blogger_tracking.staged_videos as staged
join blogger_tracking.videos
    on videos.platform = staged.platform and videos.external_video_id = staged.external_video_id
join blogger_tracking.runs
    on runs.deployment = 'imported' and runs.dag_id = 'import' and runs.dag_run_id = 'follow-up'
where staged.number between %(first)s and %(last)s
  and staged.is_taken
  and (
      (videos.thumbnail_url is not null and videos.thumbnail_path is null)
      or (
          videos.platform = 'YouTube'
          and not exists (select from blogger_tracking.video_statistics where video_statistics.video_id = videos.id)
      )
  )
on conflict (run_id, blogger_id) do nothing;

insert into blogger_tracking.thumbnail_queue (fetch_id, video_id, thumbnail_url)
select distinct fetches.id, videos.id, videos.thumbnail_url
from blogger_tracking.staged_videos as staged
join blogger_tracking.videos
    on videos.platform = staged.platform and videos.external_video_id = staged.external_video_id
join blogger_tracking.runs
    on runs.deployment = 'imported' and runs.dag_id = 'import' and runs.dag_run_id = 'follow-up'
join blogger_tracking.fetches on fetches.run_id = runs.id and fetches.blogger_id = videos.blogger_id
where staged.number between %(first)s and %(last)s
  and staged.is_taken
  and videos.thumbnail_url is not null
  and videos.thumbnail_path is null
  and not exists (select from blogger_tracking.thumbnail_queue where thumbnail_queue.video_id = videos.id)
on conflict do nothing;

insert into blogger_tracking.high_priority_queue (fetch_id, videos)
select ranked.fetch_id, array_agg(ranked.external_video_id order by ranked.rank)
from (
    select
        waiting.fetch_id,
        waiting.external_video_id,
        row_number() over (partition by waiting.fetch_id order by waiting.external_video_id) as rank
    from (
        select distinct fetches.id as fetch_id, videos.external_video_id
        from blogger_tracking.staged_videos as staged
        join blogger_tracking.videos
            on videos.platform = staged.platform and videos.external_video_id = staged.external_video_id
        join blogger_tracking.runs
            on runs.deployment = 'imported' and runs.dag_id = 'import' and runs.dag_run_id = 'follow-up'
        join blogger_tracking.fetches on fetches.run_id = runs.id and fetches.blogger_id = videos.blogger_id
        where staged.number between %(first)s and %(last)s
          and staged.is_taken
          and videos.platform = 'YouTube'
          and not exists (select from blogger_tracking.video_statistics where video_statistics.video_id = videos.id)
          and not exists (
              select
              from (
                  select unnest(high_priority_queue.videos) as external_video_id
                  from blogger_tracking.high_priority_queue
              ) as queued
              where queued.external_video_id = videos.external_video_id
          )
    ) as waiting
) as ranked
group by ranked.fetch_id, (ranked.rank - 1) / 50;

-- The organizations that had videos of a blogger in the earlier system read the statistics of its imported fetches.
insert into blogger_tracking.statistics_readers (fetch_id, organization_id, platform, fetched_on)
select fetches.id, owners.organization_id, fetches.platform, fetches.fetched_on
from (
    select distinct
        videos.blogger_id,
        coalesce(staged.organization_id, tracked_accounts.organization_id) as organization_id
    from blogger_tracking.staged_videos as staged
    join blogger_tracking.videos
        on videos.platform = staged.platform and videos.external_video_id = staged.external_video_id
    left join blogger_tracking.tracked_accounts
        on staged.is_for_all and tracked_accounts.blogger_id = staged.blogger_id
    where staged.number between %(first)s and %(last)s and staged.is_taken
) as owners
join blogger_tracking.fetches on fetches.blogger_id = owners.blogger_id and fetches.task_id = 'import'
where owners.organization_id is not null
on conflict do nothing;
