-- Queries that read the rows of the views legacy_…: cleaned, with what the import has to know about each row. Each
-- becomes a table staged_<view>, which the queries below it read; legacy_import.py adds to each row its `outcome`
-- (imported, unchanged, merged, left out) and the `reason` of what is merged or left out.
--
-- Columns that each query has: `number` from 1, `legacy_key` in the earlier system, `obstacle` (why the row cannot be
-- taken, or null), `is_merged` (another row stands for it), `merge_reason` (null for the copies of videos and
-- statistics that other organizations have), `is_here` (what the row stands for exists in this schema), `checksum` of
-- the values that are imported (null: `is_here` compares the values), and `note`, what was changed to take the row.
-- `is_taken` is true for the row by which its key is known; `imported_id` is the id here for that key.
--
-- Of rows with one id, one that can be taken goes before those that cannot. Times before 1970 or from 9000 on, such as
-- `infinity`, are no times that Python knows.

-- section: organizations
with cleaned as (
    select
        id,
        coalesce(nullif(btrim(name::text, e' \t\r\n'), ''), 'Organization ' || id) as name,
        least(greatest(coalesce(daily_videos_count, 10), 1), 500)::integer as daily_videos_count,
        least(greatest(coalesce(initial_videos_count, 30), 1), 500)::integer as initial_videos_count,
        case when id is null then 'has no id' end as obstacle,
        nullif(concat_ws(
            '; ',
            case when coalesce(btrim(name::text, e' \t\r\n'), '') = '' then 'has no name: named after its id' end,
            case
                when daily_videos_count not between 1 and 500
                    then 'daily_videos_count ' || daily_videos_count || ' is not 1 to 500: taken as the nearest'
            end,
            case
                when initial_videos_count not between 1 and 500
                    then 'initial_videos_count ' || initial_videos_count || ' is not 1 to 500: taken as the nearest'
            end
        ), '') as note,
        row_number() over (
            partition by id order by name::text, daily_videos_count, initial_videos_count
        ) as copy
    from blogger_tracking.legacy_organizations
)
select
    cleaned.*,
    row_number() over (order by cleaned.id, cleaned.copy) as number,
    coalesce(cleaned.id::text, '(none)') as legacy_key,
    md5(row(cleaned.name, cleaned.daily_videos_count, cleaned.initial_videos_count)::text) as checksum,
    cleaned.id::text as imported_id,
    cleaned.copy = 1 and cleaned.obstacle is null as is_taken,
    cleaned.copy > 1 as is_merged,
    'another row has the same id: the first by name is taken' as merge_reason,
    here.id is not null as is_here
from cleaned
left join blogger_tracking.organizations as here on here.id = cleaned.id;

-- section: members
with cleaned as (
    select
        members.organization_id,
        members.user_id,
        coalesce(roles.name, 'viewer') as role,
        case
            when roles.name is null
                then 'the role ' || coalesce(quote_literal(members.role::text), '(none)')
                    || ' is unknown: taken as viewer'
        end as note,
        case
            when organizations.id is null then 'its organization is not imported'
            when users.id is null then 'auth.users has no such user'
        end as obstacle,
        row_number() over (
            partition by members.organization_id, members.user_id order by coalesce(roles.rank, 4)
        ) as copy
    from blogger_tracking.legacy_members as members
    left join (values ('owner', 1), ('admin', 2), ('member', 3), ('viewer', 4)) as roles (name, rank)
        on roles.name = lower(btrim(members.role::text, e' \t\r\n'))
    left join blogger_tracking.staged_organizations as organizations
        on organizations.id = members.organization_id and organizations.is_taken
    left join auth.users as users on users.id = members.user_id
)
select
    cleaned.*,
    row_number() over (order by cleaned.organization_id, cleaned.user_id, cleaned.copy) as number,
    concat_ws(
        '/', coalesce(cleaned.organization_id::text, '(none)'), coalesce(cleaned.user_id::text, '(none)')
    ) as legacy_key,
    md5(cleaned.role) as checksum,
    cleaned.organization_id || '/' || cleaned.user_id as imported_id,
    cleaned.copy = 1 and cleaned.obstacle is null as is_taken,
    cleaned.copy > 1 as is_merged,
    'another row has the same member: the highest role is taken' as merge_reason,
    here.user_id is not null as is_here
