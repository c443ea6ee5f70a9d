"""Children that are killed: what becomes of the task they ran is decided as Celery decides it, and bounded
where a task asks for it; the worker itself goes on."""

import pytest
from billiard.exceptions import WorkerLostError

from tests.celery.worker_tool import wait_until_empty

TIMEOUT = 120


def test_a_killed_child_fails_its_task_and_is_replaced(worker, app):
    one = worker("--concurrency", 1)
    with pytest.raises(WorkerLostError, match=r"signal 9 \(SIGKILL\)"):
        app.send_task("demo.crash").get(timeout=TIMEOUT)
    assert app.send_task("demo.add", (1, 2)).get(timeout=TIMEOUT) == 3
    assert one.process.is_running()


def test_a_late_acknowledged_task_fails_too_by_default(worker, app, rabbitmq, vhost):
    worker("--concurrency", 1)
    with pytest.raises(WorkerLostError):
        app.send_task("demo.crash_late").get(timeout=TIMEOUT)
    wait_until_empty(rabbitmq, vhost)


def test_with_reject_on_worker_lost_it_runs_again_until_it_ends_well(worker, app, rabbitmq, vhost, tmp_path):
    worker("--concurrency", 1)
    assert app.send_task("demo.crash_first", (str(tmp_path / "runs"), 2)).get(timeout=TIMEOUT) == 3
    wait_until_empty(rabbitmq, vhost)


def test_a_task_that_kills_its_child_each_time_fails_past_its_bound(worker, app, rabbitmq, vhost, tmp_path):
    worker("--concurrency", 1)
    runs = tmp_path / "runs"
    with pytest.raises(WorkerLostError, match="lost 3 times"):
        app.send_task("demo.crash_bounded", (str(runs), 1000)).get(timeout=TIMEOUT)
    assert len(runs.read_text().splitlines()) == 3
    wait_until_empty(rabbitmq, vhost)


def test_below_its_bound_it_ends_well(worker, app, rabbitmq, vhost, tmp_path):
    worker("--concurrency", 1)
    assert app.send_task("demo.crash_bounded", (str(tmp_path / "runs"), 2)).get(timeout=TIMEOUT) == 3
    wait_until_empty(rabbitmq, vhost)


def test_a_run_that_is_counted_goes_to_its_own_queue_alone(worker, app, rabbitmq, vhost, tmp_path):
    """However the message came: through a fanout exchange, with carbon copies."""
    rabbitmq.api("PUT", f"exchanges/{vhost}/all", {"type": "fanout", "durable": True})
    for queue in ("mine", "others", "copies"):
        rabbitmq.api("PUT", f"queues/{vhost}/{queue}", {"durable": True})
    for queue in ("mine", "others"):
        rabbitmq.api("POST", f"bindings/{vhost}/e/all/q/{queue}", {"routing_key": ""})
    worker("--concurrency", 1, "--queues", "mine")
    result = app.send_task("demo.crash_bounded", (str(tmp_path / "runs"), 2), exchange="all",
                           routing_key="any", headers={"CC": ["copies"]})
    assert result.get(timeout=TIMEOUT) == 3
    wait_until_empty(rabbitmq, vhost, "mine")
    with app.connection_for_write() as connection:
        counts = {queue: connection.default_channel.queue_declare(queue, passive=True).message_count
                  for queue in ("others", "copies")}
    assert counts == {"others": 1, "copies": 0}


def test_others_behind_a_killed_child_are_not_harmed(worker, app):
    worker("--concurrency", 2, "--prefetch-multiplier", 16)
    results = []
    for number in range(100):
        results.append((number, app.send_task("demo.add", (number, 0))))
        if number % 25 == 10:
            app.send_task("demo.crash")
    for number, result in results:
        assert result.get(timeout=TIMEOUT) == number


def test_a_worker_that_is_killed_leaves_its_late_tasks_to_the_next(worker, app):
    first = worker("--concurrency", 2)
    results = [app.send_task("demo.sleep_late", (2,)) for _ in range(4)]
    first.kill()
    worker("--concurrency", 4)
    for result in results:
        assert result.get(timeout=TIMEOUT) is not None
