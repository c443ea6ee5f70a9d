"""A C worker and a genuine one on one broker, asked the same, and what their answers are made of."""

import datetime
import json
import time

from tests.harness.workers import CWorker, PythonWorker, celery_app

WAIT = 120  # seconds; a bound for what never ends, not a measure
ASK = 30    # seconds that an answer may take; it is not waited for longer than until it is there

SLEEP = 600  # seconds; a task that goes on until it is ended


def ask(app, node, command, **arguments):
    """The node's answer to one command."""
    replies = app.control.broadcast(command, arguments=arguments, destination=[node], reply=True, timeout=ASK,
                                    limit=1)
    assert replies, f"no answer to {command}"
    (name, reply), = replies[0].items()
    assert name == node
    return reply


def until(app, node, command, wanted, **arguments):
    """The first answer that is as wanted."""
    deadline = time.monotonic() + WAIT
    while True:
        reply = ask(app, node, command, **arguments)
        if wanted(reply) or time.monotonic() > deadline:
            assert wanted(reply), f"{command}: {reply}"
            return reply
        time.sleep(0.05)


class Pair:
    """A C worker and a genuine one on one broker, each with a queue of its own and the same to do: a task
    runs, one waits behind it, one waits for its time."""

    def __init__(self, folder, broker_url, redis_url, module="tests.celery.pytasks", options=()):
        self.app = celery_app(broker_url, redis_url)
        how = ("-c", 1, "--prefetch-multiplier", 4, "--soft-time-limit", 7000, "--time-limit", 7200, *options)
        self.c = CWorker(folder, broker_url, redis_url, options=(*how, "-Q", "c-queue"))
        self.python = PythonWorker(folder, broker_url, redis_url, module, options=(*how, "-Q", "py-queue"))
        self.nodes = [self.c.node, self.python.node]
        self.queues = ["c-queue", "py-queue"]
        self.tasks = {}
        later = datetime.datetime(2099, 1, 1, tzinfo=datetime.timezone.utc)
        for node, queue in zip(self.nodes, self.queues):
            self.app.send_task("demo.add", (1, 2), queue=queue).get(timeout=WAIT)
            running = self.app.send_task("demo.sleep", (SLEEP,), queue=queue)
            until(self.app, node, "active", lambda tasks: len(tasks) == 1)
            waiting = self.app.send_task("demo.add", (1,), {"y": 2}, queue=queue)
            timed = self.app.send_task("demo.add", (1, 1), eta=later, queue=queue)
            until(self.app, node, "reserved", lambda tasks: len(tasks) == 1)
            until(self.app, node, "scheduled", lambda tasks: len(tasks) == 1)
            self.tasks[node] = [running.id, waiting.id, timed.id]

    def ask(self, command, arguments=None, own=None):
        """Both answers, C's first. `own`: arguments that each gets different ones of, by its three tasks."""
        return [ask(self.app, node, command, **(arguments or {}), **(own(self.tasks[node]) if own else {}))
                for node in self.nodes]

    def close(self):
        for node, tasks in self.tasks.items():
            self.app.control.revoke(tasks, terminate=True, signal="SIGKILL", destination=[node])
        self.app.close()
        self.python.kill()
        self.c.finish()


def shape(value):
    """What a reply is made of: keys and types, all the way down; of a list, what its members are."""
    if isinstance(value, dict):
        return {key: shape(member) for key, member in value.items()}
    if isinstance(value, list):
        members = {json.dumps(shape(member), sort_keys=True) for member in value}
        return [json.loads(text) for text in sorted(members)]
    return type(value).__name__


def without_names(command, reply):
    """The same without the names of tasks, and without what only a C worker measures."""
    if command == "stats":
        reply.pop("celeryc", None)
        for more in ("connected", "heartbeat_agreed", "server_version"):
            reply["broker"].pop(more, None)
        reply["total"] = {"task": number for number in reply["total"].values()}
    return reply
