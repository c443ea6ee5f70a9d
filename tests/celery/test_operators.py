"""Operators see and steer a C worker as if it were Python's: every command answered by both side by side and
the answers compared, and that what is told to a C worker changes what it does."""

import json
import os
import pathlib
import re
import signal
import time
import urllib.parse
import uuid

import kombu
import pytest
from celery.exceptions import TaskRevokedError, TimeLimitExceeded

from dev.servers import wait_for
from tests.celery.side_by_side import SLEEP, WAIT, Pair, ask, shape, until, without_names

# ---- side by side ----

@pytest.fixture(scope="module")
def pair(rabbitmq, redis_server, tmp_path_factory):
    name = f"operators{os.getpid()}"
    rabbitmq.add_vhost(name)
    both = Pair(tmp_path_factory.mktemp("operators"), rabbitmq.url_of(name), redis_server.url_of(1),
                options=("-E",))
    yield both
    both.close()
    rabbitmq.delete_vhost(name)


SAME_SHAPE = [
    ("ping", {}), ("clock", {}), ("report", {}), ("active", {}), ("active", {"safe": True}), ("reserved", {}),
    ("scheduled", {}), ("revoked", {}), ("registered", {"taskinfoitems": ["rate_limit"]}),
    ("active_queues", {}), ("hello", {"from_node": "other@node", "revoked": []}), ("dump_active", {}),
    ("dump_reserved", {}),
    ("dump_schedule", {}), ("dump_revoked", {}), ("dump_tasks", {}), ("stats", {}),
]


@pytest.mark.parametrize(("command", "arguments"), SAME_SHAPE,
                         ids=[f"{command}-{'-'.join(arguments)}" for command, arguments in SAME_SHAPE])
def test_inspect_replies_have_the_same_shape(pair, command, arguments):
    ours, theirs = (shape(without_names(command, reply)) for reply in pair.ask(command, arguments))
    assert ours == theirs


def test_tasks_are_queried_alike(pair):
    ours, theirs = pair.ask("query_task", own=lambda tasks: {"ids": [*tasks, "nobody"]})
    for one, other in zip(ours.values(), theirs.values(), strict=True):
        assert one[0] == other[0] and shape(one) == shape(other)
    assert [state for state, _ in ours.values()] == [state for state, _ in theirs.values()]


def test_settings_have_celerys_names_and_types(pair):
    ours, theirs = pair.ask("conf", {"with_defaults": True})
    few = ask(pair.app, pair.c.node, "conf")
    assert few.keys() < ours.keys()
    for name, value in ours.items():
        assert name in theirs, f"{name} is no setting of Celery's"
        if value not in (None, []) and theirs[name] not in (None, []):
            assert shape(value) == shape(theirs[name]), f"{name}: {value!r} here, {theirs[name]!r} there"


def test_conf_shows_the_settings_that_were_changed(app, worker, tmp_path):
    said = {
        "--eta-task-limit": ("worker_eta_task_limit", 500),
        "--max-tasks-per-child": ("worker_max_tasks_per_child", 7),
        "--max-memory-per-child": ("worker_max_memory_per_child", 10 ** 9),
        "--soft-shutdown-timeout": ("worker_soft_shutdown_timeout", 0.5),
        "--statedb": ("worker_state_db", str(tmp_path / "state")),
        "--result-expires": ("result_expires", 3600.0),
        "--time-limit": ("task_time_limit", 300.0),
        "--soft-time-limit": ("task_soft_time_limit", 200.0),
        "--default-queue": ("task_default_queue", "another"),
        "--queue-max-priority": ("task_queue_max_priority", 5),
    }
    flags = {
        "--enable-soft-shutdown-on-idle": "worker_enable_soft_shutdown_on_idle",
        "--deduplicate-successful-tasks": "worker_deduplicate_successful_tasks",
        "--task-events": "worker_send_task_events",
        "--result-extended": "result_extended",
        "--result-persistent": "result_persistent",
        "--track-started": "task_track_started",
        "--reject-on-worker-lost": "task_reject_on_worker_lost",
    }
    words = [word for option, (_, value) in said.items() for word in (option, value)]
    plain, changed = (ask(app, worker("-c", 1, *how).node, "conf") for how in ((), (*words, *flags)))
    assert {name: value for name, value in changed.items() if name not in plain} == \
        {**dict(said.values()), **dict.fromkeys(flags.values(), True)}


