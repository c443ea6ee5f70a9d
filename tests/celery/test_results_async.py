"""Results stored by a process that may not wait, and leases: with a Redis that stops, restarts, fills up."""

import json
import os
import signal
import time

import redis

from tests.celery.results_tool import WAIT, ResultsTool

DONE = 1795478754.045554


def stored(server, task_id):
    with redis.Redis.from_url(server.url) as witness:
        text = witness.get(f"celery-task-meta-{task_id}")
    return text and json.loads(text)["status"]


def test_each_state_is_stored_and_reported(results_tool, redis_url):
    tool = results_tool(redis_url)
    for number in range(2000):
        tool.send("async", id=f"t{number}", status="FAILURE", result=None, date_done=DONE)
    for number in range(2000):
        assert tool.wait(stored=f"t{number}")["kept"] is False
    tool.send("held")
    assert tool.wait(held=0)
    with redis.Redis.from_url(redis_url) as witness:
        assert witness.dbsize() == 2000


def test_a_success_is_kept_and_the_caller_is_told(results_tool, redis_url):
    tool = results_tool(redis_url)
    tool.send("async", id="t1", status="SUCCESS", result=1, date_done=DONE)
    assert tool.wait(stored="t1")["kept"] is False
    tool.send("async", id="t1", status="FAILURE", result=None, date_done=DONE)
    assert tool.wait(stored="t1")["kept"] is True


def test_states_wait_for_a_redis_that_is_away(results_tool, own_redis):
    server = own_redis()
    tool = results_tool(server.url)
    server.stop()
    for number in range(100):
        tool.send("async", id=f"t{number}", status="FAILURE", result=None, date_done=DONE)
    tool.send("held")
    assert tool.wait(held=100)
    server.start()
    for number in range(100):
        tool.wait(stored=f"t{number}")
        assert stored(server, f"t{number}") == "FAILURE"


def test_a_stopped_redis_is_noticed_and_loses_nothing(results_tool, own_redis):
    server = own_redis()
    tool = results_tool(server.url, RESULTS_TIMEOUT="3")
    tool.send("async", id="t0", status="SUCCESS", result=0, date_done=DONE)
    tool.wait(stored="t0")
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        for number in range(1, 50):
            tool.send("async", id=f"t{number}", status="SUCCESS", result=number, date_done=DONE)
        deadline = time.monotonic() + WAIT
        while "no answer in time" not in tool.text() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "no answer in time" in tool.text()
        tool.send("held")
        assert tool.wait(held=49)  # the process that handed them over goes on meanwhile
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    for number in range(1, 50):
        tool.wait(stored=f"t{number}")
        assert stored(server, f"t{number}") == "SUCCESS"
    tool.send("held")
    assert tool.wait(held=0)


def test_a_deadline_ends_the_waiting(results_tool, own_redis):
    server = own_redis()
    tool = results_tool(server.url, RESULTS_TIMEOUT="3")
    server.stop()
    tool.send("async", id="t1", status="SUCCESS", result=1, deadline=0.5)
    assert tool.wait(failed="t1")["code"] == "unavailable"
    server.start()
    tool.send("async", id="back", status="SUCCESS", result=1)
    tool.wait(stored="back")
    with redis.Redis.from_url(server.url) as admin:
        admin.config_set("maxmemory", 1)
        tool.send("async", id="t2", status="SUCCESS", result=1, deadline=3)
        answer = tool.wait(failed="t2")
        assert answer["code"] == "unavailable" and "OOM" in answer["message"]
        admin.config_set("maxmemory", 0)


def test_what_redis_will_not_do_is_told(results_tool, own_redis):
    server = own_redis()
    tool = results_tool(server.url)
    with redis.Redis.from_url(server.url) as admin:
        admin.lpush("celery-task-meta-t1", "a list")
    tool.send("async", id="t1", status="SUCCESS", result=1)
    assert "WRONGTYPE" in tool.wait(failed="t1")["message"]


