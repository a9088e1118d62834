"""Thumbnails in S3, Google Cloud Storage and Azure: loopback servers, and the packages of requirements.txt alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial

import pytest
from airflow.sdk.io import store as attached_stores
from gcp_storage_emulator.server import create_server
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

from blogger_tracking.domain.errors import ConfigurationError, StorageError
from blogger_tracking.orchestration import object_storage
from blogger_tracking.orchestration.thumbnail_store import thumbnail_store
from devtools.local_stack.config import PROJECT_ROOT
from tests.support.azure_blobs import AzureBlobServer
from tests.support.silent_server import SilentServer

THUMBNAIL = b"\xff\xd8\xff thumbnail"
SECRET = "c2VjcmV0"  # noqa: S105 - of these tests alone
PATIENCE_SECONDS = 20
"""Less than the libraries' own repetitions take."""


@pytest.fixture(autouse=True)
def _no_other_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attached_stores, "_STORE_CACHE", {})


@contextmanager
def _s3_connection() -> Generator[dict[str, object]]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        files = S3FileSystem(key="invented", secret=SECRET, endpoint_url=endpoint)
        # The stand-in keeps its buckets for the life of this process.
        if not files.exists("thumbnails"):
            files.mkdir("thumbnails")
        yield {"conn_type": "generic", "login": "invented", "password": SECRET, "host": endpoint}
    finally:
        server.stop()


@contextmanager
def _gs_connection() -> Generator[dict[str, object]]:
    server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="thumbnails")
    server.start()
    try:
        host, port = server._api._httpd.server_address  # noqa: SLF001 - the emulator has no other way to name its port
        yield {"conn_type": "generic", "host": f"http://{host}:{port}", "extra": {"token": "anon"}}
    finally:
        server.stop()


@contextmanager
def _abfs_connection() -> Generator[dict[str, object]]:
    with AzureBlobServer() as server:
        yield {"conn_type": "generic", "extra": {"connection_string": server.connection_string}}


CONNECTIONS = {"s3": _s3_connection, "gs": _gs_connection, "abfs": _abfs_connection}


@pytest.mark.parametrize("scheme", CONNECTIONS)
def test_a_thumbnail_is_stored_through_the_connection_in_the_address(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CONNECTIONS[scheme]() as connection:
        monkeypatch.setenv("AIRFLOW_CONN_THUMBNAILS", json.dumps(connection))
        monkeypatch.setenv("BLOGGER_TRACKING_THUMBNAIL_STORAGE", f"{scheme}://thumbnails@thumbnails/small")
        store = thumbnail_store()
        store.require_reachable()
        store.write("youtube/abc.jpg", b"older")
        path = store.write("youtube/abc.jpg", THUMBNAIL)
        written = store._root / "youtube" / "abc.jpg"  # noqa: SLF001 - reads through the same Connection

        assert written.read_bytes() == THUMBNAIL
        assert path == str(written)
        assert SECRET not in path
        for _ in range(2):
            store.remove(path)
        written.fs.invalidate_cache()
        assert not written.exists()


def test_a_bucket_that_does_not_exist_is_not_created(monkeypatch: pytest.MonkeyPatch) -> None:
    with _s3_connection() as connection:
        monkeypatch.setenv("AIRFLOW_CONN_THUMBNAILS", json.dumps(connection))
        monkeypatch.setenv("BLOGGER_TRACKING_THUMBNAIL_STORAGE", "s3://thumbnails@misspelt/small")
        with pytest.raises(
            StorageError, match=r"^youtube/abc\.jpg was not written to s3://thumbnails@misspelt/small: "
        ):
            thumbnail_store().write("youtube/abc.jpg", THUMBNAIL)


SILENT: dict[str, Callable[[str], dict[str, object]]] = {
    "s3": lambda url: {"login": "invented", "password": SECRET, "host": url},
    "gs": lambda url: {"host": url, "extra": {"token": "anon"}},
    "abfs": lambda url: {
        "extra": {
            "connection_string": f"DefaultEndpointsProtocol=http;AccountName=invented;AccountKey={SECRET};"
            f"BlobEndpoint={url}/invented;"
        }
    },
}
"""The Connection of each storage to a server that never answers."""


@pytest.mark.parametrize("scheme", SILENT)
def test_a_storage_that_never_answers_is_given_up_in_the_stated_time(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_storage, "CALL_SECONDS", 1)
    with SilentServer() as server:
        monkeypatch.setenv(
            "AIRFLOW_CONN_THUMBNAILS", json.dumps({"conn_type": "generic", **SILENT[scheme](server.url)})
        )
        monkeypatch.setenv("BLOGGER_TRACKING_THUMBNAIL_STORAGE", f"{scheme}://thumbnails@thumbnails/small")
        store = thumbnail_store()
        for call in (
            partial(store.write, "youtube/abc.jpg", THUMBNAIL),
            partial(store.read, f"{store}/youtube/abc.jpg"),
            partial(store.remove, f"{store}/youtube/abc.jpg"),
            store.require_reachable,
        ):
            begin = time.monotonic()
            with pytest.raises(StorageError, match="FSTimeoutError"):
                call()
            assert time.monotonic() - begin < PATIENCE_SECONDS
        assert server.connections > 0


@pytest.mark.parametrize(
    ("address", "connection", "reason"),
    [
        ("ftp://host/thumbnails", {}, r"ftp://\. Nothing was stored\. Use file, s3, gs or abfs\."),
        ("s3://thumbnails@bucket", None, "no Airflow Connection"),
        (
            "s3://thumbnails@bucket",
            {"extra": {"use_ssl": True, "key": SECRET, "username": SECRET}},
            "KeyError",
        ),
        ("abfs://thumbnails@bucket", {"extra": {"connection_string": SECRET}}, "ValueError"),
    ],
)
def test_a_storage_that_cannot_be_used_is_an_error_without_secrets(
    address: str, connection: dict[str, object] | None, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection is not None:
        monkeypatch.setenv("AIRFLOW_CONN_THUMBNAILS", json.dumps({"conn_type": "generic", **connection}))
    monkeypatch.setenv("BLOGGER_TRACKING_THUMBNAIL_STORAGE", address)
    with pytest.raises(ConfigurationError, match=reason) as caught:
        thumbnail_store()
    assert SECRET not in str(caught.value)


def test_every_storage_is_a_requirement_of_the_image() -> None:
    shipped = (PROJECT_ROOT / "requirements.txt").read_text()

    assert [name for name in ("s3fs", "gcsfs", "adlfs") if f"\n{name}==" not in shipped] == []
