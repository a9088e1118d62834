-- Alerts: the conditions that a person has to know of, each from its beginning to its end.

create table blogger_tracking.alerts (
    id bigint generated always as identity primary key,
    deployment text not null,
    name text not null,
    subject text not null,
    message text not null,
    began_at timestamptz not null,
    begin_sent_at timestamptz,
    ended_at timestamptz,
    end_sent_at timestamptz,
    check (ended_at >= began_at),
    check (end_sent_at is null or (ended_at is not null and begin_sent_at is not null))
);

comment on table blogger_tracking.alerts is
    'Alerts of the DAG health_watch, one row from the beginning of a condition to its end.';
comment on column blogger_tracking.alerts.deployment is 'Name of the Airflow deployment whose watch found the condition.';
comment on column blogger_tracking.alerts.name is 'Name of the condition: domain/health.py.';
comment on column blogger_tracking.alerts.subject is
    'Platform, queue or DAG run that the condition concerns; empty for a condition of the whole system.';
comment on column blogger_tracking.alerts.message is 'Sentence about the condition at the last look.';
comment on column blogger_tracking.alerts.begin_sent_at is
    'Time when a notifier sent the message that the condition began. Null: no notifier has sent the message.';
comment on column blogger_tracking.alerts.ended_at is 'Null: the condition holds.';
comment on column blogger_tracking.alerts.end_sent_at is
    'Time when a notifier sent the message that the condition ended.';

create unique index alerts_open on blogger_tracking.alerts (deployment, name, subject) where ended_at is null;
create index alerts_unsent on blogger_tracking.alerts (deployment)
where begin_sent_at is null or (ended_at is not null and end_sent_at is null);
