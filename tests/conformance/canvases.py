"""usage: make canvases [COUNT=2000] [SEED=1]
   or: python -m tests.conformance.canvases [--count N] [--seed N] [--build FOLDER]

Random canvases: nested chains, groups and chords with callbacks, errbacks, failures, retries, replacements,
made of a seed. A Python client sends each, with the same ids, to a genuine worker
(tests/celery/canvas_tasks.py) and to the C worker (tests/celery/canvas_worker.c), and what they leave is
compared: every run of every task with its arguments and relations, every state in Redis, and every revocation
that the worker broadcasts. Dates, tracebacks, names of workers and ids that workers make are not compared.

Some canvases end in more than one way with the genuine worker alone:
- Where a chord's header has a group in it and two or more of its own tasks fail, it names the one that comes
  first in a Python set, whose order is another for other ids (celery/result.py join_native).
- What it sends at once for a group with a chord in it goes through several connections (the chord takes
  another producer while the group holds its own: celery/canvas.py _apply_tasks, _chord.apply_async), and comes
  into the queue in either order: so another task may be the last one of a header, which is the body's parent.
So what differs is sent to the genuine worker again, with other ids, and does not differ if one of its outcomes
is then, as a whole, the C worker's. Such canvases are counted, and shown with what was different.

One difference is meant, and left out: a part that returns after its chord's body was sent is dropped by the
genuine worker, and kept by the C worker, as it may be the first one of a chord that is applied again
(celeryc/results/chord_part.lua).

A canvas that differs is made smaller as long as it differs, and shown. Exits 0 when none does."""

import argparse
import collections
import difflib
import json
import os
import pathlib
import random
import re
import sys
import tempfile
import time
import uuid
import warnings
from contextlib import contextmanager
from unittest import mock

import celery.app.base
import celery.app.task
import celery.canvas
import kombu
import redis
from celery import chain, chord, group

from dev.servers import RabbitMQ, Redis
from tests.harness import programs
from tests.harness.workers import CWorker, PythonWorker, celery_app

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LABEL = re.compile(r"\bc(\d+)n\d+\b")
UNLIKE = ("traceback", "date_done", "worker")  # of a stored state
BATCH = 50
PATIENCE = 300  # seconds for a batch
REPEATS = 60  # of what differs, with the genuine worker, until it ends as the C worker's


# ---- canvases as plain values, so that they can be made smaller ----

def any_task(draw, depth):
    made = {"kind": "join", "args": [draw.randint(0, 9) for _ in range(draw.choice([0, 1, 1, 2]))]}
    chance = draw.random()
    if chance < 0.12:
        made["kind"] = "fail"
    elif chance < 0.20:
        made["kind"] = "retry"
    elif chance < 0.24:
        made["kind"] = "tires"
    elif depth > 0 and chance < 0.30:
        made["kind"], made["by"] = "replace", any_canvas(draw, depth - 1)
    elif depth > 0 and chance < 0.34:
        made["kind"], made["by"] = "send", any_canvas(draw, depth - 1)
    if draw.random() < 0.2:
        made["immutable"] = True
    return made


def any_canvas(draw, depth):
    kind = draw.choice(["task", "task"] + ["chain", "group", "chord"] * (depth > 0))
    parts = [any_canvas(draw, depth - 1) for _ in range(draw.randint(1, 3))] if kind != "task" else []
    if kind == "task":
        made = any_task(draw, depth)
    elif kind == "chord":
        made = {"kind": kind, "parts": parts, "body": any_canvas(draw, depth - 1)}
    else:
        made = {"kind": kind, "parts": parts}
    if draw.random() < 0.15:
        made["link"] = [any_task(draw, 0) for _ in range(draw.randint(1, 2))]
    if draw.random() < 0.2:
        made["link_error"] = [{"kind": draw.choice(["errback", "errback_in_place"]), "args": []}
                              for _ in range(draw.randint(1, 2))]
    return made


def canvas_of(seed):
    return any_canvas(random.Random(seed), 3)


def size(spec):
    """How much there is to read in it."""
    inner = [*spec.get("parts", []), *spec.get("link", []), *spec.get("link_error", []),
             *(spec[name] for name in ("body", "by") if name in spec)]
    own = 10 + len(spec.get("args", [])) + 2 * ("immutable" in spec) + 3 * (spec["kind"] != "join")
    return own + sum(map(size, inner))


def without(spec, name):
    return {key: value for key, value in spec.items() if key != name}


