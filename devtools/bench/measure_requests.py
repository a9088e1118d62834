"""Measurement of the requests that fetches cost, by platform and target, over simulated weeks of two runs a day.

The clock of the sandbox and of the clients is moved from run to run, and no request waits. What a fetch finds out about
an account is kept for the account's next fetch, as the ledger keeps it. YouTube's statistics are requested by the real
consumer of the queue, from a real database, because calls are filled across bloggers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from uuid import uuid4

from psycopg_pool import ConnectionPool
from pydantic import SecretStr

from blogger_tracking.database.connections import connect, open_pool
from blogger_tracking.database.rows import fetch_values
from blogger_tracking.database.run_plans import RunScope
from blogger_tracking.database.runs import RunKey
from blogger_tracking.database.youtube_units import read_run_units
from blogger_tracking.domain.clock import Clock
from blogger_tracking.domain.ledger import RequestUse
from blogger_tracking.domain.models import Account, Platform
from blogger_tracking.platforms import PlatformConfig, PlatformService, YouTubeService, create_service
from blogger_tracking.platforms.listing import VideoBatch
from blogger_tracking.platforms.request_meter import count_requests
from blogger_tracking.settings import InstagramPosts, Settings
from blogger_tracking.usecases.fetch_blogger import FetchServices, fetch_blogger
from blogger_tracking.usecases.finish_run import finish_run
from blogger_tracking.usecases.plan_run import plan_run
from blogger_tracking.usecases.refresh_statistics import StatisticsRefresher
from devtools.bench.bench_fleets import Fleets
from devtools.local_stack.airflow_connections import PLATFORM_PATHS
from devtools.platform_sandbox import Creator, CreatorKind, SandboxServer
from devtools.platform_sandbox.instagram_media import is_mixed

BEGIN = datetime(2026, 6, 15, 12, tzinfo=UTC)
"""Simulated time of the first run."""

RUNS_PER_DAY = 2

_KEY = "key-of-the-bench"
_NO_LIMIT = 1e6
_RUNS_WITHOUT_MEMORY = 4
"""Runs of a measurement in which a fetch does not depend on earlier fetches."""

_MIXED_SHARE = 4
"""One in four accounts of the sandbox is mixed."""

_FETCH_IDS = "select id from blogger_tracking.fetches where run_id = %s order by id"


@dataclass(frozen=True, slots=True)
class RequestFigures:
    """Average requests per fetch, by purpose."""

    fetches: int
    by_use: Mapping[str, float]

    @property
    def total(self) -> float:
        """Average requests per fetch, whatever their purpose."""
        return round(sum(self.by_use.values()), 2)


class SimulatedFleet:
    """Creators of one platform that are fetched run by run.

    `accounts` has what earlier fetches found out about each account.
    """

    def __init__(
        self,
        sandbox: SandboxServer,
        platform: Platform,
        creators: Iterable[Creator],
        settings: Settings | None = None,
    ) -> None:
        self.requests: Counter[RequestUse] = Counter()
        self.fetches = 0
        self._service = _service(sandbox, platform, settings or Settings())
        self.accounts = [_account(platform, creator) for creator in creators]

    def fetch_all(self, target: int) -> list[VideoBatch]:
        """Fetch the newest videos of every account; return the batches in the order of the creators."""
        return [self._fetch(number, target) for number in range(len(self.accounts))]

    def figures(self) -> RequestFigures:
        """Return the averages over all fetches so far."""
        averages = {use.value: round(count / self.fetches, 3) for use, count in self.requests.items()}
        return RequestFigures(self.fetches, averages)

    def _fetch(self, number: int, target: int) -> VideoBatch:
        account = self.accounts[number]
        with count_requests() as meter:
            batch = self._service.get_user_videos_batch(account, target)
        self.requests.update(meter.by_use)
        self.fetches += 1
        found = {"sec_id": batch.sec_id, "posts_history": batch.posts_history}
        self.accounts[number] = account.model_copy(update={name: value for name, value in found.items() if value})
        return batch


def simulate_runs(fleet: SimulatedFleet, sandbox: SandboxServer, target: int, runs: int) -> RequestFigures:
    """Fetch all accounts of a fleet in `runs` runs, two a day from BEGIN, and return the averages."""
    for number in range(runs):
        sandbox.clock.set(run_time(number))
        fleet.fetch_all(target)
    return fleet.figures()


def run_time(number: int) -> datetime:
    """Return the simulated time of a run, from 0."""
    return BEGIN + number * timedelta(days=1) / RUNS_PER_DAY


def instagram_creators(sandbox: SandboxServer, number: int, *, mixed: bool) -> list[Creator]:
    """Return the first ordinary Instagram creators that are mixed, or that are accounts of reels."""
    ordinary = sandbox.world.creators(Platform.INSTAGRAM, CreatorKind.NORMAL)
    return list(islice((creator for creator in ordinary if is_mixed(creator) is mixed), number))


def measure_listings(
    sandbox: SandboxServer, accounts: int, targets: Sequence[int], runs: int
) -> dict[str, dict[int, RequestFigures]]:
    """Return the figures of TikTok and Instagram, by kind of account and target."""
    tiktok = list(islice(sandbox.world.creators(Platform.TIKTOK, CreatorKind.NORMAL), accounts))
    mixed = instagram_creators(sandbox, accounts // _MIXED_SHARE, mixed=True)
    reels = instagram_creators(sandbox, accounts - len(mixed), mixed=False)
    always = Settings(instagram_posts=InstagramPosts.ALWAYS)
    short = min(runs, _RUNS_WITHOUT_MEMORY)
    fleets = {
        "tiktok": (partial(SimulatedFleet, sandbox, Platform.TIKTOK, tiktok), short),
        "instagram_reels": (partial(SimulatedFleet, sandbox, Platform.INSTAGRAM, reels), runs),
        "instagram_mixed": (partial(SimulatedFleet, sandbox, Platform.INSTAGRAM, mixed), runs),
        "instagram_always": (partial(SimulatedFleet, sandbox, Platform.INSTAGRAM, reels + mixed, always), short),
    }
    return {
        name: {target: simulate_runs(create(), sandbox, target, number) for target in targets}
        for name, (create, number) in fleets.items()
    }


def measure_youtube(
    admin_dsn: str, pipeline_dsn: str, sandbox: SandboxServer, fleets: Fleets, channels: int, target: int
) -> RequestFigures:
    """Return the figures of a day's runs of `channels` channels, the calls for statistics included."""
    with connect(admin_dsn) as connection:
        fleets.track(connection, channels, target, platforms=(Platform.YOUTUBE,))
    units: Counter[RequestUse] = Counter()
    pool = open_pool(pipeline_dsn)
    try:
        for number in range(RUNS_PER_DAY):
            sandbox.clock.set(run_time(number))
            units.update(_run_youtube(pool, sandbox))
    finally:
        pool.close()
    fetches = RUNS_PER_DAY * channels
    return RequestFigures(fetches, {use.value: round(count / fetches, 3) for use, count in units.items()})