def test_what_is_held_is_bounded(results_tool, own_redis):
    server = own_redis()
    tool = results_tool(server.url, RESULTS_LIMIT="100000")
    server.stop()
    for number in range(10):
        tool.send("async", id=f"t{number}", status="SUCCESS", result="x" * 20000)
    assert tool.wait(code="limit")["failed"]
    server.start()
    tool.wait(stored="t0")


def test_ending_stores_what_it_can_and_names_the_rest(results_tool, own_redis):
    server = own_redis()
    tool = results_tool(server.url)
    for number in range(100):
        tool.send("async", id=f"t{number}", status="SUCCESS", result=1)
    tool.finish(timeout=120)
    for number in range(100):
        assert tool.wait(stored=f"t{number}")
    tool = results_tool(server.url)
    server.stop()
    tool.send("async", id="lost", status="SUCCESS", result=1)
    tool.finish(timeout=0.1)
    assert tool.wait(failed="lost")["code"] == "cancelled"


def test_a_lease_is_held_by_one(results_tool, redis_url):
    first, second = results_tool(redis_url), results_tool(redis_url)
    first.send("lease", id="t1", holder="w1")
    assert first.wait(lease="t1")["state"] == "held"
    second.send("lease", id="t1", holder="w2")
    assert second.wait(lease="t1")["state"] == "busy"
    first.call("release", id="t1")
    assert second.wait(lease="t1")["state"] == "held"
    second.call("release", id="t1")
    with redis.Redis.from_url(redis_url) as witness:
        deadline = time.monotonic() + WAIT
        while witness.keys() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert witness.keys() == []


def test_a_lease_outlives_its_first_seconds_while_its_holder_lives(results_tool, redis_url):
    first, second = results_tool(redis_url), results_tool(redis_url)
    first.send("lease", id="t1", holder="w1", seconds=30)
    assert first.wait(lease="t1")["state"] == "held"
    with redis.Redis.from_url(redis_url) as witness:
        witness.pexpire("celeryc-lease-t1", 3600_000)  # so that a renewal shows: it sets 30 s again
        deadline = time.monotonic() + WAIT
        while witness.ttl("celeryc-lease-t1") > 30 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert 0 < witness.ttl("celeryc-lease-t1") <= 30
    second.send("lease", id="t1", holder="w2", seconds=30)
    assert second.wait(lease="t1")["state"] == "busy"
    first.call("release", id="t1")
    assert second.wait(lease="t1")["state"] == "held"
    second.call("release", id="t1")


def test_the_lease_of_a_dead_holder_runs_out(results_tool, redis_url, tmp_path):
    first, second = ResultsTool(redis_url, tmp_path), results_tool(redis_url)
    first.send("lease", id="t1", holder="w1", seconds=3)
    assert first.wait(lease="t1")["state"] == "held"
    first.kill()
    second.send("lease", id="t1", holder="w2", seconds=3)
    assert second.wait(lease="t1", state="held")
    second.call("release", id="t1")


def test_a_lease_that_another_took_meanwhile_is_lost(results_tool, redis_url):
    tool = results_tool(redis_url)
    tool.send("lease", id="t1", holder="w1", seconds=3)
    assert tool.wait(lease="t1")["state"] == "held"
    with redis.Redis.from_url(redis_url) as witness:
        witness.set("celeryc-lease-t1", "w2")
        assert tool.wait(lease="t1")["state"] == "lost"
        tool.call("release", id="t1")
        tool.finish()
        assert witness.get("celeryc-lease-t1") == b"w2"


def test_a_lease_waits_for_a_redis_that_is_away(results_tool, own_redis):
    server = own_redis()
    tool = results_tool(server.url)
    server.stop()
    tool.send("lease", id="t1", holder="w1")
    server.start()
    assert tool.wait(lease="t1")["state"] == "held"
    server.restart()
    tool.call("release", id="t1")
    tool.send("lease", id="t1", holder="w2")
    assert tool.wait(lease="t1", state="held")
    tool.call("release", id="t1")
