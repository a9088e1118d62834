-- Stages the rows of the views legacy_…: cleaned, with what the import does with each row. One transaction.
--
-- Each table staged_<view> has a row for each row of its view: `number` from 1, the key in the earlier system,
-- `outcome` (imported, unchanged, merged, left out), `reason` of what is merged or left out (null for the copies of
-- videos and statistics that other organizations have), and `note`, what was changed to take the row. Unlogged tables:
-- the import reads them in several transactions and drops them at the end. The next staging replaces what a killed
-- import has left.

set local timezone = 'UTC';
-- Hosted databases end statements after some minutes; reading all statistics may take longer.
set local statement_timeout = 0;

drop table if exists
    blogger_tracking.staged_organizations,
    blogger_tracking.staged_members,
    blogger_tracking.staged_subscriptions,
    blogger_tracking.staged_bloggers,
    blogger_tracking.staged_tracked_accounts,
    blogger_tracking.staged_tags,
    blogger_tracking.staged_campaigns,
    blogger_tracking.staged_videos,
    blogger_tracking.staged_statistics;

create unlogged table blogger_tracking.staged_organizations as
with cleaned as (
    select
        id,
        coalesce(nullif(trim(name::text), ''), 'Organization ' || id) as name,
        least(greatest(coalesce(daily_videos_count, 10), 1), 500)::integer as daily_videos_count,
        least(greatest(coalesce(initial_videos_count, 30), 1), 500)::integer as initial_videos_count,
        nullif(concat_ws(
            '; ',
            case when coalesce(trim(name::text), '') = '' then 'has no name: named after its id' end,
            case
                when daily_videos_count not between 1 and 500
                    then 'daily_videos_count ' || daily_videos_count || ' is not 1 to 500: taken as the nearest'
            end,
            case
                when initial_videos_count not between 1 and 500
                    then 'initial_videos_count ' || initial_videos_count || ' is not 1 to 500: taken as the nearest'
            end
        ), '') as note,
        row_number() over (partition by id order by name::text) as copy
    from blogger_tracking.legacy_organizations
),
checked as (
    select
        *,
        row_number() over (order by id, copy) as number,
        coalesce(id::text, '(none)') as legacy_key,
        md5(row(name, daily_videos_count, initial_videos_count)::text) as checksum,
        copy = 1 and id is not null as is_taken
    from cleaned
)
select
    checked.*,
    case
        when checked.id is null then 'left out'
        when checked.copy > 1 then 'merged'
        when known.legacy_key is not null then 'unchanged'
        else 'imported'
    end as outcome,
    case
        when checked.id is null then 'has no id'
        when checked.copy > 1 then 'another row has the same id: the first by name is taken'
    end as reason
from checked
left join blogger_tracking.imported_rows as known
    on known.view_name = 'organizations'
    and known.legacy_key = checked.legacy_key
    and known.checksum = checked.checksum;

create unlogged table blogger_tracking.staged_members as
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
        on roles.name = lower(trim(members.role::text))
    left join blogger_tracking.staged_organizations as organizations
        on organizations.id = members.organization_id and organizations.is_taken
    left join auth.users as users on users.id = members.user_id
),
checked as (
    select
        *,
        row_number() over (order by organization_id, user_id, copy) as number,
        concat_ws('/', coalesce(organization_id::text, '(none)'), coalesce(user_id::text, '(none)')) as legacy_key,
        md5(role) as checksum
    from cleaned
)
select
    checked.*,
    case
        when checked.obstacle is not null then 'left out'
        when checked.copy > 1 then 'merged'
        when known.legacy_key is not null then 'unchanged'
        else 'imported'
    end as outcome,
    coalesce(
        checked.obstacle,
        case when checked.copy > 1 then 'another row has the same member: the highest role is taken' end
    ) as reason
from checked
left join blogger_tracking.imported_rows as known
    on known.view_name = 'members'
    and known.legacy_key = checked.legacy_key
    and known.checksum = checked.checksum;

