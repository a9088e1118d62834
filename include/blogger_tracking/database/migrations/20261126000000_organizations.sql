-- Organizations, their members, their subscriptions and the usage of each subscription period.

create table blogger_tracking.organizations (
    id uuid primary key default gen_random_uuid(),
    name text not null check (name <> ''),
    daily_videos_count integer not null default 10 check (daily_videos_count between 1 and 500),
    initial_videos_count integer not null default 30 check (initial_videos_count between 1 and 500),
    created_at timestamptz not null default now()
);

comment on table blogger_tracking.organizations is 'Customers: each tracks bloggers within its subscription.';
comment on column blogger_tracking.organizations.daily_videos_count is
    'Videos that a batch run asks for per tracked account, unless the account has a count of its own.';
comment on column blogger_tracking.organizations.initial_videos_count is
    'Videos that the initial fetch of a tracked account asks for.';

create table blogger_tracking.organization_members (
    organization_id uuid not null references blogger_tracking.organizations (id) on delete cascade,
    user_id uuid not null references auth.users (id) on delete cascade,
    role text not null check (role in ('owner', 'admin', 'member', 'viewer')),
    created_at timestamptz not null default now(),
    primary key (organization_id, user_id)
);

comment on table blogger_tracking.organization_members is 'Users of an organization with their role.';
comment on column blogger_tracking.organization_members.role is
    'owner and admin change tracked accounts and add bloggers, member adds bloggers, viewer reads.';

create index organization_members_by_user on blogger_tracking.organization_members (user_id);

create table blogger_tracking.subscriptions (
    organization_id uuid not null references blogger_tracking.organizations (id) on delete cascade,
    period_start timestamptz not null,
    period_end timestamptz not null,
    plan text not null check (plan <> ''),
    video_limit bigint not null check (video_limit >= 0),
    blogger_limit integer not null check (blogger_limit >= 0),
    primary key (organization_id, period_start),
    check (period_end > period_start)
);

comment on table blogger_tracking.subscriptions is
    'Subscription periods of the organizations. Periods of one organization do not overlap.';
comment on column blogger_tracking.subscriptions.period_start is 'Inclusive.';
comment on column blogger_tracking.subscriptions.period_end is 'Exclusive.';
comment on column blogger_tracking.subscriptions.video_limit is 'Videos that may be fetched in the period.';
comment on column blogger_tracking.subscriptions.blogger_limit is
    'Active tracked accounts that the organization may have.';

create table blogger_tracking.subscription_changes (
    id bigint generated always as identity primary key,
    organization_id uuid not null references blogger_tracking.organizations (id) on delete cascade,
    period_start timestamptz not null,
    period_end timestamptz not null,
    plan text not null,
    video_limit bigint not null,
    blogger_limit integer not null,
    changed_at timestamptz not null default clock_timestamp()
);

comment on table blogger_tracking.subscription_changes is
    'Versions of each subscription, each in force from changed_at until the next version. Written by a trigger. They outlive the subscription: its period may be inserted again.';

create index subscription_changes_by_subscription
on blogger_tracking.subscription_changes (organization_id, period_start, changed_at);

create function blogger_tracking.record_subscription_changes() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    -- In the order of the keys, as every transaction locks usages. Waits for the claims and the planning that were
    -- granted videos by the earlier versions; changed_at is a time after them.
    perform
    from blogger_tracking.subscription_usage as usage
    join changed using (organization_id, period_start)
    order by usage.organization_id, usage.period_start
    for no key update of usage;
    insert into blogger_tracking.subscription_changes
        (organization_id, period_start, period_end, plan, video_limit, blogger_limit)
    select organization_id, period_start, period_end, plan, video_limit, blogger_limit
    from changed;
    return null;
end
$$;

comment on function blogger_tracking.record_subscription_changes() is
    'Save the new versions of subscriptions in subscription_changes.';

create trigger record_inserted_subscriptions
after insert on blogger_tracking.subscriptions
referencing new table as changed
for each statement execute function blogger_tracking.record_subscription_changes();

create trigger record_updated_subscriptions
after update on blogger_tracking.subscriptions
referencing new table as changed
for each statement execute function blogger_tracking.record_subscription_changes();

create function blogger_tracking.refuse_overlapping_subscription() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    -- Not `for update`, for which planning and saving a fetch would have to wait.
    perform from blogger_tracking.organizations where id = new.organization_id for no key update;
    if exists (
        select from blogger_tracking.subscriptions as other
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

comment on function blogger_tracking.refuse_overlapping_subscription() is
    'Reject a period that overlaps another one of the organization. '
    'A trigger, because an exclusion constraint needs the extension btree_gist, which some Postgres servers lack.';

create constraint trigger refuse_overlapping_subscription
after insert or update of period_start, period_end on blogger_tracking.subscriptions
for each row execute function blogger_tracking.refuse_overlapping_subscription();

create table blogger_tracking.subscription_usage (
    organization_id uuid not null references blogger_tracking.organizations (id) on delete cascade,
    period_start timestamptz not null,
    opening bigint not null default 0 check (opening >= 0),
    videos_fetched bigint not null default 0 check (videos_fetched >= 0),
    reserved bigint not null default 0 check (reserved >= 0),
    removed_charges bigint not null default 0 check (removed_charges >= 0),
    removed_charged_at timestamptz,
    primary key (organization_id, period_start)
);

comment on table blogger_tracking.subscription_usage is
    'Usage of each subscription period. Remaining = video_limit - opening - videos_fetched - reserved.';
comment on column blogger_tracking.subscription_usage.opening is
    'Videos of this period that were charged before this project was adopted, imported at that time.';
comment on column blogger_tracking.subscription_usage.videos_fetched is
    'Sum of charged over the fetch_allocations of this period, and removed_charges.';
comment on column blogger_tracking.subscription_usage.reserved is
    'Sum of reserved over the fetch_allocations of this period.';
comment on column blogger_tracking.subscription_usage.removed_charges is
    'Sum of charged over the removed allocations of this period: by retention, or with their blogger.';
comment on column blogger_tracking.subscription_usage.removed_charged_at is
    'The latest charged_at of the removed allocations.';

create function blogger_tracking.refuse_moved_period() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if exists (
        select from blogger_tracking.subscription_usage
        where organization_id = old.organization_id
          and period_start = old.period_start
          and opening + videos_fetched + reserved > 0
    ) then
        raise check_violation using
            message = 'Videos were charged or reserved in this period, whose usage is counted from its start.',
            hint = 'Let the subscription end with period_end, and insert another one.';
    end if;
    return new;
end
$$;

comment on function blogger_tracking.refuse_moved_period() is
    'Reject another start for a period with usage: the usage would begin at 0 again.';

create trigger refuse_moved_period
before update of organization_id, period_start on blogger_tracking.subscriptions
for each row
when ((old.organization_id, old.period_start) is distinct from (new.organization_id, new.period_start))
execute function blogger_tracking.refuse_moved_period();

create function blogger_tracking.refuse_removed_usage() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    -- With its organization the usage goes.
    if exists (select from blogger_tracking.organizations where id = old.organization_id) then
        raise check_violation using
            message = 'Videos were charged or reserved in this period: its usage is kept as long as its organization.';
    end if;
    return old;
end
$$;

comment on function blogger_tracking.refuse_removed_usage() is
    'Reject the removal of a usage that is not 0: the organization would get its videos again.';

create trigger refuse_removed_usage
before delete on blogger_tracking.subscription_usage
for each row
when (old.opening + old.videos_fetched + old.reserved > 0)
execute function blogger_tracking.refuse_removed_usage();