from cleaned
left join blogger_tracking.organization_members as here
    on here.organization_id = cleaned.organization_id and here.user_id = cleaned.user_id;

-- section: subscriptions
-- Periods of an organization must not overlap: an earlier one ends where a later one begins.
with given as (
    select
        legacy.organization_id,
        coalesce(nullif(btrim(legacy.plan::text, e' \t\r\n'), ''), 'imported') as plan,
        legacy.video_limit::numeric as video_limit,
        legacy.blogger_limit::numeric as blogger_limit,
        legacy.period_start::timestamptz as period_start,
        legacy.period_end::timestamptz as period_end,
        legacy.videos_used::numeric as videos_used,
        organizations.id is null as lacks_organization
    from blogger_tracking.legacy_subscriptions as legacy
    left join blogger_tracking.staged_organizations as organizations
        on organizations.id = legacy.organization_id and organizations.is_taken
),
cleaned as (
    select
        organization_id,
        plan,
        least(video_limit, 9223372036854775807)::bigint as video_limit,
        least(blogger_limit, 2147483647)::integer as blogger_limit,
        period_start,
        least(
            coalesce(period_end, case when period_start < '9000-01-01' then period_start + interval '1 month' end),
            '9000-01-01'
        ) as given_end,
        case
            when videos_used = 'NaN' then 0
            else least(greatest(coalesce(videos_used, 0), 0), 9223372036854775807)
        end::bigint as videos_used,
        nullif(concat_ws(
            '; ',
            case when videos_used < 0 then 'videos_used ' || videos_used || ' is below 0: taken as 0' end,
            case when videos_used = 'NaN' then 'videos_used is no number: taken as 0' end,
            case
                when period_end > '9000-01-01'
                    then 'its period_end ' || period_end || ' is beyond the year 9000: taken as the begin of that year'
            end
        ), '') as own_note,
        case
            when lacks_organization then 'its organization is not imported'
            when period_start is null then 'has no period_start'
            when period_start < '1970-01-01' or period_start >= '9000-01-01'
                then 'its period_start ' || period_start || ' is not between the years 1970 and 9000'
            when period_end <= period_start then 'its period ends before it begins'
            when video_limit is null then 'has no video_limit: the organization has no subscription'
            when video_limit = 'NaN' then 'its video_limit is no number'
            when video_limit < 0 then 'its video_limit ' || video_limit || ' is below 0'
            when blogger_limit is null then 'has no blogger_limit'
            when blogger_limit = 'NaN' then 'its blogger_limit is no number'
            when blogger_limit < 0 then 'its blogger_limit ' || blogger_limit || ' is below 0'
        end as obstacle
    from given
),
followed as (
    select
        cleaned.*,
        (
            select min(later.period_start)
            from (
                select organization_id, period_start from cleaned where obstacle is null
                union all
                select organization_id, period_start from blogger_tracking.subscriptions
            ) as later
            where later.organization_id = cleaned.organization_id and later.period_start > cleaned.period_start
        ) as next_start,
        row_number() over (
            partition by obstacle is null, organization_id, period_start
            order by video_limit desc nulls last, blogger_limit desc nulls last, plan, given_end, videos_used desc
        ) as copy
    from cleaned
),
checked as (
    select
        *,
        least(given_end, next_start) as period_end,
        nullif(concat_ws(
            '; ',
            own_note,
            case when next_start < given_end then 'overlaps a later period: taken until that period begins' end
        ), '') as note
    from followed
)
select
    checked.*,
    row_number() over (
        order by checked.organization_id, checked.period_start, checked.obstacle is not null, checked.copy
    ) as number,
    coalesce(checked.organization_id::text, '(none)') || '/' || coalesce(checked.period_start::text, '(none)')
        as legacy_key,
    md5(
        row(checked.plan, checked.video_limit, checked.blogger_limit, checked.period_end, checked.videos_used)::text
    ) as checksum,
    checked.organization_id || '/' || checked.period_start as imported_id,
    checked.copy = 1 and checked.obstacle is null as is_taken,
    checked.copy > 1 as is_merged,
    'another row has the same period: the highest limit is taken' as merge_reason,
    here.period_start is not null as is_here
from checked
left join blogger_tracking.subscriptions as here
    on here.organization_id = checked.organization_id and here.period_start = checked.period_start;

