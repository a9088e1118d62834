"""The one home of every number that somebody may want to change.

Each field is read from the environment variable `BLOGGER_TRACKING_` + its name in capitals. Secrets are not here:
they live in Airflow Connections.
"""

from functools import cache

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

COLLECTION_THRESHOLDS = (20_000, 20, 20)
"""How many objects Airflow's processes create before Python looks for garbage in cycles, and how seldom among old ones.

Python's own (700, 10, 10) are for smaller programs: Airflow's hold hundreds of thousands of objects, and looking
through them was a tenth of a batch run's CPU. No environment variable, because it applies before any is read.
"""


class Settings(BaseSettings):
    """What can be tuned without a change of code."""

    model_config = SettingsConfigDict(env_prefix="BLOGGER_TRACKING_", frozen=True)

    deployment: str = Field(default="default", min_length=1, description="Tells two Airflows on one database apart.")
    schedule: str = Field(default="0 0,12 * * *", description="Cron of the batch run, UTC.")
    run_timeout_minutes: int = Field(default=660, ge=1, description="A batch run that takes longer has failed.")
    lease_minutes: int = Field(default=15, ge=1, description="How long a start of a fetch may go on unseen.")
    failed_share_limit: float = Field(default=0.2, ge=0, le=1, description="More failed fetches make a run red.")
    fetch_retries: int = Field(default=2, ge=0, description="Airflow retries of one fetch instance.")
    fetch_retry_delay_seconds: float = Field(default=60, ge=0, description="Pause before such a retry.")

    max_instances_per_platform: int = Field(default=1000, ge=1, description="More bloggers than this share instances.")
    bloggers_per_instance: int | None = Field(default=None, ge=1, description="Fixes how many share an instance.")
    fetch_threads: int = Field(default=64, ge=1, description="Fetches at once in one process.")
    threads_per_instance: int = Field(default=16, ge=1, description="Fetches at once in one shared instance.")
    database_connections: int = Field(default=16, ge=1, description="Connections to Postgres of one process.")

    request_timeout_seconds: float = Field(default=15, gt=0, description="Of one request to a platform.")
    request_retries: int = Field(default=2, ge=0, description="Retries of one request to a platform.")
    retry_base_seconds: float = Field(default=1.5, ge=0, description="Waits base x 4^n before retry n.")
    retry_after_limit_seconds: float = Field(default=60, ge=0, description="A longer Retry-After is not waited out.")
    suspension_minutes: float = Field(default=15, gt=0, description="Pause after a refused key, until somebody acts.")
    response_bytes_limit: int = Field(default=16 * 2**20, ge=1, description="A longer answer is refused.")
    extra_pages: int = Field(default=3, ge=0, description="Pages allowed beyond what the target count needs.")
    tiktok_requests_per_second: float = Field(default=100, gt=0, description="Of all processes together.")
    instagram_requests_per_second: float = Field(default=11, gt=0, description="Of all processes together.")
    youtube_requests_per_second: float = Field(default=100, gt=0, description="Of all processes together.")

    youtube_daily_units: int = Field(default=10_000, ge=0, description="Units of the YouTube key per Pacific day.")
    queue_visibility_minutes: int = Field(default=15, ge=1, description="After that a consumer counts as dead.")
    queue_seconds_per_run: float = Field(default=240, ge=0, description="A consumer's run takes no more work then.")
    queue_poll_seconds: float = Field(default=2, gt=0, description="Pause between looks while fetches go on.")
    statistics_messages: int = Field(default=64, ge=1, description="Video batches that a consumer takes at once.")
    statistics_threads: int = Field(default=8, ge=1, description="Calls for statistics at once in one consumer.")
    partial_call_after_minutes: int = Field(default=30, ge=0, description="Wait for more ids to fill a call with.")
    removed_after_lookups: int = Field(default=3, ge=1, description="A video left out so often counts as removed.")
    hours_between_unseen: float = Field(default=6, ge=0, description="Being left out counts once within that time.")
    thumbnail_messages: int = Field(default=256, ge=1, description="Pictures that a consumer takes at once.")
    thumbnail_threads: int = Field(default=32, ge=1, description="Pictures downloaded at once in one consumer.")
    thumbnail_bytes_limit: int = Field(default=10 * 2**20, ge=1, description="A larger picture is refused.")
    thumbnail_timeout_seconds: float = Field(default=30, gt=0, description="Of one picture, redirects included.")
    thumbnail_allow_loopback: bool = Field(default=False, description="For the sandbox: http and loopback as well.")
    thumbnail_storage: str | None = Field(default=None, description="A URL; None: a folder below AIRFLOW_HOME.")

    allowed_origins: tuple[str, ...] = Field(default=(), description="Web pages that may call /blogger; a JSON list.")
    organization_requests_per_minute: int = Field(default=120, ge=1, description="To /blogger, per API process.")
    concurrent_look_ups: int = Field(default=16, ge=1, description="Platform calls of /blogger at once, per process.")
    airflow_api_timeout_seconds: float = Field(default=5, gt=0, description="Of one request to Airflow's REST API.")
    auth_timeout_seconds: float = Field(default=5, gt=0, description="Of a look at the published keys of tokens.")
    initial_fetch_timeout_minutes: int = Field(default=60, ge=1, description="After that its wish is free again.")
    initial_fetch_retries: int = Field(default=4, ge=0, description="Airflow retries of an initial fetch.")
    initial_fetch_retry_delay_seconds: float = Field(default=15, ge=0, description="Pause before such a retry.")

    label_instances: bool = Field(default=True, description="Label mapped instances that never see a worker.")
    drop_trigger_announcements: bool = Field(default=True, description="Drop Airflow's log lines about every trigger.")
    buffer_trigger_logs: bool = Field(default=True, description="Write the triggerer's log lines together.")
    tune_garbage_collection: bool = Field(default=True, description="Collect garbage less often in Airflow.")


@cache
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
