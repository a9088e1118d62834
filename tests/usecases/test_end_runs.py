"""Ending runs whose last task did not run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.runs import RunKey
from blogger_tracking.domain.errors import StaleClaimError
from blogger_tracking.usecases.end_runs import CountRunning, end_dead_runs, end_run, end_runs_of_deployment
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim, fetch_ids, new_key, plan, succeed

DEPLOYMENT = "test"


@pytest.fixture(autouse=True)
def invariants_hold(admin: Connection) -> Iterator[None]:
    yield
    assert not any(check_invariants(admin).values())


def running(*keys: RunKey) -> CountRunning:
    """Return what Airflow says when these runs are queued or running."""

    def count(dag_id: str, dag_run_ids: Sequence[str]) -> int:
        alive = {key.dag_run_id for key in keys if key.dag_id == dag_id}
        return len(alive.intersection(dag_run_ids))

    return count


def test_an_ended_run_holds_nothing(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    organization = build.organization()
    for _ in range(3):
        build.track(organization)
    key = new_key()
    done, at_work, _ = fetch_ids(pool, plan(pool, key))
    succeed(pool, claim(pool, done), 4)
    claimed = claim(pool, at_work)

    assert end_run(pool, key) == 2

    assert build.rows("select state from fetches order by id") == [("succeeded",), ("released",), ("released",)]
    assert build.value("select sum(reserved) from subscription_usage") == 0
    assert build.value("select sum(videos_fetched) from subscription_usage") == 4
    with pytest.raises(StaleClaimError):
        succeed(pool, claimed, 4)


def test_a_run_without_a_plan_is_left_alone(pool: ConnectionPool) -> None:
    assert end_run(pool, new_key()) == 0


def test_runs_that_do_not_run_in_airflow_are_ended(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization())
    dead = new_key()
    plan(pool, dead)
    build.track(build.organization())
    alive = new_key()
    plan(pool, alive)

    assert end_dead_runs(pool, DEPLOYMENT, running(alive)) == [dead]

    assert build.rows("select state from fetches order by id") == [("released",), ("planned",)]
    assert end_dead_runs(pool, DEPLOYMENT, running(alive)) == []


def test_a_run_that_ends_by_itself_while_airflow_is_asked_is_not_dead(
    build: DatabaseBuilder, pool: ConnectionPool, caplog: pytest.LogCaptureFixture
) -> None:
    key = new_key()
    plan(pool, key)
    ended_at: list[datetime] = []

    def count(_dag_id: str, _dag_run_ids: Sequence[str]) -> int:
        if not ended_at:
            end_run(pool, key)
            ended_at.append(build.value("select ended_at from runs"))
        return 0

    assert end_dead_runs(pool, DEPLOYMENT, count) == []

    assert build.rows("select ended_at, is_dead from runs") == [(*ended_at, False)]
    assert "did not end by itself" not in caplog.text


def test_the_next_run_fetches_the_bloggers_of_a_dead_run(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization())
    plan(pool, new_key())
    assert plan(pool).instances == []

    end_dead_runs(pool, DEPLOYMENT, running())

    assert len(plan(pool).instances) == 1


def test_runs_of_another_deployment_are_left_alone(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization())
    plan(pool, RunKey("elsewhere", "blogger_batch_fetch", "a run"))

    assert end_dead_runs(pool, DEPLOYMENT, running()) == []
    assert build.rows("select state from fetches") == [("planned",)]


def test_the_runs_of_a_deployment_that_is_gone_are_ended_together(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    build.track(build.organization())
    lost = RunKey("gone", "blogger_batch_fetch", "a run")
    plan(pool, lost)
    build.track(build.organization())
    plan(pool, new_key())
    with pool.connection() as connection:
        assert end_runs_of_deployment(connection, "gone") == {lost: 1}
        assert end_runs_of_deployment(connection, "gone") == {}
    assert build.rows("select state from fetches order by id") == [("released",), ("planned",)]
    assert build.value("select min(reserved) from subscription_usage") == 0


def test_the_number_of_released_fetches_is_that_of_the_ended_run(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    expired = [RunKey(deployment, "blogger_batch_fetch", "a run") for deployment in ("gone", "elsewhere")]
    for key in expired:
        build.track(build.organization())
        plan(pool, key)
    build.track(build.organization())
    key = new_key()
    plan(pool, key)
    build.run("update runs set expires_at = clock_timestamp() where deployment <> %(own)s", own=DEPLOYMENT)

    assert end_run(pool, key) == 1
    with pool.connection() as connection:
        assert end_runs_of_deployment(connection, "gone") == {expired[0]: 1}
    assert end_run(pool, expired[1]) == 1


def test_airflow_is_asked_once_for_each_dag_while_all_runs_run(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    asked: list[tuple[str, int]] = []

    def count(dag_id: str, dag_run_ids: Sequence[str]) -> int:
        asked.append((dag_id, len(dag_run_ids)))
        return len(dag_run_ids)

    for key in (new_key(), new_key(), RunKey(DEPLOYMENT, "blogger_initial_fetch", "initial")):
        build.track(build.organization())
        plan(pool, key)

    end_dead_runs(pool, DEPLOYMENT, count)

    assert asked == [("blogger_batch_fetch", 2), ("blogger_initial_fetch", 1)]
