-- Monthly partitions of video_statistics, and the default partition for rows of a month without a partition.
--
-- The functions run as the owner of the schema, because only the owner of a table may add and drop its partitions. A
-- partition is read and written through video_statistics; members have no privilege on the partition itself.

create table blogger_tracking.video_statistics_default partition of blogger_tracking.video_statistics default;

comment on table blogger_tracking.video_statistics_default is
    'Statistics of months without a partition, so that saving never fails for want of one. Usually empty.';

revoke all on blogger_tracking.video_statistics_default from public, anon, authenticated;
alter table blogger_tracking.video_statistics_default enable row level security;
grant select on blogger_tracking.video_statistics_default to blogger_pipeline;
create policy pipeline on blogger_tracking.video_statistics_default to blogger_pipeline using (true) with check (true);

create function blogger_tracking.create_statistics_partition(month date) returns boolean
language plpgsql security definer set search_path = ''
as $$
declare
    first_day constant date := date_trunc('month', month)::date;
    next_month constant date := (first_day + interval '1 month')::date;
    name constant text := 'video_statistics_' || to_char(first_day, 'YYYY_MM');
begin
    perform pg_advisory_xact_lock(hashtextextended('blogger_tracking.statistics_partitions', 0));
    if to_regclass('blogger_tracking.' || name) is not null then
        return false;
    end if;
    -- In the order in which saving a fetch locks these tables, which prevents deadlocks.
    lock table blogger_tracking.videos in share row exclusive mode;
    lock table blogger_tracking.video_statistics_default in access exclusive mode;
    execute format('create table blogger_tracking.%I (like blogger_tracking.video_statistics including all)', name);
    execute format('revoke all on blogger_tracking.%I from public, anon, authenticated', name);
    execute format('alter table blogger_tracking.%I enable row level security', name);
    execute format('grant select on blogger_tracking.%I to blogger_pipeline', name);
    execute format(
        'create policy pipeline on blogger_tracking.%I to blogger_pipeline using (true) with check (true)', name
    );
    execute format(
        'with moved as ('
        '    delete from blogger_tracking.video_statistics_default'
        '    where fetched_on >= %L and fetched_on < %L'
        '    returning *'
        ') insert into blogger_tracking.%I select * from moved',
        first_day, next_month, name
    );
    execute format(
        'alter table blogger_tracking.video_statistics attach partition blogger_tracking.%I'
        ' for values from (%L) to (%L)',
        name, first_day, next_month
    );
    return true;
end
$$;

comment on function blogger_tracking.create_statistics_partition(date) is
    'Create the partition of video_statistics for the month of a day, with the rows that the default partition has of that month. False: the partition exists.';

create function blogger_tracking.drop_statistics_partition(month date) returns boolean
language plpgsql security definer set search_path = ''
as $$
declare
    name constant text := 'video_statistics_' || to_char(month, 'YYYY_MM');
begin
    perform pg_advisory_xact_lock(hashtextextended('blogger_tracking.statistics_partitions', 0));
    if to_regclass('blogger_tracking.' || name) is null then
        return false;
    end if;
    execute format('drop table blogger_tracking.%I', name);
    return true;
end
$$;

comment on function blogger_tracking.drop_statistics_partition(date) is
    'Drop the partition of video_statistics for the month of a day, with all its rows. False: there is no such partition.';

revoke all on function blogger_tracking.create_statistics_partition(date) from public, anon, authenticated;
revoke all on function blogger_tracking.drop_statistics_partition(date) from public, anon, authenticated;
grant execute on function blogger_tracking.create_statistics_partition(date) to blogger_pipeline;
grant execute on function blogger_tracking.drop_statistics_partition(date) to blogger_pipeline;

select
    blogger_tracking.create_statistics_partition(
        (date_trunc('month', now() at time zone 'UTC') + number * interval '1 month')::date
    )
from generate_series(-1, 3) as number;
