-- Statistics of the fetches in which an organization took part: readable by its members, and by no others.

create table blogger_tracking.statistics_readers (
    fetch_id bigint not null,
    organization_id uuid not null references blogger_tracking.organizations (id) on delete cascade,
    platform text not null check (platform in ('TikTok', 'Instagram', 'YouTube')),
    fetched_on date not null,
    primary key (fetch_id, organization_id)
);

comment on table blogger_tracking.statistics_readers is
    'Organizations that took part in a fetch whose allocations the ledger does not have: imported, or removed since.';
comment on column blogger_tracking.statistics_readers.fetch_id is
    'video_statistics.fetch_id. Not a foreign key: the fetch may have been removed.';
comment on column blogger_tracking.statistics_readers.platform is
    'Platform of the fetch. With fetched_on: retention removes the row with the statistics of that platform and day.';
comment on column blogger_tracking.statistics_readers.fetched_on is 'video_statistics.fetched_on of the fetch.';

create index statistics_readers_by_organization on blogger_tracking.statistics_readers (organization_id);
create index statistics_readers_by_day on blogger_tracking.statistics_readers (platform, fetched_on);

alter table blogger_tracking.statistics_readers enable row level security;
revoke all on blogger_tracking.statistics_readers from public, anon, authenticated;
grant select on blogger_tracking.statistics_readers to authenticated;
grant select, delete on blogger_tracking.statistics_readers to blogger_pipeline;
-- Locking a row needs the privilege to update a column of it. No statement updates this column.
grant update (fetched_on) on blogger_tracking.statistics_readers to blogger_pipeline;

create policy pipeline on blogger_tracking.statistics_readers to blogger_pipeline using (true) with check (true);

create policy members_read on blogger_tracking.statistics_readers for select to authenticated
using (organization_id = any (array(select blogger_tracking.own_organizations())));

create function blogger_tracking.keep_statistics_readers() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    -- An organization that is being deleted has no members who could read.
    insert into blogger_tracking.statistics_readers (fetch_id, organization_id, platform, fetched_on)
    select removed.fetch_id, removed.organization_id, removed.platform, removed.fetched_on
    from removed
    join blogger_tracking.organizations on organizations.id = removed.organization_id
    where removed.charged > 0
    on conflict do nothing;
    return null;
end
$$;

comment on function blogger_tracking.keep_statistics_readers() is
    'Keep the organizations of removed allocations that were charged, so that their members keep the statistics.';

create trigger keep_statistics_readers
after delete on blogger_tracking.fetch_allocations
referencing old table as removed
for each statement execute function blogger_tracking.keep_statistics_readers();

revoke all on function blogger_tracking.keep_statistics_readers() from public, anon, authenticated;

create policy members_read on blogger_tracking.video_statistics for select to authenticated
using (
    exists (
        select from blogger_tracking.organization_videos
        where organization_videos.video_id = video_statistics.video_id
          and organization_videos.organization_id = any (array(select blogger_tracking.own_organizations()))
          and (
              exists (
                  select from blogger_tracking.fetch_allocations
                  where fetch_allocations.fetch_id = video_statistics.fetch_id
                    and fetch_allocations.organization_id = organization_videos.organization_id
                    and fetch_allocations.charged > 0
              )
              or exists (
                  select from blogger_tracking.statistics_readers
                  where statistics_readers.fetch_id = video_statistics.fetch_id
                    and statistics_readers.organization_id = organization_videos.organization_id
              )
          )
    )
);