SAME_REPLY = [
    ("rate_limit", {"task_name": "demo.noop", "rate_limit": "10/s"}),
    ("rate_limit", {"task_name": "demo.noop", "rate_limit": 5}),
    ("rate_limit", {"task_name": "demo.noop", "rate_limit": "0"}),
    ("rate_limit", {"task_name": "demo.noop", "rate_limit": 0}),
    ("rate_limit", {"task_name": "demo.noop", "rate_limit": None}),
    ("rate_limit", {"task_name": "nobody", "rate_limit": "10/s"}),
    ("rate_limit", {"task_name": "demo.noop", "rate_limit": "often"}),
    ("rate_limit", {"task_name": "demo.noop", "rate_limit": "1/y"}),
    ("rate_limit", {"task_name": "demo.noop"}),
    ("time_limit", {"task_name": "demo.noop", "soft": 10, "hard": 20}),
    ("time_limit", {"task_name": "demo.noop", "hard": None, "soft": None}),
    ("time_limit", {"task_name": "nobody", "hard": 1}),
    ("enable_events", {}),
    ("enable_events", {"x": 1}),
    ("heartbeat", {}),
    ("pool_grow", {}),
    ("autoscale", {"max": 3, "min": 1}),
    ("pool_restart", {}),
    ("add_consumer", {"queue": "operators-extra"}),
    ("cancel_consumer", {"queue": "operators-extra"}),
    ("cancel_consumer", {}),
    ("revoke", {"task_id": "3b8f4ac4-d0f4-4a8c-a7b6-0f6c2c1e1a01"}),
    ("revoke", {"task_id": ["3b8f4ac4-d0f4-4a8c-a7b6-0f6c2c1e1a02"], "terminate": False,
                "signal": "SIGTERM"}),
    ("revoke", {"task_id": "3b8f4ac4-d0f4-4a8c-a7b6-0f6c2c1e1a03", "terminate": True, "signal": "SIGKILL"}),
    ("terminate", {"task_id": ["3b8f4ac4-d0f4-4a8c-a7b6-0f6c2c1e1a04"], "signal": "SIGTERM"}),
    ("terminate", {"task_id": ["3b8f4ac4-d0f4-4a8c-a7b6-0f6c2c1e1a05"], "signal": "sigterm"}),
    ("revoke_by_stamped_headers", {"headers": {"who": "nobody here"}}),
    ("revoke_by_stamped_headers", {"headers": {"who": ["nobody", "here"]}}),
    ("revoke_by_stamped_headers", {"headers": ["who=nobody"]}),
    ("revoke_by_stamped_headers", {"headers": {"who": "nobody here"}, "terminate": True,
                                   "signal": "SIGTERM"}),
    ("hello", {}),
    ("query_task", {}),
    ("query_task", {"ids": ["nobody"]}),
    ("election", {}),
    ("nonsense", {}),
    ("revoked", {"x": 1}),
]


@pytest.mark.parametrize(("command", "arguments"), SAME_REPLY,
                         ids=[f"{number}-{command}" for number, (command, _) in enumerate(SAME_REPLY)])
def test_commands_are_answered_with_the_same_words(pair, command, arguments):
    ours, theirs = pair.ask(command, arguments)
    if command == "revoked":  # in the order in which they came here, and there
        ours, theirs = sorted(ours), sorted(theirs)
    assert ours == theirs


# ---- limits ----

def test_a_rate_limit_holds_at_once_and_is_lifted_at_once(app, worker):
    node = worker("-c", 2, "--prefetch-multiplier", 4).node
    assert ask(app, node, "rate_limit", task_name="demo.add", rate_limit="1/h") == \
        {"ok": "new rate limit set successfully"}
    assert "demo.add [rate_limit=1/h]" in ask(app, node, "registered")
    tasks = [app.send_task("demo.add", (number, 1)) for number in range(3)]
    assert tasks[0].get(timeout=WAIT) == 1
    ids = [task.id for task in tasks[1:]]
    held = until(app, node, "query_task", lambda found: len(found) == 2, ids=ids)
    assert {state for state, _ in held.values()} == {"reserved"}
    assert ask(app, node, "stats")["total"] == {"demo.add": 1}
    assert ask(app, node, "rate_limit", task_name="demo.add", rate_limit=None) == \
        {"ok": "rate limit disabled successfully"}
    assert [task.get(timeout=WAIT) for task in tasks[1:]] == [2, 3]
    assert "demo.add" in ask(app, node, "registered")


