"""What all clients of a process share: connections per address, and a limiter per platform."""

from __future__ import annotations

import os
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from math import floor

import requests
from pyrate_limiter import Limiter, Rate
from requests.adapters import HTTPAdapter

from blogger_tracking.domain.models import Platform
from blogger_tracking.settings import get_settings


@cache
def session_for(base_url: str) -> requests.Session:
    """The process's session for an address, with a connection for every fetch thread; safe to share among them."""
    session = requests.Session()
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=get_settings().fetch_threads)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    # Threads share the session: a cookie set for one fetch must not travel with another.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # Proxies and certificate bundles of the environment are read once: requests would read them, and the user's
    # .netrc with foreign passwords, for every single request.
    environment = session.merge_environment_settings(base_url, {}, None, None, None)
    session.proxies = dict(environment["proxies"])
    session.verify = environment["verify"]
    session.trust_env = False
    return session


@cache
def limiter_for(
    platform: Platform,  # noqa: ARG001 — the cache's key: two platforms of one pace do not share it
    requests_per_second: float,
) -> Limiter:
    """The process's limiter for a platform: in no second more requests than this."""
    requests_per_window = max(1, floor(requests_per_second))
    window_milliseconds = round(1000 * requests_per_window / requests_per_second)
    # Measured with 64 threads at 100 a second: the sliding window keeps the pace with a sixth of the CPU time
    # of a leaky bucket, whose waiting threads all wake for each single place.
    return Limiter(Rate(requests_per_window, max(1, window_milliseconds)), buffer_ms=1)


# A forked child must not speak over its parent's sockets, nor wait for a lock that a thread of the parent held.
os.register_at_fork(after_in_child=session_for.cache_clear)
os.register_at_fork(after_in_child=limiter_for.cache_clear)
