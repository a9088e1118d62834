"""The areas of an attack, in the order in which they are attacked."""

from __future__ import annotations

from collections.abc import Mapping

from devtools.attack.addresses import addresses, images
from devtools.attack.airflow import airflow
from devtools.attack.bodies import bodies
from devtools.attack.data_api import data_api
from devtools.attack.foreign_statistics import foreign_statistics
from devtools.attack.hanging_platform import hanging_platform
from devtools.attack.idempotency import idempotency
from devtools.attack.key_sets import key_sets
from devtools.attack.limits import limits
from devtools.attack.poison_messages import poison_messages
from devtools.attack.random_requests import random_requests
from devtools.attack.roles import roles
from devtools.attack.secrets import secrets
from devtools.attack.strangers import strangers
from devtools.attack.subscriptions import subscriptions
from devtools.attack.tokens import tokens
from devtools.attack.tries import Area

AREAS: Mapping[str, Area] = {
    "tokens": tokens,
    "published keys": key_sets,
    "roles, routes, organizations": roles,
    "bodies": bodies,
    "random requests": random_requests,
    "idempotency keys": idempotency,
    "limits and budgets": limits,
    "a platform that hangs": hanging_platform,
    "subscriptions": subscriptions,
    "addresses of thumbnails": addresses,
    "images": images,
    "poison messages": poison_messages,
    "Data API": data_api,
    "statistics of others": foreign_statistics,
    "Airflow": airflow,
    # After all areas that send requests as strangers, because it uses up the strangers' limit.
    "flood of strangers": strangers,
    # Last, because it searches the answers of the others.
    "secrets": secrets,
}