-- Periods of an organization must not overlap: an earlier one ends where a later one begins.
create unlogged table blogger_tracking.staged_subscriptions as
with cleaned as (
    select
        legacy.organization_id,
        coalesce(nullif(trim(legacy.plan::text), ''), 'imported') as plan,
        least(legacy.video_limit, 9223372036854775807)::bigint as video_limit,
        least(legacy.blogger_limit, 2147483647)::integer as blogger_limit,
        legacy.period_start::timestamptz as period_start,
        coalesce(legacy.period_end::timestamptz, legacy.period_start::timestamptz + interval '1 month') as given_end,
        least(greatest(coalesce(legacy.videos_used, 0), 0), 9223372036854775807)::bigint as videos_used,
        case
            when legacy.videos_used < 0 then 'videos_used ' || legacy.videos_used || ' is below 0: taken as 0'
        end as used_note,
        case
            when organizations.id is null then 'its organization is not imported'
            when legacy.period_start is null then 'has no period_start'
            when legacy.period_end <= legacy.period_start then 'its period ends before it begins'
            when legacy.video_limit is null then 'has no video_limit: the organization has no subscription'
            when legacy.video_limit < 0 then 'its video_limit ' || legacy.video_limit || ' is below 0'
            when legacy.blogger_limit is null then 'has no blogger_limit'
            when legacy.blogger_limit < 0 then 'its blogger_limit ' || legacy.blogger_limit || ' is below 0'
        end as obstacle,
        row_number() over (
            partition by legacy.organization_id, legacy.period_start
            order by legacy.video_limit desc nulls last, legacy.blogger_limit desc nulls last, legacy.plan::text
        ) as copy
    from blogger_tracking.legacy_subscriptions as legacy
    left join blogger_tracking.staged_organizations as organizations
        on organizations.id = legacy.organization_id and organizations.is_taken
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
        ) as next_start
    from cleaned
),
checked as (
    select
        *,
        least(given_end, next_start) as period_end,
        row_number() over (order by organization_id, period_start, copy) as number,
        coalesce(organization_id::text, '(none)') || '/' || coalesce(period_start::text, '(none)') as legacy_key,
        md5(row(plan, video_limit, blogger_limit, least(given_end, next_start), videos_used)::text) as checksum,
        nullif(concat_ws(
            '; ',
            used_note,
            case when next_start < given_end then 'overlaps a later period: taken until that period begins' end
        ), '') as note
    from followed
)
select
    checked.*,
    case
        when checked.obstacle is not null then 'left out'
        when checked.copy > 1 then 'merged'
        when known.legacy_key is not null then 'unchanged'
        else 'imported'
    end as outcome,
    coalesce(
        checked.obstacle,
        case when checked.copy > 1 then 'another row has the same period: the highest limit is taken' end
    ) as reason
from checked
left join blogger_tracking.imported_rows as known
    on known.view_name = 'subscriptions'
    and known.legacy_key = checked.legacy_key
    and known.checksum = checked.checksum;

