-- The blogger limit of a subscription, for people who activate tracked accounts with an update of their own.

-- Taken by a trigger of the statement, before any tracked account is locked: the HTTP API locks in the same order, and
-- the opposite order could deadlock. The rows of the update are not known yet, hence all organizations.
create function blogger_tracking.lock_managed_organizations() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    perform
    from blogger_tracking.organizations
    where id = any (array(select blogger_tracking.managed_organizations()))
    order by id
    for no key update;
    return null;
end
$$;

comment on function blogger_tracking.lock_managed_organizations() is
    'Block other additions to, and activations in, the organizations whose tracked accounts the caller may change.';

-- The codes make the Data API respond with the HTTP status 402, as /blogger does.
create function blogger_tracking.refuse_activation_above_limit() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    tracked bigint;
    allowed integer;
begin
    select count(*) into tracked
    from blogger_tracking.tracked_accounts
    where organization_id = new.organization_id and is_active;

    select blogger_limit into allowed
    from blogger_tracking.subscriptions
    where organization_id = new.organization_id
      and period_start <= clock_timestamp()
      and period_end > clock_timestamp();

    if allowed is null then
        raise sqlstate 'PT402' using
            message = 'No subscription of this organization covers today.',
            detail = 'no_active_subscription';
    end if;
    if tracked > allowed then
        raise sqlstate 'PT402' using
            message = format(
                'This organization would track %s bloggers, and its subscription allows %s. '
                'Pause a blogger or change the subscription.',
                tracked, allowed
            ),
            detail = 'blogger_limit_reached';
    end if;
    return null;
end
$$;

comment on function blogger_tracking.refuse_activation_above_limit() is
    'Reject an update after which the organization has more active tracked accounts than its subscription allows.';

-- Only for people: the pipeline checks the limit itself, and the import may bring more accounts than the limit.
create trigger lock_managed_organizations
before update of is_active on blogger_tracking.tracked_accounts
for each statement
when (current_user = 'authenticated')
execute function blogger_tracking.lock_managed_organizations();

create trigger refuse_activation_above_limit
after update of is_active on blogger_tracking.tracked_accounts
for each row
when (new.is_active and not old.is_active and current_user = 'authenticated')
execute function blogger_tracking.refuse_activation_above_limit();

revoke all on function blogger_tracking.lock_managed_organizations() from public, anon, authenticated;
revoke all on function blogger_tracking.refuse_activation_above_limit() from public, anon, authenticated;