-- section: bloggers
-- Of several rows of one account, the one that is here already stays, or else the one that most tracked accounts refer
-- to, then the oldest, then the one with the smallest id.
with tracked as (
    select blogger_id, count(*) as accounts
    from blogger_tracking.legacy_tracked_accounts
    group by blogger_id
),
given as (
    select
        legacy.id,
        platforms.name as platform,
        legacy.platform::text as given_platform,
        nullif(btrim(legacy.external_id::text, e' \t\r\n'), '') as external_id,
        nullif(ltrim(btrim(legacy.username::text, e' \t\r\n'), '@'), '') as username,
        nullif(btrim(legacy.sec_id::text, e' \t\r\n'), '') as sec_id,
        nullif(btrim(legacy.channel_name::text, e' \t\r\n'), '') as channel_name,
        nullif(btrim(legacy.subscribers::text, e' \t\r\n'), '') as subscribers,
        nullif(btrim(legacy.thumbnail_url::text, e' \t\r\n'), '') as thumbnail_url,
        legacy.created_at::timestamptz as created_at,
        coalesce(tracked.accounts, 0) as accounts
    from blogger_tracking.legacy_bloggers as legacy
    left join (values ('tiktok', 'TikTok'), ('instagram', 'Instagram'), ('youtube', 'YouTube'))
        as platforms (spelling, name)
        on platforms.spelling = regexp_replace(lower(legacy.platform::text), '[^a-z]', '', 'g')
    left join tracked on tracked.blogger_id = legacy.id
),
cleaned as (
    select
        id,
        platform,
        external_id,
        case when length(username) <= 500 then username else external_id end as username,
        sec_id,
        channel_name,
        case when subscribers ~ '^\d{1,18}$' then subscribers::bigint end as subscribers,
        thumbnail_url,
        case when created_at >= '1970-01-01' and created_at < '9000-01-01' then created_at end as created_at,
        accounts,
        nullif(concat_ws(
            '; ',
            case when username is null then 'has no username: named after its id' end,
            case when length(username) > 500 then 'its username is longer than 500 characters: named after its id' end,
            case
                when subscribers !~ '^\d{1,18}$'
                    then 'subscribers ' || quote_literal(subscribers) || ' is no whole number: unknown'
            end,
            case
                when created_at < '1970-01-01' or created_at >= '9000-01-01'
                    then 'created_at ' || quote_literal(created_at::text) || ' is not between 1970 and 9000: unknown'
            end
        ), '') as note,
        case
            when id is null then 'has no id'
            when platform is null then 'its platform ' || coalesce(quote_literal(given_platform), '(none)')
                || ' is unknown'
            when external_id is null then 'has no external id: no platform can be asked for it'
            when length(external_id) > 500 then 'its external id is longer than 500 characters'
        end as obstacle
    from given
),
copied as (
    select
        *,
        row_number() over (
            partition by id order by obstacle is not null, external_id, platform, username, sec_id, channel_name
        ) as copy
    from cleaned
),
matched as (
    select
        copied.*,
        here.id as here_id,
        own.id is not null and here.id is null and copied.copy = 1 and copied.obstacle is null as moves,
        first_value(copied.id) over (
            partition by copied.obstacle, copied.platform, copied.external_id
            order by copied.copy > 1, copied.accounts desc, copied.created_at nulls last, copied.id
        ) as first_id
    from copied
    left join blogger_tracking.blogger_information as here
        on here.platform = copied.platform and here.external_id = copied.external_id
    left join blogger_tracking.blogger_information as own on own.id = copied.id
),
checked as (
    select
        matched.*,
        coalesce(
            matched.obstacle,
            case
                when mover.id is not null
                    then 'its account is still that of another blogger here, whose account changes: import once more'
            end
        ) as obstacle_now
    from matched
    left join matched as mover on mover.id = matched.here_id and mover.moves
)
select
    checked.id,
    checked.platform,
    checked.external_id,
    checked.username,
    checked.sec_id,
    checked.channel_name,
    checked.subscribers,
    checked.thumbnail_url,
    checked.created_at,
    checked.note,
    checked.copy,
    checked.obstacle_now as obstacle,
    kept.id as kept_id,
    row_number() over (order by checked.id, checked.copy) as number,
    coalesce(checked.id::text, '(none)') as legacy_key,
    md5(
        row(
            kept.id, checked.platform, checked.external_id, checked.username, checked.sec_id, checked.channel_name,
            checked.subscribers, checked.thumbnail_url
        )::text
    ) as checksum,
    kept.id::text as imported_id,
    checked.copy = 1 and checked.obstacle_now is null as is_taken,
    checked.copy > 1 or checked.id <> kept.id as is_merged,
    case
        when checked.copy > 1 then 'another row has the same id: the first by external id is taken'
        when checked.here_id is not null then 'the same account is here already'
        else 'another row of the same account stays: the one that most tracked accounts refer to, or else the oldest, '
            'or the one with the smallest id'
    end as merge_reason,
    here.id is not null as is_here