-- Of several rows of one account, the one that is here already stays, or else the one that most tracked accounts refer
-- to, then the oldest, then the one with the smallest id.
create unlogged table blogger_tracking.staged_bloggers as
with tracked as (
    select blogger_id, count(*) as accounts
    from blogger_tracking.legacy_tracked_accounts
    group by blogger_id
),
cleaned as (
    select
        legacy.id,
        platforms.name as platform,
        nullif(trim(legacy.external_id::text), '') as external_id,
        coalesce(
            nullif(trim(leading '@' from trim(legacy.username::text)), ''), nullif(trim(legacy.external_id::text), '')
        ) as username,
        nullif(trim(legacy.sec_id::text), '') as sec_id,
        nullif(trim(legacy.channel_name::text), '') as channel_name,
        case when trim(legacy.subscribers::text) ~ '^\d{1,18}$' then trim(legacy.subscribers::text)::bigint end
            as subscribers,
        nullif(trim(legacy.thumbnail_url::text), '') as thumbnail_url,
        legacy.created_at::timestamptz as created_at,
        coalesce(tracked.accounts, 0) as accounts,
        nullif(concat_ws(
            '; ',
            case
                when coalesce(trim(legacy.username::text), '') in ('', '@') then 'has no username: named after its id'
            end,
            case
                when trim(legacy.subscribers::text) <> '' and trim(legacy.subscribers::text) !~ '^\d{1,18}$'
                    then 'subscribers ' || quote_literal(legacy.subscribers::text) || ' is no whole number: unknown'
            end
        ), '') as note,
        case
            when legacy.id is null then 'has no id'
            when platforms.name is null
                then 'its platform ' || coalesce(quote_literal(legacy.platform::text), '(none)') || ' is unknown'
            when coalesce(trim(legacy.external_id::text), '') = ''
                then 'has no external id: no platform can be asked for it'
        end as obstacle,
        row_number() over (partition by legacy.id order by legacy.external_id::text) as copy
    from blogger_tracking.legacy_bloggers as legacy
    left join (values ('tiktok', 'TikTok'), ('instagram', 'Instagram'), ('youtube', 'YouTube'))
        as platforms (spelling, name)
        on platforms.spelling = regexp_replace(lower(legacy.platform::text), '[^a-z]', '', 'g')
    left join tracked on tracked.blogger_id = legacy.id
),
matched as (
    select
        cleaned.*,
        here.id as here_id,
        case
            when cleaned.obstacle is null
                then coalesce(
                    here.id,
                    first_value(cleaned.id) over (
                        partition by cleaned.obstacle, cleaned.platform, cleaned.external_id
                        order by cleaned.accounts desc, cleaned.created_at nulls last, cleaned.id
                    )
                )
        end as kept_id
    from cleaned
    left join blogger_tracking.blogger_information as here
        on here.platform = cleaned.platform and here.external_id = cleaned.external_id
),
checked as (
    select
        *,
        row_number() over (order by id, copy) as number,
        coalesce(id::text, '(none)') as legacy_key,
        md5(row(kept_id, platform, external_id, username, sec_id, channel_name, subscribers, thumbnail_url)::text)
            as checksum,
        copy = 1 and obstacle is null as is_taken
    from matched
)
select
    checked.*,
    case
        when checked.obstacle is not null then 'left out'
        when checked.copy > 1 or checked.id <> checked.kept_id then 'merged'
        when known.legacy_key is not null then 'unchanged'
        else 'imported'
    end as outcome,
    case
        when checked.obstacle is not null then checked.obstacle
        when checked.copy > 1 then 'another row has the same id: the first by external id is taken'
        when checked.id = checked.kept_id then null
        when checked.here_id is not null then 'the same account is here already'
        else 'another row of the same account stays: the one that most tracked accounts refer to, or else the oldest, '
            'or the one with the smallest id'
    end as reason
from checked
left join blogger_tracking.imported_rows as known
    on known.view_name = 'bloggers'
    and known.legacy_key = checked.legacy_key
    and known.checksum = checked.checksum;

create index on blogger_tracking.staged_bloggers (id);
analyze blogger_tracking.staged_bloggers;

