"""SSRF protection: resolve a URL once, and admit public IP addresses only.

The download connects to the IP address that was checked, so that a second DNS answer cannot lead elsewhere.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, quote, urlsplit

from blogger_tracking.domain.errors import ThumbnailError

IpAddress = IPv4Address | IPv6Address

Resolve = Callable[[str], Sequence[str]]
"""A function that returns the IP addresses of a host name. Raises OSError."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_NAT64 = IPv6Network("64:ff9b::/96")
"""IPv6 addresses that a NAT64 gateway translates to the IPv4 address in their last 32 bits (RFC 6052)."""

_PRIVATE_NETWORKS = tuple(
    ip_network(network)
    for network in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)
"""This host and private networks (RFC 1918, RFC 4193); link-local addresses, such as a cloud's metadata, are not."""


@dataclass(frozen=True, slots=True)
class Target:
    """The checked target of one request: `ip` is connected to; `host` goes into TLS and the Host header."""

    scheme: str
    host: str
    port: int
    ip: str
    path: str


def resolve_host(host: str) -> list[str]:
    """Return the addresses from the system's resolver, IPv4 first: IPv6 is often configured without a route."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in sorted(found, key=lambda each: each[0] != socket.AF_INET)]


def resolve_target(url: str, resolve: Resolve, *, allow_private: bool) -> Target:
    """Resolve a URL's host once and check the URL: https, and every IP address of the host is public.

    `allow_private` also admits http, and addresses of this host and of private networks, for the platform sandbox.
    Raises ThumbnailError, which is final for a URL that is unusable whatever the resolver answers.
    """
    parts, port = _split(url)
    schemes = ("https", "http") if allow_private else ("https",)
    if parts.scheme not in schemes or not parts.hostname:
        raise ThumbnailError(f"the URL is not {' or '.join(schemes)} with a host", final=True)
    ips = _resolve(parts.hostname, resolve)
    for ip in ips:
        if not (is_public(ip) or (allow_private and _is_private(ip))):
            # A resolver that is out of order may give the private address of a login page for any name.
            final = _is_ip_address(parts.hostname)
            raise ThumbnailError(f"the host {parts.hostname} resolves to {ip}, which is not public", final=final)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~") + (f"?{_ascii(parts.query)}" if parts.query else "")
    return Target(parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme], str(ips[0]), path)


def is_public(ip: IpAddress) -> bool:
    """Return True for a public address; an IPv6 address that embeds an IPv4 address counts as the latter."""
    if isinstance(ip, IPv6Address):
        embedded = _embedded_ipv4(ip)
        if embedded is not None:
            return is_public(embedded)
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback)


def _is_ip_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_private(ip: IpAddress) -> bool:
    return any(ip in network for network in _PRIVATE_NETWORKS)


def _embedded_ipv4(ip: IPv6Address) -> IPv4Address | None:
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ThumbnailError("the URL is malformed", final=True) from None
    return parts, port


def _resolve(host: str, resolve: Resolve) -> list[IpAddress]:
    if not host.isprintable() or " " in host:
        raise ThumbnailError(f"{host!r} is not a valid host name", final=True)
    try:
        ips = [ip_address(text.partition("%")[0]) for text in resolve(host)]
    except ValueError:
        # A host name that no encoding or no resolver accepts, such as one with an empty label.
        raise ThumbnailError(f"{host!r} is not a valid host name", final=True) from None
    except OSError as error:
        # A resolver that is out of order may also say that a host does not exist.
        raise ThumbnailError(f"the host {host} was not found ({error.strerror})", final=False) from None
    if not ips:
        raise ThumbnailError(f"the host {host} has no IP address", final=False)
    return ips


def _ascii(query: str) -> str:
    return quote(query, safe="/%:@!$&'()*+,;=~?[]")
