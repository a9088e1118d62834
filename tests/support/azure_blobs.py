"""Loopback server of Azure's blob storage: uploads, downloads, lists and deletes blobs.

Source of the requests: Azure's REST reference of "Put Blob", "Put Block", "Get Blob", "Delete Blob" and "List Blobs".
Signatures are not checked.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

ACCOUNT = "invented"
KEY = "aW52ZW50ZWQga2V5"


class AzureBlobServer:
    """The server; `blobs` has the stored contents by path, without account."""

    def __init__(self) -> None:
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self.blobs = self._http.blobs

    @property
    def connection_string(self) -> str:
        """Connection string of the account, as Azure's portal shows it."""
        endpoint = f"http://127.0.0.1:{self._http.server_port}/{ACCOUNT}"
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self.blobs: dict[str, bytes] = {}
        self.blocks: dict[str, bytes] = {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_PUT(self) -> None:
        path, operation = self._target()
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if operation == "block":
            self.server.blocks[path] = self.server.blocks.get(path, b"") + content
        elif operation == "blocklist":
            self.server.blobs[path] = self.server.blocks.pop(path, b"")
        else:
            self.server.blobs[path] = content
        self._respond(201)

    def do_GET(self) -> None:
        path, operation = self._target()
        if operation == "list":
            self._respond(200, self._list(path).encode())
        elif path in self.server.blobs:
            self._respond(206 if self.headers.get("x-ms-range") else 200, self.server.blobs[path])
        else:
            self._respond(404)

    def do_DELETE(self) -> None:
        path, _ = self._target()
        self._respond(202 if self.server.blobs.pop(path, None) is not None else 404)

    def do_HEAD(self) -> None:
        path, _ = self._target()
        if path in self.server.blobs:
            self._respond(200, self.server.blobs[path])
        else:
            self._respond(404)

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _target(self) -> tuple[str, str]:
        address = urlsplit(self.path)
        operation = parse_qs(address.query).get("comp", [""])[0]
        return address.path.removeprefix(f"/{ACCOUNT}/"), operation

    def _list(self, container: str) -> str:
        query = parse_qs(urlsplit(self.path).query)
        prefix = query.get("prefix", [""])[0]
        names = [
            path.removeprefix(f"{container}/")
            for path in sorted(self.server.blobs)
            if path.startswith(f"{container}/{prefix}")
        ]
        blobs = "".join(
            f"<Blob><Name>{escape(name)}</Name><Properties><Content-Length>"
            f"{len(self.server.blobs[f'{container}/{name}'])}</Content-Length></Properties></Blob>"
            for name in names
        )
        return f'<?xml version="1.0"?><EnumerationResults><Blobs>{blobs}</Blobs><NextMarker/></EnumerationResults>'

    def _respond(self, status: int, content: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("ETag", '"0x1"')
        self.send_header("Content-Type", "application/xml" if content.startswith(b"<?xml") else "image/jpeg")
        if status == 206:
            self.send_header("Content-Range", f"bytes 0-{max(len(content) - 1, 0)}/{len(content)}")
        if status == 404:
            self.send_header("x-ms-error-code", "BlobNotFound")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