-- A date has to be ISO 8601; one of a day that does not exist is unknown.
create unlogged table blogger_tracking.staged_videos as
with cleaned as (
    select
        legacy.id::text as id,
        bloggers.platform,
        nullif(trim(legacy.external_video_id::text), '') as external_video_id,
        bloggers.kept_id as blogger_id,
        organizations.id as organization_id,
        legacy.organization_id is null as is_for_all,
        coalesce(legacy.url::text, '') as url,
        coalesce(legacy.title::text, '') as title,
        nullif(trim(legacy.thumbnail_url::text), '') as thumbnail_url,
        trim(legacy.published_at::text) as given_date,
        case
            when trim(legacy.published_at::text)
                ~* '^(19[7-9]\d|2\d{3})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])'
                '([t ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?\s*(z|[+-](0\d|1[0-4]):?([0-5]\d)?)?)?$'
                then case
                    when substr(trim(legacy.published_at::text), 9, 2)::integer <= extract(
                        day from make_date(
                            substr(trim(legacy.published_at::text), 1, 4)::integer,
                            substr(trim(legacy.published_at::text), 6, 2)::integer,
                            1
                        ) + interval '1 month' - interval '1 day'
                    ) then trim(legacy.published_at::text)::timestamptz
                end
        end as published_at,
        legacy.organization_id is not null and organizations.id is null as lacks_organization,
        case
            when legacy.id is null then 'has no id'
            when bloggers.id is null then 'its blogger is not imported'
            when platforms.name <> bloggers.platform
                then 'is a video of ' || platforms.name || ', but its blogger is on ' || bloggers.platform
            when coalesce(trim(legacy.external_video_id::text), '') = '' then 'has no external video id'
        end as obstacle,
        platforms.name is null as lacks_platform,
        row_number() over (
            partition by legacy.id::text order by legacy.external_video_id::text, legacy.organization_id
        ) as id_copy
    from blogger_tracking.legacy_videos as legacy
    left join (values ('tiktok', 'TikTok'), ('instagram', 'Instagram'), ('youtube', 'YouTube'))
        as platforms (spelling, name)
        on platforms.spelling = regexp_replace(lower(legacy.platform::text), '[^a-z]', '', 'g')
    left join blogger_tracking.staged_bloggers as bloggers
        on bloggers.id = legacy.blogger_id and bloggers.is_taken
    left join blogger_tracking.staged_organizations as organizations
        on organizations.id = legacy.organization_id and organizations.is_taken
),
checked as (
    select
        *,
        row_number() over (
            partition by obstacle, platform, external_video_id order by id_copy > 1, id, id_copy
        ) as copy,
        row_number() over (order by platform, external_video_id, id) as number,
        coalesce(id, '(none)') as legacy_key,
        md5(row(organization_id, url, title, thumbnail_url, published_at)::text) as checksum,
        nullif(concat_ws(
            '; ',
            case when lacks_platform then 'its platform is unknown: taken as that of its blogger' end,
            case when lacks_organization then 'its organization is not imported: taken without a link to it' end,
            case
                when given_date <> '' and published_at is null
                    then 'published_at ' || quote_literal(given_date) || ' is no date: unknown'
            end
        ), '') as note
    from cleaned
)
select
    checked.*,
    checked.id_copy = 1 and checked.obstacle is null as is_taken,
    case
        when checked.obstacle is not null then 'left out'
        when checked.copy > 1 then 'merged'
        when checked.id_copy > 1 then 'left out'
        when known.legacy_key is not null then 'unchanged'
        else 'imported'
    end as outcome,
    case
        when checked.obstacle is not null then checked.obstacle
        when checked.copy = 1 and checked.id_copy > 1 then 'another video has the same id'
    end as reason
from checked
left join blogger_tracking.imported_rows as known
    on known.view_name = 'videos'
    and known.legacy_key = checked.legacy_key
    and known.checksum = checked.checksum;

create index on blogger_tracking.staged_videos (id);
create index on blogger_tracking.staged_videos (blogger_id);
analyze blogger_tracking.staged_videos;

