"""The app for an Airflow plugin, which every Airflow process imports: nothing is loaded before the first request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send


class LazyApp:
    """An ASGI app that stands for the HTTP surface and becomes it when the API server gets a request for it."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if self._app is None:
            # Imports and settings take a while, and other requests must not wait for them.
            self._app = await asyncio.to_thread(_load)
        await self._app(scope, receive, send)


def _load() -> ASGIApp:
    from blogger_tracking.orchestration.api_services import app  # noqa: PLC0415 - the point of this module

    return app()
