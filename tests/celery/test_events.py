"""Events as Python's monitors receive them: the fields that a genuine worker sends, in lists and alone."""

import json
import queue
import subprocess
import threading
import time

import kombu
import pytest

from tests.harness.programs import environment, program, sanitizer_report

WAIT = 120  # seconds; a bound for what never ends, not a measure
COMMON = {"hostname", "utcoffset", "pid", "clock", "timestamp", "type"}
WORKER = {"freq", "active", "processed", "loadavg", "sw_ident", "sw_ver", "sw_sys"}


class Tap:
    """A queue on the event exchange; what comes is kept as it came."""

    def __init__(self, broker_url, key="#"):
        self.connection = kombu.Connection(broker_url, connect_timeout=60)
        self.messages = queue.Queue()
        exchange = kombu.Exchange("celeryev", "topic")
        self.consumer = self.connection.Consumer(
            [kombu.Queue("", exchange, routing_key=key, exclusive=True, auto_delete=True, durable=False)],
            no_ack=True, on_message=self.messages.put, accept=["json"])
        self.consumer.consume()
        self.running = True
        self.thread = threading.Thread(target=self._drain)
        self.thread.start()

    def _drain(self):
        while self.running:
            try:
                self.connection.drain_events(timeout=0.2)
            except TimeoutError:
                pass

    def next(self):
        return self.messages.get(timeout=WAIT)

    def close(self):
        self.running = False
        self.thread.join()
        self.connection.release()


