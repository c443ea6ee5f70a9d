"""The C worker's children, seen by a Python client: how tasks run, end, crash, and what is left of them."""

import os
import pathlib
import signal

import pytest
import redis
from celery import chain, group
from celery.exceptions import MaxRetriesExceededError, SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError

from dev.servers import wait_for
from tests.celery.worker_tool import lines
from tests.harness.workers import celery_app

PATIENCE = 120


@pytest.fixture
def send(app):
    def send(name, *args, **options):
        return app.send_task(f"demo.{name}", args, options.pop("kwargs", None), **options)

    return send


@pytest.fixture
def sig(app):
    return lambda name, *args, **options: app.signature(f"demo.{name}", args=args, **options)


@pytest.fixture
def states(app, redis_url):
    """states(id, send): every state of a task that was published, in order, until it is ready."""
    def watch(task_id, send_it):
        with redis.Redis.from_url(redis_url) as connection, connection.pubsub() as channel:
            channel.subscribe(f"celery-task-meta-{task_id}")
            wait_for(lambda: channel.get_message(timeout=1)["type"] == "subscribe", "a subscription", PATIENCE)
            send_it()
            seen = []

            def ready():
                message = channel.get_message(timeout=1)
                if message is not None and message["type"] == "message":
                    seen.append(app.backend.decode(message["data"]))
                return bool(seen) and seen[-1]["status"] in ("SUCCESS", "FAILURE")

            wait_for(ready, f"the end of {task_id}", PATIENCE)
            return seen

    return watch


def stat(pid):
    """State and parent of a process, or None."""
    try:
        state, parent = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return state, int(parent)


def is_gone(pid):
    found = stat(pid)
    return found is None or found[0] in "ZX"


def descendants(pid):
    parents = {int(entry.name): (stat(entry.name) or ("X", 0))[1]
               for entry in pathlib.Path("/proc").iterdir() if entry.name.isdigit()}
    found, new = [], [pid]
    while new:
        new = [child for child, parent in parents.items() if parent in new]
        found += new
    return found


def test_values_come_back_as_python_values(worker, send):
    worker()
    assert send("add", 1, 2).get(timeout=PATIENCE) == 3
    assert send("add", 0.1, 0.2).get(timeout=PATIENCE) == 0.1 + 0.2
    assert send("add", "ä", "\U0001f600").get(timeout=PATIENCE) == "ä\U0001f600"
    assert send("mul", kwargs={"x": 2 ** 31, "y": 2 ** 31}).get(timeout=PATIENCE) == 2 ** 62
    assert send("noop").get(timeout=PATIENCE) is None
    assert send("defaults", 1, kwargs={"c": "x"}).get(timeout=PATIENCE) == [1, 2, "x"]
    assert send("big", 3_000_000).get(timeout=PATIENCE) == "x" * 3_000_000


def test_a_task_knows_what_it_is(worker, send):
    node = worker().node
    result = send("echo", 1, [2], kwargs={"k": {"v": None}}, priority=3, headers={"tenant": "blue"})
    seen = result.get(timeout=PATIENCE)
    assert (seen["args"], seen["kwargs"]) == ([1, [2]], {"k": {"v": None}})
    assert (seen["id"], seen["root_id"], seen["parent_id"], seen["retries"]) == (result.id, result.id, None, 0)
    assert (seen["name"], seen["hostname"], seen["lost_runs"]) == ("demo.echo", node, 0)
    assert seen["delivery_info"] == {"exchange": "", "routing_key": "celery", "priority": 3,
                                     "redelivered": False}
    assert seen["headers"]["tenant"] == "blue"


@pytest.mark.parametrize("args, kwargs, message", [
    ((1,), {}, "add() missing 1 required positional argument: 'y'"),
    ((), {}, "add() missing 2 required positional arguments: 'x' and 'y'"),
    ((1, 2), {"z": 3}, "add() got an unexpected keyword argument 'z'"),
    ((1, 2), {"x": 3}, "add() got multiple values for argument 'x'"),
])
def test_a_wrong_call_fails_in_pythons_words(worker, send, args, kwargs, message):
    worker()
    with pytest.raises(TypeError) as raised:
        send("add", *args, kwargs=kwargs).get(timeout=PATIENCE)
    assert str(raised.value) == message

    def add(x, y):
        return x + y

    with pytest.raises(TypeError) as python:
        add(*args, **kwargs)
    assert str(python.value).endswith(message)