-- Of several accounts of one organization for one blogger, the one that is here already stays, or else an active one,
-- then the last fetched one, then the one with the smallest id. Activity, counts and initial fetch are those of all.
create unlogged table blogger_tracking.staged_tracked_accounts as
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
        legacy.last_scraped_at::timestamptz as last_scraped_at,
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
            case when legacy.last_scraped_at::timestamptz > now() then 'last_scraped_at is in the future: now' end
        ), '') as note,
        case
            when legacy.id is null then 'has no id'
            when organizations.id is null then 'its organization is not imported'
            when bloggers.id is null then 'its blogger is not imported'
        end as obstacle,
        row_number() over (partition by legacy.id order by legacy.organization_id, legacy.blogger_id) as id_copy
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
matched as (
    select
        cleaned.id,
        cleaned.organization_id,
        cleaned.blogger_id,
        cleaned.note,
        cleaned.obstacle,
        cleaned.id_copy,
        here.id as here_id,
        coalesce(
            here.id,
            first_value(cleaned.id) over (
                same_account order by cleaned.is_active desc, cleaned.last_scraped_at desc nulls last, cleaned.id
            )
        ) as kept_id,
        first_value(cleaned.user_id) over (
            same_account order by cleaned.user_id is null, cleaned.is_active desc, cleaned.id
        ) as user_id,
        bool_or(cleaned.is_active) over same_account as is_active,
        max(cleaned.daily_videos_count) over same_account as daily_videos_count,
        least(max(cleaned.last_scraped_at) over same_account, now()) as last_scraped_at,
        bool_or(cleaned.has_videos) over same_account as has_videos,
        bool_or(cleaned.is_pending) over same_account as is_pending
    from cleaned
    left join blogger_tracking.tracked_accounts as here
        on here.organization_id = cleaned.organization_id and here.blogger_id = cleaned.blogger_id
    window same_account as (partition by cleaned.obstacle, cleaned.organization_id, cleaned.blogger_id)
),
checked as (
    select
        *,
        row_number() over (order by id, id_copy) as number,
        coalesce(id::text, '(none)') as legacy_key,
        md5(row(kept_id, user_id, is_active, daily_videos_count, has_videos)::text) as checksum
    from matched
)
select
    checked.*,
    case
        when checked.obstacle is not null then 'left out'
        when checked.id_copy > 1 or checked.id <> checked.kept_id then 'merged'
        when known.legacy_key is not null then 'unchanged'
        else 'imported'
    end as outcome,
    case
        when checked.obstacle is not null then checked.obstacle
        when checked.id_copy > 1 then 'another row has the same id'
        when checked.id = checked.kept_id then null
        when checked.here_id is not null then 'its organization tracks the same blogger here already'
        else 'its organization tracks the same blogger by another row, which stays: the one that is active, or else '
            'the last fetched one, or the one with the smallest id'
    end as reason
from checked
left join blogger_tracking.imported_rows as known
    on known.view_name = 'tracked_accounts'
    and known.legacy_key = checked.legacy_key
    and known.checksum = checked.checksum;

create unlogged table blogger_tracking.staged_tags as
with cleaned as (
    select
        organizations.id as organization_id,
        bloggers.kept_id as blogger_id,
        trim(legacy.tag::text) as tag,
        concat_ws('/', legacy.organization_id, legacy.blogger_id, legacy.tag::text) as legacy_key,
        case
            when organizations.id is null then 'its organization is not imported'
            when bloggers.id is null then 'its blogger is not imported'
            when coalesce(trim(legacy.tag::text), '') = '' then 'is empty'
            when length(trim(legacy.tag::text)) > 100 then 'is longer than 100 characters'
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
        row_number() over (order by legacy_key) as number,
        row_number() over (partition by obstacle, organization_id, blogger_id, tag order by legacy_key) as copy
    from cleaned
)
select
    checked.*,
    null::text as note,
    case
        when checked.obstacle is not null then 'left out'
        when checked.copy > 1 then 'merged'
        when here.tag is not null then 'unchanged'
        else 'imported'
    end as outcome,
    coalesce(checked.obstacle, case when checked.copy > 1 then 'another row has the same tag' end) as reason
from checked
left join blogger_tracking.blogger_tags as here
    on here.organization_id = checked.organization_id
    and here.blogger_id = checked.blogger_id
    and here.tag = checked.tag;

