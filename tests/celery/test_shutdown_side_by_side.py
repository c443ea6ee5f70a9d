"""Each way to stop a worker does to tasks that run, wait for a child or wait for their ETA, acknowledged
early or late, what it does in Celery's own worker: a genuine and a C worker are stopped the same way at the
same time, and what is in Redis, what is back in the queue, what the events tell and the exit code are
compared with one table."""

import dataclasses
import json
import signal
import time

import pytest
from kombu import Connection

from dev.servers.process import wait_for
from tests.celery.worker_tool import lines

TIMEOUT = 120
LANGUAGES = ("python", "c")
TASKS = [(where, ack) for where in ("running", "reserved", "eta") for ack in ("early", "late")]
RUN = ["task-received", "task-started"]
TERM, INT, QUIT = signal.SIGTERM, signal.SIGINT, signal.SIGQUIT


@dataclasses.dataclass
class Way:
    """How to stop a worker, and what comes of it. What differs between the two is a pair: Celery's, ours."""
    signals: list = ()
    remote: bool = False    # by remote control
    remap: bool = False     # REMAP_SIGTERM=SIGQUIT
    soft: tuple = (0, 0)    # worker_soft_shutdown_timeout
    finishes: bool = True   # what runs is let go on, and ends; otherwise it never would
    exit: tuple = (0, 0)    # None: one or the other, as it happens


# That a cold shutdown exits with 1 is what Celery announces (worker_shutting_down); its process forgets it.
COLD = (0, 1)
WAYS = {
    "TERM": Way([TERM]),
    "TERM twice": Way([TERM, TERM]),
    "INT": Way([INT], exit=(1, 1)),
    "remote control": Way(remote=True),
    "INT twice": Way([INT, INT], finishes=False, exit=(None, 1)),
    "QUIT": Way([QUIT], finishes=False, exit=COLD),
    "TERM, QUIT": Way([TERM, QUIT], finishes=False, exit=COLD),
    "TERM as QUIT": Way([TERM], remap=True, finishes=False, exit=COLD),
    "QUIT, soft, tasks end": Way([QUIT], soft=(15, 3600), exit=COLD),
    "QUIT, soft, tasks go on": Way([QUIT], soft=(2, 2), finishes=False, exit=COLD),
    "QUIT twice, soft": Way([QUIT, QUIT], soft=(4, 3600), finishes=False, exit=COLD),
}


def expected(way, language):
    """For each task: its state, how often it ran, whether its message is back in the queue, its events."""
    waits = ("PENDING", 0, True, ["task-received"])
    table = {task: waits for task in TASKS}
    if not way.finishes:
        # The message of a task that was acknowledged early is gone, and its run with it. Celery stores RETRY,
        # which nobody does: who waits for it or for its chord waits for ever. Here it has failed.
        state, told = ("RETRY", "task-cancelled") if language == "python" else ("FAILURE", "task-failed")
        table["running", "early"] = (state, 1, False, [*RUN, told])
        table["running", "late"] = ("PENDING", 1, True, [*RUN, "task-cancelled"])
        return table
    # Celery cancels what has ended in the soft shutdown's time, and then finds its result.
    cancelled = ["task-cancelled"] if language == "python" and max(way.soft) > 0 else []
    for ack in ("early", "late"):
        table["running", ack] = ("SUCCESS", 1, False, [*RUN, *cancelled, "task-succeeded"])
    return table


