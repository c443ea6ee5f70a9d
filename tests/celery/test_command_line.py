"""Every command of Python's `celery` program that talks to workers works on a C worker: each is run once for
a C worker and a genuine one side by side, and the answers compared. The list of commands is Celery's own: one
that is neither tried nor left out for a reason fails a test."""

import concurrent.futures
import json
import os
import re
import subprocess
import sys

import pytest
from celery.bin.celery import celery as celery_program
from celery.worker.control import Panel

from dev.servers import wait_for
from tests.celery.side_by_side import WAIT, Pair, ask, shape, until, without_names
from tests.harness.programs import ROOT, environment

# Each line is typed in order; the lines beside each other. "RUNNING", "WAITING", "TIMED" stand for such tasks,
# one of each worker.
LINES = [
    [("inspect", "report")],
    [("inspect", "conf")],
    [("inspect", "conf", "true")],
    [("inspect", "query_task", "RUNNING", "WAITING", "TIMED", "nobody")],
    [("inspect", "clock")],
    [("inspect", "ping")],
    [("inspect", "stats")],
    [("inspect", "scheduled")],
    [("inspect", "reserved")],
    [("inspect", "active")],
    [("inspect", "active", "true")],
    [("inspect", "registered")],
    [("inspect", "active_queues")],
    [("inspect", "memsample")],
    [("control", "revoke", "3b8f4ac4-d0f4-4a8c-a7b6-0f6c2c1e1b01"), ("inspect", "revoked")],
    [("control", "revoke_by_stamped_headers", "who=nobody", "what=nothing")],
    [("control", "terminate", "KILL", "3b8f4ac4-d0f4-4a8c-a7b6-0f6c2c1e1b03")],
    [("control", "rate_limit", "demo.mul", "20/m"), ("control", "time_limit", "demo.mul", "10", "20.5"),
     ("inspect", "registered", "rate_limit", "time_limit", "soft_time_limit", "acks_late", "max_retries")],
    [("control", "rate_limit", "nobody", "1/s")],
    [("control", "election")],
    [("control", "enable_events"), ("control", "enable_events"), ("control", "disable_events")],
    [("control", "heartbeat")],
    [("control", "pool_restart")],
    [("control", "autoscale", "3", "1")],
    [("control", "add_consumer", "more"), ("control", "add_consumer", "most", "most", "topic", "most.#"),
     ("control", "cancel_consumer", "more"), ("control", "cancel_consumer", "most")],
]
COMMANDS = [words for line in LINES for words in line]

TRIED_ELSEWHERE = {
    "pool_grow": "test_pools_grow_and_shrink_alike",  # where no child is busy: Celery shrinks no other pool
    "pool_shrink": "test_pools_grow_and_shrink_alike",
    "shutdown": "test_shutdown_ends_both_without_an_answer",
}
LEFT_OUT = {
    "objgraph": "draws a graph of Python's objects",
    "memdump": "prints samples that Python's psutil took",
}
PROGRAM_LEFT_OUT = {  # of the program's own commands
    "amqp": "a shell on the broker, which no worker hears of",
    "flower": "tests/celery/test_control_flower.py and its like",
    "beat": "sends tasks as any client does",
    "list": "asks RabbitMQ's management plugin, through a library that Celery does not bring along",
    "logtool": "reads the log of a worker in Python",
    "migrate": "from broker to broker, which no worker hears of",
    "multi": "starts workers in Python",
    "report": "tells of the Python that it is run with",
    "shell": "a shell in Python",
    "upgrade": "rewrites settings in Python",
    "worker": "is a worker in Python",
}
PROGRAM_TRIED = {"call", "control", "events", "graph", "inspect", "purge", "result", "status"}


def celery(app, *words):
    """What the program ended with, and said on standard output and error."""
    where = ["-b", app.conf.broker_url, "--result-backend", app.conf.result_backend]
    run = subprocess.run([sys.executable, "-m", "celery", *where, *words], cwd=ROOT, text=True,
                         capture_output=True, timeout=3 * WAIT, env=environment(), check=False)
    return run.returncode, run.stdout, run.stderr


def remote(pair, words, *options):
    """The same of a remote control command for both workers; it is over when both have answered."""
    return celery(pair.app, *words[:2], "-t", str(WAIT), "-d", ",".join(pair.nodes), *options, *words[2:])


@pytest.fixture(scope="module")
def pair(rabbitmq, redis_server, tmp_path_factory):
    name = f"command-line{os.getpid()}"
    rabbitmq.add_vhost(name)
    both = Pair(tmp_path_factory.mktemp("command-line"), rabbitmq.url_of(name), redis_server.url_of(2),
                "tests.celery.quiet_pytasks")
    yield both
    both.close()
    rabbitmq.delete_vhost(name)


