-- The first count of each video and counter that growth does not explain, seen from either system: it lies outside of
-- the two counts that the other system captured before and after, by more than the tolerance. Before the other system's
-- first count and after its last one, only one of the bounds is known. `counts` begins with the time, so that the
-- greatest array is the newest.

with platforms as (
    select known.platform
    from unnest(%(platforms)s::text[]) as known (platform)
),
copies as (
    select old.id::text as legacy_id, videos.id as video_id
    from blogger_tracking.legacy_videos as old
    join platforms on lower(platforms.platform) = regexp_replace(lower(old.platform::text), '[^a-z]', '', 'g')
    join blogger_tracking.videos
        on videos.platform = platforms.platform
        and videos.external_video_id = btrim(old.external_video_id::text, e' \t\r\n')
    where videos.first_seen_at < %(until)s
),
observations as (
    select
        copies.video_id,
        false as is_own,
        statistics.captured_at::timestamptz as captured_at,
        array[
            (extract(epoch from statistics.captured_at::timestamptz) * 1000000)::bigint,
            case when statistics.views between 0 and 9223372036854775807 then statistics.views::bigint end,
            case when statistics.likes between 0 and 9223372036854775807 then statistics.likes::bigint end,
            case when statistics.comments between 0 and 9223372036854775807 then statistics.comments::bigint end,
            case when statistics.reposts between 0 and 9223372036854775807 then statistics.reposts::bigint end
        ] as counts
    from blogger_tracking.legacy_statistics as statistics
    join copies on copies.legacy_id = statistics.video_id::text
    where statistics.captured_at >= %(since)s and statistics.captured_at < %(until)s
    union all
    select
        video_id,
        true,
        captured_at,
        array[(extract(epoch from captured_at) * 1000000)::bigint, views, likes, comments, reposts]
    from blogger_tracking.video_statistics
    where captured_at >= %(since)s
      and captured_at < %(until)s
      and video_id in (select copies.video_id from copies)
      and not exists (
          select
          from blogger_tracking.fetches
          join blogger_tracking.runs on runs.id = fetches.run_id
          where fetches.id = video_statistics.fetch_id and runs.deployment = 'imported'
      )
),
neighbours as (
    select
        video_id,
        is_own,
        captured_at,
        counts,
        case
            when is_own then max(counts) filter (where not is_own) over upward
            else max(counts) filter (where is_own) over upward
        end as earlier,
        case
            when is_own then min(counts) filter (where not is_own) over downward
            else min(counts) filter (where is_own) over downward
        end as later
    from observations
    window
        upward as (partition by video_id order by captured_at),
        downward as (partition by video_id order by captured_at desc)
),
unexplained as (
    select distinct on (neighbours.video_id, counters.name)
        neighbours.video_id,
        counters.name as counter,
        neighbours.is_own,
        neighbours.captured_at,
        each.count,
        bounds.lowest,
        bounds.highest
    from neighbours
    cross join (values ('views', 2), ('likes', 3), ('comments', 4), ('reposts', 5)) as counters (name, position)
    cross join lateral (
        select
            neighbours.counts[counters.position],
            neighbours.earlier[counters.position],
            neighbours.later[counters.position]
    ) as each (count, earlier, later)
    cross join lateral (
        select
            case when each.earlier is not null then least(each.earlier, each.later) end,
            case when each.later is not null then greatest(each.earlier, each.later) end
    ) as bounds (lowest, highest)
    where each.count < bounds.lowest - greatest(%(smallest)s, %(tolerance)s * bounds.lowest)
       or each.count > bounds.highest + greatest(%(smallest)s, %(tolerance)s * bounds.highest)
    order by neighbours.video_id, counters.name, neighbours.is_own desc, neighbours.captured_at
)
select
    videos.platform,
    videos.blogger_id,
    videos.external_video_id,
    unexplained.counter,
    unexplained.is_own,
    unexplained.captured_at,
    unexplained.count,
    unexplained.lowest,
    unexplained.highest
from unexplained
join blogger_tracking.videos on videos.id = unexplained.video_id
order by videos.platform, videos.blogger_id, videos.external_video_id, unexplained.counter
