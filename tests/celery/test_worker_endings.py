"""What ends without a child that ran it to its end (a hard time limit, a killed child, revoked, terminated, expired,
rejected) is told to its chord, to the later steps of its chain and to its errbacks, as the genuine worker tells them: the
same canvases are sent to both, and every run of every task and every stored state is compared."""

import collections
import json
import re
import signal
import uuid
from contextlib import contextmanager
from unittest import mock

import pytest
from billiard.exceptions import WorkerLostError
from celery import chain, chord, group
from celery.exceptions import ChordError

from dev.servers.process import wait_for
from tests.celery.worker_tool import Monitor, depth, wait_until_empty
from tests.conformance import canvases
from tests.harness.workers import celery_app

# How each ending is brought about: what the task does, the options that it is sent with, and whether it is revoked, before
# it is sent or when it runs. Those that take the genuine worker seconds each are `slow`: of them there are fewer canvases. Of
# those that have expired only what the client sends is looked at, which makes no TTL of it: a worker does, and then RabbitMQ
# drops the message.
ENDINGS = {
    "hard time limit": {"how": "hang", "options": {"time_limit": 1}, "slow": True},
    "hard time limit, late": {"how": "hang", "options": {"time_limit": 1}, "task": "canvas.end_late", "slow": True},
    "killed child": {"how": "kill", "slow": True},
    "killed child, late": {"how": "kill", "task": "canvas.end_late", "slow": True},
    "rejected": {"how": "reject"},
    "expired": {"how": "hang", "options": {"expires": -60}, "first": True},
    "revoked": {"how": "hang", "revoked": "before"},
    "terminated": {"how": "hang", "revoked": "running", "slow": True},
}


class Maker:
    """Signatures of one canvas for one application; the tasks that end otherwise have ids that are known before."""

    def __init__(self, app, number, ending):
        self.app, self.number, self.ending, self.count, self.ids = app, number, ending, 0, []

    def label(self):
        self.count += 1
        return f"c{self.number}n{self.count}"

    def task(self, name="join", *args):
        return self.app.signature(f"canvas.{name}", args=args, kwargs={"label": self.label()})

    def end(self):
        made = self.app.signature(self.ending.get("task", "canvas.end"), immutable=True,
                                  kwargs={"label": self.label(), "how": self.ending["how"]})
        self.ids.append(str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.number} {len(self.ids)}")))
        return made.set(task_id=self.ids[-1], **self.ending.get("options", {}))

    def noticed(self, signature):
        """With an errback of each kind."""
        signature.link_error(self.task("errback"))
        signature.link_error(self.task("errback_in_place"))
        return signature


CANVASES = {
    "a task with errbacks": lambda make: make.noticed(make.end()),
    "the first step of a chain": lambda make: chain(make.noticed(make.end()), make.task(), make.task()),
    "a later step of a chain": lambda make: chain(make.task(), make.end(), make.noticed(make.task())),
    "before a group": lambda make: chain(make.end(), group(make.task(), make.task())),
    "before a chord": lambda make: chain(make.end(), chord([make.task(), make.task()], make.noticed(make.task()))),
    "a member of a group": lambda make: group(make.noticed(make.end()), make.task()),
    "a part of a chord": lambda make: chord([make.task("join", 1), make.end()], make.task()),
    "the only part of a chord": lambda make: chord([make.noticed(make.end())], make.noticed(make.task())),
    "a part of a chord in a chain": lambda make: chain(make.task(), chord([make.end(), make.task()], make.task()),
                                                       make.noticed(make.task())),
    "in a group in a chain": lambda make: chain(make.task(), group(make.task(), make.end()), make.task()),
    "a chain's step in a chord": lambda make: chord([chain(make.task(), make.end(), make.task()), make.task()],
                                                    make.task()),
    "a chain's last step in a chord": lambda make: chord([chain(make.task(), make.end()), make.task()], make.task()),
    "in a group in a chord": lambda make: chord([group(make.end(), make.task()), make.task()], make.task()),
    "in a chord in a chord": lambda make: chord([chord([make.end(), make.task()], make.task()), make.task()],
                                                make.noticed(make.task())),
    "a part of a chord whose body is a group": lambda make: chord([make.end(), make.task()],
                                                                  group(make.noticed(make.task()), make.task())),
}


