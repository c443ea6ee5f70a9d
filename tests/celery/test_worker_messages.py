"""What is no task, or none that can be run, is disposed of as Celery disposes of it; the worker goes on."""

import json
import zlib

import pytest

from dev.servers.process import wait_for
from tests.celery.worker_tool import depth, publish, wait_until_empty

TIMEOUT = 120
BODY = json.dumps([[1, 2], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])


def headers(**changes):
    """Those of a good message for demo.add, with changes; None takes one out."""
    made = {"lang": "py", "task": "demo.add", "id": "11111111-2222-4333-8444-555555555555", "root_id": None,
            "parent_id": None, "group": None, "retries": 0, "eta": None, "expires": None,
            "timelimit": [None, None],
            "argsrepr": "(1, 2)", "kwargsrepr": "{}", "origin": "test", **changes}
    return {key: value for key, value in made.items() if value is not ...}


ACKNOWLEDGED, REJECTED = 0, 1
CASES = {
    "a body that is no JSON": (ACKNOWLEDGED, dict(body="{", headers=headers())),
    "a body that does not decompress": (ACKNOWLEDGED, dict(
        body=b"not zlib", content_encoding="binary", headers=headers(compression="application/x-gzip"))),
    "a content type that is not accepted": (REJECTED, dict(body=b"\x80\x04.", content_encoding="binary",
                                                           content_type="application/x-python-serialize",
                                                           headers=headers())),
    "no headers and no body of a task": (REJECTED, dict(body="{}", headers={})),
    "a body of another shape": (REJECTED, dict(body="[[1], {}]", headers=headers())),
    "a body that is null": (REJECTED, dict(body="null", headers=headers())),
    "no id": (REJECTED, dict(body=BODY, headers=headers(id=...))),
    "an ETA that is none": (REJECTED, dict(body=BODY, headers=headers(eta="soon"))),
    "an expiry that is none": (REJECTED, dict(body=BODY, headers=headers(expires="later"))),
}


@pytest.fixture
def dead_letters(rabbitmq, vhost):
    """What is rejected from `celery` goes to the queue `dead`, what is acknowledged does not."""
    rabbitmq.api("PUT", f"queues/{vhost}/dead", {"durable": True})
    rabbitmq.api("PUT", f"policies/{vhost}/dead", {
        "pattern": "^celery$", "apply-to": "queues",
        "definition": {"dead-letter-exchange": "", "dead-letter-routing-key": "dead"}})


@pytest.mark.parametrize("case", CASES)
def test_a_bad_message_is_disposed_of_as_celery_does(case, worker, app, broker_url, rabbitmq, vhost,
                                                     dead_letters):
    one = worker()
    dead, message = CASES[case]
    message = {"content_type": "application/json", "content_encoding": "utf-8", **message}
    body = message.pop("body")
    publish(broker_url, body, **message)
    assert app.send_task("demo.add", (1, 2)).get(timeout=TIMEOUT) == 3
    wait_until_empty(rabbitmq, vhost)
    wait_for(lambda: depth(rabbitmq, vhost, "dead") == dead, f"{dead} dead letters", TIMEOUT)
    assert one.process.is_running()
    assert app.send_task("demo.add", (1, 2)).get(timeout=TIMEOUT) == 3


def test_an_unknown_task_is_rejected(worker, app, broker_url, rabbitmq, vhost, dead_letters):
    worker()
    app.send_task("demo.no_such_task")
    wait_for(lambda: depth(rabbitmq, vhost, "dead") == 1, "it is a dead letter", TIMEOUT)
    wait_until_empty(rabbitmq, vhost)


def test_a_compressed_body_is_read(worker, app, broker_url):
    worker()
    made = headers(compression="application/x-gzip", id="66666666-2222-4333-8444-555555555555")
    publish(broker_url, zlib.compress(BODY.encode()), content_type="application/json",
            content_encoding="utf-8", headers=made)
    assert app.AsyncResult(made["id"]).get(timeout=TIMEOUT) == 3


def test_a_message_of_protocol_1_is_served(worker, app, broker_url):
    worker()
    body = {"task": "demo.add", "id": "77777777-2222-4333-8444-555555555555", "args": [1, 2], "kwargs": {},
            "retries": 0, "eta": None, "expires": None, "utc": True, "callbacks": None, "errbacks": None,
            "timelimit": [None, None], "taskset": None, "chord": None}
    publish(broker_url, json.dumps(body), content_type="application/json", content_encoding="utf-8")
    assert app.AsyncResult(body["id"]).get(timeout=TIMEOUT) == 3
