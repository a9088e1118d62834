"""Access tokens: accepted ones, and known ways to forge a token, each of which is rejected."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm
from pydantic import SecretStr

from blogger_tracking.api.access_tokens import KeysUnavailableError, SupabaseAuthConfig, TokenVerifier
from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.domain.request_errors import NotAuthenticatedError
from tests.support.access_tokens import ISSUER, SECRET, PrivateKey, claims_of, key_set, token_for
from tests.support.scripted_server import Scripted, ScriptedServer
from tests.support.waiting import wait_until

USER = uuid4()
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def signed(key: PrivateKey | str, algorithm: str, key_id: str | None = None, **changed: object) -> str:
    headers = {"kid": key_id} if key_id else None
    return jwt.encode(claims_of(USER, **changed), key, algorithm=algorithm, headers=headers)


@pytest.fixture
def by_secret() -> TokenVerifier:
    return TokenVerifier(SupabaseAuthConfig(issuer=ISSUER, secret=SecretStr(SECRET)), timeout_seconds=1)


@pytest.fixture
def key_server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        server.play(Scripted(key_set(rsa=RSA_KEY, ec=EC_KEY)))
        yield server


@pytest.fixture
def by_keys(key_server: ScriptedServer) -> TokenVerifier:
    config = SupabaseAuthConfig(issuer=ISSUER, jwks_url=f"{key_server.url}/jwks.json")
    return TokenVerifier(config, timeout_seconds=1, cooldown_seconds=0)


def test_a_token_signed_with_the_secret_is_accepted(by_secret: TokenVerifier) -> None:
    assert by_secret.user_id(token_for(USER)) == USER


@pytest.mark.parametrize(("key", "algorithm", "key_id"), [(RSA_KEY, "RS256", "rsa"), (EC_KEY, "ES256", "ec")])
def test_a_token_signed_with_a_published_key_is_accepted(
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
def test_a_token_not_signed_with_the_secret_is_rejected(by_secret: TokenVerifier, token: str) -> None:
    with pytest.raises(NotAuthenticatedError):
        by_secret.user_id(token)


def signed_with_public_key() -> str:
    """Return a token signed by HS256 with the public key's PEM text as secret, which PyJWT refuses to sign."""
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
def test_the_key_determines_the_algorithm_and_the_tokens_header_does_not(by_keys: TokenVerifier, token: str) -> None:
    with pytest.raises(NotAuthenticatedError):
        by_keys.user_id(token)


def test_published_keys_are_cached(by_keys: TokenVerifier, key_server: ScriptedServer) -> None:
    for _ in range(3):
        by_keys.user_id(signed(EC_KEY, "ES256", "ec"))
    assert len(key_server.asked) == 1


def test_an_unknown_key_id_causes_a_new_request_for_the_keys(
    by_keys: TokenVerifier, key_server: ScriptedServer
) -> None:
    by_keys.user_id(signed(EC_KEY, "ES256", "ec"))
    rotated = ec.generate_private_key(ec.SECP256R1())
    key_server.play(Scripted(key_set(new=rotated)))
    assert by_keys.user_id(signed(rotated, "ES256", "new")) == USER
    with pytest.raises(NotAuthenticatedError):
        by_keys.user_id(signed(EC_KEY, "ES256", "ec"))


def test_unknown_key_ids_cause_one_request_for_the_keys_per_cooldown(key_server: ScriptedServer) -> None:
    config = SupabaseAuthConfig(issuer=ISSUER, jwks_url=f"{key_server.url}/jwks.json")
    verifier = TokenVerifier(config, timeout_seconds=1)
    for number in range(5):
        with pytest.raises(NotAuthenticatedError):
            verifier.user_id(signed(EC_KEY, "ES256", f"unknown-{number}"))
    assert len(key_server.asked) == 1


def test_an_unreachable_key_set_is_reported_as_unavailable(key_server: ScriptedServer, by_keys: TokenVerifier) -> None:
    key_server.play(Scripted(status=500))
    with pytest.raises(KeysUnavailableError, match=r"jwks\.json"):
        by_keys.user_id(signed(EC_KEY, "ES256", "ec"))


