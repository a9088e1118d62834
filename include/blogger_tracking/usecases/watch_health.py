"""Use case: look at the health of the whole system, and send what began and what ended since the last look."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from psycopg_pool import ConnectionPool

from blogger_tracking.database.alerts import AlertNews, mark_sent, read_alert_news, save_alerts
from blogger_tracking.database.connections import bounded_transaction
from blogger_tracking.database.health import WatchedRuns, read_health
from blogger_tracking.domain import metrics
from blogger_tracking.domain.alerts import alerts as alerts_logger
from blogger_tracking.domain.health import Alert, AlertName, Health, Thresholds, find_alerts, is_reported_at_its_cause
from blogger_tracking.domain.metrics import Measurement
from blogger_tracking.domain.models import Platform
from blogger_tracking.settings import Settings

logger = logging.getLogger(__name__)

Notify = Callable[[AlertNews], None]
"""A function that sends one piece of news to people. Raises any exception if the news was not sent."""


def thresholds(settings: Settings) -> Thresholds:
    """Return the values beyond which a condition holds."""
    return Thresholds(
        run=timedelta(minutes=settings.alert_run_minutes),
        queue=timedelta(minutes=settings.alert_queue_minutes),
        without_fetch=timedelta(hours=settings.alert_without_fetch_hours),
        lease=timedelta(minutes=settings.lease_minutes),
        daily_units=settings.youtube_daily_units,
        units_share=settings.alert_youtube_units_share,
    )


def watch_health(
    pool: ConnectionPool, watched: WatchedRuns, settings: Settings, moment: datetime, notifiers: Sequence[Notify]
) -> list[Measurement]:
    """Save the conditions that hold, send the news about them, and return the gauges of the system.

    News counts as sent as soon as one notifier has sent it. If all notifiers fail, the next look sends the news.
    """
    with pool.connection() as connection, bounded_transaction(connection):
        health = read_health(connection, moment, watched, settings.failed_share_limit)
        found = find_alerts(health, thresholds(settings))
        save_alerts(connection, watched.deployment, moment, found)
        news = read_alert_news(connection, watched.deployment)
    for each in news:
        if _send(each, notifiers):
            _log(each, health)
            with pool.connection() as connection:
                mark_sent(connection, each)
    return list(_gauges(health, found, settings))


def describe(news: AlertNews) -> str:
    """Return the message that people get: the condition, or its end with its duration."""
    if news.ended_at is None:
        return news.message
    minutes = round((news.ended_at - news.began_at).total_seconds() / 60)
    return f"Over after {minutes} minutes: {news.message}"


def _log(news: AlertNews, health: Health) -> None:
    if news.ended_at is None and not is_reported_at_its_cause(AlertName(news.name), health):
        alerts_logger.warning("%s", news.message, extra={"fingerprint": ("alert", news.name, news.subject)})
    else:
        logger.warning("%s", describe(news))


def _send(news: AlertNews, notifiers: Sequence[Notify]) -> bool:
    sent = 0
    for notify in notifiers:
        try:
            notify(news)
            sent += 1
        except Exception:
            logger.exception(
                "A notifier did not send the alert %s: %s",
                news.name,
                describe(news),
                extra={"fingerprint": ("notifier", news.name)},
            )
    return sent > 0 or not notifiers


def _gauges(health: Health, found: Sequence[Alert], settings: Settings) -> Iterable[Measurement]:
    suspended = {each.platform for each in health.suspended}
    for platform in Platform:
        yield Measurement(metrics.PLATFORM_SUSPENDED, int(platform in suspended), {"platform": platform.value})
    for queue in health.queues:
        oldest = queue.waiting_since or health.moment
        tags = {"queue": str(queue.queue)}
        yield Measurement(metrics.QUEUE_MESSAGES, queue.waiting, tags)
        yield Measurement(metrics.QUEUE_PARKED, queue.parked, tags)
        yield Measurement(metrics.QUEUE_OLDEST_AGE, (health.moment - oldest).total_seconds(), tags)
    for accounts in health.accounts:
        age = (health.moment - accounts.unfetched_since).total_seconds()
        yield Measurement(metrics.ACCOUNT_OLDEST_AGE, age, {"platform": str(accounts.platform)})
    yield Measurement(metrics.YOUTUBE_UNITS_SPENT, health.units_spent)
    yield Measurement(metrics.YOUTUBE_UNITS_LEFT, settings.youtube_daily_units - health.units_spent)
    for quota in health.quotas:
        yield Measurement(metrics.QUOTA_LEFT, quota.videos, {"organization": quota.organization_id})
    yield Measurement(metrics.ALERTS_OPEN, len(found))
