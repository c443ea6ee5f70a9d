"""A Python client and the C worker: values, failures, retries, times and limits come out as from Celery's
own worker."""

import time

import celery.exceptions
import pytest
from billiard.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded
from kombu import Queue

from dev.servers.process import wait_for
from tests.celery.worker_tool import wait_until_empty

TIMEOUT = 120


def stored(app, result):
    """The whole of what lies in Redis about it, once it is ready."""
    wait_for(result.ready, f"{result.id} is ready", TIMEOUT)
    return app.backend.get_task_meta(result.id)


def test_a_python_client_gets_what_a_c_task_returns(worker, app):
    worker()
    assert app.send_task("demo.add", (1, 2)).get(timeout=TIMEOUT) == 3
    assert app.send_task("demo.add", (), {"x": 40, "y": 2}).get(timeout=TIMEOUT) == 42


def test_a_thousand_tasks_all_come_back_with_their_own_result(worker, app):
    worker("--concurrency", 2, "--prefetch-multiplier", 16)
    results = [app.send_task("demo.add", (number, number)) for number in range(1000)]
    assert [result.get(timeout=TIMEOUT) for result in results] == [2 * number for number in range(1000)]


def test_a_failure_is_raised_as_python_s_own_exception(worker, app):
    worker()
    with pytest.raises(ValueError, match="deliberate"):
        app.send_task("demo.fail").get(timeout=TIMEOUT)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'y'"):
        app.send_task("demo.add", (1,)).get(timeout=TIMEOUT)


def test_a_stored_failure_has_celery_s_fields(worker, app):
    worker()
    meta = stored(app, app.send_task("demo.fail"))
    assert meta["status"] == "FAILURE"
    assert isinstance(meta["result"], ValueError)
    assert "ValueError: deliberate" in meta["traceback"]
    assert meta["children"] == [] and meta["date_done"] is not None


def test_a_retry_runs_again_under_the_same_id(worker, app):
    worker()
    assert app.send_task("demo.retry", (2,)).get(timeout=TIMEOUT) == "retry 2"
    assert app.send_task("demo.retry_late", (2,)).get(timeout=TIMEOUT) == "retry 2"


def test_a_task_that_asks_for_more_retries_than_it_has_fails(worker, app):
    worker()
    with pytest.raises(celery.exceptions.MaxRetriesExceededError):
        app.send_task("demo.give_up").get(timeout=TIMEOUT)


def test_a_task_may_reject_or_ignore(worker, app, rabbitmq, vhost):
    worker()
    app.send_task("demo.ignore")
    with pytest.raises(celery.exceptions.Reject):
        app.send_task("demo.reject_late").get(timeout=TIMEOUT)
    wait_until_empty(rabbitmq, vhost)


def test_a_countdown_and_an_eta_are_kept(worker, app):
    worker()
    before = time.time()
    assert app.send_task("demo.add", (1, 1), countdown=1.5).get(timeout=TIMEOUT) == 2
    assert time.time() - before >= 1.5


@pytest.mark.parametrize("kind", ["classic", "quorum"])  # a quorum queue's consumers have a count each
def test_more_tasks_with_an_eta_than_the_prefetch_count_do_not_keep_others_waiting(
        kind, worker, app, rabbitmq, vhost):
    one = worker("--concurrency", 1, "--prefetch-multiplier", 2, "--queue-type", kind, "--queues", "q")
    queue = Queue("q", routing_key="q", queue_arguments={"x-queue-type": kind})
    later = [app.send_task("demo.add", (number, 0), countdown=3600, queue=queue) for number in range(20)]
    soon = [app.send_task("demo.add", (number, 0), countdown=2, queue=queue) for number in range(20)]
    assert app.send_task("demo.add", (1, 2), queue=queue).get(timeout=TIMEOUT) == 3
    assert [result.get(timeout=TIMEOUT) for result in soon] == list(range(20))
    one.finish()
    assert not any(result.ready() for result in later)
    wait_for(lambda: rabbitmq.queue("q", vhost).get("messages_ready") == 20, "what waits is given back",
             TIMEOUT)


