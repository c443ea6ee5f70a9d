"""Revoked tasks are not run, wherever they wait; running ones are ended where that is asked for; leases
keep one id from running twice at a time; a health check tells whether the worker answers."""

import subprocess

import celery.exceptions
import pytest

from dev.servers.process import wait_for
from tests.celery.worker_tool import lines, wait_until_empty
from tests.harness.programs import environment, program

TIMEOUT = 120


def is_known(app, node, uuid):
    """Whether the worker has it, in whatever state."""
    answer = app.control.inspect(destination=[node], timeout=5.0).query_task(uuid)
    return bool(answer and answer.get(node, {}).get(uuid))


def revoke(app, node, uuid, **how):
    wait_for(lambda: app.control.revoke(uuid, destination=[node], reply=True, timeout=5.0, **how),
             "it is revoked", TIMEOUT)


def test_a_task_that_waits_for_its_time_is_revoked_when_that_comes(worker, app, monitor, rabbitmq, vhost):
    one = worker("-E")
    result = app.send_task("demo.add", (1, 2), countdown=15)
    wait_for(lambda: is_known(app, one.node, result.id), "it is received", TIMEOUT)
    revoke(app, one.node, result.id)
    event = monitor.wait("task-revoked", result.id)
    assert (event["terminated"], event["signum"], event["expired"]) == (False, None, False)
    with pytest.raises(celery.exceptions.TaskRevokedError, match="revoked"):
        result.get(timeout=TIMEOUT)
    wait_until_empty(rabbitmq, vhost)


def test_a_task_behind_another_is_not_run_when_it_is_revoked(worker, app, tmp_path):
    one = worker("--concurrency", 1, "--prefetch-multiplier", 8)
    runs = str(tmp_path / "runs")
    first = app.send_task("demo.append", (runs, "first", 600))
    wait_for(lambda: lines(runs), "the first has begun", TIMEOUT)
    second = app.send_task("demo.append", (runs, "second"))
    wait_for(lambda: is_known(app, one.node, second.id), "it is received", TIMEOUT)
    revoke(app, one.node, second.id)
    revoke(app, one.node, first.id, terminate=True, signal="SIGKILL")
    for result in (first, second):
        with pytest.raises(celery.exceptions.TaskRevokedError):
            result.get(timeout=TIMEOUT)
    assert lines(runs) == ["first"]


def test_a_running_task_is_terminated_and_the_next_one_unharmed(worker, app, monitor, tmp_path):
    one = worker("--concurrency", 1, "-E")
    runs = str(tmp_path / "runs")
    first = app.send_task("demo.append_late", (runs, "first", 600))
    second = app.send_task("demo.append_late", (runs, "second"))
    monitor.wait("task-started", first.id)
    revoke(app, one.node, first.id, terminate=True, signal="SIGKILL")
    event = monitor.wait("task-revoked", first.id)
    assert (event["terminated"], event["expired"]) == (True, False)
    with pytest.raises(celery.exceptions.TaskRevokedError, match="terminated"):
        first.get(timeout=TIMEOUT)
    assert second.get(timeout=TIMEOUT) == "second"


def test_revoked_ids_are_kept_from_one_run_to_the_next(worker, app, tmp_path):
    state = tmp_path / "state"
    first = worker("--statedb", state)
    revoke(app, first.node, "11111111-1111-4111-8111-111111111111")
    first.finish()
    second = worker("--statedb", state)
    found = app.control.inspect(destination=[second.node], timeout=TIMEOUT, limit=1).revoked()
    assert found[second.node] == ["11111111-1111-4111-8111-111111111111"]
    result = app.send_task("demo.add", (1, 2), task_id="11111111-1111-4111-8111-111111111111")
    with pytest.raises(celery.exceptions.TaskRevokedError):
        result.get(timeout=TIMEOUT)


def test_a_lease_keeps_one_id_from_running_twice_at_a_time(worker, app, monitor, tmp_path):
    worker("-E", "--concurrency", 1)
    worker("-E", "--concurrency", 1)
    runs = str(tmp_path / "runs")
    for _ in range(2):
        app.send_task("demo.append_leased", (runs, "run", 8), task_id="22222222-2222-4222-8222-222222222222")

    def started():
        return [event["timestamp"] for event in list(monitor.events) if event["type"] == "task-started"]

    wait_for(lambda: len(started()) == 2, "both have run", TIMEOUT)
    # The second began when the first had ended, 8 s later; half of that is for what may hold up an event.
    assert abs(started()[1] - started()[0]) >= 4


def test_a_health_check_tells_whether_the_node_answers(worker, broker_url, redis_url):
    one = worker()
    settings = environment(CELERY_BROKER_URL=broker_url, CELERY_RESULT_BACKEND=redis_url)

    def ping(node):
        return subprocess.run([program("tasks-worker"), "--ping", "--hostname", node, "--ping-timeout", "5"],
                              env=settings, capture_output=True, text=True, timeout=120, check=False)

    wait_for(lambda: ping(one.node).returncode == 0, "the node answers", TIMEOUT)
    nobody = ping("nobody@nowhere")
    assert nobody.returncode == 1 and "nobody@nowhere" in nobody.stderr
