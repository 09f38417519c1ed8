"""A real S3 server on loopback that can be stopped and started again with all that it had."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Any

import boto3
from brokers import free_port
from moto.server import ThreadedMotoServer

BUCKET = "pictures"
# Any are right for this server; obstore and boto3 read them where they read those of AWS.
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


class S3Server:
    """moto's server, with one bucket.  Its objects are in the memory of the tests, so they outlive the listening."""

    url = f"s3://{BUCKET}/some/jobs"

    def __init__(self) -> None:
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._server: ThreadedMotoServer | None = None

    def start(self) -> None:
        """Begin to listen."""
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self.port, verbose=False)
        self._server.start()

    def stop(self) -> None:
        """Nobody listens any more."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def names(self) -> list[str]:
        """Of all objects."""
        return sorted(each["Key"] for each in self._client().list_objects_v2(Bucket=BUCKET).get("Contents", []))

    def empty(self) -> None:
        """No object of an earlier test is left."""
        client = self._client()
        for name in self.names():
            client.delete_object(Bucket=BUCKET, Key=name)

    def put(self, name: str, data: bytes) -> None:
        """An object."""
        self._client().put_object(Bucket=BUCKET, Key=name, Body=data)

    def delete(self, name: str) -> None:
        """It is gone, if it was there."""
        self._client().delete_object(Bucket=BUCKET, Key=name)

    def make_bucket(self) -> None:
        """As whoever sets up a store does."""
        self._client().create_bucket(Bucket=BUCKET)

    def _client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def __enter__(self) -> S3Server:
        self.start()
        self.make_bucket()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
