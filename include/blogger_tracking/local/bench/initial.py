"""How long somebody waits for a blogger's first videos: from `POST /blogger/add` until they are saved."""

from __future__ import annotations

import json
import time
from statistics import median
from uuid import UUID

import jwt
import requests
from psycopg import Connection
from psycopg.rows import scalar_row

from blogger_tracking.domain.initial_fetch import INITIAL_FETCH_DAG_ID
from blogger_tracking.domain.models import Platform
from blogger_tracking.local.airflow_connections import variable_of
from blogger_tracking.local.batch_run import wait_for_dag
from blogger_tracking.local.bench.fleet import Fleets
from blogger_tracking.local.errors import StackError
from blogger_tracking.local.stack import Stack
from blogger_tracking.services.database.connections import connect

_PATIENCE_SECONDS = 120.0
_POLL_SECONDS = 0.05
_TIMEOUT_SECONDS = 60.0
_TOKEN_SECONDS = 3600

_FETCHED = """
select initial_videos_fetched from tracked_accounts where id = %s
"""


def measure_additions(stack: Stack, fleets: Fleets, additions: int) -> list[float]:
    """The seconds of so many additions, one after the other, the first of a stack left out."""
    wait_for_dag(stack.client(), INITIAL_FETCH_DAG_ID)
    with connect(stack.admin_dsn) as connection, requests.Session() as session:
        organization = fleets.organization(connection, "Additions")
        user = fleets.owner(connection, organization)
        session.headers["Authorization"] = f"Bearer {_token(stack, user)}"
        platforms = list(Platform)
        waits = []
        for number in range(1 + additions):
            platform = platforms[number % len(platforms)]
            username = fleets.untracked(platform).username
            body = {"username": username, "platform": platform, "organizationId": str(organization)}
            waits.append(_measure(stack.api_url, session, connection, body))
    return [round(seconds, 2) for seconds in waits[1:]]


def median_seconds(waits: list[float]) -> float:
    """The one in the middle."""
    return round(median(waits), 2)


def _measure(api_url: str, session: requests.Session, connection: Connection, body: dict[str, str]) -> float:
    begin = time.monotonic()
    answer = session.post(f"{api_url}/blogger/add", json=body, timeout=_TIMEOUT_SECONDS)
    if not answer.ok:
        raise StackError(f"/blogger/add answered {answer.status_code}: {answer.text[:500]}")
    tracking_id = answer.json()["blogger"]["trackingId"]
    while not _has_first_videos(connection, tracking_id):
        if time.monotonic() - begin > _PATIENCE_SECONDS:
            raise StackError(f"The first videos of {body['username']} have not come in {_PATIENCE_SECONDS:.0f} s.")
        time.sleep(_POLL_SECONDS)
    return time.monotonic() - begin


def _has_first_videos(connection: Connection, tracking_id: str) -> bool:
    return bool(connection.cursor(row_factory=scalar_row).execute(_FETCHED, (tracking_id,)).fetchone())


def _token(stack: Stack, user: UUID) -> str:
    """What Supabase would have given this person."""
    auth = json.loads(stack.environment()[variable_of("supabase_auth")])
    claims = {
        "sub": str(user),
        "aud": "authenticated",
        "iss": auth["host"],
        "exp": int(time.time()) + _TOKEN_SECONDS,
    }
    return jwt.encode(claims, auth["password"], algorithm="HS256")
