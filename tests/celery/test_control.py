"""Remote control: Python's `app.control`, inspect and the `celery` command on a C worker, answered as by
Celery's own worker."""

import datetime
import json
import os
import threading
import time
import uuid

import kombu
import pytest
from celery.exceptions import TaskRevokedError

from dev.servers import wait_for
from tests.celery.side_by_side import ASK, WAIT, ask, until

STATS = set("total pid clock uptime pool broker prefetch_count rusage celeryc".split())
POOL = set("implementation max-concurrency processes max-tasks-per-child put-guarded-by-semaphore timeouts "
           "writes".split())
BROKER = set("hostname userid virtual_host port ssl transport heartbeat alternates login_method".split())
RUSAGE = set("utime stime maxrss ixrss idrss isrss minflt majflt nswap inblock oublock msgsnd msgrcv "
             "nsignals nvcsw nivcsw".split())
INFO = set("id name args kwargs type hostname time_start acknowledged delivery_info worker_pid".split())
QUEUE = set("name exchange routing_key queue_arguments binding_arguments consumer_arguments durable "
            "exclusive auto_delete no_ack alias bindings no_declare expires message_ttl max_length "
            "max_length_bytes max_priority".split())


@pytest.fixture
def node(worker):
    return worker("-c", 2, "--prefetch-multiplier", 4)


def test_inspect_finds_the_worker(app, node):
    assert ask(app, node.node, "ping") == {"ok": "pong"}
    inspect = app.control.inspect(destination=[node.node], timeout=ASK, limit=1)
    assert inspect.ping() == {node.node: {"ok": "pong"}}
    clock = inspect.clock()[node.node]["clock"]
    assert isinstance(clock, int) and inspect.clock()[node.node]["clock"] > clock
    assert "demo.add" in inspect.registered()[node.node]
    assert "demo.limited [rate_limit=2/s]" in inspect.registered()[node.node]


def test_stats_have_the_recorded_fields_and_true_numbers(app, node):
    for _ in range(3):
        app.send_task("demo.add", (1, 2)).get(timeout=WAIT)
    stats = ask(app, node.node, "stats")
    assert set(stats) == STATS
    assert POOL <= set(stats["pool"]) and BROKER <= set(stats["broker"]) and set(stats["rusage"]) == RUSAGE
    assert stats["pid"] == node.pid and stats["total"] == {"demo.add": 3}
    assert stats["pool"]["max-concurrency"] == 2 and len(stats["pool"]["processes"]) == 2
    for child in stats["pool"]["processes"]:
        os.kill(child, 0)
    assert stats["prefetch_count"] == 8
    assert stats["celeryc"]["timer_lag_max"] >= 0
    assert (stats["broker"]["transport"], stats["broker"]["userid"]) == ("amqp", "guest")
    assert isinstance(stats["clock"], str) and stats["uptime"] >= 0
    assert stats["rusage"]["utime"] + stats["rusage"]["stime"] > 0 and stats["rusage"]["maxrss"] > 0


def test_tasks_are_seen_where_they_are(app, node):
    for _ in range(2):
        app.send_task("demo.until_told", (), {})
    running = until(app, node.node, "active", lambda tasks: len(tasks) == 2)
    waiting = app.send_task("demo.add", (1,), {"y": 2}, priority=3)
    later = app.send_task("demo.add", (1, 1), eta=datetime.datetime(2099, 1, 1, tzinfo=datetime.timezone.utc))
    children = ask(app, node.node, "stats")["pool"]["processes"]
    for task in running:
        assert set(task) == INFO
        assert (task["name"], task["type"]) == ("demo.until_told", "demo.until_told")
        assert (task["args"], task["kwargs"]) == ([], {})
        assert (task["hostname"], task["acknowledged"]) == (node.node, True)
        assert task["worker_pid"] in children
        assert abs(task["time_start"] - time.time()) < 600
        assert task["delivery_info"] == {"exchange": "", "routing_key": "celery", "priority": 0,
                                         "redelivered": False}
    reserved, = until(app, node.node, "reserved", lambda tasks: len(tasks) == 1)
    assert (reserved["id"], reserved["args"], reserved["kwargs"]) == (waiting.id, [1], {"y": 2})
    assert (reserved["time_start"], reserved["acknowledged"]) == (None, False)
    scheduled, = until(app, node.node, "scheduled", lambda tasks: len(tasks) == 1)
    assert (scheduled["eta"], scheduled["request"]["id"]) == ("2099-01-01T00:00:00+00:00", later.id)
    assert set(scheduled["request"]) == INFO
    safe = ask(app, node.node, "active", safe=True)
    assert {(task["args"], task["kwargs"]) for task in safe} == {("()", "{}")}
    found = ask(app, node.node, "query_task", ids=[running[0]["id"], waiting.id, later.id, "nobody"])
    assert {name: state for name, (state, _) in found.items()} == \
        {running[0]["id"]: "active", waiting.id: "reserved", later.id: "scheduled"}
    for task in running:
        assert ask(app, node.node, "revoke", task_id=task["id"], terminate=True, signal="SIGKILL") == \
            {"ok": f"terminate: {task['id']}"}
    assert waiting.get(timeout=WAIT) == 3


