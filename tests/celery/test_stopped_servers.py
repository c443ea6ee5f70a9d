"""RabbitMQ, or Redis, that stands still under load (SIGSTOP; the connections stay open): the worker's timers go on, hard
time limits are kept, and when the server goes on nothing is lost and nothing was done twice.

STOPPED_SECONDS says for how long it stands still; 15 without it. The lag of the worker's timers is what `inspect stats`
has; a process beside it that does nothing but look at the clock says how much of that is the machine's. A loop that waited
for the server would be late by as long as it stands still; STOPPED_LAG asks for less than a third of that, for a machine
that does nothing else."""

import os
import pathlib
import subprocess
import sys
import time

import pytest

from dev.servers.process import wait_for
from tests.celery.test_broker_faults import go_on, pause
from tests.celery.side_by_side import ask, until
from tests.celery.worker_tool import depth
from tests.harness.workers import celery_app

pytestmark = pytest.mark.alone

SECONDS = float(os.environ.get("STOPPED_SECONDS", 15))
TIMEOUT = 300 + 2 * SECONDS
LAG_MOST = float(os.environ.get("STOPPED_LAG", SECONDS / 3))
TASKS = 2000
LIMIT = 10

CLOCK_WATCHER = """
import select, sys, time
worst = 0.0
while True:
    due = time.monotonic() + 0.05
    ended = select.select([sys.stdin], [], [], 0.05)[0]
    if ended:
        break
    worst = max(worst, time.monotonic() - due)
print(worst)
"""


class ClockWatcher:
    """A process that sleeps as long as the worker's pulse does, again and again."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-c", CLOCK_WATCHER], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def worst(self):
        """By how much it was late at worst; ends it."""
        return float(self.process.communicate(timeout=60)[0])

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def watcher():
    made = ClockWatcher()
    yield made
    made.kill()


class System:
    """Servers of the test's own, a client, a worker that is busy with many short tasks and one that never ends."""

    def __init__(self, rabbitmq, redis, worker, folder):
        self.rabbitmq, self.redis, self.runs, self.limited = rabbitmq, redis, folder / "runs", folder / "limited"
        self.app = celery_app(rabbitmq.url, None)  # it does not listen to Redis itself
        self.worker = worker("--concurrency", 4, "--prefetch-multiplier", 8, "-E", "--loglevel", "INFO",
                             broker=rabbitmq.url, backend=redis.url)

    def lines(self):
        return self.runs.read_text().splitlines() if self.runs.exists() else []

    def load(self):
        """Tasks that are queued and under way when it returns; one runs until its time limit ends it."""
        self.endless = self.app.send_task("demo.append", (str(self.limited), "limited", 100000), time_limit=LIMIT)
        wait_for(self.limited.exists, "the endless task runs", TIMEOUT)
        running = until(self.app, self.worker.node, "active",
                        lambda tasks: [task["id"] for task in tasks] == [self.endless.id])
        self.child = running[0]["worker_pid"]
        late = self.app.send_task("demo.append", (str(self.runs), "eta"), countdown=LIMIT / 2)
        with self.app.connection_for_write() as connection, self.app.amqp.Producer(connection) as producer:
            self.results = {number: self.app.send_task(f"demo.append{'_late' * (number % 2)}",
                                                       (str(self.runs), f"{number}", 0.01), producer=producer)
                            for number in range(TASKS)}
        self.results["eta"] = late
        wait_for(lambda: len(self.lines()) >= TASKS // 20, "the load", TIMEOUT)

    def time_limit_is_kept(self):
        """Until the child of the endless task is gone."""
        wait_for(lambda: not pathlib.Path(f"/proc/{self.child}").exists(), "the time limit is kept", TIMEOUT)

    def time_limit_is_stored(self):
        with celery_app(self.rabbitmq.url, self.redis.url) as reader:
            endless = reader.AsyncResult(self.endless.id)
            wait_for(lambda: endless.state == "FAILURE", "the time limit is stored", TIMEOUT)
            assert type(endless.result).__name__ == "TimeLimitExceeded"

    def check_end(self):
        """All that was sent has run once and has its result; the broker holds nothing any more."""
        with celery_app(self.rabbitmq.url, self.redis.url) as reader:
            for name, result in self.results.items():
                assert reader.AsyncResult(result.id).get(timeout=TIMEOUT) == f"{name}"
        assert sorted(self.lines()) == sorted(map(str, self.results))
        self.time_limit_is_stored()
        assert self.limited.read_text().splitlines() == ["limited"]
        wait_for(lambda: depth(self.rabbitmq, "/") == 0, "everything is acknowledged", TIMEOUT)
        assert self.worker.process.is_running()

    def check_lag(self, watcher):
        lag = ask(self.app, self.worker.node, "stats")["celeryc"]["timer_lag_max"]
        machine = watcher.worst()
        assert lag < LAG_MOST + machine, f"the worker's timers were {lag:.3f} s late, the machine {machine:.3f} s"


@pytest.fixture
def system(own_rabbitmq, own_redis, worker, watcher, tmp_path):
    made = System(own_rabbitmq(), own_redis(), worker, tmp_path)
    yield made
    made.app.close()


def test_a_broker_that_stands_still_holds_up_no_timer_and_loses_nothing(system, watcher):
    system.load()
    pause(system.rabbitmq)
    stopped = time.monotonic()
    try:
        system.time_limit_is_kept()
        wait_for(lambda: "eta" in system.lines(), "what has its time meanwhile is run", TIMEOUT)
        system.time_limit_is_stored()
        time.sleep(max(0, stopped + SECONDS - time.monotonic()))
    finally:
        go_on(system.rabbitmq)
    system.check_end()
    system.check_lag(watcher)


def test_a_redis_that_stands_still_holds_up_no_timer_and_loses_nothing(system, watcher):
    system.load()
    pause(system.redis)
    stopped = time.monotonic()
    try:
        system.time_limit_is_kept()
        time.sleep(max(0, stopped + SECONDS - time.monotonic()))
    finally:
        go_on(system.redis)
    system.check_end()
    system.check_lag(watcher)