def smaller(spec):
    """Canvases that are a step simpler."""
    for name in ("parts", "link", "link_error"):
        for index, inner in enumerate(spec.get(name, [])):
            rest = spec[name][:index] + spec[name][index + 1:]
            if name != "link_error":
                yield inner
            if rest:
                yield {**spec, name: rest}
            elif name != "parts":
                yield without(spec, name)
            for less in smaller(inner):
                yield {**spec, name: spec[name][:index] + [less] + spec[name][index + 1:]}
    for name in ("body", "by"):
        if name in spec:
            yield spec[name]
            for less in smaller(spec[name]):
                yield {**spec, name: less}
    if spec.get("args"):
        yield {**spec, "args": []}
    if "immutable" in spec:
        yield without(spec, "immutable")
    if spec["kind"] in ("fail", "retry", "tires", "replace", "send"):
        yield {**without(spec, "by"), "kind": "join"}


def shown(spec):
    """The canvas as one would write it."""
    kind = spec["kind"]
    if kind in ("chain", "group"):
        text = f"{kind}({', '.join(map(shown, spec['parts']))})"
    elif kind == "chord":
        text = f"chord([{', '.join(map(shown, spec['parts']))}], {shown(spec['body'])})"
    else:
        arguments = [*map(str, spec["args"]), *([f"by={shown(spec['by'])}"] if "by" in spec else [])]
        text = f"{kind}.{'si' if spec.get('immutable') else 's'}({', '.join(arguments)})"
        text += ".set(ignore_result=True)" if "ignored" in spec else ""
    for name, method in (("link", "link"), ("link_error", "link_error")):
        text += "".join(f".{method}({shown(each)})" for each in spec.get(name, []))
    return text


class Builder:
    """Signatures of one canvas for one application; every task gets a label of its own."""

    def __init__(self, app, number):
        self.app, self.number, self.count = app, number, 0

    def task(self, spec):
        self.count += 1
        name, kwargs = spec["kind"], {"label": f"c{self.number}n{self.count}"}
        if name == "tires":
            name, kwargs["tires"] = "retry", True
        if "by" in spec:
            inner = json.dumps(self.build(spec["by"]), default=lambda value: value.__json__())
            kwargs["by"] = json.loads(inner)
        options = {"ignore_result": True} if "ignored" in spec else {}
        return self.app.signature(f"canvas.{name}", args=spec["args"], kwargs=kwargs,
                                  immutable=spec.get("immutable", False), **options)

    def build(self, spec):
        parts = [self.build(part) for part in spec.get("parts", [])]
        if spec["kind"] == "chain":
            made = chain(parts, app=self.app)
        elif spec["kind"] == "group":
            made = group(parts, app=self.app)
        elif spec["kind"] == "chord":
            made = chord(parts, self.build(spec["body"]), app=self.app)
        else:
            made = self.task(spec)
        for callback in spec.get("link", []):
            made.link(self.build(callback))
        for errback in spec.get("link_error", []):
            made.link_error(self.build(errback))
        return made


@contextmanager
def fixed_ids(name):
    """Within it a client makes always the same ids; yields the list of those made."""
    draw, made = random.Random(name), []

    def make():
        made.append(str(uuid.UUID(int=draw.getrandbits(128), version=4)))
        return made[-1]

    with mock.patch.object(celery.canvas, "uuid", make), mock.patch.object(celery.app.base, "uuid", make), \
            mock.patch.object(celery.app.task, "uuid", make):
        yield made


# ---- a worker of either kind ----