create unlogged table blogger_tracking.staged_campaigns as
with cleaned as (
    select
        organizations.id as organization_id,
        trim(legacy.name::text) as name,
        bloggers.kept_id as blogger_id,
        concat_ws('/', legacy.organization_id, legacy.name::text, legacy.blogger_id) as legacy_key,
        case
            when organizations.id is null then 'its organization is not imported'
            when coalesce(trim(legacy.name::text), '') = '' then 'has no name'
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
        row_number() over (order by legacy_key) as number,
        row_number() over (partition by obstacle, organization_id, name, blogger_id order by legacy_key) as copy
    from cleaned
)
select
    checked.*,
    null::text as note,
    case
        when checked.obstacle is not null then 'left out'
        when checked.copy > 1 then 'merged'
        when here.id is not null and (checked.blogger_id is null or linked.blogger_id is not null) then 'unchanged'
        else 'imported'
    end as outcome,
    coalesce(checked.obstacle, case when checked.copy > 1 then 'another row says the same' end) as reason
from checked
left join blogger_tracking.campaigns as here
    on here.organization_id = checked.organization_id and here.name = checked.name
left join blogger_tracking.blogger_campaign as linked
    on linked.campaign_id = here.id and linked.blogger_id = checked.blogger_id;

-- `pass` numbers the statistics of one video on one day: see the placement in legacy_import.py.
create unlogged table blogger_tracking.staged_statistics as
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
            when legacy.captured_at::timestamptz > now() + interval '1 day' then 'its captured_at is in the future'
        end as obstacle
    from blogger_tracking.legacy_statistics as legacy
    left join blogger_tracking.staged_videos as videos on videos.id = legacy.video_id::text and videos.is_taken
),
checked as (
    select
        *,
        row_number() over (order by platform, external_video_id, captured_at) as number,
        coalesce(legacy_video_id, '(none)') || '/' || coalesce(captured_at::text, '(none)') as legacy_key,
        row_number() over (
            partition by obstacle, platform, external_video_id, captured_at
            order by num_nulls(views, likes, comments, reposts), legacy_video_id, views, likes, comments, reposts
        ) as copy
    from cleaned
)
select
    checked.*,
    videos.id as video_id,
    videos.blogger_id,
    null::integer as pass,
    case
        when checked.obstacle is not null then 'left out'
        when checked.copy > 1 then 'merged'
        -- Arrays with nulls at the same places are equal.
        when here.video_id is not null
            and array[here.views, here.likes, here.comments, here.reposts]
            = array[checked.views, checked.likes, checked.comments, checked.reposts] then 'unchanged'
        else 'imported'
    end as outcome,
    checked.obstacle as reason
from checked
left join blogger_tracking.videos as videos
    on videos.platform = checked.platform and videos.external_video_id = checked.external_video_id
left join blogger_tracking.video_statistics as here
    on here.video_id = videos.id and here.captured_at = checked.captured_at;

analyze blogger_tracking.staged_statistics;

alter table blogger_tracking.staged_organizations add primary key (number), enable row level security;
alter table blogger_tracking.staged_members add primary key (number), enable row level security;
alter table blogger_tracking.staged_subscriptions add primary key (number), enable row level security;
alter table blogger_tracking.staged_bloggers add primary key (number), enable row level security;
alter table blogger_tracking.staged_tracked_accounts add primary key (number), enable row level security;
alter table blogger_tracking.staged_tags add primary key (number), enable row level security;
alter table blogger_tracking.staged_campaigns add primary key (number), enable row level security;
alter table blogger_tracking.staged_videos add primary key (number), enable row level security;
alter table blogger_tracking.staged_statistics add primary key (number), enable row level security;

revoke all on
    blogger_tracking.staged_organizations,
    blogger_tracking.staged_members,
    blogger_tracking.staged_subscriptions,
    blogger_tracking.staged_bloggers,
    blogger_tracking.staged_tracked_accounts,
    blogger_tracking.staged_tags,
    blogger_tracking.staged_campaigns,
    blogger_tracking.staged_videos,
    blogger_tracking.staged_statistics
from public, anon, authenticated;