def test_the_queues_are_described_as_kombu_describes_them(app, node):
    queue, = ask(app, node.node, "active_queues")
    assert set(queue) == QUEUE
    assert (queue["name"], queue["routing_key"]) == ("celery", "celery")
    assert (queue["durable"], queue["no_ack"]) == (True, False)
    assert queue["exchange"] == {"name": "celery", "type": "direct", "arguments": None, "durable": True,
                                 "passive": False, "auto_delete": False, "delivery_mode": None,
                                 "no_declare": False}


def test_settings_are_told_without_a_password(app, worker, broker_url, redis_url):
    one = worker("-c", 1, "-E", env={"CELERY_TASK_TRACK_STARTED": "1"})
    settings = ask(app, one.node, "conf")
    assert settings["broker_url"].startswith("amqp://guest:**") and "guest:guest" not in json.dumps(settings)
    assert settings["result_backend"] == redis_url
    assert settings["worker_send_task_events"] is True
    report = ask(app, one.node, "report")["ok"]
    assert report.startswith("\nsoftware -> celery:5.7.0 celeryc:") and "settings -> transport:" in report
    assert "broker_url: 'amqp://guest:**" in report and "guest:guest" not in report
    sample = ask(app, one.node, "memsample")
    assert sample.endswith(("KB", "MB", "GB")) and float(sample[:-2]) > 0


def test_a_queue_is_added_and_cancelled(app, node):
    name = f"extra-{uuid.uuid4()}"
    assert ask(app, node.node, "add_consumer", queue=name) == {"ok": f"add consumer {name}"}
    until(app, node.node, "active_queues",
          lambda queues: {queue["name"] for queue in queues} == {"celery", name})
    assert app.send_task("demo.add", (1, 2), queue=name).get(timeout=WAIT) == 3
    assert ask(app, node.node, "cancel_consumer", queue=name) == {"ok": f"no longer consuming from {name}"}
    until(app, node.node, "active_queues", lambda queues: [queue["name"] for queue in queues] == ["celery"])


def test_the_pool_grows_and_shrinks(app, node):
    assert ask(app, node.node, "pool_grow", n=2) == {"ok": "pool will grow"}
    until(app, node.node, "stats", lambda stats: len(stats["pool"]["processes"]) == 4)
    assert ask(app, node.node, "pool_shrink", n=3) == {"ok": "pool will shrink"}
    until(app, node.node, "stats", lambda stats: len(stats["pool"]["processes"]) == 1)
    assert app.send_task("demo.add", (1, 2)).get(timeout=WAIT) == 3


def test_a_revoked_task_is_not_run(app, node):
    task_id = str(uuid.uuid4())
    assert ask(app, node.node, "revoke", task_id=task_id) == {"ok": f"tasks {{'{task_id}'}} flagged as revoked"}
    assert ask(app, node.node, "revoked") == [task_id]
    with pytest.raises(TaskRevokedError):
        app.send_task("demo.add", (1, 2), task_id=task_id).get(timeout=WAIT)


def test_a_running_task_is_terminated(app, node):
    result = app.send_task("demo.until_told")
    until(app, node.node, "active", lambda tasks: len(tasks) == 1)
    assert ask(app, node.node, "terminate", task_id=[result.id], signal="SIGTERM") == \
        {"ok": f"terminate: {result.id}"}
    with pytest.raises(TaskRevokedError, match="terminated"):
        result.get(timeout=WAIT)
    assert ask(app, node.node, "revoke", task_id="nobody", terminate=True) == {"ok": "terminate: tasks unknown"}
    assert app.send_task("demo.add", (1, 2)).get(timeout=WAIT) == 3


def test_what_is_unknown_or_wrong_is_answered_as_celery_does(app, node):
    assert ask(app, node.node, "nonsense") == {"error": "KeyError('nonsense')"}
    assert ask(app, node.node, "autoscale", max=3, min=1) == {"error": "ValueError('Autoscale not enabled')"}
    assert ask(app, node.node, "query_task") == \
        {"error": "TypeError(\"query_task() missing 1 required positional argument: 'ids'\")"}
    assert ask(app, node.node, "enable_events", x=1) == \
        {"error": "TypeError(\"enable_events() got an unexpected keyword argument 'x'\")"}
    assert ask(app, node.node, "election", id="1", topic="task", action={}) is None
    assert ask(app, node.node, "hello", from_node="other@node", revoked=[])["revoked"] == []
    assert ask(app, node.node, "hello", from_node=node.node) is None