class Side:
    """A broker's virtual host, a database, a client and a worker with one child."""

    def __init__(self, name, folder, broker_url, backend_url, start):
        self.name, self.folder, self.batches = name, folder, 0
        self.runs = folder / f"{name}.runs"
        self.runs.touch()
        self.app = celery_app(broker_url, backend_url)
        self.app.backend.on_task_call = lambda *args, **kwargs: {}  # it does not wait for results
        self.app.backend.remove_pending_result = lambda result: result
        self.results = redis.Redis.from_url(backend_url)
        # One child and one message at a time: tasks end in the order in which they were sent, on both sides.
        options = ["--concurrency", "1", "--prefetch-multiplier", "1", "--without-mingle", "--without-gossip"]
        self.worker = start(folder, broker_url, backend_url, options, {"CANVAS_RUNS": str(self.runs)})
        self.connection = self.app.connection_for_read()
        control = kombu.Queue(exclusive=True, exchange=self.app.control.mailbox.exchange)
        self.control = control(self.connection)
        self.control.declare()  # remote control is a fanout: this queue hears it too

    def revocations(self):
        """The bodies of those that were broadcast since the last call."""
        while (message := self.control.get(no_ack=True)) is not None:
            if message.payload["method"] == "revoke":
                yield message.payload

    def hold(self):
        """Begins a batch, from nothing: the worker is held until the file whose path this is exists."""
        self.results.flushdb()
        self.runs.write_text("")
        self.batches += 1
        gate = self.folder / f"{self.name}.gate-{self.batches}"
        self.app.send_task("canvas.hold", (str(gate),), ignore_result=True)
        return gate

    def send(self, canvases):
        """Sends {number: canvas} while the worker is held, then lets it go on: {number: ids or error}."""
        gate = self.hold()
        outcomes = {}
        for number, spec in canvases.items():
            # A worker remembers ids: no batch has those of another.
            with fixed_ids(f"{self.batches} {number}") as ids, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    Builder(self.app, number).build(spec).apply_async()
                    outcomes[number] = ids
                except Exception as error:  # whatever the client stumbles over: the canvas is none
                    outcomes[number] = error
        gate.touch()
        return outcomes

    def wait(self):
        """Until nothing is left to do."""
        inspect = self.app.control.inspect([self.worker.node], timeout=20, limit=1)
        deadline, seen, quiet = time.monotonic() + PATIENCE, None, 0
        with self.app.connection_for_read() as connection:
            while quiet < 3:
                process = self.worker.process
                if time.monotonic() > deadline:
                    raise SystemExit(f"{self.name}: not done within {PATIENCE} s\n{process.log_tail()}")
                if not process.is_running():
                    raise SystemExit(f"{self.name}: the worker ended\n{process.log_tail()}")
                waiting = connection.default_channel.queue_declare("celery", passive=True).message_count
                held = [question() for question in (inspect.reserved, inspect.scheduled, inspect.active)]
                idle = waiting == 0 and all(each is not None and not any(each.values()) for each in held)
                state = (self.results.dbsize(), self.runs.stat().st_size)
                quiet = quiet + 1 if idle and state == seen else 0
                seen = state
                time.sleep(0.1)

    def left(self, outcomes):
        """What was left by each canvas: {number: Counter of lines}."""
        known = {}
        for number, ids in outcomes.items():
            if isinstance(ids, list):
                known.update({each: (number, f"id{index}") for index, each in enumerate(ids)})
        left = collections.defaultdict(collections.Counter)

        def add(kind, value):
            text = json.dumps(value, sort_keys=True)
            numbers = [known[each][0] for each in UUID.findall(text) if each in known] + \
                [int(each) for each in LABEL.findall(text)]
            text = UUID.sub(lambda found: known[found[0]][1] if found[0] in known else "?", text)
            left[numbers[0] if numbers else None][f"{kind} {text}"] += 1

        for line in self.runs.read_text().splitlines():
            add("run", json.loads(line))
        for request in self.revocations():
            add("revoke", request)
        for key in self.results.scan_iter(count=1000):
            name = key.decode()
            if name.endswith(".c"):  # who claimed the end of a chord that failed; gone in some seconds
                continue
            if name.endswith((".j", ".d")) and self.results.get(f"{name[:-2]}.c") == b"done":
                continue  # parts that came after the body was sent
            if name.startswith("celery-task-meta-"):
                meta = json.loads(self.results.get(key))
                add("state", {field: value for field, value in meta.items() if field not in UNLIKE})
            elif self.results.type(key) == b"string":
                add("key", [name, self.results.get(key).decode()])
            else:  # the parts of a chord that have come
                add("key", [name, self.results.type(key).decode()])
        return left

    def close(self):
        self.connection.release()
        self.app.close()
        self.results.close()


def start_python(folder, broker_url, backend_url, options, env):
    return PythonWorker(folder, broker_url, backend_url, module="tests.celery.canvas_tasks", options=options,
                        env=env)


def start_c(folder, broker_url, backend_url, options, env):
    return CWorker(folder, broker_url, backend_url, name="canvas-worker",
                   options=[*options, "--result-extended"], env=env)


