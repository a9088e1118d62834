"""Slots of additions in one process: for look-ups at each platform, and for additions without a look-up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import ParamSpec, TypeAlias, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

from anyio import CapacityLimiter, to_thread

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.request_errors import BusyError

P = ParamSpec("P")
R = TypeVar("R")
_SlotsOfOrganizations: TypeAlias = WeakValueDictionary[tuple[Platform | None, UUID], asyncio.Semaphore]

_BUSY_RETRY_SECONDS = 5
_WAIT_SECONDS = 5
"""Time that a request waits for a slot: longer than a look-up takes, and shorter than a platform's time-out."""

_AIRFLOW_WAIT_SECONDS = 30
"""The same of an addition without a look-up. An organization that adds many bloggers at once is served in turn."""


class LookUpSlots:
    """Slots and threads of additions. A platform that hangs occupies only its own slots.

    `of_platform` look-ups run at once at each platform, and `of_organization` of these for one organization. As many
    additions without a look-up run at once, whose platform is None: they wait for Airflow alone. Requests wait for a
    slot in the event loop, without a thread, and additions take none of the API's threads.
    """

    def __init__(
        self,
        of_platform: int,
        of_organization: int,
        *,
        wait_seconds: float = _WAIT_SECONDS,
        airflow_wait_seconds: float = _AIRFLOW_WAIT_SECONDS,
    ) -> None:
        self._of_platform = {platform: asyncio.Semaphore(of_platform) for platform in (*Platform, None)}
        self._slots_of_organization = of_organization
        self._of_organization: _SlotsOfOrganizations = WeakValueDictionary()
        self._wait_seconds = dict.fromkeys(Platform, wait_seconds) | {None: airflow_wait_seconds}
        self._threads = CapacityLimiter(len(self._of_platform) * of_platform)

    async def run(
        self, platform: Platform | None, organization_id: UUID, add: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call a blocking function in a thread, holding a slot. Raises BusyError if no slot is free for a while."""
        async with self._hold(platform, organization_id):
            return await to_thread.run_sync(partial(add, *args, **kwargs), limiter=self._threads)

    @asynccontextmanager
    async def _hold(self, platform: Platform | None, organization_id: UUID) -> AsyncGenerator[None]:
        # Kept as long as a request of the organization holds a slot or waits for one.
        organization = self._of_organization.setdefault(
            (platform, organization_id), asyncio.Semaphore(self._slots_of_organization)
        )
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._wait_seconds[platform]):
                    await held.enter_async_context(organization)
                    await held.enter_async_context(self._of_platform[platform])
            except TimeoutError:
                action = f"looked up on {platform}" if platform else "added"
                raise BusyError(f"Too many bloggers are being {action}.", _BUSY_RETRY_SECONDS) from None
            yield
