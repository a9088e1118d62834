"""A metadata database of Airflow in the Postgres of the tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from airflow.models import import_all_models
from airflow.models.base import Base
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import create_engine

from tests.support.database_server import DatabaseServer

DATABASE = "airflow_metadata"


@pytest.fixture(scope="module")
def metadata(server: DatabaseServer) -> Iterator[str]:
    """Yield the connection string of a database with Airflow's tables and no rows."""
    server.execute(f"create database {DATABASE}")
    conninfo = server.conninfo(DATABASE)
    import_all_models()  # type: ignore[no-untyped-call] # as Airflow declares it
    engine = create_engine("postgresql+psycopg2://", connect_args=conninfo_to_dict(conninfo))
    Base.metadata.create_all(engine)
    engine.dispose()
    yield conninfo
    server.execute(f"drop database {DATABASE} with (force)")