def test_with_the_issuer_alone_the_keys_published_below_the_issuer_are_accepted() -> None:
    with ScriptedServer() as server:
        server.play(Scripted(key_set(rsa=RSA_KEY, ec=EC_KEY)))
        issuer = f"{server.url}/auth/v1"
        verifier = TokenVerifier(SupabaseAuthConfig(issuer=issuer), timeout_seconds=1)
        assert verifier.user_id(signed(EC_KEY, "ES256", "ec", iss=issuer)) == USER
        assert verifier.user_id(signed(RSA_KEY, "RS256", "rsa", iss=issuer)) == USER
        with pytest.raises(NotAuthenticatedError):
            verifier.user_id(token_for(USER, iss=issuer))
        with pytest.raises(NotAuthenticatedError):
            verifier.user_id(signed(EC_KEY, "ES256", "ec"))
        assert [request.path for request in server.asked] == ["/auth/v1/.well-known/jwks.json"]


def test_an_explicit_jwks_url_replaces_the_one_below_the_issuer(key_server: ScriptedServer) -> None:
    url = f"{key_server.url}/elsewhere/keys.json"
    config = SupabaseAuthConfig(issuer=f"{key_server.url}/auth/v1", jwks_url=url)
    token = signed(EC_KEY, "ES256", "ec", iss=config.issuer)
    assert TokenVerifier(config, timeout_seconds=1).user_id(token) == USER
    assert [request.path for request in key_server.asked] == ["/elsewhere/keys.json"]


def test_a_project_that_changes_from_its_secret_to_published_keys_has_both_accepted(key_server: ScriptedServer) -> None:
    config = SupabaseAuthConfig(issuer=f"{key_server.url}/auth/v1", secret=SecretStr(SECRET))
    verifier = TokenVerifier(config, timeout_seconds=1)
    assert verifier.user_id(token_for(USER, iss=config.issuer)) == USER
    assert key_server.asked == []
    assert verifier.user_id(signed(EC_KEY, "ES256", "ec", iss=config.issuer)) == USER
    assert verifier.user_id(token_for(USER, iss=config.issuer)) == USER


@pytest.mark.parametrize(
    "published", [Scripted(status=404), Scripted({"keys": []}), Scripted(b"<html>"), Scripted(["no object"])]
)
def test_a_project_that_signs_with_its_secret_alone_rejects_tokens_of_unknown_keys(
    key_server: ScriptedServer, published: Scripted
) -> None:
    key_server.play(published)
    config = SupabaseAuthConfig(issuer=f"{key_server.url}/auth/v1", secret=SecretStr(SECRET))
    verifier = TokenVerifier(config, timeout_seconds=1)
    for number in range(5):
        with pytest.raises(NotAuthenticatedError):
            verifier.user_id(signed(EC_KEY, "ES256", f"unknown-{number}", iss=config.issuer))
    assert verifier.user_id(token_for(USER, iss=config.issuer)) == USER
    assert len(key_server.asked) == 1


@pytest.mark.parametrize(
    "published",
    [
        Scripted(status=500),
        Scripted({"keys": []}),
        Scripted(b"<html>"),
        Scripted({"keys": [{"kty": "oct", "kid": "x", "k": "AAAA", "alg": "HS256"}]}),
        Scripted({"keys": [{**key_set(x=EC_KEY)["keys"][0], "alg": ["ES256"]}]}),
        Scripted({"keys": [{**key_set(x=EC_KEY)["keys"][0], "use": ["sig"]}]}),
        Scripted({"keys": [{**RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True), "kid": "x"}]}),
    ],
    ids=["error", "no keys", "page", "symmetric key", "list of algorithms", "list of uses", "private key"],
)
def test_an_unusable_key_set_is_reported_as_unavailable_and_requested_once_per_cooldown(
    key_server: ScriptedServer, published: Scripted
) -> None:
    key_server.play(published)
    config = SupabaseAuthConfig(issuer=ISSUER, jwks_url=f"{key_server.url}/jwks.json")
    verifier = TokenVerifier(config, timeout_seconds=1)
    for number in range(5):
        with pytest.raises(KeysUnavailableError, match="legacy JWT secret"):
            verifier.user_id(signed(EC_KEY, "ES256", f"unknown-{number}"))
    assert len(key_server.asked) == 1


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize(
    "published",
    [
        Scripted(b" " * 1000, drip=True),
        Scripted(drip_headers=True),
        # Short, the keys would be accepted.
        Scripted({**key_set(ec=EC_KEY), "x": "a" * 2_000_000}),
        Scripted(b"[" * 200_000),
        Scripted(status=302, headers={"Location": "file:///etc/passwd"}),
    ],
    ids=["dripping", "dripping headers", "huge", "nested", "redirect"],
)
def test_a_key_set_that_drips_or_is_huge_or_nested_or_elsewhere_is_unavailable_within_the_timeout(
    key_server: ScriptedServer, by_keys: TokenVerifier, published: Scripted
) -> None:
    key_server.play(published)
    begin = time.monotonic()
    with pytest.raises(KeysUnavailableError):
        by_keys.user_id(signed(EC_KEY, "ES256", "ec"))
    assert time.monotonic() - begin < 3


