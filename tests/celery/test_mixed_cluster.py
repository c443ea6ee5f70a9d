"""Two Python workers and two C workers on one queue run canvases together, while tasks are revoked and
workers restarted: every result is right, what Redis holds is what the events tell, and nothing runs twice but
what a killed worker had not acknowledged, and what Celery's own warm shutdown forgets to.

MIXED_CLUSTER_TASKS says how many tasks (about)."""

import collections
import json
import os
import random
import signal

import celery
import pytest
import redis
from celery import chain, chord, group
from celery.result import denied_join_result

from dev.servers.process import wait_for
from tests.celery.worker_tool import Monitor

TASKS = int(os.environ.get("MIXED_CLUSTER_TASKS", "1000"))
TIMEOUT = 120 + TASKS / 5
FOR_EVER = 36000
READY = {"SUCCESS", "FAILURE", "REVOKED"}
NODES = ("py1@cluster", "py2@cluster", "c1@cluster", "c2@cluster")
KILLED = "c1@cluster, first life"
# A Python worker that is stopped warm under load forgets some acknowledgements: what it ran is run again. A C
# worker does not.
FORGETFUL = "py1@cluster, first life"


# ---- canvases ----

class Canvases:
    """Random canvases and their results: a number, a list of them, or the type of an exception."""

    def __init__(self, app, seed, suffixes):
        self.app, self.random, self.suffixes = app, random.Random(seed), suffixes

    def task(self, name, *args):
        return self.app.signature(f"cluster.{name}{self.random.choice(self.suffixes)}", args)

    def number(self):
        return self.random.randrange(1000)

    def add(self):
        x, y = self.number(), self.number()
        return self.task("add", x, y), x + y, 1

    def adds(self, least=2, most=5):
        parts = [self.add() for _ in range(self.random.randint(least, most))]
        return [part[0] for part in parts], [part[1] for part in parts], len(parts)

    def chain(self):
        """With a task in it that is retried."""
        first, value, _ = self.add()
        more = [self.number() for _ in range(3)]
        steps = [self.task("add", number) for number in more]
        return chain(first, steps[0], self.task("again"), *steps[1:]), value + sum(more), 5

    def group(self):
        parts, values, count = self.adds()
        return group(parts), values, count

    def group_of_chains(self):
        chains = [self.chain() for _ in range(2)]
        signatures, values, counts = zip(*chains)
        return group(signatures), list(values), sum(counts)

    def chord(self):
        parts, values, count = self.adds()
        return chord(parts, self.task("total")), sum(values), count + 1

    def chord_in_chain(self):
        first, value, _ = self.add()
        more = [self.number() for _ in range(3)]
        parts = group(self.task("add", number) for number in more)
        return chain(first, parts, self.task("total"), self.task("add", 1)), 3 * value + sum(more) + 1, 6

    def chord_of_everything(self):
        parts = [self.chain(), self.chord(), self.add()]
        return chord([part[0] for part in parts], self.task("total")), sum(part[1] for part in parts), \
            sum(part[2] for part in parts) + 1

    def failing_chain(self):
        first, _, _ = self.add()
        return chain(first, self.task("fail"), self.task("add", 1)), "ValueError", 2

    def failing_chord(self):
        parts, _, count = self.adds()
        return chord([*parts, self.task("fail")], self.task("total")), "ChordError", count + 1

    def make(self, least):
        """(signature, value) until there are so many tasks in them."""
        kinds = [self.chain, self.group, self.group_of_chains, self.chord, self.chord_in_chain,
                 self.chord_of_everything, self.failing_chain, self.failing_chord]
        while least > 0:
            signature, value, count = self.random.choice(kinds)()
            least -= count
            yield signature, value


class Sent:
    """Canvases on their way. Their ends are read out of Redis, all at once."""

    def __init__(self, store):
        self.store, self.of = store, []

    def send(self, canvases):
        for signature, value in canvases:
            result = signature.apply_async()
            self.of.append((value, [each.id for each in result] if hasattr(result, "results") else result.id))

    def missing(self):
        ids = [uuid for _, end in self.of for uuid in (end if isinstance(end, list) else [end])]
        return [uuid for uuid, meta in metas(self.store, ids).items() if meta["status"] not in READY]

    def wait(self, what):
        wait_for(lambda: not self.missing(), what, TIMEOUT, every=0.5)

    def check(self):
        """Each value is what it must be."""
        def value_of(meta):
            return meta["result"]["exc_type"] if meta["status"] == "FAILURE" else meta["result"]

        for value, end in self.of:
            found = metas(self.store, end if isinstance(end, list) else [end])
            values = [value_of(found[uuid]) for uuid in (end if isinstance(end, list) else [end])]
            assert (values if isinstance(end, list) else values[0]) == value, (value, end, found)


