"""Airflow's own routes without a login, and runs whose conf says what it must not."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from uuid import uuid4

import requests

from blogger_tracking.database.rows import fetch_value
from blogger_tracking.domain.initial_fetch import INITIAL_FETCH_DAG_ID
from blogger_tracking.domain.models import Role
from devtools.attack.target import Target
from devtools.attack.tries import Try
from devtools.local_stack.airflow_client import AirflowClient
from devtools.local_stack.batch_run import BATCH_DAG, wait_for_dag
from devtools.local_stack.config import StackError

_TIMEOUT_SECONDS = 30.0
_RUN_SECONDS = 120.0
"""Longest time that all runs may take together."""

_REFUSED = frozenset({
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
})
_ROUTES = (
    ("GET", "/api/v2/connections"),
    ("GET", "/api/v2/connections/blogger_db"),
    ("GET", "/api/v2/variables"),
    ("GET", "/api/v2/config"),
    ("GET", "/api/v2/dags"),
    ("GET", f"/api/v2/dags/{BATCH_DAG}/dagRuns"),
    ("POST", f"/api/v2/dags/{BATCH_DAG}/dagRuns"),
    ("DELETE", f"/api/v2/dags/{BATCH_DAG}"),
    ("PATCH", f"/api/v2/dags/{BATCH_DAG}"),
    ("POST", "/api/v2/backfills"),
    ("GET", "/api/v2/eventLogs"),
    ("GET", "/api/v2/importErrors"),
    ("GET", "/api/v2/pools"),
    ("GET", f"/api/v2/dagSources/{BATCH_DAG}"),
)
_CONFS: Mapping[str, Mapping[str, object]] = {
    "an unknown key": {"organization": ["x"]},
    "SQL in an organization": {"organizations": ["' or true --"]},
    "SQL in a platform": {"platforms": ["TikTok'; drop table runs; --"]},
    "a text for a list": {"bloggers": "all"},
    "an object for a list": {"organizations": {"$ne": None}},
    "a template": {"organizations": ["{{ conn.blogger_db.password }}"]},
    "a number for a list": {"platforms": 7},
}

# A message that is accepted by mistake then makes a fetch.
_MAKE_PENDING = """
update blogger_tracking.tracked_accounts
set initial_videos_fetched = false, pending_initial_fetch = true
where id = any(%s)
"""

_COUNT_LEDGER = """
select
    (select count(*) from blogger_tracking.fetches)
    + (select count(*) from blogger_tracking.run_accounts)
    + (select count(*) from blogger_tracking.fetch_attempts)
"""


def airflow(target: Target) -> Iterator[Try]:
    """Call Airflow's routes as strangers, and trigger runs that must neither plan nor fetch anything."""
    if target.airflow is None:
        return
    tenant, foreign = target.tenant(), target.tenant()
    owner = target.member(tenant, Role.OWNER)
    for name, token in {"no token": None, "an access token of Supabase": target.token(owner)}.items():
        for method, path in _ROUTES:
            status = _status(target, method, path, token)
            yield Try(f"{method} {path} with {name}", status in _REFUSED, str(status))
    target.connection.execute(_MAKE_PENDING, ([tenant.tracking_id, foreign.tracking_id],))
    before = fetch_value(target.connection, _COUNT_LEDGER)
    message = {
        "type": "blogger_initial_fetch",
        "bloggerId": str(tenant.blogger_id),
        "secUid": str(tenant.organization_id),
        "externalId": str(tenant.organization_id),
        "platform": "TikTok",
        "videoCount": 10,
        "organizationId": str(tenant.organization_id),
        "userId": str(owner),
        "requestId": str(uuid4()),
        "videoStatus": "tracking",
        "timestamp": datetime.now(UTC).isoformat(),
    }
    messages: Mapping[str, Mapping[str, object]] = {
        "an unknown key": {"isAdmin": True},
        "another organization": {"organizationId": str(foreign.organization_id)},
        "a foreign blogger": {"bloggerId": str(foreign.blogger_id)},
        "a user who is no member": {"userId": str(target.user())},
        "another platform": {"platform": "YouTube", "secUid": None},
        "another id on the platform": {"externalId": "1"},
        "SQL in an id": {"externalId": "' or true --"},
        "too many videos": {"videoCount": 10**9},
        "no blogger": {"bloggerId": None},
    }
    runs = [(f"batch with {name}", BATCH_DAG, conf) for name, conf in _CONFS.items()]
    runs += [(f"message with {name}", INITIAL_FETCH_DAG_ID, {**message, **each}) for name, each in messages.items()]
    yield from _triggered(target.airflow, runs)
    after = fetch_value(target.connection, _COUNT_LEDGER)
    yield Try("nothing was planned or fetched", before == after, f"{before} and {after} rows")
    # Otherwise the messages could have been refused for another reason than the change.
    accepted = target.airflow.trigger(INITIAL_FETCH_DAG_ID, message).dag_run_id
    target.airflow.wait_for_run(INITIAL_FETCH_DAG_ID, accepted, _RUN_SECONDS)
    fetched = fetch_value(target.connection, _COUNT_LEDGER)
    yield Try("the message without a change is fetched", fetched != after, f"{after} and {fetched} rows")


def _triggered(client: AirflowClient, runs: list[tuple[str, str, Mapping[str, object]]]) -> Iterator[Try]:
    """Trigger all runs, and wait until each has been refused or has failed."""
    for dag_id in (BATCH_DAG, INITIAL_FETCH_DAG_ID):
        wait_for_dag(client, dag_id)
    waiting = []
    for name, dag_id, conf in runs:
        try:
            waiting.append((name, dag_id, client.trigger(dag_id, conf).dag_run_id))
        except StackError as error:
            yield Try(name, held="with 4" in str(error), found=str(error)[:200])
    deadline = time.monotonic() + _RUN_SECONDS
    for name, dag_id, dag_run_id in waiting:
        state = client.wait_for_run(dag_id, dag_run_id, deadline - time.monotonic()).state.value
        yield Try(name, held=state == "failed", found=f"the run ended as {state}")


def _status(target: Target, method: str, path: str, token: str | None) -> int:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    answer = requests.request(
        method, f"{target.url}{path}", headers=headers, json={}, timeout=_TIMEOUT_SECONDS, allow_redirects=False
    )
    target.answers.append(f"{answer.headers} {answer.text}")
    return answer.status_code