from checked
cross join lateral (
    select case when checked.obstacle_now is null then coalesce(checked.here_id, checked.first_id) end
) as kept (id)
left join blogger_tracking.blogger_information as here on here.id = kept.id;

-- section: videos
with given as (
    select
        legacy.id::text as id,
        platforms.name as platform,
        nullif(btrim(legacy.external_video_id::text, e' \t\r\n'), '') as external_video_id,
        bloggers.id is null as lacks_blogger,
        bloggers.kept_id as blogger_id,
        bloggers.platform as blogger_platform,
        organizations.id as organization_id,
        legacy.organization_id is null as is_for_all,
        legacy.organization_id is not null and organizations.id is null as lacks_organization,
        coalesce(legacy.url::text, '') as url,
        coalesce(legacy.title::text, '') as title,
        nullif(btrim(legacy.thumbnail_url::text, e' \t\r\n'), '') as thumbnail_url,
        nullif(btrim(legacy.published_at::text, e' \t\r\n'), '') as given_date,
        blogger_tracking.earlier_time(legacy.published_at::text) as published_at
    from blogger_tracking.legacy_videos as legacy
    left join (values ('tiktok', 'TikTok'), ('instagram', 'Instagram'), ('youtube', 'YouTube'))
        as platforms (spelling, name)
        on platforms.spelling = regexp_replace(lower(legacy.platform::text), '[^a-z]', '', 'g')
    left join blogger_tracking.staged_bloggers as bloggers
        on bloggers.id = legacy.blogger_id and bloggers.is_taken
    left join blogger_tracking.staged_organizations as organizations
        on organizations.id = legacy.organization_id and organizations.is_taken
),
cleaned as (
    select
        *,
        case
            when id is null then 'has no id'
            when length(id) > 500 then 'its id is longer than 500 characters'
            when lacks_blogger then 'its blogger is not imported'
            when platform <> blogger_platform
                then 'is a video of ' || platform || ', but its blogger is on ' || blogger_platform
            when external_video_id is null then 'has no external video id'
            when length(external_video_id) > 500 then 'its external video id is longer than 500 characters'
        end as obstacle
    from given
),
copied as (
    select
        *,
        row_number() over (
            partition by id order by obstacle is not null, external_video_id, organization_id, url, title
        ) as id_copy
    from cleaned
),
checked as (
    select
        copied.*,
        row_number() over same_video as copy,
        first_value(copied.blogger_id) over same_video as first_blogger_id
    from copied
    window
        same_video as (
            partition by copied.obstacle, copied.blogger_platform, copied.external_video_id
            order by copied.id_copy > 1, copied.id, copied.id_copy
        )
)
select
    checked.id,
    checked.blogger_platform as platform,
    checked.external_video_id,
    checked.blogger_id,
    checked.organization_id,
    checked.is_for_all,
    checked.url,
    checked.title,
    checked.thumbnail_url,
    checked.published_at,
    checked.id_copy,
    row_number() over (order by checked.blogger_platform, checked.external_video_id, checked.id) as number,
    coalesce(checked.id, '(none)') as legacy_key,
    md5(
        row(
            checked.organization_id, checked.url, checked.title, checked.thumbnail_url, checked.published_at
        )::text
    ) as checksum,
    checked.id_copy = 1 and checked.obstacle is null as is_taken,
    coalesce(
        checked.obstacle, case when checked.copy = 1 and checked.id_copy > 1 then 'another video has the same id' end
    ) as obstacle,
    checked.copy > 1 as is_merged,
    case
        when checked.blogger_id <> checked.first_blogger_id
            then 'another row of the same video names another blogger: that of the row with the smallest id is taken'
    end as merge_reason,
    here.id is not null as is_here,
    nullif(concat_ws(
        '; ',
        case when checked.platform is null then 'its platform is unknown: taken as that of its blogger' end,
        case when checked.lacks_organization then 'its organization is not imported: taken without a link to it' end,
        case
            when checked.published_at is null
                then 'published_at ' || quote_literal(checked.given_date) || ' is no date: unknown'
        end,
        case
            when here.blogger_id <> checked.blogger_id
                then 'the video is here already as one of another blogger: it stays with that blogger'
        end
    ), '') as note
