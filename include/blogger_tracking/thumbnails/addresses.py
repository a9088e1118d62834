"""Which addresses may be asked for a picture: public ones, decided on the address that is then connected to."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, quote, urlsplit

from blogger_tracking.domain.errors import ThumbnailError

IpAddress = IPv4Address | IPv6Address

Resolve = Callable[[str], Sequence[str]]
"""The IP addresses of a host name. Raises OSError."""

_PORTS = {"http": 80, "https": 443}
_NAT64 = IPv6Network("64:ff9b::/96")
"""Addresses that a translator turns into the IPv4 address in their last 32 bits (RFC 6052)."""


@dataclass(frozen=True, slots=True)
class Target:
    """One request: the IP address to connect to, and what to ask for in whose name."""

    scheme: str
    host: str
    port: int
    ip: str
    path: str


def resolve_host(host: str) -> list[str]:
    """What the system's resolver says, IPv4 first: not every machine that has IPv6 addresses is connected by it."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in sorted(found, key=lambda each: each[0] != socket.AF_INET)]


def resolve_target(url: str, resolve: Resolve, *, allow_loopback: bool) -> Target:
    """Resolve an address once and check it: https only, and every IP address of its host is public.

    `allow_loopback` admits http and this machine's own loopback addresses as well: for the sandbox.
    Raises PictureError.
    """
    parts, port = _split(url)
    schemes = ("https", "http") if allow_loopback else ("https",)
    if parts.scheme not in schemes or not parts.hostname:
        raise ThumbnailError(f"the address is not {' or '.join(schemes)} with a host", final=True)
    ips = _resolve(parts.hostname, resolve)
    for ip in ips:
        if not (is_public(ip) or (allow_loopback and ip.is_loopback)):
            raise ThumbnailError(f"the host {parts.hostname} leads to {ip}, which is no public address", final=True)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~") + (f"?{_ascii(parts.query)}" if parts.query else "")
    return Target(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], str(ips[0]), path)


def is_public(ip: IpAddress) -> bool:
    """Whether an address belongs to the public internet, and so does the IPv4 address that it may stand for."""
    if isinstance(ip, IPv6Address):
        embedded = _embedded(ip)
        if embedded is not None:
            return is_public(embedded)
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback)


def _embedded(ip: IPv6Address) -> IPv4Address | None:
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ThumbnailError("the address cannot be read as a URL", final=True) from None
    return parts, port


def _resolve(host: str, resolve: Resolve) -> list[IpAddress]:
    try:
        ips = [ip_address(text.partition("%")[0]) for text in resolve(host)]
    except UnicodeError:
        raise ThumbnailError(f"{host} is no host name", final=True) from None
    except OSError as error:
        unknown = isinstance(error, socket.gaierror) and error.errno == socket.EAI_NONAME
        raise ThumbnailError(f"the host {host} was not found ({error.strerror})", final=unknown) from None
    if not ips:
        raise ThumbnailError(f"the host {host} has no address", final=True)
    return ips


def _ascii(query: str) -> str:
    return quote(query, safe="/%:@!$&'()*+,;=~?[]")
