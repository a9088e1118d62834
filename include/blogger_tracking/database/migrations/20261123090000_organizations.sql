-- Who pays: organizations, their people, their subscriptions and what they used of them.

create table organizations (
    id uuid primary key default gen_random_uuid(),
    name text not null check (name <> ''),
    daily_videos_count integer not null default 10 check (daily_videos_count between 1 and 500),
    initial_videos_count integer not null default 30 check (initial_videos_count between 1 and 500),
    created_at timestamptz not null default now()
);

create table organization_members (
    organization_id uuid not null references organizations (id) on delete cascade,
    user_id uuid not null references auth.users (id) on delete cascade,
    role text not null check (role in ('owner', 'admin', 'member', 'viewer')),
    created_at timestamptz not null default now(),
    primary key (organization_id, user_id)
);

create index organization_members_by_user on organization_members (user_id);

create table subscriptions (
    organization_id uuid not null references organizations (id) on delete cascade,
    period_start timestamptz not null,
    period_end timestamptz not null,
    plan text not null check (plan <> ''),
    video_limit bigint not null check (video_limit >= 0),
    blogger_limit integer not null check (blogger_limit >= 0),
    primary key (organization_id, period_start),
    check (period_end > period_start)
);

comment on column subscriptions.period_end is 'Exclusive.';

create table subscription_changes (
    id bigint generated always as identity primary key,
    organization_id uuid not null,
    period_start timestamptz not null,
    period_end timestamptz not null,
    plan text not null,
    video_limit bigint not null,
    blogger_limit integer not null,
    changed_at timestamptz not null default clock_timestamp(),
    foreign key (organization_id, period_start) references subscriptions on update cascade on delete cascade
);

comment on table subscription_changes is
    'Every version of a subscription, in force from changed_at until the next one. Written by a trigger.';

create index subscription_changes_by_subscription
on subscription_changes (organization_id, period_start, changed_at);

create schema private;

comment on schema private is 'Functions that policies and triggers call. Not exposed over HTTP.';

create function private.record_subscription_change() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into public.subscription_changes
        (organization_id, period_start, period_end, plan, video_limit, blogger_limit)
    values
        (new.organization_id, new.period_start, new.period_end, new.plan, new.video_limit, new.blogger_limit);
    return null;
end
$$;

create trigger record_subscription_change
after insert or update on subscriptions
for each row execute function private.record_subscription_change();

create function private.refuse_overlapping_subscription() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    perform from public.organizations where id = new.organization_id for update;
    if exists (
        select from public.subscriptions as other
        where other.organization_id = new.organization_id
          and other.period_start <> new.period_start
          and other.period_start < new.period_end
          and other.period_end > new.period_start
    ) then
        raise exclusion_violation using message = 'This organization has another subscription in that period.';
    end if;
    return null;
end
$$;

comment on function private.refuse_overlapping_subscription() is
    'An exclusion constraint would need the extension btree_gist, which not every Postgres brings along.';

create constraint trigger refuse_overlapping_subscription
after insert or update of period_start, period_end on subscriptions
for each row execute function private.refuse_overlapping_subscription();

create table subscription_usage (
    organization_id uuid not null references organizations (id) on delete cascade,
    period_start timestamptz not null,
    opening bigint not null default 0 check (opening >= 0),
    videos_fetched bigint not null default 0 check (videos_fetched >= 0),
    reserved bigint not null default 0 check (reserved >= 0),
    primary key (organization_id, period_start)
);

comment on column subscription_usage.opening is 'Videos used in this period before adoption.';
comment on column subscription_usage.videos_fetched is 'Sum of the charges of this period''s fetch_allocations.';
comment on column subscription_usage.reserved is 'Sum of the reservations that are not settled yet.';
