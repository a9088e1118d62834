"""Access tokens: what is accepted, and every way to forge one that is refused."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from pydantic import SecretStr

from blogger_tracking.api.access_tokens import KeysUnavailableError, SupabaseAuthConfig, TokenVerifier
from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.domain.request_errors import NotAuthenticatedError
from tests.support.access_tokens import ISSUER, SECRET, claims_of, token_for
from tests.support.scripted_server import Scripted, ScriptedServer

PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey

USER = uuid4()
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def published(**keys: PrivateKey) -> dict[str, list[dict[str, str]]]:
    """A key set as Supabase publishes it, by key id."""
    return {"keys": [{**public_part(key), "kid": key_id, "use": "sig"} for key_id, key in keys.items()]}


def public_part(key: PrivateKey) -> dict[str, str]:
    if isinstance(key, RSAPrivateKey):
        return RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return ECAlgorithm.to_jwk(key.public_key(), as_dict=True)


def signed(key: PrivateKey | str, algorithm: str, key_id: str | None = None, **changed: object) -> str:
    headers = {"kid": key_id} if key_id else None
    return jwt.encode(claims_of(USER, **changed), key, algorithm=algorithm, headers=headers)


@pytest.fixture
def by_secret() -> TokenVerifier:
    return TokenVerifier(SupabaseAuthConfig(issuer=ISSUER, secret=SecretStr(SECRET)), timeout_seconds=1)


@pytest.fixture
def key_server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        server.play(Scripted(published(rsa=RSA_KEY, ec=EC_KEY)))
        yield server


@pytest.fixture
def by_keys(key_server: ScriptedServer) -> TokenVerifier:
    config = SupabaseAuthConfig(issuer=ISSUER, jwks_url=f"{key_server.url}/jwks.json")
    return TokenVerifier(config, timeout_seconds=1, cooldown_seconds=0)


def test_a_token_signed_with_the_secret_tells_the_user(by_secret: TokenVerifier) -> None:
    assert by_secret.user_id(token_for(USER)) == USER


@pytest.mark.parametrize(("key", "algorithm", "key_id"), [(RSA_KEY, "RS256", "rsa"), (EC_KEY, "ES256", "ec")])
def test_a_token_signed_with_a_published_key_tells_the_user(
    by_keys: TokenVerifier, key: PrivateKey, algorithm: str, key_id: str
) -> None:
    assert by_keys.user_id(signed(key, algorithm, key_id)) == USER


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"aud": "anon"},
        {"aud": None},
        {"iss": "https://other.example/auth/v1"},
        {"iss": None},
        {"sub": None},
        {"sub": "somebody"},
        {"nbf": int(time.time()) + 10**8},
    ],
)
def test_every_claim_is_checked(by_secret: TokenVerifier, changed: dict[str, object]) -> None:
    with pytest.raises(NotAuthenticatedError):
        by_secret.user_id(token_for(USER, **changed))


def unsigned() -> str:
    def part(content: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims_of(USER))}."


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "ä.ö.ü",
        unsigned(),
        signed("another-secret-of-at-least-32-bytes-length", "HS256"),
        signed(SECRET, "HS512"),
    ],
)
def test_a_token_not_signed_with_the_secret_is_refused(by_secret: TokenVerifier, token: str) -> None:
    with pytest.raises(NotAuthenticatedError):
        by_secret.user_id(token)


def signed_with_public_key() -> str:
    """HS256 with the text of the public key as its secret; the library itself would refuse to write it."""
    header, claims = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": "HS256", "typ": "JWT", "kid": "rsa"}, claims_of(USER))
    )
    public = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signature = jwt.get_algorithm_by_name("HS256").sign(header + b"." + claims, public)
    return b".".join((header, claims, base64.urlsafe_b64encode(signature).rstrip(b"="))).decode()


@pytest.mark.parametrize(
    "token",
    [
        unsigned(),
        signed_with_public_key(),
        signed(RSA_KEY, "RS256"),
        signed(RSA_KEY, "RS256", "ec"),
        signed(RSA_KEY, "RS512", "rsa"),
        signed(RSA_KEY, "PS256", "rsa"),
        signed(RSA_KEY, "RS256", "nobody"),
        signed(rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256", "rsa"),
        token_for(USER),
    ],
)
def test_the_algorithm_is_the_keys_and_never_the_tokens_choice(by_keys: TokenVerifier, token: str) -> None:
    with pytest.raises(NotAuthenticatedError):
        by_keys.user_id(token)


def test_published_keys_are_kept(by_keys: TokenVerifier, key_server: ScriptedServer) -> None:
    for _ in range(3):
        by_keys.user_id(signed(EC_KEY, "ES256", "ec"))
    assert len(key_server.asked) == 1


def test_a_new_key_is_found_when_its_first_token_comes(by_keys: TokenVerifier, key_server: ScriptedServer) -> None:
    by_keys.user_id(signed(EC_KEY, "ES256", "ec"))
    rotated = ec.generate_private_key(ec.SECP256R1())
    key_server.play(Scripted(published(new=rotated)))
    assert by_keys.user_id(signed(rotated, "ES256", "new")) == USER
    with pytest.raises(NotAuthenticatedError):
        by_keys.user_id(signed(EC_KEY, "ES256", "ec"))


def test_unknown_key_ids_do_not_make_the_keys_be_fetched_again_and_again(key_server: ScriptedServer) -> None:
    config = SupabaseAuthConfig(issuer=ISSUER, jwks_url=f"{key_server.url}/jwks.json")
    verifier = TokenVerifier(config, timeout_seconds=1)
    for number in range(5):
        with pytest.raises(NotAuthenticatedError):
            verifier.user_id(signed(EC_KEY, "ES256", f"unknown-{number}"))
    assert len(key_server.asked) == 1


def test_keys_that_cannot_be_read_are_not_the_callers_fault(key_server: ScriptedServer, by_keys: TokenVerifier) -> None:
    key_server.play(Scripted(status=500))
    with pytest.raises(KeysUnavailableError):
        by_keys.user_id(signed(EC_KEY, "ES256", "ec"))


@pytest.mark.parametrize("given", [{}, {"secret": "short"}])
def test_a_configuration_nobody_could_be_checked_with_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        SupabaseAuthConfig.model_validate({"issuer": ISSUER, **given})