def test_an_unknown_key_id_is_rejected_while_the_cached_keys_are_current_and_the_endpoint_fails(
    by_keys: TokenVerifier, key_server: ScriptedServer
) -> None:
    by_keys.user_id(signed(EC_KEY, "ES256", "ec"))
    key_server.play(Scripted(status=500))
    with pytest.raises(NotAuthenticatedError):
        by_keys.user_id(signed(EC_KEY, "ES256", "unknown"))
    assert by_keys.user_id(signed(EC_KEY, "ES256", "ec")) == USER


@pytest.mark.parametrize(("grace_seconds", "accepted"), [(3600, {"ec"}), (0, set[str]())])
def test_a_known_key_is_accepted_after_its_lifetime_for_a_while_if_the_endpoint_fails(
    key_server: ScriptedServer, grace_seconds: float, accepted: set[str]
) -> None:
    config = SupabaseAuthConfig(issuer=ISSUER, jwks_url=f"{key_server.url}/jwks.json")
    verifier = TokenVerifier(
        config, timeout_seconds=1, cooldown_seconds=0, lifespan_seconds=0.2, grace_seconds=grace_seconds
    )
    key_server.play(key_set(ec=EC_KEY), Scripted(status=500))
    assert verifier.user_id(signed(EC_KEY, "ES256", "ec")) == USER
    time.sleep(0.3)
    for key_id in ("ec", "unknown"):
        with nullcontext() if key_id in accepted else pytest.raises(KeysUnavailableError):
            assert verifier.user_id(signed(EC_KEY, "ES256", key_id)) == USER


def verifier_past_lifespan(key_server: ScriptedServer) -> TokenVerifier:
    """Return a verifier whose cached keys are always past their lifespan, and within their grace."""
    config = SupabaseAuthConfig(issuer=ISSUER, jwks_url=f"{key_server.url}/jwks.json")
    return TokenVerifier(config, timeout_seconds=30, cooldown_seconds=0, lifespan_seconds=1e-9)


def test_a_known_key_in_its_grace_does_not_wait_for_a_request_that_an_unknown_key_caused() -> None:
    known, unknown = (signed(EC_KEY, "ES256", key_id) for key_id in ("known", "unknown"))
    with ThreadPoolExecutor(1) as strangers, ScriptedServer() as server:
        verifier = verifier_past_lifespan(server)
        server.play(key_set(known=EC_KEY), Scripted(hang=True))
        assert verifier.user_id(known) == USER
        stranger = strangers.submit(verifier.user_id, unknown)
        wait_until(lambda: len(server.asked) == 2)
        assert not verifier.may_request_keys(known)
        assert verifier.user_id(known) == USER
        assert verifier.may_request_keys(unknown)
        assert not stranger.done()


def test_a_known_key_in_its_grace_does_not_wait_for_the_requests_after_a_failed_one() -> None:
    token = signed(EC_KEY, "ES256", "known")
    with ScriptedServer() as server:
        verifier = verifier_past_lifespan(server)
        server.play(key_set(known=EC_KEY), Scripted(status=500), Scripted(hang=True))
        assert [verifier.user_id(token) for _ in range(2)] == [USER, USER]
        wait_until(lambda: len(server.asked) == 3)
        assert not verifier.may_request_keys(token)
        assert [verifier.user_id(token) for _ in range(5)] == [USER] * 5
        assert len(server.asked) == 3


def test_a_removed_key_is_rejected_after_the_first_request_that_succeeds_again(key_server: ScriptedServer) -> None:
    token = signed(EC_KEY, "ES256", "ec")
    verifier = verifier_past_lifespan(key_server)
    key_server.play(key_set(ec=EC_KEY), Scripted(status=500), key_set(rsa=RSA_KEY))
    assert [verifier.user_id(token) for _ in range(2)] == [USER, USER]
    wait_until(lambda: not is_accepted(verifier, token))
    assert not is_accepted(verifier, token)


def is_accepted(verifier: TokenVerifier, token: str) -> bool:
    try:
        verifier.user_id(token)
    except NotAuthenticatedError:
        return False
    return True


