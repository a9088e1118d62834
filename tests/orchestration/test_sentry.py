"""Events that are sent to Sentry, and data that is never sent."""

from __future__ import annotations

import logging
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
import requests
import sentry_sdk

from blogger_tracking.domain.alerts import alerts
from blogger_tracking.orchestration import connected_services, process_cache, sentry
from blogger_tracking.orchestration.error_reporting import sentry_running
from blogger_tracking.orchestration.process_cache import clear_process_cache
from blogger_tracking.orchestration.sentry import FLUSH_SECONDS, ensure_sentry, flush_sentry, start_sentry
from blogger_tracking.redaction import forget_secrets
from tests.support.scripted_server import Scripted, ScriptedServer
from tests.support.sentry_receiver import DSN_KEY, SentryReceiver
from tests.support.silent_server import SilentServer

logger = logging.getLogger("blogger_tracking.any")

NEVER_SENT = ('"abs_path"', '"sys.argv":', "--password=x", sys.prefix, str(Path.cwd()))


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[SentryReceiver]:
    monkeypatch.delenv("AIRFLOW_CONN_SENTRY", raising=False)
    clear_process_cache()
    with SentryReceiver() as receiver:
        yield receiver
    clear_process_cache()
    forget_secrets()


@pytest.fixture
def started(receiver: SentryReceiver) -> SentryReceiver:
    assert start_sentry(receiver.dsn)
    return receiver


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The clock of the process cache, in seconds: a test sets `later.now`."""
    clock = SimpleNamespace(now=1000.0)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(process_cache, "time", clock)
    monkeypatch.setattr(sentry, "time", clock)
    return clock


def set_connection(monkeypatch: pytest.MonkeyPatch, dsn: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SENTRY", f'{{"conn_type": "generic", "password": "{dsn}"}}')


def test_an_alert_is_sent_and_an_ordinary_warning_is_not(started: SentryReceiver) -> None:
    logging.getLogger("airflow.somewhere").warning("ordinary")
    alerts.warning("%s is suspended", "TikTok")
    flush_sentry()
    assert started.messages() == ["TikTok is suspended"]


def test_an_event_is_posted_to_the_project_of_the_dsn_with_its_key(started: SentryReceiver) -> None:
    logger.error("sent")
    flush_sentry()
    (request,) = started.requests
    assert request.path == "/api/1/envelope/"
    assert f"sentry_key={DSN_KEY}" in request.headers["X-Sentry-Auth"].replace(",", " ").split()


def test_an_alert_is_sent_once_however_often_sentry_is_started(started: SentryReceiver) -> None:
    start_sentry(started.dsn)
    alerts.warning("only once")
    flush_sentry()
    assert started.messages() == ["only once"]


def test_a_connection_that_appears_later_is_found_within_a_minute_and_looked_for_once_a_minute(
    receiver: SentryReceiver, monkeypatch: pytest.MonkeyPatch, later: SimpleNamespace
) -> None:
    looked: list[str] = []
    find = connected_services.find_connection

    def look(connection_id: str) -> object:
        looked.append(connection_id)
        return find(connection_id)

    monkeypatch.setattr(connected_services, "find_connection", look)
    for _ in range(100):
        ensure_sentry()
    assert len(looked) == 1
    set_connection(monkeypatch, receiver.dsn)
    later.now += 59
    ensure_sentry()
    logger.error("not yet")
    later.now += 1
    ensure_sentry()
    logger.error("sent")
    flush_sentry()
    assert receiver.messages() == ["sent"]
    later.now += 3600
    ensure_sentry()
    assert len(looked) == 2, "a process that has started Sentry looks no more"


def test_a_secrets_backend_that_raises_does_not_end_a_fetch(
    receiver: SentryReceiver, monkeypatch: pytest.MonkeyPatch, later: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(connection_id: str) -> None:
        raise PermissionError(connection_id)

    find = connected_services.find_connection
    monkeypatch.setattr(connected_services, "find_connection", refuse)
    ensure_sentry()
    assert "was not read (PermissionError)" in caplog.text
    monkeypatch.setattr(connected_services, "find_connection", find)
    set_connection(monkeypatch, receiver.dsn)
    later.now += 60
    ensure_sentry()
    logger.error("sent")
    flush_sentry()
    assert receiver.messages() == ["sent"]


def test_a_password_that_is_no_dsn_does_not_end_a_fetch_and_is_not_logged(
    receiver: SentryReceiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    del receiver
    set_connection(monkeypatch, "very-secret")
    ensure_sentry()
    assert "is not a DSN" in caplog.text
    assert "very-secret" not in caplog.text
    assert not sentry_sdk.get_client().is_active()


def test_an_endpoint_that_accepts_and_never_answers_delays_a_task_by_no_more_than_the_stated_time(
    receiver: SentryReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SilentServer() as silent:
        set_connection(monkeypatch, receiver.dsn.replace(str(receiver.port), silent.url.rpartition(":")[2]))
        begin = time.monotonic()
        with sentry_running():
            logger.error("not answered")
        seconds = time.monotonic() - begin
        assert silent.connections == 1
    # More than the stated time, because the machine may be busy; the SDK gives up its request after 30 s.
    assert seconds < 3 * FLUSH_SECONDS


def test_one_process_sends_one_event_for_each_cause_in_an_hour(started: SentryReceiver, later: SimpleNamespace) -> None:
    for blogger in range(300):
        logger.error("The instance of @%s failed.", blogger, exc_info=ValueError(blogger))
    logger.error("The instance of @%s failed.", "x", exc_info=TypeError("another cause"))
    for platform in ("TikTok", "YouTube", "TikTok"):
        logger.error("%s failed.", platform, extra={"fingerprint": ("failed", platform)})
    flush_sentry()
    assert started.messages() == [
        "The instance of @0 failed.",
        "The instance of @x failed.",
        "TikTok failed.",
        "YouTube failed.",
    ]
    assert [event.get("fingerprint") for event in started.events()][2:] == [["failed", "TikTok"], ["failed", "YouTube"]]
    later.now += 3600
    logger.error("The instance of @%s failed.", "later", exc_info=ValueError())
    flush_sentry()
    assert started.messages()[4:] == ["The instance of @later failed."]


def test_every_suspension_is_an_event_also_the_second_within_the_hour(started: SentryReceiver) -> None:
    for until in ("12:00", "12:15"):
        alerts.warning("%s is suspended until %s.", "TikTok", until, extra={"fingerprint": ("suspended", "TikTok")})
    flush_sentry()
    assert len(started.messages()) == 2
    assert {tuple(event["fingerprint"]) for event in started.events()} == {("suspended", "TikTok")}


def test_an_alert_without_a_rule_of_its_own_is_one_event_in_an_hour(
    started: SentryReceiver, later: SimpleNamespace
) -> None:
    for media_id in range(300):
        alerts.warning("Skipped the video %s.", media_id)
    flush_sentry()
    assert started.messages() == ["Skipped the video 0."]
    later.now += 3600
    alerts.warning("Skipped the video %s.", "later")
    flush_sentry()
    assert started.messages()[1:] == ["Skipped the video later."]


def test_local_variables_command_lines_and_addresses_of_requests_are_never_sent(
    started: SentryReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, argument, signature = str(uuid4()), str(uuid4()), str(uuid4())
    monkeypatch.setattr(sys, "argv", ["airflow", f"--password={argument}"])
    with ScriptedServer() as host:
        host.play(Scripted({}))
        requests.get(f"{host.url}/thumbnail?signature={signature}", timeout=10)

    def fail() -> None:
        api_key = secret
        raise ValueError(len(api_key))

    try:
        fail()
    except ValueError:
        logger.exception("it failed")
    flush_sentry()
    assert "it failed" in started.text()
    assert not [each for each in (secret, argument, signature) if each in started.text()]


def test_no_variant_of_a_password_of_a_connection_is_sent(
    started: SentryReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = str(uuid4())
    monkeypatch.setenv("AIRFLOW_CONN_TIKTOK_API", f'{{"conn_type": "http", "password": "{password}"}}')
    connected_services.get_connection("tiktok_api")
    logger.info("before: %s", password)
    try:
        int(f"{password.upper()} and {password[:11]}")
    except ValueError:
        logger.exception("Failed with %s.", password, extra={"basic": b64encode(f"u:{password}".encode()).decode()})
    flush_sentry()
    sent = started.text()
    assert "Failed with ***." in sent
    assert "*** and ***" in sent
    assert not [piece for piece in (password[:11], password.upper()[:11]) if piece in sent]
    assert b64encode(f"u:{password}".encode()).decode()[6:16] not in sent


def test_paths_of_the_host_and_the_command_line_are_not_sent(started: SentryReceiver) -> None:
    try:
        Path(sys.prefix, "missing").read_bytes()
    except FileNotFoundError:
        logger.exception("Failed in %s.", Path(sentry.__file__), extra={"sys.argv": ["airflow", "--pass" + "word=x"]})
    flush_sentry()
    assert "Failed in blogger_tracking/orchestration/sentry.py." in started.text()
    assert not [each for each in NEVER_SENT if each in started.text()]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("not written to file:///data/thumbnails: full", "not written to thumbnails: full"),
        ("sqlite:////srv/state/airflow.db is locked", "airflow.db is locked"),
        ("denied: '/mnt/a disk/of ours/x.jpg'", "denied: 'x.jpg'"),
        ("PosixPath('/data/thumbnails/')", "PosixPath('thumbnails/')"),
        ("path=/data/a/x.jpg, and /data/b/y.jpg", "path=x.jpg, and y.jpg"),
        ("/data/one", "one"),
        ("https://example.org/a/b?next=/c/d failed", "https://example.org/a/b?next=/c/d failed"),
        ("s3://connection@bucket/folder/x.jpg", "s3://connection@bucket/folder/x.jpg"),
        ("POST /blogger/add, then GET /ui/dags/x", "POST /blogger/add, then GET /ui/dags/x"),
        ("/blogger/add and /api/v2/dags failed", "/blogger/add and /api/v2/dags failed"),
        ("api/user/info: 3/4 of and/or/both", "api/user/info: 3/4 of and/or/both"),
    ],
)
def test_of_a_path_of_the_host_only_the_last_part_is_sent(started: SentryReceiver, text: str, sent: str) -> None:
    logger.error("%s", text)
    flush_sentry()
    assert started.messages() == [sent]


def test_a_file_of_an_error_is_sent_without_its_folders(started: SentryReceiver) -> None:
    logger.error("failed", exc_info=PermissionError(13, "Permission denied", "/data/thumbnails/x.jpg"))
    flush_sentry()
    assert "Permission denied: 'x.jpg'" in started.text()
    assert "/data" not in started.text()


def test_without_a_dsn_sentry_is_not_initialised() -> None:
    assert not start_sentry(None)
    assert not sentry_sdk.get_client().is_active()


@pytest.mark.usefixtures("started")
def test_outgoing_requests_have_no_headers_of_sentry() -> None:
    with ScriptedServer() as host:
        host.play(Scripted({}))
        requests.get(host.url, timeout=10)
    assert not {"sentry-trace", "baggage"} & set(host.asked[0].headers)