@pytest.fixture(scope="module")
def answers(pair):
    """What each of LINES gave, in the order of COMMANDS."""
    kinds = {"RUNNING": 0, "WAITING": 1, "TIMED": 2}

    def type_line(line):
        said = []
        for words in line:
            typed = []
            for word in words:
                typed += [pair.tasks[node][kinds[word]] for node in pair.nodes] if word in kinds else [word]
            said.append(remote(pair, typed, "--json"))
        return said

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return [said for line in pool.map(type_line, LINES) for said in line]


def replies(pair, said):
    """Both replies, C's first."""
    code, out, errors = said
    assert code == 0, errors
    found = json.loads(out)
    if isinstance(found, list):  # of `control`
        found = {node: reply for one in found for node, reply in one.items()}
    assert set(found) == set(pair.nodes)
    return [found[node] for node in pair.nodes]


def comparable(words, ours, theirs):
    """Of the replies what has to be alike."""
    command = words[1]
    if command == "query_task":
        return [list(ours.values()), list(theirs.values())]
    if command == "conf":  # the settings that a C worker has, where both are set
        names = [name for name in ours if ours[name] and theirs.get(name)]
        assert "broker_url" in names and "result_backend" in names
        return [{name: settings[name] for name in names} for settings in (ours, theirs)]
    if command == "memsample" and theirs is None:  # there is no psutil
        return [ours, "12.3MB"]
    return [without_names(command, reply) for reply in (ours, theirs)]


@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=[" ".join(words) for words in COMMANDS])
def test_remote_control_answers_the_command_line_alike(pair, answers, number):
    words = COMMANDS[number]
    ours, theirs = comparable(words, *replies(pair, answers[number]))
    if words[0] == "control":
        assert ours == theirs
    else:
        assert shape(ours) == shape(theirs)


def test_registered_tasks_are_described_alike(pair, answers):
    """Those that both have, to the letter."""
    for number, words in enumerate(COMMANDS):
        if words[1] == "registered":
            ours, theirs = ({text.split(" ")[0]: text for text in reply}
                            for reply in replies(pair, answers[number]))
            both = sorted(ours.keys() & theirs.keys())
            assert "demo.mul" in both and "demo.add" in both
            assert [ours[name] for name in both] == [theirs[name] for name in both]
            if len(words) > 2:
                assert ours["demo.mul"] == "demo.mul [rate_limit=20/m time_limit=20.5 soft_time_limit=10.0 " \
                    "acks_late=False max_retries=3]"


def test_no_remote_control_command_is_forgotten():
    known = set(TRIED_ELSEWHERE) | set(LEFT_OUT)
    assert not known & {words[1] for words in COMMANDS}
    for kind in ("inspect", "control"):
        has = {name for name, about in Panel.meta.items() if about.type == kind and about.visible}
        assert has == {words[1] for words in COMMANDS if words[0] == kind} | (known & has)
    assert known <= Panel.meta.keys()


def test_no_command_of_the_program_is_forgotten():
    assert set(celery_program.commands) == PROGRAM_TRIED | PROGRAM_LEFT_OUT.keys()


def test_people_are_shown_both_alike(pair):
    """Without --json: words and indentation, but for numbers and ids."""
    for words in (("inspect", "scheduled"), ("inspect", "active_queues"), ("control", "heartbeat")):
        code, out, errors = remote(pair, words)
        assert code == 0, errors
        parts = re.split("|".join(f"->  {re.escape(node)}: " for node in pair.nodes), out)
        assert len(parts) == 3, out
        ours, theirs = (re.sub(r"[0-9a-f-]{36}", "ID", part.split("\n\n")[0]).strip() for part in parts[1:])
        for node, queue in zip(pair.nodes, pair.queues):
            ours, theirs = (text.replace(node, "NODE").replace(queue, "QUEUE") for text in (ours, theirs))
        assert re.sub(r"\d+", "N", ours) == re.sub(r"\d+", "N", theirs)
    code, out, errors = celery(pair.app, "status", "-t", str(WAIT), "-d", ",".join(pair.nodes))
    assert code == 0, errors
    assert all(f"{node}: OK" in out for node in pair.nodes) and "2 nodes online." in out


@pytest.fixture
def two(worker, python_worker):
    """A C worker and a genuine one with nothing to do: {queue: node}."""
    return {"c-queue": worker("-c", 1, "-E", "-Q", "c-queue").node,
            "py-queue": python_worker("-c", 1, "-E", "-Q", "py-queue").node}


def test_pools_grow_and_shrink_alike(app, two):
    nodes = list(two.values())
    for words in (("pool_grow",), ("pool_grow", "2"), ("pool_shrink",), ("pool_shrink", "1")):
        code, out, errors = celery(app, "control", words[0], "-t", str(WAIT), "-d", ",".join(nodes), "--json",
                                   *words[1:])
        assert code == 0, errors
        ours, theirs = ([one[node] for one in json.loads(out) if node in one] for node in nodes)
        assert len(ours) == 1 and ours == theirs
    # Celery may end one child for two requests that come close together, so only ours is counted.
    until(app, nodes[0], "stats", lambda stats: len(stats["pool"]["processes"]) == 2)


