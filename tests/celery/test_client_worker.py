"""A genuine Python worker serves what a C client sends; the C client reads its results and steers it."""

import gc
import json
import time
from datetime import datetime

import pytest
from celery import chain, chord, group, signature
from celery.result import result_from_tuple

from dev.servers import wait_for
from tests.celery.client_tool import ClientTool


def test_a_python_worker_serves_what_c_sends(client, python_worker, app):
    python_worker()
    sent = client.good("send", task="demo.add", args=[1, 2])["id"]
    meta = client.good("wait", id=sent)["meta"]
    assert (meta["status"], meta["result"], meta["task_id"], meta["traceback"]) == ("SUCCESS", 3, sent, None)
    assert app.AsyncResult(sent).get(timeout=120) == 3
    assert client.good("get", id=sent)["meta"] == meta


def test_everything_that_is_said_of_a_task_arrives(client, python_worker, app):
    python_worker()
    arguments = [1, "ü\U0001f600", None, True, 0.1, [1, {"deep": [2]}], 2 ** 63 - 1]
    before = time.time()
    sent = client.good("send", task="demo.echo", args=arguments, kwargs={"x": 1, "y": "zwei"}, countdown=0.5,
                       expires=3600, priority=7, time_limit=100, soft_time_limit=50.5, root_id="the-root",
                       parent_id="the-parent", headers={"tenant": "blue", "number": 7})["id"]
    seen = client.good("wait", id=sent)["meta"]["result"]
    assert (seen["args"], seen["kwargs"]) == (arguments, {"x": 1, "y": "zwei"})
    assert (seen["id"], seen["root_id"], seen["parent_id"]) == (sent, "the-root", "the-parent")
    assert (seen["timelimit"], seen["priority"], seen["retries"]) == ([100, 50.5], 7, 0)
    assert seen["headers"]["tenant"] == "blue" and seen["headers"]["number"] == 7
    assert datetime.fromisoformat(seen["eta"]).timestamp() >= before + 0.5 - 0.001
    assert time.time() >= before + 0.5
    assert datetime.fromisoformat(seen["expires"]).timestamp() >= before + 3600 - 0.001


def canvases():
    """Canvases with what comes out of them."""
    def add(*args):
        return signature("demo.add", args=args)
    return [(chain(add(1, 2), add(3), add(4)), 10), (group(add(1, 2), add(3, 4)), [3, 7]),
            (chord([add(1, 2), add(3, 4)], signature("demo.sum")), 10),
            (chain(add(1, 2), group(add(1), add(2)), signature("demo.sum"), add(5)), 14),
            (chord([chain(add(1, 1), group(add(1), add(2)))], signature("demo.echo", args=(0,))), None)]


@pytest.mark.parametrize("number", range(len(canvases())))
def test_a_python_worker_runs_the_canvases_that_c_sends(client, python_worker, app, number):
    python_worker()
    canvas, expected = canvases()[number]
    sent = client.good("apply", signature=json.loads(json.dumps(canvas, default=lambda each: each.__json__())))
    result = result_from_tuple(sent["result"], app=app)
    value = result.get(timeout=120)
    assert value == expected if expected is not None else value["args"] == [[[3, 4]], 0]
    del result
    gc.collect()  # results unsubscribe when they go, and Redis is still there


def test_a_failure_is_read_with_its_type_message_and_traceback(client, python_worker):
    python_worker()
    sent = client.good("send", task="demo.fail", args=["it's broken"])["id"]
    meta = client.good("wait", id=sent)["meta"]
    assert meta["status"] == "FAILURE"
    assert meta["result"] == {"exc_type": "ValueError", "exc_message": ["it's broken"], "exc_module": "builtins"}
    assert "ValueError: it's broken" in meta["traceback"]


def test_an_expired_task_is_revoked(client, python_worker):
    # by its header alone: the broker would drop it, had it the property too
    past = client.good("send", task="demo.add", args=[1, 2], headers={"expires": "2020-01-01T00:00:00+00:00"})["id"]
    python_worker()
    assert client.good("wait", id=past)["meta"]["status"] == "REVOKED"


def test_an_ignored_result_is_not_stored(client, python_worker, app):
    python_worker()
    ignored = client.good("send", task="demo.add", args=[1, 2], ignore_result=True)["id"]
    kept = client.good("send", task="demo.add", args=[3, 4], queue="celery")["id"]
    assert client.good("wait", id=kept)["meta"]["result"] == 7
    assert client.good("get", id=ignored)["meta"] is None


def test_waiting_for_what_nobody_serves_times_out(client):
    sent = client.good("send", task="demo.add", args=[1, 2])["id"]
    answer = client.call("wait", id=sent, timeout=3)
    assert (answer["ok"], answer["code"], answer["meta"]) == (False, "timeout", None)


def test_results_that_python_holds_and_c_does_not_still_have_a_state(client, python_worker):
    python_worker()
    for kind, expected in (("huge", None), ("nan", None), ("deep", [[[[[1]]]]]), ("long", "x" * 100000),
                           ("text", "ü\U0001f600\0 '\"")):
        sent = client.good("send", task="demo.give", args=[kind])["id"]
        meta = client.good("wait", id=sent)["meta"]
        assert (meta["status"], meta["result"]) == ("SUCCESS", expected), kind


def test_compressed_results_are_read(client, app, redis_url):
    from celery.backends.base import COMPRESSED_PAYLOAD_MAGIC
    app.conf.result_compression = "gzip"
    app.backend.store_result("compressed-id", {"text": "x" * 5000}, "SUCCESS")
    import redis
    with redis.Redis.from_url(redis_url) as connection:
        assert connection.get("celery-task-meta-compressed-id").startswith(COMPRESSED_PAYLOAD_MAGIC)
    assert client.good("get", id="compressed-id")["meta"]["result"] == {"text": "x" * 5000}


