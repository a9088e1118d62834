"""The HTTP API made of Airflow Connections: which access tokens are accepted, and invalid Connections."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from uuid import uuid4

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from psycopg.conninfo import conninfo_to_dict

from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.orchestration.api_app import LazyApp, auth_config, make_app
from blogger_tracking.orchestration.process_cache import clear_process_cache
from tests.support.access_tokens import ISSUER, SECRET, PrivateKey, claims_of, key_set, token_for
from tests.support.airflow_stand_in import LOGIN, PASSWORD
from tests.support.app_server import AppServer
from tests.support.scripted_server import Scripted, ScriptedServer

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    clear_process_cache()
    yield
    clear_process_cache()


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, pipeline_conninfo: str) -> LazyApp:
    """The app of the plugin; the test sets the Connection of the access tokens."""
    parts = conninfo_to_dict(pipeline_conninfo)
    database = {"conn_type": "postgres", "host": parts["host"], "login": parts["user"], "schema": parts["dbname"]}
    airflow = {"conn_type": "http", "host": "http://127.0.0.1:1", "login": LOGIN, "password": PASSWORD}
    monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", json.dumps(database))
    monkeypatch.setenv("AIRFLOW_CONN_AIRFLOW_API", json.dumps(airflow))
    return LazyApp(make_app)


def set_issuer(monkeypatch: pytest.MonkeyPatch, issuer: str, **more: object) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SUPABASE_AUTH", json.dumps({"conn_type": "http", "host": issuer, **more}))


def status_for(app: LazyApp, token: str) -> int:
    """Return the status of a request about an unknown tracked account: 404 with an accepted token."""
    with AppServer(app) as server:
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(f"{server.url}/blogger/{uuid4()}", headers=headers, timeout=30).status_code


@pytest.mark.parametrize(("key", "algorithm"), [(EC_KEY, "ES256"), (RSA_KEY, "RS256")])
def test_without_a_secret_the_keys_published_below_the_issuer_are_accepted(
    app: LazyApp, monkeypatch: pytest.MonkeyPatch, key: PrivateKey, algorithm: str
) -> None:
    with ScriptedServer() as supabase:
        supabase.play(Scripted(key_set(published=key)))
        issuer = f"{supabase.url}/auth/v1"
        set_issuer(monkeypatch, issuer)
        token = jwt.encode(claims_of(uuid4(), iss=issuer), key, algorithm=algorithm, headers={"kid": "published"})
        assert status_for(app, token) == 404
        assert [request.path for request in supabase.asked] == ["/auth/v1/.well-known/jwks.json"]


def test_a_token_signed_with_the_secret_is_accepted(app: LazyApp, monkeypatch: pytest.MonkeyPatch) -> None:
    set_issuer(monkeypatch, ISSUER, password=SECRET)
    assert status_for(app, token_for(uuid4())) == 404


def test_an_unreachable_key_set_is_503_and_not_401(app: LazyApp, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = "http://127.0.0.1:1/auth/v1"
    set_issuer(monkeypatch, issuer)
    token = jwt.encode(claims_of(uuid4(), iss=issuer), EC_KEY, algorithm="ES256", headers={"kid": "published"})
    assert status_for(app, token) == 503


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer x.y.z"}], ids=["no token", "an invalid token"])
def test_a_fresh_process_answers_strangers_while_the_database_accepts_connections_and_is_silent(
    app: LazyApp, monkeypatch: pytest.MonkeyPatch, header: dict[str, str]
) -> None:
    set_issuer(monkeypatch, ISSUER, password=SECRET)
    with socket.create_server(("127.0.0.1", 0)) as silent, AppServer(app) as server:
        database = f"postgresql://pipeline_login@127.0.0.1:{silent.getsockname()[1]}/bloggers"
        monkeypatch.setenv("AIRFLOW_CONN_BLOGGER_DB", database)
        # Shorter than any time-out of the database.
        answer = requests.get(f"{server.url}/blogger/{uuid4()}", headers=header, timeout=5)
    assert answer.status_code == 401


def test_a_connection_without_an_issuer_is_503(app: LazyApp, monkeypatch: pytest.MonkeyPatch) -> None:
    set_issuer(monkeypatch, "", password=SECRET)
    assert status_for(app, token_for(uuid4())) == 503


def test_the_extras_of_the_connection_set_audience_and_jwks_url(monkeypatch: pytest.MonkeyPatch) -> None:
    set_issuer(monkeypatch, ISSUER, extra={"audience": "people", "jwks_url": "https://keys.example/set.json"})
    assert (auth_config().audience, auth_config().key_set_url) == ("people", "https://keys.example/set.json")


def test_an_unknown_extra_is_named_without_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    set_issuer(monkeypatch, ISSUER, password=SECRET, extra={"jwks": "https://keys.example/set.json"})
    with pytest.raises(ConfigurationError, match="supabase_auth is not valid: jwks") as error:
        auth_config()
    assert SECRET not in str(error.value)