class EventsTool:
    def __init__(self, broker_url, folder, *options):
        self.log = open(folder / "events-tool.log", "w+b")
        self.process = subprocess.Popen([program("events-tool"), broker_url, "c1@here", *options],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        env=environment())

    def call(self, do, **fields):
        self.process.stdin.write(json.dumps({"do": do, **fields}).encode() + b"\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == b"{}\n", "events-tool ended"

    def finish(self):
        self.process.stdin.close()
        code = self.process.wait(WAIT)
        self.log.seek(0)
        text = self.log.read().decode()
        self.log.close()
        assert not sanitizer_report(text), sanitizer_report(text)
        assert code == 0, text


@pytest.fixture
def tap(broker_url):
    tap = Tap(broker_url)
    yield tap
    tap.close()


@pytest.fixture
def tool(broker_url, tmp_path):
    tool = EventsTool(broker_url, tmp_path, "--tasks")
    yield tool
    tool.finish()


def one(tap, tool, do, **fields):
    """The event that the call sends, flushed alone."""
    tool.call(do, **fields)
    tool.call("flush")
    body = tap.next().payload
    assert isinstance(body, list) and len(body) == 1
    return body[0]


def test_a_list_of_task_events_is_what_kombu_sends(tap, tool):
    before = time.time()
    tool.call("received", id="t1", name="demo.add", args="(1, 2)", kwargs="{}", root_id="t1")
    tool.call("started", id="t1")
    tool.call("succeeded", id="t1", result="3", runtime=0.25)
    tool.call("flush")
    message = tap.next()
    assert message.delivery_info["routing_key"] == "task.multi"
    assert (message.content_type, message.content_encoding) == ("application/json", "utf-8")
    assert message.headers == {"hostname": "c1@here"}
    assert message.properties["delivery_mode"] == 1
    assert message.properties["priority"] == 0
    received, started, succeeded = message.payload
    assert set(received) == COMMON | {"uuid", "name", "args", "kwargs", "root_id", "parent_id", "retries",
                                      "eta", "expires"}
    assert (received["uuid"], received["name"], received["args"], received["kwargs"], received["root_id"],
            received["parent_id"], received["retries"], received["eta"], received["expires"]) == \
        ("t1", "demo.add", "(1, 2)", "{}", "t1", None, 0, None, None)
    assert set(started) == COMMON | {"uuid"}
    assert set(succeeded) == COMMON | {"uuid", "result", "runtime"}
    assert (succeeded["result"], succeeded["runtime"]) == ("3", 0.25)
    assert [event["clock"] for event in message.payload] == [1, 2, 3]
    for event in message.payload:
        assert event["hostname"] == "c1@here" and event["pid"] == tool.process.pid
        assert event["utcoffset"] == (time.altzone if time.localtime().tm_isdst else time.timezone) / 3600
        assert before - 1 <= event["timestamp"] <= time.time() + 1


def test_every_way_to_end_has_its_fields(tap, tool):
    failed = one(tap, tool, "failed", id="t", exception="ValueError('ü')", traceback='Traceback\n "x"\n')
    assert (failed["type"], failed["exception"], failed["traceback"]) == \
        ("task-failed", "ValueError('ü')", 'Traceback\n "x"\n')
    retried = one(tap, tool, "retried", id="t", exception="KeyError('again')", traceback="")
    assert (retried["type"], set(retried)) == ("task-retried", COMMON | {"uuid", "exception", "traceback"})
    assert one(tap, tool, "rejected", id="t", requeue=True)["requeue"] is True
    revoked = one(tap, tool, "revoked", id="t", terminated=True, signal=15)
    assert (revoked["type"], revoked["terminated"], revoked["signum"], revoked["expired"]) == \
        ("task-revoked", True, 15, False)
    assert one(tap, tool, "revoked", id="t", expired=True)["signum"] is None
    assert one(tap, tool, "cancelled", id="t")["type"] == "task-cancelled"
    received = one(tap, tool, "received", id="t", name="n", args="()", kwargs="{}", retries=2,
                   eta=1795478754.5, expires=1795478760)
    assert (received["retries"], received["eta"], received["expires"]) == \
        (2, "2026-11-24T00:05:54.500000+00:00", "2026-11-24T00:06:00+00:00")


def test_any_text_is_carried(tap, tool):
    for text in ("", "\\", '"', "\x7f", "é", "\U0001f600", "x" * 100000, "\n\t"):
        assert one(tap, tool, "failed", id=text, exception=text, traceback=text)["traceback"] == text


def test_worker_events_go_out_alone(tap, tool):
    for do in ("online", "heartbeat", "offline"):
        tool.call(do, active=3, processed=70)
        message = tap.next()
        event = message.payload
        assert message.delivery_info["routing_key"] == f"worker.{do}"
        assert set(event) == COMMON | WORKER
        assert event["type"] == f"worker-{do}"
        assert (event["active"], event["processed"], event["freq"]) == (3, 70, 2.0)
        assert event["sw_sys"] == "Linux" and len(event["loadavg"]) == 3
        assert all(isinstance(load, float) for load in event["loadavg"])
    tool.call("asked")
    assert (event := tap.next().payload)["freq"] == 5 and "active" not in event


def test_task_events_are_off_until_they_are_enabled(tap, broker_url, tmp_path):
    tool = EventsTool(broker_url, tmp_path)
    try:
        tool.call("started", id="unseen")
        tool.call("flush")
        tool.call("heartbeat")
        assert tap.next().payload["type"] == "worker-heartbeat"
        tool.call("enable", tasks=True)
        assert one(tap, tool, "started", id="seen")["uuid"] == "seen"
        tool.call("enable", tasks=False)
        tool.call("started", id="unseen")
        tool.call("flush")
        tool.call("offline")
        assert tap.next().payload["type"] == "worker-offline"
    finally:
        tool.finish()


def test_a_list_goes_out_when_it_is_full(tap, tool):
    tool.call("flood", count=1050)
    sizes, uuids, clocks = [], [], []
    while sum(sizes) < 1050:
        events = tap.next().payload
        sizes.append(len(events))
        uuids += [event["uuid"] for event in events]
        clocks += [event["clock"] for event in events]
    assert sizes == [100] * 10 + [50]
    assert uuids == [f"task-{number}" for number in range(1050)]
    assert clocks == sorted(set(clocks))


def test_the_clock_runs_ahead_of_what_was_received(tap, tool):
    assert one(tap, tool, "started", id="t")["clock"] == 1
    assert one(tap, tool, "started", id="t", clock=500)["clock"] == 502
    assert one(tap, tool, "started", id="t", clock=3)["clock"] == 504
    assert one(tap, tool, "started", id="t", clock=2**63 - 1)["clock"] == 506


def test_celery_keeps_the_state_of_a_worker_and_its_tasks(app, tool):
    state = app.events.State()
    done = threading.Event()

    def on_event(event):
        state.event(event)
        if event["type"] == "worker-offline":
            done.set()

    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": on_event})
        consuming = threading.Event()
        receiver.on_consume_ready = lambda *args, **kwargs: consuming.set()
        thread = threading.Thread(target=lambda: receiver.capture(limit=None, timeout=WAIT, wakeup=False))
        thread.start()
        assert consuming.wait(WAIT)
        tool.call("online")
        tool.call("received", id="t1", name="demo.add", args="(1,)", kwargs="{}", root_id="t1")
        tool.call("started", id="t1")
        tool.call("succeeded", id="t1", result="1", runtime=0.5)
        tool.call("flush")
        tool.call("offline")
        assert done.wait(WAIT)
        receiver.should_stop = True
        thread.join(WAIT)
    assert list(state.workers) == ["c1@here"]
    task = state.tasks["t1"]
    assert (task.state, task.name, task.runtime, task.result) == ("SUCCESS", "demo.add", 0.5, "1")
