"""Row level security as Supabase applies it to a signed-in user."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID

from psycopg import Connection

READABLE = (
    "organizations",
    "organization_members",
    "subscriptions",
    "subscription_usage",
    "blogger_information",
    "account_state_changes",
    "tracked_accounts",
    "campaigns",
    "blogger_campaign",
    "blogger_tags",
    "fetches",
    "fetch_allocations",
    "videos",
    "organization_videos",
    "video_statistics",
    "tracked_bloggers_view",
)
"""Tables and views that members read."""


@contextmanager
def signed_in(admin: Connection, user: UUID) -> Generator[Connection]:
    """Use the connection as PostgREST does for a user with an access token."""
    with admin.transaction(force_rollback=True):
        admin.execute("set local role authenticated")
        admin.execute(
            "select set_config('request.jwt.claims', json_build_object('sub', %s::text)::text, true)", (user,)
        )
        yield admin
