"""Chords need a result backend that counts their parts: on others C clients and tasks refuse them as Celery does."""

import json

import pytest
from celery import chain, chord, group, signature, uuid
from celery.backends.base import E_CHORD_NO_BACKEND
from celery.backends.rpc import E_NO_CHORD_SUPPORT
from celery.exceptions import ChordError

from dev.servers import wait_for
from tests.celery.client_tool import ClientTool
from tests.harness.workers import PythonWorker, celery_app

TIMEOUT = 120
RPC, NONE = E_NO_CHORD_SUPPORT.strip(), E_CHORD_NO_BACKEND.strip()


def join():
    return signature("canvas.join", kwargs={"label": "one"})


def as_json(canvas):
    return json.loads(json.dumps(canvas, default=lambda each: each.__json__()))


REFUSED = {"chord": chord([join()], join()), "chain": chain(group(join(), join()), join()),
           "inner": chain(join(), chord([join()], join())), "member": group(join(), chord([join()], join()))}


@pytest.mark.parametrize("url, why", [("rpc://", RPC), ("disabled://", NONE), (None, NONE)])
def test_a_client_sends_no_chord_that_would_never_end(tmp_path, broker_url, rabbitmq, vhost, url, why):
    client = ClientTool(tmp_path, broker_url, url)
    try:
        for name, canvas in REFUSED.items():
            answer = client.call("apply", signature=as_json(canvas))
            assert (answer["ok"], answer["code"], answer["message"]) == (False, "unsupported", why), name
        client.good("apply", signature=as_json(chain(join(), group(join(), join()))))
        client.good("send", task="canvas.join", kwargs={"label": "two"})
        client.finish()
    finally:
        client.kill()
    wait_for(lambda: rabbitmq.api("GET", f"queues/{vhost}/celery").get("messages") == 2, "two messages", TIMEOUT)


@pytest.fixture(params=["c", "python"])
def rpc_worker(request, worker, tmp_path, broker_url):
    if request.param == "c":
        return worker(name="canvas-worker", backend="rpc://", env={"CANVAS_RUNS": str(tmp_path / "runs")})
    genuine = PythonWorker(tmp_path, broker_url, "rpc://", module="tests.celery.canvas_tasks",
                           env={"CANVAS_RUNS": str(tmp_path / "runs")})
    request.addfinalizer(genuine.kill)
    return genuine


def test_a_task_that_sends_a_chord_fails_with_rpc(rpc_worker, broker_url):
    app = celery_app(broker_url, "rpc://")
    try:
        for name in ("canvas.send", "canvas.replace"):
            for what in ("chord", "chain"):
                by = as_json(REFUSED[what])
                with pytest.raises(NotImplementedError) as raised:
                    app.send_task(name, kwargs={"label": what, "by": by}).get(timeout=TIMEOUT)
                assert raised.value.args == (RPC,), (name, what)
        linked = app.send_task("canvas.join", kwargs={"label": "linked"}, link=as_json(REFUSED["chord"]))
        with pytest.raises(NotImplementedError):
            linked.get(timeout=TIMEOUT)
    finally:
        app.close()


@pytest.mark.parametrize("kind", ["c", "python"])
def test_a_task_that_sends_a_chord_fails_without_results(kind, worker, tmp_path, broker_url, request):
    env = {"CANVAS_RUNS": str(tmp_path / "runs")}
    if kind == "c":
        one = worker(name="canvas-worker", backend="disabled://", env=env)
    else:
        one = PythonWorker(tmp_path, broker_url, "disabled://", module="tests.celery.canvas_tasks", env=env)
        request.addfinalizer(one.kill)
    app = celery_app(broker_url, "disabled://")
    try:
        app.send_task("canvas.send", kwargs={"label": "sends", "by": as_json(REFUSED["chord"])})
        wait_for(lambda: "Starting chords requires a result backend" in one.log(), "the failure in its log", TIMEOUT)
    finally:
        app.close()


@pytest.mark.parametrize("kind", ["c", "python"])
def test_chord_unlock_fails_the_body_with_what_a_part_failed_with(kind, worker, python_worker, app):
    """With other backends this task waits for the parts of a chord; a worker may get it from such a client."""
    parts = [uuid() for _ in range(3)]
    app.backend.store_result(parts[0], 1, "SUCCESS")
    app.backend.store_result(parts[1], ValueError("of all things"), "FAILURE")
    app.backend.store_result(parts[2], 3, "SUCCESS")
    body = app.signature("demo.sum", task_id=uuid())
    worker() if kind == "c" else python_worker()
    app.send_task("celery.chord_unlock", (uuid(), as_json(body)), {"result": [[[part, None], None] for part in parts]})
    with pytest.raises(ChordError) as raised:
        app.AsyncResult(body.id).get(timeout=TIMEOUT)
    assert raised.value.args == ("ValueError('of all things')",)
