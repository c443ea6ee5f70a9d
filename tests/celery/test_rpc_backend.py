"""With rpc:// results are messages to who sent the task, as the genuine worker sends them."""

import json
import time
from datetime import datetime

import pytest
from celery import group
from celery.exceptions import NotRegistered, TaskRevokedError, TimeLimitExceeded, WorkerLostError
from kombu import Connection

from dev.servers.process import wait_for
from tests.celery.worker_tool import publish, wait_until_empty
from tests.harness.workers import PythonWorker, celery_app

TIMEOUT = 120
ANSWERS = "answers"


@pytest.fixture
def rpc_app(broker_url):
    client = celery_app(broker_url, "rpc://")
    yield client
    client.close()


@pytest.fixture
def answers(rabbitmq, vhost, broker_url):
    """answers(task_id): every message in the queue `answers` until one ends this task."""
    rabbitmq.api("PUT", f"queues/{vhost}/{ANSWERS}", {"durable": False, "auto_delete": False})

    def take(task_id):
        found, deadline = [], time.monotonic() + TIMEOUT
        with Connection(broker_url) as connection:
            with connection.channel() as channel:
                while not found or found[-1]["body"]["status"] not in ("SUCCESS", "FAILURE", "REVOKED"):
                    assert time.monotonic() < deadline, f"the end of {task_id} after {found}"
                    message = channel.basic_get(ANSWERS, no_ack=True)
                    if message is None:
                        time.sleep(0.05)
                        continue
                    found.append({"exchange": message.delivery_info["exchange"],
                                  "properties": message.properties,
                                  "headers": message.headers, "body": json.loads(message.body)})
        return found

    return take


def ask(app, name, args=(), **options):
    return app.send_task(name, args, reply_to=ANSWERS, **options)


def test_a_client_gets_results_and_exceptions(worker, rpc_app):
    worker(backend="rpc://")
    results = [rpc_app.send_task("demo.add", (number, 1)) for number in range(200)]
    assert [result.get(timeout=TIMEOUT) for result in results] == list(range(1, 201))
    with pytest.raises(ValueError, match="of all things"):
        rpc_app.send_task("demo.fail", ("of all things",)).get(timeout=TIMEOUT)


def test_a_client_sees_custom_states(worker, rpc_app):
    worker(backend="rpc://")
    seen = []
    value = rpc_app.send_task("demo.progress", (3, 0)).get(timeout=TIMEOUT,
                                                           on_message=lambda meta: seen.append(meta))
    assert value == 3
    assert [meta["status"] for meta in seen] == ["PROGRESS"] * 3 + ["SUCCESS"]


def test_a_state_looks_as_recorded(worker, rpc_app, answers):
    one = worker("--track-started", "--result-extended", backend="rpc://")
    sent = ask(rpc_app, "demo.add", (1, 2))
    started, success = answers(sent.id)
    for state in (started, success):
        assert state["exchange"] == "" and state["headers"] == {}
        assert {key: state["properties"][key] for key in ("correlation_id", "delivery_mode", "priority")} == {
            "correlation_id": sent.id, "delivery_mode": 1, "priority": 0}
        assert state["properties"]["content_type"] == "application/json"
        assert state["properties"]["content_encoding"] == "utf-8"
    common = {"traceback": None, "children": [], "name": "demo.add", "args": [1, 2], "kwargs": {},
              "worker": one.node,
              "retries": 0, "queue": "celery", "task_id": sent.id}
    done, pid = success["body"].pop("date_done"), started["body"]["result"].pop("pid")
    assert datetime.fromisoformat(done).tzinfo is not None and pid > 0
    assert success["body"] == {"status": "SUCCESS", "result": 3, **common}
    assert started["body"] == {"status": "STARTED", "result": {"hostname": one.node}, "date_done": None,
                               **common}


SAME = [("demo.add", (1, 2), ["SUCCESS"]), ("demo.fail", ("x",), ["FAILURE"]),
        ("demo.progress", (2, 0), ["PROGRESS", "PROGRESS", "SUCCESS"]),
        ("demo.no_such_task", (), ["FAILURE"])]


