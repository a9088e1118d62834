"""Backfills of the batch, with Airflow's own route and tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus

import pytest
from airflow import settings
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.datamodels.backfills import BackfillPostBody
from airflow.api_fastapi.core_api.routes.public.backfills import create_backfill
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.backfill import Backfill
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.utils.types import DagRunType
from fastapi import HTTPException
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session, sessionmaker

from blogger_tracking.orchestration.batch_tasks import BATCH_DAG_ID
from devtools.local_stack.config import PROJECT_ROOT

DAGS = PROJECT_ROOT / "dags"
OPERATIONS = PROJECT_ROOT / "docs" / "operations.md"
REFUSAL = f"Dag with dag_id: '{BATCH_DAG_ID}' does not allow backfill runs"
BUNDLE = "dags"


@pytest.fixture
def session(metadata: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """Yield a session of Airflow's database, in which the DAG processor has saved the DAGs."""
    engine = create_engine("postgresql+psycopg2://", connect_args=conninfo_to_dict(metadata))
    monkeypatch.setattr(settings, "engine", engine)
    monkeypatch.setattr(settings, "Session", sessionmaker(engine, autoflush=False, expire_on_commit=False))
    with Session(engine, autoflush=False) as session:
        session.merge(DagBundleModel(name=BUNDLE))
        session.commit()
        sync_bag_to_db(DagBag(DAGS, bundle_path=DAGS, bundle_name=BUNDLE), BUNDLE, None, session=session)
        session.commit()
        yield session
    engine.dispose()


def test_airflow_refuses_a_backfill_of_the_batch_before_it_has_a_run(session: Session) -> None:
    month = BackfillPostBody(
        dag_id=BATCH_DAG_ID, from_date=datetime(2026, 1, 1, tzinfo=UTC), to_date=datetime(2026, 1, 31, tzinfo=UTC)
    )
    with pytest.raises(HTTPException) as refused:
        create_backfill(month, SimpleAuthManagerUser(username="operator", role="admin"), session)
    assert refused.value.status_code == HTTPStatus.BAD_REQUEST
    assert refused.value.detail == REFUSAL
    assert REFUSAL in OPERATIONS.read_text(encoding="utf-8")
    assert session.scalar(select(func.count()).select_from(DagRun)) == 0
    assert session.scalar(select(func.count()).select_from(Backfill)) == 0


def test_every_other_type_of_run_is_allowed(session: Session) -> None:
    dag = session.scalars(select(DagModel).where(DagModel.dag_id == BATCH_DAG_ID)).one()
    assert dag.allowed_run_types == sorted(set(DagRunType) - {DagRunType.BACKFILL_JOB})
