"""Results in Redis as the children and clients store and read them, seen by Python's Celery."""

import json
import threading

import pytest
import redis
from celery.exceptions import TaskRevokedError

from tests.celery.redis_relay import RedisRelay
from tests.celery.results_tool import WAIT

DONE = 1795478754.045554


@pytest.fixture
def tool(results_tool, redis_url):
    return results_tool(redis_url)


@pytest.fixture
def witness(redis_url):
    with redis.Redis.from_url(redis_url) as connection:
        yield connection


def test_a_python_client_gets_what_a_c_task_returned(tool, app):
    value = {"text": "café", "number": 0.1, "list": [1, None, True]}
    tool.call("store", id="t1", status="SUCCESS", result=value, date_done=DONE)
    result = app.AsyncResult("t1")
    assert result.get(timeout=60) == value
    assert result.date_done.isoformat() == "2026-11-24T00:05:54.045554+00:00"


def test_a_python_client_gets_the_exception_of_a_c_task(tool, app):
    tool.call("store", id="t1", status="FAILURE", date_done=DONE, traceback="Traceback of C",
              result={"exc_type": "ValueError", "exc_message": ["deliberate"], "exc_module": "builtins"})
    result = app.AsyncResult("t1")
    with pytest.raises(ValueError, match="deliberate"):
        result.get(timeout=60)
    assert result.traceback == "Traceback of C"
    tool.call("store", id="t2", status="REVOKED", date_done=DONE,
              result={"exc_type": "TaskRevokedError", "exc_message": ["terminated"],
                      "exc_module": "celery.exceptions"})
    with pytest.raises(TaskRevokedError):
        app.AsyncResult("t2").get(timeout=60)


def test_the_stored_text_is_the_one_that_python_stores(tool, app, witness):
    request = type("Request", (), {
        "task": "demo.add", "args": [1, 2.5], "kwargs": {"ü": "\x7f"}, "hostname": "w1@h", "retries": 1,
        "group": "g", "parent_id": "p", "children": [], "delivery_info": {"routing_key": "celery"}})()
    app.conf.result_extended = True
    app.backend.store_result("python", {"big": 2**53, "tiny": 1e-7}, "PROGRESS", request=request)
    tool.call("store", id="c", status="PROGRESS", result={"big": 2**53, "tiny": 1e-7}, name="demo.add",
              args=[1, 2.5], kwargs={"ü": "\x7f"}, worker="w1@h", retries=1, group_id="g", parent_id="p",
              queue="celery")
    stored = witness.get("celery-task-meta-c").replace(b'"task_id": "c"', b'"task_id": "python"')
    assert stored == witness.get("celery-task-meta-python")


def test_a_success_stays_whatever_comes_later(tool, app, witness):
    assert tool.call("store", id="t1", status="STARTED", result={"pid": 1})["kept"] is False
    assert tool.call("store", id="t1", status="SUCCESS", result=1, date_done=DONE)["kept"] is False
    assert tool.call("store", id="t1", status="FAILURE", result=None, date_done=DONE)["kept"] is True
    assert json.loads(witness.get("celery-task-meta-t1"))["status"] == "SUCCESS"
    app.backend.store_result("t2", "by Python", "SUCCESS")
    assert tool.call("store", id="t2", status="RETRY", result=None)["kept"] is True
    witness.set("celery-task-meta-t3", '{"result": 1, "status": "SUCCESS"}')  # somebody else's order
    assert tool.call("store", id="t3", status="RETRY", result=None)["kept"] is True


def test_a_result_that_looks_like_a_success_is_none(tool):
    tool.call("store", id="t1", status="PROGRESS", result={"status": "SUCCESS"})
    assert tool.call("store", id="t1", status="FAILURE", result=None, date_done=DONE)["kept"] is False


def test_a_waiting_python_client_is_told_at_once(tool, app):
    values = []
    result = app.AsyncResult("t1")
    waiter = threading.Thread(target=lambda: values.append(result.get(timeout=120, interval=100)))
    waiter.start()
    tool.call("store", id="t1", status="SUCCESS", result=7, date_done=DONE)
    waiter.join(120)
    assert values == [7]


def test_results_expire_after_a_day_or_as_told_or_never(tool, results_tool, redis_url, witness):
    tool.call("store", id="day", status="SUCCESS", result=1)
    assert 86000 < witness.ttl("celery-task-meta-day") <= 86400
    results_tool(redis_url, RESULTS_EXPIRES="3600").call("store", id="hour", status="SUCCESS", result=1)
    assert 3000 < witness.ttl("celery-task-meta-hour") <= 3600
    results_tool(redis_url, RESULTS_EXPIRES="-1").call("store", id="ever", status="SUCCESS", result=1)
    assert witness.ttl("celery-task-meta-ever") == -1


