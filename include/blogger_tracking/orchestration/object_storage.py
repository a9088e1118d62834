"""File systems of object storage for Airflow's ObjectStoragePath: `s3`, `gs` and `abfs`, from Airflow Connections.

The three are the fsspec file systems of requirements.txt. Airflow's own ones need the providers of Amazon, Google and
Microsoft, which install 200 further packages (2 GB) for one write of a file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from airflow.sdk import Connection, ObjectStoragePath
from airflow.sdk.io import attach, has_fs
from fsspec import AbstractFileSystem
from fsspec.asyn import sync

from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.orchestration.connected_services import get_connection

TIMEOUT_SECONDS = 30
"""Timeout of a request to object storage; a connection to the storage has half of that time."""

CALL_SECONDS = 60
"""Timeout of a call with all retries: the libraries send a request again for many minutes."""


def open_storage_path(url: str) -> ObjectStoragePath:
    """Return the path of a URL such as `s3://connection_id@bucket/folder` or `file:///folder`.

    The Connection's login, password and host are the account, its secret and another endpoint; its extras are further
    arguments of the file system, and take precedence. Without a Connection the cloud's own credentials are used: those
    of the environment, or of the machine.

    Raises ConfigurationError.
    """
    try:
        _attach_file_system(urlsplit(url))
        return ObjectStoragePath(url)
    except (ValueError, TypeError, KeyError) as error:
        # The text of the error is left out, because it may contain a secret.
        raise ConfigurationError(
            f"The setting thumbnail_storage cannot be used: {type(error).__name__}. Nothing was stored. Correct the "
            "address, or the extras of its Connection."
        ) from error


def call_storage(path: ObjectStoragePath, method: str, *arguments: object) -> Any:  # noqa: ANN401 - as the method returns
    """Call a method of the path's file system, such as `pipe_file`, with the path as its first argument.

    Raises FSTimeoutError after CALL_SECONDS, except for a local file system, and the errors of the storage's library.
    """
    files = path.fs
    if not files.async_impl:
        return getattr(files, method)(path.path, *arguments)
    # fsspec's asynchronous file systems have a coroutine `_method` for each method; the method itself has no timeout.
    return sync(files.loop, getattr(files, f"_{method}"), path.path, *arguments, timeout=CALL_SECONDS)


def _attach_file_system(address: SplitResult) -> None:
    if address.scheme not in _FILE_SYSTEMS and not has_fs(address.scheme):
        raise ConfigurationError(
            f"The setting thumbnail_storage names an unknown storage, {address.scheme}://. Nothing was stored. Use "
            "file, s3, gs or abfs."
        )
    if open_file_system := _FILE_SYSTEMS.get(address.scheme):
        connection_id = address.netloc.rpartition("@")[0] or None
        connection = get_connection(connection_id) if connection_id else None
        attach(address.scheme, connection_id, fs=open_file_system(connection))


def _s3(connection: Connection | None) -> AbstractFileSystem:
    from s3fs import S3FileSystem  # noqa: PLC0415 - only the storage in use is loaded

    timeouts = {"connect_timeout": TIMEOUT_SECONDS / 2, "read_timeout": TIMEOUT_SECONDS}
    names = {"login": "key", "password": "secret", "host": "endpoint_url"}
    return S3FileSystem(**{"config_kwargs": timeouts, **_arguments(connection, names)})


def _gs(connection: Connection | None) -> AbstractFileSystem:
    # The class that the package exports asks for the type of each bucket over gRPC first.
    from gcsfs.core import GCSFileSystem  # noqa: PLC0415 - only the storage in use is loaded

    return GCSFileSystem(**{"requests_timeout": TIMEOUT_SECONDS, **_arguments(connection, {"host": "endpoint_url"})})


def _abfs(connection: Connection | None) -> AbstractFileSystem:
    from adlfs import AzureBlobFileSystem  # noqa: PLC0415 - only the storage in use is loaded

    # Azure's client logs two entries of ten lines per request.
    logging.getLogger("azure").setLevel(logging.WARNING)
    timeouts = {"connection_timeout": TIMEOUT_SECONDS // 2, "read_timeout": TIMEOUT_SECONDS}
    names = {"login": "account_name", "password": "account_key", "host": "account_host"}
    return AzureBlobFileSystem(**{**timeouts, **_arguments(connection, names)})


_FILE_SYSTEMS: Mapping[str, Callable[[Connection | None], AbstractFileSystem]] = {"s3": _s3, "gs": _gs, "abfs": _abfs}


def _arguments(connection: Connection | None, names: Mapping[str, str]) -> dict[str, Any]:
    if connection is None:
        return {}
    fields = {argument: getattr(connection, name) for name, argument in names.items()}
    return {argument: value for argument, value in fields.items() if value} | connection.extra_dejson