def metas(store, ids):
    """What Redis holds of tasks, by their ids."""
    texts = store.mget([f"celery-task-meta-{uuid}" for uuid in ids]) if ids else []
    return {uuid: json.loads(text) if text else {"status": "PENDING"} for uuid, text in zip(ids, texts)}


# ---- the cluster ----

class Watcher(Monitor):
    """app.events.State fed by a Receiver, as a monitor does it; how many tasks have begun on each node."""

    READY = 120

    def __init__(self, app):
        self.state = app.events.State(max_tasks_in_memory=10 * TASKS + 10000)
        self.started = collections.Counter()
        super().__init__(app)

    def on_event(self, event):
        if event["type"] == "task-started":
            self.started[event["hostname"]] += 1
        self.state.event(event)


class Cluster:
    """The four workers; a node that is started again has another life."""

    def __init__(self, worker, python_worker, app):
        self.start_c, self.start_python, self.app, self.lives = worker, python_worker, app, {}
        self.workers = {node: self.start(node, wait=False) for node in NODES}
        wait_for(lambda: len(app.control.ping(destination=list(NODES), timeout=5.0, limit=4)) == 4,
                 "all four answer a ping", 120)

    def start(self, node, life="first", wait=True):
        self.lives[node] = f"{node}, {life} life"
        more = {"node": node, "env": {"CLUSTER_LIFE": self.lives[node]}, "wait": wait}
        words = ["-E", "--concurrency", 2]
        if node.startswith("c"):
            return self.start_c(*words, name="cluster-worker", **more)
        return self.start_python(*words, module="tests.celery.cluster_tasks", **more)

    def restart(self, node, number):
        """By TERM it must end well; after KILL there is nothing to be said of the end."""
        process = self.workers[node].process
        process.send_signal(number)
        code = process.wait(TIMEOUT)
        assert number == signal.SIGKILL or code == 0, process.log_tail()
        self.workers[node].kill()
        self.workers[node] = self.start(node, "second")

    def tell_all(self, command, *args):
        """Revokes, until all four have said that they know."""
        wait_for(lambda: len(command(*args, destination=list(NODES), reply=True, timeout=5.0, limit=4)) == 4,
                 "all four have heard of the revoke", 120)


@pytest.fixture(autouse=True)
def no_subscriptions():
    """The client does not wait for each of thousands of results: they are read out of Redis."""
    with denied_join_result():
        yield


@pytest.fixture
def store(redis_url):
    with redis.Redis.from_url(redis_url, decode_responses=True) as connection:
        yield connection


@pytest.fixture
def watcher(app):
    app.conf.update(event_queue_ttl=3600)  # seconds; no event is dropped while the monitor is late
    one = Watcher(app)
    yield one
    one.finish()


def runs_in(store):
    return [json.loads(text) for text in store.lrange("cluster-runs", 0, -1)]


def revoke_some(app, cluster, store):
    """Tasks of three kinds: that wait for their ETA, that are not sent yet, that bear a stamp. Returns the
    ids of the first kind, and of all."""
    waiting = [app.send_task("cluster.add", (1, 2), countdown=FOR_EVER).id for _ in range(20)]
    cluster.tell_all(app.control.revoke, waiting)
    coming = [celery.uuid() for _ in range(20)]
    cluster.tell_all(app.control.revoke, coming)
    for uuid in coming:
        app.send_task("cluster.add", (1, 2), task_id=uuid)
    cluster.tell_all(app.control.revoke_by_stamped_headers, {"batch": ["stopped"]})
    stamped = []
    for _ in range(20):
        signature = app.signature("cluster.add_late", (1, 2))
        signature.stamp(batch="stopped")
        stamped.append(signature.apply_async().id)
    ids = [*waiting, *coming, *stamped]
    wait_for(lambda: {meta["status"] for meta in metas(store, ids).values()} == {"REVOKED"}, "all are revoked",
             TIMEOUT)
    return waiting, ids


def repeatable(runs):
    """The ids of what may run twice: what was begun in a life that left it unacknowledged and was given out
    again, by these lives; and these and all that they send on."""
    again = {(run["id"], run["retries"]) for run in runs if run["redelivered"]}
    left = {life: {run["id"] for run in runs if run["life"] == life and (run["id"], run["retries"]) in again}
            for life in (KILLED, FORGETFUL)}
    found, before = set().union(*left.values()), None
    while found != before:
        before = set(found)
        found |= {run["id"] for run in runs if run["parent_id"] in found}
    return left, found