class Side:
    """One of the two workers, with a queue and six tasks of its own."""

    def __init__(self, language, start, app, broker, folder):
        self.language, self.app = language, app
        self.broker, self.vhost = broker
        self.queue = f"of-{language}"
        self.runs, self.until = folder / f"{language}-runs", folder / f"{language}-until"
        self.worker = start("--queues", self.queue)
        self.ids, self.said = {}, 0

    def send(self, tasks):
        for where, ack in tasks:
            if where == "reserved":
                wait_for(lambda: len(lines(self.runs)) == 2, "both children are busy", TIMEOUT)
            sent = self.app.send_task("demo.hold_late" if ack == "late" else "demo.hold",
                                      (str(self.runs), f"{where} {ack}", str(self.until)), queue=self.queue,
                                      countdown=3600 if where == "eta" else None)
            self.ids[where, ack] = sent.id

    def wait_until_known(self):
        """Until the worker has all of them."""
        def known():
            asked = self.app.control.inspect(destination=[self.worker.node], timeout=5.0, limit=1)
            return len(asked.query_task(*self.ids.values())[self.worker.node]) == len(self.ids)
        wait_for(known, "all tasks are received", TIMEOUT)

    def view(self, name):
        """A figure of the queue as the broker sees it, a second late."""
        return (self.broker.queue(self.queue, self.vhost) or {}).get(name)

    def stop(self, way):
        said = len(self.worker.log())
        if way.remote:
            self.app.control.shutdown(destination=[self.worker.node])
        for number in way.signals[:1]:
            self.worker.process.send_signal(number)
        # What ends from now on does not make room for what waits.
        wait_for(lambda: "hutdown" in self.worker.log()[said:], "the shutdown has begun", TIMEOUT)
        for number in way.signals[1:]:
            self.worker.process.send_signal(number)
        if way.finishes:
            self.until.touch()

    def exit_code(self):
        """0 or 1, when it has ended."""
        code = self.worker.process.wait(TIMEOUT)
        if self.language == "c":
            self.worker.finish(codes=(0, 1))  # and no report of a sanitizer
        assert code in (0, 1)
        return code

    def back(self):
        """The ids in the queue, once the broker has seen the worker go."""
        wait_for(lambda: self.view("consumers") == 0 and self.view("messages_unacknowledged") == 0,
                 "the broker has taken everything back", TIMEOUT)
        ids = set()
        with Connection(self.broker.url_of(self.vhost)) as connection, connection.channel() as channel:
            while True:
                message = channel.basic_get(self.queue)
                if message is None:
                    return ids
                assert message.delivery_info["redelivered"]
                ids.add(message.headers["id"])

    def found(self, monitor):
        back, ran = self.back(), lines(self.runs)
        return {(where, ack): (self.app.AsyncResult(uuid).state, ran.count(f"{where} {ack}"), uuid in back,
                               monitor.of(uuid)) for (where, ack), uuid in self.ids.items()}


@pytest.fixture
def side_of(worker, python_worker, app, rabbitmq, vhost, tmp_path):
    """side_of(language, soft=..., idle=..., remap=...): a worker with two children, events on."""
    def make(language, soft=0, idle=False, remap=False):
        env = {"REMAP_SIGTERM": "SIGQUIT"} if remap else {}
        words = ["-E", "--concurrency", 2, "--loglevel", "INFO"]
        if language == "python":
            env["TEST_SETTINGS"] = json.dumps({"worker_soft_shutdown_timeout": soft,
                                               "worker_enable_soft_shutdown_on_idle": idle})
        else:
            words += ["--soft-shutdown-timeout", soft, *(["--enable-soft-shutdown-on-idle"] if idle else [])]
        start = python_worker if language == "python" else worker
        return Side(language, lambda *more: start(*words, *more, env=env, wait=False), app, (rabbitmq, vhost),
                    tmp_path)

    return make


@pytest.mark.parametrize("name", WAYS)
def test_a_stopped_worker_leaves_tasks_as_celery_s_own_does(name, side_of, monitor):
    way = WAYS[name]
    sides = [side_of(language, soft=soft, remap=way.remap) for language, soft in zip(LANGUAGES, way.soft)]
    for side in sides:
        side.send(TASKS)
    for side in sides:
        side.wait_until_known()
    for side in sides:
        side.stop(way)
    for side, code in zip(sides, way.exit):
        assert side.exit_code() == code or code is None, side.language
    for side in sides:
        monitor.wait("worker-offline", hostname=side.worker.node)
        wanted = expected(way, side.language)
        wait_for(lambda: all(len(monitor.of(side.ids[task])) >= len(wanted[task][3]) for task in TASKS),
                 "all events are here", TIMEOUT)
        assert side.found(monitor) == wanted, side.language


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("idle", [False, True])
def test_a_soft_shutdown_waits_for_tasks_or_as_set_in_any_case(idle, language, side_of):
    seconds = 3 if idle else 3600
    side = side_of(language, soft=seconds, idle=idle)
    side.send([("eta", "early"), ("eta", "late")])
    side.wait_until_known()
    began = time.monotonic()
    side.worker.process.send_signal(QUIT)
    side.exit_code()
    assert not idle or time.monotonic() - began >= seconds
    assert side.back() == set(side.ids.values())
