"""Warnings that somebody should see: records of this logger become Sentry events.

Ordinary warnings stay in the log. Whoever initialises Sentry attaches its event handler to this logger, from WARNING
up; the code that warns knows nothing of Sentry. Messages are constant, so that Sentry groups them; what varies goes
into the arguments.
"""

from __future__ import annotations

import logging

ALERTS_LOGGER = "blogger_tracking.alerts"

alerts = logging.getLogger(ALERTS_LOGGER)