@pytest.mark.timeout(1800)  # it waits for many things in turn, each no longer than TIMEOUT
def test_python_and_c_workers_run_canvases_together(worker, python_worker, app, store, watcher):
    cluster, sent = Cluster(worker, python_worker, app), Sent(store)

    # Tasks of both kinds; revoked ones among them; a Python and a C worker are restarted in good order.
    canvases = Canvases(app, "both", ("", "_late"))
    sent.send(canvases.make(TASKS // 6))
    waiting, revoked = revoke_some(app, cluster, store)
    sent.send(canvases.make(TASKS // 6))
    cluster.restart("py1@cluster", signal.SIGTERM)
    cluster.restart("c2@cluster", signal.SIGTERM)
    sent.send(canvases.make(TASKS // 6))
    sent.wait("the first half has ended")

    # Tasks that are acknowledged late; a C worker is killed while it runs some.
    canvases = Canvases(app, "late", ("_late",))
    sent.send(canvases.make(TASKS // 6))
    lingering = [(app.signature("cluster.linger_late", (number, "go-on")), number) for number in range(40)]
    sent.send(lingering[:20])
    sent.send(canvases.make(TASKS // 6))
    sent.send(lingering[20:])
    wait_for(lambda: (KILLED, "cluster.linger_late") in {(run["life"], run["name"]) for run in runs_in(store)},
             "the worker that is to be killed has its hands full", TIMEOUT)
    cluster.restart("c1@cluster", signal.SIGKILL)
    sent.send(canvases.make(TASKS // 6))
    store.set("go-on", 1)
    sent.wait("the second half has ended")

    sent.check()
    wait_for(lambda: all(is_counted(cluster, node, runs_in(store)) for node in NODES),
             "each worker has counted what ran on it", TIMEOUT)
    runs = runs_in(store)
    check_runs(runs, revoked)
    check_events(watcher, store, runs, waiting, revoked)


def is_counted(cluster, node, runs):
    """Whether the worker's own count is what it ran in the life that it is in."""
    stats = cluster.app.control.inspect(destination=[node], timeout=5.0, limit=1).stats()[node]
    life = cluster.lives[node]
    return stats["total"] == collections.Counter(run["name"] for run in runs if run["life"] == life)


def check_runs(runs, revoked):
    left, may_repeat = repeatable(runs)
    ran = collections.Counter((run["id"], run["retries"]) for run in runs)
    twice = {run for run, count in ran.items() if count > 1}
    doubled = [run for run in runs if (run["id"], run["retries"]) in twice and run["id"] not in may_repeat]
    assert not doubled, "\n".join(map(str, doubled))
    assert any(run["name"] == "cluster.linger_late" and run["id"] in left[KILLED] for run in runs)
    assert len(left[KILLED]) <= 50  # its prefetch, and what it held for its ETA: not all that it ran
    assert not {run["id"] for run in runs} & set(revoked)
    assert {run["node"] for run in runs} == set(NODES)


def check_events(watcher, store, runs, waiting, revoked):
    state, kept = watcher.state, set()
    ids = {run["id"] for run in runs} | set(revoked)
    stored = metas(store, sorted(ids))
    # The last events of these went with them.
    silent = {run["id"] for run in runs if run["life"] in (KILLED, FORGETFUL)}
    retried = {run["id"] for run in runs if run["retries"] > 0}

    def differences():
        kept.clear()
        found = {}
        for uuid, meta in stored.items():
            task = state.tasks.get(uuid)
            told = task.state if task else None
            if told == "RETRY" and uuid in retried and task.succeeded:
                told = "SUCCESS"  # told by another worker than the one that told of the retry later
            if uuid in waiting and told == "RECEIVED":
                told = "REVOKED"  # the event is sent when its time has come
            if told != meta["status"] and uuid in silent:
                kept.add(uuid)
            elif told != meta["status"]:
                found[uuid] = (told, meta["status"])
        return found

    try:
        wait_for(lambda: not differences(), "the events' state is what Redis holds", TIMEOUT)
    except TimeoutError:
        assert not differences()  # which names them
    assert ids - silent <= set(state.tasks) <= ids
    started = collections.Counter(run["node"] for run in runs)
    for node in ("py2@cluster", "c2@cluster"):
        assert watcher.started[node] == started[node], node
    print(f"{len(runs)} runs of {len(ids)} tasks; per node {dict(started)}; {len(kept)} ends not told")