def test_failures_arrive_as_pythons_exceptions(worker, send):
    worker()
    failed = send("fail", "it's \"broken\"")
    with pytest.raises(ValueError, match="^it's \"broken\"$"):
        failed.get(timeout=PATIENCE)
    assert failed.traceback.startswith("Traceback (most recent call last):\n")
    assert failed.traceback.endswith("ValueError: it's \"broken\"\n")
    foreign = send("raise", "shop.errors.Closed", "closed")
    with pytest.raises(Exception, match="^closed$") as raised:  # Celery makes a class up where there is none
        foreign.get(timeout=PATIENCE)
    assert type(raised.value).__name__ == "Closed"
    stored = foreign.backend.decode(foreign.backend.get(foreign.backend.get_key_for_task(foreign.id)))
    assert stored["result"] == {"exc_type": "Closed", "exc_message": ["closed"], "exc_module": "shop.errors"}
    with pytest.raises(KeyError) as raised:
        send("raise", "KeyError").get(timeout=PATIENCE)
    assert raised.value.args == ()


def test_retries_run_again_under_the_same_id_until_they_are_used_up(worker, send, states):
    worker()
    seen = states("retried-1", lambda: send("retry", 2, 0.1, task_id="retried-1"))
    assert [state["status"] for state in seen] == ["RETRY", "RETRY", "SUCCESS"]
    assert seen[0]["result"]["exc_type"] == "OSError" and seen[-1]["result"] == "retry 2"
    seen = states("retried-2", lambda: send("retry_with", 3, task_id="retried-2"))
    assert [(state["status"], state["result"]) for state in seen] == [("RETRY", None)] * 3 + [("SUCCESS", 3)]
    assert send("autoretry", 1).get(timeout=PATIENCE) == 1
    with pytest.raises(MaxRetriesExceededError, match="Can't retry demo.give_up"):
        send("give_up").get(timeout=PATIENCE)


def test_custom_states_and_started_are_stored(worker, send, states):
    node = worker().node
    seen = states("progress-1", lambda: send("progress", 3, 0, task_id="progress-1"))
    assert [state["status"] for state in seen] == ["PROGRESS"] * 3 + ["SUCCESS"]
    assert [state["result"] for state in seen[:3]] == [{"step": step, "of": 3} for step in (1, 2, 3)]
    seen = states("tracked-1", lambda: send("sleep_tracked", 0, task_id="tracked-1"))
    assert [state["status"] for state in seen] == ["STARTED", "SUCCESS"]
    assert seen[0]["result"]["hostname"] == node and seen[0]["result"]["pid"] > 0


def test_callbacks_and_chains_go_on_with_the_result(worker, send, sig):
    worker()
    assert chain(sig("add", 1, 2), sig("add", 10), sig("mul", 2)).apply_async().get(timeout=PATIENCE) == 26
    immutable = chain(sig("add", 1, 2), sig("add", 5, 5, immutable=True)).apply_async()
    assert immutable.get(timeout=PATIENCE) == 10
    linked = sig("add", 1, 2)
    linked.link(sig("add", 100))
    linked.link(sig("mul", 5))
    result = linked.apply_async()
    assert result.get(timeout=PATIENCE) == 3
    assert [child.get(timeout=PATIENCE) for child in result.children] == [[103, 15]]  # one group
    together = group(sig("add", number, number) for number in range(5)).apply_async()
    assert together.get(timeout=PATIENCE) == [0, 2, 4, 6, 8]


def test_a_failure_fails_the_rest_of_its_chain_and_calls_errbacks(worker, sig, tmp_path):
    worker()
    noted = tmp_path / "noted"
    with pytest.raises(ValueError, match="^deliberate$"):
        chain(sig("fail", "deliberate"), sig("noop"), sig("noop")).apply_async().get(timeout=PATIENCE)
    failing = sig("fail")
    failing.link_error(sig("append", str(noted), "told", immutable=True))
    failing.apply_async()
    wait_for(lambda: lines(noted) == ["told"], "the errback", PATIENCE)