from checked
left join blogger_tracking.videos as here
    on here.platform = checked.blogger_platform and here.external_video_id = checked.external_video_id;

-- section: tracked_accounts
-- Of several accounts of one organization for one blogger, the one that is here already stays, or else an active one,
-- then the last fetched one, then the one with the smallest id. Activity, counts and initial fetch are those of all.
with with_videos as (
    select distinct blogger_id, organization_id from blogger_tracking.staged_videos
    where is_taken and organization_id is not null
),
with_videos_for_all as (
    select distinct blogger_id from blogger_tracking.staged_videos where is_taken and is_for_all
),
cleaned as (
    select
        legacy.id,
        organizations.id as organization_id,
        users.id as user_id,
        bloggers.kept_id as blogger_id,
        coalesce(legacy.is_active, true) as is_active,
        case
            when legacy.daily_videos_count is not null
                then least(greatest(legacy.daily_videos_count, 1), 500)::integer
        end as daily_videos_count,
        case
            when legacy.last_scraped_at::timestamptz >= '1970-01-01'
                then least(legacy.last_scraped_at::timestamptz, now())
        end as last_scraped_at,
        coalesce(legacy.initial_videos_fetched, false)
        or with_videos.blogger_id is not null
        or with_videos_for_all.blogger_id is not null as has_videos,
        coalesce(legacy.pending_initial_fetch, false) as is_pending,
        nullif(concat_ws(
            '; ',
            case
                when legacy.user_id is not null and users.id is null
                    then 'auth.users has no such user: taken without a user'
            end,
            case
                when legacy.daily_videos_count not between 1 and 500
                    then 'daily_videos_count ' || legacy.daily_videos_count || ' is not 1 to 500: taken as the nearest'
            end,
            case when legacy.last_scraped_at::timestamptz > now() then 'last_scraped_at is in the future: now' end,
            case
                when legacy.last_scraped_at::timestamptz < '1970-01-01' then 'last_scraped_at is before 1970: unknown'
            end
        ), '') as note,
        case
            when legacy.id is null then 'has no id'
            when organizations.id is null then 'its organization is not imported'
            when bloggers.id is null then 'its blogger is not imported'
        end as obstacle
    from blogger_tracking.legacy_tracked_accounts as legacy
    left join blogger_tracking.staged_organizations as organizations
        on organizations.id = legacy.organization_id and organizations.is_taken
    left join blogger_tracking.staged_bloggers as bloggers
        on bloggers.id = legacy.blogger_id and bloggers.is_taken
    left join auth.users as users on users.id = legacy.user_id
    left join with_videos
        on with_videos.blogger_id = bloggers.kept_id and with_videos.organization_id = legacy.organization_id
    left join with_videos_for_all on with_videos_for_all.blogger_id = bloggers.kept_id
),
copied as (
    select
        *,
        row_number() over (
            partition by id order by obstacle is not null, organization_id, blogger_id, is_active desc
        ) as id_copy
    from cleaned
),
matched as (
    select
        copied.id,
        copied.organization_id,
        copied.blogger_id,
        copied.note,
        copied.obstacle,
        copied.id_copy,
        here.id as here_id,
        own.id is not null and here.id is null and copied.id_copy = 1 and copied.obstacle is null as moves,
        first_value(copied.id) over (
            same_account
            order by copied.id_copy > 1, copied.is_active desc, copied.last_scraped_at desc nulls last, copied.id
        ) as first_id,
        first_value(copied.user_id) over (
            same_account order by copied.user_id is null, copied.is_active desc, copied.id
        ) as user_id,
        bool_or(copied.is_active) over same_account as is_active,
        max(copied.daily_videos_count) over same_account as daily_videos_count,
        max(copied.last_scraped_at) over same_account as last_scraped_at,
        bool_or(copied.has_videos) over same_account as has_videos,
        bool_or(copied.is_pending) over same_account as is_pending
    from copied
    left join blogger_tracking.tracked_accounts as here
        on here.organization_id = copied.organization_id and here.blogger_id = copied.blogger_id
    left join blogger_tracking.tracked_accounts as own on own.id = copied.id
    window same_account as (partition by copied.obstacle, copied.organization_id, copied.blogger_id)
),
checked as (
    select
        matched.*,
        coalesce(
            matched.obstacle,
            case
                when mover.id is not null
                    then 'its blogger is still tracked here by another account, whose blogger changes: import once more'
            end
        ) as obstacle_now
    from matched
    left join matched as mover on mover.id = matched.here_id and mover.moves
)
select
    checked.id,
    checked.organization_id,
    checked.blogger_id,
    checked.user_id,
    checked.is_active,
    checked.daily_videos_count,
    checked.last_scraped_at,
    checked.has_videos,
    checked.is_pending,
    checked.note,
    checked.id_copy,
    checked.obstacle_now as obstacle,
    kept.id as kept_id,
    row_number() over (order by checked.id, checked.id_copy) as number,
    coalesce(checked.id::text, '(none)') as legacy_key,
    md5(
        row(
            kept.id, checked.user_id, checked.is_active, checked.daily_videos_count, checked.has_videos
        )::text
    ) as checksum,
    kept.id::text as imported_id,
    checked.id_copy = 1 and checked.obstacle_now is null as is_taken,
    checked.id_copy > 1 or checked.id <> kept.id as is_merged,
    case
        when checked.id_copy > 1 then 'another row has the same id'
        when checked.here_id is not null then 'its organization tracks the same blogger here already'
        else 'its organization tracks the same blogger by another row, which stays: the one that is active, or else '
            'the last fetched one, or the one with the smallest id'
    end as merge_reason,
    checked.here_id is not null as is_here
