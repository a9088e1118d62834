"""Dependencies of the Bloggers page's routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Protocol

from fastapi import Depends, Request
from psycopg_pool import ConnectionPool

from blogger_tracking.airflow_api import AirflowApi
from blogger_tracking.api.authentication import in_own_thread
from blogger_tracking.api.look_up_slots import LookUpSlots
from blogger_tracking.usecases.fetch_blogger import FetchServices
from blogger_tracking.usecases.look_up_blogger import LookUpLimits


class ThumbnailReader(Protocol):
    """An object storage with thumbnails. Thread-safe."""

    def read(self, path: str) -> bytes | None:
        """Return the object at a path that the storage once returned, or None without one. Raises StorageError."""


@dataclass(frozen=True, slots=True)
class PageServices:
    """Dependencies of the routes, shared by all requests of a process.

    `airflow_api` and `thumbnails` create their service at the first call, because most routes need neither:
    both may raise ConfigurationError. `deployment` and `batch_dag_id` are those of this Airflow.
    """

    fetch_services: FetchServices
    look_up_slots: LookUpSlots
    look_up_limits: LookUpLimits
    airflow_api: Callable[[], AirflowApi]
    thumbnails: Callable[[], ThumbnailReader]
    deployment: str
    batch_dag_id: str

    @property
    def pool(self) -> ConnectionPool:
        """The pool of connections to the application's database."""
        return self.fetch_services.pool


async def current_services(request: Request) -> PageServices:
    """Return the dependencies of the page in this process."""
    services: PageServices = await in_own_thread(request.app.state.make_services)
    return services


CurrentServices = Annotated[PageServices, Depends(current_services)]