def test_ignored_results_are_not_stored(worker, send, app):
    worker("--concurrency", 1)
    quiet = [send("ignored", 1, 2), send("ignore"), send("fail_ignored"), send("add", 1, 2, ignore_result=True)]
    stored = send("fail_ignored_stored")
    with pytest.raises(ValueError):
        stored.get(timeout=PATIENCE)
    assert send("add", 1, 1).get(timeout=PATIENCE) == 2
    assert [app.AsyncResult(result.id).state for result in quiet] == ["PENDING"] * 4


def test_a_hard_time_limit_ends_a_task_and_a_soft_one_tells_it(worker, send):
    worker()
    with pytest.raises(TimeLimitExceeded):
        send("sleep", 600, time_limit=1).get(timeout=PATIENCE)
    with pytest.raises(TimeLimitExceeded):
        send("sleep_short_limit", 600).get(timeout=PATIENCE)
    with pytest.raises(SoftTimeLimitExceeded):
        send("soft").get(timeout=PATIENCE)
    assert send("until_told", soft_time_limit=1).get(timeout=PATIENCE) == "soft time limit"
    assert send("add", 1, 2).get(timeout=PATIENCE) == 3


@pytest.mark.parametrize("how, text", [("kill", "signal 9 .SIGKILL."), ("segv", "signal 11 .SIGSEGV."),
                                       ("abort", "signal 6 .SIGABRT."), ("exit", "exitcode 3")])
def test_a_crash_costs_one_task_and_no_more(worker, send, how, text):
    worker("--concurrency", 2)
    before = [send("add", number, 1) for number in range(20)]
    crashed = send("crash", how)
    after = [send("add", number, 1) for number in range(20)]
    with pytest.raises(WorkerLostError, match=text):
        crashed.get(timeout=PATIENCE)
    for results in before, after:
        assert [result.get(timeout=PATIENCE) for result in results] == [number + 1 for number in range(20)]


def test_a_lost_run_is_run_again_where_the_task_wants_it(worker, send, tmp_path):
    worker()
    assert send("crash_first", str(tmp_path / "runs"), 2).get(timeout=PATIENCE) == 3


def test_grandchildren_go_with_their_task(worker, send, tmp_path):
    worker()
    noted = tmp_path / "pids"
    with pytest.raises(TimeLimitExceeded):
        send("spawn", str(noted), time_limit=1).get(timeout=PATIENCE)
    pids = [int(pid) for pid in lines(noted)[0].split()]
    wait_for(lambda: all(is_gone(pid) for pid in pids), f"{pids} are gone", PATIENCE)


def test_nobody_outlives_a_killed_worker(worker, send, tmp_path):
    noted = tmp_path / "pids"
    one = worker()
    send("spawn", str(noted))
    wait_for(lambda: lines(noted), "the task to run", PATIENCE)
    family = descendants(one.pid)
    assert set(int(pid) for pid in lines(noted)[0].split()) <= set(family)
    os.kill(one.pid, signal.SIGKILL)
    wait_for(lambda: all(is_gone(pid) for pid in family), f"{family} are gone", PATIENCE)


def test_a_killed_child_is_replaced(worker, send):
    worker("--concurrency", 1)
    pid = send("pid").get(timeout=PATIENCE)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: is_gone(pid), "the child is gone", PATIENCE)
    assert send("pid").get(timeout=PATIENCE) != pid


def test_children_are_replaced_after_so_many_tasks_or_too_much_memory(worker, send):
    worker("--concurrency", 1, "--max-tasks-per-child", 2)
    pids = [send("pid").get(timeout=PATIENCE) for _ in range(6)]
    assert pids[0] == pids[1] and pids[2] == pids[3] and pids[4] == pids[5] and len(set(pids)) == 3