def test_events_are_switched_on_and_off(app, node):
    events = []
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": events.append})
        ready = threading.Event()
        receiver.on_consume_ready = lambda *args, **kwargs: ready.set()
        thread = threading.Thread(target=lambda: receiver.capture(limit=None, timeout=WAIT, wakeup=False))
        thread.start()
        assert ready.wait(WAIT)
        assert ask(app, node.node, "disable_events") == {"ok": "task events already disabled"}
        app.send_task("demo.add", (1, 1)).get(timeout=WAIT)
        # Its end has come to the parent, which would tell of it.
        until(app, node.node, "active", lambda tasks: tasks == [])
        assert ask(app, node.node, "enable_events") == {"ok": "task events enabled"}
        assert ask(app, node.node, "enable_events") == {"ok": "task events already enabled"}
        seen = app.send_task("demo.add", (1, 1))
        wait_for(lambda: any(e["type"] == "task-succeeded" for e in events), "the task's event", WAIT)
        assert {e["uuid"] for e in events if e["type"].startswith("task-")} == {seen.id}
        assert ask(app, node.node, "heartbeat") is None
        wait_for(lambda: any(e["type"] == "worker-heartbeat" and e["freq"] == 5 for e in events),
                 "the heartbeat that was asked for", WAIT)
        assert ask(app, node.node, "disable_events") == {"ok": "task events disabled"}
        receiver.should_stop = True
        thread.join(WAIT)


def test_only_those_meant_answer(app, worker):
    first, second = worker("-c", 1), worker("-c", 1)
    both = {first.node, second.node}

    def names(**how):
        return {name for reply in app.control.broadcast("ping", reply=True, **how) for name in reply}

    wait_for(lambda: names(timeout=2, limit=2) == both, "both to answer", WAIT)
    assert names(destination=[second.node], timeout=ASK, limit=1) == {second.node}
    assert names(pattern=f"{first.node[:-1]}?", matcher="glob", timeout=ASK, limit=1) == {first.node}
    assert names(pattern=second.node, matcher="pcre", timeout=ASK, limit=1) == {second.node}
    assert names(destination=["nobody@nowhere"], timeout=1) == set()
    assert names(pattern="nobody*", matcher="glob", timeout=1) == set()


def test_hostile_requests_cost_a_line_in_the_log(app, node, broker_url):
    bodies = [b"", b"{", b"[]", b'{"method": 7}', b'{"method": "ping", "arguments": [1]}', b"\xff" * 100,
              b'{"method": "' + b"x" * 100000 + b'"}', b"[" * 100000,
              b'{"method": "ping", "pattern": "(((", "matcher": "pcre"}',
              b'{"method": "ping", "pattern": "*", "matcher": "soundex"}',
              b'{"method": "ping", "reply_to": {"exchange": "no.such.exchange", "routing_key": "x"}}',
              b'{"method": "ping", "reply_to": {"exchange": "reply.celery.pidbox", "routing_key": "'
              + b"y" * 300 + b'"}}',
              b'{"method": "query_task", "arguments": {"ids": {"a": [1]}}}',
              b'{"method": "revoke", "arguments": {"task_id": [null, {}, 7]}}']
    with kombu.Connection(broker_url) as connection, connection.channel() as channel:
        exchange = kombu.Exchange("celery.pidbox", "fanout", durable=False, channel=channel)
        for body in bodies:
            for content_type in ("application/json", "application/x-python-serialize", None):
                exchange.publish(exchange.Message(body, content_type=content_type, content_encoding="utf-8",
                                                  headers={"clock": "no number"}))
    assert ask(app, node.node, "ping") == {"ok": "pong"}
    assert "bad request" in node.log()


def test_the_mailbox_comes_back_with_the_broker(worker, own_rabbitmq, redis_url):
    from tests.harness.workers import celery_app
    server = own_rabbitmq()
    node = worker("-c", 1, "-l", "INFO", broker=server.url, backend=redis_url)
    server.restart()
    again = celery_app(server.url, redis_url)
    wait_for(lambda: again.control.ping(destination=[node.node], timeout=2, limit=1),
             "an answer after the restart", WAIT)
    wait_for(lambda: node.log().count("mingle: searching for neighbors") >= 2, "the others are asked again", WAIT)
    again.close()


def test_a_node_that_was_cut_off_gets_its_mailbox_again(app, worker, broker_url):
    """The queue of a predecessor that died is exclusive to a connection that RabbitMQ believes in (405)."""
    name = f"twin-{uuid.uuid4().hex[:8]}@test"
    with kombu.Connection(broker_url) as connection, connection.channel() as channel:
        exchange = kombu.Exchange("celery.pidbox", "fanout", durable=False)
        kombu.Queue(f"{name}.celery.pidbox", exchange, durable=False, exclusive=True, auto_delete=True,
                    expires=10, message_ttl=300, channel=channel).declare()
        node = worker("-c", 1, node=name, wait=False)
        wait_for(lambda: "mailbox" in node.log(), "a line on the mailbox that is in use", WAIT)
        assert app.send_task("demo.add", (1, 2)).get(timeout=WAIT) == 3  # it works meanwhile
    wait_for(lambda: app.control.ping(destination=[name], timeout=2, limit=1), "an answer", WAIT)


def test_shutdown_ends_the_worker_warmly_and_is_not_answered(app, worker):
    node = worker("-c", 1)
    result = app.send_task("demo.sleep", (1,))
    until(app, node.node, "active", lambda tasks: len(tasks) == 1)
    assert not app.control.broadcast("shutdown", destination=[node.node], reply=True, timeout=1)
    assert node.process.popen.wait(WAIT) == 0
    assert result.get(timeout=WAIT) is not None or result.state == "SUCCESS"