from checked
cross join lateral (
    select case when checked.obstacle_now is null then coalesce(checked.here_id, checked.first_id) end
) as kept (id);

-- section: tags
with cleaned as (
    select
        organizations.id as organization_id,
        bloggers.kept_id as blogger_id,
        btrim(legacy.tag::text, e' \t\r\n') as tag,
        concat_ws('/', legacy.organization_id, legacy.blogger_id, legacy.tag::text) as legacy_key,
        case
            when organizations.id is null then 'its organization is not imported'
            when bloggers.id is null then 'its blogger is not imported'
            when coalesce(btrim(legacy.tag::text, e' \t\r\n'), '') = '' then 'is empty'
            when length(btrim(legacy.tag::text, e' \t\r\n')) > 100 then 'is longer than 100 characters'
        end as obstacle
    from blogger_tracking.legacy_tags as legacy
    left join blogger_tracking.staged_organizations as organizations
        on organizations.id = legacy.organization_id and organizations.is_taken
    left join blogger_tracking.staged_bloggers as bloggers
        on bloggers.id = legacy.blogger_id and bloggers.is_taken
),
checked as (
    select
        *,
        row_number() over (partition by obstacle, organization_id, blogger_id, tag order by legacy_key) as copy
    from cleaned
)
select
    checked.*,
    row_number() over (order by checked.legacy_key) as number,
    null::text as checksum,
    null::text as note,
    checked.copy > 1 as is_merged,
    'another row has the same tag' as merge_reason,
    here.tag is not null as is_here
from checked
left join blogger_tracking.blogger_tags as here
    on here.organization_id = checked.organization_id
    and here.blogger_id = checked.blogger_id
    and here.tag = checked.tag;

-- section: campaigns
with cleaned as (
    select
        organizations.id as organization_id,
        btrim(legacy.name::text, e' \t\r\n') as name,
        bloggers.kept_id as blogger_id,
        concat_ws('/', legacy.organization_id, legacy.name::text, legacy.blogger_id) as legacy_key,
        case
            when organizations.id is null then 'its organization is not imported'
            when coalesce(btrim(legacy.name::text, e' \t\r\n'), '') = '' then 'has no name'
            when length(legacy.name::text) > 500 then 'its name is longer than 500 characters'
            when legacy.blogger_id is not null and bloggers.id is null then 'its blogger is not imported'
        end as obstacle
    from blogger_tracking.legacy_campaigns as legacy
    left join blogger_tracking.staged_organizations as organizations
        on organizations.id = legacy.organization_id and organizations.is_taken
    left join blogger_tracking.staged_bloggers as bloggers
        on bloggers.id = legacy.blogger_id and bloggers.is_taken
),
checked as (
    select
        *,
        row_number() over (partition by obstacle, organization_id, name, blogger_id order by legacy_key) as copy
    from cleaned
)
select
    checked.*,
    row_number() over (order by checked.legacy_key) as number,
    null::text as checksum,
    null::text as note,
    checked.copy > 1 as is_merged,
    'another row says the same' as merge_reason,
    here.id is not null and (checked.blogger_id is null or linked.blogger_id is not null) as is_here
