"""Slots of look-ups that the HTTP API and the Bloggers page share in one API server process."""

from __future__ import annotations

from blogger_tracking.api.look_up_slots import LookUpSlots
from blogger_tracking.orchestration.process_cache import cached_in_process
from blogger_tracking.settings import get_settings


@cached_in_process
def look_up_slots() -> LookUpSlots:
    """Return the slots that the settings allow."""
    settings = get_settings()
    return LookUpSlots(settings.concurrent_look_ups, settings.concurrent_look_ups_of_organization)
