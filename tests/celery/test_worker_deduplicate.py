"""With worker_deduplicate_successful_tasks a late-acknowledged task that comes again is not run where its stored result
is a success, whichever worker had run it: side by side."""

import json

import pytest
import redis
from kombu import Connection

from dev.servers import wait_for
from tests.celery.worker_tool import wait_until_empty
from tests.harness.workers import PythonWorker

TIMEOUT = 120
OPTIONS = ["--concurrency", "1", "--prefetch-multiplier", "1", "-E", "--loglevel", "INFO"]


@pytest.fixture(params=["c", "python"])
def start(request, worker, tmp_path, broker_url, redis_url):
    """start(): a worker with the tasks of canvases that notes each run in `runs`."""
    env = {"CANVAS_RUNS": str(tmp_path / "runs")}

    def start_c():
        return worker(*OPTIONS, "--deduplicate-successful-tasks", name="canvas-worker", env=env)

    def start_python():
        one = PythonWorker(tmp_path, broker_url, redis_url, module="tests.celery.canvas_tasks", env=env,
                           options=[*OPTIONS, "--", "worker.deduplicate_successful_tasks=1"])
        request.addfinalizer(one.kill)
        return one

    return start_c if request.param == "c" else start_python


def deliver_again(broker_url, count):
    """The messages of the queue as if a worker had taken them before, and was lost."""
    with Connection(broker_url) as connection, connection.channel() as channel:
        taken = []
        wait_for(lambda: taken.append(channel.basic_get("celery")) or taken[-1] is not None, "a message", TIMEOUT)
        while (message := channel.basic_get("celery")) is not None:
            taken.append(message)
        taken = [message for message in taken if message is not None]
        assert len(taken) == count
        for message in taken:
            channel.basic_reject(message.delivery_tag, requeue=True)


def read_runs(path):
    runs = [json.loads(line) for line in path.read_text().splitlines()]
    return sorted((run["label"], run["retries"], json.dumps(run["args"])) for run in runs)


def test_a_success_that_comes_again_is_not_run_but_followed(start, app, monitor, broker_url, redis_url, rabbitmq,
                                                             vhost, tmp_path):
    (tmp_path / "runs").touch()
    with redis.Redis.from_url(redis_url) as store:
        def succeed(task_id, children=()):
            meta = {"status": "SUCCESS", "result": "stored", "traceback": None, "children": list(children),
                    "date_done": "2026-01-01T00:00:00+00:00", "task_id": task_id}
            store.set(f"celery-task-meta-{task_id}", json.dumps(meta))

        def send(label, name="canvas.retry", **options):
            return app.send_task(name, kwargs={"label": label}, **options)

        def step(label):
            return [app.signature("canvas.join", kwargs={"label": label}).set(task_id=f"id-of-{label}")]

        plain, early = send("succeeded"), send("early", "canvas.join")
        followed = send("followed", chain=step("step"))
        has_sent = send("has sent", chain=step("never"))
        send("has not ended")
        for result in (plain, early, followed):
            succeed(result.id)
        succeed(has_sent.id, children=[[["id-of-never", None], None]])
        deliver_again(broker_url, 5)
        first_time = send("first time")
        succeed(first_time.id)

        one = start()
        assert app.AsyncResult("id-of-step").get(timeout=TIMEOUT) == ["step", ["stored"]]
        assert send("last", "canvas.join").get(timeout=TIMEOUT) == ["last", []]
        wait_until_empty(rabbitmq, vhost)
    assert read_runs(tmp_path / "runs") == [
        ("early", 0, "[]"), ("first time", 0, "[]"), ("first time", 1, "[]"), ("has not ended", 0, "[]"),
        ("has not ended", 1, "[]"), ("last", 0, "[]"), ("step", 0, '["stored"]')]
    assert plain.get(timeout=TIMEOUT) == "stored"
    told = monitor.wait("task-succeeded", plain.id)
    assert (told["result"], told["runtime"]) == (None, None)
    assert monitor.of(plain.id)[-2:] == ["task-started", "task-succeeded"]
    for result in (plain, followed, has_sent):
        line = f"Task canvas.retry[{result.id}] Task already completed successfully."
        wait_for(lambda: line in one.log(), "what its log says of it", TIMEOUT)