def _run_youtube(pool: ConnectionPool, sandbox: SandboxServer) -> Mapping[RequestUse, int]:
    youtube = YouTubeService(_config(sandbox, Platform.YOUTUBE))
    key = RunKey("bench", "requests", str(uuid4()))
    run_id = plan_run(pool, key, RunScope(), timedelta(hours=1)).run_id
    with pool.connection() as connection:
        fetch_ids = fetch_values(connection, _FETCH_IDS, (run_id,))
    for fetch_id in fetch_ids:
        fetch_blogger(FetchServices(pool, {Platform.YOUTUBE: youtube}), fetch_id)
    finish_run(pool, key, failed_share_limit=0)
    StatisticsRefresher(pool, youtube, Settings()).run()
    with pool.connection() as connection:
        return read_run_units(connection, run_id)


def _service(sandbox: SandboxServer, platform: Platform, settings: Settings) -> PlatformService:
    clock = Clock(now=sandbox.clock.now, sleep=sandbox.clock.advance)
    return create_service(platform, _config(sandbox, platform), settings=settings, clock=clock)


def _config(sandbox: SandboxServer, platform: Platform) -> PlatformConfig:
    base_url = sandbox.base_url + PLATFORM_PATHS[platform]
    return PlatformConfig(base_url=base_url, api_key=SecretStr(_KEY), requests_per_second=_NO_LIMIT)


def _account(platform: Platform, creator: Creator) -> Account:
    return Account(platform=platform, external_id=creator.external_id, sec_id=creator.sec_id, username=creator.username)