def test_both_workers_send_the_same_states(worker, rpc_app, answers, tmp_path, broker_url, request):
    def states(name, args):
        sent = ask(rpc_app, name, args)
        found = answers(sent.id)
        assert {state["properties"]["correlation_id"] for state in found} == {sent.id}
        assert {state["body"].pop("task_id") for state in found} == {sent.id}
        for state in found:
            state["body"].pop("traceback"), state["body"].pop("date_done")
        return [state["body"] for state in found]

    one = worker(backend="rpc://")
    ours = [states(name, args) for name, args, _ in SAME]
    assert [[state["status"] for state in found] for found in ours] == [expected for _, _, expected in SAME]
    one.finish()
    genuine = PythonWorker(tmp_path, broker_url, "rpc://")
    request.addfinalizer(genuine.kill)
    assert [states(name, args) for name, args, _ in SAME] == ours


def test_each_retry_is_told(worker, rpc_app, answers):
    worker(backend="rpc://")
    sent = ask(rpc_app, "demo.retry", (2, 0))
    assert [state["body"]["status"] for state in answers(sent.id)] == ["RETRY", "RETRY", "SUCCESS"]


def test_what_the_parent_finds_is_told_too(worker, rpc_app):
    worker(backend="rpc://")
    with pytest.raises(TimeLimitExceeded):
        rpc_app.send_task("demo.sleep", (600,), time_limit=1).get(timeout=TIMEOUT)
    with pytest.raises(NotRegistered):
        rpc_app.send_task("demo.no_such_task").get(timeout=TIMEOUT)
    with pytest.raises(TaskRevokedError):
        rpc_app.send_task("demo.add", (1, 2), expires=datetime(2020, 1, 1)).get(timeout=TIMEOUT)
    with pytest.raises(WorkerLostError):
        rpc_app.send_task("demo.crash").get(timeout=TIMEOUT)
    assert rpc_app.send_task("demo.add", (1, 2)).get(timeout=TIMEOUT) == 3


def test_a_task_that_nobody_waits_for_runs(worker, rpc_app, broker_url, rabbitmq, vhost, tmp_path):
    worker(backend="rpc://")
    trace = tmp_path / "trace"
    rpc_app.send_task("demo.append_late", (str(trace), "gone"), reply_to="a-queue-that-is-gone")
    body = json.dumps([[str(trace), "none"], {}, {}])
    publish(broker_url, body, content_type="application/json", content_encoding="utf-8",
            headers={"task": "demo.append_late", "id": "aaaaaaaa-2222-4333-8444-555555555555"})
    rpc_app.send_task("demo.no_such_task", reply_to="a-queue-that-is-gone")
    assert rpc_app.send_task("demo.add", (1, 2)).get(timeout=TIMEOUT) == 3
    wait_for(lambda: trace.exists() and sorted(trace.read_text().split()) == ["gone", "none"],
             "both have run", TIMEOUT)
    wait_until_empty(rabbitmq, vhost)


def test_the_steps_of_a_chain_are_told(worker, rpc_app):
    worker(backend="rpc://")
    step = rpc_app.signature
    assert (step("demo.add", (1, 2)) | step("demo.add", (10,))).apply_async().get(timeout=TIMEOUT) == 13
    with pytest.raises(ValueError, match="at first"):
        (step("demo.fail", ("at first",)) | step("demo.add", (10,))).apply_async().get(timeout=TIMEOUT)
    both = group(step("demo.add", (1, 2)), step("demo.add", (3, 4)), app=rpc_app)
    assert both.apply_async().get(timeout=TIMEOUT) == [3, 7]


def test_a_late_task_is_acknowledged_when_its_result_is_sent(worker, rpc_app, answers, rabbitmq, vhost):
    worker(backend="rpc://")
    sent = ask(rpc_app, "demo.sleep_late", (0.5,))
    assert [state["body"]["result"] for state in answers(sent.id)] == [0.5]
    wait_until_empty(rabbitmq, vhost)


def test_results_are_persistent_where_that_is_asked_for(worker, rpc_app, answers, tmp_path, broker_url, request):
    def modes():
        found = [answers(ask(rpc_app, name, (1, 2)).id) for name in ("demo.add", "demo.no_such_task")]
        return [state["properties"]["delivery_mode"] for states in found for state in states]

    one = worker("--result-persistent", backend="rpc://")
    assert modes() == [2, 2]  # from a child, and from the parent
    one.finish()
    genuine = PythonWorker(tmp_path, broker_url, "rpc://", options=["--", "result.persistent=1"])
    request.addfinalizer(genuine.kill)
    assert modes() == [2, 2]
