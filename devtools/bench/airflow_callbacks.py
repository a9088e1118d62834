"""Callback requests that wait for Airflow's DAG processor, read from an internal table of Airflow.

Verified against Airflow 3.3.2: `airflow.models.callback.DagProcessorCallback` stores each request as a row of the table
`callback` whose column `state` is null, and the DAG processor deletes the row when it takes the request. Airflow's
REST API does not show these requests. A test checks the table and the column against the installed Airflow.
"""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from blogger_tracking.database.rows import fetch_value

CALLBACK_TABLE = "callback"
STATE_COLUMN = "state"

_HAS_WAITING = "select exists (select from callback where state is null)"


def has_waiting_callbacks(metadata: Connection[Any]) -> bool:
    """Return True if a request waits for the DAG processor. The connection is to Airflow's metadata database."""
    return bool(fetch_value(metadata, _HAS_WAITING))
