"""Slots of look-ups in one process: for each platform, and for each organization at each platform."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import ParamSpec, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

from anyio import CapacityLimiter, to_thread

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.request_errors import BusyError

P = ParamSpec("P")
R = TypeVar("R")

_BUSY_RETRY_SECONDS = 5
_WAIT_SECONDS = 5
"""Time that a request waits for a slot: longer than a look-up takes, and shorter than a platform's time-out."""


class LookUpSlots:
    """Slots and threads of look-ups. A platform that hangs occupies only its own slots.

    `of_platform` look-ups run at once at each platform, and `of_organization` of these for one organization. Requests
    wait for a slot in the event loop, without a thread, and look-ups take none of the API's threads.
    """

    def __init__(self, of_platform: int, of_organization: int, *, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._of_platform = {platform: asyncio.Semaphore(of_platform) for platform in Platform}
        self._slots_of_organization = of_organization
        self._of_organization: WeakValueDictionary[tuple[Platform, UUID], asyncio.Semaphore] = WeakValueDictionary()
        self._wait_seconds = wait_seconds
        self._threads = CapacityLimiter(len(Platform) * of_platform)

    async def run(
        self, platform: Platform, organization_id: UUID, look_up: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call a blocking function in a thread, holding a slot. Raises BusyError if no slot is free for a while."""
        async with self._hold(platform, organization_id):
            return await to_thread.run_sync(partial(look_up, *args, **kwargs), limiter=self._threads)

    @asynccontextmanager
    async def _hold(self, platform: Platform, organization_id: UUID) -> AsyncGenerator[None]:
        # Kept as long as a request of the organization holds a slot or waits for one.
        organization = self._of_organization.setdefault(
            (platform, organization_id), asyncio.Semaphore(self._slots_of_organization)
        )
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._wait_seconds):
                    await held.enter_async_context(organization)
                    await held.enter_async_context(self._of_platform[platform])
            except TimeoutError:
                raise BusyError(f"Too many bloggers are being looked up on {platform}.", _BUSY_RETRY_SECONDS) from None
            yield
