"""Any order of planning, claims, settlements, ends and changes by people leaves the ledger as its model says.

The rules of a state machine act on a database and on the model of the ledger (tests/support/ledger_model.py). After
each step both have the same contents, and the ledger keeps its invariants.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeAlias
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg import Connection

from blogger_tracking.database.connections import open_pool
from blogger_tracking.database.fetch_claims import ClaimRefused, NoAttempt
from blogger_tracking.database.fetch_settlement import FetchOutcome
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.run_plans import RunScope
from blogger_tracking.database.runs import InstanceTry, RunKey, read_instance_fetches
from blogger_tracking.domain.claims import Claim
from blogger_tracking.domain.errors import StaleClaimError
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import Platform
from blogger_tracking.platforms import PlatformConfig, create_service
from blogger_tracking.platforms.http_client import session_for
from blogger_tracking.settings import Settings, get_settings
from blogger_tracking.usecases.end_runs import end_run
from blogger_tracking.usecases.fetch_blogger import FetchServices, fetch_blogger
from blogger_tracking.usecases.finish_run import finish_run
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer
from tests.support.ledger_contents import LedgerContents, read_contents
from tests.support.ledger_model import (
    LedgerModel,
    ModelAccount,
    ModelAttempt,
    ModelFetch,
    ModelPeriod,
    ModelRun,
)
from tests.support.ledger_steps import claim_in_try, new_key, plan, settle, try_claim, videos
from tests.support.platform_accounts import KEY
from tests.support.scripted_server import ReceivedRequest, Scripted, ScriptedServer

PLATFORMS = (Platform.TIKTOK, Platform.TIKTOK, Platform.YOUTUBE)
"""The platform of each blogger: few, so that organizations share bloggers."""

LIMITS = st.sampled_from([60, 100, 40, 25, 13, 0])
"""Around the counts that accounts ask for, and around the smallest partial grant, which is 10."""

ASKED = st.sampled_from([12, 30, 4])

FLEETS = st.lists(
    st.tuples(LIMITS, st.lists(st.sampled_from([12, 30, 4, None]), min_size=3, max_size=3)), min_size=2, max_size=3
)
"""For each organization the limit, and what its account of each blogger asks for; None: the blogger is not tracked."""

CONCLUSIVE_WITHOUT_VIDEOS = (FetchState.EMPTY, FetchState.PRIVATE, FetchState.NOT_FOUND)

Outcome: TypeAlias = tuple[FetchState, int, int]
"""State of an attempt, number of returned videos, and number of the oldest one."""

OUTCOMES: st.SearchStrategy[Outcome] = st.one_of(
    st.tuples(st.sampled_from([FetchState.SUCCEEDED, FetchState.PARTIAL]), st.integers(1, 35), st.integers(1, 40)),
    st.tuples(st.sampled_from([FetchState.FAILED, *CONCLUSIVE_WITHOUT_VIDEOS]), st.just(0), st.just(1)),
)


class FetchError(Enum):
    """A refusal of the platform: one that concerns the fetch, and one that suspends the platform."""

    UNAVAILABLE = 503
    REJECTED_KEY = 401


ANSWERS = st.integers(1, 35) | st.sampled_from(FetchError)
"""Number of videos that the platform lists, or an error."""


def newest_ids(count: int) -> list[str]:
    return [str(number) for number in range(count, 0, -1)]


class End(Enum):
    """End of a run: its last task, an end by hand that is noticed later, or the time after which it is given up."""

    LAST_TASK = 1
    BY_HAND = 2
    EXPIRED = 3


@dataclass(frozen=True, slots=True)
class Moment:
    """The end of a step, in the time of the model and in that of the database."""

    time: int
    at: datetime


class TikTok(ScriptedServer):
    """The platform over HTTP: one answer to all requests of a fetch. `asked` has these requests."""

    def answer(self, answer: int | FetchError, meanwhile: Callable[[], object] | None) -> None:
        """Set the answer, and what happens during the first request."""
        self.asked.clear()
        self._meanwhile = meanwhile
        if isinstance(answer, FetchError):
            self.play(Scripted(status=answer.value))
        else:
            self.play({"itemList": [{"id": each} for each in newest_ids(answer)], "cursor": "0", "hasMore": False})

    def next_response(self, request: ReceivedRequest) -> Scripted:
        response = super().next_response(request)
        if self._meanwhile is not None and len(self.asked) == 1:
            self._meanwhile()
        return response


# About 30 s. Each example leaves out a random part of the rules (swarm testing), and repeats the others: fewer examples
# meet too few combinations, shorter ones seldom get from a plan to a rerun.
BOUNDED = settings(max_examples=80, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow])
"""Settings of the machine. Its steps are slow because each of them compares a database with the model."""

_EMPTY = (
    "truncate organizations, blogger_information, runs, fetches, videos, platform_suspensions restart identity cascade"
)

_TRACK = """
insert into tracked_accounts (id, organization_id, blogger_id, daily_videos_count, initial_videos_fetched)
values (%(id)s, %(organization)s, %(blogger)s, %(asks)s, true)
"""

_PLANNED = "select blogger_id, id, task_id, map_index from fetches where run_id = %(run)s"

_ATTEMPT_ID = "select id from fetch_attempts where fetch_id = %(fetch)s order by id offset %(number)s limit 1"

_EXPIRE_LEASE = """
with expired as (
    update fetch_attempts set lease_expires_at = clock_timestamp() where id = %(attempt)s returning *
)
update fetches set lease_expires_at = expired.lease_expires_at from expired where fetches.id = expired.fetch_id
"""

_CHANGE_LIMIT = """
update subscriptions set video_limit = %(limit)s
where organization_id = %(organization)s and period_start = %(start)s
"""

_END_EARLY = """
update subscriptions set period_end = clock_timestamp()
where organization_id = %(organization)s and period_start = %(start)s
"""

# Planning read the end of the period, so that the end is moved in both places.
_RUN_OUT = """
with ended as (
    update subscriptions set period_end = clock_timestamp()
    where organization_id = %(organization)s and period_start = %(start)s
    returning *
)
update fetch_allocations set period_end = ended.period_end
from ended
where fetch_allocations.organization_id = ended.organization_id
  and fetch_allocations.period_start = ended.period_start
