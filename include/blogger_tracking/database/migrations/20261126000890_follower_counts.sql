-- Followers over time: one number per blogger and day, from the look-ups and imports that bring a number anyway.

create table blogger_tracking.follower_counts (
    blogger_id uuid not null references blogger_tracking.blogger_information (id) on delete cascade,
    counted_on date not null,
    followers bigint not null check (followers >= 0),
    primary key (blogger_id, counted_on)
);

comment on table blogger_tracking.follower_counts is
    'Followers of bloggers, the last number of each day on which a profile was saved. A trigger inserts the rows.';
comment on column blogger_tracking.follower_counts.counted_on is 'UTC date on which the profile was saved.';

alter table blogger_tracking.follower_counts enable row level security;
revoke all on blogger_tracking.follower_counts from public, anon, authenticated;
grant select on blogger_tracking.follower_counts to blogger_pipeline;

create policy pipeline on blogger_tracking.follower_counts to blogger_pipeline using (true) with check (true);

create function blogger_tracking.keep_follower_count() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into blogger_tracking.follower_counts (blogger_id, counted_on, followers)
    values (new.id, (now() at time zone 'UTC')::date, new.subscribers)
    on conflict (blogger_id, counted_on) do update set followers = excluded.followers;
    return null;
end
$$;

comment on function blogger_tracking.keep_follower_count() is 'Keep the number of followers of a saved profile.';

create trigger keep_follower_count
after insert or update of subscribers on blogger_tracking.blogger_information
for each row
when (new.subscribers is not null)
execute function blogger_tracking.keep_follower_count();

revoke all on function blogger_tracking.keep_follower_count() from public, anon, authenticated;