def test_what_is_expired_is_revoked(worker, app):
    late = app.send_task("demo.add", (1, 1), headers={"expires": "2020-01-01T00:00:00+00:00"})
    worker()
    with pytest.raises(celery.exceptions.TaskRevokedError, match="expired"):
        late.get(timeout=TIMEOUT)


def test_an_unknown_task_fails_as_not_registered(worker, app):
    worker()
    with pytest.raises(celery.exceptions.NotRegistered):
        app.send_task("demo.no_such_task").get(timeout=TIMEOUT)
    assert app.send_task("demo.add", (1, 2)).get(timeout=TIMEOUT) == 3


def test_a_hard_time_limit_ends_the_task_and_nothing_else(worker, app):
    worker("--concurrency", 2)
    beside = app.send_task("demo.sleep", (3,))
    with pytest.raises(TimeLimitExceeded):
        app.send_task("demo.sleep", (600,), time_limit=1).get(timeout=TIMEOUT)
    assert beside.get(timeout=TIMEOUT) is not None
    assert app.send_task("demo.add", (1, 2)).get(timeout=TIMEOUT) == 3


def test_a_soft_time_limit_is_told_to_the_task(worker, app):
    worker()
    with pytest.raises(SoftTimeLimitExceeded):
        app.send_task("demo.soft").get(timeout=TIMEOUT)


def test_the_worker_s_own_time_limit_holds_where_the_message_has_none(worker, app):
    worker("--time-limit", 1)
    with pytest.raises(TimeLimitExceeded):
        app.send_task("demo.sleep", (600,)).get(timeout=TIMEOUT)


def test_a_result_that_is_to_be_ignored_is_not_stored(worker, app):
    worker()
    ignored = app.send_task("demo.add", (1, 2), ignore_result=True)
    assert app.send_task("demo.add", (1, 2)).get(timeout=TIMEOUT) == 3
    assert app.backend.client.get(app.backend.get_key_for_task(ignored.id)) is None


def test_extended_results_say_more(worker, app):
    one = worker("--result-extended")
    meta = stored(app, app.send_task("demo.add", (1, 2)))
    assert (meta["name"], meta["args"], meta["kwargs"]) == ("demo.add", [1, 2], {})
    assert (meta["worker"], meta["queue"], meta["retries"]) == (one.node, "celery", 0)
    unknown = stored(app, app.send_task("demo.no_such_task", (7,), {"a": 1}))
    assert (unknown["name"], unknown["args"], unknown["kwargs"]) == ("demo.no_such_task", [7], {"a": 1})


def test_a_started_task_is_seen_as_started(worker, app):
    one = worker("--track-started")
    result = app.send_task("demo.sleep", (3,))
    wait_for(lambda: result.state != "PENDING", "it is seen", TIMEOUT)
    if result.state == "STARTED":
        assert result.info["hostname"] == one.node and result.info["pid"] > 0
    assert result.get(timeout=TIMEOUT) is not None


def test_queues_are_those_that_are_asked_for(worker, app, rabbitmq, vhost):
    worker("--queues", "one,two")
    assert app.send_task("demo.add", (1, 2), queue="one").get(timeout=TIMEOUT) == 3
    assert app.send_task("demo.add", (3, 4), queue="two").get(timeout=TIMEOUT) == 7
    assert rabbitmq.queue("celery", vhost) is None


def test_a_rate_limit_spaces_the_runs(worker, app):
    worker("--concurrency", 2)
    began = time.time()
    results = [app.send_task("demo.limited", (number, 0)) for number in range(4)]
    assert [result.get(timeout=TIMEOUT) for result in results] == [0, 1, 2, 3]
    assert time.time() - began >= 1.4  # 2/s: three pauses of half a second, a little less by rounding


def test_a_quorum_queue_is_declared_and_served(worker, app, rabbitmq, vhost):
    worker("--queue-type", "quorum", "--queues", "q")
    queue = Queue("q", routing_key="q", queue_arguments={"x-queue-type": "quorum"})
    results = [app.send_task("demo.add", (number, 1), queue=queue) for number in range(20)]
    assert [result.get(timeout=TIMEOUT) for result in results] == list(range(1, 21))
    assert rabbitmq.queue("q", vhost)["type"] == "quorum"
