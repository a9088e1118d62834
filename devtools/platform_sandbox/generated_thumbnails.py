"""Thumbnails: a small JPEG of one colour for each video, and special ids that give a faulty response.

The JPEG's entropy-coded data depends on three signs only. The quantization tables hold the colour (each plane has one
DC coefficient of ±4, which the table multiplies), so that a thumbnail costs a few bytes of copying.
"""

from __future__ import annotations

from datetime import datetime
from struct import pack

from devtools.platform_sandbox.faults import FaultKind
from devtools.platform_sandbox.http_messages import HttpRequest, HttpResponse
from devtools.platform_sandbox.identifiers import hash_bits
from devtools.platform_sandbox.world import PlatformName

PREFIX = "/thumbnails/"
HUGE_BYTES = 50_000_000
JPEG_TYPE = "image/jpeg"

SPECIAL_IDS = {
    "missing": FaultKind.NOT_FOUND,
    "redirect": FaultKind.REDIRECT,
    "redirect-loop": FaultKind.REDIRECT_LOOP,
    "html": FaultKind.HTML_BODY,
    "huge": FaultKind.HUGE_BODY,
}
"""Ids whose thumbnail always has a fault, on every platform."""

_WIDTH, _HEIGHT = 160, 88
_BLOCKS = (_WIDTH // 8) * (_HEIGHT // 8)
_PLANES = (1, 2, 3)


def platform_of(path: str) -> PlatformName | None:
    """Return the platform in a thumbnail's path, or None."""
    slug = path.removeprefix(PREFIX).split("/", 1)[0]
    return next((platform for platform in PlatformName if platform.slug == slug), None)


def thumbnail_id(path: str) -> str:
    """Return the id in a thumbnail's path."""
    return path.rsplit("/", 1)[-1].removesuffix(".jpg")


def thumbnail(request: HttpRequest, platform: PlatformName, now: datetime) -> HttpResponse:
    """Return a video's thumbnail, or 403 after a signed URL (TikTok, Instagram) has expired."""
    if platform is not PlatformName.YOUTUBE:
        expires = request.query.get("expires", "")
        if not expires.isdigit() or now.timestamp() >= int(expires):
            return HttpResponse(403, b"URL signature expired", "text/plain")
    return HttpResponse(200, jpeg(thumbnail_id(request.path)), JPEG_TYPE)


def faulty_thumbnail(kind: FaultKind, request: HttpRequest, redirect_target: str) -> HttpResponse | None:
    """Return the response to a fault that thumbnails handle in their own way; None for other kinds of faults."""
    if kind is FaultKind.NOT_FOUND:
        return HttpResponse(404, b"Not Found", "text/plain")
    if kind is FaultKind.REDIRECT:
        return HttpResponse(302, b"", "text/plain", (("location", redirect_target),))
    if kind is FaultKind.REDIRECT_LOOP:
        return HttpResponse(302, b"", "text/plain", (("location", f"{request.path}?{request.query_string}"),))
    if kind is FaultKind.HUGE_BODY:
        return HttpResponse(200, jpeg(thumbnail_id(request.path)), JPEG_TYPE)
    return None


def jpeg(text: str) -> bytes:
    """Return a JPEG of 160 x 88 pixels whose colour and comment depend on the text."""
    bits = hash_bits("thumbnail", text)
    tables = b"".join(
        _segment(0xDB, bytes((plane, 1 + (bits >> 8 * plane) % 200)) + b"\x01" * 63) for plane in range(len(_PLANES))
    )
    return b"\xff\xd8" + _JFIF + _segment(0xFE, text.encode()) + tables + _FRAME + _HUFFMAN + _scan(bits >> 32)


def _segment(code: int, payload: bytes) -> bytes:
    return pack(">BBH", 0xFF, code, len(payload) + 2) + payload


def _scan(signs: int) -> bytes:
    """Return the scan: each plane's first block codes its level (`10`, three bits for ±4, `0`), every other `00`."""
    first = "".join("10" + ("100" if signs >> plane & 1 else "011") + "0" for plane in range(len(_PLANES)))
    coded = first + "00" * (len(_PLANES) * (_BLOCKS - 1))
    coded += "1" * (-len(coded) % 8)
    header = bytes((len(_PLANES),)) + b"".join(bytes((plane, 0)) for plane in _PLANES) + b"\x00\x3f\x00"
    return _segment(0xDA, header) + int(coded, 2).to_bytes(len(coded) // 8) + b"\xff\xd9"


_JFIF = _segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")
_FRAME = _segment(
    0xC0,
    pack(">BHHB", 8, _HEIGHT, _WIDTH, len(_PLANES)) + b"".join(bytes((plane, 0x11, plane - 1)) for plane in _PLANES),
)
_HUFFMAN = _segment(0xC4, b"\x00" + bytes((1, 1)) + bytes(14) + b"\x00\x03") + _segment(
    0xC4, b"\x10" + bytes((1,)) + bytes(15) + b"\x00"
)