"""

_REACH_PLANNED_END = """
update fetch_allocations set period_end = clock_timestamp()
where organization_id = %(organization)s and period_start = %(start)s
"""

_BEGIN_PERIOD = """
insert into subscriptions (organization_id, period_start, period_end, plan, video_limit, blogger_limit)
values (%(organization)s, clock_timestamp(), now() + interval '1 month', 'team', %(limit)s, 100)
returning period_start
"""


def one_of_the(read: Callable[[LedgerStates], Iterable[object]]) -> st.SearchStrategy[Any]:
    """Return a strategy that draws one of the objects that the machine has at the time of the step."""
    return st.runner().flatmap(lambda machine: st.sampled_from(list(read(machine))))


def there_are(read: Callable[[LedgerStates], Iterable[object]]) -> Callable[[LedgerStates], bool]:
    """Return a precondition: the machine has at least one of the objects."""
    return lambda machine: any(True for _ in read(machine))


def accounts(machine: LedgerStates) -> list[ModelAccount]:
    return machine.model.accounts


def fetches(machine: LedgerStates) -> list[ModelFetch]:
    return machine.model.fetches


def fetches_of_tiktok(machine: LedgerStates) -> list[ModelFetch]:
    return [fetch for fetch in machine.model.fetches if machine.bloggers[fetch.blogger] is Platform.TIKTOK]


def runs(machine: LedgerStates) -> list[ModelRun]:
    return machine.model.runs


def latest_moments(machine: LedgerStates) -> list[Moment]:
    return machine.moments[-8:]


def running_attempts(machine: LedgerStates) -> list[ModelAttempt]:
    return [attempt for attempt in machine.claims if attempt.outcome is None]


def attempts_that_are_over(machine: LedgerStates) -> list[ModelAttempt]:
    return [attempt for attempt in machine.claims if attempt.outcome is not None]


def current_periods(machine: LedgerStates) -> list[ModelPeriod]:
    return [period for period in machine.model.periods if not period.over]


def periods_that_were_ended_early(machine: LedgerStates) -> list[ModelPeriod]:
    return [period for period in machine.model.periods if period.ended_early]


def untracked(machine: LedgerStates) -> list[tuple[int, int]]:
    """Return the pairs (organization, blogger) that are not tracked accounts, by their numbers."""
    tracked = {(account.organization, account.blogger) for account in machine.model.accounts}
    return [
        (organization, blogger)
        for organization, organization_id in enumerate(machine.organizations)
        for blogger, blogger_id in enumerate(machine.bloggers)
        if (organization_id, blogger_id) not in tracked
    ]


class LedgerStates(RuleBasedStateMachine):  # noqa: PLR0904 - a method for each kind of step
    """Acts on an emptied database and on the model. Accounts are numbered: their ids decide the order of a plan."""

    def __init__(self, build: DatabaseBuilder, admin: Connection, services: FetchServices, tiktok: TikTok) -> None:
        super().__init__()
        self.build, self.admin, self.services, self.tiktok = build, admin, services, tiktok
        self.pool = services.pool
        with admin.transaction():
            # The schema refuses to empty its ledger.
            admin.execute("set local session_replication_role = replica")
            build.run(_EMPTY)
        self.bloggers = {build.blogger(platform): platform for platform in PLATFORMS}
        self.model = LedgerModel(self.bloggers)
        self.organizations: list[UUID] = []
        self.account_numbers = itertools.count(1)
        self.keys: dict[ModelRun, RunKey] = {}
        self.claims: dict[ModelAttempt, Claim] = {}
        self.before = read_contents(build)
        self.moments: list[Moment] = []

    # What people do.

    @initialize(fleet=FLEETS)
    def plan_a_fleet(self, fleet: list[tuple[int, list[int | None]]]) -> None:
        """Begin with a planned run: a step that Hypothesis disables in half of the examples needs no other one."""
        for organization, (limit, accounts) in enumerate(fleet):
            self.add_organization(limit, opening=3)
            for blogger, asks in enumerate(accounts):
                if asks is not None:
                    self.track((organization, blogger), asks)
        self.plan_run(None)

    @rule(limit=LIMITS, opening=st.sampled_from([0, 3]))
    @precondition(lambda self: len(self.organizations) < 4)
    def add_organization(self, limit: int, opening: int) -> None:
        organization = self.build.organization(video_limit=None)
        self.organizations.append(organization)
        start = self.build.subscription(organization, video_limit=limit, opening=opening)
        self.model.periods.append(ModelPeriod(organization, start, limit, opening))

    @precondition(there_are(untracked))
    @rule(pair=one_of_the(untracked), asks=ASKED)
    def track(self, pair: tuple[int, int], asks: int) -> None:
        organization, blogger = self.organizations[pair[0]], list(self.bloggers)[pair[1]]
        account = ModelAccount(UUID(int=next(self.account_numbers)), organization, blogger, asks)
        self.build.run(_TRACK, id=account.id, organization=organization, blogger=blogger, asks=asks)
        self.model.accounts.append(account)

    @precondition(there_are(accounts))
    @rule(account=one_of_the(accounts))
    def pause_or_resume(self, account: ModelAccount) -> None:
        account.active = not account.active
        self.build.run(
            "update tracked_accounts set is_active = %(active)s where id = %(id)s", active=account.active, id=account.id
        )

    @precondition(lambda self: len(self.model.accounts) > 3)
    @rule(account=one_of_the(accounts))
    def remove_account(self, account: ModelAccount) -> None:
        self.build.run("delete from tracked_accounts where id = %(id)s", id=account.id)
        self.model.remove_account(account)

    @precondition(lambda self: len(self.organizations) > 2)
    @rule(number=st.integers(0, 2))
    def remove_organization(self, number: int) -> None:
        organization = self.organizations.pop(number)
        self.build.run("delete from organizations where id = %(id)s", id=organization)
        self.model.remove_organization(organization)

    @precondition(there_are(current_periods))
    @rule(period=one_of_the(current_periods), limit=LIMITS)
    def change_limit(self, period: ModelPeriod, limit: int) -> None:
        period.limit = limit
        self.build.run(_CHANGE_LIMIT, limit=limit, organization=period.organization, start=period.start)

    @precondition(there_are(current_periods))
    @rule(period=one_of_the(current_periods), early=st.booleans())
    def end_period(self, period: ModelPeriod, *, early: bool) -> None:
        period.over, period.ended_early = True, early
        self.build.run(_END_EARLY if early else _RUN_OUT, organization=period.organization, start=period.start)

    @precondition(there_are(periods_that_were_ended_early))
    @rule(period=one_of_the(periods_that_were_ended_early))
    def pass_planned_end(self, period: ModelPeriod) -> None:
        """Let the end pass that planning read of a period which was ended early: claims are still refused."""
        self.build.run(_REACH_PLANNED_END, organization=period.organization, start=period.start)

    @precondition(lambda self: len(current_periods(self)) < len(self.organizations))
    @rule(limit=LIMITS)
    def begin_period(self, limit: int) -> None:
        organization = next(each for each in self.organizations if self.model.current_period(each) is None)
        start = self.build.value(_BEGIN_PERIOD, organization=organization, limit=limit)
        self.model.periods.append(ModelPeriod(organization, start, limit, opening=0))

    # What runs do.

    @rule(restricted_to=st.none() | st.integers(0, 1))
    def plan_run(self, restricted_to: int | None) -> None:
        key = new_key()
        organizations = None if restricted_to is None else tuple(self.organizations[restricted_to:][:1])
        run_id = plan(self.pool, key, RunScope(organizations=organizations)).run_id
        run = self.model.plan(run_id, organizations)
        self.keys[run] = key
        planned = {
            blogger: (fetch_id, (task_id, map_index))
            for blogger, fetch_id, task_id, map_index in self.build.rows(_PLANNED, run=run_id)
        }
        for fetch in self.model.fetches:
            if fetch.run is run:
                fetch.id, fetch.instance = planned.pop(fetch.blogger)
        assert not planned

    @precondition(there_are(runs))
    @rule(run=one_of_the(runs))
    def plan_again(self, run: ModelRun) -> None:
        assert plan(self.pool, self.keys[run]).run_id == run.id
        self.model.plan_again(run)

    @precondition(there_are(fetches))
    @rule(fetch=one_of_the(fetches), outcomes=st.lists(OUTCOMES, max_size=3))
    def claim(self, fetch: ModelFetch, outcomes: list[Outcome]) -> None:
        """Claim and settle a fetch, once for each outcome; without an outcome leave the attempt to other steps."""
        self.begin_attempt(fetch, try_claim(self.pool, fetch.id))
        for rerun, outcome in enumerate(outcomes):
            if rerun:
                self.begin_attempt(fetch, try_claim(self.pool, fetch.id))
            if fetch.attempts[-1].outcome is None:
                self.settle(fetch.attempts[-1], outcome)

    @precondition(there_are(fetches))
    @rule(fetch=one_of_the(fetches), created=one_of_the(latest_moments))
    def claim_in_a_try(self, fetch: ModelFetch, created: Moment) -> None:
        """Claim a fetch in a try of its instance that may have been created before the end of the run."""
        claimed = claim_in_try(self.pool, fetch.id, created.at)
        assert isinstance(claimed, NoAttempt) == self.model.is_left_over(fetch, created.time)
        if not isinstance(claimed, NoAttempt):
            self.begin_attempt(fetch, claimed)

    def begin_attempt(self, fetch: ModelFetch, claimed: Claim | ClaimRefused) -> None:
        attempt = self.model.claim(fetch)
        if isinstance(claimed, ClaimRefused):
            assert not attempt.grants
            assert claimed.reason == ", ".join(sorted(attempt.reasons))
            return
        granted = {allocation.account.organization: granted for allocation, granted in attempt.grants.items()}
        assert {each.organization_id: each.videos for each in claimed.allocations} == granted
        attempt.token = claimed.attempt_id
        self.claims[attempt] = claimed

    @precondition(there_are(fetches))
    @rule(fetch=one_of_the(fetches))
    def clear_instance(self, fetch: ModelFetch) -> None:
        """Claim the fetches of an instance whose newest attempt was not answered; all if all were answered."""
        siblings = [each for each in self.model.fetches if (each.run, each.instance) == (fetch.run, fetch.instance)]
        unanswered = [each for each in siblings if not each.is_answered]
        cleared = InstanceTry(self.keys[fetch.run], *fetch.instance, datetime.now(UTC))
        with self.pool.connection() as connection:
            due = {each.id for each in read_instance_fetches(connection, cleared) if each.is_due}
        assert due == {each.id for each in unanswered or siblings}
        for each in unanswered or siblings:
            self.claim(each, [])

    @precondition(there_are(running_attempts))
    @rule(attempt=one_of_the(running_attempts), outcome=OUTCOMES)
    def settle(self, attempt: ModelAttempt, outcome: Outcome) -> None:
        state, returned, first = outcome
        platform = self.bloggers[attempt.fetch.blogger]
        saved = videos(returned, platform, first=first)
        settle(self.pool, self.claims[attempt], FetchOutcome(state, saved))
        self.model.settle(attempt, state, [f"{platform} {video.external_video_id}" for video in saved])

    @precondition(there_are(attempts_that_are_over))
    @rule(attempt=one_of_the(attempts_that_are_over), outcome=OUTCOMES)
    def settle_late(self, attempt: ModelAttempt, outcome: Outcome) -> None:
        """Save with an attempt that is over: refused, and nothing changes."""
        state, returned, first = outcome
        saved = videos(returned, self.bloggers[attempt.fetch.blogger], first=first)
        with pytest.raises(StaleClaimError):
            settle(self.pool, self.claims[attempt], FetchOutcome(state, saved))

    @precondition(there_are(fetches_of_tiktok))
    @rule(fetch=one_of_the(fetches_of_tiktok), answer=ANSWERS, overtaken=st.booleans())
    def fetch_from_the_platform(self, fetch: ModelFetch, answer: int | FetchError, *, overtaken: bool) -> None:
        """Fetch over HTTP, and claim the fetch again while the platform works if the attempt is to be overtaken."""
        newer: list[Claim | ClaimRefused] = []
        self.tiktok.answer(answer, (lambda: newer.append(try_claim(self.pool, fetch.id))) if overtaken else None)
        report = fetch_blogger(self.services, fetch.id)
        attempt = self.model.claim(fetch)
        attempt.requests = len(self.tiktok.asked)
        if attempt.outcome == "skipped":
            assert (report.state, newer, attempt.requests) == (FetchState.SKIPPED, [], 0)
            return
        attempt.token = self.build.value(_ATTEMPT_ID, fetch=fetch.id, number=len(fetch.attempts) - 1)
        if overtaken:
            self.begin_attempt(fetch, newer[0])
        if answer is FetchError.REJECTED_KEY:
            self.model.suspended.add(Platform.TIKTOK)
        if attempt.outcome is None:
            saved = [] if isinstance(answer, FetchError) else newest_ids(answer)[: max(attempt.grants.values())]
            state = FetchState.SUCCEEDED if saved else FetchState.FAILED
            self.model.settle(attempt, state, [f"{Platform.TIKTOK} {video}" for video in saved])
        assert report.state == (None if overtaken else attempt.outcome)

    @precondition(lambda self: self.model.suspended)
    @rule()
    def end_suspension(self) -> None:
        self.build.run("update platform_suspensions set suspended_until = clock_timestamp()")
        self.model.suspended.clear()

    @precondition(there_are(running_attempts))
    @rule(attempt=one_of_the(running_attempts))
    def expire_lease(self, attempt: ModelAttempt) -> None:
        attempt.fetch.lease_expired = True
        self.build.run(_EXPIRE_LEASE, attempt=attempt.token)

    @precondition(there_are(runs))
    @rule(run=one_of_the(runs), end=st.sampled_from(End))
    def end_run(self, run: ModelRun, end: End) -> None:
        if end is End.EXPIRED:
            self.build.run("update runs set expires_at = clock_timestamp() where id = %(run)s", run=run.id)
            self.model.expire_run(run)
            return
        if end is End.BY_HAND:
            end_run(self.pool, self.keys[run])
        else:
            finish_run(self.pool, self.keys[run], failed_share_limit=1)
        self.model.finish_run(run)

    @invariant()
    def the_ledger_is_as_the_model_says(self) -> None:
        contents = read_contents(self.build)
        assert contents == self.model.contents()
        limits = {(period.organization, period.start): period.limit for period in self.model.periods}
        require_paid_usage(self.before, contents, limits)
        self.before = contents
        self.moments.append(Moment(self.model.time, self.build.value("select clock_timestamp()")))
        violated = {name for name, count in check_invariants(self.admin).items() if count}
        assert not violated


def require_paid_usage(
    before: LedgerContents, after: LedgerContents, limits: Mapping[tuple[UUID, datetime], int]
) -> None:
    """Require that a step lowered no charge, and raised no usage beyond the limit in force at that step."""
    for period, (opening, charged, reserved) in after.usage.items():
        _, charged_before, reserved_before = before.usage.get(period, [0, 0, 0])
        assert charged >= charged_before
        if charged + reserved > charged_before + reserved_before:
            assert opening + charged + reserved <= limits[period]


@pytest.fixture
def two_bloggers_per_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOGGER_TRACKING_BLOGGERS_PER_INSTANCE", "2")
    get_settings.cache_clear()


@pytest.fixture
def tiktok() -> Iterator[TikTok]:
    with TikTok() as server:
        yield server
        session_for(server.url).close()
        session_for.cache_clear()


@pytest.fixture
def services(server: DatabaseServer, database: str, tiktok: TikTok) -> Iterator[FetchServices]:
    """Services for all examples, without the repetition behind a pooler: other tests cover the statements there."""
    config = PlatformConfig(base_url=tiktok.url, api_key=KEY, requests_per_second=10_000)
    client = create_service(Platform.TIKTOK, config, settings=Settings(retry_base_seconds=0))
    with open_pool(server.conninfo(database, user="pipeline_login")) as pool:
        yield FetchServices(pool, {Platform.TIKTOK: client})


@pytest.mark.long
@pytest.mark.timeout(900)  # a failing example is made smaller for as long as five minutes, and then printed
@pytest.mark.usefixtures("two_bloggers_per_instance")
def test_any_order_of_steps_leaves_the_ledger_as_the_model_says(
    build: DatabaseBuilder, admin: Connection, services: FetchServices, tiktok: TikTok
) -> None:
    def machine() -> LedgerStates:
        return LedgerStates(build, admin, services, tiktok)

    run_state_machine_as_test(machine, settings=BOUNDED)  # type: ignore[arg-type] # takes a function as well