def test_a_forgotten_result_is_gone(client, app):
    app.backend.store_result("the-id", 1, "SUCCESS")
    assert client.good("get", id="the-id")["meta"]["result"] == 1
    client.good("forget", id="the-id")
    assert client.good("get", id="the-id")["meta"] is None


def test_the_prefix_of_keys_is_respected(tmp_path, broker_url, redis_url, app):
    app.conf.result_backend_transport_options = {"global_keyprefix": "mine:"}
    app.backend.store_result("the-id", 5, "SUCCESS")
    tool = ClientTool(tmp_path, broker_url, redis_url, KEY_PREFIX="mine:")
    assert tool.good("get", id="the-id")["meta"]["result"] == 5
    tool.finish()


def test_garbage_in_the_place_of_a_result_is_an_error(client, redis_url):
    import redis
    with redis.Redis.from_url(redis_url) as connection:
        for garbage in (b"", b"[]", b"{", b"\x00celery-compressed\x00", b"\x00celery-compressed\x00zlib\x00rubbish",
                        b"\x00celery-compressed\x00pickle\x00x", b'{"status": "\xff"}', b"5" * 1000):
            connection.set("celery-task-meta-bad", garbage)
            answer = client.call("get", id="bad")
            assert answer["ok"] is False, garbage
        connection.delete("celery-task-meta-bad")
        connection.lpush("celery-task-meta-bad", "no string")
        answer = client.call("get", id="bad")
        assert answer["ok"] is False or answer["meta"] is None  # MGET shows what is no string as absent


def test_inspect_collects_the_workers_answers(client, python_worker):
    worker = python_worker()
    replies = client.good("inspect", command="ping", wait=60, limit=1)["replies"]
    assert replies == [{worker.node: {"ok": "pong"}}]
    [stats] = client.good("inspect", command="stats", destination=[worker.node], wait=60)["replies"]
    assert stats[worker.node]["pool"]["max-concurrency"] == 2
    assert client.good("inspect", command="ping", destination=["nobody@nowhere"], wait=0.5)["replies"] == []


def test_every_inspection_has_its_mailbox_before_it_asks(client, python_worker):
    worker = python_worker()
    for _ in range(30):
        replies = client.good("inspect", command="ping", destination=[worker.node], wait=120)["replies"]
        assert replies == [{worker.node: {"ok": "pong"}}]


def test_broadcasting_to_nobody_is_no_error(client):
    client.good("broadcast", command="ping")
    assert client.good("inspect", command="ping", wait=0.5)["replies"] == []


def test_a_revoked_task_is_not_run(client, python_worker, app):
    worker = python_worker()
    client.good("revoke", id="never-run")
    wait_for(lambda: "never-run" in (app.control.inspect([worker.node], timeout=5).revoked() or {}).get(worker.node, []),
             "the worker knows of the revocation", 60)
    client.good("send", task="demo.add", args=[1, 2], id="never-run")
    assert client.good("wait", id="never-run")["meta"]["status"] == "REVOKED"


def test_a_running_task_is_terminated(client, python_worker, app):
    worker = python_worker()
    client.good("send", task="demo.sleep", args=[600], id="terminated")

    def runs():
        active = (app.control.inspect([worker.node], timeout=5).active() or {}).get(worker.node, [])
        return any(task["id"] == "terminated" for task in active)

    wait_for(runs, "the task runs", 120)
    client.good("revoke", id="terminated", terminate=True, signal="SIGKILL")
    assert client.good("wait", id="terminated")["meta"]["status"] == "REVOKED"


def test_a_client_works_through_a_restart_of_broker_and_backend(tmp_path, own_rabbitmq, own_redis):
    rabbitmq, redis = own_rabbitmq(), own_redis()
    tool = ClientTool(tmp_path, rabbitmq.url_of("/"), redis.url_of(0))
    wait_for(lambda: tool.call("broker")["ok"] and tool.call("backend")["ok"], "both are there", 60)
    tool.good("send", task="demo.add", args=[1, 2])
    rabbitmq.stop()
    redis.stop()
    wait_for(lambda: not tool.call("broker")["ok"], "the loss is seen", 60)
    assert tool.call("backend", timeout=2)["ok"] is False
    answer = tool.call("send", task="demo.add", timeout=0.5)
    assert (answer["ok"], answer["code"] in ("unavailable", "timeout")) == (False, True)
    assert tool.call("get", id="x", timeout=1)["ok"] is False
    rabbitmq.start()
    redis.start()
    wait_for(lambda: tool.call("broker")["ok"] and tool.call("backend", timeout=5)["ok"], "both are back", 120)
    tool.good("send", task="demo.add", args=[3, 4])
    assert tool.good("get", id="x")["meta"] is None
    tool.finish()


def test_a_client_starts_without_broker_and_backend(tmp_path):
    tool = ClientTool(tmp_path, "amqp://guest:guest@127.0.0.1:1//", "redis://127.0.0.1:1/0")
    assert tool.call("broker")["ok"] is False
    assert tool.call("backend", timeout=1)["ok"] is False
    assert tool.call("send", task="demo.add", timeout=0.3)["ok"] is False
    assert tool.call("get", id="x", timeout=0.5)["ok"] is False
    tool.finish()


def test_without_a_backend_results_are_refused(tmp_path, broker_url):
    tool = ClientTool(tmp_path, broker_url)
    tool.good("send", task="demo.add", args=[1, 2])
    assert tool.call("get", id="x")["code"] == "invalid"
    assert tool.call("backend")["code"] == "invalid"
    tool.finish()
