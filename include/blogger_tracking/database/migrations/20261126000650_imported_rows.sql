-- Record of the rows that the command `import` brought over from the database of an earlier system.

create table blogger_tracking.imported_rows (
    view_name text not null,
    legacy_key text not null,
    checksum text not null,
    imported_id text not null,
    imported_at timestamptz not null default now(),
    primary key (view_name, legacy_key)
);

comment on table blogger_tracking.imported_rows is
    'Rows of the earlier system that were imported, one row each. Leads from the earlier id of a thing to its id here.';
comment on column blogger_tracking.imported_rows.view_name is
    'The view legacy_… that the row came from, without `legacy_`: organizations, members, subscriptions, bloggers, tracked_accounts or videos.';
comment on column blogger_tracking.imported_rows.legacy_key is
    'The id in the earlier system; of a member organization/user, of a subscription organization/period_start.';
comment on column blogger_tracking.imported_rows.checksum is
    'Of the values that were imported. A row with another checksum has changed, and is imported again.';
comment on column blogger_tracking.imported_rows.imported_id is
    'The id here. Several earlier ids lead to one id here if their rows describe the same thing.';

create index imported_rows_by_id on blogger_tracking.imported_rows (view_name, imported_id);
