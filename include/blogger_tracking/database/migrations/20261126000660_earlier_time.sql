-- Reading of an earlier system's dates, by the import and by the comparison.

create function blogger_tracking.earlier_time(value text) returns timestamptz
language plpgsql stable set search_path = ''
as $$
begin
    if btrim(value, e' \t\r\n') ~* (
        '^(19[7-9]\d|2\d{3})-\d\d-\d\d'
        '([t ]\d\d:\d\d(:\d\d(\.\d+)?)?\s*(z|[+-]\d\d:?(\d\d)?)?)?$'
    ) then
        return btrim(value, e' \t\r\n')::timestamptz;
    end if;
    return null;
exception
    -- A day, an hour or a zone that does not exist.
    when data_exception then
        return null;
end
$$;

comment on function blogger_tracking.earlier_time(text) is
    'The time that a text of ISO 8601 names, from 1970 to 2999; null for every other text. Without a zone in that of the session.';

revoke all on function blogger_tracking.earlier_time(text) from public, anon, authenticated;
grant execute on function blogger_tracking.earlier_time(text) to blogger_pipeline;
