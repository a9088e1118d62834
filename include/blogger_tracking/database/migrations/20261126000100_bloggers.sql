-- Bloggers, the tracked accounts of the organizations, campaigns and tags.

create table blogger_tracking.blogger_information (
    id uuid primary key default gen_random_uuid(),
    platform text not null check (platform in ('TikTok', 'Instagram', 'YouTube')),
    username text not null check (username <> ''),
    external_id text not null check (external_id <> ''),
    sec_id text check (sec_id <> ''),
    channel_name text,
    subscribers bigint check (subscribers >= 0),
    thumbnail_url text,
    account_state text not null default 'active'
    check (account_state in ('active', 'private', 'not_found', 'empty')),
    account_state_since timestamptz not null default now(),
    account_state_reason text,
    account_state_fetch_id bigint,
    sighted_state text check (sighted_state in ('private', 'not_found', 'empty')),
    sighted_at timestamptz,
    sighted_fetch_id bigint,
    posts_read_at timestamptz,
    newest_posts_only_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (platform, external_id),
    check ((sighted_state is null) = (sighted_at is null))
);

comment on table blogger_tracking.blogger_information is
    'Bloggers: accounts of creators, one row per platform and account.';
comment on column blogger_tracking.blogger_information.username is 'Last known name. A rename updates this column.';
comment on column blogger_tracking.blogger_information.external_id is 'The platform''s permanent id of the account.';
comment on column blogger_tracking.blogger_information.sec_id is
    'TikTok''s secUid, which its video list is requested by.';
comment on column blogger_tracking.blogger_information.account_state is
    'State of the account. Other states than active are those that two fetches in a row have seen.';
comment on column blogger_tracking.blogger_information.account_state_since is
    'Time at which account_state was seen for the first time.';
comment on column blogger_tracking.blogger_information.account_state_reason is
    'Reason of account_state, in a sentence for members. Null: nothing else than active was ever seen.';
comment on column blogger_tracking.blogger_information.account_state_fetch_id is
    'Fetch that confirmed account_state. Not a foreign key: the fetch may have been removed.';
comment on column blogger_tracking.blogger_information.sighted_state is
    'State that the last fetch, or the look-up before the first one, saw for the first time; the next sighting in a row confirms it.';
comment on column blogger_tracking.blogger_information.sighted_at is 'Time of the first sighting of sighted_state.';
comment on column blogger_tracking.blogger_information.sighted_fetch_id is
    'Fetch that saw sighted_state first. Null: a look-up. Not a foreign key: the fetch may have been removed.';
comment on column blogger_tracking.blogger_information.posts_read_at is
    'Instagram: time of the last complete reading of the account''s list of posts, which is read only as needed.';
comment on column blogger_tracking.blogger_information.newest_posts_only_at is
    'Instagram: publication date of the newest video that only the list of posts had, and not the list of clips.';

create index blogger_information_by_username on blogger_tracking.blogger_information (platform, lower(username));

create table blogger_tracking.tracked_accounts (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null references blogger_tracking.organizations (id) on delete cascade,
    user_id uuid references auth.users (id) on delete set null,
    blogger_id uuid not null references blogger_tracking.blogger_information (id),
    is_active boolean not null default true,
    daily_videos_count integer check (daily_videos_count between 1 and 500),
    last_scraped_at timestamptz,
    pending_initial_fetch boolean not null default false,
    initial_fetch_attempt integer not null default 0 check (initial_fetch_attempt >= 0),
    initial_fetch_reason text,
    initial_videos_fetched boolean not null default false,
    created_at timestamptz not null default now(),
    unique (organization_id, blogger_id),
    check (not (pending_initial_fetch and initial_videos_fetched))
);

comment on table blogger_tracking.tracked_accounts is 'Decisions of organizations to follow a blogger.';
comment on column blogger_tracking.tracked_accounts.user_id is 'User who added the account.';
comment on column blogger_tracking.tracked_accounts.is_active is 'False: paused, and skipped from the next claim on.';
comment on column blogger_tracking.tracked_accounts.daily_videos_count is
    'Videos that a batch run asks for. Null: the organization''s daily_videos_count.';
comment on column blogger_tracking.tracked_accounts.last_scraped_at is
    'Time of the last conclusive fetch for this account.';
comment on column blogger_tracking.tracked_accounts.pending_initial_fetch is
    'The first videos are still to be fetched: an entry of a transactional outbox.';
comment on column blogger_tracking.tracked_accounts.initial_fetch_attempt is
    'Number of the latest attempt. The DAG run id of an attempt is initial__<id>__<attempt>.';
comment on column blogger_tracking.tracked_accounts.initial_fetch_reason is
    'Reason of the last initial fetch that was skipped, failed, had no message, or found the account private or missing.';
comment on column blogger_tracking.tracked_accounts.initial_videos_fetched is
    'The initial fetch has succeeded. Never reset.';

create index tracked_accounts_by_blogger on blogger_tracking.tracked_accounts (blogger_id);
create index tracked_accounts_with_pending_initial_fetch on blogger_tracking.tracked_accounts (id)
where pending_initial_fetch;

create table blogger_tracking.campaigns (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null references blogger_tracking.organizations (id) on delete cascade,
    name text not null check (name <> ''),
    created_at timestamptz not null default now(),
    unique (organization_id, name)
);

comment on table blogger_tracking.campaigns is 'Campaigns of an organization, to group bloggers by.';

create table blogger_tracking.blogger_campaign (
    campaign_id uuid not null references blogger_tracking.campaigns (id) on delete cascade,
    blogger_id uuid not null references blogger_tracking.blogger_information (id) on delete cascade,
    created_at timestamptz not null default now(),
    primary key (campaign_id, blogger_id)
);

comment on table blogger_tracking.blogger_campaign is 'Bloggers of each campaign.';

create index blogger_campaign_by_blogger on blogger_tracking.blogger_campaign (blogger_id);

create table blogger_tracking.blogger_tags (
    organization_id uuid not null references blogger_tracking.organizations (id) on delete cascade,
    blogger_id uuid not null references blogger_tracking.blogger_information (id) on delete cascade,
    tag text not null check (tag <> '' and length(tag) <= 100),
    created_at timestamptz not null default now(),
    primary key (organization_id, blogger_id, tag)
);

comment on table blogger_tracking.blogger_tags is 'Tags that an organization gave to a blogger.';

create index blogger_tags_by_blogger on blogger_tracking.blogger_tags (blogger_id);