def test_time_limits_hold_for_what_has_not_begun(app, worker):
    node = worker("-c", 1, "--prefetch-multiplier", 4).node
    first = app.send_task("demo.until_told", (SLEEP,))
    until(app, node, "active", lambda tasks: len(tasks) == 1)
    second = app.send_task("demo.until_told", (SLEEP,))
    until(app, node, "reserved", lambda tasks: len(tasks) == 1)
    assert ask(app, node, "time_limit", task_name="demo.until_told", soft=0.2, hard=SLEEP) == \
        {"ok": "time limits set successfully"}
    assert ask(app, node, "registered", taskinfoitems=["soft_time_limit"]).count(
        "demo.until_told [soft_time_limit=0.2]") == 1
    assert [task["id"] for task in ask(app, node, "active")] == [first.id]  # which began without a limit
    ask(app, node, "terminate", task_id=first.id, signal="SIGKILL")
    assert second.get(timeout=WAIT) == "soft time limit"
    assert ask(app, node, "time_limit", task_name="demo.sleep", hard=0.3) == \
        {"ok": "time limits set successfully"}
    with pytest.raises(TimeLimitExceeded):
        app.send_task("demo.sleep", (SLEEP,)).get(timeout=WAIT)


# ---- revoking ----

def test_tasks_are_revoked_by_their_stamps(app, worker):
    node = worker("-c", 1, "--prefetch-multiplier", 8).node

    def send(who, task="demo.add", args=(1, 2)):
        return app.send_task(task, args, stamped_headers=["who"], who=who)

    running = send("me", "demo.until_told", (SLEEP,))
    until(app, node, "active", lambda tasks: len(tasks) == 1)
    before = send("you too")
    until(app, node, "reserved", lambda tasks: len(tasks) == 1)
    assert ask(app, node, "revoke_by_stamped_headers", headers={"who": ["me", "you too"]}) == \
        {"ok": "headers {'who': ['me', 'you too']} flagged as revoked, but not terminated"}
    assert len(ask(app, node, "active")) == 1
    assert ask(app, node, "revoke_by_stamped_headers", headers={"who": "me"}, terminate=True,
               signal="SIGKILL") == {"ok": "headers defaultdict(<class 'set'>, {'who': {'me'}}) revoked"}
    for task in (running, before, send("me"), send(["x", "me"])):
        with pytest.raises(TaskRevokedError):
            task.get(timeout=WAIT)
    assert send("another").get(timeout=WAIT) == 3


def test_a_revoke_is_stored_at_once_where_the_task_waits_and_nowhere_else(app, worker):
    node = worker("-c", 1).node
    states = ("unknown", "PENDING", "RETRY", "STARTED", "PROGRESS", "SUCCESS", "FAILURE")
    names = {state: str(uuid.uuid4()) for state in states}
    for state, task_id in names.items():
        if state != "unknown":
            app.backend.store_result(task_id, ValueError("x") if state in ("FAILURE", "RETRY") else 1, state)
    ask(app, node, "revoke", task_id=list(names.values()))
    revoked = ("unknown", "PENDING", "RETRY")
    for state in revoked:
        wait_for(lambda name=state: app.AsyncResult(names[name]).state == "REVOKED",
                 f"{state} becomes REVOKED", WAIT)
    last = str(uuid.uuid4())  # states are stored in order: when this one is, those before have been looked at
    ask(app, node, "revoke", task_id=last)
    wait_for(lambda: app.AsyncResult(last).state == "REVOKED", "the last is REVOKED", WAIT)
    for state, task_id in names.items():
        assert app.AsyncResult(task_id).state == ("REVOKED" if state in revoked else state)


def test_revoked_ids_are_bounded_and_forgotten_in_time(app, worker):
    few = worker("-c", 1, "--without-mingle", env={"CELERY_WORKER_REVOKES_MAX": "3"}).node
    ask(app, few, "revoke", task_id=["a", "b", "c", "d", "e"])
    known = ask(app, few, "revoked")
    assert len(known) == 3 and set(known) < set("abcde")
    brief = worker("-c", 1, "--without-mingle", env={"CELERY_WORKER_REVOKE_EXPIRES": "2"}).node
    ask(app, brief, "revoke", task_id=["a"])
    until(app, brief, "revoked", lambda ids: ids == [])


# ---- neighbours ----

