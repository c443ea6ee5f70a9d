"""The tasks of the mixed cluster (test_mixed_cluster.py) for the genuine worker; in C: cluster_worker.c. Each
is there twice, acknowledged early and, as NAME_late, late. Each run is noted in a list in Redis, where the
results are."""

import json
import os
import time

import redis
from celery import Celery

BACKEND = os.environ.get("CELERY_RESULT_BACKEND")
app = Celery("cluster", broker=os.environ.get("CELERY_BROKER_URL"), backend=BACKEND)
app.conf.update(broker_connection_retry_on_startup=True)
_connections = []


def connection():
    """One for the process that runs the tasks, made by the first that needs it."""
    if not _connections:
        _connections.append(redis.Redis.from_url(BACKEND))
    return _connections[0]


def note(task):
    request = task.request
    connection().rpush("cluster-runs", json.dumps({
        "id": request.id, "name": task.name, "retries": request.retries, "parent_id": request.parent_id,
        "redelivered": request.delivery_info["redelivered"], "node": request.hostname,
        "life": os.environ["CLUSTER_LIFE"]}))


def add(self, x, y):
    note(self)
    return x + y


def total(self, numbers):
    note(self)
    return sum(numbers)


def fail(self, *args):
    note(self)
    raise ValueError("deliberate")


def again(self, x):
    """Is retried once."""
    note(self)
    if self.request.retries == 0:
        raise self.retry(countdown=1, max_retries=1)
    return x


def linger(self, x, key):
    """Goes on until there is such a key."""
    note(self)
    while not connection().exists(key):
        time.sleep(0.05)
    return x


for function in (add, total, fail, again, linger):
    app.task(function, name=f"cluster.{function.__name__}", bind=True)
    app.task(function, name=f"cluster.{function.__name__}_late", bind=True, acks_late=True)