def test_keys_may_have_a_prefix(results_tool, redis_url, witness):
    results_tool(redis_url, RESULTS_PREFIX="staging_").call("store", id="t1", status="SUCCESS", result=1)
    assert witness.keys() == [b"staging_celery-task-meta-t1"]


def test_many_states_go_out_together(tool, witness):
    for number in range(3000):
        tool.call("queue", id=f"t{number}", status="SUCCESS", result=number)
    assert tool.call("flush")["ok"]
    assert witness.dbsize() == 3000
    assert json.loads(witness.get("celery-task-meta-t2999"))["result"] == 2999


def test_of_states_that_go_out_together_each_is_refused_by_itself(tool, witness):
    for number in (3, 7):
        witness.lpush(f"celery-task-meta-t{number}", "a list")
    for number in range(10):
        tool.call("queue", id=f"t{number}", status="SUCCESS", result=number)
    answer = tool.call("flush")
    assert not answer["ok"] and "meta-t3" in answer["message"] and "WRONGTYPE" in answer["message"]
    assert answer["refused"] == [3, 7]
    stored = [number for number in range(10) if witness.type(f"celery-task-meta-t{number}") == b"string"]
    assert stored == [0, 1, 2, 4, 5, 6, 8, 9]
    assert tool.call("flush")["ok"]  # nothing is left


def test_what_python_stored_is_read(tool, app):
    app.backend.store_result("t1", [1, "ä"], "SUCCESS")
    meta = tool.call("get", id="t1")["meta"]
    assert (meta["status"], meta["result"]) == ("SUCCESS", [1, "ä"])
    assert tool.call("get", id="nobody")["meta"] is None


def test_foreign_values_are_errors_and_no_crash(tool, witness):
    for value in (b"\0\xff", b"[1]", b"{", b"", b"[" * 100000):
        witness.set("celery-task-meta-t1", value)
        answer = tool.call("get", id="t1")
        assert (answer["ok"], answer["code"]) == (False, "protocol")
        assert tool.call("store", id="t1", status="SUCCESS", result=1)["ok"]
        witness.delete("celery-task-meta-t1")
    witness.lpush("celery-task-meta-t1", "a list")
    answer = tool.call("store", id="t1", status="SUCCESS", result=1)
    assert not answer["ok"] and "WRONGTYPE" in answer["message"]


def test_a_server_that_forgot_the_script_gets_it_again(tool, witness):
    for number in range(3):
        witness.script_flush()
        for part in range(10):
            tool.call("queue", id=f"t{number}-{part}", status="SUCCESS", result=1)
        assert tool.call("flush")["ok"]
    assert witness.dbsize() == 30


def test_a_password_is_given_and_a_wrong_one_is_an_error_at_once(results_tool, own_redis):
    server = own_redis()
    with redis.Redis.from_url(server.url) as admin:
        for name, commands in (("worker", ["+@all"]), ("reader", ["+@all", "-publish"])):
            admin.acl_setuser(name, enabled=True, passwords=["+s@crt"], keys=["*"], channels=["*"],
                              commands=commands)
        admin.config_set("requirepass", "first")
    place = f"127.0.0.1:{server.port}"
    assert results_tool(f"redis://:first@{place}/3").call("store", id="t1", status="SUCCESS", result=1)["ok"]
    assert results_tool(f"redis://worker:s%40crt@{place}/3").call("get", id="t1")["meta"]["status"] == "SUCCESS"
    answer = results_tool(f"redis://:wrong@{place}/3").call("store", id="t1", status="SUCCESS", result=1)
    assert (answer["ok"], answer["code"]) == (False, "denied") and "WRONGPASS" in answer["message"]
    assert "wrong@" not in answer["message"]
    answer = results_tool(f"redis://{place}/3").call("store", id="t1", status="SUCCESS", result=1)
    assert (answer["ok"], answer["code"]) == (False, "denied") and "NOAUTH" in answer["message"]
    answer = results_tool(f"redis://reader:s%40crt@{place}/3").call("store", id="t9", status="SUCCESS", result=1)
    assert (answer["ok"], answer["code"]) == (False, "denied")


def test_a_full_server_is_asked_until_it_has_room(results_tool, own_redis):
    server = own_redis()
    with redis.Redis.from_url(server.url) as admin:
        admin.config_set("maxmemory", 1)
        tool = results_tool(server.url)
        answer = tool.call("store", id="t1", status="SUCCESS", result=1, deadline=1)
        assert (answer["ok"], answer["code"]) == (False, "unavailable") and "OOM" in answer["message"]
        tool.send("store", id="t1", status="SUCCESS", result=1)
        admin.config_set("maxmemory", 0)
        assert tool.wait()["ok"]
        assert admin.get("celery-task-meta-t1")


