-- The history of each blogger's account: private, gone, without videos, active again, renamed.

create table blogger_tracking.account_state_changes (
    id bigint generated always as identity primary key,
    blogger_id uuid not null references blogger_tracking.blogger_information (id) on delete cascade,
    state text not null check (state in ('active', 'private', 'not_found', 'empty', 'renamed')),
    since timestamptz not null,
    recorded_at timestamptz not null default now(),
    reason text,
    fetch_id bigint,
    old_username text,
    new_username text,
    check ((state = 'renamed') = (old_username is not null and new_username is not null))
);

comment on table blogger_tracking.account_state_changes is
    'Changes of blogger_information.account_state, and renames. A trigger inserts the rows, whoever changes the account.';
comment on column blogger_tracking.account_state_changes.since is
    'Time of the first sighting; the second sighting in a row is recorded_at.';
comment on column blogger_tracking.account_state_changes.reason is 'Reason in a sentence for members.';
comment on column blogger_tracking.account_state_changes.fetch_id is
    'Fetch that confirmed the state. Null for a rename. Not a foreign key: the fetch may have been removed.';

create index account_state_changes_by_blogger on blogger_tracking.account_state_changes (blogger_id, id);

alter table blogger_tracking.account_state_changes enable row level security;
revoke all on blogger_tracking.account_state_changes from public, anon, authenticated;
grant select on blogger_tracking.account_state_changes to authenticated;
grant select on blogger_tracking.account_state_changes to blogger_pipeline;

create policy pipeline on blogger_tracking.account_state_changes to blogger_pipeline using (true) with check (true);

create policy members_read on blogger_tracking.account_state_changes for select to authenticated
using (exists (
    select from blogger_tracking.tracked_accounts
    where tracked_accounts.blogger_id = account_state_changes.blogger_id
      and tracked_accounts.organization_id = any (array(select blogger_tracking.own_organizations()))
));

create function blogger_tracking.keep_account_state() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if new.account_state <> old.account_state then
        insert into blogger_tracking.account_state_changes (blogger_id, state, since, reason, fetch_id)
        values (
            new.id,
            new.account_state,
            new.account_state_since,
            new.account_state_reason,
            new.account_state_fetch_id
        );
    end if;
    if new.username <> old.username then
        insert into blogger_tracking.account_state_changes (
            blogger_id, state, since, reason, old_username, new_username
        )
        values (
            new.id, 'renamed', now(), 'The platform shows another name for this account.', old.username, new.username
        );
    end if;
    return null;
end
$$;

comment on function blogger_tracking.keep_account_state() is
    'Keep the state that an account has changed to, and the two names of a renamed account.';

create trigger keep_account_state
after update of account_state, username on blogger_tracking.blogger_information
for each row
when (new.account_state <> old.account_state or new.username <> old.username)
execute function blogger_tracking.keep_account_state();

revoke all on function blogger_tracking.keep_account_state() from public, anon, authenticated;