def test_shutdown_ends_both_without_an_answer(app, worker, python_worker):
    ours, theirs = worker("-c", 1), python_worker("-c", 1)
    code, _, errors = celery(app, "control", "-t", "1", "-d", f"{ours.node},{theirs.node}", "shutdown")
    assert code == 69 and "No nodes replied" in errors
    assert ours.process.popen.wait(WAIT) == 0 and theirs.process.popen.wait(WAIT) == 0


# ---- commands of the program itself ----

def call(app, queue, *words):
    """Sends a task with `celery call`; its id."""
    code, out, errors = celery(app, "call", "--queue", queue, *words)
    assert code == 0, errors
    return out.strip()


def test_called_tasks_have_results_that_are_shown_alike(app, two):
    def shown(queue):
        added = call(app, queue, "demo.add", "-a", "[1]", "-k", '{"y": 2}')
        failed = call(app, queue, "demo.fail", "--args", '["on purpose"]')
        expired = call(app, queue, "demo.add", "-a", "[1, 2]", "--expires", "2020-01-01T00:00:00")
        assert celery(app, "result", added)[:2] == (0, "3\n")
        ends = [(code, errors.strip().splitlines()[-1].replace(expired, "ID"))
                for code, _, errors in (celery(app, "result", one) for one in (failed, expired))]
        code, traceback, _ = celery(app, "result", failed, "--traceback")
        assert code == 0 and traceback.startswith("Traceback (most recent call last):")
        return ends, traceback.strip().splitlines()[-1]

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        ours, theirs = pool.map(shown, two)
    assert ours == theirs
    assert ours[0][0] == (1, "ValueError: on purpose") and "expired" in ours[0][1][1]


def fields(line):
    """Of a line of the dump: what happened, and the names of what is told."""
    happened = re.search(r"\] ([a-z -]+)", line)[1].strip()
    return happened, re.findall(r"(?:^|[ ,(])(\w+)=", line)


def test_the_events_of_both_are_dumped_alike(app, two, tmp_path):
    log = tmp_path / "events"
    with log.open("w") as file, subprocess.Popen(
            [sys.executable, "-u", "-m", "celery", "-b", app.conf.broker_url, "events", "--dump"], cwd=ROOT,
            stdout=file, stderr=subprocess.STDOUT, env=environment()) as dump:
        try:
            for node in two.values():
                wait_for(lambda one=node: re.search(rf"{re.escape(one)} \[.*heartbeat: active=", log.read_text()),
                         f"a heartbeat of {node}, not the one that the program itself asks for", WAIT)
            for queue in two:
                for task, args in (("demo.add", (1, 2)), ("demo.fail", ())):
                    app.send_task(task, args, queue=queue).get(timeout=WAIT, propagate=False)
            for node in two.values():
                wait_for(lambda one=node: re.search(rf"{re.escape(one)} \[.*task failed", log.read_text()),
                         f"the failure that {node} tells of", WAIT)
        finally:
            dump.kill()
    ours, theirs = ([fields(line) for line in log.read_text().splitlines() if line.startswith(f"{node} [")]
                    for node in two.values())
    assert sorted(one for one in ours if one[0] != "heartbeat") == \
        sorted(one for one in theirs if one[0] != "heartbeat")
    assert {one[0] for one in ours} == {"heartbeat", "task received", "task started", "task succeeded",
                                        "task failed"}
    beats = [{tuple(names) for happened, names in one if happened == "heartbeat" and "active" in names}
             for one in (ours, theirs)]
    assert beats[0] == beats[1] and len(beats[0]) == 1


def test_both_stand_in_the_graph_of_workers(app, two):
    """That command waits for a second and cannot be told to wait longer."""
    def shows_both():
        code, out, errors = celery(app, "graph", "workers")
        assert code == 0, errors
        return all(f'"{node}" -> "amqp://' in out and re.search(f'"thr-.*" -> "{node}"', out)
                   for node in two.values())

    wait_for(shows_both, "both are in the graph", WAIT)


def test_a_queue_of_a_c_worker_is_purged(app, worker):
    """It is declared as Celery's programs declare it, or they would be refused."""
    node = worker("-c", 1, "-Q", "c-queue,left").node
    ask(app, node, "cancel_consumer", queue="left")
    until(app, node, "active_queues", lambda queues: [queue["name"] for queue in queues] == ["c-queue"])
    for _ in range(2):
        call(app, "left", "demo.noop")
    code, out, errors = celery(app, "purge", "-f", "-Q", "left")
    assert code == 0, errors
    assert "Purged 2 messages from 1 known task queue." in out
