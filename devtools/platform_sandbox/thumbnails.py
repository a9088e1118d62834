"""Pictures: a small JPEG of one colour for each video, and addresses where something else is found.

The JPEG's coded data never changes. Its quantization tables hold the colour (each plane has one DC coefficient of ±4,
which the table multiplies), so that a picture costs a few bytes of copying.
"""

from __future__ import annotations

from datetime import datetime
from struct import pack

from devtools.platform_sandbox.faults import FaultKind
from devtools.platform_sandbox.identifiers import roll
from devtools.platform_sandbox.messages import Request, Response
from devtools.platform_sandbox.platforms import Platform

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
"""Ids whose address is wrong in a way of its own, on every platform."""

_WIDTH, _HEIGHT = 160, 88
_BLOCKS = (_WIDTH // 8) * (_HEIGHT // 8)
_PLANES = (1, 2, 3)


def platform_of(path: str) -> Platform | None:
    """The platform in a thumbnail's path."""
    slug = path.removeprefix(PREFIX).split("/", 1)[0]
    return next((platform for platform in Platform if platform.slug == slug), None)


def picture_id(path: str) -> str:
    """The id in a thumbnail's path."""
    return path.rsplit("/", 1)[-1].removesuffix(".jpg")


def thumbnail(request: Request, platform: Platform, now: datetime) -> Response:
    """A video's picture; 403 once a signed address (TikTok, Instagram) has expired."""
    if platform is not Platform.YOUTUBE:
        expires = request.query.get("expires", "")
        if not expires.isdigit() or now.timestamp() >= int(expires):
            return Response(403, b"URL signature expired", "text/plain")
    return Response(200, jpeg(picture_id(request.path)), JPEG_TYPE)


def wrong_thumbnail(kind: FaultKind, request: Request, redirect_target: str) -> Response | None:
    """What is found instead of a picture; None for a fault that pictures do not have of their own."""
    if kind is FaultKind.NOT_FOUND:
        return Response(404, b"Not Found", "text/plain")
    if kind is FaultKind.REDIRECT:
        return Response(302, b"", "text/plain", (("location", redirect_target),))
    if kind is FaultKind.REDIRECT_LOOP:
        return Response(302, b"", "text/plain", (("location", f"{request.path}?{request.query_string}"),))
    if kind is FaultKind.HUGE_BODY:
        return Response(200, jpeg(picture_id(request.path)), JPEG_TYPE)
    return None


def jpeg(text: str) -> bytes:
    """A JPEG of 160 x 88 pixels whose colour and comment depend on the text."""
    bits = roll("picture", text)
    tables = b"".join(
        _segment(0xDB, bytes((plane, 1 + (bits >> 8 * plane) % 200)) + b"\x01" * 63) for plane in range(len(_PLANES))
    )
    return b"\xff\xd8" + _JFIF + _segment(0xFE, text.encode()) + tables + _FRAME + _HUFFMAN + _scan(bits >> 32)


def _segment(code: int, payload: bytes) -> bytes:
    return pack(">BBH", 0xFF, code, len(payload) + 2) + payload


def _scan(signs: int) -> bytes:
    """Each plane's first block sets its level (`10`, three bits for +4 or -4, `0`); all others keep it (`00`)."""
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
