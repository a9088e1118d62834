"""Rotation of every secret of `.env` in the trial of the default profile, and tries to use each secret."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import requests

from tests.support.compose_file import ComposeService

_RANDOM = re.compile(r"\b[0-9a-f]{64}\b")
"""The random passwords and keys of docker/write-demo-env.sh."""

_FERNET_KEY = re.compile(r"^AIRFLOW_FERNET_KEY=(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Tokens:
    """Tokens that two of the secrets have signed."""

    airflow: str
    member: str


def rotated(text: str) -> str:
    """Return the text of `.env` with other random secrets: equal ones stay equal. Airflow gets a second Fernet key."""
    changed = _RANDOM.sub(lambda match: hashlib.sha256(match[0].encode()).hexdigest(), text)
    return _FERNET_KEY.sub(lambda match: f"AIRFLOW_FERNET_KEY={_other_fernet_key(match[1])},{match[1]}", changed)


def with_values(text: str, values: Mapping[str, str]) -> str:
    """Return the text of `.env` with these values of variables. Raises KeyError for one that is not in the file."""
    lines = {line.partition("=")[0]: line for line in text.splitlines()}
    for name, value in values.items():
        text = text.replace(f"\n{lines[name]}\n", f"\n{name}={value}\n")
    return text


def accepted_secrets(services: Mapping[str, ComposeService], api: str, tokens: Tokens) -> set[str]:
    """Return the names of the secrets of these services that are accepted where they are used.

    Two are not tried: the key of sessions and the Fernet key only sign and encrypt for Airflow itself.
    """
    environment = services["init"].environment
    postgres = services["postgres"].environment["POSTGRES_PASSWORD"]
    airflow = environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg", "")
    tries: dict[str, Callable[[], object]] = {
        "POSTGRES_PASSWORD": partial(_log_in, f"postgresql://postgres:{postgres}@postgres/postgres"),
        "AIRFLOW_DATABASE_PASSWORD": partial(_log_in, airflow),
        "REDIS_PASSWORD": partial(_reach_broker, environment["AIRFLOW__CELERY__BROKER_URL"]),
        "AIRFLOW_ADMIN_PASSWORD": partial(_sign_in, api, "admin", environment["ADMIN_PASSWORD"]),
        "AIRFLOW_SERVICE_PASSWORD": partial(_sign_in, api, "blogger_tracking", environment["SERVICE_PASSWORD"]),
        "AIRFLOW_JWT_SECRET": partial(_get, f"{api}/api/v2/dags", tokens.airflow),
        "SUPABASE_AUTH_CONNECTION": partial(_get, f"{api}/blogger/{uuid4()}", tokens.member),
        "BLOGGER_DB_CONNECTION": partial(_log_in, environment["AIRFLOW_CONN_BLOGGER_DB"]),
        "BLOGGER_DB_ADMIN_CONNECTION": partial(_log_in, environment["AIRFLOW_CONN_BLOGGER_DB_ADMIN"]),
    }
    return {name for name, attempt in tries.items() if _is_accepted(attempt)}


def _is_accepted(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except Exception:  # noqa: BLE001 - each client has errors of its own for a refusal
        return False
    return True


def _log_in(dsn: str) -> None:
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        connection.execute("select 1")


def _reach_broker(url: str) -> None:
    broker = urlsplit(url)
    command = ["redis-cli", "-h", str(broker.hostname), "ping"]
    environment = {**os.environ, "REDISCLI_AUTH": str(broker.password)}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=True).stdout
    if answer.strip() != "PONG":
        raise ValueError(answer)


def _sign_in(api: str, name: str, password: str) -> None:
    login = {"username": name, "password": password}
    requests.post(f"{api}/auth/token", json=login, timeout=30).raise_for_status()


def _get(url: str, token: str) -> None:
    answer = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    # Airflow refuses an unknown signature with 403. A member gets a 404 for a blogger that does not exist.
    if answer.status_code in {requests.codes.unauthorized, requests.codes.forbidden}:
        answer.raise_for_status()


def _other_fernet_key(key: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()).decode()
