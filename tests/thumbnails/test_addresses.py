"""SSRF protection of thumbnail downloads: admitted and refused URLs."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest

from blogger_tracking.domain.errors import ThumbnailError
from blogger_tracking.thumbnails.addresses import Resolve, Target, resolve_target

PUBLIC = "93.184.216.34"

NOT_PUBLIC = [
    "127.0.0.1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",  # noqa: S104 - requested, not bound to
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
    "::ffff:169.254.169.254",
    "::ffff:10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
]


def resolves_to(*ips: str) -> Resolve:
    return lambda _: ips


def refused(url: str, *ips: str, allow_private: bool = False) -> ThumbnailError:
    with pytest.raises(ThumbnailError) as caught:
        resolve_target(url, resolves_to(*ips), allow_private=allow_private)
    return caught.value


@pytest.mark.parametrize("ip", NOT_PUBLIC)
def test_a_url_of_an_address_that_is_not_public_is_permanently_refused(ip: str) -> None:
    host = f"[{ip}]" if ":" in ip else ip
    assert refused(f"https://{host}/a.jpg", ip).final


@pytest.mark.parametrize("ip", NOT_PUBLIC)
def test_a_name_with_an_address_that_is_not_public_is_refused_for_now(ip: str) -> None:
    assert not refused("https://images.example/a.jpg", ip).final


@pytest.mark.parametrize("ip", [PUBLIC, "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"])
def test_a_public_address_is_admitted(ip: str) -> None:
    target = resolve_target("https://images.example/", resolves_to(ip), allow_private=False)
    assert ip_address(target.ip) == ip_address(ip)


def test_a_host_with_one_private_address_among_public_ones_is_refused() -> None:
    assert "10.0.0.1" in str(refused("https://images.example/", PUBLIC, "10.0.0.1"))


@pytest.mark.parametrize(
    "url",
    [
        "http://images.example/",
        "ftp://images.example/",
        "file:///etc/passwd",
        "//a/b",
        "",
        "https://",
        "https://[::1",
    ],
)
def test_urls_other_than_https_with_a_host_are_permanently_refused(url: str) -> None:
    assert refused(url, PUBLIC).final


def test_the_setting_for_the_sandbox_admits_private_addresses_and_http_and_nothing_else() -> None:
    url = "http://localhost:8080/a.jpg"
    private = {"127.0.0.1", "::1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "fc00::1"}
    for ip in private:
        assert resolve_target(url, resolves_to(ip), allow_private=True).port == 8080
    for ip in set(NOT_PUBLIC) - private:
        assert "not public" in str(refused(url, ip, allow_private=True))


def test_a_target_keeps_path_and_query_and_drops_credentials_and_fragment() -> None:
    url = "https://me:secret@images.example/a b/%C3%A9.jpg?x=1&y=ü#top"
    target = resolve_target(url, resolves_to(PUBLIC), allow_private=False)
    assert target == Target("https", "images.example", 443, PUBLIC, "/a%20b/%C3%A9.jpg?x=1&y=%C3%BC")


@pytest.mark.parametrize("errno", [socket.EAI_NONAME, socket.EAI_AGAIN])
def test_a_host_that_the_resolver_does_not_find_may_be_tried_again(errno: int) -> None:
    def fail(_: str) -> list[str]:
        raise socket.gaierror(errno, "no answer")

    with pytest.raises(ThumbnailError) as caught:
        resolve_target("https://images.example/", fail, allow_private=False)
    assert not caught.value.final


def test_a_host_without_an_address_may_be_tried_again() -> None:
    assert not refused("https://images.example/").final
