"""What all clients of a process share: connections per address, and a limiter per platform."""

from __future__ import annotations

import os
from functools import cache
from http.cookiejar import DefaultCookiePolicy

import requests
from requests.adapters import HTTPAdapter

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


# A forked child must not speak over its parent's sockets, nor wait for a lock that a thread of the parent held.
os.register_at_fork(after_in_child=session_for.cache_clear)
