"""The task that watches the health of the whole system: gauges of Airflow's metrics, and alerts.

DAG files import this module: modules that only a running task needs are imported inside functions.
"""

from __future__ import annotations

import pkgutil
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from airflow.sdk import BaseNotifier, CronTriggerTimetable, get_current_context, task

from blogger_tracking.orchestration.batch_tasks import BATCH_DAG_ID
from blogger_tracking.orchestration.dead_runs import end_dead_runs_of
from blogger_tracking.orchestration.error_reporting import errors_reported
from blogger_tracking.orchestration.queue_tasks import CONSUMER_PRIORITY
from blogger_tracking.orchestration.task_defaults import RESTART_TOLERANCE
from blogger_tracking.settings import get_settings

if TYPE_CHECKING:
    from airflow.sdk import Context

    from blogger_tracking.database.alerts import AlertNews
    from blogger_tracking.settings import NotifierSetting

HEALTH_DAG_ID = "health_watch"

HEALTH_SCHEDULE = CronTriggerTimetable("*/10 * * * *", timezone="UTC")

_LOOK_BACK = timedelta(days=31)
"""Longest interval between two scheduled runs whose lateness is noticed."""


@task(priority_weight=CONSUMER_PRIORITY, weight_rule="absolute", **RESTART_TOLERANCE)
@errors_reported()
def watch() -> None:
    """Look at the health of the system, emit its gauges, and send what began and what ended since the last look."""
    from blogger_tracking.database.health import WatchedRuns
    from blogger_tracking.orchestration.airflow_3_3.metrics import emit
    from blogger_tracking.orchestration.connected_services import database_pool
    from blogger_tracking.usecases.watch_health import watch_health

    settings, moment = get_settings(), datetime.now(UTC)
    due_at = newest_slot(settings.schedule, moment - timedelta(minutes=settings.alert_run_minutes))
    context = get_current_context()
    end_dead_runs_of(context["ti"])
    emit(
        watch_health(
            database_pool(),
            WatchedRuns(settings.deployment, BATCH_DAG_ID, due_at),
            settings,
            moment,
            [partial(notify, context, notifier) for notifier in settings.alert_notifiers],
        )
    )


def newest_slot(schedule: str, until: datetime) -> datetime | None:
    """Return the newest time of a cron expression that is not after `until`, or None if there is none for a month."""
    from airflow.sdk.timezone import coerce_datetime
    from airflow.timetables.base import TimeRestriction
    from airflow.timetables.trigger import CronTriggerTimetable as SchedulerTimetable

    timetable = SchedulerTimetable(schedule, timezone="UTC")
    newest = None
    restriction = TimeRestriction(earliest=coerce_datetime(until - _LOOK_BACK), latest=None, catchup=True)
    found = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    while found and found.run_after <= until:
        newest = found.run_after
        found = timetable.next_dagrun_info(last_automated_data_interval=found.data_interval, restriction=restriction)
    return newest


def notify(context: Context, setting: NotifierSetting, news: AlertNews) -> None:
    """Send news through a notifier, whose templates see the task's context and `alert`.

    Exceptions of the notifier propagate.
    """
    from blogger_tracking.usecases.watch_health import describe

    alert = {
        "name": news.name,
        "subject": news.subject,
        "message": describe(news),
        "state": "began" if news.ended_at is None else "ended",
        "began_at": news.began_at,
        "ended_at": news.ended_at,
        "deployment": get_settings().deployment,
    }
    create_notifier(setting)({**context, "alert": alert})


def create_notifier(setting: NotifierSetting) -> BaseNotifier:
    """Return the notifier of a setting.

    Raises TypeError for a class that is no notifier; exceptions of the import and of the constructor propagate.
    """
    notifier = pkgutil.resolve_name(setting.classpath)(**setting.kwargs)
    if not isinstance(notifier, BaseNotifier):
        raise TypeError(f"{setting.classpath} is no Airflow notifier.")
    return notifier