def test_a_child_that_has_grown_too_large_is_replaced(worker, send):
    worker("--concurrency", 1, "--max-memory-per-child", 300_000)
    small = send("pid").get(timeout=PATIENCE)
    assert send("grow", 400).get(timeout=PATIENCE) == small
    assert send("pid").get(timeout=PATIENCE) != small


def test_many_short_tasks_run_once_each(worker, send, tmp_path):
    worker("--concurrency", 2, "--prefetch-multiplier", 32)
    noted = tmp_path / "runs"
    results = [send("append", str(noted), str(number)) for number in range(1000)]
    assert [result.get(timeout=PATIENCE) for result in results] == [str(number) for number in range(1000)]
    assert sorted(map(int, lines(noted))) == list(range(1000))


def test_no_task_waits_behind_a_slow_one_while_a_child_is_free(worker, send, tmp_path):
    worker("--concurrency", 2, "--prefetch-multiplier", 32)
    for result in [send("sleep", 0) for _ in range(50)]:
        result.get(timeout=PATIENCE)
    noted = tmp_path / "slow"
    slow = send("spawn", str(noted))
    wait_for(lambda: lines(noted), "the slow task to run", PATIENCE)
    quick = [send("sleep", 0) for _ in range(50)]
    assert [result.get(timeout=PATIENCE) for result in quick] == [0] * 50
    assert slow.state == "PENDING"
    os.kill(int(lines(noted)[0].split()[0]), signal.SIGKILL)
    with pytest.raises(WorkerLostError):
        slow.get(timeout=PATIENCE)


def test_no_result_waits_for_the_end_of_the_next_task(worker, send, tmp_path):
    worker("--concurrency", 1, "--prefetch-multiplier", 64)
    noted = tmp_path / "runs"
    child = send("pid").get(timeout=PATIENCE)
    for result in [send("append", str(noted), "first") for _ in range(30)]:
        result.get(timeout=PATIENCE)  # from now on the type is known to be short
    quick = [send("append", str(noted), "quick") for _ in range(20)]
    slow = send("append", str(noted), "slow", 600)
    assert [result.get(timeout=PATIENCE) for result in quick] == ["quick"] * 20
    wait_for(lambda: lines(noted)[-1] == "slow", "the slow one to run", PATIENCE)
    assert slow.state == "PENDING"
    os.kill(child, signal.SIGKILL)
    with pytest.raises(WorkerLostError):
        slow.get(timeout=PATIENCE)


def test_results_are_stored_when_redis_comes_back(worker, own_redis, broker_url, send, tmp_path):
    results = own_redis()
    worker("--concurrency", 1, backend=results.url)
    results.stop()
    noted = tmp_path / "runs"
    ids = [send("append", str(noted), str(number)).id for number in range(5)]  # by a client with results elsewhere
    wait_for(lambda: lines(noted), "a task to run", PATIENCE)
    results.start()
    client = celery_app(broker_url, results.url)
    wait_for(lambda: all(client.AsyncResult(one).state == "SUCCESS" for one in ids), "all results", PATIENCE)
    assert lines(noted) == ["0", "1", "2", "3", "4"]
    client.close()


def test_c_and_python_share_one_chain(worker, python_worker, app, tmp_path):
    """Each worker has a queue of its own, so that the steps go to and fro."""
    worker("-Q", "for-c")
    python_worker("-Q", "for-python")

    def step(name, queue, *args):
        return app.signature(f"demo.{name}", args=args, queue=queue)

    noted = tmp_path / "noted"
    result = chain(step("add", "for-c", 1, 2), step("mul", "for-python", 7), step("mul", "for-c", 2),
                   step("add", "for-python", 0.5), step("retry", "for-c").set(immutable=True)).apply_async()
    assert result.get(timeout=PATIENCE) == "retry 1"
    assert [result.parent.result, result.parent.parent.result, result.parent.parent.parent.result] == [42.5, 42, 21]
    failing = step("fail", "for-c")
    failing.link_error(app.signature("demo.append", args=(str(noted), "told"), immutable=True, queue="for-python"))
    failing.apply_async()
    wait_for(lambda: lines(noted) == ["told"], "Python's errback of a C task", PATIENCE)
