-- Who is tracked: bloggers, known once per platform, and the organizations' tracked accounts that point to them.

create table blogger_information (
    id uuid primary key default gen_random_uuid(),
    platform text not null check (platform in ('TikTok', 'Instagram', 'YouTube')),
    username text not null check (username <> ''),
    external_id text not null check (external_id <> ''),
    sec_id text check (sec_id <> ''),
    channel_name text,
    subscribers bigint check (subscribers >= 0),
    thumbnail_url text,
    account_state text not null default 'active' check (account_state in ('active', 'private', 'not_found')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (platform, external_id)
);

create index blogger_information_by_username on blogger_information (platform, lower(username));

create table tracked_accounts (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null references organizations (id) on delete cascade,
    user_id uuid references auth.users (id) on delete set null,
    blogger_id uuid not null references blogger_information (id),
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

comment on column tracked_accounts.user_id is 'Who added the account.';
comment on column tracked_accounts.daily_videos_count is 'Null: the organization''s setting.';
comment on column tracked_accounts.last_scraped_at is 'When a fetch for this account last ended understood.';
comment on column tracked_accounts.pending_initial_fetch is 'The wish for the first videos is open.';
comment on column tracked_accounts.initial_fetch_reason is 'Why the last initial fetch ended as it did.';

create index tracked_accounts_by_blogger on tracked_accounts (blogger_id);
create index tracked_accounts_with_pending_initial_fetch on tracked_accounts (id) where pending_initial_fetch;

create table campaigns (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null references organizations (id) on delete cascade,
    name text not null check (name <> ''),
    created_at timestamptz not null default now(),
    unique (organization_id, name)
);

create table blogger_campaign (
    campaign_id uuid not null references campaigns (id) on delete cascade,
    blogger_id uuid not null references blogger_information (id) on delete cascade,
    created_at timestamptz not null default now(),
    primary key (campaign_id, blogger_id)
);

create index blogger_campaign_by_blogger on blogger_campaign (blogger_id);

create table blogger_tags (
    organization_id uuid not null references organizations (id) on delete cascade,
    blogger_id uuid not null references blogger_information (id) on delete cascade,
    tag text not null check (tag <> '' and length(tag) <= 100),
    created_at timestamptz not null default now(),
    primary key (organization_id, blogger_id, tag)
);

create index blogger_tags_by_blogger on blogger_tags (blogger_id);
