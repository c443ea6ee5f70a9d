"""Each bad message is disposed of as Celery disposes of it, by the C worker and the genuine one; both go on.

All messages are sent to one worker at once and looked at when it has stopped in order. What is rejected without
requeue lies in a queue of dead letters then, what was acknowledged is nowhere. The rows of which the genuine worker
dies are not sent to it: the C worker rejects those."""

import itertools
import json
import os
import signal

import pytest
import redis
from amqp.basic_message import Message
from kombu import Connection

from dev.servers.process import wait_for
from tests.celery.bad_messages import DIES, ROWS
from tests.celery.worker_tool import Monitor, depth
from tests.harness.workers import CWorker, PythonWorker, celery_app

TIMEOUT = 120
_numbers = itertools.count(1)


class Corner:
    """A virtual host with a queue `celery`, whose rejected messages go to `dead`, and an empty database."""

    def __init__(self, rabbitmq, redis_server, folder):
        self.rabbitmq, self.folder = rabbitmq, folder
        self.vhost = f"bad{os.getpid()}-{next(_numbers)}"
        self.broker_url = rabbitmq.add_vhost(self.vhost)
        self.redis_url = redis_server.url_of(redis_server.databases - next(_numbers))
        self.redis = redis.Redis.from_url(self.redis_url)
        self.redis.flushdb()
        self.trace = folder / "executed"
        rabbitmq.api("PUT", f"policies/{self.vhost}/dead", {
            "pattern": "^celery$", "apply-to": "queues",
            "definition": {"dead-letter-exchange": "", "dead-letter-routing-key": "dead"}})
        for queue in ("celery", "dead"):
            rabbitmq.api("PUT", f"queues/{self.vhost}/{queue}", {"durable": True})

    def send(self, rows):
        """One confirmed message for each row, marked with its title."""
        with Connection(self.broker_url, transport_options={"confirm_publish": True}) as connection:
            with connection.channel() as channel:
                for row in rows:
                    message = Message(row.body_for(self.trace), application_headers=row.headers,
                                      message_id=row.id,
                                      **row.properties)
                    channel.basic_publish(message, exchange="", routing_key="celery")

    def take_all(self, queue):
        """Everything in a queue, as (message id, headers)."""
        taken = []
        with Connection(self.broker_url) as connection:
            with connection.channel() as channel:
                while True:
                    message = channel.basic_get(queue, no_ack=True)
                    if message is None:
                        return taken
                    taken.append((message.properties.get("message_id"), message.headers))

    def stored(self, result_id):
        """'FAILURE TypeError', 'SUCCESS', or None where nothing is."""
        text = self.redis.get(f"celery-task-meta-{result_id}")
        if text is None:
            return None
        meta = json.loads(text)
        return " ".join([meta["status"], *([meta["result"]["exc_type"]] if meta["status"] != "SUCCESS" else [])])

    def executed(self):
        return self.trace.read_text(encoding="utf-8").splitlines() if self.trace.exists() else []

    def close(self):
        self.redis.close()
        self.rabbitmq.delete_vhost(self.vhost)


class Run:
    """What one worker did with its rows."""

    def __init__(self, corner, kind, rows):
        make = CWorker if kind == "C" else PythonWorker
        app = celery_app(corner.broker_url, corner.redis_url)
        monitor = Monitor(app)
        worker = make(corner.folder, corner.broker_url, corner.redis_url,
                      options=["--task-events", "--concurrency", 2])
        try:
            corner.send(rows)
            self.went_on = app.send_task("demo.add", (1, 2)).get(timeout=TIMEOUT) == 3
            wait_for(lambda: depth(corner.rabbitmq, corner.vhost) == 0, "all messages are settled", TIMEOUT)
            self._stop(worker)
            monitor.wait("worker-offline")  # the last event of this worker: all others are here
        finally:
            worker.kill()
            monitor.finish()
            app.close()
        self.events = {}
        for event in sorted(monitor.events, key=lambda event: event["clock"]):
            if event["type"].startswith("task-"):
                self.events.setdefault(str(event["uuid"]), []).append(event["type"].removeprefix("task-"))
        self.left = {number for number, _ in corner.take_all("celery")}
        self.dead = dict(corner.take_all("dead"))
        self.executed = corner.executed()
        self.corner = corner

    @staticmethod
    def _stop(worker):
        if isinstance(worker, CWorker):
            worker.finish()
        else:
            worker.process.stop(signal.SIGTERM, 120)

    def fate(self, row):
        if row.id in self.left:
            return "left in the queue"
        if row.id not in self.dead:
            return "acknowledged"
        return self.dead[row.id]["x-death"][0]["reason"]


@pytest.fixture(scope="module")
def run_of(rabbitmq, redis_server, tmp_path_factory):
    """run_of("C"), run_of("Python"): made when first asked for; one that fails fails once, for all its rows."""
    made, corners = {}, []

    def make(kind):
        corners.append(Corner(rabbitmq, redis_server, tmp_path_factory.mktemp("bad-messages")))
        return Run(corners[-1], kind, [row for row in ROWS if kind == "C" or row.python is not DIES])

    def find(kind):
        if kind not in made:
            try:
                made[kind] = make(kind)
            except Exception as problem:
                made[kind] = problem
        if isinstance(made[kind], Exception):
            raise made[kind]
        return made[kind]

    yield find
    for corner in corners:
        corner.close()


CASES = [("C", row) for row in ROWS] + [("Python", row) for row in ROWS if row.python is not DIES]


@pytest.mark.parametrize("kind", ["C", "Python"])
def test_the_worker_goes_on(kind, run_of):
    assert run_of(kind).went_on


@pytest.mark.parametrize("kind, row", CASES, ids=[f"{kind}: {row.title}" for kind, row in CASES])
def test_what_becomes_of(kind, row, run_of):
    run, expected = run_of(kind), row.outcome if kind == "C" else row.python
    assert run.fate(row) == expected.fate
    assert run.corner.stored(row.result_id) == expected.stored
    if expected.events is not None:
        assert tuple(run.events.get(row.result_id, ())) == expected.events
    assert run.executed.count(row.title) == int(expected.executed)