class Comparison:
    """Both workers, on two virtual hosts of a broker and two databases."""

    def __init__(self, folder, python_urls, c_urls):
        self.refused = 0  # canvases that the client could not send
        self.open = {}  # {canvas, as text: the difference at first} of those with several ends
        self.python = Side("python", folder, *python_urls, start_python)
        self.c = Side("c", folder, *c_urls, start_c)

    def differences(self, canvases):
        """{number: text of the differences} of {number: canvas}."""
        outcomes = [side.send(canvases) for side in (self.python, self.c)]
        self.refused += sum(isinstance(outcome, Exception) for outcome in outcomes[0].values())
        for side in (self.python, self.c):
            side.wait()
        theirs, ours = (side.left(sent) for side, sent in zip((self.python, self.c), outcomes))
        found = {number: text for number in [*canvases, None]
                 if (text := self.difference(theirs[number], ours[number]))}
        again = {number: canvases[number] for number in found if number is not None}
        for number in self.undetermined(again, ours):
            self.open[shown(canvases[number])] = found.pop(number)
        return found

    @staticmethod
    def difference(theirs, ours):
        lines = [sorted(left.elements()) for left in (theirs, ours)]
        return "\n".join(difflib.unified_diff(*lines, "python", "c", n=0, lineterm=""))

    def undetermined(self, canvases, ours):
        """The numbers of those of {number: canvas} that end as ours when sent to the genuine worker again."""
        alike = set()
        for _ in range(REPEATS):
            left_over = {number: spec for number, spec in canvases.items() if number not in alike}
            if not left_over:
                break
            sent = self.python.send(left_over)
            self.python.wait()
            left = self.python.left(sent)
            alike |= {number for number in left_over if left[number] == ours[number]}
        self.c.batches = self.python.batches  # so that the next batch has the same ids on both sides
        return alike

    def smallest(self, spec):
        """The simplest canvas found that still differs, and how."""
        text = None
        while True:
            candidates = sorted((each for each in smaller(spec) if size(each) < size(spec)), key=size)
            for start in range(0, len(candidates), BATCH):
                batch = dict(enumerate(candidates[start:start + BATCH]))
                found = {number: one for number, one in self.differences(batch).items() if number is not None}
                if found:
                    spec, text = batch[min(found)], found[min(found)]
                    break
            else:
                return spec, text

    def close(self):
        for side in (self.python, self.c):
            side.close()


def two_apart(rabbitmq, redis_server, folder):
    """A fixture's body: both workers on servers that others use too, ended afterwards."""
    hosts = [f"apart-{uuid.uuid4()}" for _ in range(2)]
    last = redis_server.databases - 1  # the others are given out from the first
    made = Comparison(folder, *((rabbitmq.add_vhost(host), redis_server.url_of(last - index))
                                for index, host in enumerate(hosts)))
    yield made
    try:
        made.c.worker.finish()
    finally:
        made.close()
        made.python.worker.kill()
        made.c.worker.kill()
        for host in hosts:
            rabbitmq.delete_vhost(host)


@contextmanager
def comparison(folder):
    """With servers of its own."""
    rabbitmq, store = RabbitMQ(folder / "rabbitmq").start(), Redis(folder / "redis").start()
    made = None
    try:
        made = Comparison(folder, (rabbitmq.add_vhost("python"), store.url_of(0)),
                          (rabbitmq.add_vhost("c"), store.url_of(1)))
        yield made
    finally:
        if made is not None:
            made.close()
            made.python.worker.kill()
            made.c.worker.kill()
        store.kill()
        rabbitmq.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    build = os.environ.get("TEST_BUILD", programs.ROOT / "build")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path(build))
    parser.add_argument("--most", type=int, default=20, help="differences to make smaller and show")
    options = parser.parse_args()
    programs.BUILD = options.build
    different, shown_before = [], set()
    with tempfile.TemporaryDirectory(prefix="canvases-") as folder, comparison(pathlib.Path(folder)) as both:
        seeds = range(options.seed, options.seed + options.count)
        for start in range(0, len(seeds), BATCH):
            found = both.differences({seed: canvas_of(seed) for seed in seeds[start:start + BATCH]})
            different += [(seed, text) for seed, text in found.items()]
            print(f"{min(start + BATCH, len(seeds))} canvases, {both.refused} that the client cannot send, "
                  f"{len(both.open)} with several ends there too, {len(different)} different", flush=True)
        for name, text in both.open.items():
            print(f"\nends in several ways with the genuine worker, one of them the C worker's: {name}\n{text}")
        for seed, text in different[:options.most]:
            spec = None if seed is None else canvas_of(seed)
            if spec is not None:
                spec, least = both.smallest(spec)
                text = least or text
            name = "not known of which" if spec is None else shown(spec)
            if name not in shown_before:
                print(f"\nseed {seed}: {name}\n{text}", flush=True)
            shown_before.add(name)
    print(f"{len(seeds)} canvases, {len(different)} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