FEW = ("the first step of a chain", "a part of a chord", "the only part of a chord", "a chain's step in a chord")
LATER = ("a later step of a chain", "a part of a chord in a chain", "in a group in a chain", "a chain's step in a chord",
         "a chain's last step in a chord")


def canvases_of(ending):
    return [name for name in CANVASES if (name in FEW or not ending.get("slow")) and
            (name not in LATER or not ending.get("first"))]


@contextmanager
def without_ttl(app):
    """Within it the messages that the client sends do not expire in the queue."""
    send_message = app.amqp.send_task_message
    with mock.patch.object(app.amqp, "send_task_message",
                           lambda *args, expiration=None, **options: send_message(*args, **options)):
        yield


def send(side, ending):
    """Sends all canvases while the worker is held, then lets it go on. Gives {number: ids}."""
    gate = side.hold()
    outcomes, ends = {}, []
    for index, name in enumerate(canvases_of(ending)):
        number = 1000 * side.batches + index  # a worker remembers ids and labels
        make = Maker(side.app, number, ending)
        with canvases.fixed_ids(str(number)) as made, without_ttl(side.app):
            canvas = CANVASES[name](make)
            if ending.get("revoked") == "before":
                revoke(side.app, side.worker.node, make.ids)
            canvas.apply_async()
        outcomes[number] = [*made, *make.ids]
        ends += [(make.number, each) for each in make.ids]
    gate.touch()
    if ending.get("revoked") == "running":
        terminate(side, ends)
    return outcomes


def revoke(app, node, ids):
    app.control.revoke(ids)

    def known():
        answer = app.control.inspect([node], timeout=20, limit=1).revoked() or {}
        return set(ids) <= set(answer.get(node, ()))

    wait_for(known, f"{node} knows what is revoked", 120)


def terminate(side, ends):
    """Each when it runs, one after the other: there is one child."""
    node, left = side.worker.node, {each for _, each in ends}

    def next_one():
        answer = side.app.control.inspect([node], timeout=20, limit=1).active() or {}
        for running in answer.get(node, ()):
            if running["id"] in left:
                side.app.control.revoke(running["id"], terminate=True, signal="SIGKILL")
                left.discard(running["id"])
        return not left

    wait_for(next_one, f"{side.name} has run and terminated all", 300)


def plain(line):
    """What is the same whoever has told of the end: how many tasks were begun before one was lost is another number on
    each side; and the failure of a chord's body has the children of the task that was the last part, if it was one."""
    line = re.sub(r"Job: \d+", "Job: ?", line)
    return line if '"name"' in line else re.sub(r'"children": .*?, "result"', '"result"', line)


def left(side, outcomes):
    """What each canvas left."""
    lines = side.left(outcomes)
    return {number: collections.Counter(map(plain, lines[number].elements())) for number in outcomes}


@pytest.fixture(scope="module")
def both(rabbitmq, redis_server, tmp_path_factory):
    yield from canvases.two_apart(rabbitmq, redis_server, tmp_path_factory.mktemp("endings"))


@pytest.mark.parametrize("ending", ENDINGS)
def test_who_follows_a_task_hears_of_its_end_as_from_the_genuine_worker(both, ending):
    sides = (both.python, both.c)
    outcomes = [send(side, ENDINGS[ending]) for side in sides]
    for side in sides:
        side.wait()
    theirs, ours = (left(side, sent) for side, sent in zip(sides, outcomes))
    assert all(theirs.values()), "a canvas left nothing"
    if ending.startswith("hard time limit"):  # of which the genuine worker's parent hears, and tells, twice
        theirs = {number: collections.Counter(set(lines)) for number, lines in theirs.items()}
    found = {name: text for number, name in zip(outcomes[0], canvases_of(ENDINGS[ending]))
             if (text := both.difference(theirs[number], ours[number]))}
    assert not found, "\n\n".join(f"{name}\n{text}" for name, text in found.items())


