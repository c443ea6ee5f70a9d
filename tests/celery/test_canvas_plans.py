"""Canvases: what celeryc sends for one is what Python's Celery sends for it, message by message, ids apart.

Python applies each canvas with a producer that only records; the C tool gets the same signature as JSON."""

import copy
import difflib
import json
import random
import re
import subprocess
import types
from contextlib import contextmanager

import celery.app.base
import pytest
from celery import Celery, chain, chord, group
from celery.canvas import Signature, StampingVisitor
from celery.exceptions import Ignore

from tests.harness.programs import environment, program, sanitizer_report

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
REQUEST = {"id": "11111111-1111-4111-8111-111111111111", "root_id": "22222222-2222-4222-8222-222222222222"}


class Tool:
    """The C program: an object in, an object out."""

    def __init__(self):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([program("canvas-tool")], stdin=pipe, stdout=pipe, stderr=pipe,
                                        env=environment())

    def call(self, **fields):
        self.process.stdin.write(json.dumps(fields).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read().decode()
        return json.loads(line)

    def finish(self):
        self.process.stdin.close()
        errors = self.process.stderr.read().decode()
        assert self.process.wait(120) == 0 and not sanitizer_report(errors), errors


@pytest.fixture(scope="module")
def tool():
    made = Tool()
    yield made
    made.finish()


class Recorder:
    """A Python application whose messages and chords are noted, and go nowhere."""

    def __init__(self):
        self.app = Celery("recorded", broker="memory://", backend="redis://127.0.0.1:1/0",
                          set_as_current=False)
        self.steps = []
        self.app.amqp.send_task_message = self.send
        backend = self.app.backend
        backend.on_task_call = lambda *args, **kwargs: {}
        backend.result_consumer.consume_from = lambda *args, **kwargs: None
        backend.set_chord_size = lambda gid, size: self.steps.append({"size": size, "group": gid})
        backend._set_chord_key = self.save_group
        backend.add_pending_result = lambda result, weak=False: result
        backend.remove_pending_result = lambda result: result

    def save_group(self, key, value):
        name = key.decode() if isinstance(key, bytes) else key
        group_id = name.removeprefix("celery-taskset-meta-")
        self.steps.append({"tuple": json.loads(value)["result"], "group": group_id})

    def send(self, producer, name, message, exchange=None, routing_key=None, queue=None, priority=0,
             headers=None, expiration=None, **options):
        body = json.loads(json.dumps(message.body, default=lambda value: value.__json__()))
        properties = {"correlation_id": message.properties["correlation_id"],
                      "reply_to": message.properties["reply_to"],
                      "priority": -1 if priority is None else priority,
                      "routing_key": queue.name if queue is not None else routing_key,
                      "expiration": None if expiration is None else "some"}
        all_headers = dict(message.headers, **(headers or {}))
        self.steps.append(copy.deepcopy({"headers": all_headers, "body": body, "properties": properties}))

    @contextmanager
    def inside(self, request):
        """As a task of that request, whose trail is kept."""
        if request is None:
            yield []
            return
        trail = []
        task = types.SimpleNamespace(request=types.SimpleNamespace(
                                         called_directly=False, delivery_info={}, **request),
                                     add_trail=trail.append)
        celery.app.base._task_stack.push(task)
        try:
            yield trail
        finally:
            celery.app.base._task_stack.pop()

    def apply(self, signature, args=None, options=None, request=None):
        self.steps.clear()
        with self.inside(request) as trail:
            result = signature.apply_async(args, **(options or {}))
        return {"steps": list(self.steps), "result": result and result.as_tuple(),
                "trail": [child.as_tuple() for child in trail]}


@pytest.fixture(scope="module")
def recorder():
    return Recorder()


def plain(value):
    """The value as JSON has it."""
    return json.loads(json.dumps(value, default=lambda each: each.__json__()))


def comparable(plan):
    """The plan with ids numbered as they appear, without what differs by its nature."""
    plan = plain(plan)
    for step in plan["steps"]:
        if "headers" in step:
            step["headers"].pop("origin")
            step["headers"]["eta"] = step["headers"]["eta"] and "some"
            step["headers"]["expires"] = step["headers"]["expires"] and "some"
            step["properties"]["expiration"] = step["properties"]["expiration"] and "some"
            step["headers"]["stamped_headers"] = sorted(step["headers"]["stamped_headers"] or [])
            for name in ("argsrepr", "kwargsrepr"):
                step["headers"][name] = UUID.sub("id", step["headers"][name])
    numbers = {}
    text = json.dumps(plan, sort_keys=True)
    numbered = UUID.sub(lambda found: f"id-{numbers.setdefault(found[0], len(numbers))}", text)
    return json.loads(numbered)


def strip(value, name=None):
    """Without reply_to: Python's is a UUID of its own thread, the tool's a constant. Callbacks are there
    once: Python links the same one twice where one copy has been a message, since (1,) != [1] there."""
    if isinstance(value, dict):
        return {each: strip(inner, each) for each, inner in value.items() if each != "reply_to"}
    if not isinstance(value, list):
        return value
    stripped = [strip(each) for each in value]
    if name in ("link", "link_error", "callbacks", "errbacks"):
        return [each for index, each in enumerate(stripped) if each not in stripped[:index]]
    return stripped


def assert_alike(ours, theirs, given):
    """Fails with the lines in which the two differ."""
    lines = [json.dumps(comparable(strip(plain(plan))), indent=1, sort_keys=True).splitlines()
             for plan in (theirs, ours)]
    differences = "\n".join(difflib.unified_diff(*lines, "python", "c", n=6, lineterm=""))
    assert not differences, f"{differences}\n{json.dumps(given)}"


def check(tool, recorder, signature, args=None, options=None, request=None):
    """That both send the same for a signature."""
    given = plain(signature)
    theirs = recorder.apply(signature, args, options, request)
    ours = tool.call(do="apply", signature=given, args=args, options=options or {},
                     from_message=request is not None, task_id=request and request["id"],
                     root_id=request and request["root_id"])
    assert "error" not in ours, (ours, given)
    assert_alike(ours, theirs, given)


# ---- canvases by hand ----

def sig(app, name="add", *args, **options):
    immutable = options.pop("immutable", False)
    return app.signature(f"demo.{name}", args=args, immutable=immutable, options=options)


def canvases(app):
    def s(*args, **options):
        return sig(app, "add", *args, **options)
    linked = s(1, 2)
    linked.link(s(3))
    linked.link_error(s(4, immutable=True))
    linked_chord = chord([s(1), s(2)], s())
    linked_chord.link(s(5))
    linked_chord.link_error(s(6))
    nested = chord([chain(s(1), s(2)), group(s(3), s(4)), chord([s(5)], s(6))], chain(s(7), s(8)))
    return [
        s(1, 2), s(1, queue="other", priority=3, countdown=10, expires=60),
        linked, s(1, time_limit=5, soft_time_limit=2.5, shadow="shade", headers={"mine": 1},
                  ignore_result=True),
        chain(s(1), s(2)), chain(s(1), s(2), s(3, immutable=True)), chain(s(1)),
        chain(s(1), chain(s(2), s(3))),
        group(s(1), s(2)), group([s(1)]), group(s(1), group(s(2), s(3))), group(chain(s(1), s(2)), s(3)),
        chain(s(1), group(s(2), s(3))), chain(group(s(1), s(2)), s(3)),
        chain(group(s(1), s(2)), group(s(3), s(4))),
        chain(s(1), group(s(2), s(3)), s(4)), chain(group(s(1), s(2)), s(3), group(s(4), s(5)), s(6)),
        chord([s(1), s(2)], s(3)), chord(group(s(1), s(2)), s(3)), chord([s(1)], chain(s(2), s(3))),
        chord([s(1)], group(s(2), s(3))), chord([chain(s(1), group(s(2), s(3)))], s(4)), linked_chord, nested,
        chain(s(1), nested), chain(nested, s(9)), group(nested, linked_chord), chord([nested, s(1)], nested),
        chord([nested], linked_chord),
        s(1) | group(s(2)) | s(3), group(s(1), s(2)) | s(3) | s(4), chord([s(1)], s(2)) | s(3),
        chord([s(1)], s(2)) | group(s(3), s(4)), group(s(1), s(2)) | chord([s(3)], s(4)),
        s(1) | chord([s(2)], s(3)),
        chain(group(s(1), s(2)), group(s(3), s(4)), s(5)), chain(group([]), s(1)),
        chain(s(1), group([]), s(2)),
        chain(chord([s(1), s(2)], s(3)), chord([s(4)], s(5)), s(6)),
        chord([s(1)], s(2)).set(countdown=5),
        chain(s(1), s(2)).set(queue="other"), group(s(1), s(2)).set(priority=4),
        chord([s(1), s(2)], s(3)).set(queue="third"),
    ]


pytestmark = pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning")
COUNT = len(canvases(Celery("count", set_as_current=False)))


@pytest.mark.parametrize("number", range(COUNT))
def test_a_canvas_from_a_client_is_sent_as_python_sends_it(tool, recorder, number):
    check(tool, recorder, canvases(recorder.app)[number])


@pytest.mark.parametrize("number", range(COUNT))
def test_a_canvas_that_has_been_a_message_is_sent_with_a_result_before_its_arguments(tool, recorder, number):
    signature = Signature.from_dict(plain(canvases(recorder.app)[number]), app=recorder.app)
    options = {"parent_id": REQUEST["id"], "root_id": REQUEST["root_id"], "priority": None}
    check(tool, recorder, signature, args=[7], options=options, request=REQUEST)


def test_chains_compose_as_in_python(tool, recorder):
    made = canvases(recorder.app)
    draw = random.Random(5)
    for _ in range(300):
        parts = [draw.choice(made).clone() for _ in range(draw.randint(2, 4))]
        given = plain(parts)
        ours, theirs = tool.call(do="chain", signatures=given), plain(chain(parts))
        assert strip(ours) == strip(theirs), json.dumps([given, ours, theirs])


# ---- at random ----

def any_canvas(app, draw, depth):
    """A canvas of any shape."""
    kind = draw.choice(["task"] * 2 + ["chain", "group", "chord"] * (depth > 0))
    def inner():
        return any_canvas(app, draw, depth - 1)
    if kind == "task":
        made = sig(app, draw.choice(["add", "mul", "sum"]), *range(draw.randint(0, 2)),
                   immutable=draw.random() < 0.2)
        if draw.random() < 0.1:
            made.set(priority=draw.randint(0, 9))
    elif kind == "chain":
        made = chain([inner() for _ in range(draw.randint(1, 3))])
    elif kind == "group":
        made = group([inner() for _ in range(draw.randint(1, 3))])
    else:
        made = chord([inner() for _ in range(draw.randint(1, 3))], inner())
    if draw.random() < 0.15:
        made.link(sig(app, "callback"))
    if draw.random() < 0.15:
        made.link_error(sig(app, "errback", immutable=draw.random() < 0.5))
    return made


@pytest.mark.parametrize("seed", range(20))
def test_random_canvases_are_sent_as_python_sends_them(tool, recorder, seed):
    draw = random.Random(seed)
    for _ in range(40):
        signature = any_canvas(recorder.app, draw, 3)
        if draw.random() < 0.5:
            check(tool, recorder, signature)
        else:
            signature = Signature.from_dict(plain(signature), app=recorder.app)
            check(tool, recorder, signature, args=[7], request=REQUEST)


# ---- replacing a task ----

def replacement(recorder, signature, request):
    """What Task.replace() sends; None where a callback of a group, a dict, makes it stumble."""
    @recorder.app.task(bind=True, name="demo.replaced", shared=False)
    def replaced(self):
        return None
    replaced.push_request(called_directly=False, **request)
    recorder.steps.clear()
    celery.app.base._task_stack.push(replaced)
    try:
        try:
            replaced.replace(signature)
        except Ignore:
            pass
        except AttributeError:
            return None
        trail = [child.as_tuple() for child in replaced.request.children]
    finally:
        celery.app.base._task_stack.pop()
        replaced.pop_request()
    return {"steps": list(recorder.steps), "result": None, "trail": trail}


@pytest.mark.parametrize("seed", range(10))
def test_what_replaces_a_task_is_what_python_would_put_in_its_place(tool, recorder, seed):
    draw = random.Random(seed)
    for _ in range(20):
        chained = any_canvas(recorder.app, draw, 1)
        steps = chain([sig(recorder.app, "first"), chained, sig(recorder.app, "last")])
        steps.freeze()
        in_chord = draw.random() < 0.4
        request = dict(REQUEST, args=[], kwargs={}, delivery_info={},
                       replaced_task_nesting=draw.randint(0, 2),
                       group="33333333-3333-4333-8333-333333333333" if in_chord else None,
                       group_index=2 if in_chord else None,
                       chord=plain(sig(recorder.app, "body", task_id="44444444-4444-4444-8444-444444444444"))
                       if in_chord else None,
                       chain=None if in_chord else plain(list(reversed(steps.tasks[1:]))),
                       callbacks=[plain(sig(recorder.app, "callback"))] if draw.random() < 0.3 else None,
                       errbacks=[plain(sig(recorder.app, "errback"))] if draw.random() < 0.3 else None)
        signature = any_canvas(recorder.app, draw, 2)
        given = plain(signature)
        theirs = replacement(recorder, signature, copy.deepcopy(request))
        if theirs is None:
            continue
        ours = tool.call(do="replace", signature=given, request=request, task_id=REQUEST["id"],
                         root_id=REQUEST["root_id"])
        assert "error" not in ours, ours
        ours["result"] = None
        assert_alike(ours, theirs, [given, request])


# ---- stamps ----

class Constant(StampingVisitor):
    """Stamps every signature alike."""

    def __init__(self, stamps):
        self.stamps = stamps

    def on_signature(self, sig, **headers):
        return copy.deepcopy(self.stamps)


def sorted_stamps(value):
    if isinstance(value, dict):
        return {name: sorted(each) if name == "stamped_headers" else sorted_stamps(each)
                for name, each in value.items()}
    return [sorted_stamps(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("visitor", [None, {"on": "visit"},
                                     {"on": "visit", "stamped_headers": ["on"], "off": 2}])
@pytest.mark.parametrize("append", [False, True])
def test_stamps_are_those_of_python(tool, recorder, visitor, append):
    for signature in canvases(recorder.app):
        for stamps in ({"mark": "one"}, {"mark": ["one"], "more": 2}):
            given = plain(signature)
            ours = tool.call(do="stamp", signature=given, stamps=stamps, visitor=visitor, append=append)
            theirs = Signature.from_dict(copy.deepcopy(given), app=recorder.app)
            theirs.stamp(Constant(visitor) if visitor else None, append, **copy.deepcopy(stamps))
            assert sorted_stamps(ours) == sorted_stamps(plain(theirs)), given
