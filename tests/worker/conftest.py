"""Fixtures of the merge worker's tests: logmerge-worker on a test's own buckets, and what it is asked for."""

import json
import uuid

import pytest
import redis

from dev.servers import wait_for
from tests.harness.buckets import Buckets
from tests.worker.gate import Gate

WAIT = 180


def s3_environment(url, buckets, **more):
    """What a merge worker must know of S3."""
    return {"AWS_ENDPOINT_URL_S3": url, "AWS_ACCESS_KEY_ID": "minio", "AWS_SECRET_ACCESS_KEY": "minio123",
            "SOURCE_BUCKET": buckets.logs, "MERGED_BUCKET": buckets.merged, **more}


@pytest.fixture
def merge_worker(worker, s3_server, buckets):
    """merge_worker(*options, env=..., s3=URL, ...): a logmerge-worker with one child that is ready."""
    def start(*options, env=None, s3=None, buckets=buckets, concurrency=1, **more):
        settings = s3_environment(s3 or s3_server.url, buckets, **(env or {}))
        return worker("--concurrency", concurrency, *options, name="logmerge-worker", env=settings, **more)

    return start


@pytest.fixture
def merge(app):
    """merge(start, end): the result of one merge, as a Python client gets it."""
    def run(start="2019-08-17", end="2019-08-19", **more):
        return app.send_task("merge_s3_files", [start, end], **more).get(timeout=WAIT)

    return run


@pytest.fixture
def gate():
    """gate(server, allowance): a gate before an S3 server; opened and gone after the test."""
    made = []

    def make(server, allowance):
        made.append(Gate(server.port, allowance))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def make_buckets():
    """make_buckets(server): a pair of buckets on a server of the test's own."""
    return lambda server: Buckets(server.data, uuid.uuid4().hex[:12])


class States:
    """All states of a task as they are stored, from a subscription that began before the task was sent."""

    def __init__(self, url, task_id):
        self.connection = redis.Redis.from_url(url)
        self.channel = self.connection.pubsub(ignore_subscribe_messages=True)
        self.channel.subscribe(f"celery-task-meta-{task_id}")
        wait_for(lambda: self.connection.pubsub_numsub(f"celery-task-meta-{task_id}")[0][1] == 1,
                 "the subscription")

    def until_ready(self):
        """The stored objects in order, up to the one that ends the task."""
        seen = []

        def ended():
            message = self.channel.get_message(timeout=0.2)
            if message is not None:
                seen.append(json.loads(message["data"]))
            return seen and seen[-1]["status"] in ("SUCCESS", "FAILURE", "REVOKED")

        wait_for(ended, "the task's end", WAIT)
        self.channel.close()
        self.connection.close()
        return seen


@pytest.fixture
def states(redis_url):
    """states(task_id): call it before the task is sent."""
    return lambda task_id: States(redis_url, task_id)
