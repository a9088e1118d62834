"""A second deployment on the same database: planning, fetches and the end of a run in this process, without Airflow."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from pydantic import SecretStr

from blogger_tracking.database.connections import open_pool
from blogger_tracking.database.rate_limits import reserve_slots
from blogger_tracking.database.run_plans import RunScope
from blogger_tracking.database.runs import InstanceTry, RunKey, read_instances
from blogger_tracking.platforms import PlatformConfig, SharedRateLimiter, create_service
from blogger_tracking.usecases.fetch_blogger import FetchReport, FetchServices
from blogger_tracking.usecases.fetch_instance import collect_reports, submit_fetches
from blogger_tracking.usecases.finish_run import finish_run
from blogger_tracking.usecases.plan_run import plan_run
from devtools.local_stack.airflow_connections import PLATFORM_PATHS

DEPLOYMENT = "chaos-second"
_THREADS = 8
_CONNECTIONS = 10
_KEY = "key-of-the-second-deployment"


def run_second_deployment(dsn: str, sandbox_url: str, dag_run_id: str, organizations: tuple[UUID, ...]) -> list[str]:
    """Run one batch of these organizations as another deployment would, and return the run's problems."""
    key = RunKey(DEPLOYMENT, "blogger_batch_fetch", dag_run_id)
    with open_pool(dsn, _CONNECTIONS) as pool, ThreadPoolExecutor(_THREADS) as executor:
        limiter = SharedRateLimiter(partial(reserve_slots, pool))
        platforms = {
            platform: create_service(
                platform, PlatformConfig(base_url=sandbox_url + path, api_key=SecretStr(_KEY)), rate_limiter=limiter
            )
            for platform, path in PLATFORM_PATHS.items()
        }
        services = FetchServices(pool, platforms)
        planned = plan_run(pool, key, RunScope(organizations=organizations), timedelta(hours=1))
        with pool.connection() as connection:
            instances = read_instances(connection, planned.run_id)
        fetches: list[Future[FetchReport | None]] = []
        for each in instances:
            instance = InstanceTry(key, each.task_id, each.map_index, datetime.now(UTC))
            fetches += submit_fetches(executor, services, instance)
        collect_reports(fetches)
        return finish_run(pool, key, failed_share_limit=1)