def revoked_of(app, node):
    return set(ask(app, node, "revoked"))


def set_clock(broker_url, value):
    """The next request says that the sender's logical clock is as late as that."""
    with kombu.Connection(broker_url) as connection, connection.channel() as channel:
        pidbox = kombu.Exchange("celery.pidbox", "fanout", durable=False, channel=channel)
        pidbox.publish(pidbox.Message(json.dumps({"method": "ping", "arguments": {}}),
                                      content_type="application/json", content_encoding="utf-8",
                                      headers={"clock": value}))


def test_a_worker_that_starts_learns_what_is_revoked_and_tells_what_it_knows(app, worker, python_worker,
                                                                             tmp_path, broker_url):
    def is_late(node):
        until(app, node, "clock", lambda reply: reply["clock"] >= 1_000_000)

    state = tmp_path / "state"
    first = worker("-c", 1, "--statedb", state)
    ask(app, first.node, "revoke", task_id="kept")
    set_clock(broker_url, 1_000_000)
    is_late(first.node)
    first.finish()
    genuine = python_worker("-c", 1)
    assert ask(app, genuine.node, "revoke", task_id=["theirs"])["ok"]
    second = worker("-c", 1, "--statedb", state)
    for node in (second.node, genuine.node):
        wait_for(lambda one=node: revoked_of(app, one) >= {"kept", "theirs"}, f"{node} knows both", WAIT)
        is_late(node)
    ask(app, second.node, "revoke", task_id="ours")
    for node in (python_worker("-c", 1).node, worker("-c", 1).node):
        wait_for(lambda one=node: revoked_of(app, one) >= {"kept", "theirs", "ours"},
                 f"{node} knows all", WAIT)
        is_late(node)


def test_workers_know_who_is_there(worker, python_worker):
    ours = worker("-c", 1, "-l", "DEBUG")
    theirs = python_worker("-c", 1, "--loglevel", "DEBUG")
    other = worker("-c", 1, "-l", "DEBUG")
    for who in (theirs, other):
        wait_for(lambda node=who.node: f"{node} joined the party" in ours.log(), f"{who.node} is known", WAIT)
    for who in (ours, other):
        wait_for(lambda node=who.node: f"{node} joined the party" in theirs.log(),
                 f"{who.node} is known", WAIT)
    other.finish()
    wait_for(lambda: f"{other.node} left" in ours.log(), "the C worker has noticed who left", WAIT)
    wait_for(lambda: f"{other.node} left" in theirs.log(), "the Python worker has noticed who left", WAIT)
    theirs.kill()
    wait_for(lambda: f"missed heartbeat from {theirs.node}" in ours.log(), "the C worker misses it", WAIT)


def test_an_election_is_won_by_somebody_who_calls_the_task(app, worker, tmp_path):
    nodes = [worker("-c", 1, "-l", "DEBUG") for _ in range(2)]
    for one, other in (nodes, reversed(nodes)):
        wait_for(lambda a=one, b=other: f"{b.node} joined the party" in a.log(), "they know each other", WAIT)
    runs = tmp_path / "runs"
    signature = app.signature("demo.append", (str(runs), "elected"))
    app.control.election("the one", "task", dict(signature))
    outcomes = ("I won the election 'the one'", "elected for 'the one'")
    for node in nodes:
        wait_for(lambda one=node: any(outcome in one.log() for outcome in outcomes),
                 f"{node.node} knows who won", WAIT)
    wait_for(lambda: runs.exists() and runs.read_text().startswith("elected\n"), "the task is called", WAIT)


def test_a_worker_may_be_told_to_ignore_its_neighbours(app, worker):
    first = worker("-c", 1, "-l", "DEBUG", "--without-gossip", "--without-mingle")
    ask(app, first.node, "revoke", task_id="alone")
    second = worker("-c", 1, "-l", "DEBUG", "--without-gossip", "--without-mingle")
    third = worker("-c", 1, "-l", "DEBUG")
    wait_for(lambda: f"{second.node} joined the party" in third.log(), "who listens knows the others", WAIT)
    wait_for(lambda: "alone" in revoked_of(app, third.node), "who asks is told", WAIT)
    assert revoked_of(app, second.node) <= {"alone"}
    for one in (first, second):
        assert "joined the party" not in one.log() and "mingle:" not in one.log()


