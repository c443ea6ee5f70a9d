"""The C worker's events are those of Celery's own worker: the same ones, in the same order, with the same
fields."""

import pytest

TIMEOUT = 120
COMMON = {"hostname", "utcoffset", "pid", "clock", "timestamp", "type", "local_received"}
TASK = COMMON | {"uuid"}
FIELDS = {
    "task-received": TASK | {"name", "args", "kwargs", "root_id", "parent_id", "retries", "eta", "expires"},
    "task-started": TASK,
    "task-succeeded": TASK | {"result", "runtime"},
    "task-failed": TASK | {"exception", "traceback"},
    "task-retried": TASK | {"exception", "traceback"},
    "task-rejected": TASK | {"requeue"},
    "task-revoked": TASK | {"terminated", "signum", "expired"},
}
WORKER = COMMON | {"freq", "active", "processed", "loadavg", "sw_ident", "sw_ver", "sw_sys"}


RUN = ["task-received", "task-started"]
LIFE = {
    "success": ("demo.add", (1, 2), RUN + ["task-succeeded"]),
    "failure": ("demo.fail", (), RUN + ["task-failed"]),
    "retry": ("demo.retry", (1,), RUN + ["task-retried"] + RUN + ["task-succeeded"]),
    "a killed child": ("demo.crash", (), RUN + ["task-failed"]),
    "a hard time limit": ("demo.sleep_short_limit", (600,), RUN + ["task-failed"]),
    "rejected": ("demo.reject_late", (), RUN + ["task-failed", "task-rejected"]),
}


@pytest.mark.parametrize("case", LIFE)
def test_the_life_of_a_task_is_told_as_celery_tells_it(case, worker, app, monitor):
    one = worker("-E")
    name, arguments, expected = LIFE[case]
    uuid = app.send_task(name, arguments).id
    monitor.wait(expected[-1], uuid)
    assert monitor.of(uuid) == expected
    for event in monitor.events:
        if event.get("uuid") == uuid:
            assert set(event) <= FIELDS[event["type"]]
            assert FIELDS[event["type"]] - set(event) <= {"traceback"}
            assert event["hostname"] == one.node and event["pid"] == one.pid


def test_what_happened_is_in_the_fields(worker, app, monitor):
    worker("-E")
    good, bad = app.send_task("demo.add", (1,), {"y": 2}), app.send_task("demo.fail")
    received = monitor.wait("task-received", good.id)
    assert (received["name"], received["args"], received["kwargs"]) == ("demo.add", "(1,)", "{'y': 2}")
    assert [received[name] for name in ("retries", "eta", "expires", "parent_id")] == [0, None, None, None]
    assert received["root_id"] == good.id
    succeeded = monitor.wait("task-succeeded", good.id)
    assert succeeded["result"] == "3" and succeeded["runtime"] >= 0
    assert monitor.wait("task-failed", bad.id)["exception"] == "ValueError('deliberate')"


def test_expired_and_unknown_tasks_are_told_of_without_having_been_received(worker, app, monitor):
    worker("-E")
    expired = app.send_task("demo.add", (1, 1), headers={"expires": "2020-01-01T00:00:00+00:00"})
    unknown = app.send_task("demo.no_such_task")
    event = monitor.wait("task-revoked", expired.id)
    assert (event["terminated"], event["signum"], event["expired"]) == (False, None, True)
    assert monitor.wait("task-failed", unknown.id)["exception"] == "NotRegistered('demo.no_such_task')"
    assert monitor.of(expired.id) == ["task-revoked"] and monitor.of(unknown.id) == ["task-failed"]


def test_a_lost_child_s_task_is_told_of_as_rejected_when_it_runs_again(worker, app, monitor, tmp_path):
    worker("-E")
    result = app.send_task("demo.crash_first", (str(tmp_path / "runs"), 1))
    assert monitor.wait("task-succeeded", result.id)["result"] == "2"
    assert monitor.of(result.id) == RUN + ["task-rejected"] + RUN + ["task-succeeded"]


def test_the_worker_tells_of_itself(worker, app, monitor):
    one = worker("--heartbeat-interval", "0.2")
    online = monitor.wait("worker-online")
    monitor.wait("worker-heartbeat")
    assert app.send_task("demo.add", (1, 2)).get(timeout=TIMEOUT) == 3
    one.finish()
    offline = monitor.wait("worker-offline")
    for event in (online, offline):
        assert set(event) == WORKER and event["hostname"] == one.node
    assert (online["processed"], offline["processed"]) == (0, 1)
    assert not [event for event in monitor.events if event["type"].startswith("task-")]
