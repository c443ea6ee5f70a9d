"""A task that rejects its message may say why, as with Celery's Reject(reason, requeue): side by side."""

import json

import pytest
import redis
from celery.exceptions import Reject

from dev.servers import wait_for
from tests.celery.worker_tool import wait_until_empty

TIMEOUT = 120


@pytest.fixture(params=["c", "python"])
def one(request, worker, python_worker):
    return worker("--loglevel", "INFO") if request.param == "c" else python_worker()


@pytest.mark.parametrize("reason", ["it's not mine", None])
def test_the_reason_is_stored_logged_and_told(one, app, rabbitmq, vhost, redis_url, reason):
    result = app.send_task("demo.reject_late", kwargs={"reason": reason} if reason else {})
    with pytest.raises(Reject) as raised:
        result.get(timeout=TIMEOUT)
    assert raised.value.args == (reason, False)
    with redis.Redis.from_url(redis_url) as store:
        stored = json.loads(store.get(f"celery-task-meta-{result.id}"))
    assert stored["status"] == "FAILURE"
    assert stored["result"] == {"exc_type": "Reject", "exc_message": [reason, False],
                                "exc_module": "celery.exceptions"}
    line = f"Task demo.reject_late[{result.id}] reject requeue=False: {reason}"
    wait_for(lambda: line in one.log(), "the reason in its log", TIMEOUT)
    wait_until_empty(rabbitmq, vhost)


def test_what_goes_back_to_the_queue_says_why_too(one, app):
    result = app.send_task("demo.reject_first", ("busy",))
    assert result.get(timeout=TIMEOUT) == "busy"
    line = f"Task demo.reject_first[{result.id}] reject requeue=True: busy"
    wait_for(lambda: line in one.log(), "the reason in its log", TIMEOUT)