def test_what_is_no_event_costs_a_worker_nothing(app, worker, broker_url):
    node = worker("-c", 1, "-l", "DEBUG")
    head = {"type": "worker-heartbeat", "hostname": "other@node", "clock": 7, "pid": 1, "freq": 2.0}
    bodies = ["", "{", "[]", "null", "[" * 100000, "\xff" * 100, json.dumps({"type": 7}),
              json.dumps({"type": "worker-elect", "hostname": "other@node"}),
              json.dumps({**head, "type": "worker-elect", "id": 7, "topic": None}),
              json.dumps({**head, "type": "worker-elect-ack", "id": "nobody's"}),
              json.dumps({**head, "type": "worker-elect", "id": "x" * 10000, "topic": "task", "action": [1]}),
              json.dumps({**head, "hostname": "h" * 100000}), json.dumps({**head, "freq": "often"}),
              json.dumps({**head, "freq": -1e300, "clock": 2 ** 62}), json.dumps({**head, "clock": {}})]
    with kombu.Connection(broker_url) as connection, connection.channel() as channel:
        exchange = kombu.Exchange("celeryev", "topic", durable=True, channel=channel)
        for body in bodies:
            for key in ("worker.heartbeat", "worker.elect", "worker.elect.ack", "worker.x"):
                headers = {"hostname": 7} if key == "worker.x" else {}
                exchange.publish(exchange.Message(body, content_type="application/json",
                                                  content_encoding="utf-8", headers=headers), routing_key=key)
        exchange.publish(exchange.Message(json.dumps({**head, "hostname": "last@node"}),
                                          content_type="application/json", content_encoding="utf-8"),
                         routing_key="worker.heartbeat")
    wait_for(lambda: "last@node joined the party" in node.log(), "all have been taken", WAIT)
    assert ask(app, node.node, "ping") == {"ok": "pong"}


# ---- the pool, and numbers ----

def test_the_pool_follows_the_load_within_its_bounds(app, worker):
    node = worker("--autoscale", "3,1", env={"AUTOSCALE_KEEPALIVE": "1"}).node
    stats = ask(app, node, "stats")
    assert {name: stats["autoscaler"][name] for name in ("max", "min")} == {"max": 3, "min": 1}
    assert stats["prefetch_count"] == 12
    assert ask(app, node, "pool_grow") == \
        {"error": "pool_grow is not supported with autoscale. Adjust autoscale range instead."}
    tasks = [app.send_task("demo.until_told", (SLEEP,)) for _ in range(5)]
    full = until(app, node, "stats", lambda stats: len(stats["pool"]["processes"]) == 3)
    assert full["autoscaler"]["current"] == 3
    until(app, node, "stats", lambda stats: stats["autoscaler"]["qty"] == 5)
    assert ask(app, node, "autoscale", max=4, min=2) == {"ok": "autoscale now max=4 min=2"}
    until(app, node, "active", lambda tasks: len(tasks) == 4)
    assert ask(app, node, "stats")["prefetch_count"] == 16
    app.control.revoke([task.id for task in tasks], terminate=True, signal="SIGKILL")
    until(app, node, "stats", lambda stats: len(stats["pool"]["processes"]) == 2)
    assert app.send_task("demo.add", (1, 2)).get(timeout=WAIT) == 3


def test_every_number_in_stats_moves(app, worker):
    """But for those of the machine, which the next tests look at."""
    node = worker("-c", 2, "--time-limit", 300, "--soft-time-limit", 200, "--max-tasks-per-child", 1000).node
    before = ask(app, node, "stats")
    assert before["total"] == {} and before["pool"]["writes"]["total"] == 0
    assert before["pool"]["timeouts"] == [200, 300] and before["pool"]["max-tasks-per-child"] == 1000
    assert before["pool"]["writes"]["inqueues"] == {"total": 2, "active": 0}
    assert before["pool"]["writes"]["avg"] == "0.50"
    for number in range(5):
        app.send_task("demo.add", (number, 1)).get(timeout=WAIT)
    after = until(app, node, "stats", lambda stats: stats["total"] == {"demo.add": 5})
    assert int(after["clock"]) > int(before["clock"])
    writes = after["pool"]["writes"]
    given = [int(count) for count in writes["raw"].split(", ")]
    assert writes["total"] == sum(given) == 5
    assert writes["all"] == ", ".join(f"{count / 5:.2f}" for count in given)
    running = app.send_task("demo.until_told", (SLEEP,))
    until(app, node, "stats", lambda stats: stats["pool"]["writes"]["inqueues"]["active"] == 1)
    ask(app, node, "pool_grow", n=1)
    grown = until(app, node, "stats", lambda stats: len(stats["pool"]["processes"]) == 3)
    assert grown["prefetch_count"] == before["prefetch_count"] + 4
    assert grown["pool"]["max-concurrency"] == grown["pool"]["writes"]["inqueues"]["total"] == 3
    assert grown["pool"]["writes"]["avg"] == "0.33"
    until(app, node, "stats", lambda stats: stats["uptime"] > before["uptime"])
    later = app.send_task("demo.add", (1, 1), countdown=SLEEP)
    until(app, node, "stats", lambda stats: stats["prefetch_count"] == grown["prefetch_count"] + 1)
    app.control.revoke([running.id, later.id], terminate=True, signal="SIGKILL", destination=[node])
    with pytest.raises(TaskRevokedError):
        running.get(timeout=WAIT)


