from __future__ import annotations

from unittest.mock import Mock

import psycopg
from airflow.models.callback import Callback, DagProcessorCallback

from devtools.bench.airflow_callbacks import CALLBACK_TABLE, STATE_COLUMN, has_waiting_callbacks


def test_the_table_and_the_column_exist_in_the_installed_airflow() -> None:
    assert Callback.__table__.name == CALLBACK_TABLE
    assert STATE_COLUMN in Callback.__table__.columns


def test_a_request_for_the_dag_processor_has_no_state_in_the_installed_airflow() -> None:
    request = Mock(bundle_name="dags", **{"to_json.return_value": "{}"})

    assert DagProcessorCallback(priority_weight=1, callback=request).state is None


def test_only_a_request_without_a_state_waits(admin: psycopg.Connection) -> None:
    admin.execute("create temporary table callback (state text)")
    assert not has_waiting_callbacks(admin)
    admin.execute("insert into callback values ('success')")
    assert not has_waiting_callbacks(admin)
    admin.execute("insert into callback values (null)")
    assert has_waiting_callbacks(admin)