def test_a_rotation_while_running_is_followed_within_cooldown_and_lifespan(key_server: ScriptedServer) -> None:
    config = SupabaseAuthConfig(issuer=ISSUER, jwks_url=f"{key_server.url}/jwks.json")
    verifier = TokenVerifier(config, timeout_seconds=1, cooldown_seconds=0.1, lifespan_seconds=0.4)
    old, new = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    old_token, new_token = signed(old, "ES256", "old"), signed(new, "ES256", "new")

    key_server.play(key_set(old=old))
    assert verifier.user_id(old_token) == USER
    key_server.play(key_set(old=old, new=new))
    wait_until(lambda: is_accepted(verifier, new_token), 10)
    assert verifier.user_id(old_token) == USER

    key_server.play(key_set(new=new))
    wait_until(lambda: not is_accepted(verifier, old_token), 10)
    assert verifier.user_id(new_token) == USER


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
PUBLISHED = st.sampled_from([
    *key_set(known=EC_KEY, other=RSA_KEY)["keys"],
    {**RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True), "kid": "known"},
])
MEMBERS = st.sampled_from(["kty", "crv", "x", "y", "n", "e", "d", "kid", "use", "alg"])
ODD_VALUES = JSON | st.sampled_from([["sig"], ["ES256"], "none", "HS256", "RS256", "P-384", "AQAB"])
ODD_KEYS = st.builds(lambda key, odd: {**key, **odd}, PUBLISHED, st.dictionaries(MEMBERS, ODD_VALUES, max_size=2))


@given(published=JSON | st.fixed_dictionaries({"keys": JSON | st.lists(JSON | ODD_KEYS, min_size=1, max_size=3)}))
def test_a_token_is_accepted_or_rejected_or_the_keys_are_unavailable_whatever_is_published(published: object) -> None:
    with ScriptedServer() as server:
        server.play(Scripted(published))
        config = SupabaseAuthConfig(issuer=ISSUER, jwks_url=f"{server.url}/jwks.json")
        verifier = TokenVerifier(config, timeout_seconds=5)
        for key, algorithm, key_id in ((EC_KEY, "ES256", "known"), (RSA_KEY, "RS256", "known")):
            token = signed(key, algorithm, key_id)
            for _ in range(2):
                with suppress(NotAuthenticatedError, KeysUnavailableError):
                    assert verifier.user_id(token) == USER
                verifier.may_request_keys(token)
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    "odd",
    [{"alg": ["ES256"]}, {"alg": "none"}, {"use": ["sig"]}, {"use": "enc"}, {"kid": ["odd"]}, {"d": "AQAB"}],
    ids=str,
)
def test_an_unusable_key_is_ignored_and_the_others_of_the_key_set_are_accepted(
    key_server: ScriptedServer, by_keys: TokenVerifier, odd: dict[str, object]
) -> None:
    usable, unusable = key_set(ec=EC_KEY, odd=EC_KEY)["keys"]
    key_server.play({"keys": [{**unusable, **odd}, usable]})
    assert by_keys.user_id(signed(EC_KEY, "ES256", "ec")) == USER
    with pytest.raises(NotAuthenticatedError):
        by_keys.user_id(signed(EC_KEY, "ES256", "odd"))


API_KEYS = {
    "publishable": "sb_publishable_AbCdEf0123456789_xyz",
    "secret": "sb_secret_AbCdEf0123456789_xyz",
    # Claims of the legacy keys, as Supabase signs them.
    "anon": token_for("", sub=None, aud=None, iss="supabase", role="anon", ref="project"),
    "service_role": token_for("", sub=None, aud=None, iss="supabase", role="service_role", ref="project"),
}


@pytest.mark.parametrize("key", API_KEYS.values(), ids=API_KEYS)
def test_an_api_key_is_rejected_with_a_sentence_that_says_what_to_send(by_secret: TokenVerifier, key: str) -> None:
    with pytest.raises(NotAuthenticatedError, match="Send the access token of the signed-in user") as raised:
        by_secret.user_id(key)
    assert key not in str(raised.value)


@pytest.mark.parametrize(("name", "value"), [("secret", "short"), ("issuer", ""), ("issuer", "project.supabase.co")])
def test_a_short_secret_and_an_issuer_that_is_no_address_are_rejected(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError):
        SupabaseAuthConfig.model_validate({"issuer": ISSUER, name: value})