def test_the_broker_in_stats_is_the_one_that_is_connected_to(app, worker, broker_url, vhost):
    broker = ask(app, worker("-c", 1, "--broker-heartbeat", 20).node, "stats")["broker"]
    url = urllib.parse.urlsplit(broker_url)
    assert (broker["hostname"], broker["port"], broker["userid"], broker["virtual_host"]) == \
        (url.hostname, url.port, "guest", vhost)
    assert (broker["heartbeat"], broker["heartbeat_agreed"], broker["connect_timeout"]) == (20, 20, 4)
    with kombu.Connection(broker_url) as connection:
        assert broker["server_version"] == connection.default_channel.connection.server_properties["version"]


def kernels_numbers(pid):
    """What the kernel says of a process, by the names that getrusage() has for them; times in ticks."""
    process = pathlib.Path(f"/proc/{pid}")
    stat = process.joinpath("stat").read_text().rsplit(")", 1)[1].split()
    said = process.joinpath("io").read_text() + "".join(
        thread.joinpath("status").read_text() for thread in process.joinpath("task").iterdir())

    def total(name):
        return sum(int(number) for number in re.findall(rf"^{name}:\s*(\d+)", said, re.M))

    return {"minflt": int(stat[7]), "majflt": int(stat[9]), "utime": int(stat[11]), "stime": int(stat[12]),
            "inblock": total("read_bytes") // 512, "oublock": total("write_bytes") // 512,
            "nvcsw": total("voluntary_ctxt_switches"), "nivcsw": total("nonvoluntary_ctxt_switches")}


def test_rusage_in_stats_is_what_the_kernel_says(app, worker):
    one = worker("-c", 1)
    tick = 1 / os.sysconf("SC_CLK_TCK")
    first = ask(app, one.node, "stats")["rusage"]
    for name in ("utime", "stime", "minflt", "nvcsw"):
        until(app, one.node, "stats", lambda stats, name=name: stats["rusage"][name] > first[name])
    before = kernels_numbers(one.pid)
    said = ask(app, one.node, "stats")["rusage"]
    after = kernels_numbers(one.pid)
    for name in ("utime", "stime"):
        said[name] = int(said[name] / tick + 1e-6)
    for name, number in before.items():
        assert number <= said[name], name
    for name in before.keys() - {"nvcsw", "nivcsw"}:  # of these what threads that have ended did is not shown
        assert said[name] <= after[name], name
    for name in ("ixrss", "idrss", "isrss", "nswap", "msgsnd", "msgrcv", "nsignals"):
        assert said[name] == 0, f"Linux does not count {name}"


def test_maxrss_in_stats_grows_with_what_is_held(app, worker):
    node = worker("-c", 1).node
    before = ask(app, node, "stats")["rusage"]["maxrss"]

    def has_grown():
        for _ in range(100):
            app.send_task("demo.echo", ("x" * 50000,), countdown=SLEEP)
        return ask(app, node, "stats")["rusage"]["maxrss"] > before

    wait_for(has_grown, "more memory is used", WAIT)


def test_the_timers_lag_in_stats_shows_a_worker_that_was_held_up(app, worker):
    one = worker("-c", 1)
    before = ask(app, one.node, "stats")["celeryc"]["timer_lag_max"]
    os.kill(one.pid, signal.SIGSTOP)
    time.sleep(before + 2)
    os.kill(one.pid, signal.SIGCONT)
    until(app, one.node, "stats", lambda stats: stats["celeryc"]["timer_lag_max"] > before)
