-- Numbers of rows of the earlier system that have no place in a comparison, and of dates that cannot be read.

select
    (
        select count(*)
        from blogger_tracking.legacy_bloggers
        where coalesce(regexp_replace(lower(platform::text), '[^a-z]', '', 'g'), '') <> all(%(platforms)s)
    ) as bloggers_of_unknown_platforms,
    (
        select count(*)
        from blogger_tracking.legacy_videos
        where coalesce(regexp_replace(lower(platform::text), '[^a-z]', '', 'g'), '') <> all(%(platforms)s)
    ) as videos_of_unknown_platforms,
    (
        select count(*)
        from blogger_tracking.legacy_videos
        where coalesce(btrim(external_video_id::text, e' \t\r\n'), '') = ''
    ) as videos_without_id,
    (
        select count(*)
        from blogger_tracking.legacy_videos
        where btrim(published_at::text, e' \t\r\n') <> '' and blogger_tracking.earlier_time(published_at::text) is null
    ) as unreadable_dates
