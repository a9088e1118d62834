"""Logger of the warnings that become Sentry events.

Sentry's initialisation attaches its event handler to this logger, from WARNING up; warnings of all other loggers stay
in the log. Code that warns does not depend on Sentry. Messages are constant, so that Sentry groups them; variable parts
go into the arguments.
"""

from __future__ import annotations

import logging

ALERTS_LOGGER = "blogger_tracking.alerts"

alerts = logging.getLogger(ALERTS_LOGGER)