from checked
left join blogger_tracking.campaigns as here
    on here.organization_id = checked.organization_id and here.name = checked.name
left join blogger_tracking.blogger_campaign as linked
    on linked.campaign_id = here.id and linked.blogger_id = checked.blogger_id;

-- section: statistics
-- `pass` numbers the statistics of one video on one day: see the placement in legacy_import.sql.
with cleaned as (
    select
        legacy.video_id::text as legacy_video_id,
        legacy.captured_at::timestamptz as captured_at,
        case when legacy.views between 0 and 9223372036854775807 then legacy.views::bigint end as views,
        case when legacy.likes between 0 and 9223372036854775807 then legacy.likes::bigint end as likes,
        case when legacy.comments between 0 and 9223372036854775807 then legacy.comments::bigint end as comments,
        case when legacy.reposts between 0 and 9223372036854775807 then legacy.reposts::bigint end as reposts,
        videos.platform,
        videos.external_video_id,
        nullif(concat_ws(
            '; ',
            case
                when legacy.views not between 0 and 9223372036854775807
                    then 'views ' || legacy.views || ' is out of range: unknown'
            end,
            case
                when legacy.likes not between 0 and 9223372036854775807
                    then 'likes ' || legacy.likes || ' is out of range: unknown'
            end,
            case
                when legacy.comments not between 0 and 9223372036854775807
                    then 'comments ' || legacy.comments || ' is out of range: unknown'
            end,
            case
                when legacy.reposts not between 0 and 9223372036854775807
                    then 'reposts ' || legacy.reposts || ' is out of range: unknown'
            end
        ), '') as note,
        case
            when videos.id is null then 'its video is not imported'
            when legacy.captured_at is null then 'has no captured_at'
            when legacy.captured_at::timestamptz < '1970-01-01' then 'its captured_at is before 1970'
            when legacy.captured_at::timestamptz > now() + interval '1 day' then 'its captured_at is in the future'
        end as obstacle
    from blogger_tracking.legacy_statistics as legacy
    left join blogger_tracking.staged_videos as videos on videos.id = legacy.video_id::text and videos.is_taken
),
checked as (
    select
        *,
        row_number() over same_capture as copy,
        array[views, likes, comments, reposts]
        <> first_value(array[views, likes, comments, reposts]) over same_capture as differs
    from cleaned
    window
        same_capture as (
            partition by obstacle, platform, external_video_id, captured_at
            order by num_nulls(views, likes, comments, reposts), legacy_video_id, views, likes, comments, reposts
        )
)
select
    checked.legacy_video_id,
    checked.captured_at,
    checked.views,
    checked.likes,
    checked.comments,
    checked.reposts,
    checked.platform,
    checked.external_video_id,
    checked.note,
    checked.obstacle,
    videos.id as video_id,
    videos.blogger_id,
    null::integer as pass,
    row_number() over (order by checked.platform, checked.external_video_id, checked.captured_at) as number,
    coalesce(checked.legacy_video_id, '(none)') || '/' || coalesce(checked.captured_at::text, '(none)') as legacy_key,
    null::text as checksum,
    checked.copy > 1 as is_merged,
    case
        when checked.differs
            then 'another row of the same video and time has other counts: the one with the most known counts is '
                'taken, or else that of the video with the smallest id'
    end as merge_reason,
    -- Arrays with nulls at the same places are equal.
    here.video_id is not null
    and array[here.views, here.likes, here.comments, here.reposts]
    = array[checked.views, checked.likes, checked.comments, checked.reposts] as is_here
from checked
left join blogger_tracking.videos as videos
    on videos.platform = checked.platform and videos.external_video_id = checked.external_video_id
left join blogger_tracking.video_statistics as here
    on here.video_id = videos.id and here.captured_at = checked.captured_at;