# ---- the C worker alone ----

TIMEOUT = 120


@pytest.fixture
def started(worker, tmp_path):
    """started(*options, ...): a worker with the tasks above; `started.runs()` are the runs that it has noted."""
    runs = tmp_path / "runs"
    runs.touch()

    def start(*options, **more):
        return worker(*options, name="canvas-worker", env={"CANVAS_RUNS": str(runs)}, **more)

    start.runs = lambda: [json.loads(line) for line in runs.read_text().splitlines()]
    return start


def signature(app, name, label, *args, **kwargs):
    return app.signature(f"canvas.{name}", args=args, kwargs={"label": label, **kwargs})


def ends(app, label, how, **options):
    return signature(app, "end", label, how=how).set(**options)


def state_of(app, task_id):
    return app.backend.get_task_meta(task_id, cache=False)


def wait_for_failure(app, task_id):
    """The exception stored of what has failed."""
    def look():
        meta = state_of(app, task_id)
        return meta if meta["status"] in ("FAILURE", "REVOKED") else None
    return wait_for(look, f"{task_id} has failed", TIMEOUT)["result"]


def test_a_revoked_part_fails_its_chord_while_all_children_are_busy(started, app, tmp_path):
    one = started("--concurrency", 1, "--prefetch-multiplier", 8)
    gate, ids = tmp_path / "gate", [str(uuid.uuid4()) for _ in range(2)]
    revoke(app, one.node, ids)
    busy = app.send_task("canvas.hold", (str(gate),))
    parts = [ends(app, "part", "hang", task_id=each) for each in ids]
    result = chord(parts, signature(app, "join", "body"), app=app).apply_async()
    assert isinstance(wait_for_failure(app, result.id), ChordError)
    assert state_of(app, busy.id)["status"] == "PENDING"
    gate.touch()
    busy.get(timeout=TIMEOUT)


def test_an_errback_that_kills_its_process_is_tried_twice_and_no_more(started, app):
    one = started("--concurrency", 1)
    task = ends(app, "task", "kill")
    task.link_error(signature(app, "deadly_errback", "errback"))
    result = task.apply_async()
    assert isinstance(wait_for_failure(app, result.id), WorkerLostError)
    assert app.send_task("canvas.join", (1,), {"label": "next"}).get(timeout=TIMEOUT) == ["next", [1]]
    wait_for(lambda: [run["label"] for run in started.runs()].count("errback") == 2, "both tries", TIMEOUT)
    wait_for(lambda: "who follows it is not told" in one.log(), "the worker says so", TIMEOUT)
    assert one.process.is_running()


@pytest.mark.parametrize("how, options", [("kill", {}), ("hang", {"time_limit": 1})])
@pytest.mark.parametrize("task", ["end", "end_late"])
def test_one_event_tells_of_the_end_and_the_message_is_acknowledged(started, app, rabbitmq, vhost, task, how, options):
    monitor = Monitor(app)
    try:
        started("--concurrency", 1, "-E")
        part = signature(app, task, "part", how=how).set(**options)
        result = chord([part], signature(app, "join", "body"), app=app).apply_async()
        assert isinstance(wait_for_failure(app, result.id), ChordError)
        part_id = result.parent.results[0].id
        wait_until_empty(rabbitmq, vhost)
        after = app.send_task("canvas.join", (), {"label": "after"})
        monitor.wait("task-succeeded", after.id)
        assert monitor.of(part_id) == ["task-received", "task-started", "task-failed"]
    finally:
        monitor.finish()


def test_the_arguments_of_a_large_message_are_in_its_extended_result(started, app):
    started("--concurrency", 1, "--result-extended")
    result = app.send_task("canvas.end", ("x" * 200000,), {"label": "large", "how": "kill"})
    assert isinstance(wait_for_failure(app, result.id), WorkerLostError)
    assert state_of(app, result.id)["args"] == ["x" * 200000]


def test_a_part_that_passes_its_limit_in_a_warm_shutdown_fails_its_chord(started, app):
    one = started("--concurrency", 1)
    result = chord([ends(app, "part", "hang", time_limit=3)], signature(app, "join", "body"), app=app).apply_async()
    wait_for(started.runs, "the part runs", TIMEOUT)
    one.finish()
    assert isinstance(state_of(app, result.id)["result"], ChordError)


