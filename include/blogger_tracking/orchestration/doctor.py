"""Readiness check of everything that the system depends on, for the command `doctor`. Nothing is changed.

docs/doctor.md lists the checks with their reasons.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib.metadata import version

from airflow.configuration import conf
from airflow.exceptions import AirflowTimetableInvalid
from airflow.timetables.trigger import CronTriggerTimetable

from blogger_tracking.domain.checks import Check, export, fault, not_checked, ok, shell, to_do, warning
from blogger_tracking.domain.errors import BloggerTrackingError
from blogger_tracking.orchestration.airflow_3_3.verified_version import AIRFLOW_VERSION
from blogger_tracking.orchestration.connection_checks import (
    check_airflow_api,
    check_owner_connection,
    check_pipeline_database,
    check_platforms,
    check_sentry,
    check_supabase_auth,
    check_variables,
    check_youtube_statistics,
    install_airflow,
    uses_sandbox,
)
from blogger_tracking.orchestration.health_tasks import create_notifier
from blogger_tracking.orchestration.thumbnail_store import thumbnail_store
from blogger_tracking.settings import Settings, invalid_settings

_PREFIX = "BLOGGER_TRACKING_"

WEBHOOK_NOTIFIER = "blogger_tracking.orchestration.webhook_notifier.WebhookNotifier"
"""Import path of the included notifier."""


def check_everything() -> Iterator[Check]:
    """Yield the checks in their order, each as soon as its result is known."""
    yield check_airflow_version(version("apache-airflow-core"))
    yield check_deferrable()
    yield from check_settings(os.environ)
    yield from check_variables()
    if invalid_settings():
        yield not_checked("connections", "The Connections are checked once the settings are valid.")
        return
    settings = Settings()
    yield check_schedule("schedule", settings.schedule)
    yield check_schedule("maintenance_schedule", settings.maintenance_schedule)
    yield check_thumbnail_addresses(settings)
    yield check_thumbnail_storage()
    yield from check_pipeline_database(settings)
    yield check_owner_connection()
    yield from check_platforms()
    yield check_youtube_statistics(settings)
    yield check_supabase_auth(settings)
    yield check_sentry()
    yield check_notifiers(settings)
    yield from check_airflow_api()


def check_airflow_version(installed: str) -> Check:
    """Check that the installed Airflow is the version that the code was verified against."""
    if installed == AIRFLOW_VERSION:
        return ok("airflow", f"Airflow {installed} is installed.")
    finding = f"Airflow {installed} is installed; the code was verified against {AIRFLOW_VERSION}."
    return fault("airflow", finding, install_airflow())


def check_deferrable() -> Check:
    """Check that fetches start in the triggerer, without a worker process each."""
    if conf.getboolean("operators", "default_deferrable"):
        return ok("default_deferrable", "Fetches run in the triggerer.")
    return warning(
        "default_deferrable",
        "Fetches run in workers: the same outcome, about seven times the duration.",
        export("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True"),
    )


def check_settings(environment: Mapping[str, str]) -> Iterator[Check]:
    """Check that each variable `BLOGGER_TRACKING_…` is the name of a setting and has a valid value."""
    given = [name for name in environment if name.startswith(_PREFIX)]
    known = {f"{_PREFIX}{field.upper()}" for field in Settings.model_fields}
    wrong = invalid_settings()
    for name in sorted(wrong):
        yield fault(name, f"The value is not valid: {wrong[name]}.", shell(f"unset {name}"))
    for name in sorted(set(given) - known):
        similar = get_close_matches(name, known, 1)
        meant = f" {similar[0]} may be meant." if similar else ""
        yield warning(name, f"There is no such setting.{meant}", shell(f"unset {name}"))
    if not wrong:
        yield ok("settings", f"{len(known.intersection(given))} of {len(known)} settings differ from the defaults.")


def check_schedule(setting: str, schedule: str) -> Check:
    """Check the cron expression of a setting."""
    try:
        CronTriggerTimetable(schedule, timezone="UTC").validate()
    except AirflowTimetableInvalid as error:
        default = Settings.model_fields[setting].default
        return fault(setting, f"{schedule!r} is no schedule: {error}.", export(f"{_PREFIX}{setting.upper()}", default))
    return ok(setting, f"{schedule} (UTC).")


def check_thumbnail_addresses(settings: Settings) -> Check:
    """Check that thumbnails are downloaded from public addresses alone, unless the sandbox is used."""
    if not settings.thumbnail_allow_private:
        return ok("thumbnail_addresses", "Thumbnails are downloaded over https from public addresses alone.")
    if uses_sandbox():
        return ok("thumbnail_addresses", "Thumbnails of the sandbox are downloaded from this host.")
    return warning(
        "thumbnail_addresses",
        "Thumbnails may be downloaded from this host, which only the sandbox needs.",
        shell(f"unset {_PREFIX}THUMBNAIL_ALLOW_PRIVATE"),
    )


def check_notifiers(settings: Settings) -> Check:
    """Check that the notifiers of alerts can be created. No alert is sent."""
    if not settings.alert_notifiers:
        return ok("alert_notifiers", "Not set; alerts are in the log of health_watch and in Sentry.")
    for notifier in settings.alert_notifiers:
        try:
            create_notifier(notifier)
        except Exception as error:  # noqa: BLE001 - a notifier may raise anything
            return fault(
                "alert_notifiers",
                f"{notifier.classpath} cannot be created ({type(error).__name__}): its alerts do not arrive.",
                to_do("Correct classpath and kwargs, and install the provider of the notifier, as in:"),
                export(f"{_PREFIX}ALERT_NOTIFIERS", f'[{{"classpath": "{WEBHOOK_NOTIFIER}"}}]'),
            )
    return ok("alert_notifiers", f"{len(settings.alert_notifiers)} notifiers can be created; no alert was sent.")


def check_thumbnail_storage() -> Check:
    """Check that the storage of thumbnails can be read."""
    try:
        store = thumbnail_store()
        store.require_reachable()
    except BloggerTrackingError as error:
        return fault(
            "thumbnail_storage",
            f"{str(error).rstrip('.')}.",
            to_do("Check the bucket in the address, and the Connection, as in:"),
            export(f"{_PREFIX}THUMBNAIL_STORAGE", "s3://CONNECTION_ID@BUCKET/thumbnails"),
        )
    return ok("thumbnail_storage", f"Thumbnails are stored in {store}.")
