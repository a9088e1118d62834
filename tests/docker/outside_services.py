"""The services outside Compose that have a secret of the deployment: Sentry, the channel of alerts, object storage."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from dataclasses import dataclass

import boto3
import requests
from moto.server import ThreadedMotoServer

from tests.support.posted_bodies import PostedBodies
from tests.support.sentry_receiver import SentryReceiver

_USER = "blogger_tracking"
_ADMINISTRATOR = "administrator"
_NOTIFIER = "blogger_tracking.orchestration.webhook_notifier.WebhookNotifier"
_BUCKET = "thumbnails"
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@dataclass(frozen=True)
class OutsideSecrets:
    """One secret of each service. Each endpoint belongs to one secret, so that it tells who used which."""

    sentry: SentryReceiver
    channel: PostedBodies
    storage: str

    def values(self) -> dict[str, str]:
        """Return the variables of `.env`."""
        channel = {"conn_type": "http", "host": f"http://127.0.0.1:{self.channel.port}/services"}
        return {
            "SENTRY_CONNECTION": f"'{json.dumps({'conn_type': 'generic', 'password': self.sentry.dsn})}'",
            "ALERT_WEBHOOK_CONNECTION": f"'{json.dumps(channel)}'",
            "BLOGGER_TRACKING_ALERT_NOTIFIERS": f"'{json.dumps([{'classpath': _NOTIFIER}])}'",
            "THUMBNAIL_STORAGE_CONNECTION": f"'{self.storage}'",
            "BLOGGER_TRACKING_THUMBNAIL_STORAGE": f"s3://thumbnail_storage@{_BUCKET}/newest",
        }


class OutsideServices:
    """The services, with a secret of each before a rotation and another one after it."""

    def __init__(self) -> None:
        self._endpoints = ExitStack()
        self.storage = ObjectStorage()
        self.before = self._new_secrets()
        self.after = self._new_secrets()

    def _new_secrets(self) -> OutsideSecrets:
        sentry = self._endpoints.enter_context(SentryReceiver())
        channel = self._endpoints.enter_context(PostedBodies())
        return OutsideSecrets(sentry, channel, self.storage.new_connection())


class ObjectStorage:
    """S3 on the loopback interface that refuses unknown keys, with one user, whose keys can be created and deleted."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self._endpoint = f"http://{host}:{port}"
        # The library demands a key, which the server does not look at yet.
        os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
        users = boto3.client("iam", endpoint_url=self._endpoint)
        for name in (_USER, _ADMINISTRATOR):
            users.create_user(UserName=name)
            users.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(_EVERYTHING))
        key = users.create_access_key(UserName=_ADMINISTRATOR)["AccessKey"]
        credentials = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        self._users = boto3.client("iam", endpoint_url=self._endpoint, **credentials)
        self._objects = boto3.client("s3", endpoint_url=self._endpoint, **credentials)
        self._objects.create_bucket(Bucket=_BUCKET)
        # From now on every request needs a key that exists and a valid signature.
        requests.post(f"{self._endpoint}/moto-api/reset-auth", data="0", timeout=30).raise_for_status()

    def new_connection(self) -> str:
        """Create a key; return the Connection `thumbnail_storage` with it."""
        key = self._users.create_access_key(UserName=_USER)["AccessKey"]
        login = {"login": key["AccessKeyId"], "password": key["SecretAccessKey"]}
        return json.dumps({"conn_type": "generic", "host": self._endpoint, **login})

    def revoke(self, connection: str) -> None:
        """Delete the key of a Connection."""
        self._users.delete_access_key(UserName=_USER, AccessKeyId=json.loads(connection)["login"])

    def count(self) -> int:
        """Return the number of stored objects."""
        pages = self._objects.get_paginator("list_objects_v2").paginate(Bucket=_BUCKET)
        return sum(int(page["KeyCount"]) for page in pages)