def test_a_part_that_a_cold_shutdown_ends_fails_its_chord(started, app):
    one = started("--concurrency", 1)
    result = chord([ends(app, "part", "hang")], signature(app, "join", "body"), app=app).apply_async()
    wait_for(started.runs, "the part runs", TIMEOUT)
    one.finish(number=signal.SIGQUIT, codes=(1,))
    assert isinstance(state_of(app, result.id)["result"], ChordError)


def test_later_steps_and_errbacks_are_told_over_rpc(started, broker_url):
    client = celery_app(broker_url, "rpc://")
    try:
        started("--concurrency", 1, backend="rpc://")
        first = ends(client, "first", "kill")
        first.link_error(signature(client, "errback", "errback"))
        result = chain(first, signature(client, "join", "second"), app=client).apply_async()
        with pytest.raises(WorkerLostError):
            result.get(timeout=TIMEOUT)
        wait_for(lambda: ["errback", [result.parent.id]] in [[run["label"], run["args"]] for run in started.runs()],
                 "the errback has run", TIMEOUT)
    finally:
        client.close()


@pytest.mark.parametrize("task", ["demo.retry", "demo.retry_late"])
def test_a_retry_that_the_broker_refuses_fails_the_task_in_the_end(worker, app, rabbitmq, vhost, task):
    """The exchange that the task came through is gone when it is published again."""
    rabbitmq.api("PUT", f"exchanges/{vhost}/passing", {"type": "direct"})
    app.send_task("demo.noop")  # makes the queue
    rabbitmq.api("POST", f"bindings/{vhost}/e/passing/q/celery", {"routing_key": "celery"})
    part = app.signature(task, kwargs={"times": 1, "countdown": 0}).set(exchange="passing", routing_key="celery")
    result = chord([part], app.signature("demo.noop"), app=app).apply_async()
    rabbitmq.api("DELETE", f"exchanges/{vhost}/passing")
    worker("--concurrency", 1)
    assert "could not be published again" in str(wait_for_failure(app, result.parent.results[0].id))
    assert isinstance(wait_for_failure(app, result.id), ChordError)
    wait_until_empty(rabbitmq, vhost)


def test_a_task_that_had_succeeded_when_its_child_was_lost_calls_no_errback(started, app):
    """As when the child dies between the stored result and its report."""
    one = started("--concurrency", 1)
    task = ends(app, "task", "kill", task_id=str(uuid.uuid4()))
    task.link_error(signature(app, "errback", "errback"))
    task.link_error(signature(app, "errback_in_place", "errback"))
    app.backend.store_result(task.options["task_id"], "done", "SUCCESS")
    result = task.apply_async()
    wait_for(lambda: "had succeeded already" in one.log(), "the worker finds it out", TIMEOUT)
    assert app.send_task("canvas.join", (1,), {"label": "next"}).get(timeout=TIMEOUT) == ["next", [1]]
    assert [run["label"] for run in started.runs()] == ["task", "next"]
    assert state_of(app, result.id)["result"] == "done"


@pytest.mark.parametrize("task, left", [("end", 0), ("end_late", 1)])
def test_a_worker_that_cannot_tell_for_want_of_redis_stops_all_the_same(started, broker_url, own_redis, rabbitmq, vhost,
                                                                        task, left):
    """What is not acknowledged is there for the next worker."""
    store, client = own_redis(), celery_app(broker_url, "disabled://")
    try:
        one = started("--concurrency", 1, backend=store.url_of(0))
        store.kill()
        part = signature(client, task, "task", how="kill")
        part.link_error(signature(client, "errback", "errback"))
        part.apply_async()
        wait_for(lambda: "its process" in one.log(), "the child is lost", TIMEOUT)
        one.finish(number=signal.SIGQUIT, codes=(1,))
        wait_for(lambda: depth(rabbitmq, vhost) == left, f"{left} messages are left", TIMEOUT)
    finally:
        client.close()