def test_a_restarted_server_is_found_again(results_tool, own_redis):
    server = own_redis()
    tool = results_tool(server.url)
    assert tool.call("store", id="t1", status="SUCCESS", result=1)["ok"]
    for number in range(3):
        server.restart()
        assert tool.call("store", id=f"r{number}", status="SUCCESS", result=1)["ok"]
    server.stop()
    answer = tool.call("store", id="t2", status="SUCCESS", result=1, deadline=1)
    assert (answer["ok"], answer["code"]) == (False, "unavailable")
    tool.send("store", id="t2", status="SUCCESS", result=1)
    server.start()
    assert tool.wait()["ok"]


def test_a_socket_of_unix_will_do(results_tool, tmp_path_factory, own_redis):
    server = own_redis()
    path = tmp_path_factory.mktemp("s") / "redis.sock"
    answer = results_tool(f"redis+socket://{path}").call("store", id="t1", status="SUCCESS", result=1, deadline=1)
    assert (answer["ok"], answer["code"]) == (False, "unavailable")
    relay = RedisRelay(server.port, path=path)
    tool = results_tool(f"redis+socket://{path}?virtual_host=5")
    assert tool.call("store", id="t1", status="SUCCESS", result=1)["ok"]
    with redis.Redis.from_url(server.url_of(5)) as witness:
        assert witness.exists("celery-task-meta-t1")
    relay.close()


def test_a_server_that_talks_nonsense_is_left_and_tried_again(results_tool, redis_server, redis_url, witness):
    nonsense = [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b":1", b"$-5\r\n", b"*-7\r\n", b"\0" * 1000,
                b"$5\r\nab", b"*1000\r\n", b"-ERR max number of clients reached\r\n", b"-LOADING\r\n"]
    relay = RedisRelay(redis_server.port, nonsense)
    tool = results_tool(f"redis://127.0.0.1:{relay.port}/{redis_url.rpartition('/')[2]}")
    # SELECT meets the nonsense; a second state goes through a connection that is kept
    assert tool.call("store", id="t1", status="SUCCESS", result=1, deadline=WAIT)["ok"]
    assert tool.call("store", id="t2", status="SUCCESS", result=1, deadline=WAIT)["ok"]
    assert relay.met == len(nonsense) + 1
    assert witness.dbsize() == 2
    relay.close()


def test_a_pipeline_that_is_cut_anywhere_is_finished(results_tool, redis_server, redis_url, witness):
    relay = RedisRelay(redis_server.port, [5 + cut for cut in range(1, 120, 3)])
    tool = results_tool(f"redis://127.0.0.1:{relay.port}/{redis_url.rpartition('/')[2]}")
    for number in range(60):
        tool.call("queue", id=f"t{number}", status="SUCCESS", result=number)
    assert tool.call("flush", deadline=WAIT)["ok"]
    for number in range(60):
        assert json.loads(witness.get(f"celery-task-meta-t{number}"))["result"] == number
    assert relay.met > 1
    relay.close()


def test_one_of_many_threads_wins_a_key(tool):
    answer = tool.call("race", threads=16, rounds=40)
    assert answer == {"ok": True, "won": 40, "read": 16 * 40}


def test_without_a_backend_nothing_is_stored_and_nothing_fails(results_tool):
    tool = results_tool("disabled://")
    assert tool.call("store", id="t1", status="SUCCESS", result=1)["ok"]
    assert tool.call("get", id="t1")["meta"] is None
    tool.send("async", id="t2", status="SUCCESS", result=1)
    assert tool.wait(stored="t2")
    tool.send("lease", id="t3", holder="me")
    assert tool.wait(lease="t3")["state"] == "held"
    assert tool.call("release", id="t3")["ok"]


def test_keys_beside_the_results_are_kept_for_programs(tool, witness):
    assert tool.call("key", call="get", key="a")["value"] is None
    assert tool.call("key", call="set", key="a", value="1", expires=100)["ok"]
    assert tool.call("key", call="get", key="a")["value"] == "1"
    assert 0 < witness.ttl("a") <= 100
    assert tool.call("key", call="add", key="a", value="2")["stored"] is False
    assert tool.call("key", call="add", key="b", value="2")["stored"] is True
    assert witness.ttl("b") == -1
    assert tool.call("key", call="delete", key="a")["ok"]
    assert tool.call("key", call="delete", key="a")["ok"]
    assert witness.keys() == [b"b"]


def test_a_store_says_why_it_cannot(results_tool, own_redis):
    server = own_redis()
    tool = results_tool(server.url)
    assert tool.call("key", call="ping")["ok"]
    server.restart()
    assert tool.call("key", call="set", key="a", value="1")["ok"]  # the kept connection was dead
    server.stop()
    assert tool.call("key", call="ping", timeout=1)["code"] == "unavailable"
