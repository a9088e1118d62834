"""Adding a blogger as the management UI does: over HTTP, as a member of an organization."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from uuid import UUID

import jwt
import requests
from psycopg import Connection

from blogger_tracking.domain.initial_fetch import INITIAL_FETCH_DAG_ID
from blogger_tracking.domain.models import Platform
from devtools.local_stack.airflow_connections import variable_of
from devtools.local_stack.batch_run import wait_for_dag
from devtools.local_stack.config import StackError
from devtools.local_stack.stack import Stack

_MAX_WAIT_SECONDS = 120.0
_POLL_SECONDS = 0.05
_REQUEST_TIMEOUT_SECONDS = 60.0
_TOKEN_SECONDS = 24 * 3600

_COUNT_SAVED_VIDEOS = """
select tracked_accounts.initial_videos_fetched, count(organization_videos.video_id)
from blogger_tracking.tracked_accounts
join blogger_tracking.videos on videos.blogger_id = tracked_accounts.blogger_id
join blogger_tracking.organization_videos
    on organization_videos.video_id = videos.id
    and organization_videos.organization_id = tracked_accounts.organization_id
where tracked_accounts.id = %s
group by tracked_accounts.id
"""


@dataclass(frozen=True, slots=True)
class TimedAddition:
    """An added blogger. `seconds` is the time from the request until the blogger's first `videos` were saved."""

    platform: str
    username: str
    videos: int
    seconds: float


class SignedInMember:
    """A member of an organization with an access token as Supabase issues them."""

    def __init__(self, stack: Stack, user: UUID, organization: UUID) -> None:
        self._stack = stack
        self._organization = organization
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {access_token(stack, user)}"

    def add(self, connection: Connection, platform: Platform, username: str) -> TimedAddition:
        """Add a blogger and wait for the first videos. Raises StackError if no video is saved within two minutes."""
        wait_for_dag(self._stack.client(), INITIAL_FETCH_DAG_ID)
        body = {"username": username, "platform": platform, "organizationId": str(self._organization)}
        begin = time.monotonic()
        answer = self._session.post(f"{self._stack.api_url}/blogger/add", json=body, timeout=_REQUEST_TIMEOUT_SECONDS)
        if not answer.ok:
            raise StackError(
                f"@{username} was not added: /blogger/add answered {answer.status_code} {answer.text[:500]}"
            )
        tracking_id = answer.json()["blogger"]["trackingId"]
        while not (videos := _count_first_videos(connection, tracking_id)):
            if time.monotonic() - begin > _MAX_WAIT_SECONDS:
                raise StackError(
                    f"@{username} was added, but no videos were saved within {_MAX_WAIT_SECONDS:.0f} s. The runs of "
                    f"{INITIAL_FETCH_DAG_ID} in Airflow's UI show the reason."
                )
            time.sleep(_POLL_SECONDS)
        return TimedAddition(platform, username, videos, round(time.monotonic() - begin, 2))


def access_token(stack: Stack, user: UUID) -> str:
    """Return an access token for `/blogger` as Supabase would issue it to this user, valid for a day."""
    auth = json.loads(stack.environment()[variable_of("supabase_auth")])
    claims = {
        "sub": str(user),
        "aud": "authenticated",
        "iss": auth["host"],
        "exp": int(time.time()) + _TOKEN_SECONDS,
    }
    return jwt.encode(claims, auth["password"], algorithm="HS256")


def _count_first_videos(connection: Connection, tracking_id: str) -> int:
    row = connection.execute(_COUNT_SAVED_VIDEOS, (tracking_id,)).fetchone()
    return row[1] if row and row[0] else 0
