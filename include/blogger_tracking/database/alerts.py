"""Statements on `alerts`: the conditions that a person has to know of, from their beginning to their end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from blogger_tracking.database.rows import fetch_all
from blogger_tracking.domain.health import Alert


@dataclass(frozen=True, slots=True)
class AlertNews:
    """The beginning of a condition, or its end if `ended_at` is set, that no notifier has sent yet."""

    id: int
    name: str
    subject: str
    message: str
    began_at: datetime
    ended_at: datetime | None


_END = """
update blogger_tracking.alerts
set ended_at = %(moment)s
where deployment = %(deployment)s
  and ended_at is null
  and not exists (
      select
      from unnest(%(names)s::text[], %(subjects)s::text[]) as found (name, subject)
      where found.name = alerts.name and found.subject = alerts.subject
  )
"""

_BEGIN = """
insert into blogger_tracking.alerts (deployment, name, subject, message, began_at)
select %(deployment)s, name, subject, message, %(moment)s
from unnest(%(names)s::text[], %(subjects)s::text[], %(messages)s::text[]) as found (name, subject, message)
on conflict (deployment, name, subject) where ended_at is null do update
set message = excluded.message
where alerts.message <> excluded.message
"""

# A condition that ended before its beginning was sent is no news any more.
_NEWS = """
select id, name, subject, message, began_at, ended_at
from blogger_tracking.alerts
where deployment = %(deployment)s
  and ((begin_sent_at is null and ended_at is null)
      or (begin_sent_at is not null and ended_at is not null and end_sent_at is null))
order by id
"""

_MARK_SENT = """
update blogger_tracking.alerts
set
    begin_sent_at = case when %(ended)s then begin_sent_at else clock_timestamp() end,
    end_sent_at = case when %(ended)s then clock_timestamp() end
where id = %(id)s
"""


def save_alerts(connection: Connection, deployment: str, moment: datetime, alerts: Sequence[Alert]) -> None:
    """Save the conditions that hold now: new ones begin, and open ones that are missing end."""
    parameters = {
        "deployment": deployment,
        "moment": moment,
        "names": [alert.name for alert in alerts],
        "subjects": [alert.subject for alert in alerts],
        "messages": [alert.message for alert in alerts],
    }
    connection.execute(_END, parameters)
    connection.execute(_BEGIN, parameters)


def read_alert_news(connection: Connection, deployment: str) -> list[AlertNews]:
    """Return the beginnings and ends that no notifier has sent yet, the oldest first."""
    return fetch_all(connection, AlertNews, _NEWS, {"deployment": deployment})


def mark_sent(connection: Connection, news: AlertNews) -> None:
    """Record that a notifier has sent the news."""
    connection.execute(_MARK_SENT, {"id": news.id, "ended": news.ended_at is not None})
