"""Settings of the system: the numbers and switches that an operator may change without changing code.

Each field is read from the environment variable `BLOGGER_TRACKING_` + its name in capitals; an empty variable counts as
missing. Secrets are not settings, but fields of Airflow Connections. `docs/settings.md` is generated from this module.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

COLLECTION_THRESHOLDS = (20_000, 20, 20)
"""Thresholds of Python's garbage collection in Airflow's processes, unless `tune_garbage_collection` is off.

Python's defaults (700, 10, 10) are for smaller programs: Airflow's processes hold hundreds of thousands of objects, and
scanning these objects took a tenth of a batch run's CPU time.
"""


class InstagramPosts(StrEnum):
    """Choice of the fetches that read Instagram's list of posts beside the clips."""

    AS_NEEDED = "as_needed"
    ALWAYS = "always"


class NotifierSetting(BaseModel):
    """An Airflow notifier: the import path of its class, and its keyword arguments."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    classpath: str = Field(min_length=1)
    kwargs: dict[str, JsonValue] = Field(default_factory=dict)


class Settings(BaseSettings):
    """Settings of one process. Every comment line in the class is the heading of the fields below it."""

    model_config = SettingsConfigDict(env_prefix="BLOGGER_TRACKING_", env_ignore_empty=True, frozen=True)

    # Batch run
    deployment: str = Field(
        default="default",
        min_length=1,
        description="Name of this Airflow in the ledger, which tells several Airflows on one database apart: any but "
        "imported, the name of the runs of imported statistics.",
    )
    schedule: str = Field(default="0 0,12 * * *", description="Cron expression of the batch run, in UTC.")
    run_timeout_minutes: int = Field(
        default=660,
        ge=1,
        description="Timeout of a batch run, in minutes. Afterwards Airflow fails the run, and the run's reservations "
        "may be released.",
    )
    failed_share_limit: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Tolerated share of failed fetches in a batch run, from 0 to 1. A run with a larger share is red.",
    )

    # Fetches
    lease_minutes: int = Field(
        default=15,
        ge=1,
        description="Lease of a fetch attempt, in minutes. Afterwards the attempt is presumed dead and its reservation "
        "may be released.",
    )
    deferral_leases: int = Field(
        default=12,
        ge=1,
        description="Longest time that a fetch task instance may stay deferred, in leases of an attempt. Afterwards "
        "Airflow fails and retries the instance, because its triggerer presumably hangs.",
    )
    fetch_retries: int = Field(default=2, ge=0, description="Number of Airflow retries of a fetch task instance.")
    fetch_retry_delay_seconds: float = Field(
        default=60, ge=0, description="Delay before a retry of a fetch task instance, in seconds."
    )
    max_instances_per_platform: int = Field(
        default=1000,
        ge=1,
        description="Maximum number of fetch task instances per platform and run. If there are more bloggers, bloggers "
        "share instances evenly.",
    )
    bloggers_per_instance: int | None = Field(
        default=None,
        ge=1,
        description="Fixed number of bloggers per fetch task instance. Without a value the number follows from "
        "max_instances_per_platform.",
    )
    fetch_threads: int = Field(
        default=64, ge=1, description="Maximum number of concurrent deferred fetches in one triggerer process."
    )
    threads_per_instance: int = Field(
        default=16, ge=1, description="Maximum number of concurrent fetches in one task instance that runs on a worker."
    )
    database_timeout_seconds: float = Field(
        default=120,
        gt=0,
        description="Longest time of a statement, and the base of the other limits of a transaction, in seconds. A "
        "lock is waited for half as long, and a session that is idle within a transaction is ended after a quarter.",
    )
    database_connections: int = Field(
        default=16, ge=1, description="Maximum number of Postgres connections of one process."
    )

    # Initial fetches
    initial_fetch_timeout_minutes: int = Field(
        default=60,
        ge=1,
        description="Timeout of the run of an initial fetch, in minutes. Afterwards another run may do the initial "
        "fetch.",
    )
    initial_fetch_retries: int = Field(default=4, ge=0, description="Number of Airflow retries of an initial fetch.")
    initial_fetch_retry_delay_seconds: float = Field(
        default=15, ge=0, description="Delay before a retry of an initial fetch, in seconds."
    )

    # Requests to platforms
    request_timeout_seconds: float = Field(
        default=15, gt=0, description="Timeout of one request to a platform, in seconds."
    )
    request_retries: int = Field(default=2, ge=0, description="Maximum number of retries of one request to a platform.")
    retry_base_seconds: float = Field(
        default=1.5,
        ge=0,
        description="Backoff before the first retry of a request, in seconds; every further backoff is four times as "
        "long.",
    )
    retry_after_limit_seconds: float = Field(
        default=60,
        ge=0,
        description="Longest Retry-After that a fetch waits for, in seconds. A longer one suspends the platform.",
    )
    suspension_minutes: float = Field(
        default=15,
        gt=0,
        description="Suspension of a platform after a rejected key or an exceeded quota without a known reset, in "
        "minutes.",
    )
    response_bytes_limit: int = Field(
        default=16 * 2**20,
        ge=1,
        description="Maximum size of a platform's response, in bytes. A larger response is rejected.",
    )
    extra_pages: int = Field(
        default=3, ge=0, description="Number of pages that a listing may read beyond those that its target count needs."
    )
    instagram_posts: InstagramPosts = Field(
        default=InstagramPosts.AS_NEEDED,
        description="Reading of Instagram's list of posts, which has the videos that are no reels: by every fetch "
        "(always), or as often as earlier readings of the account make necessary (as_needed).",
    )
    tiktok_requests_per_second: float = Field(
        default=100, gt=0, description="Rate limit of TikTok, in requests per second of all processes together."
    )
    instagram_requests_per_second: float = Field(
        default=11, gt=0, description="Rate limit of Instagram, in requests per second of all processes together."
    )
    youtube_requests_per_second: float = Field(
        default=100, gt=0, description="Rate limit of YouTube, in requests per second of all processes together."
    )
    youtube_daily_units: int = Field(
        default=10_000, ge=0, description="Daily quota of the YouTube key, in units per Pacific day."
    )

    # Queues
    queue_visibility_minutes: int = Field(
        default=15,
        ge=1,
        description="Visibility timeout of a queue message, in minutes. Afterwards its consumer is presumed dead and "
        "another consumer may take the message.",
    )
    queue_seconds_per_run: float = Field(
        default=240, ge=0, description="Time after which the run of a consumer takes no more messages, in seconds."
    )
    queue_poll_seconds: float = Field(
        default=2, gt=0, description="Polling interval of a consumer while fetches are in progress, in seconds."
    )
    queue_look_seconds: float = Field(
        default=60,
        gt=0,
        description="Time between two looks of the watcher in the triggerer at a queue, in seconds. A message starts a "
        "consumer at most this long after its retry delay, unless the queue had other due messages at the look before: "
        "then queue_event_seconds apply.",
    )
    queue_event_seconds: float = Field(
        default=300,
        gt=0,
        description="Time after which the watcher starts one more consumer of a queue that always has due messages, in "
        "seconds.",
    )
    statistics_messages: int = Field(
        default=64, ge=1, description="Maximum number of video batches that a consumer takes at once."
    )
    statistics_threads: int = Field(
        default=8, ge=1, description="Maximum number of concurrent calls for statistics in one consumer."
    )
    partial_call_after_minutes: int = Field(
        default=30,
        ge=0,
        description="Longest wait of a message for more ids to fill a call for statistics, in minutes.",
    )
    removed_after_lookups: int = Field(
        default=3,
        ge=1,
        description="Number of successive look-ups without the video in YouTube's response, after which the video "
        "counts as removed.",
    )
    hours_between_unseen: float = Field(
        default=6, ge=0, description="Minimum time between two look-ups that count towards a removal, in hours."
    )
    thumbnail_messages: int = Field(
        default=256, ge=1, description="Maximum number of thumbnails that a consumer takes at once."
    )
    thumbnail_threads: int = Field(
        default=32, ge=1, description="Maximum number of concurrent downloads of thumbnails in one consumer."
    )

    # Retention
    maintenance_schedule: str = Field(
        default="0 6 * * *", description="Cron expression of the DAG maintenance, in UTC: an hour without a batch run."
    )
    tiktok_statistics_days: int | None = Field(
        default=None, ge=1, description="Days for which TikTok's statistics are kept. Without a value for ever."
    )
    instagram_statistics_days: int | None = Field(
        default=None, ge=1, description="Days for which Instagram's statistics are kept. Without a value for ever."
    )
    youtube_statistics_days: int | None = Field(
        default=None,
        ge=1,
        description="Days for which YouTube's statistics are kept. Without a value for ever, which YouTube's terms "
        "only allow by agreement; they name 30 days.",
    )
    ledger_days: int = Field(
        default=90,
        ge=7,
        description="Days for which the ledger's runs, fetches, allocations, attempts and units are kept.",
    )
    finished_message_days: int = Field(default=7, ge=1, description="Days for which finished queue messages are kept.")
    parked_message_days: int = Field(
        default=90, ge=1, description="Days for which parked queue messages are kept and can be requeued."
    )
    dag_run_days: int = Field(
        default=30,
        ge=1,
        description="Days for which Airflow's runs of this project's DAGs are kept; those of initial fetches at least "
        "as long as the ledger.",
    )
    consumer_run_days: int = Field(
        default=1,
        ge=1,
        description="Days for which Airflow's successful runs of the queues' consumers and of health_watch are kept.",
    )
    log_days: int = Field(
        default=30, ge=1, description="Days for which files below Airflow's base_log_folder are kept."
    )

    # Thumbnails
    thumbnail_bytes_limit: int = Field(
        default=10 * 2**20, ge=1, description="Maximum size of a thumbnail, in bytes. A larger thumbnail is rejected."
    )
    thumbnail_timeout_seconds: float = Field(
        default=30, gt=0, description="Timeout of the download of one thumbnail, redirects included, in seconds."
    )
    thumbnail_allow_private: bool = Field(
        default=False,
        description="Permission to download thumbnails over http and from private addresses, for the sandbox only.",
    )
    thumbnail_storage: str | None = Field(
        default=None,
        description="URL of the thumbnails' storage, for example s3://connection_id@bucket/thumbnails. Without a value "
        "thumbnails are stored in a folder below AIRFLOW_HOME.",
    )

    # HTTP API
    allowed_origins: tuple[str, ...] = Field(
        default=(), description="Origins of the web pages that may call /blogger from a browser, as a JSON list."
    )
    person_requests_per_minute: int = Field(
        default=60,
        ge=1,
        description="Rate limit of /blogger, in requests per minute of one person. Counted before the organization's "
        "limit, which should be higher, so that one person cannot use up the organization's share.",
    )
    organization_requests_per_minute: int = Field(
        default=120,
        ge=1,
        description="Rate limit of /blogger, in requests per minute of one organization to all API server processes "
        "together.",
    )
    stranger_requests_per_minute_of_address: int = Field(
        default=60,
        ge=1,
        description="Rate limit of requests to /blogger without a valid access token, per minute of one address (of a "
        "/64 network with IPv6) to one API server process. Requests with a valid token do not count and are accepted.",
    )
    stranger_requests_per_minute: int = Field(
        default=600,
        ge=1,
        description="Rate limit of requests to /blogger without a valid access token, per minute of all addresses "
        "together to one API server process. Requests with a valid token do not count and are accepted.",
    )
    concurrent_look_ups: int = Field(
        default=16,
        ge=1,
        description="Maximum number of concurrent look-ups at each platform in one API server process, and of "
        "additions without a look-up. A further request waits for some seconds and is then rejected.",
    )
    concurrent_look_ups_of_organization: int = Field(
        default=8,
        ge=1,
        description="Maximum number of concurrent look-ups of one organization at each platform in one API server "
        "process, and of its additions without a look-up, lower than concurrent_look_ups. A further request waits for "
        "some seconds and is then rejected.",
    )
    person_look_ups_per_hour: int = Field(
        default=120,
        ge=1,
        description="Budget of look-ups at platforms, per hour of one person. Results that are remembered are "
        "free. Counted before the organization's budget, which should be higher.",
    )
    organization_look_ups_per_hour: int = Field(
        default=240,
        ge=1,
        description="Budget of look-ups at platforms, per hour of one organization, in all API server processes "
        "together.",
    )
    look_up_memory_minutes: float = Field(
        default=15,
        ge=0,
        description="Time for which the result of a look-up is used again instead of a request to the platform, "
        "in minutes: a profile, or that there is none.",
    )
    youtube_reserved_share: float = Field(
        default=0.9,
        ge=0,
        le=1,
        description="Share of YouTube's daily units, from 0 to 1, that look-ups cannot spend: it is reserved for "
        "batch runs and initial fetches.",
    )
    api_threads: int = Field(
        default=48,
        ge=1,
        description="Maximum number of concurrent requests to /blogger in one API server process; further requests "
        "wait. Airflow's own routes have other threads, and so have additions.",
    )
    auth_timeout_seconds: float = Field(
        default=5, gt=0, description="Timeout of a request for the JWKS that verifies access tokens, in seconds."
    )
    airflow_api_timeout_seconds: float = Field(
        default=15, gt=0, description="Timeout of one request to Airflow's REST API, in seconds."
    )

    # Alerts
    alert_notifiers: tuple[NotifierSetting, ...] = Field(
        default=(),
        description="Airflow notifiers that send alerts to people, as a JSON list of objects with classpath and "
        "kwargs. Secrets belong into the Connection that a notifier reads.",
    )
    alert_run_minutes: int = Field(
        default=180,
        ge=1,
        description="Time after its scheduled start within which a batch run should have ended, in minutes. "
        "Afterwards the run is late.",
    )
    alert_queue_minutes: int = Field(
        default=60, ge=1, description="Longest time that a visible message may wait in a queue, in minutes."
    )
    alert_without_fetch_hours: int = Field(
        default=24, ge=1, description="Longest time without a fetch of any active account, in hours."
    )
    alert_youtube_units_share: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="Share of YouTube's daily units, from 0 to 1, at which the units count as nearly spent.",
    )

    # Comparison with the earlier system
    count_tolerance: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Share by which a count may leave the range that growth between two captures explains, from 0 to "
        "1. Platforms respond from caches of different age, and withdraw views and likes that they find invalid.",
    )

    # Reliance on Airflow's internals
    label_instances: bool = Field(
        default=True,
        description="Write the labels of mapped instances that never run on a worker through a private attribute of "
        "Airflow's task instance.",
    )
    drop_trigger_announcements: bool = Field(
        default=True,
        description="Drop Airflow's three log lines about the start, event and completion of each trigger, through a "
        "processor in Airflow's structlog configuration.",
    )
    buffer_trigger_logs: bool = Field(
        default=True,
        description="Buffer the log lines of triggers below WARNING through a filter on Airflow's log handlers, and "
        "write them together.",
    )
    check_callback_requests: bool = Field(
        default=True,
        description="Write no callback request for a task instance whose task has no such callback, through a wrapper "
        "around Airflow's callback sink.",
    )
    tolerate_cleared_instances: bool = Field(
        default=True,
        description="Keep the triggerer running when an instance is cleared at the moment its trigger ends, through a "
        "wrapper around Airflow's trigger model.",
    )
    end_marked_runs: bool = Field(
        default=True,
        description="Release what a run holds as soon as its DAG run is marked failed or successful by hand, through a "
        "listener that tells such marks by Airflow's message.",
    )
    repeat_state_updates: bool = Field(
        default=True,
        description="Let workers repeat the update of a task's state if the API server lost its connection to the "
        "metadata database meanwhile, instead of setting the task to failed, through a wrapper around a function of "
        "Airflow's route.",
    )
    tune_garbage_collection: bool = Field(
        default=True, description="Raise the thresholds of Python's garbage collection in Airflow's processes."
    )

    @field_validator("deployment")
    @classmethod
    def _require_own_name(cls, deployment: str) -> str:
        if deployment == "imported":
            raise ValueError("the name imported is that of the runs of imported statistics, choose another one")
        return deployment


@cache
def get_settings() -> Settings:
    """Return the settings of this process, read from the environment once."""
    return Settings()


def invalid_settings() -> dict[str, str]:
    """Return the environment variables with values that no setting accepts, each with the reason."""
    prefix = Settings.model_config["env_prefix"]
    try:
        Settings()
    except ValidationError as error:
        return {f"{prefix}{str(each['loc'][0]).upper()}": each["msg"] for each in error.errors()}
    except SettingsError as error:
        # The text names the field, whose value is not JSON.
        field = str(error).split('"')[1]
        return {f"{prefix}{field.upper()}": "JSON is expected"}
    return {}


def describe_invalid_settings(invalid: Mapping[str, str]) -> str:
    """Return the text of an error about invalid settings, after which nothing was done."""
    reasons = "; ".join(f"{variable}: {reason}" for variable, reason in invalid.items())
    return f"These settings are not valid: {reasons}. Nothing was changed. Correct the variables, or unset them."
