"""Notifier that posts alerts to a webhook, without a provider of Airflow."""

from __future__ import annotations

from collections.abc import Sequence

import requests
from airflow.sdk import BaseNotifier, Context

from blogger_tracking.bounded_responses import BoundedAdapter
from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.orchestration.connected_services import get_connection
from blogger_tracking.redaction import remember_secrets_in

TIMEOUT_SECONDS = 10
"""Time for the connection, and again for the status and the headers of the response."""


class WebhookNotifier(BaseNotifier):
    """Notifier that posts `{"text": …}` as JSON, the form that Slack, Mattermost and Rocket.Chat take.

    :param conn_id: Connection with the whole URL as its host, and optionally a bearer token as its password.
    :param text: template of the text; by default the message of the alert.
    """

    template_fields: Sequence[str] = ("text",)

    def __init__(self, conn_id: str = "alert_webhook", text: str = "{{ alert.message }}") -> None:
        super().__init__()
        self.conn_id = conn_id
        self.text = text

    def notify(self, context: Context) -> None:
        """Post the text. Raises ConfigurationError without the URL, which may be a secret."""
        del context
        connection = get_connection(self.conn_id)
        remember_secrets_in(connection.host or "")
        headers = {"Authorization": f"Bearer {connection.password}"} if connection.password else {}
        try:
            # No body is read, not even that of a redirect: it could be endless.
            with (
                _bounded_session() as session,
                session.post(
                    connection.host or "",
                    json={"text": self.text},
                    headers=headers,
                    timeout=TIMEOUT_SECONDS,
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                status = response.status_code
        except requests.RequestException as error:
            raise self._failure(type(error).__name__) from None
        if status >= requests.codes.multiple_choices:
            raise self._failure(f"HTTP {status}")

    def _failure(self, reason: str) -> ConfigurationError:
        return ConfigurationError(
            f"The webhook of the Connection {self.conn_id} did not accept the alert: {reason}. Correct the URL (host) "
            "or the token (password) of the Connection."
        )


def _bounded_session() -> requests.Session:
    session = requests.Session()
    session.mount("https://", BoundedAdapter())
    session.mount("http://", BoundedAdapter())
    return session
